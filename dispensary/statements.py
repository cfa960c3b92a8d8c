"""Named SQL statements, read from files beside the code that calls them; rows of several tables out of one statement."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import AutoField, Model
from django.db.models.base import ModelState
from django.db.models.functions import Now
from psycopg import RawCursor
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


@cache
def _number_parameters(statement: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement as PostgreSQL takes it, with `$1` for the first of the names in `%(name)s`, and these names."""
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    numbered = re.sub(r"%\((\w+)\)s", lambda match: f"${names.index(match[1]) + 1}", list_columns(statement))
    return numbered, tuple(names)


def run(statement: str, values: Mapping[str, Any], using: str = DEFAULT_DB_ALIAS) -> list[tuple[Any, ...]]:
    """Send a statement, which stays prepared as OPTIONS say, and return its rows.

    The server binds the values, so it reads no long literals; values come in binary, each with its own type.
    """
    numbered, names = _number_parameters(statement)
    connection = connections[using]
    # As Django's `connection.cursor()` does, but for the cursor, which is given numbered parameters: psycopg would read the
    # whole of a long statement each time to number them.
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors:
        raw_cursor = RawCursor(connection.connection)
        raw_cursor.format = Format.BINARY
        with connection._prepare_cursor(raw_cursor) as cursor:  # type: ignore[attr-defined]  # Django's own `cursor()` calls it so; the stubs leave it out
            cursor.execute(numbered, [values[name] for name in names])
            return raw_cursor.fetchall() if raw_cursor.pgresult and raw_cursor.pgresult.nfields else []


def insert(rows: Sequence[Model]) -> None:
    """Insert rows of several tables, in one statement that stays prepared: a table's rows together, where its first one stands.

    Their keys are the application's; one that the database counts is not read back. Raises as the database refuses.
    """
    tables: dict[type[Model], list[Model]] = {}
    for row in rows:
        tables.setdefault(type(row), []).append(row)
    if tables:
        run(_insert_statement(*tables), {model._meta.db_table: as_json(group) for model, group in tables.items()})
    for row in rows:
        row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS


@cache
def _insert_statement(*models: type[Model]) -> str:
    *others, last = (insertion(model, model._meta.db_table) for model in models)
    parts = ", ".join(f"part_{number} AS ({statement})" for number, statement in enumerate(others))
    return f"WITH {parts} {last}" if parts else last


def insertion(model: type[Model], rows: str) -> str:
    """Return the statement that inserts rows, a parameter of JSON as `as_json` makes it."""
    columns, table = ", ".join(f'"{field.column}"' for field in stored_fields(model)), model._meta.db_table
    return f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %({rows})s::json)"  # noqa: S608  (names of columns)


def new_row(model: type[Row], **values: Any) -> Row:
    """Return `model(**values)`, not stored yet, without the signals and setters that take most of its time.

    A relation is given as its row or, by the name of its column, as its key. Raises TypeError for a name that is none of these.
    """
    constants, makers, relations = _defaults(model)
    row = model.__new__(model)
    row._state, columns = ModelState(), row.__dict__
    columns.update(constants)
    for name, value in values.items():
        if name in relations:
            row._state.fields_cache[name] = value
            columns[relations[name]] = None if value is None else value.pk
        elif name in constants:
            columns[name] = value
        else:
            raise TypeError(f"{model.__name__} has no column {name!r}")
    for name, make_default in makers:
        if name not in values:
            columns[name] = make_default()
    return row


@cache
def _defaults(model: type[Model]) -> tuple[dict[str, Any], list[tuple[str, Any]], dict[str, str]]:
    """Return the default of each column, the functions that make one anew, and the columns of relations."""
    fields = model._meta.concrete_fields
    makers = [(field.attname, field.default) for field in fields if field.has_default() and callable(field.default)]
    made = dict(makers)
    constants = {field.attname: None if field.attname in made else field.get_default() for field in fields}
    return constants, makers, {field.name: field.attname for field in fields if field.is_relation}


def as_json(rows: Sequence[Model]) -> str:
    """Return rows as JSON, by the names of their columns, for `json_populate_recordset`."""
    documents = [{field.column: getattr(row, field.attname) for field in stored_fields(type(row))} for row in rows]
    return _to_json(documents)


_to_json = json.JSONEncoder(ensure_ascii=False, default=str).encode


