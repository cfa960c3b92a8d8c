"""Waiting after a temporary failure."""

from datetime import timedelta

import pytest

from dispensary.reminders.outcomes import retry_after


@pytest.mark.parametrize(
    ("attempt", "chance", "seconds"), [(1, 0.0, 60), (1, 0.999999, 120), (3, 0.5, 360), (20, 0.0, 7200)]
)
def test_the_wait_doubles_with_its_lower_half_certain_and_its_upper_half_by_chance(attempt, chance, seconds):
    assert retry_after(attempt, chance).total_seconds() == pytest.approx(seconds, rel=1e-3)


def test_no_wait_exceeds_four_hours():
    assert retry_after(50, 0.999) <= timedelta(hours=4)


def test_what_the_provider_asks_for_wins():
    assert retry_after(5, 0.9, timedelta(seconds=7)) == timedelta(seconds=7)


def test_a_provider_cannot_put_us_off_for_a_week():
    assert retry_after(1, 0.5, timedelta(days=7)) == timedelta(hours=4)
