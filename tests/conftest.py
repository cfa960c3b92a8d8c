"""Fixtures for every test: real servers, started when the first test asks for them, and a database used through its four roles."""

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django import DjangoDbBlocker

from tests.examples import examples
from tests.site import Database, Site, running_database, running_valkey, working_folder
from tests.slow import is_slow
from tests.template import Template

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# A busy machine is slow, not wrong: no property fails for the time it takes.
# The same examples in every run, so that a change fails for what it changed; `make test-random` tries others.
for _name, _derandomize in {"fixed": True, "random": False}.items():
    hypothesis_settings.register_profile(
        _name,
        parent=examples(100),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=_derandomize,
    )
hypothesis_settings.load_profile("fixed")


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    """The folder of this run's servers."""
    with working_folder() as folder:
        yield folder


@pytest.fixture
def machine_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `make` date everything by the machine's clock, as interfaces do; autouse where tests go through one."""
    from django.utils import timezone

    from tests.dispensary import make

    monkeypatch.setattr(make, "moment", timezone.now)


_MUCH = 8 * 1024 * 1024
"""Bytes in all tables together, above which they are truncated."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import no file for nothing, where `-m` leaves out all its tests."""
    if "not slow" in config.option.markexpr and is_slow(collection_path):
        return True
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests that commit last, since the log keeps what they leave there; mark those of slow files.

    pytest-django does so with those of Django's kind only: some commit past it, or in a fixture of their file. In parallel a file's tests stay
    in one process, those that commit apart from the others, so that a process begins with them only when the others are given out.
    """
    last = set()
    for item in items:
        marker = item.get_closest_marker("django_db")
        commits = _commits_by_fixture(item) or (marker is not None and marker.kwargs.get("transaction"))
        file = item.nodeid.split("::")[0]
        item.add_marker(pytest.mark.xdist_group(f"{file} that commits" if commits else file))
        if is_slow(item.path):
            item.add_marker(pytest.mark.slow)
        if commits:
            last.add(item)
    items.sort(key=last.__contains__)


def _commits_by_fixture(item: pytest.Item) -> bool:
    """Whether a test, or a fixture of the tests, has a way into the database past Django's transaction.

    All tests of the database have those ways among the fixtures of their fixtures: the set-up of the database uses them.
    """
    if not isinstance(item, pytest.Function):
        return False
    definitions = [overriding[-1] for overriding in item._fixtureinfo.name2fixturedefs.values()]
    of_tests = [
        definition.argnames
        for definition in definitions
        if definition.func.__module__.startswith("tests.") and definition.func.__module__ != __name__
    ]
    if not {"transactional_db", "live_server"}.isdisjoint(item.fixturenames):
        return True
    ways = {"django_db_blocker", "database", "site"}
    return any(not ways.isdisjoint(names) for names in (item._fixtureinfo.argnames, *of_tests))


def pytest_collection_finish() -> None:
    """Spare the collector of garbage the looking through of what thousands of collected tests keep anyway."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


_DATABASE = pytest.StashKey[Database]()


@pytest.fixture(scope="session")
def template(request: pytest.FixtureRequest) -> Template:
    """The template of the test database."""
    assert request.config.cache
    return Template(request.config.cache.mkdir("test-database"))


@pytest.fixture(scope="session")
def database(servers_folder: Path, template: Template, request: pytest.FixtureRequest) -> Iterator[Database]:
    """The test database; most tests want `db` or `transactional_db`, which migrate it first."""
    with running_database(servers_folder, template) as running:
        request.config.stash[_DATABASE] = running
        yield running
        del request.config.stash[_DATABASE]


def pytest_runtest_teardown(item: pytest.Item) -> None:
    """A server that has died is told once, with its last words, and not as a thousand refused connections."""
    database = item.config.stash.get(_DATABASE, None)
    if database and database.server and not database.server.running:
        pytest.exit(
            f"The tests' PostgreSQL is gone since {item.nodeid}. Its last words:\n{database.server.last_words(12)}", 3
        )


@pytest.fixture(scope="session")
def redis_url(servers_folder: Path) -> Iterator[str]:
    """A broker's address, put into Celery's settings as well."""
    import os

    from deploy.celery import app

    given_url = os.environ.get("REDIS_URL")
    if given_url:
        if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # each process has a broker's database of its own
            given_url = urlsplit(given_url)._replace(path=f"/{worker.removeprefix('gw')}").geturl()
        app.conf.broker_url = given_url
        yield given_url
        return
    with running_valkey(servers_folder) as server:
        app.conf.broker_url = server.url
        yield server.url


@pytest.fixture(scope="session")
def site(django_db_setup: None, database: Database, redis_url: str) -> Site:
    """Database (migrated) and broker together, with the environment that a worker or a web server needs to join them."""
    return Site(database, redis_url)


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment: None, django_db_blocker: DjangoDbBlocker, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Migrate as the owner, grant, and let the tests work as the application role: what it may not do, no test can do by accident."""
    from django.conf import settings
    from django.core.management import call_command
    from django.db import connections

    database: Database = request.getfixturevalue("database")
    for alias, values in database.settings_by_alias().items():
        settings.DATABASES[alias].update(values)
    with django_db_blocker.unblock():
        if not database.migrated:
            call_command("migrate", database="owner", verbosity=0, interactive=False)
            connections.close_all()
            database.grant()
            if database.server:
                request.getfixturevalue("template").keep(database.server)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", empty_tables)
        yield
    with django_db_blocker.unblock():
        connections.close_all()


def truncate_tables() -> None:
    """Empty the tables of the test database by Django's own `flush`."""
    from django.core.management import call_command

    call_command("flush", verbosity=0, interactive=False, reset_sequences=False)


def empty_tables(_case: TransactionTestCase) -> None:
    """Empty what a committing test may have filled, a hundred times faster than Django's `flush`.

    `flush` truncates every table, which makes new files, and makes permissions and content types anew. Here those stay, and rows are deleted.
    The lock waits, as TRUNCATE does, for whoever is still writing. Where a test left much, `flush` is the faster one.
    """
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(relname), pg_relation_size(oid) FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace AND relname <> ALL(%s)",
            [["django_migrations", "django_content_type", "auth_permission"]],
        )
        sizes = dict(cursor.fetchall())
        if sum(sizes.values()) > _MUCH or sizes["dispensary_decision"]:  # a decision cannot be deleted
            truncate_tables()
            return
        deletions = "; ".join(f"DELETE FROM {name}" for name in sizes)
        statements = f"LOCK TABLE {', '.join(sizes)} IN SHARE ROW EXCLUSIVE MODE; {deletions}"
        # As the owner of the tables, whom no guard of a row stops.
        cursor.execute("SELECT public.as_owner(%s)", [statements])


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """A real headless Chromium. Its tests want `transactional_db` and `live_server`: it reads only what is committed."""
    import os

    from playwright.sync_api import sync_playwright

    from tests import chromium

    # Playwright keeps an event loop in this thread, where Django would otherwise refuse every query as a mistake.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    path, _origin = chromium.get()
    quiet = [
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ]
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(path), args=quiet, chromium_sandbox=False)
        yield running
        running.close()
