"""A plan as the patient and the prescriber get it: which tablets on which days, and how many of each strength."""

from decimal import Decimal

from baclofen_rules.planning.model import CannotPlan, Cost, Kind, Plan
from baclofen_rules.planning.stock import Packing, Tablets
from baclofen_rules.regimen import Phase, Regimen


def packing(*tablets: tuple[int, str]) -> Packing:
    return tuple(Tablets(Decimal(strength), Decimal(number)) for strength, number in tablets)


def day(*doses: int, days: int | None) -> Phase:
    return Phase(tuple(map(Decimal, doses)), days)


TWO = {
    Decimal(5): packing((10, "0.5")),
    Decimal(10): packing((10, "1")),
    Decimal(30): packing((10, "3")),
    Decimal(35): packing((25, "1"), (10, "1")),
}


def plan(*phases: Phase, packed: dict[Decimal, Packing] = TWO, then_stop: bool = False) -> Plan:
    return Plan(Kind.TAPER, Regimen(phases, then_stop), packed, "house", "sha256:00")


def test_which_tablets_are_taken_when_is_said_phase_by_phase() -> None:
    mixed = plan(day(5, 10, 35, days=1), day(5, 30, days=6), day(5, days=None))
    assert mixed.take == [
        "Day 1: half a tablet of 10 mg, then 1 tablet of 10 mg, then 1 tablet of 25 mg and 1 tablet of 10 mg.",
        "Days 2 to 7: half a tablet of 10 mg, then 3 tablets of 10 mg.",
        "From day 8: half a tablet of 10 mg.",
        "Two strengths: keep the packs apart. A 25 mg tablet is 2.5 times a 10 mg tablet. Each strength wants a "
        "prescription of its own.",
    ]
    assert mixed.strengths == (25, 10)
    assert mixed.to_json()["take"] == mixed.take


def test_one_strength_says_nothing_of_two() -> None:
    packed = {Decimal(15): packing((10, "1.5"))}
    alone = plan(day(15, 15, days=2), packed=packed)
    assert alone.take == ["Days 1 to 2: 1.5 tablets of 10 mg, then 1.5 tablets of 10 mg."]
    assert alone.strengths == (10,)
    assert "take" not in alone._replace(kind=Kind.TITRATION).to_json()


def test_how_many_times_the_larger_tablet_is_the_smaller_is_said_to_two_places() -> None:
    packed = {Decimal(35): packing((20, "1"), (15, "1"))}
    assert "A 20 mg tablet is 1.33 times a 15 mg tablet." in plan(day(35, days=7), packed=packed).take[-1]


def test_each_strength_has_its_own_part_of_the_course_and_its_own_tablets() -> None:
    for then_stop in (True, False):
        mixed = plan(day(5, 10, 35, days=3), day(5, 30, days=7), then_stop=then_stop)
        assert mixed.part(Decimal(25)) == Regimen((day(25, days=3),), then_stop)
        assert mixed.part(Decimal(10)) == Regimen((day(5, 10, 10, days=3), day(5, 30, days=7)), then_stop)
        assert mixed.tablets == {Decimal(25): 3, Decimal(10): 32}


def test_a_part_of_a_tablet_is_a_whole_one_to_be_supplied() -> None:
    packed = {Decimal(3): packing((10, "0.3"))}
    assert plan(day(3, days=8), packed=packed).tablets == {Decimal(10): 3}


