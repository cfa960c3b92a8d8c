"""In whose hours a message may leave."""

from datetime import time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispensary.models.pharmacy import QuietHours
from dispensary.reminders.quiet_hours import CAUTIOUS, cautious, manners

LONDON = "Europe/London"
NIGHT = (time(20), time(8))


def test_a_known_zone_has_the_pharmacys_quiet_hours():
    assert manners("Australia/Lord_Howe", LONDON, *NIGHT) == (ZoneInfo("Australia/Lord_Howe"), QuietHours(*NIGHT))


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Europe/London\x00", "a" * 300])
def test_an_unknown_zone_is_the_pharmacys_between_ten_and_seven(name):
    zone, quiet = manners(name, LONDON, *NIGHT)
    assert zone == ZoneInfo(LONDON) and (quiet.start, quiet.end) == (time(19), time(10))


@pytest.mark.parametrize(
    ("quiet_from", "quiet_until", "from_", "until"),
    [
        (time(18), time(11), time(11), time(18)),  # a pharmacy quieter than caution asks: its own hours hold too
        (time(18), time(8), time(10), time(18)),
        (time(21), time(12), time(12), time(19)),
        (time(12), time(14), time(14), time(19)),  # in two pieces: the longer one
        (time(0), time(0), time(10), time(19)),
        (time(16, 30), time(10, 30), time(10, 30), time(16, 30)),
        (time(17), time(11), time(11), time(17)),
    ],
)
def test_in_an_unknown_zone_both_windows_hold(quiet_from, quiet_until, from_, until):
    _, quiet = manners("Mars/Olympus", LONDON, quiet_from, quiet_until)
    assert (quiet.end, quiet.start) == (from_, until)


def test_where_the_two_leave_nothing_the_cautious_hours_hold():
    assert cautious(QuietHours(time(6), time(22))) == CAUTIOUS


def test_a_pharmacy_without_a_zone_that_exists_is_in_utc():
    assert manners("Mars/Olympus", "Mars/Base", *NIGHT)[0] == ZoneInfo("UTC")


def test_hours_that_leave_no_time_to_write_are_the_cautious_ones():
    assert manners(LONDON, LONDON, time(9), time(8)) == (ZoneInfo(LONDON), CAUTIOUS)


@given(st.times(), st.integers(0, 18 * 60))
def test_nothing_that_either_window_forbids_is_allowed(start, minutes):
    start = start.replace(second=0, microsecond=0)
    end = (start.hour * 60 + start.minute + minutes) % (24 * 60)
    quiet = QuietHours(start, time(end // 60, end % 60))
    both = cautious(quiet)
    for minute in range(0, 24 * 60, 7):
        wall = time(minute // 60, minute % 60)
        if CAUTIOUS.covers(wall) or (quiet.covers(wall) and both != CAUTIOUS):
            assert both.covers(wall)
