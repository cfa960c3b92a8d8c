"""Entries of a file to import: lines of JSON, rows of a table, resources of FHIR. The memory does not grow with the file."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, BinaryIO

from django.core.management.base import CommandError

from dispensary.errors import InvalidInput, Problem
from dispensary.management.imports.sent_resources import FULL_URL, SentResources
from dispensary.management.imports.tables import Column, read_row
from dispensary.strict_json import loads

MOST_LINE = 2_000_000
"""Bytes of a line."""
MOST_BUNDLE = 64_000_000
"""Bytes of a file that is one Bundle; more is sent as NDJSON."""
_BOM = b"\xef\xbb\xbf"
_UNREADABLE = "The line cannot be read."


class Kind(StrEnum):
    """The kind of a file: JSON documents a line, a table with a header, FHIR as NDJSON or as one Bundle."""

    LINES = "lines"
    CSV = "csv"
    FHIR = "fhir"


@dataclass(frozen=True, slots=True)
class Entry:
    """A document of a file, not read yet."""

    line: int
    read: Callable[[], Mapping[str, Any]]
    """Return the document. Raises `InvalidInput`."""
    end: float
    """The bytes of the file up to where it ends; within a Bundle, as if its entries were of one length."""
    part: str = ""
    """Its place in the line, where the line is a Bundle."""


def guess_kind(file: BinaryIO, name: str) -> Kind:
    """Return the kind of a file by the ending of its name, else by its beginning."""
    if name.lower().endswith((".csv", ".tsv")):
        return Kind.CSV
    beginning = file.read(MOST_LINE)
    file.seek(0)
    return Kind.FHIR if b'"resourceType"' in beginning else Kind.LINES


def read_documents(file: BinaryIO, fields: Sequence[str], optional: Sequence[str]) -> Iterator[Entry]:
    """Yield the documents of a file with one a line, of these fields."""
    for number, line in _read_lines(file):
        yield Entry(number, partial(_parse_document, line, fields, optional), file.tell())


def read_table(file: BinaryIO, columns: Sequence[Column]) -> Iterator[Entry]:
    """Yield the rows of a table as documents. Raises `CommandError` where its header is not of these columns."""
    start = file.readline(MOST_LINE).removeprefix(_BOM).decode("utf-8", "replace")
    delimiter = max(",;\t", key=start.count)
    header = [name.strip() for name in next(csv.reader([start], delimiter=delimiter), [])]
    by_name = {column.name: column for column in columns}
    unknown = [name for name in header if name not in by_name or header.count(name) > 1]
    lacking = [column.name for column in columns if column.is_needed and column.name not in header]
    if unknown or lacking:
        reasons = [f"unknown or doubled: {', '.join(name[:60] or '(empty)' for name in unknown)}"] if unknown else []
        reasons += [f"lacking: {', '.join(lacking)}"] if lacking else []
        raise CommandError(f"The first line is no header of this import; {'; '.join(reasons)}. `--columns` lists them.")
    used = [by_name[name] for name in header]
    # A byte that is no UTF-8 refuses its row, not the table.
    text = io.TextIOWrapper(file, encoding="utf-8", errors="surrogateescape", newline="")
    rows = csv.reader(text, delimiter=delimiter, strict=True)
    line = 2
    try:
        for row in rows:
            if any(cell.strip() for cell in row):
                yield Entry(line, partial(read_row, used, row), file.tell())
            line = rows.line_num + 2
    except csv.Error as error:
        raise CommandError(
            f"The table cannot be read from line {line} on ({error}); nothing from there on was imported. "
            f"Mend the quotes there and go on with --from-line {line}."
        ) from error


def read_resources(file: BinaryIO, kind: str, unread: Counter[str]) -> Iterator[Entry]:
    """Yield the FHIR resources of a kind, each as a Bundle with what it refers to; types that nothing reads are counted in `unread`.

    The file is read twice: what a resource refers to may stand before or after it.
    """
    sent = SentResources(unread)
    for *_, resource in _list_resources(file):
        if isinstance(resource, Mapping) and resource["resourceType"] != kind:
            sent.add(resource)
    file.seek(0)
    for line, part, end, resource in _list_resources(file):
        if isinstance(resource, InvalidInput):
            yield Entry(line, partial(_refuse, resource), end, part)
        elif resource["resourceType"] == kind:
            yield Entry(line, partial(sent.gather, resource), end, part)


def _list_resources(file: BinaryIO) -> Iterator[tuple[int, str, float, Mapping[str, Any] | InvalidInput]]:
    """Yield the resources of a file as line, place and end of `Entry` with the resource, those of a Bundle one by one.

    Where one cannot be read, why not.
    """
    whole = file.read(MOST_BUNDLE + 1) if _is_indented(file) else b""
    if len(whole) > MOST_BUNDLE:
        most = MOST_BUNDLE // 1_000_000
        raise CommandError(f"A Bundle of more than {most} MB. Send it as NDJSON, a resource a line.")
    begin = end = 0
    for line, text in [(1, whole)] if whole else _read_lines(file):
        begin, end = end, file.tell()
        try:
            resource = _parse_object(text, "a FHIR resource")
        except InvalidInput as error:
            yield line, "", end, error
            continue
        entries = resource.get("entry", []) if resource.get("resourceType") == "Bundle" else None
        if entries is None:
            yield line, "", end, _check_resource(resource, "")
        elif not isinstance(entries, list):
            yield line, "", end, InvalidInput(_UNREADABLE, Problem("Bundle.entry", "another value", "a list"))
        else:
            for number, entry in enumerate(entries):
                place = f"entry[{number}]"
                reached = begin + (end - begin) * (number + 1) / len(entries)
                yield line, place, reached, _check_resource(entry, place)


def _check_resource(value: Any, place: str) -> Mapping[str, Any] | InvalidInput:
    """Return a resource, one of a Bundle's entry with the address of the entry as `FULL_URL`; or why it is none."""
    address = value.get("fullUrl") if place and isinstance(value, Mapping) else None
    resource = value.get("resource") if place and isinstance(value, Mapping) else value
    if not isinstance(resource, Mapping) or not isinstance(resource.get("resourceType"), str):
        return InvalidInput(_UNREADABLE, Problem(place, "no resource", "a FHIR resource"))
    return {**resource, FULL_URL: address} if isinstance(address, str) else resource


