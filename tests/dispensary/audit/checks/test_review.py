"""The daily look points out what asks for attention and counts the rest."""

from __future__ import annotations

import datetime as dt
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections, transaction
from django.utils import timezone

from dispensary import audit
from dispensary.actors import Actor, Role
from dispensary.audit.checks.review import MANY_REFUSALS, Day, review_day
from dispensary.audit.log.database import raw_connection, writing_roles
from dispensary.models import Pharmacy
from tests.dispensary.audit.linking import flush_links

pytestmark = pytest.mark.django_db


@pytest.fixture
def today() -> dt.datetime:
    return timezone.now()


def put(pharmacy: Pharmacy, event: audit.Event, at: dt.datetime, **more: Any) -> None:
    fields = {"subject": audit.Subject("account", "ann"), "body": {}, **more}
    by = fields.pop("by", Actor("user:1", "Ann", Role.MANAGER, pharmacy.pk))
    audit.record(event, pharmacy=pharmacy, by=by, now=at, **fields)


def look(pharmacy: Pharmacy, at: dt.datetime, **more: Any) -> Day:
    flush_links()
    hour = dt.timedelta(hours=1)
    return review_day(raw_connection("default"), pharmacy.pk, at - hour, at + hour, **more)


def test_an_ordinary_day_is_counted_and_points_nothing_out(pharmacy: Pharmacy, today: dt.datetime) -> None:
    for _ in range(3):
        put(pharmacy, audit.Event.DISPENSED, today)
    put(pharmacy, audit.Event.DISPENSE_REFUSED, today, outcome="refused")
    put(pharmacy, audit.Event.OVERRIDE_SIGNED, today)
    summary = look(pharmacy, today)
    assert summary.counts == {"dispense.completed": 3, "dispense.refused (refused)": 1, "override.signed": 1}
    assert summary.overrides == {"user:1": 1}
    assert summary.points == ()


@pytest.mark.parametrize(("times", "pointed"), [(MANY_REFUSALS - 1, 0), (MANY_REFUSALS, 1)])
def test_many_refused_sign_ins_from_one_place_are_pointed_out(
    pharmacy: Pharmacy, today: dt.datetime, times: int, pointed: int
) -> None:
    for _ in range(times):
        put(pharmacy, audit.Event.SIGN_IN_REFUSED, today, outcome="refused")
    elsewhere = Actor("system:accounts", "", Role.SYSTEM, pharmacy.pk, station="10.0.0.9")
    put(pharmacy, audit.Event.SIGN_IN_REFUSED, today, outcome="refused", by=elsewhere)
    points = look(pharmacy, today).points
    assert len(points) == pointed
    assert all(f"auth.refused of ann, {times} times" in point.why for point in points)


@pytest.mark.parametrize(
    "event",
    [
        audit.Event.ACCESS_CHANGED,
        audit.Event.PROFILE_CHANGED,
        audit.Event.OVERRIDE_ALONE,
        audit.Event.INTERFERENCE,
        audit.Event.ERASED,
    ],
)
@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_changes_of_access_and_rules_are_always_pointed_out(
    committed_pharmacy: Pharmacy, today: dt.datetime, event: audit.Event
) -> None:
    pharmacy = committed_pharmacy
    with transaction.atomic(using="owner"):
        put(pharmacy, event, today, using="owner")
    assert [point.why for point in look(pharmacy, today).points] == [f"{event.value} by user:1"]


@pytest.mark.parametrize(("minutes", "words"), [(4, None), (-4, None), (6, "6 minutes after"), (-6, "minutes before")])
def test_a_late_or_early_entry_is_pointed_out(
    pharmacy: Pharmacy, today: dt.datetime, minutes: int, words: str | None
) -> None:
    put(pharmacy, audit.Event.DISPENSED, today - dt.timedelta(minutes=minutes))
    points = look(pharmacy, today).points
    assert [words in point.why for point in points if words] == ([True] if words else [])
    assert bool(points) is (words is not None)


def test_a_writer_that_is_not_the_application_is_pointed_out(pharmacy: Pharmacy, today: dt.datetime) -> None:
    put(pharmacy, audit.Event.DISPENSED, today)
    role = next(iter(look(pharmacy, today).writers))
    assert look(pharmacy, today, writers=(role,)).points == ()
    assert [point.why for point in look(pharmacy, today, writers=("other",)).points] == [f"1 entries written by {role}"]


def test_a_role_of_a_database_that_is_another_apps_is_no_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    others = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:", "USER": "reports"}
    monkeypatch.setitem(connections.settings, "reports", {**connections.settings["default"], **others})
    assert connections["default"].settings_dict["USER"] in writing_roles()
    assert "reports" not in writing_roles()


def test_another_pharmacys_day_is_not_in_it(pharmacy: Pharmacy, today: dt.datetime) -> None:
    other = Pharmacy.objects.create(name="Other", opened_at=today)
    put(other, audit.Event.DISPENSED, today)
    assert look(pharmacy, today).counts == {}


def test_the_command_reviews_yesterday_and_the_log_says_so(pharmacy: Pharmacy, today: dt.datetime) -> None:
    put(pharmacy, audit.Event.ACCESS_CHANGED, today)
    out = StringIO()
    call_command("audit", "review", stdout=out)
    assert "0 entries" in out.getvalue()
    with pytest.raises(SystemExit) as end:
        call_command("audit", "review", day=today.date(), json=True, stdout=(out := StringIO()))
    assert end.value.code == 1
    by_pharmacy = {summary["pharmacy"]: summary for summary in map(json.loads, out.getvalue().splitlines())}
    assert by_pharmacy[str(pharmacy.pk)]["counts"]["access.changed"] == 1
    assert str(audit.SITE) in by_pharmacy
    flush_links()
    (line,) = audit.history(audit.Subject("day", today.date().isoformat()), pharmacy=pharmacy)
    assert line.sentence == "Dispensary (review) reviewed a day of this log."
