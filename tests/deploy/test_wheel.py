"""What `make dist` builds: its contents, and how it works in the project of somebody else, on a database whose owner is no superuser.

The oldest Python, Django and PostgreSQL that are promised, where somebody follows the README to the letter, and the newest that there are, where they
extend what they have installed as `dispensary/EXTENDING.md` says.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import dispensary
from deploy.environment import ROOT
from tests.deploy.host_project import (
    FACTS,
    assert_told,
    assert_verified,
    follow_the_readme,
    hand_over,
    made_project,
    of_the_readme,
    order,
    own_database,
    run,
    send_reminder,
)
from tests.deploy.older_postgres import OLDEST, running_older_postgres
from tests.house import install_house
from tests.site import Database
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
UV = Path(sys.executable).with_name("uv")


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with source archive and wheel, built from a copy so that the tree stays as it is; the wheel out of the archive."""
    source = tmp_path_factory.mktemp("source")
    for name in ("dispensary", "baclofen_rules"):
        shutil.copytree(
            ROOT / name, source / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__", "*.pyc")
        )
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, source / name)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "out", ".", cwd=source)
    return source / "out"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (built,) = dist.glob("*.whl")
    return built


def required_files() -> set[str]:
    """Return what the packages need at run time."""
    paths = {
        path for package in ("dispensary", "baclofen_rules") for path in (ROOT / package).rglob("*") if path.is_file()
    }
    names = {path.relative_to(ROOT).as_posix() for path in paths}
    left_out = re.compile(r"__pycache__|node_modules|/styles/|\.pyc$|\.po$|\.scss$")
    return {name for name in names if not left_out.search(name)}


