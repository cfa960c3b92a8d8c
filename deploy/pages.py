"""The documentation of a release as pages: every Markdown file of the packages, and the description of the API.

    python -m deploy.pages dist

writes `dist/django_dispensary-VERSION-docs.zip`. The same tree gives the same bytes.
"""

import os
import re
import sys
import zipfile
from collections.abc import Iterator
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.core.management import call_command
from markdown_it import MarkdownIt

import dispensary
from deploy.environment import ROOT

FOLDERS = ("", "baclofen_rules/**/", "dispensary/**/", "deploy/**/", "tests/**/")
OPENAPI = "openapi.json"
FIRST_DAY = (1980, 1, 1, 0, 0, 0)  # the earliest that a ZIP archive can hold
STYLE = (
    "body{max-width:60rem;margin:2rem auto;padding:0 1rem;font:1rem/1.5 sans-serif}table{border-collapse:collapse}"
    "td,th{border:1px solid #999;padding:.25rem .5rem;text-align:left;vertical-align:top}pre{overflow:auto;background:#eee;padding:1rem}img{max-width:100%}"
)
PAGE = '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{title}</title>\n<style>{style}</style>\n{body}</html>\n'


def list_sources() -> list[Path]:
    """Return the Markdown files, by their path."""
    paths = {path for folder in FOLDERS for path in ROOT.glob(f"{folder}*.md")}
    return sorted(path for path in paths if "node_modules" not in path.parts)


def render_page(text: str, title: str) -> str:
    """Return Markdown as a page whose links to Markdown lead to pages; HTML in it stands as text."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    body = re.sub(r'href="(?![a-z]+:)([^"#]+)\.md(#[^"]*)?"', r'href="\1.html\2"', body)
    return PAGE.format(title=escape(title), style=STYLE, body=body)


def describe_api() -> str:
    """Return the OpenAPI document as JSON."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    django.setup()
    with TemporaryDirectory() as folder:
        file = Path(folder) / OPENAPI
        call_command("spectacular", file=str(file), format="openapi-json")
        return file.read_text(encoding="utf-8")


def list_files() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file of the archive."""
    sources = list_sources()
    names = [path.relative_to(ROOT).with_suffix(".html").as_posix() for path in sources]
    links = "".join(f"* [{name.removesuffix('.html')}]({name})\n" for name in names)
    yield (
        "index.html",
        render_page(
            f"# Dispensary {dispensary.__version__}\n\n{links}* [{OPENAPI}]({OPENAPI})\n", "Dispensary"
        ).encode(),
    )
    for path, name in zip(sources, names, strict=True):
        yield name, render_page(path.read_text(encoding="utf-8"), name).encode()
    for picture in sorted((ROOT / "deploy" / "pictures").glob("*.png")):
        yield picture.relative_to(ROOT).as_posix(), picture.read_bytes()
    yield OPENAPI, describe_api().encode()


def main() -> None:
    """Write the archive into a folder."""
    archive = Path(sys.argv[1]) / f"django_dispensary-{dispensary.__version__}-docs.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as pages:
        for name, content in list_files():
            pages.writestr(zipfile.ZipInfo(name, FIRST_DAY), content)
    print(archive)


if __name__ == "__main__":
    main()
