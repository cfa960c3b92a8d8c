"""A whole Dispensary on this machine: database, broker, mail sink, web server, workers and beat."""

import fcntl
import io
import json
import os
import secrets
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import psycopg

from deploy.demo.mail import MailSink
from deploy.environment import ROOT, RUN_DIR, write_environment
from deploy.servers import (
    KINDS,
    Postgres,
    Roles,
    Server,
    ServerError,
    Valkey,
    free_port,
    grant_tables,
    make_database,
    make_roles,
)
from deploy.servers.processes import LOCALHOST, end_leftover

DATABASE = "dispensary"
WEB_PORT = 8000
_WEB_SECONDS = 60


@dataclass
class DemoSite:
    """The running site, as the story sees it."""

    address: str
    folder: Path  # where the labels go
    mail: MailSink
    superuser_url: str | None  # None on a server that DATABASE_URL names
    processes: Server
    messages_due: dict[str, str]  # addresses to which a message is due today, and what it is about


@contextmanager
def running_site() -> Iterator[DemoSite]:
    """Start everything, yield, and stop everything in the opposite order.

    Raises:
        ServerError: a sentence that says what is in the way.
    """
    RUN_DIR.mkdir(exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_only_one())
        _end_leftovers()
        mail = stack.enter_context(MailSink(RUN_DIR / "mail"))
        environment, superuser_url = _servers(stack)
        # Held until the web server takes it over: getting the tables ready takes seconds, and another demo may look meanwhile.
        lock = stack.enter_context(
            socket.create_server((LOCALHOST, free_port(int(os.environ.get("WEB_PORT", WEB_PORT)))))
        )
        port = lock.getsockname()[1]
        address = f"http://{LOCALHOST}:{port}"
        environment |= {
            "WEB_BIND": f"{LOCALHOST}:{port}",
            "EMAIL_HOST": LOCALHOST,
            "EMAIL_PORT": str(mail.port),
            "HTTPS": "no",
            "STATIC_FROM_SOURCE": "yes",
            "LOG_LEVEL": "WARNING",
            "REMINDER_TICK_SECONDS": "2",
            "PUBLIC_URL": address,
            "RUN_DIR": str(RUN_DIR),
            "AUDIT_KEY_FILE": str(RUN_DIR / "audit-key"),
            "AUDIT_STATE_FOLDER": str(RUN_DIR / "audit-state"),
            "AUDIT_ORIGIN": "dispensary.demo",
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
        }
        os.environ.update(environment)
        write_environment(environment)
        _migrate(superuser_url)
        processes = Server("Dispensary", RUN_DIR / "processes.log")
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        lock.close()
        processes.launch(
            [sys.executable, "-m", "honcho", "-f", ROOT / "deploy" / "Procfile", "-d", ROOT, "--no-colour", "start"],
            environment=dict(os.environ) | {"PATH": path},
            folder=ROOT,
        )
        stack.callback(processes.end, signal.SIGTERM, 30)
        messages_due = _load()
        _wait_for_web(address, processes, environment["METRICS_TOKEN"])
        labels = RUN_DIR / "labels"
        labels.mkdir(exist_ok=True)
        yield DemoSite(address, labels, mail, superuser_url, processes, messages_due)


