"""Typst with its compiler reused. Data goes in as JSON, so that a name can never become markup; the time is an argument, so that the
same data gives the same bytes."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typst

from dispensary.conf import conf
from dispensary.documents.paper import DoesNotFit

FOLDER = Path(__file__).resolve().parent
FONTS = FOLDER.parent / "static" / "dispensary" / "built" / "print"
_per_thread = threading.local()


class FontsMissing(Exception):
    """The printed faces have not been built."""


def _compiler(root: Path) -> typst.Compiler:
    compilers: dict[Path, typst.Compiler] = _per_thread.__dict__.setdefault("compilers", {})
    if root not in compilers:
        if not FONTS.is_dir():
            raise FontsMissing("the printed fonts are missing: run `python dispensary/counter/styles/build.py`")
        compilers[root] = typst.Compiler(root=root, font_paths=[FONTS], ignore_system_fonts=True)
    return compilers[root]


def _folder_of(template: str) -> Path:
    """Return the site's own folder where it has this template, else this one."""
    own = conf().document_folder
    return Path(own).resolve() if own is not None and (Path(own) / template).is_file() else FOLDER


def typeset(template: str, data: Mapping[str, Any], *, at: datetime | None = None, png_ppi: int | None = None) -> bytes:
    """Fill `template` (a .typ file of the site or of this folder) and return a tagged PDF/UA-1, or the first page as PNG.

    Raises DoesNotFit when the template's own measurement says that the text does not fit, or when a letter cannot be
    drawn by any font.
    """
    if png_ppi:
        return _compile(template, data, format="png", ppi=png_ppi)[0]
    moment = (at or datetime(2000, 1, 1, tzinfo=UTC)).astimezone(UTC).replace(microsecond=0)
    return _compile(template, data, format="pdf", pdf_standards="ua-1", timestamp=moment)[0]


def draw_pages(template: str, data: Mapping[str, Any]) -> list[bytes]:
    """Fill `template` and return each page as SVG, its letters as outlines. Raises DoesNotFit as `typeset` does."""
    return _compile(template, data, format="svg")


def _compile(template: str, data: Mapping[str, Any], **options: Any) -> list[bytes]:
    folder = _folder_of(template)
    inputs = {"data": json.dumps(data, ensure_ascii=False)}
    try:
        pages: Any = _compiler(folder).compile(input=folder / template, sys_inputs=inputs, **options)
    except typst.TypstError as error:
        error_text = f"{error.message} {' '.join(error.hints)}"
        if "does-not-fit:" in error_text:
            raise DoesNotFit(error_text.split("does-not-fit:", 1)[1].split('"', maxsplit=1)[0].strip()) from error
        if "could not be displayed" in error_text:
            raise DoesNotFit(f"a letter in the text cannot be printed: {error.message}") from error
        raise
    return list(pages) if isinstance(pages, list) else [bytes(pages)]
