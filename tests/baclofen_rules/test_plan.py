"""A proposed taper or titration is one that the rules accept, that the tablets give, and that a patient can follow."""

from datetime import date
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baclofen_rules import Case, Profile, Reading, load_profile, read_directions, review
from baclofen_rules.plan import PROVED_BY, CannotPlan, Plan, plan_taper, plan_titration

ON = date(2026, 11, 22)
PROFILES = {name: load_profile(name) for name in ("lioresal", "us-label", "uk-smpc")}
STOCK = {"lioresal": (10, 25), "us-label": (5, 10, 15, 20), "uk-smpc": (5, 10)}
names = st.sampled_from(sorted(PROFILES))
ages = st.sampled_from([None, 2, 4, 6, 8, 10, 12, 15, 18, 40, 70]).map(
    lambda age: None if age is None else Decimal(age)
)
half_fives = st.integers(1, 14).map(lambda units: Decimal(units) * Decimal("2.5"))
todays = st.lists(half_fives, min_size=1, max_size=4).map(tuple)
targets = st.builds(lambda units, times: (Decimal(5 * units),) * times, st.integers(1, 7), st.integers(1, 4))


def mg(*amounts: int | str) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)


def reviewed(plan: Plan, profile: Profile, before: tuple[Decimal, ...] | None, **patient: object) -> list[str]:
    """What a full review says to the plan, put into a prescription for a patient who has long been on ``before``."""
    course = plan.to_json()
    history = []
    if before is not None:
        doses = [str(dose) for dose in before]
        history = [{"dispensed_on": "2026-10-25", "doses": doses, "days_supply": 28, "relation": "same-course"}]
    case = {
        "format": "baclofen-case/1",
        "on": ON.isoformat(),
        "action": "dispense",
        "patient": {name: fact for name, fact in patient.items() if fact is not None},
        "prescription": {
            "written_on": ON.isoformat(),
            "route": "oral",
            "form": "tablet",
            "strength_mg": course["tablets"][0]["strength_mg"],
            "phases": course["phases"],
            "then_stop": course["then_stop"],
        },
        "history": history,
    }
    return [
        f"{one.code}: {one.detail}" for one in review(Case.from_json(case), profile).findings if one.code in PROVED_BY
    ]


@given(
    names, todays, ages, st.none() | st.integers(7, 90), st.none() | half_fives, st.none() | st.sampled_from(mg(5, 10))
)
@settings(max_examples=400, deadline=None)
def test_no_rule_questions_a_proposed_taper(
    name: str,
    doses: tuple[Decimal, ...],
    age: Decimal | None,
    days: int | None,
    last: Decimal | None,
    step: Decimal | None,
) -> None:
    profile = PROFILES[name]
    try:
        plan = plan_taper(
            doses, mg(*STOCK[name]), profile, ON, age_years=age, days=days, last_mg_per_day=last, step_mg=step
        )
    except CannotPlan as cannot:
        assert cannot.field and cannot.given and cannot.expected
        return
    assert reviewed(plan, profile, doses, age_years=age and str(age)) == []
    levels = [sum(doses), *(phase.mg_per_day for phase in plan.regimen.phases), *([] if last else [Decimal(0)])]
    falls = [before - after for before, after in pairwise(levels)]
    assert all(0 < fall <= (step or 15) for fall in falls)
    assert plan.regimen.then_stop is (last is None)
    if last is not None:
        assert (plan.regimen.phases[-1].mg_per_day, plan.regimen.phases[-1].days) == (last, None)
    elif days is not None:
        assert plan.regimen.total_days == days


@given(
    names, targets, st.none() | targets, ages, st.none() | st.integers(7, 120), st.none() | st.sampled_from(mg(5, 10))
)
@settings(max_examples=400, deadline=None)
def test_no_rule_questions_a_proposed_titration(
    name: str,
    target: tuple[Decimal, ...],
    before: tuple[Decimal, ...] | None,
    age: Decimal | None,
    days: int | None,
    step: Decimal | None,
) -> None:
    profile, weight = PROFILES[name], Decimal(40)
    wishes = {"age_years": age, "weight_kg": weight, "days": days, "step_mg": step}
    try:
        plan = plan_titration(target, mg(*STOCK[name]), profile, ON, before=before, **wishes)
    except CannotPlan as cannot:
        assert cannot.field and cannot.given and cannot.expected
        return
    assert reviewed(plan, profile, before, age_years=age and str(age), weight_kg="40") == []
    assert plan.regimen.phases[-1].doses == target
    assert plan.regimen.total_days == days
    levels = [sum(before or (), Decimal(0)), *(phase.mg_per_day for phase in plan.regimen.phases)]
    assert levels == sorted(set(levels))
    assert step is None or all(after - at <= step for at, after in pairwise(levels[1:]))


