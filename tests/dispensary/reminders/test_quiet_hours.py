"""Quiet hours, over every zone and every change of its clocks in 2026 and 2027."""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.models.pharmacy import QuietHours
from dispensary.reminders.quiet_hours import is_quiet, next_allowed, place, prev_allowed, resolve
from tests.examples import examples

LONDON = zoneinfo.ZoneInfo("Europe/London")
NIGHT = QuietHours(time(20), time(8))


@cache
def transitions() -> list[tuple[str, datetime]]:
    """Every instant in 2026-27 at which a zone changes its offset, to the minute."""
    changes = []
    for name in sorted(zoneinfo.available_timezones()):
        zone = zoneinfo.ZoneInfo(name)
        low = datetime(2026, 1, 1, tzinfo=UTC)
        while low.year < 2028:
            high = low + timedelta(days=5)
            if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
                changes.append((name, _bisect(zone, low, high)))
            low = high
    return changes


def _bisect(zone, low, high):
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(minutes=1):
        middle = low + (high - low) / 2
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high.replace(second=0, microsecond=0)


times = st.times().map(lambda t: t.replace(second=0, microsecond=0))


@st.composite
def windows(draw):
    start, minutes = draw(times), draw(st.integers(0, 18 * 60))
    end = (datetime.combine(date(2026, 1, 1), start) + timedelta(minutes=minutes)).time()
    return QuietHours(start, end)


@st.composite
def moments_near_a_change(draw):
    name, change = draw(st.sampled_from(transitions()))
    return zoneinfo.ZoneInfo(name), change + timedelta(minutes=draw(st.integers(-1600, 1600)))


def test_there_are_changes_to_test_against():
    offsets = {
        zone: (
            change.astimezone(zoneinfo.ZoneInfo(zone)).utcoffset()
            - (change - timedelta(hours=1)).astimezone(zoneinfo.ZoneInfo(zone)).utcoffset()
        )
        for zone, change in transitions()
    }
    assert len(offsets) > 150
    assert abs(offsets["Australia/Lord_Howe"]) == timedelta(minutes=30)
    assert abs(offsets["Antarctica/Troll"]) == timedelta(hours=2)


@examples(600)
@given(moments_near_a_change(), windows())
def test_the_next_allowed_moment_is_never_quiet_and_never_earlier(moment, quiet):
    zone, instant = moment
    allowed = next_allowed(instant, zone, quiet)
    assert not is_quiet(allowed, zone, quiet)
    assert instant <= allowed <= instant + quiet.length + timedelta(hours=3)


@examples(600)
@given(moments_near_a_change(), windows())
def test_the_previous_allowed_moment_is_never_quiet_and_never_later(moment, quiet):
    zone, instant = moment
    allowed = prev_allowed(instant, zone, quiet)
    assert not is_quiet(allowed, zone, quiet)
    assert instant - quiet.length - timedelta(hours=4) <= allowed <= instant


@pytest.mark.slow
def test_every_change_in_every_zone_with_eight_windows_leaves_nothing_inside_quiet_hours():
    edges = [(20, 8), (21, 8), (22, 7), (0, 6), (2, 3), (23, 2), (1, 9), (19, 10)]
    quiets = [QuietHours(time(start), time(end)) for start, end in edges]
    wrong, late, early, tried = 0, 0, 0, 0
    for zone, change in different_changes():
        for half_hours in range(-52, 53):
            instant = change + timedelta(minutes=30 * half_hours + 7)
            for quiet in quiets:
                after, before = next_allowed(instant, zone, quiet), prev_allowed(instant, zone, quiet)
                wrong += is_quiet(after, zone, quiet) + is_quiet(before, zone, quiet)
                wrong += after < instant or before > instant
                late += after - instant > quiet.length + timedelta(hours=2)
                early += instant - before > quiet.length + timedelta(hours=2, minutes=15)
                tried += 2
    assert (wrong, late, early) == (0, 0, 0) and tried > 100_000


def different_changes():
    """Zones that change their clocks by the same rule at the same instant are one: what is left differs somehow."""
    zone_of_change = {}
    for name, change in transitions():
        zone = zoneinfo.ZoneInfo(name)
        before, after = ((change + timedelta(minutes=m)).astimezone(zone).utcoffset() for m in (-2, 2))
        zone_of_change.setdefault((change, before, after), (zone, change))
    return list(zone_of_change.values())


