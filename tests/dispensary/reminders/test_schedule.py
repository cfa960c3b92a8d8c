"""The reminders of one dispense."""

import zoneinfo
from datetime import UTC, date, time, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.models.reminders import ReminderKind
from dispensary.reminders.schedule import DoseChange, Facts, Timing, plan

LONDON = zoneinfo.ZoneInfo("Europe/London")
TODAY = date(2026, 11, 22)
DAY = timedelta(days=1)


def facts(supply: int = 28, **more) -> Facts:
    return Facts(handed_over_on=TODAY, run_out_on=TODAY + supply * DAY, **more)


def change(after_days: int, before: str = "30", after: str = "25") -> DoseChange:
    return DoseChange(TODAY + after_days * DAY, (Decimal(before),), (Decimal(after),))


def kinds(owed):
    return [(each.kind, each.occurrence) for each in owed]


def test_a_maintenance_supply_calls_seven_and_two_days_before_on_the_day_and_two_days_after():
    owed = plan(facts(28), TODAY, LONDON)
    assert [(each.kind, (each.local_date - TODAY).days) for each in owed] == [
        (ReminderKind.REFILL_DUE, 21),
        (ReminderKind.REFILL_AGAIN, 26),
        (ReminderKind.RUN_OUT, 28),
        (ReminderKind.MISSED_COLLECTION, 30),
    ]


def test_the_pharmacys_lead_days_decide_the_first_call():
    owed = plan(facts(28, timing=Timing(refill_lead_days=10)), TODAY, LONDON)
    assert owed[0].local_date == TODAY + 18 * DAY and owed[0].occurrence == "-10d"


def test_a_supply_shorter_than_the_lead_calls_the_day_after_the_hand_over():
    owed = plan(facts(5), TODAY, LONDON)
    assert owed[0].kind is ReminderKind.REFILL_DUE and owed[0].local_date == TODAY + DAY


def test_the_evening_before_each_change_is_announced_until_noon_of_the_day():
    owed = [each for each in plan(facts(28, changes=(change(7), change(14))), TODAY, LONDON) if each.change]
    assert [each.local_date for each in owed] == [TODAY + 6 * DAY, TODAY + 13 * DAY]
    assert owed[0].local_time == time(17)
    assert owed[0].useful_until.astimezone(LONDON).time() == time(12)


def test_a_change_after_the_supply_ends_waits_for_the_next_dispense():
    reached, beyond = change(28), change(29)
    owed = plan(facts(28, changes=(reached, beyond)), TODAY, LONDON)
    assert [each.change for each in owed if each.change] == [reached]


def test_a_course_that_ends_inside_the_supply_asks_for_no_refill_and_names_its_last_day():
    owed = plan(facts(28, ends_on=TODAY + 28 * DAY), TODAY, LONDON)
    assert kinds(owed) == [(ReminderKind.LAST_DAY, (TODAY + 27 * DAY).isoformat())]


def test_a_course_longer_than_the_supply_asks_for_the_rest():
    owed = plan(facts(14, ends_on=TODAY + 28 * DAY), TODAY, LONDON)
    assert ReminderKind.LAST_DAY not in {each.kind for each in owed}
    assert ReminderKind.REFILL_DUE in {each.kind for each in owed}


def test_the_fall_to_nothing_is_the_last_day_and_not_a_change_of_dose():
    stop = DoseChange(TODAY + 14 * DAY, (Decimal(5),), ())
    owed = plan(facts(14, ends_on=TODAY + 14 * DAY, changes=(stop,)), TODAY, LONDON)
    assert [each.kind for each in owed] == [ReminderKind.LAST_DAY]


def test_nothing_is_useful_more_than_ninety_days_after_the_supply_lapsed():
    owed = plan(facts(28, timing=Timing(missed_after_days=60)), TODAY, LONDON)
    assert owed[-1].useful_until.date() <= TODAY + (28 + 90) * DAY


@pytest.mark.parametrize("lead", [0, 61])
def test_a_lead_outside_one_to_sixty_days_is_refused(lead):
    with pytest.raises(ValueError, match="1 to 60"):
        Timing(refill_lead_days=lead)


