"""The order in which what happened is counted: a record, and its events in words."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from baclofen_rules.therapy import Decision, FrozenRelation, How, Plan, Relation, Supply
from baclofen_rules.therapy.events import Event, Kind, events_of, standing
from tests.baclofen_rules.therapy.test_situations import Situation, elsewhere, given, order, said

A, B, C = order("A", 30), order("B", 45, "dr-b"), order("C", 15, "dr-c")


def names(*courses: str) -> FrozenRelation:
    """The relation frozen with a hand-over that changes these courses."""
    return FrozenRelation(Relation.CHANGES, How.SAID, courses)


def again(supply: Supply) -> Supply:
    """Return another hand-over of the same order on the same day."""
    return replace(supply, id=f"{supply.id} again", number=1)


def of_day(number: int, supply: Supply) -> Supply:
    """Return a hand-over with its place among those of its day."""
    return replace(supply, number_of_day=number)


def describe_event(event: Event) -> str:
    if isinstance(event.what, Decision):
        return f"{event.what.id or ''}{event.what.kind} {event.what.object}"
    if event.what is None:
        return "death"
    is_back = event.kind in {Kind.RETURN, Kind.UNDOING, Kind.RETURN_OF_THE_DAY}
    return f"{event.what.id} back" if is_back else event.what.id


def describe_events(
    supplies: Sequence[Supply], decisions: Sequence[Decision] = (), orders: Any = (A, B, C), died: int | None = None
) -> str:
    facts = Situation("", orders, supplies, decisions, died).facts
    return ", ".join(describe_event(event) for event in events_of(facts, decisions))


SUPPLIES: dict[str, tuple[Sequence[Supply], str]] = {
    "of one day the larger daily dose comes first": ([given("A", 0, 84), given("B", 0, 84)], "B0, A0"),
    "what goes on comes first, whatever its dose": (
        [given("B", 0, 84), given("C", 0, 42), given("C", -9, 42)],
        "C-9, C0, B0",
    ),
    "a dose that nobody knows comes last": ([elsewhere("r", 0, 28, None), given("C", 0, 42)], "C0, r"),
    "a plan without doses comes last": (
        [replace(elsewhere("r", 0, 28, 30), plan=Plan(())), given("C", 0, 42)],
        "C0, r",
    ),
    "what names a dose handed over that day comes after it": (
        [given("B", 0, 84, relation=names("A")), given("A", 0, 84)],
        "A0, B0",
    ),
    "what names one that was begun again that day comes after it": (
        [given("B", 0, 84, relation=names("A@2026-11-02")), given("A", 0, 84)],
        "A0, B0",
    ),
    "what names a dose handed over before has its place by its dose": (
        [given("B", 0, 84, relation=names("A")), given("C", 0, 42), given("A", -9, 84)],
        "A-9, B0, C0",
    ),
    "what names two of its day comes after the later one": (
        [
            given("B", 0, 84, relation=names("C", "A")),
            given("A", 0, 84, relation=names("C")),
            given("C", 0, 42),
        ],
        "C0, A0, B0",
    ),
    "more of what waits for another dose waits with it": (
        [
            given("B", 0, 84),
            given("A", 0, 84, relation=names("B")),
            again(given("A", 0, 42, relation=names("A"))),
            given("C", 0, 42),
        ],
        "B0, C0, A0, A0 again",
    ),
    "of what names each other the first of their orders come first": (
        [
            given("A", 0, 84),
            given("B", 0, 84, relation=names("A")),
            again(given("A", 0, 84, relation=names("B"))),
            given("C", 0, 42),
        ],
        "A0, C0, B0, A0 again",
    ),
    "hand-overs of a known order come in it, whatever their doses and names": (
        [of_day(2, given("B", 0, 84)), of_day(1, given("A", 0, 84, relation=names("B")))],
        "A0, B0",
    ),
    "more of an order that was handed over in between comes last": (
        [
            of_day(3, again(given("A", 0, 42))),
            of_day(2, given("B", 0, 84)),
            of_day(1, given("A", 0, 84)),
        ],
        "A0, B0, A0 again",
    ),
    "what goes on comes in the order of the day": (
        [given("C", -9, 42), of_day(2, given("C", 0, 42)), of_day(1, given("B", 0, 84))],
        "C-9, B0, C0",
    ),
    "of what was handed over in one moment one that names the other comes after it": (
        [
            of_day(1, given("B", 0, 84, relation=names("A"))),
            of_day(1, given("A", 0, 84)),
            of_day(2, given("C", 0, 42)),
        ],
        "A0, B0, C0",
    ),
    "one of unknown time comes after what it names, however late that was": (
        [
            given("B", 0, 84, relation=names("A")),
            of_day(1, given("C", 0, 42)),
            of_day(2, given("A", 0, 84)),
        ],
        "C0, A0, B0",
    ),
    "one of unknown time comes before what names it": (
        [
            of_day(1, given("B", 0, 84, relation=names("r"))),
            of_day(2, given("A", 0, 84)),
            elsewhere("r", 0, 28, 15),
        ],
        "r, B0, A0",
    ),
    "of a known and an unknown time that name each other the first of their orders come first": (
        [
            given("B", 0, 84, relation=names("A")),
            of_day(1, given("A", 0, 84, relation=names("B"))),
            of_day(2, given("C", 0, 42)),
        ],
        "B0, A0, C0",
    ),
    "two hand-overs of an order that name its own course wait for none": (
        [
            given("A", 0, 84, relation=names("A")),
            again(given("A", 0, 42, relation=names("A"))),
            given("C", 0, 42),
        ],
        "A0, A0 again, C0",
    ),
    "what came back later was handed over in its turn": (
        [given("A", -9, 84, back=-2), given("B", -9, 84)],
        "B-9, A-9, A-9 back",
    ),
    "what came back that day, and nothing more of it, was handed over in its turn": (
        [given("A", -9, 84, back=-9), given("B", -9, 84)],
        "B-9, A-9, A-9 back",
    ),
    "what came back that day before more of it comes first": (
        [given("A", 0, 84, back=0), again(given("A", 0, 42)), given("B", 0, 84)],
        "A0, A0 back, B0, A0 again",
    ),
    "what came back a day later, and more of it on the first": (
        [given("A", -9, 84, back=-8), again(given("A", -9, 42)), given("B", -9, 84)],
        "B-9, A-9, A-9 again, A-9 back",
    ),
    "what came back of the second of three hand-overs": (
        [
            given("A", 0, 84),
            replace(given("A", 0, 42, back=0), id="A0 second", number=1),
            replace(given("A", 0, 21), id="A0 third", number=2),
            given("B", 0, 84),
        ],
        "B0, A0, A0 second, A0 third, A0 second back",
    ),
    "of what comes back on one day the larger dose comes first": (
        [given("A", -9, 84, back=-1), given("B", -12, 84, back=-1)],
        "B-12, A-9, B-12 back, A-9 back",
    ),
    "what comes back tomorrow has not come back": ([given("A", -9, 84, back=1)], "A-9"),
}


@pytest.mark.parametrize(("supplies", "expected"), SUPPLIES.values(), ids=SUPPLIES)
@pytest.mark.parametrize("is_reversed", [False, True], ids=["as-written", "reversed"])
def test_hand_overs_and_returns_are_counted_in_one_order(
    supplies: Sequence[Supply], expected: str, is_reversed: bool
) -> None:
    assert describe_events(supplies[::-1] if is_reversed else supplies) == expected


def test_many_hand_overs_of_a_day_that_name_each_other_are_counted_by_their_doses() -> None:
    orders = [order(f"O{number}", 3 * number) for number in range(1, 61)]
    everything = names(*(row.id for row in orders))
    supplies = [given(row.id, 0, 84, relation=everything) for row in orders]
    assert describe_events(supplies, orders=orders) == ", ".join(f"O{number}0" for number in range(60, 0, -1))


def test_nothing_comes_back_from_the_day_of_the_death_on() -> None:
    supplies = [given("A", -9, 84, back=-3), given("B", -9, 84, back=-2), given("C", -3, 42)]
    assert describe_events(supplies, died=-2) == "B-9, A-9, A-9 back, C-3, death"


A_TODAY = given("A", 0, 84)
DECISIONS: dict[str, tuple[Sequence[Supply], Sequence[Decision], str]] = {
    "a dose that a person said takes the place of one of its day comes after it": (
        [given("B", 0, 84), given("A", 0, 84)],
        [said("replaces", "A", subject="B")],
        "A0, B0",
    ),
    "also of one that was begun again": (
        [given("B", 0, 84), given("A", 0, 84)],
        [said("replaces", "A@2026-11-02", subject="B")],
        "A0, B0",
    ),
    "also a supply from elsewhere": (
        [elsewhere("r", 0, 28, 60), given("A", 0, 84)],
        [said("replaces", "A", subject="r")],
        "A0, r",
    ),
    "also one handed over with an answer about it, whatever that is": (
        [given("B", 0, 84), given("B", -9, 84), given("A", 0, 84)],
        [said("beside", "A", subject="B", since="B0")],
        "B-9, A0, B0",
    ),
    "what a person said goes beside it does not": (
        [given("B", 0, 84), given("A", 0, 84)],
        [said("beside", "A", subject="B")],
        "B0, A0",
    ),
    "nor does one of which it was said of another day": (
        [given("B", 0, 84), given("A", 0, 84)],
        [said("replaces", "A", -1, subject="B")],
        "B0, A0",
    ),
    "nor one beside what takes the place": (
        [given("B", 0, 84), given("A", 0, 84)],
        [said("replaces", "A", subject="C")],
        "B0, A0",
    ),
    "decisions hold from the morning, stops first, and once more in the evening but for a count": (
        [A_TODAY],
        [said("takes", "A"), said("moved", "A"), said("counted", "A"), said("stopped", "A")],
        "stopped A, counted A, moved A, takes A, A0, stopped A, moved A, takes A",
    ),
    "of one kind by what they are about, then by their names": (
        [A_TODAY],
        [said("takes", "B", id="2"), said("takes", "B", id="1"), said("takes", "B"), said("takes", "A", id="3")],
        "3takes A, takes B, 1takes B, 2takes B, A0, 3takes A, takes B, 1takes B, 2takes B",
    ),
    "a stop after a hand-over, and others in the evening": (
        [A_TODAY, again(A_TODAY)],
        [said("stopped", "A", after=("A0",)), said("takes", "B")],
        "takes B, A0, stopped A, A0 again, takes B",
    ),
    "two stops after the same hand-over": (
        [A_TODAY],
        [said("stopped", "B", after=("A0",)), said("stopped", "A", after=("A0",))],
        "A0, stopped A, stopped B",
    ),
    "a stop after the first hand-over, and one after the second": (
        [A_TODAY, again(A_TODAY)],
        [said("stopped", "A", after=("A0", "A0 again"), id="2"), said("stopped", "A", after=("A0",), id="1")],
        "A0, 1stopped A, A0 again, 2stopped A",
    ),
    "a stop after a hand-over that is not of its day": (
        [A_TODAY],
        [said("stopped", "A", after=("A-9",))],
        "stopped A, A0, stopped A",
    ),
    "an amount that was told after a hand-over": (
        [A_TODAY],
        [said("takes", "A", after=("A0",))],
        "takes A, A0, takes A",
    ),
    "what was handed over after a stop and came back that day": (
        [A_TODAY, given("B", 0, 84, back=0)],
        [said("stopped", "A", after=("A0",))],
        "A0, stopped A, B0, B0 back",
    ),
    "what was handed over after a stop and came back on another day comes back before its hand-overs": (
        [given("A", -2, 84), given("B", -2, 84, back=0), given("C", 0, 42)],
        [said("stopped", "A", -2, after=("A-2",))],
        "A-2, stopped A, B-2, B-2 back, C0",
    ),
}


@pytest.mark.parametrize(("supplies", "decisions", "expected"), DECISIONS.values(), ids=DECISIONS)
def test_decisions_are_counted_among_the_hand_overs_of_their_day(
    supplies: Sequence[Supply], decisions: Sequence[Decision], expected: str
) -> None:
    assert describe_events(supplies, decisions) == expected


def test_decisions_that_stand_are_in_one_order_whatever_the_order_they_came_in() -> None:
    about_b = [
        said("replaces", "A", subject=subject, id=name) for subject, name in [("B", "1"), ("B", "2"), ("C", "3")]
    ]
    expected = [said("replaces", "A"), said("replaces", "A", id="1"), *about_b]
    assert standing(expected) == standing(expected[::-1]) == tuple(expected)
