"""Addresses of the database: options and hosts are read or refused by name, and every wait has an end."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connections
from django.test import Client

from deploy.checks import check_links
from deploy.databases import database_settings
from deploy.environment import ROOT
from deploy.postgresql.base import DatabaseWrapper
from tests.dispensary.audit.test_faults_disk import small_disk
from tests.pooler import Pooler, limits_of_role
from tests.site import Site, working_folder

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
DEFAULTS: dict[str, Any] = {
    "ATOMIC_REQUESTS": False, "AUTOCOMMIT": True, "TIME_ZONE": None, "TEST": {"NAME": None}, "CONN_HEALTH_CHECKS": False,
}  # fmt: skip
LEFT_OUT = {"DJANGO_ALLOW_ASYNC_UNSAFE", "STATEMENT_TIMEOUT"}  # of the process that runs the tests
TCP_USER_TIMEOUT = 18  # of Linux; Python 3.11 names it in `socket` on Linux alone


def connect(url: str, **more: Any) -> DatabaseWrapper:
    """Return a connection of Django's to an address."""
    settings = database_settings("DATABASE_URL", url, **({"is_pooled": False, "statement_timeout": ""} | more))
    return DatabaseWrapper(DEFAULTS | settings, "default")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as listener:
        yield listener.getsockname()[1]


