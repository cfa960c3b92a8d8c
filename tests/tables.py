"""Tables of cases in TOML. A key that is not read would leave a row that proves nothing, so it is an error."""

import tomllib
from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any


def refuse_unknown(keys: Iterable[str], known_keys: Collection[str], where: str) -> None:
    """Raise `ValueError` for a key that is not among those known."""
    unknown = sorted(set(keys) - set(known_keys))
    if unknown:
        raise ValueError(f"{where}: {', '.join(unknown)} is read by nothing; known are {', '.join(sorted(known_keys))}")


def read_table(
    path: Path, rows: str, row_keys: Collection[str], *, required: Collection[str] = (), head: Collection[str] = ()
) -> dict[str, Any]:
    """Return a TOML file whose array `rows` has the keys `row_keys`, those `required` in each row; numbers are Decimal.

    Raises:
        ValueError: a key is not known or one that is required is not there or empty; the file and the row are named.
    """
    table = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    refuse_unknown(table, {rows, *head}, path.name)
    for number, row in enumerate(table[rows], start=1):
        where = f"{path.name}, {rows} {number}"
        refuse_unknown(row, row_keys, where)
        missing = sorted(key for key in required if row.get(key) in (None, "", {}, []))
        if missing:
            raise ValueError(f"{where}: {', '.join(missing)} is missing or empty")
    return table


def check_rows(check: Callable[..., None], rows: Iterable[tuple[Any, ...]]) -> None:
    """Call `check` with the values of each row, for tables whose rows are too many to be tests of their own.

    Raises:
        ExceptionGroup: all failures, each with its row as a note.
    """
    failures = []
    for row in rows:
        try:
            check(*row)
        except Exception as failure:
            failure.add_note(f"The row: {row!r}")
            failures.append(failure)
    if failures:
        raise ExceptionGroup(f"{len(failures)} rows fail", failures)