MIDNIGHT = time(0)


def test_some_days_have_no_midnight_and_a_message_of_theirs_still_has_its_instant():
    """Cairo, Havana, Santiago, Beirut: the clocks go forward at midnight, and the day begins at one."""
    missing = 0
    for name in ("Africa/Cairo", "America/Havana", "America/Santiago", "Asia/Beirut"):
        zone = zoneinfo.ZoneInfo(name)
        for number in range(730):
            day = date(2026, 1, 1) + timedelta(days=number)
            local = resolve(day, MIDNIGHT, zone).astimezone(zone)
            assert local.date() == day
            missing += local.time() != MIDNIGHT
    assert missing >= 7


@pytest.mark.parametrize(("name", "gap"), [("Australia/Lord_Howe", 30), ("Antarctica/Troll", 120)])
def test_a_gap_of_half_an_hour_or_of_two_is_stepped_over_by_its_own_length(name, gap):
    zone = zoneinfo.ZoneInfo(name)
    forward = [
        change for zone_name, change in transitions() if zone_name == name and _gained(zone, change) > timedelta(0)
    ]
    for change in forward:
        wall = change.astimezone(zone).replace(tzinfo=None) - timedelta(minutes=gap / 2)  # inside the gap
        moved = resolve(wall.date(), wall.time(), zone).astimezone(zone).replace(tzinfo=None)
        assert moved - wall == timedelta(minutes=gap)
    assert forward


def _gained(zone, change):
    before, after = ((change + timedelta(minutes=m)).astimezone(zone).utcoffset() for m in (-2, 2))
    return after - before


def test_half_past_two_on_the_night_the_clocks_go_forward_lands_once_and_later_by_the_gap():
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    assert resolve(date(2027, 3, 28), time(2, 30), zone).astimezone(zone).time() == time(3, 30)


def test_half_past_two_on_the_night_the_clocks_go_back_is_the_first_of_the_two():
    zone = zoneinfo.ZoneInfo("Europe/Berlin")
    first = resolve(date(2026, 10, 25), time(2, 30), zone)
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_the_window_is_half_open():
    assert NIGHT.covers(time(20)) and NIGHT.covers(time(7, 59))
    assert not NIGHT.covers(time(8)) and not NIGHT.covers(time(19, 59))


def test_a_message_due_in_the_night_waits_for_the_morning_in_wall_time():
    due = datetime(2026, 10, 24, 22, tzinfo=UTC)  # 23:00 in London, the night the clocks go back
    assert next_allowed(due, LONDON, NIGHT).astimezone(LONDON) == datetime(2026, 10, 25, 8, tzinfo=LONDON)


def test_equal_edges_mean_no_quiet_hours():
    instant = datetime(2026, 11, 22, 3, tzinfo=UTC)
    assert next_allowed(instant, LONDON, QuietHours(time(9), time(9))) == instant


def test_windows_over_eighteen_hours_are_refused_and_eighteen_are_not():
    QuietHours(time(19), time(13))
    with pytest.raises(ValueError, match="18 hours"):
        QuietHours(time(19), time(13, 1))


def test_what_would_be_wrong_by_morning_leaves_the_evening_before():
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    due = datetime(2026, 11, 22, 23, tzinfo=UTC)
    assert place(due, datetime(2026, 11, 23, 6, tzinfo=UTC), now, LONDON, NIGHT) == datetime(
        2026, 11, 22, 19, 45, tzinfo=UTC
    )


def test_where_neither_evening_nor_morning_fits_nothing_is_sent():
    now = datetime(2026, 11, 22, 22, tzinfo=UTC)
    assert place(now, now + timedelta(hours=2), now, LONDON, NIGHT) is None


def test_what_is_due_exactly_when_it_stops_being_true_is_not_sent():
    now = datetime(2026, 11, 22, 22, tzinfo=UTC)
    opens = datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert place(now, opens, now, LONDON, NIGHT) is None
    assert place(now, opens + timedelta(minutes=1), now, LONDON, NIGHT) == opens
