"""The backup and restore runbook from end to end on a real site, timed: `make drill-restore`.

Exit status 0: every command ended as the runbook says, and the database holds what was acknowledged before the target and nothing after it.
"""

# ruff: noqa: E402 - Django is set up before the models are imported
from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings_test"
django.setup()

from deploy.environment import ROOT
from deploy.servers import KINDS, Postgres, Roles
from deploy.servers.processes import BARE_ENVIRONMENT, identity_of, server_user
from tests.cluster.counters import Load
from tests.dispensary.audit.own import give_to_server
from tests.restore.runbook import read_steps
from tests.site import Database, Site, running_valkey, running_web, working_folder
from tests.waiting import wait_until

COUNTERS = 2
POPULATE = f"""
import json
from django.utils import timezone
from dispensary.models import Pharmacy, StaffRole
from tests.cluster.population import populate
from tests.dispensary import make
people = populate(counters={COUNTERS}, reminders=3, interval=3600)
shop = Pharmacy.objects.get()
people["managers"] = [make.staff(shop, StaffRole.MANAGER, timezone.now()).user.username for _ in range(2)]
print(json.dumps(people, default=str))
"""


class Drill:
    """A site whose database runs under `pg_ctl`, and what is set for the runbook's commands."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        """Make the server's data and folders; `folder` and what is in it becomes the server's account's."""
        self.folder = folder
        server = Postgres(folder, secrets.token_urlsafe(12))
        server.start()
        server.stop()
        server.log.unlink()  # ours; `pg_ctl` writes one of that name
        settings = server.configuration() | {"port": str(server.port)}
        with (server.data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = '{value}'\n" for name, value in settings.items())
        for place in (folder, folder / "archive"):
            give_to_server(place)
        self.variables = {
            "PATH": os.pathsep.join((str(server.binaries()), BARE_ENVIRONMENT["PATH"])),
            "PGHOST": "127.0.0.1",
            "PGPORT": str(server.port),
            "PGUSER": "postgres",
            "PGPASSWORD": server.password,
            "PGDATA": str(server.data),
            "ARCHIVE": str(folder / "archive"),
            "BACKUP": str(folder / "backup"),
        }
        roles = Roles.named("dispensary", {kind: secrets.token_urlsafe(12) for kind in KINDS})
        self.database = Database("dispensary", roles, server.url(), server)
        signer = {"AUDIT_KEY_FILE": str(folder / "audit-key"), "AUDIT_STATE_FOLDER": str(folder / "audit-state")}
        self.site = Site(self.database, redis_url, signer)

    def run(self, line: str, *, by_server: bool = False, statuses: tuple[int, ...] = (0,)) -> str:
        """Run a line of the shell as the server's account, or as the application's; return its output.

        Raises:
            AssertionError: it ended with another status.
        """
        if by_server:
            environment, folder, user = BARE_ENVIRONMENT | self.variables, Path("/"), server_user()
        else:
            path = os.pathsep.join((str(Path(sys.executable).parent), self.variables["PATH"]))
            environment, folder, user = self.site.environment(**self.variables | {"PATH": path}), ROOT, None
        done = subprocess.run(
            ["sh", "-euc", line], env=environment, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **identity_of(user),
        )  # fmt: skip
        assert done.returncode in statuses, f"{line}\nended with {done.returncode}, not {statuses}:\n{done.stdout}"
        return done.stdout

    def install(self) -> dict[str, Any]:
        """Start the server, make what a new site makes, and its people; return what the counters need."""
        self.run('pg_ctl start -D "$PGDATA" -l "$PGDATA.log" -w -s', by_server=True)
        passwords = [
            f"{role.name.removeprefix('dispensary_').upper()}_PASSWORD={role.password}" for role in self.database.roles
        ]
        self.run(f"{' '.join(passwords)} sh deploy/container/roles.sh {self.database.admin_url}")
        (self.folder / "audit-state").mkdir()
        for words in ("migrate --database owner --verbosity 0", "audit roles --apply", "audit key --new"):
            self.run(f"python manage.py {words}")
        people: dict[str, Any] = json.loads(self.run(f"python manage.py shell --no-imports --command '{POPULATE}'"))
        self.variables |= dict(zip(("MANAGER", "SECOND"), people["managers"], strict=True))
        return people

    def follow(self, section: str) -> Iterator[str]:
        """Run the steps of a section of the runbook, print the seconds of each, and yield its output."""
        for step in read_steps(section):
            began = time.monotonic()
            output = "".join(
                self.run(command.line, by_server=step.by_server, statuses=command.statuses) for command in step.commands
            )
            print(f"| {step.title} | {f'{time.monotonic() - began:.1f}' if step.commands else 'by hand'} |", flush=True)
            yield output

    @contextmanager
    def dispensing(self, people: dict[str, Any]) -> Iterator[Load]:
        """Counters that hand over at a web server of their own as long as the block lasts."""
        with running_web(self.site, self.folder) as (address, _web):
            load = Load([address], people)
            load.start()
            yield load
            load.stop()
            assert not load.trouble, load.trouble

    def server_words(self) -> str:
        """Return the last lines of the server's log."""
        return self.database.server.last_words(8) if self.database.server else ""

    def end(self) -> None:
        """Stop the server where it runs."""
        self.run('pg_ctl stop -D "$PGDATA" -m immediate -s', by_server=True, statuses=(0, 1))


def main() -> int:
    """Run the drill; print the seconds of each step."""
    parser = argparse.ArgumentParser(prog="make drill-restore")
    parser.add_argument("--dispenses", type=int, default=40, help="before the backup, after it, and after the target")
    count = parser.parse_args().dispenses
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server is stopped
    with working_folder() as folder, running_valkey(folder / "broker") as broker:
        drill = Drill(folder, broker.url)
        try:
            return _run(drill, count)
        except AssertionError as error:
            print(f"NOT FINISHED: {error}\n{drill.server_words()}")
            return 1
        finally:
            drill.end()


def _run(drill: Drill, count: int) -> int:
    people = drill.install()
    backing_up = drill.follow("Back up")
    print("| step | s |\n|---|---|")
    next(backing_up)
    with drill.dispensing(people) as before:
        _wait_for(before, count)
        drill.run("python manage.py audit seal --once")
        next(backing_up)
        _wait_for(before, len(before.acknowledged) + count)
    with drill.database.connect() as connection:
        [target, size] = connection.execute(
            "SELECT clock_timestamp()::text, pg_size_pretty(pg_database_size(current_database()))"
        ).fetchone() or ("", "")
    drill.variables["TARGET"] = target
    with drill.dispensing(people) as after:
        _wait_for(after, count)
    drill.run("python manage.py audit seal --once")
    began = time.monotonic()
    assert any("FORK" in output for output in list(drill.follow("Restore"))), (
        "nothing said that signed entries are gone"
    )
    with drill.dispensing(people) as again:
        _wait_for(again, 1)
        outage = time.monotonic() - began
    drill.run("python manage.py audit seal --once")
    drill.run("python manage.py audit verify", statuses=(0, 3))
    with drill.database.connect() as connection:
        rows = {str(row[0]) for row in connection.execute("SELECT id FROM dispensary_dispense")}
    due = {done.dispense for load in (before, again) for done in load.acknowledged}
    print(
        f"\n{size}, {len(list((drill.folder / 'archive').iterdir()))} files in the archive; {outage:.0f} s without a dispense. "
        f"Dispenses: {len(due)} due, {len(due - rows)} lost, {len(rows - due)} too many; {len(after.acknowledged)} after the target."
    )
    return 0 if rows == due else 1


def _wait_for(load: Load, count: int) -> None:
    wait_until(lambda: len(load.acknowledged) >= count, 600, lambda: f"{load.answers} {load.trouble}")


if __name__ == "__main__":
    sys.exit(main())
