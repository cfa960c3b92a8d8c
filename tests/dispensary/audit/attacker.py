"""The worst day: somebody with every right on the database, who knows how the log is built."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

_GUARDS = """
    SELECT c.oid::regclass::text, t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'audit'::regnamespace AND t.tgname LIKE 'guard%' AND NOT t.tgisinternal"""


@contextmanager
def unguarded(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Switch all guards off, and on again as they were."""
    guards = connection.execute(_GUARDS).fetchall()
    for table, guard in guards:
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER {guard}")
    try:
        yield
    finally:
        for table, guard in guards:
            connection.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {guard}")
