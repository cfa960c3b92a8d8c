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
APPS = ["django.contrib.postgres", "rest_framework", "drf_spectacular", "django_htmx", "dispensary"]
MIDDLEWARE = "django_htmx.middleware.HtmxMiddleware"
SCHEMA = "drf_spectacular.openapi.AutoSchema"
SETTINGS = f"""
INSTALLED_APPS += {APPS!r}
MIDDLEWARE += [{MIDDLEWARE!r}]
REST_FRAMEWORK = {{"DEFAULT_SCHEMA_CLASS": {SCHEMA!r}}}
"""


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
        wanted = {
            name
            for name in here
            if not re.search(r"__pycache__|node_modules|/look/|\.pyc$", name) and not name.endswith((".po", ".scss"))
        }
        assert wanted - set(names) == set()
    assert not [name for name in names if name.startswith(("tests/", "deploy/"))]
    assert not [name for name in names if "node_modules" in name]


def test_readme_tells_the_reader_the_same_settings() -> None:
    readme = (ROOT / "README.md").read_text()
    assert [name for name in (*APPS, MIDDLEWARE, SCHEMA) if f'"{name}"' not in readme] == []


def test_somebody_elses_project_installs_migrates_and_answers(
    environment: Path, own_database: str, tmp_path: Path
) -> None:
    run(environment / "django-admin", "startproject", "theirs", ".", cwd=tmp_path)
    settings = tmp_path / "theirs" / "settings.py"
    parts = psycopg.conninfo.conninfo_to_dict(own_database)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "PASSWORD": parts["password"],
    }
    database |= {"HOST": parts["host"], "PORT": str(parts["port"])}
    settings.write_text(f"{settings.read_text()}{SETTINGS}DATABASES = {{'default': {database!r}}}\n")
    urls = tmp_path / "theirs" / "urls.py"
    urls.write_text(
        urls.read_text() + '\nfrom django.urls import include\nurlpatterns += [path("", include("dispensary.urls"))]\n'
    )
    manage = (environment / "python", "manage.py")

    run(*manage, "check", "--fail-level", "ERROR", cwd=tmp_path)
    run(*manage, "migrate", "--verbosity", "0", cwd=tmp_path)
    assert "No changes detected" in run(*manage, "makemigrations", "--check", "--dry-run", cwd=tmp_path)

    port = free_port()
    server = Server("their server", tmp_path / "server.log")
    server.launch(
        [*manage, "runserver", "--noreload", f"127.0.0.1:{port}"],
        environment={"PATH": os.defpath, "PYTHONUNBUFFERED": "1"},
        folder=tmp_path,
    )
    try:
        answer = wait_until(lambda: get(f"http://127.0.0.1:{port}/api/v1/schema/"), 30, server.last_words)
        assert b"openapi" in answer
    finally:
        server.end()


def get(address: str) -> bytes | None:
    try:
        with urllib.request.urlopen(address, timeout=5) as answer:
            return bytes(answer.read())
    except (ConnectionError, urllib.error.URLError):
        return None


def test_rule_book_works_from_the_shell_of_that_environment(environment: Path, tmp_path: Path) -> None:
    assert "lioresal" in run(environment / "baclofen-rules", "profiles", cwd=tmp_path)