@given(names, todays, st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_a_dose_that_was_only_just_changed_is_held_long_enough(
    name: str, doses: tuple[Decimal, ...], held: int
) -> None:
    try:
        plan = plan_taper(doses, mg(*STOCK[name]), PROFILES[name], ON, age_years=Decimal(45), held_days=held)
    except CannotPlan:
        return
    first = plan.regimen.phases[0]
    assert (first.doses == doses) == (held < 2)
    assert held >= 2 or first.days == 2


@given(names, todays, ages)
@settings(max_examples=100, deadline=None)
def test_the_sentence_of_a_plan_reads_back_as_the_plan(
    name: str, doses: tuple[Decimal, ...], age: Decimal | None
) -> None:
    try:
        plan = plan_taper(doses, mg(*STOCK[name]), PROFILES[name], ON, age_years=age)
    except CannotPlan:
        return
    reading = read_directions(plan.sentence)
    assert isinstance(reading, Reading)
    assert reading.regimen == plan.regimen


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize(
    "doses", [mg(10, 10, 10), mg(20, 20, 20), mg(20, 20, 20, 20), mg(25, 25, 25), mg(10, 20), mg(5, 5, 5)]
)
def test_ordinary_doses_of_an_adult_always_get_a_taper(name: str, doses: tuple[Decimal, ...]) -> None:
    plan = plan_taper(doses, mg(*STOCK[name]), PROFILES[name], ON, age_years=Decimal(45))
    assert plan.regimen.total_days is not None
    assert plan.regimen.total_days >= 7


def test_a_taper_takes_as_few_steps_as_the_profile_allows_and_keeps_the_days_even() -> None:
    plan = plan_taper(mg(20, 20, 20), mg(10, 25), PROFILES["lioresal"], ON, age_years=Decimal(45))
    assert plan.sentence == (
        "Take 15 mg three times a day for 3 days, then 10 mg three times a day for 3 days, "
        "then 5 mg three times a day for 3 days, then stop."
    )
    assert plan.tablets == {Decimal(10): Decimal(27)}


def test_a_child_gets_the_longer_taper() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(11))
    assert plan.sentence == "Take 5 mg three times a day for 14 days, then stop."


def test_an_unknown_age_gets_the_longer_taper_too() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON)
    assert plan.regimen.total_days == 14


def test_a_wished_length_is_kept_to_the_day_with_what_is_over_at_the_start() -> None:
    plan = plan_taper(mg(20, 20, 20), mg(10), PROFILES["uk-smpc"], ON, age_years=Decimal(45), days=28)
    assert [phase.days for phase in plan.regimen.phases] == [10, 9, 9]


def test_a_dose_that_was_only_just_changed_is_first_held() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(45), held_days=1)
    assert (
        plan.sentence == "Take 10 mg three times a day for 2 days, then 5 mg three times a day for 7 days, then stop."
    )


def test_the_25_mg_tablet_is_not_halved() -> None:
    with pytest.raises(CannotPlan) as cannot:
        plan_taper(mg(25, 25, 25), mg(25), PROFILES["lioresal"], ON, age_years=Decimal(45))
    assert cannot.value.field == "strengths"


def test_a_strength_that_the_profile_does_not_know_is_not_used() -> None:
    with pytest.raises(CannotPlan, match="20 mg"):
        plan_taper(mg(20, 20, 20), mg(20), PROFILES["uk-smpc"], ON)


def test_a_length_that_is_too_short_is_refused_with_the_shortest() -> None:
    with pytest.raises(CannotPlan, match="at least 7 days"):
        plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(45), days=6)


def test_a_last_dose_that_is_not_below_today_is_refused() -> None:
    with pytest.raises(CannotPlan, match="below 30 mg a day"):
        plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, last_mg_per_day=Decimal(30))


def test_a_titration_follows_each_profile_step() -> None:
    us = plan_titration(mg(20, 20, 20), mg(5, 10, 20), PROFILES["us-label"], ON, age_years=Decimal(45))
    assert [phase.mg_per_day for phase in us.regimen.phases] == [15, 30, 45, 60]
    lioresal = plan_titration(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(45))
    assert [phase.mg_per_day for phase in lioresal.regimen.phases] == [15, 20, 25, 30]


def test_a_titration_above_the_maximum_is_refused_in_words() -> None:
    with pytest.raises(CannotPlan, match="at most 80 mg a day"):
        plan_titration(mg(25, 25, 25, 25), mg(10), PROFILES["us-label"], ON, age_years=Decimal(45))


def test_a_plan_as_json() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(45))
    assert plan.to_json() == {
        "format": "baclofen-plan/1",
        "kind": "taper",
        "phases": [{"doses": ["5", "5", "5"], "unit": "mg", "days": 7}],
        "then_stop": True,
        "days": 7,
        "tablets": [{"strength_mg": "10", "quantity": "11"}],
        "sentence": "Take 5 mg three times a day for 7 days, then stop.",
        "profile": {"name": "lioresal", "digest": PROFILES["lioresal"].digest},
    }


def test_an_age_without_a_maximum_is_not_planned_for() -> None:
    with pytest.raises(CannotPlan, match="a daily maximum"):
        plan_titration(mg(5), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(2))
