"""Tables for people, as CSV with their dictionary and a page of words in one zip file."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

from dispensary.audit.evidence.export import guard_cell


@dataclass(frozen=True, slots=True)
class Column:
    """A column, as its dictionary describes it; `empty` says what an empty cell means."""

    name: str
    words: str
    empty: str = "not recorded"
    type: str = "string"


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its columns with their version, and what the page of words says of it."""

    name: str
    version: int
    columns: Sequence[Column]
    remark: str

    def encode_heading(self) -> bytes:
        """Return the first line of the CSV."""
        return _encode([[column.name for column in self.columns]])

    def encode_rows(self, rows: Iterable[Mapping[str, Any]]) -> bytes:
        """Return rows as lines of the CSV."""
        return _encode([guard_cell(row[column.name]) for column in self.columns] for row in rows)


def write_archive(
    file: IO[bytes],
    table: Table,
    contents: Mapping[str, Iterable[bytes]],
    *,
    rows: int,
    sentence: str,
    now: dt.datetime,
) -> str:
    """Write the zip file of a table; return the SHA-256 of its first content.

    `contents` are the same rows as files, by the ending of the name: "csv", "ndjson". `sentence` says which rows these are.
    """
    digests = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for ending, chunks in contents.items():
            hashed = hashlib.sha256()
            with target.open(f"{table.name}.{ending}", "w", force_zip64=True) as content:
                for chunk in chunks:
                    hashed.update(chunk)
                    content.write(chunk)
            digests[ending] = hashed.hexdigest()
        fields = [
            {"name": c.name, "type": c.type, "description": c.words, "missingValueMeans": c.empty}
            for c in table.columns
        ]
        resources = [
            {
                "name": table.name, "path": f"{table.name}.{ending}", "format": ending, "encoding": "utf-8",
                "hash": f"sha256:{digest}", "schema": {"fields": fields, "missingValues": [""]},
            }
            for ending, digest in digests.items()
        ]  # fmt: skip
        package = {
            "name": table.name,
            "version": str(table.version),
            "created": format_utc(now),
            "resources": resources,
        }
        words = [
            f"{sentence}\r\n",
            *(
                f"{rows} rows, written {format_utc(now)}. SHA-256 of {table.name}.{ending}: {digest}\r\n"
                for ending, digest in digests.items()
            ),
            f"\r\n{table.remark}\r\n",
            "A cell of the CSV that a spreadsheet would run as a formula begins with an apostrophe.\r\n\r\n",
            *(f"{c.name}: {c.words}. Empty: {c.empty}.\r\n" for c in table.columns),
        ]
        target.writestr("datapackage.json", json.dumps(package, indent=2))
        target.writestr("README.txt", "".join(words))
    return next(iter(digests.values()))


def format_utc(moment: dt.datetime) -> str:
    """Return a moment in UTC, to the second."""
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _encode(lines: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(lines)
    return text.getvalue().encode()
