"""Columns of a table to import: each cell becomes a field of a document."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from dispensary.errors import InvalidInput, Problem
from dispensary.strict_json import check_text

_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_FLAGS = {"true": True, "yes": True, "false": False, "no": False}


def read_amount(cell: str) -> Decimal:
    """Read a number with a decimal point. Raises `ValueError`."""
    if not _AMOUNT.fullmatch(cell):
        raise ValueError("a number with a decimal point, such as 12.5")
    return Decimal(cell)


def read_whole(cell: str) -> int:
    """Read a whole number. Raises `ValueError`."""
    if not (cell.isascii() and cell.isdigit() and len(cell) <= 9):
        raise ValueError("a whole number")
    return int(cell)


def read_amounts(cell: str) -> list[Decimal]:
    """Read numbers with blanks between them. Raises `ValueError`."""
    return [read_amount(number) for number in cell.split()]


def read_flag(cell: str) -> bool:
    """Read true or false, yes or no. Raises `ValueError`."""
    if cell.lower() not in _FLAGS:
        raise ValueError("true or false")
    return _FLAGS[cell.lower()]


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name in the header, and the place of its cells in the document.

    A name of the place that ends in `[]` is a list of one object.
    """

    name: str
    place: tuple[str, ...]
    words: str
    is_needed: bool = False
    read: Callable[[str], Any] = str
    """Return the value of a cell that is not empty. Raises `ValueError` with what is expected."""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """Fields that stand beside a value."""


PATIENT_COLUMNS = (
    Column("patient_number", ("patient", "identifier"), "the pharmacy's number for the patient", is_needed=True),
    Column("patient_number_system", ("patient", "identifier_system"), "the system of the number; empty: the pharmacy's own"),
    Column("family_name", ("patient", "family_name"), "needed where the patient may be new"),
    Column("given_name", ("patient", "given_name"), "given names"),
    Column("birth_date", ("patient", "birth_date"), "YYYY-MM-DD"),
    Column("sex", ("patient", "sex"), "female, male, other or unknown"),
    Column("language", ("patient", "language"), "code of the language of messages; empty: the pharmacy's"),
    Column("time_zone", ("patient", "time_zone"), "where the patient lives, an IANA name; empty: the pharmacy's"),
)  # fmt: skip


def read_row(columns: Sequence[Column], row: Sequence[str]) -> dict[str, Any]:
    """Return a row as a document; an empty cell is an absent field. Raises `InvalidInput` with every cell that is wrong."""
    if len(row) != len(columns):
        problem = Problem(
            "", f"{len(row)} cells", f"{len(columns)}, as the header has", "Put a cell with commas in quotes."
        )
        raise InvalidInput("The row cannot be read.", problem)
    document: dict[str, Any] = {}
    problems = []
    for column, cell in zip(columns, map(str.strip, row), strict=True):
        if not cell:
            if column.is_needed:
                problems.append(Problem(column.name, "nothing", column.words))
            continue
        check_text(cell, column.name)
        try:
            value = column.read(cell)
        except ValueError as error:
            problems.append(Problem(column.name, f"text of {len(cell)} characters", str(error)))
            continue
        *path, last = column.place
        parent = document
        for name in path:
            parent = parent.setdefault(name[:-2], [{}])[0] if name.endswith("[]") else parent.setdefault(name, {})
        parent |= {last: value, **column.beside}
    if problems:
        raise InvalidInput("The row cannot be read.", *problems)
    return document
