"""A server whose clock is wrong, jumps, or runs through ten years: the order stays, and what cannot be relied on is said.

The clock is the server's own: libfaketime stands between it and the kernel, told by a file that the test rewrites.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg
import pytest
from psycopg import errors

from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log.canonical import canonical
from dispensary.audit.log.database import all_logs
from tests.clock import Clock
from tests.dispensary.audit.own import LONG, OwnSite, append_one, own_site
from tests.dispensary.audit.signing import RETENTION, statement
from tests.site import working_folder

pytestmark = [pytest.mark.faults, pytest.mark.slow]

HOUR = dt.timedelta(hours=1)
YEARS = 10
STEP = 1 if LONG else 3
"""Months from one to the next."""


@contextmanager
def wrong_clock() -> Iterator[tuple[OwnSite, Clock]]:
    with working_folder() as folder:
        clock = Clock(folder)
        with own_site(environment=clock.environment) as site:
            clock.set(HOUR * 100)
            with site.connect() as connection:
                (server_time,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
            if server_time is None or server_time < dt.datetime.now(dt.UTC) + HOUR * 99:
                pytest.skip("libfaketime does not reach the server's clock on this machine")
            clock.set(dt.timedelta())
            yield site, clock


@pytest.fixture(scope="module")
def server_and_clock() -> Iterator[tuple[OwnSite, Clock]]:
    with wrong_clock() as both:
        yield both


@pytest.fixture
def site_and_clock(server_and_clock: tuple[OwnSite, Clock]) -> tuple[OwnSite, Clock]:
    """A pharmacy that has no log yet, and a clock that is right."""
    site, clock = server_and_clock
    site.pharmacies = [uuid4()]
    clock.set(dt.timedelta())
    return site, clock


def places(report: verify.Report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.position) for finding in report.findings]


def test_a_clock_that_is_put_back_leaves_the_order_and_is_told(site_and_clock: tuple[OwnSite, Clock]) -> None:
    site, clock = site_and_clock
    site.append(3)
    clock.set(-HOUR)
    site.append(3)
    site.seal()
    report = site.report()
    assert places(report) == [("CLOCK_BACKWARDS", "4")]
    assert "back by 60 minutes" in report.findings[0].sentence()
    assert (report.exit, report.covered) == (verify.INCOMPLETE, 6)
    clock.set(dt.timedelta())
    site.append(3)
    site.seal()
    assert places(site.report()) == [("CLOCK_BACKWARDS", "4")]


def test_a_clock_that_is_put_back_less_than_a_transaction_may_last_is_nothing(
    site_and_clock: tuple[OwnSite, Clock],
) -> None:
    site, clock = site_and_clock
    site.append(3)
    clock.set(dt.timedelta(minutes=-4))
    site.append(3)
    site.seal()
    assert places(site.report()) == []


def test_a_clock_that_runs_ahead_shows_when_it_is_put_right(site_and_clock: tuple[OwnSite, Clock]) -> None:
    site, clock = site_and_clock
    site.append(2)
    clock.set(HOUR)
    site.append(2)
    site.seal()
    assert places(site.report()) == [("CLOCK_AHEAD", "3-4")]
    clock.set(dt.timedelta())
    site.append(2)
    site.seal()
    assert places(site.report()) == [("CLOCK_AHEAD", "3-4"), ("CLOCK_BACKWARDS", "5")]
    with site.connect() as connection:  # the order is the numbers', not the clock's
        seqs = connection.execute(
            "SELECT seq FROM audit.line WHERE pharmacy = %s ORDER BY txid", [site.pharmacy]
        ).fetchall()
        assert seqs == [(number,) for number in range(1, 7)]


def test_a_step_forward_inside_a_transaction_fails_it_and_the_next_one_works(
    site_and_clock: tuple[OwnSite, Clock],
) -> None:
    site, clock = site_and_clock
    site.append(1)
    with site.connect("app", autocommit=False) as app:
        append_one(app, site.pharmacy)
        clock.set(HOUR)  # as a time server does to a machine that slept
        with pytest.raises(errors.SerializationFailure, match="clock jumped"):
            app.commit()
        append_one(app, site.pharmacy)
        app.commit()
    site.seal()
    report = site.report()
    assert (report.last, places(report)) == (2, [("CLOCK_AHEAD", "2")])


def test_a_step_back_inside_a_transaction_keeps_entry_body_and_link_together(
    site_and_clock: tuple[OwnSite, Clock],
) -> None:
    site, clock = site_and_clock
    with site.connect("app", autocommit=False) as app:
        append_one(app, site.pharmacy)
        clock.set(-HOUR)
        append_one(app, site.pharmacy)
        app.commit()
    site.seal()
    report = site.report()
    assert (report.last, places(report)) == (2, [("CLOCK_BACKWARDS", "2")])


def test_a_time_for_which_nothing_was_prepared_is_recorded_all_the_same(
    site_and_clock: tuple[OwnSite, Clock],
) -> None:
    """A dead battery says 2000, a typing error says 2036: there is no partition for either, and a dispense goes on."""
    site, clock = site_and_clock
    for year in (2000, 2036):
        clock.go_to(dt.datetime(year, 1, 15, tzinfo=dt.UTC))
        site.append(1)
        with site.connect() as connection:
            assert connection.execute(
                "SELECT tableoid::regclass::text FROM audit.entry WHERE log_id = %s "
                "AND recorded_at BETWEEN make_date(%s, 1, 1) AND make_date(%s, 12, 31)",
                [site.log(connection).log_id, year, year],
            ).fetchall() == [("audit.entry_default",)]
    clock.set(dt.timedelta())
    site.append(1)
    site.seal()
    assert places(site.report()) == [("CLOCK_AHEAD", "2"), ("CLOCK_BACKWARDS", "3")]


def later(moment: dt.datetime) -> dt.datetime:
    return (moment.replace(day=1) + dt.timedelta(days=31 * STEP)).replace(day=15)


def test_a_log_of_ten_years_keeps_six_of_them_and_verifies_at_every_step() -> None:
    """Lived month by month (in short: quarters): written, signed, and from the seventh year on its oldest is retired."""
    with wrong_clock() as (site, clock):
        month = dt.datetime(2016, 1, 15, 12, tzinfo=dt.UTC)
        last_of: dict[str, int] = {}
        entries_per_month = 20 if LONG else 2
        with site.connect("owner") as owner, site.connect("app") as app, site.sealer() as sealer:
            while month.year < 2016 + YEARS:
                clock.go_to(month)
                owner.execute("SELECT audit.ensure_partitions(0)")
                for number in range(entries_per_month):
                    append_one(app, site.pharmacy, body=f'{{"number":{number}}}')
                log = site.log(sealer.connection)
                assert sealer.seal(log) is not None
                last_of[f"{month:%Y_%m}"] = size(owner)
                if month.year >= 2016 + 6:
                    old = dt.datetime(month.year - 6, month.month, 1, tzinfo=dt.UTC)
                    retire(owner, site, old, last_of[f"{old:%Y_%m}"])
                    with pytest.raises(errors.ObjectNotInPrerequisiteState):  # not signed yet
                        owner.execute("SELECT audit.drop_month(%s)", [old.date()])
                    sealer.seal(log)
                    owner.execute("SELECT audit.drop_month(%s)", [old.date()])
                    if LONG or month.month == 10:
                        verified(site, last_of[f"{old:%Y_%m}"])
                month = later(month)
            gone = max(last for name, last in last_of.items() if name < "2020_01")
            verified(site, gone)
            retained = owner.execute(
                "SELECT min(tableoid::regclass::text), count(DISTINCT tableoid) FROM audit.entry"
            ).fetchone()
            assert retained == ("audit.entry_2020_01", 6 * 12 / STEP)
            (links, entries) = owner.execute(
                "SELECT (SELECT count(*) FROM audit.link), (SELECT count(*) FROM audit.entry)"
            ).fetchone() or (0, 0)
            assert links - entries == gone


def size(owner: psycopg.Connection) -> int:
    row = owner.execute("SELECT max(seq) FROM audit.link").fetchone()
    return int(row[0]) if row else 0


def retire(owner: psycopg.Connection, site: OwnSite, month: dt.datetime, last: int) -> None:
    before = (month + dt.timedelta(days=32)).replace(day=1)
    note = statement("audit.retired", site.log(owner).log_id, [[1, last]], before=before, keep_days=2100)
    body = canonical({"authority": note, "basis": "six years", "first": 1, "last": last, "month": f"{month:%Y-%m}"})
    owner.execute(
        "SELECT audit.append(%s, 'o', 'audit.retired', 'success', 'user:1', 'manager', now(), 'log', 'l', %s)",
        [site.pharmacy, body],
    )


def verified(site: OwnSite, gone: int) -> None:
    """Everything verifies, and what is gone is gone by authority of the log itself."""
    with site.connect() as connection:
        (log,) = all_logs(connection)
        log_report = live.check_log(connection, log, site.keys(log.origin), grace=0, retention=RETENTION).report
    assert (log_report.exit, places(log_report)) == (verify.OK, [])
    assert (log_report.authorised[0].what, log_report.authorised[0].first, log_report.authorised[-1].last) == (
        "RETIRED",
        1,
        gone,
    )
    assert log_report.covered == log_report.last
