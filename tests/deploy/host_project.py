"""The project of somebody else: made as the README says, with their own user model, address, tables and Celery application.

What they do in it, step by step: set it up, hand over, send a reminder, look at what their receivers and the log say.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from deploy.environment import ROOT
from deploy.servers import Server, free_port
from tests.clock import inherited_clock
from tests.waiting import wait_until

README = (ROOT / "README.md").read_text()
HOST = ROOT / "tests" / "deploy" / "host"
TEN_MG = "05012345678900"


def of_the_readme(file: str) -> str:
    """Return what the README puts into a file of a host's project, with `[...` filled in as the reader does: what is there already."""
    [block] = re.findall(rf"^# {re.escape(file)}[^\n]*\n(.*?)(?=^# \w+\.py|^```)", README, re.MULTILINE | re.DOTALL)
    return "\n" + re.sub(r"^(\w+) = \[\.\.\.,", r"\1 = [*\1,", block, flags=re.MULTILINE).replace("yours", "theirs")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command of somebody who has never heard of our environment; the output, or a failure that shows it."""
    bare = {
        "PATH": os.defpath,
        "HOME": os.environ.get("HOME", "/"),
        "UV_SYSTEM_CERTS": "1",
        **inherited_clock(),
        **environment,
    }
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@contextmanager
def own_database(admin_url: str) -> Iterator[dict[str, Any]]:
    """An empty database on a server, of a role that is no superuser; Django's settings of it."""
    name, password = f"theirs_{secrets.token_hex(3)}", secrets.token_urlsafe(12)
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{password}'".encode())
        admin.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
        host, port = admin.info.host, admin.info.port
    engine = {"ENGINE": "django.db.backends.postgresql", "NAME": name, "USER": name, "PASSWORD": password}
    try:
        yield {**engine, "HOST": host, "PORT": str(port)}
    finally:
        with psycopg.connect(admin_url, autocommit=True) as admin:
            admin.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())
            admin.execute(f"DROP ROLE {name}".encode())


@dataclass
class Host:
    """Somebody's project, and a client of its API."""

    bin: Path
    folder: Path
    site: str = ""
    token: str = ""
    processes: list[Server] = field(default_factory=list)

    def manage(self, *words: str) -> str:
        return run(self.bin / "python", "manage.py", *words, cwd=self.folder).strip()

    def append(self, file: str, text: str) -> None:
        with (self.folder / "theirs" / file).open("a") as opened:
            opened.write(text + "\n")

    def start(self, title: str, *command: str | Path) -> None:
        """Start a process of theirs, which knows nothing of our environment."""
        server = Server(title, self.folder / f"{title}.log")
        server.launch(
            [self.bin / command[0], *command[1:]],
            environment={"PATH": os.defpath, "PYTHONUNBUFFERED": "1", **inherited_clock()},
            folder=self.folder,
        )
        self.processes.append(server)

    def end(self) -> None:
        for process in self.processes:
            process.end()

    def last_words(self) -> str:
        return "\n".join(f"{process.title}: {process.last_words(30)}" for process in self.processes)

    def call(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return status and JSON of a request with the token; POST where there is a body."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.site}/api/v1/{path}",
            data,
            {"Authorization": f"Token {self.token}", "Content-Type": "application/json", **headers},
        )
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                status, content = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, content = error.code, error.read()
        return status, json.loads(content) if content else None

    def get_page(self, path: str) -> bytes | None:
        """Return a page, or None while nothing answers."""
        try:
            with urllib.request.urlopen(f"{self.site}{path}", timeout=60) as response:
                return bytes(response.read())
        except (ConnectionError, urllib.error.URLError):
            return None

    def query(self, code: str) -> str:
        """Return what a line of Python prints in their shell."""
        return self.manage("shell", "-v", "0", "-c", code)