def ask(connection: DatabaseWrapper, statement: str) -> str:
    """Return the first value of a statement's answer."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return str(cursor.fetchone()[0])


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("lock_timeout", "10s"), ("idle_in_transaction_session_timeout", "1min"), ("statement_timeout", "7s")],
)
def test_the_server_ends_every_wait(site: Site, setting: str, expected: str) -> None:
    connection = connect(site.database.url(), statement_timeout="7s")
    assert ask(connection, f"SHOW {setting}") == expected
    connection.close()


def test_the_network_ends_every_wait(site: Site) -> None:
    connection = connect(site.database.url())
    connection.ensure_connection()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as link:
        assert link.getsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT) == 10_000
        assert link.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 10
    connection.close()


def test_a_server_that_never_answers_is_given_up(silent_port: int) -> None:
    with pytest.raises(OperationalError, match="timeout"):
        connect(f"postgresql://u:p@127.0.0.1:{silent_port}/d").ensure_connection()


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [("", None), ("0", None), ("20s", 25), ("1min", 65), ("1 h", 3605), ("500ms", 5.5), ("500", 5.5)],
)
def test_an_answer_is_waited_for_longer_than_the_server_may_take(timeout: str, expected: float | None) -> None:
    assert connect("postgresql:///d", statement_timeout=timeout).settings_dict["OPTIONS"]["answer_seconds"] == expected


@pytest.mark.parametrize("timeout", ["soon", "-1s", "1.5s", "20 seconds"])
def test_a_time_out_that_cannot_be_read_is_refused(timeout: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"STATEMENT_TIMEOUT cannot be read: '{timeout}'"):
        connect("postgresql:///d", statement_timeout=timeout)


def test_a_server_that_stops_answering_is_given_up_and_the_next_connection_works(site: Site) -> None:
    connection = connect(site.database.url())
    connection.settings_dict["OPTIONS"]["answer_seconds"] = 1
    with pytest.raises(OperationalError, match="no answer within 1 s"):
        ask(connection, "SELECT pg_sleep(600)")
    assert connection.connection.closed and not connection.is_usable()
    connection.close()
    assert ask(connection, "SELECT 1") == "1"
    connection.close()


@pytest.mark.parametrize("seconds", [60, 0], ids=["with a limit", "without one"])
def test_a_kept_connection_that_answers_is_kept_and_its_limit_stays(site: Site, seconds: int) -> None:
    connection = connect(f"{site.database.url()}?connect_timeout={seconds}", statement_timeout="20s")
    assert ask(connection, "SELECT 1") == "1" and connection.is_usable()
    assert connection.connection.answer_seconds == 25
    connection.close()


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("import deploy.wsgi", "20s"),
        ("import deploy.celery", "1min"),
        ("import django, os; os.environ['DJANGO_SETTINGS_MODULE'] = 'deploy.settings'; django.setup()", "0"),
    ],
    ids=["a page", "a task", "a command"],
)
def test_a_page_and_a_task_end_while_a_command_takes_its_time(site: Site, program: str, expected: str) -> None:
    show = "c = connection.cursor(); c.execute('SHOW statement_timeout'); print(c.fetchone()[0])"
    command = [sys.executable, "-c", f"{program}\nfrom django.db import connection\n{show}"]
    environment = {name: value for name, value in site.environment().items() if name not in LEFT_OUT}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == expected, done.stderr


def test_several_hosts_and_the_options_of_an_address_are_read(site: Site) -> None:
    url = re.sub(r"@([^/]+)/", r"@127.0.0.1:1,\1/", site.database.url())
    connection = connect(f"{url}?target_session_attrs=read-write&connect_timeout=60&application_name=counter")
    assert ask(connection, "SHOW application_name") == "counter"
    assert connection.connection.info.get_parameters()["target_session_attrs"] == "read-write"
    assert connection.connection.info.get_parameters()["connect_timeout"] == "60"
    connection.close()


@pytest.mark.parametrize("name", ["conn_max_age", "sslmod"])
def test_an_option_that_nobody_reads_is_refused_by_name(name: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f'DATABASE_URL cannot be read: .*"{name}"'):
        connect(f"postgresql://u:p@h/d?{name}=1")


def test_an_address_that_cannot_be_read_is_not_repeated() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        connect("postgresql://u:se%cret@h/d")
    assert "cret" not in str(refused.value) and "postgresql://user:password@host:5432" in str(refused.value)


def test_behind_a_pooler_nothing_is_prepared_and_no_option_is_sent(site: Site) -> None:
    connection = connect(site.database.url(), is_pooled=True)
    connection.ensure_connection()
    assert connection.connection.prepare_threshold is None
    assert "options" not in connection.connection.info.get_parameters()
    assert connection.settings_dict["DISABLE_SERVER_SIDE_CURSORS"]
    connection.close()


def ids_of(connection: DatabaseWrapper, alias: str = "default") -> list[str]:
    """Return what the system check finds with this connection in the place of an alias."""
    before = connections[alias]
    connections[alias] = connection
    try:
        return [str(message.id) for message in check_links(databases=[alias])]
    finally:
        connections[alias] = before
        connection.close()


def test_the_check_finds_a_wait_without_end_and_nothing_to_say_without_one(site: Site) -> None:
    assert ids_of(connect(site.database.url())) == []
    assert ids_of(connect(site.database.url(), is_pooled=True)) == ["deploy.E003"]
    with limits_of_role(site.database):
        assert ids_of(connect(site.database.url(), is_pooled=True)) == []


@pytest.fixture
def pooler(site: Site) -> Iterator[Pooler]:
    """PgBouncer in transaction mode before the database."""
    with working_folder() as folder:
        pooler = Pooler(site.database, folder)
        pooler.start()
        yield pooler
        pooler.end()


def test_the_check_finds_a_pooler_that_nobody_named(pooler: Pooler, site: Site, settings: Any) -> None:
    assert "deploy.E002" in ids_of(connect(pooler.url, is_pooled=True))
    assert "deploy.E001" in ids_of(connect(pooler.url, is_pooled=True), "sealer")
    settings.DATABASE_POOLER = True
    assert ids_of(connect(pooler.url, is_pooled=True)) == ["deploy.E003"]
    with limits_of_role(site.database):
        pooler.kill()  # its connections keep the limits with which they began
        pooler.start()
        assert ids_of(connect(pooler.url, is_pooled=True)) == []


def test_a_pooler_that_nobody_named_takes_no_connection_with_our_options(pooler: Pooler) -> None:
    with pytest.raises(OperationalError, match="unsupported startup parameter"):
        connect(pooler.url).ensure_connection()


def test_readiness_says_that_no_connection_is_left(client: Client, site: Site) -> None:
    name = psycopg.sql.Identifier(psycopg.conninfo.conninfo_to_dict(site.database.url())["user"])
    with site.database.connect() as superuser:
        superuser.execute(psycopg.sql.SQL("ALTER ROLE {} CONNECTION LIMIT 0").format(name))
        try:
            answer = client.get("/health/ready")
        finally:
            superuser.execute(psycopg.sql.SQL("ALTER ROLE {} CONNECTION LIMIT -1").format(name))
    assert answer.status_code == 503 and answer.json()["database"] == "takes no connection"


def test_readiness_says_that_the_disk_is_full(client: Client, site: Site) -> None:
    role = psycopg.sql.Identifier(psycopg.conninfo.conninfo_to_dict(site.database.url())["user"])
    with working_folder() as folder, small_disk(folder / "small", 4) as disk, site.database.connect() as superuser:
        superuser.execute(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
        superuser.execute("GRANT CREATE ON TABLESPACE small TO PUBLIC")
        superuser.execute(psycopg.sql.SQL("ALTER ROLE {} SET temp_tablespaces = 'small'").format(role))
        try:
            assert client.get("/health/ready").status_code == 200
            disk.fill()
            answer = client.get("/health/ready")
        finally:
            superuser.execute(psycopg.sql.SQL("ALTER ROLE {} RESET temp_tablespaces").format(role))
            disk.resize(8)
            superuser.execute("DROP TABLESPACE small")
    assert answer.status_code == 503 and answer.json()["database"] == "has no room on its disk"