def _is_indented(file: BinaryIO) -> bool:
    """Return whether the first line is no whole document, as in a Bundle that is written for people to read."""
    start = file.readline(MOST_LINE)
    file.seek(0)
    try:
        _parse_object(start, "")
    except InvalidInput:
        return start.lstrip(_BOM + b" \t\r\n")[:1] == b"{" and b'"resourceType"' not in start
    return False


def _refuse(error: InvalidInput) -> Mapping[str, Any]:
    raise error


def _read_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not empty with its number. One that is too long is cut, and refused where it is read."""
    number = 0
    while line := file.readline(MOST_LINE + 1):
        number += 1
        rest = line
        while len(rest) > MOST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(MOST_LINE + 1)
        if number == 1:
            line = line.removeprefix(_BOM)
        if line.strip():
            yield number, line


def _parse_object(text: bytes, expected: str) -> Mapping[str, Any]:
    if len(text) > MOST_LINE and not text.endswith(b"\n"):
        raise InvalidInput(_UNREADABLE, Problem("", f"more than {MOST_LINE} bytes", "a shorter line"))
    document = loads(text.removeprefix(_BOM))
    if not isinstance(document, Mapping):
        raise InvalidInput(_UNREADABLE, Problem("", "no object", expected))
    return document


def _parse_document(line: bytes, fields: Sequence[str], optional: Sequence[str]) -> Mapping[str, Any]:
    document = _parse_object(line, f"an object with {', '.join(fields)}")
    problems = [Problem(name, "nothing", "a value") for name in fields if name not in document]
    names = [*fields, *optional]
    problems += [
        Problem(str(name)[:60], "a field", f"only {', '.join(names)}") for name in document if name not in names
    ]
    if problems:
        raise InvalidInput(_UNREADABLE, *problems)
    return document
