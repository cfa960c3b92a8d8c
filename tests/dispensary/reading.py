"""The list of what patients read, in four languages, with room for the judgement of a native reader.

A text that changes loses its judgements. After a change: `REWRITE_READING=1 pytest tests/dispensary/test_reading.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import dispensary

ROOT = Path(dispensary.__file__).parent
FOLDERS = {
    "Messages and the patient's page": ROOT / "reminders/languages",
    "Telephone calls": ROOT / "channels/languages",
    "Papers": ROOT / "documents/languages",
}
LIST = ROOT / "READING.md"
LANGUAGES = ("en", "es", "fr", "ar")
_NOT_READ = ("phrases", "polite_words", "format", "decimal_sign")
_HEAD = """# What patients read

Every text, in four languages. *Author*: read by who wrote the texts, who is no native speaker of Spanish, French or Arabic. *Native reader*: name, date and "good", or
what it should say. Nobody native has read them yet: please do, and fill in the last column. A text that changes loses its judgements (`tests/dispensary/reading.py`).
"""


class Place(NamedTuple):
    """One text in one language."""

    part: str
    key: str
    language: str


def read_texts() -> dict[Place, str]:
    """Return every text that a patient may read, in the order of the files."""
    texts = {}
    for part, folder in FOLDERS.items():
        files = {
            language: dict(_flatten(tomllib.loads((folder / f"{language}.toml").read_text(encoding="utf-8"))))
            for language in LANGUAGES
        }
        for key in files["en"]:
            texts |= {Place(part, key, language): files[language][key] for language in LANGUAGES}
    return texts


def _flatten(words: dict[str, Any], before: str = "") -> Iterator[tuple[str, str]]:
    for name, value in words.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{before}{name}.")
        elif not name.endswith(_NOT_READ):
            yield f"{before}{name}", " / ".join(value) if isinstance(value, list) else str(value)


def write_list(judgements: dict[tuple[Place, str], tuple[str, str]]) -> str:
    """Return the list with the judgements of the author and of a native reader, kept where the text is the same."""
    lines, part = [_HEAD], ""
    for place, text in read_texts().items():
        if place.part != part:
            part = place.part
            lines.append(f"\n## {part}\n\n| text | | words | author | native reader |\n| --- | --- | --- | --- | --- |")
        author, native = judgements.get((place, _cell(text)), ("", ""))
        lines.append(f"| {place.key} | {place.language} | {_cell(text)} | {author} | {native} |")
    return "\n".join(lines) + "\n"


def read_judgements(content: str) -> dict[tuple[Place, str], tuple[str, str]]:
    """Return the judgements of a list by place and text."""
    judgements, part = {}, ""
    for line in content.splitlines():
        part = line.removeprefix("## ") if line.startswith("## ") else part
        cells = [cell.strip() for cell in line.strip("|").split(" |")]
        if len(cells) >= 5 and cells[1] in LANGUAGES:
            judgements[Place(part, cells[0], cells[1]), cells[2]] = (cells[3], cells[4])
    return judgements


def _cell(text: str) -> str:
    visible = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(visible.replace("|", "/").split())
