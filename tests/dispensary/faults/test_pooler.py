"""Web server and workers behind PgBouncer, which is killed, as is the database behind it: nothing lost, nothing doubled."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from dispensary.models import Dispense, Pharmacy
from dispensary.models.audit import AuditEntry
from tests.cluster.counters import Load
from tests.cluster.population import populate
from tests.dispensary.faults.reminder_site import ReminderSite, create_due
from tests.pooler import Pooler, limits_of_role
from tests.site import Site, running_valkey, running_web, working_folder
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]
COUNTERS, CONNECTIONS = 3, 2
"""Fewer connections of the server than clients, so that each gets what another has used."""


@pytest.fixture
def pooler(site: Site) -> Iterator[Pooler]:
    """PgBouncer before the database, whose role has its time-outs."""
    with working_folder() as folder, limits_of_role(site.database):
        pooler = Pooler(site.database, folder, pool_size=CONNECTIONS)
        pooler.start()
        yield pooler
        pooler.end()


@pytest.fixture
def pooled_site(site: Site, pooler: Pooler) -> Site:
    """The site whose application connects through the pooler; owner and sealer connect past it."""
    return replace(site, extra=site.extra | {"DATABASE_URL": pooler.url, "DATABASE_POOLER": "yes"})


def test_the_check_at_the_start_finds_nothing_wrong(pooled_site: Site) -> None:
    aliases = [word for alias in ("default", "owner", "sealer") for word in ("--database", alias)]
    assert "deploy.E" not in pooled_site.manage("check", *aliases).stderr
    wrong = pooled_site.manage("check", *aliases, DATABASE_SEALER_URL=pooled_site.extra["DATABASE_URL"])
    assert wrong.returncode == 1 and "unsupported startup parameter" in wrong.stderr


def test_dispenses_through_a_pooler_and_a_database_that_are_killed_are_neither_lost_nor_doubled(
    site: Site, pooled_site: Site, pooler: Pooler, tmp_path: Path
) -> None:
    if site.database.server is None:
        pytest.skip("DATABASE_URL names a server that is not ours to crash")
    people = populate(counters=COUNTERS, reminders=0, interval=1)
    with running_web(pooled_site, tmp_path) as (address, _web):
        load = Load([address], people)
        load.start()
        for cause in (None, pooler.kill, site.database.crash):
            if cause:
                cause()
            if not pooler.running:
                pooler.start()
            enough = len(load.acknowledged) + 2 * COUNTERS
            wait_until(lambda enough=enough: len(load.acknowledged) >= enough, 300, lambda: f"{load.answers}")
        load.stop()
    connections.close_all()  # ours did not live through the crash
    assert not load.trouble
    acknowledged = [done.dispense for done in load.acknowledged]
    dispenses = {str(pk): order for pk, order in Dispense.objects.values_list("pk", "prescription")}
    assert set(acknowledged) == set(dispenses) and len(acknowledged) == len(dispenses)
    assert len(set(dispenses.values())) == len(dispenses)
    completed = AuditEntry.objects.filter(pharmacy=Pharmacy.objects.get().pk, action="dispense.completed")
    assert completed.count() == len(dispenses)
    assert prepared_statements(pooler) == 0


def prepared_statements(pooler: Pooler) -> int:
    """Count the statements that are prepared in the server's connections of the pooler."""
    links = [psycopg.connect(pooler.url, prepare_threshold=None) for _ in range(CONNECTIONS)]
    count = 0
    for link in links:  # each transaction stays open, so that the next one gets another connection
        [prepared] = link.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() or (0,)
        count += prepared
    for link in links:
        link.close()
    return count


def test_messages_through_a_pooler_that_is_killed_are_sent_once(
    pooled_site: Site, pooler: Pooler, tmp_path: Path
) -> None:
    due_ids = create_due(200)
    with running_valkey(tmp_path / "broker") as broker:
        workers = ReminderSite(pooled_site, broker, tmp_path)
        try:
            workers.start_all()
            workers.wait_until_sent(50)
            pooler.kill()
            pooler.start()
            workers.wait_until_idle()
            verdict = workers.compare_with_log(due_ids)
        finally:
            workers.stop_all()
    assert verdict.at_most_doubled(2), verdict
