from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules.case import Fill, Relation
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.supply import Supply, cover_end, days_supply, run_out_on, tablets_needed, tablets_per_dose

FIVE_THREE_TIMES = Phase((Decimal(5),) * 3, 3)
TEN_THREE_TIMES = Phase((Decimal(10),) * 3, 25)
COURSE = Regimen((FIVE_THREE_TIMES, TEN_THREE_TIMES))
OPEN = Regimen((FIVE_THREE_TIMES, Phase((Decimal(10),) * 3, None)))
TEN = Decimal(10)


def test_three_days_of_half_tablets_and_25_days_of_whole_ones_need_79_and_a_half():
    assert tablets_needed(COURSE, TEN) == Decimal("79.5")
    assert tablets_needed(OPEN, TEN) is None


def test_five_milligrams_are_half_a_ten_milligram_tablet():
    assert tablets_per_dose(Decimal(5), TEN) == Decimal("0.5")


@pytest.mark.parametrize(
    ("quantity", "days"),
    [("79.5", 28), ("79.4", 27), ("500", 28), ("4.5", 3), ("4.4", 2), ("7.4", 3), ("7.5", 4), ("1", 0)],
)
def test_a_day_that_is_covered_in_part_is_not_covered(quantity, days):
    assert days_supply(COURSE, TEN, Decimal(quantity)) == days


def test_an_open_end_lasts_as_long_as_the_tablets():
    assert days_supply(OPEN, TEN, Decimal(94)) == 32
    assert days_supply(OPEN, TEN, None) is None
    assert days_supply(COURSE, None, None) == 28


def test_an_early_supply_is_added_to_what_is_left():
    supplies = [Supply(date(2026, 1, 20), 28), Supply(date(2026, 1, 1), 28)]
    assert cover_end(supplies) == date(2026, 2, 26)


def test_a_late_supply_starts_on_its_own_day():
    assert cover_end([Supply(date(2026, 1, 1), 28), Supply(date(2026, 2, 1), 28)]) == date(2026, 3, 1)
    assert cover_end([]) is None


def test_earlier_supplies_of_a_case_may_come_in_any_order():
    fills = [Fill(date(2026, 1, day), (Decimal(5),), 28, Relation.SAME_COURSE) for day in (20, 1, 20)]
    assert cover_end(fills) == date(2026, 3, 26)


def test_run_out_is_the_first_day_not_covered():
    assert run_out_on(date(2026, 11, 22), 28) == date(2026, 12, 20)
    assert run_out_on(date(2026, 11, 22), 28, 5) == date(2026, 12, 25)


amounts = st.decimals("0.5", "50", places=1)
phases = st.builds(Phase, st.lists(amounts, min_size=1, max_size=4).map(tuple), st.integers(1, 60))


@given(st.lists(phases, min_size=1, max_size=6).map(lambda made: Regimen(tuple(made))), amounts)
def test_the_tablets_needed_last_exactly_the_course(regimen, strength):
    needed = tablets_needed(regimen, strength)
    least_of_a_day = min(phase.mg_per_day for phase in regimen.phases) / strength
    assert days_supply(regimen, strength, needed + Decimal("1E-20")) == regimen.total_days
    assert days_supply(regimen, strength, needed - least_of_a_day / 2) == regimen.total_days - 1


@given(st.lists(st.tuples(st.dates(date(2020, 1, 1), date(2026, 1, 1)), st.integers(1, 90)), min_size=1, max_size=8))
def test_cover_never_ends_before_the_last_supply_alone_would(rows):
    supplies = [Supply(day, days) for day, days in rows]
    end = cover_end(supplies)
    assert all(end >= run_out_on(supply.dispensed_on, supply.days_supply) for supply in supplies)
    assert (end - min(day for day, _ in rows)).days >= sum(days for _, days in rows)
