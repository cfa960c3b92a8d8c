"""Reports and exports from a standby: what it has, how far it is behind, and the primary where it cannot serve."""

import re
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.core.checks import CheckMessage
from django.db import connections
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deploy.servers import Postgres
from dispensary.actions import long_exports
from dispensary.actions.record_tables import RecordKind
from dispensary.checks import replica_database, replica_settings
from dispensary.clock import read_clock
from dispensary.models import Patient, StaffMember, StaffRole
from dispensary.replica import ReplicaRouter, measure_lag, read_from_replica
from tests.dispensary import make
from tests.dispensary.audit.own import give_to_server
from tests.site import Site, working_folder
from tests.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True, databases="__all__")]
MINUTE = timedelta(minutes=1)
ROUTERS = ["dispensary.replica.ReplicaRouter"]


@pytest.fixture(scope="module", autouse=True)
def standby(site: Site) -> Iterator[Postgres]:
    """A streaming standby of the tests' server, as alias `replica`."""
    if site.database.server is None:
        pytest.skip("DATABASE_URL names a server that is not ours to copy")
    with working_folder() as folder:
        server = Postgres(give_to_server(folder / "standby"), site.database.server.password, durable=False)
        address = f"host=127.0.0.1 port={site.database.server.port} user=postgres dbname=postgres"
        server.run_program("pg_basebackup", "-D", server.data, "-d", address, "-c", "fast", "-X", "stream", "-R")
        server.start()
        default = connections.settings["default"]
        connections.settings["replica"] = default | {
            **site.database.settings("app"), "PORT": server.port, "TEST": default["TEST"] | {"MIRROR": "default"},
        }  # fmt: skip
        yield server
        del connections.settings["replica"]
        server.stop()


@pytest.fixture
def replica(standby: Postgres, settings) -> Iterator[Postgres]:
    """The site's replica, caught up."""
    settings.DATABASE_ROUTERS = ROUTERS
    settings.DISPENSARY = settings.DISPENSARY | {"replica": "replica"}
    pause(standby, "resume")
    wait_until(lambda: measure_lag("replica") == timedelta(), 60, standby.last_words)
    yield standby
    if standby.running:
        pause(standby, "resume")
    connections["replica"].close()


def pause(standby: Postgres, verb: str) -> None:
    """Let the standby stand still (`pause`), or go on (`resume`)."""
    with psycopg.connect(standby.url(), autocommit=True) as admin:
        admin.execute(f"SELECT pg_wal_replay_{verb}()".encode())


@pytest.fixture
def manager(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy(now=timezone.now() - timedelta(days=90)), role=StaffRole.MANAGER)


def read_port() -> tuple[str, int]:
    """Return the alias that reads a row, and how many patients there are."""
    rows = Patient.objects.all()
    return rows.db, len(rows)


def test_rows_are_read_from_a_standby_that_has_everything(manager: StaffMember, replica: Postgres) -> None:
    make.patient(manager.pharmacy)
    assert read_from_replica(read_port, at_most=timedelta()) == (("replica", 1), timedelta())
    assert read_port() == ("default", 1)


def test_an_export_s_rows_come_from_the_primary_while_the_standby_is_behind(
    manager: StaffMember, replica: Postgres
) -> None:
    pause(replica, "pause")
    make.patient(manager.pharmacy)
    assert read_from_replica(read_port, at_most=timedelta()) == (("default", 1), None)


def test_a_report_s_rows_may_be_behind_and_say_by_how_much(manager: StaffMember, replica: Postgres) -> None:
    pause(replica, "pause")
    make.patient(manager.pharmacy)
    (alias, count), lag = read_from_replica(read_port, at_most=timedelta(days=1))
    assert (alias, count) == ("replica", 0) and lag is not None and lag > timedelta()
    assert read_from_replica(read_port, at_most=lag / 2) == (("default", 1), None)


def test_the_primary_is_read_where_the_standby_is_away_and_the_standby_when_it_is_back(
    manager: StaffMember, replica: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    port = replica.port
    replica.stop()
    assert read_from_replica(read_port, at_most=MINUTE) == (("default", 0), None)
    assert "The replica cannot be read (OperationalError)" in caplog.text
    assert [message.id for message in replica_database(databases=["default"])] == ["dispensary.W010"]
    replica.start(port)
    wait_until(lambda: read_from_replica(read_port, at_most=MINUTE)[1] is not None, 60, replica.last_words)


def read(client: Client, address: str) -> str:
    """Return a page or file of the counter as text."""
    return client.get(address).content.decode()


def test_the_month_says_where_it_was_counted(client: Client, manager: StaffMember, replica: Postgres) -> None:
    client.force_login(manager.user)
    wait_until(lambda: measure_lag("replica") == timedelta(), 60, replica.last_words)
    assert "Counted on the copy of the database" in read(client, reverse("counter:month"))
    assert "Counted on the copy" not in read(client, reverse("counter:queue"))


def test_the_month_s_file_says_how_far_the_copy_was_behind_that_it_was_counted_on(
    client: Client, manager: StaffMember, replica: Postgres, settings
) -> None:
    client.force_login(manager.user)
    wait_until(lambda: measure_lag("replica") == timedelta(), 60, replica.last_words)
    address = f"{reverse('counter:month')}?format=csv"
    assert re.search(r"^\d{4}-\d\d,seconds behind,copy of the database,\d+\r$", read(client, address), re.MULTILINE)
    settings.DISPENSARY = settings.DISPENSARY | {"replica": ""}
    assert "behind" not in read(client, address)


def test_an_export_holds_what_was_recorded_until_it_was_asked_for(manager: StaffMember, replica: Postgres) -> None:
    pause(replica, "pause")
    make.prescription(make.patient(manager.pharmacy))
    export = long_exports.request_records(
        kind=RecordKind.ORDERS,
        pharmacy=manager.pharmacy,
        purpose="Test.",
        by=manager.actor(),
        now=read_clock(),
    )
    assert long_exports.prepare_next(read_clock)
    export.refresh_from_db()
    assert export.rows == 1


def ids_of(messages: list[CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


@pytest.mark.parametrize(
    ("alias", "routers", "expected"),
    [
        ("", [], []),
        ("owner", ROUTERS, []),
        ("owner", [], ["dispensary.E014"]),
        ("default", ROUTERS, ["dispensary.E014"]),
        ("copy", ROUTERS, ["dispensary.E014"]),
    ],
)
def test_the_check_finds_a_replica_that_would_never_be_read(
    settings, alias: str, routers: list[str], expected: list[str]
) -> None:
    settings.DISPENSARY = settings.DISPENSARY | {"replica": alias}
    settings.DATABASE_ROUTERS = routers
    assert ids_of(replica_settings()) == expected


def test_a_primary_in_the_replica_s_place_is_refused_by_the_check_and_never_read(settings) -> None:
    settings.DATABASE_ROUTERS = ROUTERS
    settings.DISPENSARY = settings.DISPENSARY | {"replica": "owner"}
    assert ids_of(replica_database(databases=["default"])) == ["dispensary.E014"]
    assert replica_database(databases=["sealer"]) == []
    assert read_from_replica(read_port, at_most=MINUTE)[0][0] == "default"
    assert ReplicaRouter().allow_migrate("owner") is False and ReplicaRouter().allow_migrate("default") is None