@contextmanager
def made_project(environment: Path, folder: Path, database: dict[str, Any], redis_url: str) -> Iterator[Host]:
    """A project made by `django-admin startproject` in which somebody has followed the README; its processes end with it."""
    run(environment / "django-admin", "startproject", "theirs", ".", cwd=folder)
    shutil.copytree(HOST, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    host = Host(environment, folder)
    settings = of_the_readme("settings.py").replace("/etc/theirs", str(folder))
    host.append("settings.py", f"DATABASES = {{'default': {database!r}}}\nAUTH_USER_MODEL = 'people.User'")
    host.append("settings.py", settings)
    broker = urlsplit(redis_url)._replace(path="/15").geturl()  # beside the other tests' queues
    host.append("settings.py", f"INSTALLED_APPS += ['people']\nCELERY_BROKER_URL = {broker!r}")
    host.append("urls.py", of_the_readme("urls.py").replace('path("", include', 'path("pharmacy/", include'))
    host.append("celery.py", of_the_readme("celery.py"))
    try:
        yield host
    finally:
        host.end()


def follow_the_readme(host: Host) -> None:
    """Do what the README says, with one pharmacist more who hands over, and start web server, worker, beat and sealer."""
    host.manage("makemigrations", "people", "--verbosity", "0")
    host.manage("check", "--fail-level", "ERROR")
    host.manage("migrate", "--verbosity", "0")
    assert "No changes detected" in host.manage("makemigrations", "--check", "--dry-run")
    for name in ("bea", "phil"):
        host.query(
            f"from people.models import User; User.objects.create_superuser('{name}@host.example', 'a long one')"
        )
    host.manage("pharmacy", "open", "Mill Lane Pharmacy", "time_zone=UTC", "address=1 Mill Lane", "phone=01865 496000")
    host.manage("pharmacy", "staff", "bea@host.example", "--role", "manager", "--name", "Bea Boss")
    by = ("--by", "bea@host.example")
    host.manage("pharmacy", "staff", "phil@host.example", "--role", "pharmacist", "--name", "Phil Poe", *by)
    pack = ("--name", "Baclofen 10 mg tablets", "--strength-mg", "10", "--pack-size", "50")
    host.manage("pharmacy", "product", TEN_MG, *pack, *by)
    with pytest.raises(AssertionError, match="never ticked"):
        host.manage("check", "--database", "default", "--fail-level", "WARNING")
    assert "+" in host.manage("audit", "key", "--new")
    host.token = host.manage("api_token", "phil@host.example")
    port = free_port()
    host.site = f"http://127.0.0.1:{port}/pharmacy"
    host.start("web", "python", "manage.py", "runserver", "--noreload", f"127.0.0.1:{port}")
    host.start("worker", "celery", "-A", "theirs", "worker", "-c", "1")
    host.start("beat", "celery", "-A", "theirs", "beat")
    host.start("sealer", "python", "manage.py", "audit", "seal")
    wait_until(lambda: host.get_page("/api/v1/schema/"), 120, host.last_words)


def order(patient: dict[str, Any], facts: dict[str, Any], mg: int, tablets: int) -> dict[str, Any]:
    """Return a body of POST prescriptions/: a dose in mg three times a day for 14 days."""
    today = datetime.now(UTC).date()
    phase = {"dose": mg, "unit": "mg", "times_per_day": 3, "days": 14}
    words = f"{mg} mg three times a day for 14 days"
    prescription = {"written_on": str(today), "route": "oral", "form": "tablet", "strength_mg": 10, "phases": [phase]}
    prescription |= {"then_stop": False, "directions": words, "quantity": tablets, "repeats": 0}
    case = {"format": "baclofen-case/1", "patient": facts, "prescription": prescription, "history": []}
    return {"patient": patient, "prescriber": {"identifier": "D-17", "name": "Dr Grace Mwangi"}, "case": case}


FACTS: dict[str, Any] = {
    "birth_date": "1981-05-02", "sex": "female", "weight_kg": 70, "egfr": 95, "dialysis": False, "pregnant": False,
    "breastfeeding": False, "drives": False, "conditions": [], "allergies": [], "medicines": [],
}  # fmt: skip


def hand_over(host: Host, body: dict[str, Any], codes: list[str]) -> dict[str, Any]:
    """Take an order in and hand it over, with these findings acknowledged; the supply."""
    status, received = host.call("prescriptions/", body, **{"Idempotency-Key": secrets.token_hex(8)})
    assert status == 201, received
    supply = {
        "quantity": body["case"]["prescription"]["quantity"],
        "pack": {"gtin": TEN_MG, "lot": "A1B2", "expiry": str(date.today().replace(year=date.today().year + 3, day=1))},
        "acknowledged": codes,
    }
    address = f"prescriptions/{received['prescription']['id']}/dispenses/"
    status, supply = host.call(address, supply, **{"Idempotency-Key": secrets.token_hex(8)})
    assert status == 201, supply
    return {"patient": received["prescription"]["patient"]["id"], "dispense": supply["id"]}


def send_reminder(host: Host, patient: str) -> None:
    """Give the patient an address and a yes, and have the first reminder sent now."""
    assert host.call(f"patients/{patient}/contacts/", {"medium": "email", "address": "ann@example.org"})[0] == 201
    assert host.call(f"patients/{patient}/consents/", {"medium": "email", "answer": "yes"})[0] == 204
    first = host.call("reminders/")[1]["results"][0]
    status, answer = host.call(f"reminders/{first['id']}/send/", {"despite_quiet_hours": True})
    assert status == 200, answer


def assert_told(host: Host, *signals: str) -> None:
    """Each signal has reached the host, whose receiver breaks every time, and is named without its words."""
    noted = wait_until(
        lambda: (
            (names := host.query("from people.models import *; print(*Note.objects.values_list('signal', flat=True))"))
            and set(signals) <= set(names.split())
            and names
        ),
        60,
        host.last_words,
    )
    assert sorted(noted.split()) == sorted(signals)
    words = "".join((host.folder / f"{process.title}.log").read_text() for process in host.processes)
    assert "The receiver people.receivers.note raised RuntimeError" in words
    assert "a receiver that breaks" not in words


def assert_verified(host: Host) -> None:
    """Every entry is signed and as it was written, and no check has anything to say of worker, beat or sealer."""
    wait_until(lambda: "nothing new" in host.manage("audit", "seal", "--once"), 60, host.last_words)
    words = host.manage("audit", "verify")
    assert "VERIFIED. Every entry is as it was written and signed." in words
    assert "Reconciliation: every dispense, review, override, prescription and patient has its entry" in words
    checked = host.manage("check", "--database", "default")
    assert not re.search(r"never ticked|dispensary\.(E\d+|W005|W007)", checked), checked
