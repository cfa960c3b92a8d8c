"""The moments to which `make test-dates` moves the clock."""

from datetime import UTC, date, datetime

import pytest

from tests.dates import LONDON, change_of_clocks, main, moments


@pytest.mark.parametrize(
    ("today", "month", "change"),
    [
        (date(2026, 11, 29), 3, datetime(2027, 3, 28, 1, tzinfo=UTC)),
        (date(2026, 11, 29), 10, datetime(2027, 10, 31, 1, tzinfo=UTC)),
        (date(2026, 3, 28), 3, datetime(2026, 3, 29, 1, tzinfo=UTC)),
        (date(2026, 3, 29), 3, datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ],
)
def test_the_clocks_change_on_the_next_last_sunday(today: date, month: int, change: datetime) -> None:
    assert change_of_clocks(today, month) == change
    before, after = (
        datetime.fromtimestamp(change.timestamp() - 1, LONDON),
        datetime.fromtimestamp(change.timestamp(), LONDON),
    )
    assert before.utcoffset() != after.utcoffset()


@pytest.mark.parametrize("today", [date(2026, 11, 29), date(2028, 2, 29), date(2026, 12, 31), date(2096, 3, 1)])
def test_every_moment_is_later_and_every_hour_is_there(today: date) -> None:
    walls = [moment.astimezone(LONDON) for moment in moments(today).values()]
    assert all(wall.date() >= today for wall in walls)
    assert {(2, 29), (12, 31)} <= {(wall.month, wall.day) for wall in walls}
    assert {"00:30", "12:00", "23:30"} <= {f"{wall:%H:%M}" for wall in walls}
    assert {(wall.date() - today).days for wall in walls} >= {1, 40, 400}


def test_a_moment_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SystemExit, match=r"No such moment: yesterday. There are: tomorrow, "):
        main(["yesterday"])