def test_a_plan_as_json_has_all_that_a_prescription_needs() -> None:
    packed = {Decimal(5): packing((10, "0.5")), Decimal(10): packing((10, "1"))}
    assert plan(day(5, 10, days=3), day(5, days=None), packed=packed).to_json() == {
        "format": "baclofen-plan/1",
        "kind": "taper",
        "phases": [{"doses": ["5", "10"], "unit": "mg", "days": 3}, {"doses": ["5"], "unit": "mg", "days": None}],
        "then_stop": False,
        "days": None,
        "tablets": [{"strength_mg": "10", "quantity": "5"}],
        "sentence": "Take 2 doses a day (5 mg, 10 mg) for 3 days, then 5 mg once a day.",
        "profile": {"name": "house", "digest": "sha256:00"},
        "cost": {"days": None, "changes": 2, "halves": 3, "left_over": "0.5"},
        "take": ["Days 1 to 3: half a tablet of 10 mg, then 1 tablet of 10 mg.", "From day 4: half a tablet of 10 mg."],
    }


def test_no_plan_says_which_wish_and_what_is_expected() -> None:
    cannot = CannotPlan("days", "6", "at least 7 days")
    assert str(cannot) == "days: 6; at least 7 days"
    assert (cannot.field, cannot.given, cannot.expected) == ("days", "6", "at least 7 days")


def test_a_plan_says_what_it_asks_of_the_patient() -> None:
    down = plan(day(10, 10, 5, days=3), day(5, days=2), then_stop=True)
    assert down.cost == Cost(days=5, changes=3, halves=5, left_over=Decimal("0.5"))
    assert down._replace(kind=Kind.TITRATION).cost.changes == 2
    assert plan(day(10, days=3), day(5, days=None)).cost == Cost(days=None, changes=2, halves=0, left_over=Decimal(0))


def test_a_dose_of_a_whole_and_a_half_tablet_is_one_halved_dose() -> None:
    packed = {Decimal(30): packing((25, "1"), (10, "0.5"))}
    assert plan(day(30, days=4), packed=packed, then_stop=True).cost.halves == 4


def test_the_time_of_a_dose_is_said_where_it_is_known() -> None:
    named = Phase((Decimal(5), Decimal(10)), 2, times=("morning", None))
    assert plan(named, then_stop=True).take == [
        "Days 1 to 2: half a tablet of 10 mg in the morning, then 1 tablet of 10 mg."
    ]


def test_a_titration_of_two_strengths_says_which_tablets_when() -> None:
    up = plan(day(35, days=None))._replace(kind=Kind.TITRATION)
    assert "take" in up.to_json()


def longest(course: Plan, days: int | None) -> list[tuple[int, int | None]]:
    supplies = course._replace(longest_supply_days=days).supplies
    return [(supply[0].from_day, supply[-1].to_day) for supply in supplies]


def test_a_plan_is_cut_into_supplies_that_are_not_too_long() -> None:
    course = plan(day(10, days=5), day(5, days=6), then_stop=True)
    assert longest(course, None) == [(1, 11)]
    assert longest(course, 11) == [(1, 11)]
    assert longest(course, 10) == [(1, 10), (11, 11)]
    assert longest(course, 5) == [(1, 5), (6, 10), (11, 11)]
    assert longest(course, 4) == [(1, 4), (5, 8), (9, 11)]
    middle = course._replace(longest_supply_days=4).supplies[1]
    assert [(window.phase.doses, window.phase.days, window.from_day, window.to_day) for window in middle] == [
        ((Decimal(10),), 1, 5, 5),
        ((Decimal(5),), 3, 6, 8),
    ]


def test_an_open_end_is_one_supply() -> None:
    assert longest(plan(day(10, days=5), day(5, days=None)), 4) == [(1, None)]


def test_each_supply_has_its_days_and_tablets_in_the_json() -> None:
    course = plan(day(35, days=3), day(10, days=3), then_stop=True)._replace(longest_supply_days=3)
    assert course.to_json()["supplies"] == [
        {
            "from_day": 1,
            "to_day": 3,
            "tablets": [{"strength_mg": "25", "quantity": "3"}, {"strength_mg": "10", "quantity": "3"}],
        },
        {"from_day": 4, "to_day": 6, "tablets": [{"strength_mg": "10", "quantity": "3"}]},
    ]
    assert "supplies" not in course._replace(longest_supply_days=6).to_json()
