"""The wheel in somebody else's project: made by `django-admin startproject`, in a clean environment, on a real database."""

import os
import re
import shutil
import subprocess
import sys
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy.environment import ROOT
from deploy.servers import Server, free_port
from tests.site import Database
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
README = (ROOT / "README.md").read_text()


def of_the_readme(file: str) -> str:
    """Return what the README puts into a file of a host's project, with `[...` filled in as the reader does: what is there already."""
    [block] = re.findall(rf"^# {re.escape(file)}[^\n]*\n(.*?)(?=^# \w+\.py|^```)", README, re.MULTILINE | re.DOTALL)
    return "\n" + re.sub(r"^(\w+) = \[\.\.\.,", r"\1 = [*\1,", block, flags=re.MULTILINE).replace("yours", "theirs")


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run a command of somebody who has never heard of our environment; the output, or a failure that shows it."""
    bare = {"PATH": os.defpath, "HOME": os.environ.get("HOME", "/"), "UV_SYSTEM_CERTS": "1", **environment}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that the tree stays as it is."""
    source = tmp_path_factory.mktemp("source")
    for name in ("dispensary", "baclofen_rules"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__", "*.pyc")
        )
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "out", ".", cwd=source)
    (built,) = (source / "out").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel and what it asks for, and nothing else; its `bin` folder."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    uv = Path(sys.executable).with_name("uv")
    venv.create(folder, with_pip=not uv.exists())
    python = folder / "bin" / "python"
    locked = ROOT / "deploy" / "requirements" / "run.txt"
    pins = folder / "pins.txt"  # the tested versions, without the hashes that a wheel of our own cannot have
    pins.write_text("\n".join(re.findall(r"^[a-zA-Z0-9_.-]+==[^\s;]+", locked.read_text(), re.MULTILINE)) + "\n")
    if uv.exists():
        run(uv, "pip", "install", "-q", "--python", python, "-c", pins, wheel, cwd=folder)
    else:
        run(python, "-m", "pip", "install", "-q", "-c", pins, wheel, cwd=folder)
    return folder / "bin"


@pytest.fixture(scope="module")
def own_database(database: Database) -> Iterator[str]:
    """An empty database on the tests' server, of the owner role's: the site of somebody who has one role for everything."""
    name = f"{database.name}_theirs"
    with database.connect("superuser") as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(database.roles.owner.name)
            )
        )
    yield database.url("owner", name)
    with psycopg.connect(database.url("superuser", "postgres"), autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_wheel_carries_what_the_app_needs_at_run_time(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for package in ("dispensary", "baclofen_rules"):
        here = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*") if path.is_file()}
        required_files = {
            name
            for name in here
            if not re.search(r"__pycache__|node_modules|/styles/|\.pyc$", name) and not name.endswith((".po", ".scss"))
        }
        assert required_files - set(names) == set()
    assert not [name for name in names if name.startswith(("tests/", "deploy/"))]
    assert not [name for name in names if "node_modules" in name]


@pytest.fixture
def project(environment: Path, own_database: str, tmp_path: Path) -> Path:
    """A project made by `django-admin startproject` in which somebody has followed the README; the folder of its `manage.py`."""
    run(environment / "django-admin", "startproject", "theirs", ".", cwd=tmp_path)
    parts = psycopg.conninfo.conninfo_to_dict(own_database)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "PASSWORD": parts["password"],
        "HOST": parts["host"],
        "PORT": str(parts["port"]),
    }
    package = tmp_path / "theirs"
    for name in ("settings.py", "urls.py", "celery.py"):
        with (package / name).open("a") as file:
            file.write(of_the_readme(name))
    with (package / "settings.py").open("a") as file:
        file.write(f"DATABASES = {{'default': {database!r}}}\n")
    run(environment / "python", "manage.py", "check", "--fail-level", "ERROR", cwd=tmp_path)
    run(environment / "python", "manage.py", "migrate", "--verbosity", "0", cwd=tmp_path)
    return tmp_path


def start(title: str, command: list[str | Path], folder: Path) -> Server:
    """Start a process of theirs, which knows nothing of our environment."""
    server = Server(title, folder / f"{title}.log")
    server.launch(command, environment={"PATH": os.defpath, "PYTHONUNBUFFERED": "1"}, folder=folder)
    return server


def test_somebody_elses_project_answers(environment: Path, project: Path) -> None:
    manage = (environment / "python", "manage.py")
    assert "No changes detected" in run(*manage, "makemigrations", "--check", "--dry-run", cwd=project)
    port = free_port()
    server = start("server", [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"], project)
    try:
        answer = wait_until(lambda: get(f"http://127.0.0.1:{port}/api/v1/schema/"), 60, server.last_words)
        assert b"openapi" in answer
    finally:
        server.end()


OWE = """
from datetime import timedelta
from django.utils import timezone
import making
from dispensary import reminders
from dispensary.models import Pharmacy, Reminder
now = timezone.now()
shop = Pharmacy.objects.get()
Pharmacy.objects.update(quiet_from="00:00", quiet_until="00:00")
person = making.patient(shop)
making.reachable(person, address="ann@example.org")
making.dispense(making.prescription(person), at=now - timedelta(days=1))
plan = making.follow(person, now)
plan.reminders.exclude(kind="missed_collection").delete()
Reminder.objects.update(due_at=now, useful_until=now + timedelta(days=1))
"""


def test_somebody_elses_project_sends_what_is_due(environment: Path, project: Path, redis_url: str) -> None:
    """The README's commands: a pharmacy from the shell, one beat, one worker, and a letter leaves."""
    letters = project / "letters"
    with (project / "theirs" / "settings.py").open("a") as file:
        file.write(
            f"CELERY_BROKER_URL = {redis_url!r}\nEMAIL_BACKEND = 'django.core.mail.backends.filebased.EmailBackend'\n"
        )
        file.write(f"EMAIL_FILE_PATH = {str(letters)!r}\n")
    manage = (environment / "python", "manage.py")
    run(
        *manage,
        "pharmacy",
        "open",
        "Mill Lane Pharmacy",
        "time_zone=UTC",
        "address=1 Mill Lane",
        "phone=01865 496000",
        cwd=project,
    )
    with pytest.raises(AssertionError, match="never ticked"):
        run(*manage, "check", "--database", "default", "--fail-level", "WARNING", cwd=project)
    shutil.copy(ROOT / "tests" / "dispensary" / "reminders" / "making.py", project)
    run(*manage, "shell", "-c", OWE, cwd=project)

    celery = (environment / "celery", "-A", "theirs")
    processes = [start("worker", [*celery, "worker", "-c", "1"], project), start("beat", [*celery, "beat"], project)]
    try:
        wait_until(
            lambda: any("To: ann@example.org" in letter.read_text() for letter in letters.glob("*.log")),
            120,
            lambda: "\n".join(child.last_words() for child in processes),
        )
        assert "never ticked" not in run(*manage, "check", "--database", "default", cwd=project)
    finally:
        for process in processes:
            process.end()


def get(address: str) -> bytes | None:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bytes(answer.read())
    except (ConnectionError, urllib.error.URLError):
        return None


def test_rule_book_works_from_the_shell_of_that_environment(environment: Path, tmp_path: Path) -> None:
    assert "lioresal" in run(environment / "baclofen-rules", "profiles", cwd=tmp_path)