courses = st.builds(
    Facts,
    handed_over_on=st.dates(date(2026, 1, 1), date(2027, 12, 31)),
    run_out_on=st.dates(date(2026, 1, 2), date(2028, 12, 31)),
    ends_on=st.none() | st.dates(date(2026, 1, 2), date(2028, 12, 31)),
    changes=st.lists(
        st.builds(
            DoseChange,
            on=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
            before=st.tuples(st.decimals(1, 100, places=1)),
            after=st.just(()) | st.tuples(st.decimals(1, 100, places=1)),
        ),
        max_size=12,
        unique_by=lambda each: each.on,
    ).map(tuple),
    timing=st.builds(
        Timing,
        refill_lead_days=st.integers(1, 60),
        second_call_days=st.integers(1, 60),
        missed_after_days=st.integers(1, 60),
    ),
)
zones = st.sampled_from(sorted(zoneinfo.available_timezones())).map(zoneinfo.ZoneInfo)


@given(courses, zones)
def test_equal_facts_give_an_equal_plan(course, zone):
    assert plan(course, course.handed_over_on, zone) == plan(course, course.handed_over_on, zone)


@given(courses, zones)
def test_every_kind_and_occurrence_is_owed_once(course, zone):
    owed = kinds(plan(course, course.handed_over_on, zone))
    assert len(owed) == len(set(owed))


@given(courses, zones)
def test_each_message_is_still_useful_when_it_is_due_and_never_after_its_successor(course, zone):
    for each in plan(course, course.handed_over_on, zone):
        assert each.useful_until > each.useful_until.min.replace(tzinfo=UTC)
        assert each.local_date <= each.useful_until.astimezone(zone).date()


@given(courses, zones)
def test_only_the_run_out_and_the_missed_collection_come_after_the_supply_has_ended(course, zone):
    for each in plan(course, course.handed_over_on, zone):
        if each.kind not in {ReminderKind.RUN_OUT, ReminderKind.MISSED_COLLECTION, ReminderKind.LAST_DAY}:
            assert each.local_date < course.run_out_on


@given(courses, zones, st.integers(0, 400))
def test_planning_again_later_leaves_out_nothing_that_is_still_to_come_or_still_true(course, zone, days):
    today = course.handed_over_on + days * DAY
    first = plan(course, course.handed_over_on, zone)
    later = plan(course, today, zone)
    assert later == [each for each in first if each in later]
    for each in first:
        ends = each.useful_until.astimezone(zone).date()
        if each.local_date >= today or ends > today:
            assert each in later
        if ends < today:
            assert each not in later


@given(courses, zones, st.integers(0, 400))
def test_of_the_calls_around_a_run_out_at_most_one_is_behind(course, zone, days):
    today = course.handed_over_on + days * DAY
    late = [each for each in plan(course, today, zone) if each.kind.about_refill and each.local_date < today]
    assert len(late) <= 1


@pytest.mark.parametrize(
    ("day", "first_two"),
    [
        (21, [(ReminderKind.REFILL_DUE, 21), (ReminderKind.REFILL_AGAIN, 26)]),
        (25, [(ReminderKind.REFILL_DUE, 21), (ReminderKind.REFILL_AGAIN, 26)]),
        (26, [(ReminderKind.REFILL_AGAIN, 26), (ReminderKind.RUN_OUT, 28)]),
        (29, [(ReminderKind.RUN_OUT, 28), (ReminderKind.MISSED_COLLECTION, 30)]),
        (30, [(ReminderKind.MISSED_COLLECTION, 30)]),
        (36, [(ReminderKind.MISSED_COLLECTION, 30)]),
        (37, []),
    ],
)
def test_a_call_whose_day_has_passed_is_owed_until_the_day_of_the_next(day, first_two):
    owed = plan(facts(28), TODAY + day * DAY, LONDON)
    assert [(each.kind, (each.local_date - TODAY).days) for each in owed][:2] == first_two


def test_a_change_of_dose_is_still_told_on_its_own_day_and_not_after_it():
    course = facts(28, changes=(change(7),))
    assert [each.change for each in plan(course, TODAY + 7 * DAY, LONDON) if each.change] == [change(7)]
    assert not [each for each in plan(course, TODAY + 8 * DAY, LONDON) if each.change]