def test_wheel_and_archive_carry_what_the_app_needs_at_run_time(dist: Path, wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        archived = {name.partition("/")[2] for name in opened.getnames()}
    for contents in (set(names), archived):
        assert required_files() - contents == set()
        assert not [name for name in contents if name.startswith(("tests/", "deploy/")) or "node_modules" in name]


def test_one_version_stands_on_everything_that_is_built(dist: Path, wheel: Path) -> None:
    version = dispensary.__version__
    assert {path.name.split("-")[1].removesuffix(".tar.gz") for path in dist.iterdir()} == {version}
    (metadata,) = (name for name in zipfile.ZipFile(wheel).namelist() if name.endswith("METADATA"))
    assert f"\nVersion: {version}\n" in zipfile.ZipFile(wheel).read(metadata).decode()


def test_the_documentation_is_pages_whose_links_lead_somewhere(tmp_path: Path) -> None:
    run(sys.executable, "-m", "deploy.pages", str(tmp_path), cwd=ROOT, PATH=os.environ["PATH"])
    (archive,) = tmp_path.glob("*-docs.zip")
    pages = zipfile.ZipFile(archive)
    names = set(pages.namelist())
    assert {"index.html", "README.html", "dispensary/EXTENDING.html", "openapi.json"} <= names
    assert json.loads(pages.read("openapi.json"))["openapi"].startswith("3.1")
    dead = [
        (name, link)
        for name in names
        if name.endswith(".html")
        for link in re.findall(r'href="([^"#:]+\.html)["#]', pages.read(name).decode())
        if os.path.normpath(Path(name).parent / link) not in names
    ]
    assert dead == []


def newest_python() -> Path:
    """Return the newest Python of this machine."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *(Path.home() / ".pyenv" / "versions").glob("*/bin")]
    for minor in range(19, sys.version_info.minor, -1):
        for folder in folders:
            python = Path(folder) / f"python3.{minor}"
            if python.exists() and works(python):
                return python
    pytest.skip(f"no Python is here that is newer than {sys.version_info.major}.{sys.version_info.minor}")


def works(python: Path) -> bool:
    """Return whether a Python can make environments; a shim of one that is not there cannot."""
    done = subprocess.run([python, "-c", "import venv, ensurepip"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def oldest_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new virtual environment with the wheel and what it asks for in the tested versions, and nothing else; its `bin` folder."""
    folder = tmp_path_factory.mktemp("oldest") / "venv"
    venv.create(folder, with_pip=not UV.exists())
    locked = ROOT / "deploy" / "requirements" / "run.txt"
    pins = folder / "pins.txt"  # without the hashes that a wheel of our own cannot have
    pins.write_text("\n".join(re.findall(r"^[a-zA-Z0-9_.-]+==[^\s;]+", locked.read_text(), re.MULTILINE)) + "\n")
    install(folder, "-c", pins, wheel)
    return folder / "bin"


@pytest.fixture(scope="module")
def newest_environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with the newest Python of this machine and the newest of everything else, and with somebody's rules."""
    folder = tmp_path_factory.mktemp("newest") / "venv"
    run(newest_python(), "-m", "venv", *(["--without-pip"] if UV.exists() else []), folder, cwd=folder.parent)
    install(folder, wheel)
    (packages,) = (folder / "lib").glob("python*/site-packages")
    install_house(packages)
    return folder / "bin"


def install(folder: Path, *what: str | Path) -> None:
    """Install packages into an environment."""
    python = folder / "bin" / "python"
    command = (
        (UV, "pip", "install", "-q", "--python", python) if UV.exists() else (python, "-m", "pip", "install", "-q")
    )
    run(*command, *what, cwd=folder)


@pytest.fixture(scope="module")
def oldest_postgres(servers_folder: Path) -> Iterator[str]:
    """The address of the oldest PostgreSQL that is promised."""
    with running_older_postgres(servers_folder, OLDEST) as url:
        yield url


def test_somebody_who_follows_the_readme_has_a_dispense_a_reminder_and_a_verified_log(
    oldest_environment: Path, oldest_postgres: str, tmp_path: Path, redis_url: str
) -> None:
    settings = [line for line in of_the_readme("settings.py").splitlines() if line.strip() and not line.startswith("#")]
    assert len(settings) <= 10
    letters = tmp_path / "letters"
    with (
        own_database(oldest_postgres) as database,
        made_project(oldest_environment, tmp_path, database, redis_url) as host,
    ):
        backend = "django.core.mail.backends.filebased.EmailBackend"
        host.append("settings.py", f"EMAIL_BACKEND, EMAIL_FILE_PATH = {backend!r}, {str(letters)!r}")
        follow_the_readme(host)
        assert urllib.request.urlopen(host.site).url.partition("?")[0].endswith("/admin/login/")
        assert host.call("schema/?format=json")[1]["info"]["version"] == dispensary.__version__
        patient = {"identifier": "P-2001", "family_name": "Okafor", "given_name": "Ada"}
        supply = hand_over(host, order(patient, FACTS, 5, 21), ["not-assessed"])
        send_reminder(host, supply["patient"])
        wait_until(
            lambda: any("To: ann@example.org" in letter.read_text() for letter in letters.glob("*.log")),
            120,
            host.last_words,
        )
        assert_told(host, "prescription_received", "dispensed", "reminder_sent")
        assert_verified(host)


EXTENDED = """
DISPENSARY |= {
    "patient_resolver": "people.records.find",
    "channels": {"email": "people.pigeon"},
    "channel_options": {"people.pigeon": {"folder": BASE_DIR / "letters"}},
    "document_folder": BASE_DIR / "papers",
    "default_profile": "mill-lane",
}
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
"""
CLIENT = """
from people.models import Client
Client.objects.create(number="C-7", family_name="Duarte", given_name="Rui", birth_date="1969-03-14", facts={facts})
"""


def test_somebody_extends_it_on_the_newest_python_and_django(
    newest_environment: Path, database: Database, tmp_path: Path, redis_url: str
) -> None:
    url = database.url("superuser", "postgres")
    with own_database(url) as own, made_project(newest_environment, tmp_path, own, redis_url) as host:
        host.append("settings.py", EXTENDED)
        for name in ("letters", "papers"):
            (tmp_path / name).mkdir()
        papers = ROOT / "dispensary" / "documents"
        shutil.copy(papers / "tablets.typ", tmp_path / "papers")
        label = (papers / "label.typ").read_text().replace("#one.words.phone", "Ring us on")
        (tmp_path / "papers" / "label.typ").write_text(label)
        follow_the_readme(host)
        clinical = {name: value for name, value in FACTS.items() if name not in ("birth_date", "sex")}
        host.query(CLIENT.format(facts=clinical))

        patient = {"identifier": "C-7", "identifier_system": "https://host.example/clients"}
        supply = hand_over(host, order(patient, {}, 5, 21), ["not-assessed", "house-second-look"])
        codes = host.query(
            "from dispensary.models import *; print(*set(Finding.objects.values_list('code', flat=True)))"
        )
        assert "house-second-look" in codes
        person = host.query(
            "from dispensary.models import *; p = Patient.objects.get(); print(p, p.birth_date, p.egfr)"
        )
        assert person.startswith("Duarte, Rui 1969-03-14 95")

        send_reminder(host, supply["patient"])
        wait_until(
            lambda: any("To: ann@example.org" in letter.read_text() for letter in (tmp_path / "letters").glob("*.txt")),
            120,
            host.last_words,
        )
        assert_told(host, "prescription_received", "dispensed", "reminder_sent")
        assert_verified(host)

        page = host.query(
            "from django.test import Client; from people.models import User; c = Client(headers={'host': 'localhost'}); "
            "c.force_login(User.objects.get(email='phil@host.example')); print(c.get('/pharmacy/').content.decode())"
        )
        assert "Our own brand</span>" in page
        assert "Phil Poe" in page


def test_sqlite_is_refused_in_a_sentence(oldest_environment: Path, tmp_path: Path) -> None:
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(tmp_path / "db.sqlite3")}
    with made_project(oldest_environment, tmp_path, sqlite, "redis://127.0.0.1:1") as host:
        host.manage("makemigrations", "people", "--verbosity", "0", "--skip-checks")
        for command in ("check", "migrate", "runserver"):
            with pytest.raises(
                AssertionError, match=r"dispensary\.E002\) The database 'default' is not PostgreSQL"
            ) as caught:
                host.manage(command, *(["--noreload", "127.0.0.1:1"] if command == "runserver" else []))
            assert "Traceback" not in str(caught.value)


def test_rule_book_works_from_the_shell_of_that_environment(oldest_environment: Path, tmp_path: Path) -> None:
    assert "lioresal" in run(oldest_environment / "baclofen-rules", "profiles", cwd=tmp_path)