@contextmanager
def _only_one() -> Iterator[None]:
    """Hold the lock of this folder; the system lets go of it for us, however we end."""
    with (RUN_DIR / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise ServerError(
                f"A demo already runs in this folder (process {lock.read().strip() or 'unknown'}). "
                "Use that one, or end it with Ctrl-C where it runs."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _end_leftovers() -> None:
    """End what an earlier run left behind when it was killed the hard way."""
    for file in RUN_DIR.glob("*.pid"):
        with suppress(ValueError):
            end_leftover(int(file.read_text().strip() or 0), str(RUN_DIR))
        file.unlink(missing_ok=True)


def _servers(stack: ExitStack) -> tuple[dict[str, str], str | None]:
    """Start what the environment does not name. Returns the addresses, and the superuser's on a server of our own."""
    urls = {
        name: os.environ[name]
        for name in os.environ
        if name in {"DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SEALER_URL", "REDIS_URL"}
    }
    passwords = _secrets()
    environment = {"SECRET_KEY": passwords["secret_key"], "METRICS_TOKEN": passwords["metrics"]} | urls
    superuser_url = None
    if "DATABASE_URL" not in urls:
        postgres = Postgres(RUN_DIR, passwords["superuser"])
        postgres.start()
        stack.callback(postgres.stop)
        superuser_url = postgres.url(database=DATABASE)
        roles = _roles(passwords)
        with psycopg.connect(postgres.url(), autocommit=True) as connection:
            make_roles(connection, roles)
            make_database(connection, DATABASE, roles)
        for name, role in {
            "DATABASE_URL": roles.app,
            "DATABASE_OWNER_URL": roles.owner,
            "DATABASE_SEALER_URL": roles.sealer,
        }.items():
            environment[name] = postgres.url(role.name, role.password, DATABASE)
    if "REDIS_URL" not in urls:
        valkey = Valkey(RUN_DIR / "valkey", passwords["broker"])
        valkey.start()
        stack.callback(valkey.stop)
        environment["REDIS_URL"] = valkey.url
    return environment, superuser_url


def _secrets() -> dict[str, str]:
    """Return this folder's passwords; made once, readable by this user only."""
    file = RUN_DIR / "secrets.json"
    if not file.exists():
        made = {name: secrets.token_urlsafe(24) for name in ("superuser", "broker", "metrics", *KINDS)} | {
            "secret_key": secrets.token_urlsafe(50)
        }
        file.touch(mode=0o600)
        file.write_text(json.dumps(made), encoding="utf-8")
    passwords: dict[str, str] = json.loads(file.read_text(encoding="utf-8"))
    return passwords


def _roles(passwords: dict[str, str]) -> Roles:
    return Roles.named("dispensary", passwords)


def _migrate(superuser_url: str | None) -> None:
    """Bring the tables up to date as their owner, and grant the other roles what they need."""
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections
    from django.db.migrations.executor import MigrationExecutor

    alias = "owner" if "owner" in settings.DATABASES else "default"
    connection = connections[alias]
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", database=alias, verbosity=0, interactive=False)
    connection.close()
    if superuser_url is not None:
        with psycopg.connect(settings_url(settings.DATABASES["owner"])) as owner:
            grant_tables(owner, _roles(_secrets()))
        call_command("audit", "roles", "--apply", verbosity=0, stdout=io.StringIO())
    if not (RUN_DIR / "audit-key").exists():
        call_command("audit", "key", "--new", stdout=io.StringIO(), stderr=io.StringIO())
    (RUN_DIR / "audit-state").mkdir(exist_ok=True)
    connections.close_all()


def settings_url(entry: dict[str, object]) -> str:
    """Return the address of a `DATABASES` entry, for psycopg."""
    return psycopg.conninfo.make_conninfo(
        host=str(entry["HOST"]),
        port=str(entry["PORT"]),
        user=str(entry["USER"]),
        password=str(entry["PASSWORD"]),
        dbname=str(entry["NAME"]),
    )


def log_connection() -> psycopg.Connection[Any]:
    """Open a connection as the role that may read the whole log."""
    from django.conf import settings

    return psycopg.connect(
        settings_url(settings.DATABASES["sealer" if "sealer" in settings.DATABASES else "default"]), autocommit=True
    )


def _load() -> dict[str, str]:
    """Make the demo's people where they are not yet, and two patients to whom a message is due today."""
    from django.utils import timezone

    from deploy.demo import people

    people.load_site(timezone.now())
    return people.owe_messages(timezone.now())


def _wait_for_web(address: str, processes: Server, token: str) -> None:
    """Wait until our own web server answers: one that does not know our token is somebody else's on our port."""
    ours = urllib.request.Request(f"{address}/metrics", headers={"Authorization": f"Bearer {token}"})  # noqa: S310  (our own address)
    deadline = time.monotonic() + _WEB_SECONDS
    while processes.running and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/health/ready", timeout=2) as answer:  # noqa: S310  (our own address)
                ready = answer.status == 200
            if ready:
                with urllib.request.urlopen(ours, timeout=5):  # noqa: S310  (our own address)
                    return
        except urllib.error.HTTPError as error:
            if error.url == ours.full_url and error.code == HTTPStatus.NOT_FOUND:
                raise ServerError(
                    f"Another program took {address} while the demo started. Start it again, or choose a port: WEB_PORT=8080 make demo"
                ) from error
            time.sleep(0.1)
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise ServerError(f"The web server does not answer. The last lines of {processes.log}:\n{processes.last_words(8)}")
