"""Limits by day and week: days are the patient's, from midnight to midnight where they live."""

import uuid
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from dispensary.conf import Conf
from dispensary.reminders.compose import Later, Never, Reason, Row, _postpone
from dispensary.reminders.quiet_hours import resolve

AUCKLAND = "Pacific/Auckland"  # 13 hours ahead of London in November
HOUR = timedelta(hours=1)


class Habits:
    conf = Conf()


def row(now, *sent, zone=AUCKLAND, kind="refill_due", useful=timedelta(days=5), **more):
    values = {
        "id": 1, "public_id": uuid.uuid4(), "kind": kind, "params": {}, "round": 1, "useful_until": now + useful,
        "despite_quiet": False, "pharmacy_id": uuid.uuid4(), "patient_id": uuid.uuid4(), "zone_name": zone,
        "pharmacy_zone": "Europe/London", "language": "en", "pharmacy_language": "en", "sender": "", "phone": "", "after_hours": "", "reply_to": "",
        "quiet_from": time(0), "quiet_until": time(0), "message_at": time(10), "contact_id": uuid.uuid4(),
        "medium": "sms", "address": "", "address_digest": "", "detail_level": "plain", "page_code": "abcdefghijkl", "given_name": "", "family_name": "", "shared_names": "initials", "usual_times": "evening", "is_shared": False, "rank": 0, "sent_before": list(sent),
        "another_first": False, "refused_before": False, "was_in_doubt": False, "now": now, "sender_in_texts": "", "reader_id": None, "further_readers": None,
    }  # fmt: skip
    return Row(**{**values, **more})


def at(day, hour, minute=0, second=0, zone=AUCKLAND):
    return datetime(2026, 11, day, hour, minute, second, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def test_what_left_a_second_before_midnight_where_the_patient_lives_counts_for_yesterday():
    assert _postpone(row(at(22, 0), at(21, 23, 59, 59)), Habits) is None


def test_what_left_at_midnight_itself_counts_for_today_though_it_is_yesterday_at_the_pharmacy():
    now = at(22, 23, 59, 59)
    assert now.astimezone(ZoneInfo("Europe/London")).date() == now.astimezone(ZoneInfo(AUCKLAND)).date()
    decided = _postpone(row(now, at(22, 0)), Habits)
    assert decided == Later(decided.row, Reason.ENOUGH_TODAY, at(23, 10))


def test_on_a_day_of_25_hours_one_a_day_is_one():
    berlin = {"zone": "Europe/Berlin"}
    first = datetime(2026, 10, 24, 22, 30, tzinfo=UTC)  # 00:30 of the day on which the clocks go back
    decided = _postpone(row(first + 24 * HOUR, first, **berlin), Habits)
    assert isinstance(decided, Later)
    assert decided.due_at == resolve(datetime(2026, 10, 26).date(), time(10), ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(("days", "kept_back"), [((1, 2), False), ((1, 2, 3), True)])
def test_three_in_seven_days_are_enough(days, kept_back):
    now = at(22, 10)
    decided = _postpone(row(now, *(now - timedelta(days=days_ago) for days_ago in days)), Habits)
    assert (decided is not None) is kept_back


@pytest.mark.parametrize("kind", ["run_out", "dose_change", "last_day", "missed_collection"])
def test_what_matters_for_safety_is_held_back_by_no_limit(kind):
    now = at(22, 10)
    assert _postpone(row(now, now, now, now, now, kind=kind, another_first=True), Habits) is None


def test_a_nudge_that_would_come_too_late_tomorrow_is_dropped_with_its_reason():
    now = at(22, 10)
    decided = _postpone(row(now, now - HOUR, useful=timedelta(hours=20)), Habits)
    assert isinstance(decided, Never) and decided.reason is Reason.ENOUGH_TODAY


def test_a_nudge_waits_for_the_other_message_a_minute_and_not_into_the_night():
    now = at(22, 19, 59, 30)
    quiet = {"quiet_from": time(20), "quiet_until": time(8)}
    decided = _postpone(row(now, another_first=True, **quiet), Habits)
    assert decided == Later(decided.row, Reason.ANOTHER_FIRST, at(23, 8))
