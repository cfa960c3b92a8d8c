"""What `make dist` builds, in the project of somebody else: their own user model, address, tables and Celery application, on a database whose owner is no superuser.

The oldest Python, Django and PostgreSQL that are promised, where somebody follows the README to the letter, and the newest that there are, where they
extend what they have installed as `dispensary/EXTENDING.md` says.
"""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.request
import venv
import zipfile
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
from deploy.servers import Postgres, Server, ServerError, free_port
from dispensary.counter.styles.build import BuildFailed
from tests.clock import inherited_clock
from tests.deploy.postgres14 import install_postgres_14
from tests.house import install_house
from tests.site import Database
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
README = (ROOT / "README.md").read_text()
HOST = ROOT / "tests" / "deploy" / "host"
UV = Path(sys.executable).with_name("uv")
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
    import dispensary

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


@pytest.fixture(scope="module")
def postgres_14(servers_folder: Path) -> Iterator[str]:
    """The address of PostgreSQL 14."""
    folder = servers_folder / "postgres14"
    folder.mkdir(mode=0o755)
    try:
        server = Postgres(folder, "only for tests", durable=False, programs=install_postgres_14(folder))
        server.start()
    except (BuildFailed, ServerError) as error:
        pytest.skip(f"no PostgreSQL 14 for this machine: {str(error).splitlines()[-1]}")
    yield server.url()
    server.stop()


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
    settings = of_the_readme("settings.py").replace("/etc/yours", str(folder)).replace("/etc/theirs", str(folder))
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


def test_somebody_who_follows_the_readme_has_a_dispense_a_reminder_and_a_verified_log(
    oldest_environment: Path, postgres_14: str, tmp_path: Path, redis_url: str
) -> None:
    settings = [line for line in of_the_readme("settings.py").splitlines() if line.strip() and not line.startswith("#")]
    assert len(settings) <= 10
    letters = tmp_path / "letters"
    with own_database(postgres_14) as database, made_project(oldest_environment, tmp_path, database, redis_url) as host:
        backend = "django.core.mail.backends.filebased.EmailBackend"
        host.append("settings.py", f"EMAIL_BACKEND, EMAIL_FILE_PATH = {backend!r}, {str(letters)!r}")
        follow_the_readme(host)
        assert urllib.request.urlopen(host.site).url.partition("?")[0].endswith("/admin/login/")
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
