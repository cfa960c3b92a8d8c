"""A proposed taper or titration is one that the rules accept, that the tablets give, and that a patient can follow."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules import Reading, read_directions
from baclofen_rules.planning import (
    CannotPlan,
    Pace,
    Plan,
    plan_step_back,
    plan_taper,
    plan_titration,
    rank_tapers,
)
from tests.baclofen_rules.planning.asks import ON, PROFILES, STRENGTHS, questions_of
from tests.examples import examples

names = st.sampled_from(sorted(PROFILES))
ages = st.sampled_from([None, 2, 4, 6, 8, 10, 12, 15, 18, 40, 70]).map(
    lambda age: None if age is None else Decimal(age)
)
half_fives = st.integers(1, 14).map(lambda units: Decimal(units) * Decimal("2.5"))
todays = st.lists(half_fives, min_size=1, max_size=4).map(tuple)
targets = st.builds(lambda units, times: (Decimal(5 * units),) * times, st.integers(1, 7), st.integers(1, 4))


def mg(*amounts: int | str) -> tuple[Decimal, ...]:
    return tuple(Decimal(amount) for amount in amounts)


@given(
    names,
    todays,
    ages,
    st.none() | st.integers(7, 90),
    st.none() | half_fives,
    st.none() | st.sampled_from(mg(5, 10)),
    st.none() | st.sampled_from(mg(20, 40, 70)),
    st.booleans(),
    st.booleans(),
    st.sampled_from(list(Pace)),
    st.none() | st.integers(1, 400),
)
@examples(100)
def test_no_rule_questions_a_proposed_taper(
    name: str,
    doses: tuple[Decimal, ...],
    age: Decimal | None,
    days: int | None,
    last: Decimal | None,
    step: Decimal | None,
    weight: Decimal | None,
    whole: bool,
    largest_only: bool,
    pace: Pace,
    treated: int | None,
) -> None:
    profile, stock = PROFILES[name], mg(*STRENGTHS[name])
    wishes = {"days": days, "last_mg_per_day": last, "step_mg": step, "weight_kg": weight, "whole_tablets": whole}
    wishes |= {"pace": pace, "treated_days": treated}
    try:
        plan = plan_taper(doses, stock[-2:] if largest_only else stock, profile, ON, age_years=age, **wishes)
    except CannotPlan as cannot:
        assert cannot.field != "plan", cannot  # a reason, and what to do, rather than what a rule said
        assert cannot.given and cannot.expected
        return
    assert questions_of(plan, profile, doses, age_years=age, weight_kg=weight) == []
    tablets = [tablet for phase in plan.regimen.phases for dose in phase.doses for tablet in plan.packed[dose]]
    assert all(tablet.number % 1 == 0 for tablet in tablets) or not whole
    assert all(sum(tablet.strength_mg * tablet.number for tablet in plan.packed[dose]) == dose for dose in plan.packed)
    largest = [max(doses), *(max(phase.doses) for phase in plan.regimen.phases)]
    assert largest == sorted(largest, reverse=True)
    supplied = [supply[-1].to_day - supply[0].from_day + 1 for supply in plan.supplies if supply[-1].to_day is not None]
    assert all(length <= plan.longest_supply_days for length in supplied)
    assert sum(supplied) == (plan.regimen.total_days or 0)
    assert 0 <= plan.cost.left_over < len(plan.strengths)
    levels = [sum(doses), *(phase.mg_per_day for phase in plan.regimen.phases), *([] if last else [Decimal(0)])]
    falls = [before - after for before, after in pairwise(levels)]
    assert all(0 < fall <= (step or 15) for fall in falls)
    assert plan.regimen.then_stop is (last is None)
    if last is not None:
        assert (plan.regimen.phases[-1].mg_per_day, plan.regimen.phases[-1].days) == (last, None)
    elif days is not None:
        assert plan.regimen.total_days == days
    elif pace is not Pace.FAST:
        assert plan.regimen.total_days >= (14 if treated is None or treated <= 90 else 21)


@given(
    names, targets, st.none() | targets, ages, st.none() | st.integers(7, 120), st.none() | st.sampled_from(mg(5, 10))
)
@examples(100)
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
        plan = plan_titration(target, mg(*STRENGTHS[name]), profile, ON, before=before, **wishes)
    except CannotPlan as cannot:
        assert cannot.field != "plan", cannot
        assert cannot.given and cannot.expected
        return
    assert questions_of(plan, profile, before, age_years=age, weight_kg=weight) == []
    assert plan.regimen.phases[-1].doses == target
    assert plan.regimen.total_days == days
    levels = [sum(before or (), Decimal(0)), *(phase.mg_per_day for phase in plan.regimen.phases)]
    assert levels == sorted(set(levels))
    assert step is None or all(after - at <= step for at, after in pairwise(levels[1:]))


@given(names, todays, st.integers(0, 5))
@examples(100)
def test_a_dose_that_was_only_just_changed_is_held_long_enough(
    name: str, doses: tuple[Decimal, ...], days_held: int
) -> None:
    try:
        plan = plan_taper(doses, mg(*STRENGTHS[name]), PROFILES[name], ON, age_years=Decimal(45), held_days=days_held)
    except CannotPlan:
        return
    first = plan.regimen.phases[0]
    assert (first.doses == doses) == (days_held < 2)
    assert days_held >= 2 or first.days == 2


@given(names, todays, ages)
@examples(100)
def test_the_sentence_of_a_plan_reads_back_as_the_plan(
    name: str, doses: tuple[Decimal, ...], age: Decimal | None
) -> None:
    try:
        plan = plan_taper(doses, mg(*STRENGTHS[name]), PROFILES[name], ON, age_years=age)
    except CannotPlan:
        return
    reading = read_directions(plan.sentence)
    assert isinstance(reading, Reading)
    assert reading.regimen == plan.regimen


ADULT = {"age_years": Decimal(45)}


def levels_of(plan: Plan) -> list[tuple[int, int | None]]:
    return [(int(phase.mg_per_day), phase.days) for phase in plan.regimen.phases]


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize(
    "doses", [mg(10, 10, 10), mg(20, 20, 20), mg(20, 20, 20, 20), mg(25, 25, 25), mg(10, 20), mg(5, 5, 5)]
)
def test_ordinary_doses_of_an_adult_always_get_a_taper_of_two_weeks(name: str, doses: tuple[Decimal, ...]) -> None:
    plan = plan_taper(doses, mg(*STRENGTHS[name]), PROFILES[name], ON, **ADULT)
    assert plan.regimen.total_days in range(14, 18)


@pytest.mark.parametrize(
    ("doses", "levels"),
    [
        (mg(25, 25, 25, 25), [(85, 2), (70, 2), (55, 2), (40, 2), (30, 2), (20, 2), (15, 2), (10, 2), (5, 2)]),
        (mg(20, 20, 20), [(50, 2), (40, 2), (30, 2), (20, 2), (15, 2), (10, 2), (5, 2)]),
        (mg(10, 10, 10), [(25, 3), (20, 3), (15, 3), (10, 3), (5, 2)]),
        (mg(5, 5, 5), [(10, 7), (5, 7)]),
    ],
)
def test_a_taper_goes_down_in_small_even_steps(doses: tuple[Decimal, ...], levels: list[tuple[int, int]]) -> None:
    plan = plan_taper(doses, mg(10), PROFILES["lioresal"], ON, **ADULT)
    assert levels_of(plan) == levels
    assert plan.take[-1].endswith("half a tablet of 10 mg at bedtime.")


def test_after_a_long_treatment_a_taper_takes_three_weeks() -> None:
    days = [
        plan_taper(mg(20, 20, 20), mg(10), PROFILES["lioresal"], ON, **ADULT, treated_days=treated).regimen.total_days
        for treated in (90, 91)
    ]
    assert days == [14, 21]


@given(names, todays, ages.filter(lambda age: age is not None and age >= 18))
@examples(100)
def test_below_30_mg_no_step_is_above_a_third_where_the_tablets_give_less(
    name: str, doses: tuple[Decimal, ...], age: Decimal | None
) -> None:
    try:
        plan = plan_taper(doses, mg(10), PROFILES[name], ON, age_years=age)
    except CannotPlan:
        return
    levels = [sum(doses), *(phase.mg_per_day for phase in plan.regimen.phases), Decimal(0)]
    for before, after in pairwise(levels):
        if before <= 30 and before - after > before * Decimal("0.34"):
            assert before - after <= 5 or (
                before % 5 and before - after < 10
            )  # the next that half a 10 mg tablet gives


def test_a_fast_taper_takes_as_few_steps_and_days_as_the_profile_allows() -> None:
    plan = plan_taper(mg(20, 20, 20), mg(10, 25), PROFILES["lioresal"], ON, **ADULT, pace=Pace.FAST)
    assert plan.sentence == (
        "Take 15 mg three times a day for 3 days, then 10 mg three times a day for 2 days, "
        "then 5 mg three times a day for 2 days, then stop."
    )
    assert plan.tablets == {Decimal(10): Decimal(23)}


def test_a_slow_taper_takes_twice_the_days() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, **ADULT, pace=Pace.SLOW)
    assert levels_of(plan) == [(25, 6), (20, 6), (15, 6), (10, 5), (5, 5)]


def test_the_days_at_a_level_can_be_wished_for() -> None:
    plan = plan_taper(mg(20, 20, 20), mg(10), PROFILES["lioresal"], ON, **ADULT, days=28, interval_days=7)
    assert levels_of(plan) == [(45, 7), (30, 7), (20, 7), (10, 7)]


def test_alternatives_are_ranked_with_what_each_costs() -> None:
    ranked = rank_tapers(mg(10, 10, 10), mg(10, 25), PROFILES["lioresal"], ON, **ADULT)
    assert [(plan.pace, plan.cost.days, plan.cost.changes) for plan in ranked] == [
        (Pace.GENTLE, 14, 6),
        (Pace.SLOW, 28, 6),
        (Pace.FAST, 7, 2),
    ]
    assert ranked[0].cost.to_json() == {"days": 14, "changes": 6, "halves": 26, "left_over": "0"}


def test_where_there_is_none_the_alternatives_say_why() -> None:
    with pytest.raises(CannotPlan, match="no daily dose between 0 and 10 mg"):
        rank_tapers(mg(10), mg(20), PROFILES["us-label"], ON, **ADULT)


def test_symptoms_that_come_back_are_answered_by_the_dose_before_and_half_of_the_step() -> None:
    plan = plan_step_back(mg(10, 10, 10), mg(10, 15, 15), mg(10), PROFILES["lioresal"], ON, **ADULT)
    assert levels_of(plan) == [(40, 7), (35, 2), (30, 2), (25, 2), (20, 2), (15, 2), (10, 2), (5, 2)]
    with pytest.raises(CannotPlan, match="the dose before, above 30 mg a day"):
        plan_step_back(mg(10, 10, 10), mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, **ADULT)


def test_a_step_back_by_the_least_that_tablets_give_goes_on_by_it() -> None:
    plan = plan_step_back(mg(5, 5, 10), mg(5, 10, 10), mg(10), PROFILES["lioresal"], ON, **ADULT)
    assert levels_of(plan)[:3] == [(25, 7), (20, 3), (15, 3)] or levels_of(plan)[0] == (25, 7)


def test_a_step_back_to_a_dose_that_the_tablets_do_not_give_is_refused() -> None:
    with pytest.raises(CannotPlan, match=r"they do not give 27\.5 mg a day"):
        plan_step_back(mg(5, 5, 10), mg("7.5", 10, 10), mg(10), PROFILES["lioresal"], ON, **ADULT)


def test_a_step_back_to_a_dose_that_the_rules_ask_about_is_for_the_prescriber() -> None:
    with pytest.raises(CannotPlan, match="25 mg at one time is above the 20 mg single dose") as caught:
        plan_step_back(mg(20), mg(25), mg(10, 15), PROFILES["us-label"], ON, **ADULT)
    assert caught.value.field == "step back"
    assert "ask the prescriber to sign them" in caught.value.expected


def test_who_cannot_halve_tablets_is_not_held_at_halves() -> None:
    with pytest.raises(CannotPlan, match="they do not give 35 mg a day"):
        plan_step_back(mg(10, 10, 10), mg(10, 10, 15), mg(10), PROFILES["lioresal"], ON, **ADULT, whole_tablets=True)


def test_a_wished_length_includes_the_days_of_a_hold() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, **ADULT, days=21, held_days=1)
    assert (plan.regimen.total_days, levels_of(plan)[0]) == (21, (30, 2))
    with pytest.raises(CannotPlan, match="at least 9 days from this dose"):
        plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, **ADULT, days=8, held_days=1)


def test_a_dose_that_the_rules_ask_about_is_not_held_without_the_prescriber() -> None:
    with pytest.raises(
        CannotPlan, match="0 at today's dose: 40 mg at one time is above the 35 mg single dose"
    ) as caught:
        plan_taper(mg(40), mg(10), PROFILES["lioresal"], ON, **ADULT, held_days=0)
    assert (caught.value.field, caught.value.expected[:22]) == ("held days", "2 days at this dose be")


def test_a_plan_longer_than_a_supply_is_handed_over_in_parts() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["uk-smpc"], ON, **ADULT, days=60)
    assert plan.to_json()["supplies"] == [
        {"from_day": 1, "to_day": 56, "tablets": [{"strength_mg": "10", "quantity": "88"}]},
        {"from_day": 57, "to_day": 60, "tablets": [{"strength_mg": "10", "quantity": "2"}]},
    ]
    short = plan_taper(mg(10, 10, 10), mg(10), PROFILES["uk-smpc"], ON, **ADULT, days=60, longest_supply_days=28)
    assert [part["to_day"] for part in short.to_json()["supplies"]] == [28, 56, 60]


def test_what_may_end_at_once_needs_no_taper() -> None:
    with pytest.raises(CannotPlan, match="5 mg a day and less may end at once"):
        plan_taper(mg(5), mg(10), PROFILES["lioresal"], ON, **ADULT)


def test_a_single_dose_that_would_rise_is_the_reason_for_no_plan() -> None:
    with pytest.raises(CannotPlan, match="a single dose would rise above today's 5 mg"):
        plan_taper(mg(5, 5, 5, 5), mg(20), PROFILES["us-label"], ON, **ADULT, whole_tablets=False)


def test_a_child_and_an_unknown_age_get_the_taper_of_a_child() -> None:
    for age in (Decimal(11), None):
        plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, age_years=age, pace=Pace.FAST)
        assert plan.sentence == "Take 5 mg three times a day for 14 days, then stop."


def test_a_wished_length_is_kept_to_the_day_with_what_is_over_at_the_start() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["uk-smpc"], ON, **ADULT, days=29)
    assert [phase.days for phase in plan.regimen.phases] == [6, 6, 6, 6, 5]


def test_a_dose_that_was_only_just_changed_is_first_held() -> None:
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, **ADULT, held_days=1, pace=Pace.FAST)
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
    plan = plan_taper(mg(10, 10, 10), mg(10), PROFILES["lioresal"], ON, **ADULT, pace=Pace.FAST)
    plan_json = plan.to_json()
    assert plan_json.pop("take") == [
        "Days 1 to 7: half a tablet of 10 mg in the morning, then half a tablet of 10 mg at midday, then half a tablet of 10 mg at bedtime."
    ]
    assert plan_json == {
        "format": "baclofen-plan/1",
        "kind": "taper",
        "phases": [{"doses": ["5", "5", "5"], "unit": "mg", "days": 7}],
        "then_stop": True,
        "days": 7,
        "tablets": [{"strength_mg": "10", "quantity": "11"}],
        "sentence": "Take 5 mg three times a day for 7 days, then stop.",
        "profile": {"name": "lioresal", "digest": PROFILES["lioresal"].digest},
        "cost": {"days": 7, "changes": 2, "halves": 21, "left_over": "0.5"},
    }


def test_who_cannot_halve_tablets_gets_whole_ones() -> None:
    plan = plan_taper(mg(30, 30), mg(10, 25), PROFILES["lioresal"], ON, **ADULT, whole_tablets=True)
    assert levels_of(plan) == [(50, 3), (40, 3), (30, 3), (20, 3), (10, 2)]
    assert plan.cost.halves == 0
    assert plan.take[0] == "Days 1 to 3: 2 tablets of 10 mg in the morning, then 3 tablets of 10 mg at bedtime."


def test_two_strengths_are_used_where_no_single_one_leads_there() -> None:
    plan = plan_titration(
        mg(35, 35), mg(10, 25), PROFILES["lioresal"], ON, **ADULT, whole_tablets=True, before=mg(30, 35)
    )
    assert plan.strengths == (Decimal(25), Decimal(10))
    assert plan.to_json()["take"][-1] == (
        "Two strengths: keep the packs apart. A 25 mg tablet is 2.5 times a 10 mg tablet. "
        "Each strength wants a prescription of its own."
    )


def test_one_strength_is_kept_where_it_can_do_it() -> None:
    plan = plan_taper(mg(25, 25, 25), mg(10, 25), PROFILES["lioresal"], ON, **ADULT)
    assert plan.strengths == (Decimal(10),)


def test_a_target_above_the_single_dose_is_refused_in_words() -> None:
    with pytest.raises(CannotPlan, match="at most 20 mg at one time"):
        plan_titration(mg(25, 25, 25), mg(5), PROFILES["us-label"], ON, age_years=Decimal(45))


def test_who_takes_10_mg_at_a_time_is_not_given_the_25_mg_tablet_to_take_less() -> None:
    plan = plan_taper(
        mg(10, 10, 10, 10), mg(10, 25), PROFILES["lioresal"], ON, age_years=Decimal(45), whole_tablets=True
    )
    assert plan.strengths == (Decimal(10),)


def taper(*doses: int | str, stock: tuple[int, ...] = (10,), **wishes: Any) -> Callable[[], Plan]:
    return lambda: plan_taper(mg(*doses), mg(*stock), PROFILES["lioresal"], ON, **{**ADULT, **wishes})


def titration(
    *doses: int | str, stock: tuple[int, ...] = (10,), profile: str = "lioresal", **wishes: Any
) -> Callable[[], Plan]:
    return lambda: plan_titration(mg(*doses), mg(*stock), PROFILES[profile], ON, **{**ADULT, **wishes})


OTHER_TABLETS = "a smaller strength or a liquid from the prescriber"


@pytest.mark.parametrize(
    ("ask", "field", "given", "expected"),
    [
        # the length: with more days the same tablets lead there
        (taper(30, 30, 30, days=9), "days", "9", "at least 10 days from this dose"),
        (taper(30, 30, 30, days=1), "days", "1", "at least 10 days from this dose"),
        (taper(20, 20, 20, days=20, interval_days=7), "days", "20", "at least 21 days from this dose"),
        (taper(20, 20, 20, days=1, last_mg_per_day=Decimal(30)), "days", "1", "at least 2 days from this dose"),
        (taper(20, 20, 20, stock=(25, 10), days=6), "days", "6", "at least 7 days from this dose"),
        (taper(20, 20, 20, days=731), "days", "731", "at most 730 days"),
        (
            taper(30, 20, stock=(25, 10), whole_tablets=True, days=12, interval_days=7),
            "days",
            "12",
            "at least 21 days from this dose",
        ),
        (titration(30, 30, 30, days=45), "days", "45", "at least 46 days"),
        # the step: with a larger one the same tablets lead there
        (taper(20, 20, 20, step_mg=Decimal(4)), "step", "at most 4 mg a day", "at least 5 mg a day with 10 mg tablets"),
        (
            taper(20, 20, 20, step_mg=Decimal(9), whole_tablets=True),
            "step",
            "at most 9 mg a day",
            "at least 10 mg a day with whole 10 mg tablets",
        ),
        (
            titration(30, 30, 30, step_mg=Decimal(3)),
            "step",
            "at most 3 mg a day",
            "at least 5 mg a day with 10 mg tablets",
        ),
        # the tablets
        (
            taper(25, 25, 25, stock=(25,), step_mg=Decimal(10)),
            "strengths",
            "with 25 mg tablets no steps of at most 10 mg a day lead there in doses of 25 mg or a multiple",
            OTHER_TABLETS,
        ),
        (
            taper(5, 5, 5, whole_tablets=True),
            "strengths",
            "with whole 10 mg tablets a single dose would rise above today's 5 mg",
            f"halves, {OTHER_TABLETS}",
        ),
        (
            titration(5, 5, 5, whole_tablets=True),
            "strengths",
            "whole 10 mg tablets do not give 5, 5, 5 mg",
            f"halves, {OTHER_TABLETS}",
        ),
        (titration("7.5", "7.5"), "strengths", "10 mg tablets do not give 7.5, 7.5 mg", OTHER_TABLETS),
        (
            taper(20, 20, 20, last_mg_per_day=Decimal(36)),
            "strengths",
            "10 mg tablets do not give 36 mg a day",
            OTHER_TABLETS,
        ),
        (
            titration(10, 10, 10, stock=(5,), profile="uk-smpc", age_years=Decimal(6), weight_kg=Decimal(20)),
            "strengths",
            "5 mg tablets give no start of at most 6.6 mg a day in at least 2 doses",
            OTHER_TABLETS,
        ),
        # the way
        (
            taper(20, 20, 20, last_mg_per_day=Decimal(60)),
            "last dose",
            "60 mg a day",
            "below 60 mg a day, today's dose; a higher one is a titration",
        ),
        (
            titration(20, 20, 20, before=mg(20, 20, 20)),
            "target",
            "60 mg a day",
            "above 60 mg a day, the dose before; a lower one is a taper",
        ),
        (
            lambda: plan_step_back(mg(30, 30, 30), mg(35, 35, 35), mg(10), PROFILES["lioresal"], ON, **ADULT),
            "step back",
            "105 mg a day, above 100 mg a day, the maximum here",
            "7 days at this dose before the first step down: ask the prescriber to sign them, and plan after them",
        ),
        (
            titration(5, 5, 5, age_years=Decimal(2)),
            "age",
            "2 years",
            "4 years or more: the profile lioresal has no daily maximum here",
        ),
    ],
)
def test_a_refusal_gives_the_reason_that_holds_and_what_would_make_a_plan(
    ask: Callable[[], Plan], field: str, given: str, expected: str
) -> None:
    with pytest.raises(CannotPlan) as cannot:
        ask()
    assert (cannot.value.field, cannot.value.given.partition(" (")[0], cannot.value.expected) == (
        field,
        given,
        expected,
    )


@pytest.mark.parametrize(
    "ask",
    [
        taper(30, 30, 30, days=10),
        taper(20, 20, 20, days=21, interval_days=7),
        taper(20, 20, 20, days=2, last_mg_per_day=Decimal(30)),
        taper(20, 20, 20, days=730),
        titration(30, 30, 30, days=46),
        taper(20, 20, 20, step_mg=Decimal(5)),
        titration(30, 30, 30, step_mg=Decimal(5)),
        titration(5, 5, 5, age_years=Decimal(4), weight_kg=Decimal(20)),
    ],
)
def test_what_a_refusal_names_makes_a_plan(ask: Callable[[], Plan]) -> None:
    assert ask().regimen.phases


def test_a_dose_just_above_the_maximum_is_planned_down_from() -> None:
    plan = plan_taper(mg(25, 25, 25), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(8))
    assert plan.regimen.phases[0].mg_per_day == 60


def test_a_dose_far_above_the_maximum_is_asked_about_with_what_to_do_first() -> None:
    with pytest.raises(CannotPlan) as cannot:
        plan_taper(mg(35, 35, 35), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(8))
    assert cannot.value.field == "today's dose"
    assert cannot.value.given == "105 mg a day, more than one step of 15 mg above 60 mg a day, the maximum here"
    assert cannot.value.expected == (
        "no sudden stop: ask the prescriber to sign 90, 75 mg a day, at least 2 days each, above the maximum; "
        "then plan from 75 mg a day"
    )
    assert plan_taper(mg(25, 25, 25), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(8))


def test_a_dose_above_the_maximum_that_was_only_just_changed_is_asked_about() -> None:
    with pytest.raises(CannotPlan, match="2 days at this dose before the first step down"):
        plan_taper(mg(25, 25, 25), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(8), held_days=1)


def test_a_single_dose_that_would_be_too_large_is_taken_more_often() -> None:
    plan = plan_taper(mg(60), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(45))
    assert max(dose for phase in plan.regimen.phases for dose in phase.doses) <= 35
    assert plan.regimen.phases[0].times_per_day == 2


def test_a_taper_without_a_maximum_for_the_age_is_planned_all_the_same() -> None:
    plan = plan_taper(mg(5, 5, 5), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(3))
    assert plan.regimen.then_stop


def test_an_age_without_a_maximum_is_not_planned_for() -> None:
    with pytest.raises(CannotPlan, match="no daily maximum here"):
        plan_titration(mg(5), mg(10), PROFILES["lioresal"], ON, age_years=Decimal(2))
