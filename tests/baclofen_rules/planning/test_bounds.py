"""The numbers that a planner works with: of the patient's age, and with an unknown age the strictest of all."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules import load_profile
from baclofen_rules.planning import CannotPlan
from baclofen_rules.planning.bounds import Bounds, whole
from baclofen_rules.profiles.limits import Ages, Bands
from baclofen_rules.rulebook import RuleBook

ON = date(2026, 11, 22)


def bounds(name: str, age: str | None, weight: str | None = None) -> Bounds:
    years, kilograms = (None if number is None else Decimal(number) for number in (age, weight))
    return Bounds(load_profile(name), ON, years, kilograms)


@pytest.mark.parametrize(
    ("name", "age", "steps", "times", "most"),
    [
        # rise, after days, fall, after days, shortest taper; fewest and most doses a day; daily maximum, single dose
        ("lioresal", "45", (5, 3, 15, 2, 7), (1, 4), (100, 35)),
        ("lioresal", "11", (5, 3, 15, 2, 14), (1, 3), (60, 35)),
        ("lioresal", None, (5, 3, 15, 2, 14), (1, 4), (60, 35)),
        ("us-label", "45", (15, 3, 15, 2, 7), (1, 4), (80, 20)),
        ("us-label", "11", (15, 7, 15, 2, 7), (1, 4), (60, 20)),
        ("us-label", "7", (15, 7, 15, 2, 7), (1, 4), (40, 20)),
        ("us-label", None, (15, 7, 15, 2, 7), (1, 4), (40, 20)),
        ("uk-smpc", "45", (15, 3, 15, 2, 7), (1, 4), (100, 35)),
        ("uk-smpc", "17", (15, 7, 15, 2, 7), (2, 4), (60, 35)),
        ("uk-smpc", None, (15, 7, 15, 2, 7), (2, 4), (40, 35)),
    ],
)
def test_the_numbers_are_those_of_the_age_or_the_strictest(
    name: str, age: str | None, steps: tuple[int, ...], times: tuple[int, int], most: tuple[int, int]
) -> None:
    of = bounds(name, age)
    assert (of.max_rise_mg, of.min_rise_days, of.max_fall_mg, of.min_fall_days, of.min_taper_days) == steps
    assert of.doses_allowed() == times
    assert (of.max_mg_for_age, of.max_single_mg) == most


@pytest.mark.parametrize(
    ("name", "age", "weight", "start"),
    [
        ("lioresal", "45", None, "15"),
        ("lioresal", "7", "20", "15"),
        ("us-label", "11", "20", "6.6"),
        ("us-label", "12", "20", "15"),
        ("uk-smpc", "17", "50", "16.5"),
        ("uk-smpc", None, None, "15"),
    ],
)
def test_a_start_goes_by_the_day_or_else_by_the_weight(
    name: str, age: str | None, weight: str | None, start: str
) -> None:
    assert bounds(name, age, weight).max_start_mg == Decimal(start)


def two_bands(young: int | None, old: int | None) -> Bands[Decimal]:
    first, last = (None if number is None else Decimal(number) for number in (young, old))
    return Bands("house", ((Ages(Decimal(0), Decimal(12)), first), (Ages(Decimal(12), None), last)))


def bounds_of_own_profile(
    age: str | None, rules: dict[str, dict[str, Any]], weight: str | None = None, **shared: Any
) -> Bounds:
    """Return the bounds of a profile with numbers of its own for children and for adults."""
    of = bounds("uk-smpc", age, weight)
    own = {
        action: tuple(
            bound_rule._replace(limits=replace(bound_rule.limits, **rules.get(bound_rule.rule.code, {})))
            for bound_rule in bound
        )
        for action, bound in of.book.rules.items()
    }
    of.book = RuleBook(of.book.profile, replace(of.book.terms, **shared), own)
    return of


def test_with_an_unknown_age_the_smaller_step_the_longer_wait_and_the_lower_start_hold() -> None:
    own = {
        "titration-step": {"max_rise_mg_per_day": two_bands(5, 15)},
        "titration-interval": {"min_days": two_bands(3, 10)},
        "frequency": {"min_per_day": two_bands(3, 2), "max_per_day": two_bands(3, 5)},
    }
    of = bounds_of_own_profile(None, own, start_mg_per_day=two_bands(10, 15), max_mg_per_day=two_bands(50, 30))
    assert (of.max_rise_mg, of.min_rise_days, of.max_start_mg, of.max_mg_for_age) == (5, 10, 10, 30)
    assert of.doses_allowed() == (3, 5)


def test_a_known_age_has_the_step_of_its_own_band() -> None:
    own = {"titration-step": {"max_rise_mg_per_day": two_bands(5, 15)}}
    assert (bounds_of_own_profile("11", own).max_rise_mg, bounds_of_own_profile("12", own).max_rise_mg) == (5, 15)


def test_where_an_age_has_no_step_the_smallest_that_the_profile_has_is_kept() -> None:
    bands = Bands(
        "house",
        (
            (Ages(Decimal(0), Decimal(4)), None),
            (Ages(Decimal(4), Decimal(12)), Decimal(5)),
            (Ages(Decimal(12), None), Decimal(15)),
        ),
    )
    assert bounds_of_own_profile("3", {"titration-step": {"max_rise_mg_per_day": bands}}).max_rise_mg == 5


def test_with_an_unknown_age_a_start_by_weight_is_the_lowest_a_kilogram() -> None:
    none, by_weight = two_bands(None, None), two_bands(1, 2)
    of = bounds_of_own_profile(None, {}, "10", start_mg_per_day=none, start_mg_per_kg_per_day=by_weight)
    assert of.max_start_mg == Decimal(11)


def test_without_any_start_limit_it_is_the_maximum() -> None:
    none = two_bands(None, None)
    assert bounds_of_own_profile("45", {}, start_mg_per_day=none, start_mg_per_kg_per_day=none).max_start_mg == 100


def test_without_any_limit_of_doses_a_day_one_to_twentyfour_are_taken() -> None:
    none = {"frequency": {"min_per_day": two_bands(None, None), "max_per_day": two_bands(None, None)}}
    assert bounds_of_own_profile("45", none).doses_allowed() == (1, 24)


def refusal(of: Bounds, what: str) -> tuple[str, str, str]:
    with pytest.raises(CannotPlan) as cannot:
        getattr(of, what)
    return cannot.value.field, cannot.value.given, cannot.value.expected


def test_a_start_by_weight_wants_the_weight() -> None:
    expected = "the weight in kg: the start goes by it at this age"
    assert refusal(bounds("uk-smpc", "7"), "max_start_mg") == ("weight", "unknown", expected)


def test_an_age_without_a_maximum_is_refused() -> None:
    assert refusal(bounds("lioresal", "3.5"), "max_mg_for_age") == (
        "age",
        "3.5 years",
        "4 years or more: the profile lioresal has no daily maximum here",
    )
    field, age, expected = refusal(
        bounds_of_own_profile(None, {}, max_mg_per_day=two_bands(None, None)), "max_mg_for_age"
    )
    assert (field, age, expected.partition(":")[0]) == ("age", "unknown", "another profile")


@pytest.mark.parametrize(
    ("age", "bands", "expected"),
    [
        ("11", two_bands(None, 60), "12 years or more"),
        ("12", two_bands(60, None), "another profile"),
        ("11", two_bands(None, None), "another profile"),
    ],
)
def test_an_age_without_a_maximum_is_told_the_next_that_has_one(age: str, bands: Bands[Decimal], expected: str) -> None:
    refused = refusal(bounds_of_own_profile(age, {}, max_mg_per_day=bands), "max_mg_for_age")
    assert refused == ("age", f"{age} years", f"{expected}: the profile uk-smpc has no daily maximum here")


def test_only_strengths_that_the_profile_knows_are_usable() -> None:
    of = bounds("lioresal", "45")
    ten, twenty, twenty_five = Decimal(10), Decimal(20), Decimal(25)
    assert of.list_usable_strengths([twenty_five, twenty, ten, ten]) == [twenty_five, ten]
    assert (of.find_smallest_dose(ten), of.find_smallest_dose(twenty_five)) == (5, 25)
    for strengths, listed in (([twenty, Decimal(5)], "20, 5 mg"), ([], "none mg")):
        with pytest.raises(CannotPlan) as cannot:
            of.list_usable_strengths(strengths)
        assert (cannot.value.field, cannot.value.given, cannot.value.expected) == ("strengths", listed, "10 or 25 mg")


def test_part_of_a_day_is_a_whole_one() -> None:
    assert (whole(Decimal("2.1")), whole(Decimal(2)), whole(Decimal("2.6"))) == (3, 2, 3)


@pytest.mark.parametrize(
    ("name", "age", "weight", "top"),
    [
        ("lioresal", "45", None, 100),
        ("lioresal", "7", None, 60),
        ("lioresal", "7", "10", 20),
        ("lioresal", "3", None, 60),
        ("lioresal", None, None, 100),
        ("us-label", "45", None, 80),
        ("us-label", "7", None, 40),
        ("us-label", "7", "20", 40),
        ("us-label", "7", "19", 38),
        ("uk-smpc", "17", "20", 40),
        ("uk-smpc", "17", "33", 60),
        ("uk-smpc", None, "10", 100),
    ],
)
def test_the_highest_dose_of_a_plan_keeps_the_maximum_of_age_and_weight(
    name: str, age: str | None, weight: str | None, top: int
) -> None:
    assert bounds(name, age, weight).max_mg == top


def test_it_keeps_what_the_single_doses_of_a_day_add_up_to() -> None:
    few = {"single-dose": {"max_mg": Decimal(20)}, "frequency": {"max_per_day": two_bands(3, 4)}}
    assert (bounds_of_own_profile("45", few).max_mg, bounds_of_own_profile("11", few).max_mg) == (80, 60)


def test_a_stock_is_one_strength_or_up_to_so_many_together() -> None:
    of, ten, twenty_five = bounds("lioresal", "45"), Decimal(10), Decimal(25)
    strengths = [twenty_five, ten]
    assert [stock.strengths for stock in of.list_stocks(strengths, False, 1)] == [(twenty_five,), (ten,)]
    assert [stock.strengths for stock in of.list_stocks(strengths, False, 2)] == [
        (twenty_five,),
        (ten,),
        (twenty_five, ten),
    ]
    assert [stock.units for stock in of.list_stocks(strengths, False, 2)] == [(25,), (5,), (25, 5)]
    assert [stock.units for stock in of.list_stocks(strengths, True, 2)] == [(25,), (10,), (25, 10)]
    assert {stock.largest_dose for stock in of.list_stocks(strengths, True, 2)} == {35}


@pytest.mark.parametrize(("treated", "days"), [(None, 14), (89, 14), (90, 14), (91, 21)])
def test_after_a_long_treatment_more_days_are_planned(treated: int | None, days: int) -> None:
    assert bounds("lioresal", "45").planned_days(treated) == days


def test_what_may_end_at_once_is_the_number_of_the_profile() -> None:
    assert bounds("lioresal", "45").stop_free_mg == 5


def with_kidneys(egfr: str | None, *, name: str = "us-label", dialysis: bool = False, age: str = "45") -> Bounds:
    measured = None if egfr is None else Decimal(egfr)
    return Bounds(load_profile(name), ON, Decimal(age), None, egfr=measured, dialysis=dialysis)


@pytest.mark.parametrize(
    ("egfr", "dialysis", "bear", "allowed", "forbidden"),
    [
        (None, False, None, "100", None),
        ("60", False, None, "100", None),
        ("59.9", False, 20, "19.9", "20"),
        ("30", False, 20, "19.9", "20"),
        ("29.9", False, 5, "5", "5.1"),
        ("95", True, 5, "5", "5.1"),
        (None, True, 5, "5", "5.1"),
    ],
)
def test_a_dose_is_held_against_what_the_kidneys_bear(
    egfr: str | None, dialysis: bool, bear: int | None, allowed: str, forbidden: str | None
) -> None:
    of = with_kidneys(egfr, dialysis=dialysis)
    assert of.renal_limit_mg == bear
    assert not of.exceeds_renal_limit(Decimal(allowed))
    assert forbidden is None or of.exceeds_renal_limit(Decimal(forbidden))
    assert of.needs_slow_rise is (bear is not None)


@pytest.mark.parametrize(
    ("name", "age", "egfr", "rise", "days"),
    [
        ("us-label", "64", None, 15, 3),
        ("us-label", "65", None, Decimal("7.5"), 3),
        ("us-label", "45", "50", Decimal("7.5"), 3),
        ("lioresal", "64", None, 5, 3),
        ("lioresal", "65", None, 5, 6),
        ("lioresal", "45", "50", 5, 6),
    ],
)
def test_an_older_patient_or_poor_kidneys_rise_by_the_slow_step_or_after_the_slow_interval(
    name: str, age: str, egfr: str | None, rise: Decimal, days: int
) -> None:
    of = with_kidneys(egfr, name=name, age=age)
    assert (of.max_rise_mg, of.min_rise_days) == (rise, days)


def test_an_unknown_age_is_not_taken_for_an_older_one() -> None:
    assert not bounds("us-label", None).needs_slow_rise
