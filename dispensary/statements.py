"""Named SQL statements, read from files beside the code that calls them; rows of several tables out of one statement."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import Model
from psycopg.pq import Format

Row = TypeVar("Row", bound=Model)

LEFT_OUT = {"dispensary.Prescription": frozenset({"document"})}
"""Columns that are not read with a row, by model: what an order came in as may be long, and is read by itself where it is shown."""


def load_statements(path: Path) -> dict[str, str]:
    """Return the statements of a file by name, without their `--` comments."""
    _, *parts = re.split(r"^-- (\w+) --$", path.read_text(), flags=re.MULTILINE)
    statements = (re.sub(r"^--.*\n", "", part.lstrip("\n"), flags=re.MULTILINE).strip() for part in parts[1::2])
    return dict(zip(parts[::2], statements, strict=True))


@cache
def list_columns(statement: str) -> str:
    """Return a statement with the columns of a model's rows wherever it says `{app.Model alias}`."""

    def columns(match: re.Match[str]) -> str:
        return ", ".join(f'{match[2]}."{field.column}"' for field in _fields(match[1]))

    return re.sub(r"\{([\w.]+) (\w+)\}", columns, statement)


def run(statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Send a statement, which stays prepared, and return its rows; values come in binary, each with its own type."""
    with connection.cursor() as cursor:
        cursor.cursor = ServerBindingCursor(cursor.connection)  # type: ignore[call-arg]  # the stubs lack its constructor
        cursor.cursor.format = Format.BINARY
        cursor.execute(list_columns(statement), values)
        return [] if cursor.description is None else cursor.fetchall()


def build_rows(model: type[Row], records: Iterable[Sequence[Any]]) -> list[Row]:
    """Return rows of a model from arrays of its columns, as `{app.Model alias}` lists them."""
    names = [field.attname for field in _fields(model._meta.label)]
    return [model.from_db(DEFAULT_DB_ALIAS, names, record) for record in records]


def remember_related(row: Model, name: str, related: Collection[Model]) -> None:
    """Let a row answer `row.<name>.all()` with these rows, as a prefetch does."""
    cache_of_row = row.__dict__.setdefault("_prefetched_objects_cache", {})
    cache_of_row.pop(name, None)
    rows = getattr(row, name).get_queryset()
    rows._result_cache, rows._prefetch_done = list(related), True
    cache_of_row[name] = rows


@cache
def _fields(label: str) -> list[Any]:
    left_out = LEFT_OUT.get(label, frozenset())
    return [field for field in apps.get_model(label)._meta.concrete_fields if field.name not in left_out]
