"""Shared parts of the audit benchmark: bars, a durable server with split roles, CPU of a backend."""

# ruff: noqa: E402 - Django is set up before the models are imported
from __future__ import annotations

import os
import secrets
import statistics
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.benchmarks.settings_audit")

import django
import psycopg

django.setup()

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections

from deploy.servers import KINDS, Postgres, Roles, make_database, make_roles
from tests.site import Database


@dataclass(frozen=True)
class Bar:
    """One line of the table: what was demanded, what was measured, whether it holds (None: the rounds differ too much to say)."""

    name: str
    demand: str
    measured: str
    holds: bool | None

    def line(self) -> str:
        verdict = {True: "yes", False: "**no**", None: "undecided"}[self.holds]
        return f"| {self.name} | {self.demand} | {self.measured} | {verdict} |"


def at_most(name: str, limit: float, value: float | Sequence[float], unit: str = "") -> Bar:
    """A bar that the value, or the median of rounds, must not be above."""
    return _judge(
        name, f"at most {limit:g}{unit}", value, lambda number: number <= limit, lambda number: f"{number:.3g}{unit}"
    )


def at_least(name: str, limit: float, value: float | Sequence[float], unit: str = "") -> Bar:
    """A bar that the value, or the median of rounds, must not be below."""
    return _judge(
        name, f"at least {limit:g}{unit}", value, lambda number: number >= limit, lambda number: f"{number:.3g}{unit}"
    )


def as_part(name: str, limit: int, value: float | Sequence[float]) -> Bar:
    """A speed as a part of another one: 1/6 and the like."""
    return _judge(
        name, f"at least 1/{limit}", value, lambda number: number >= 1 / limit, lambda number: f"1/{1 / number:.1f}"
    )


def _judge(
    name: str, demand: str, value: float | Sequence[float], holds: Callable[[float], bool], show: Callable[[float], str]
) -> Bar:
    """Judge the median of rounds; a bar that lies between the lower and the upper quartile of the rounds is undecided."""
    if isinstance(value, (int, float)):
        return Bar(name, demand, show(value), holds(value))
    low, middle, high = statistics.quantiles(value, n=4, method="inclusive")
    measured = f"{show(middle)} ({show(low)} to {show(high)})"
    is_decided = holds(low) == holds(high)
    return Bar(name, demand, measured, holds(middle) if is_decided else None)


@contextmanager
def server(folder: Path) -> Iterator[Database]:
    """A durable PostgreSQL with split roles, migrated, with the rivals' tables."""
    passwords = {kind: secrets.token_urlsafe(12) for kind in KINDS}
    running = Postgres(folder, secrets.token_urlsafe(12), durable=True)
    running.start()
    try:
        database = Database("bench", Roles.named("dispensary", passwords), running.url(), running)
        with psycopg.connect(running.url(), autocommit=True) as admin:
            make_roles(admin, database.roles)
            make_database(admin, database.name, database.roles)
        for alias, values in database.settings_by_alias().items():
            settings.DATABASES[alias].update(values)
            connections[alias].settings_dict.update(values)
        call_command("migrate", "auth", database="owner", verbosity=0, interactive=False)
        call_command("migrate", database="owner", run_syncdb=True, verbosity=0, interactive=False)
        if apps.is_installed("pgtrigger"):
            call_command("pgtrigger", "install", database="owner", verbosity=0)
        database.grant()
        yield database
    finally:
        connections.close_all()
        running.stop()


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the value that so many per cent of the values are not above."""
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def cpu_of(pid: int) -> int:
    """Nanoseconds on a CPU of a process of the server: planning and running, but no waiting for a turn."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def cpu_of_backend() -> int:
    """The same of this connection's process."""
    connection.ensure_connection()
    return cpu_of(connection.connection.info.backend_pid)


def pgbench(database: Database, script: str, folder: Path, *, clients: int, seconds: float) -> float:
    """Transactions a second of so many clients that repeat a script, statements prepared, as the application's role."""
    assert database.server is not None
    path = folder / "script.sql"
    path.write_text(script)
    command: list[str | Path] = [
        database.server.binaries() / "pgbench",
        "-n",
        "-M",
        "prepared",
        "-c",
        str(clients),
        "-j",
        "2",
    ]
    command += ["-T", str(max(round(seconds), 1)), "-f", path, database.url("app")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    tps_lines = [line for line in done.stdout.splitlines() if line.startswith("tps = ")]
    if done.returncode or not tps_lines:
        raise SystemExit(f"pgbench: {done.stderr[-500:]}")
    return float(tps_lines[0].split()[2])