@cache
def stored_fields(model: type[Model]) -> list[Any]:
    """Return the columns of a model that the application gives: all but a key that the database counts, and times that it keeps."""
    return [field for field in model._meta.concrete_fields if not isinstance(field, AutoField) and not _is_kept(field)]


def update(row: Model, *names: str) -> None:
    """Store some columns of a row, in one statement that stays prepared. Takes no lists and no JSON."""
    run(_update_statement(type(row), names), {name: getattr(row, name) for name in ("pk", *names)})


@cache
def _update_statement(model: type[Model], names: Sequence[str]) -> str:
    changes = ", ".join(f'"{name}" = %({name})s' for name in names)
    return f"UPDATE {model._meta.db_table} SET {changes} WHERE id = %(pk)s"  # noqa: S608  (names of columns)


def build_rows(model: type[Row], records: Iterable[Sequence[Any]]) -> list[Row]:
    """Return rows of a model from arrays of its columns, as `{app.Model alias}` lists them."""
    names = [field.attname for field in _fields(model._meta.label)]
    if model._meta.app_label != "dispensary":  # a site's own model of accounts may do more than take its columns
        return [model.from_db(DEFAULT_DB_ALIAS, names, record) for record in records]
    return [_build_row(model, names, record) for record in records]


def _build_row(model: type[Row], names: Collection[str], record: Sequence[Any]) -> Row:
    """Return what `model.from_db` returns, without the signals and descriptors that take most of its time."""
    row = model.__new__(model)
    row.__dict__.update(zip(names, record, strict=True))
    row._state = ModelState()
    row._state.adding, row._state.db = False, DEFAULT_DB_ALIAS
    return row


def find_own(model: type[Row], key: UUID, pharmacy_ids: Collection[UUID]) -> Row | None:
    """Return a row by its key where it is one of these pharmacies'."""
    rows = run(_find_statement(model), {"key": key, "pharmacies": list(pharmacy_ids)})
    return next(iter(build_rows(model, rows)), None)


@cache
def _find_statement(model: type[Model]) -> str:
    return (
        f"SELECT {{{model._meta.label} t}} FROM {model._meta.db_table} t "  # noqa: S608  (a model's table)
        "WHERE t.id = %(key)s AND t.pharmacy_id = ANY(%(pharmacies)s::uuid[])"
    )


def remember_related(row: Model, name: str, rows: Collection[Model]) -> None:
    """Let a row answer `row.<name>.all()` and `list_rows(row, name)` with these rows, as a prefetch does."""
    row.__dict__.setdefault("_prefetched_objects_cache", {})[name] = _ReadRows(row, name, list(rows))


def is_read(row: Model, name: str) -> bool:
    """Say whether related rows were read with their row."""
    return name in row.__dict__.get("_prefetched_objects_cache", {})


def list_rows(row: Model, name: str) -> Collection[Any]:
    """Return `row.<name>.all()`, without a manager and a queryset where the rows were read with their row."""
    rows: Collection[Any] | None = row.__dict__.get("_prefetched_objects_cache", {}).get(name)
    return list(getattr(row, name).all()) if rows is None else rows


class _ReadRows:
    """Related rows that were read with their row. Made into a queryset, which costs more than they do, where more is asked of them."""

    __slots__ = ("name", "row", "rows")

    def __init__(self, row: Model, name: str, rows: list[Model]) -> None:
        self.row, self.name, self.rows = row, name, rows

    def __iter__(self) -> Iterator[Model]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]

    def __getattr__(self, name: str) -> Any:
        remembered = self.row.__dict__["_prefetched_objects_cache"]
        read_rows = remembered.pop(self.name)
        queryset = getattr(self.row, self.name).get_queryset()
        remembered[self.name] = read_rows
        queryset._result_cache, queryset._prefetch_done = self.rows, True
        return getattr(queryset, name)


@cache
def _fields(label: str) -> list[Any]:
    left_out = LEFT_OUT.get(label, frozenset())
    fields = apps.get_model(label)._meta.concrete_fields
    return [field for field in fields if field.name not in left_out and not _is_kept(field)]


def _is_kept(field: Any) -> bool:
    """Say whether the database keeps a column by itself, such as the time of a row's last change."""
    return isinstance(field.db_default, Now)
