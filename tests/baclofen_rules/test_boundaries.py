"""Every number of every profile is asked from both sides: change it by the smallest amount that matters, and a row notices.

The tables in ``rules/`` are written by hand; this holds them against the profiles. A limit is moved up and down by one day,
year or millilitre, or by the least difference that tablets make; an age at which one limit follows another by a year; a
severity by one step; and of a list each member is left out. Each time the table of a rule that reads it must give another answer.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Action, Case, Severity, load_profile
from baclofen_rules.findings import Found
from baclofen_rules.medicines import interaction_classes
from baclofen_rules.profiles.limits import SPEC, Ages, Bands
from baclofen_rules.rulebook import BoundRule, rulebook
from baclofen_rules.rules.implausible_fact import possible_weights
from baclofen_rules.shared_limits import SharedLimits
from baclofen_rules.terms import Terms
from tests.baclofen_rules.cases import ON, RULE_KEYS, case_of, read_rule_table

FOLDER = Path(__file__).parent / "rules"
PROFILES = ("lioresal", "us-label", "uk-smpc")
STEPS = {
    "mg": Decimal("2.5"),
    "mg/day": Decimal(5),
    "mg/kg/day": Decimal("0.1"),
    "fraction": Decimal("0.05"),
    "times": Decimal("0.5"),
}
"""Small differences that are not 1."""
OF_THE_RECORD = {("implausible-fact", "least_possible_share")}
"""Numbers that decide what can be recorded, which no review asks about."""
LADDER = list(Severity)
HABITS = rulebook(load_profile("lioresal"), ON).habits


@cache
def book_of(name: str) -> Any:
    return rulebook(load_profile(name), ON)


@cache
def cases_of(code: str) -> tuple[Case, ...]:
    """The cases of a rule's table; of a table for a whole family all of them."""
    stem = "interactions" if code in interaction_classes() else code
    table = read_rule_table(FOLDER / f"{stem}.toml")
    return tuple(Case.from_json(case_of(row, RULE_KEYS)) for row in table["row"] if row.get("code", code) == code)


def answers(bound: BoundRule, limits: Any, shared: SharedLimits) -> Iterator[list[str]]:
    """Yield the answers of a rule to each case of its table, with these numbers."""
    for case in cases_of(bound.rule.code):
        terms = Terms(case, shared, HABITS)
        is_stop = case.action is Action.DISCONTINUE
        if case.action in bound.rule.actions and (terms.phases or is_stop or not bound.rule.needs_dose):
            answer = bound.rule.check(terms, limits)
            yield [
                str(outcome.severity) if isinstance(outcome, Found) else ",".join(outcome.facts) for outcome in answer
            ]


def moved(limits: Any) -> Iterator[tuple[str, Any]]:
    """The same numbers with one of them changed a little, and words for the change."""
    for made in fields(limits):
        step = STEPS.get(made.metadata[SPEC].unit, Decimal(1))
        for words, value in _values(getattr(limits, made.name), step):
            yield f"{made.name} {words}", replace(limits, **{made.name: value})


def _values(value: Any, step: Decimal) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Severity):
        yield from ((f"{value} -> {LADDER[at]}", LADDER[at]) for at in _beside(LADDER.index(value)))
    elif isinstance(value, Decimal):
        yield from ((f"{value} -> {value + by}", value + by) for by in (step, -step))
    elif isinstance(value, tuple):
        yield from ((f"without {member}", tuple(other for other in value if other != member)) for member in value)
    elif isinstance(value, Bands):
        for at, (ages, limit) in enumerate(value.rows):
            for words, changed in _values(limit, step):
                yield f"{ages}: {words}", _with(value, at, (ages, changed))
            if at and limit != value.rows[at - 1][1]:
                for by in (1, -1):
                    low = ages.low + by
                    before, below = value.rows[at - 1]
                    earlier = _with(value, at - 1, (Ages(before.low, low), below))
                    yield f"from {low}, not {ages.low} years", _with(earlier, at, (Ages(low, ages.high), limit))


def _with(bands: Bands[Any], at: int, row: tuple[Ages, Any]) -> Bands[Any]:
    return replace(bands, rows=(*bands.rows[:at], row, *bands.rows[at + 1 :]))


def _beside(at: int) -> list[int]:
    return [other for other in (at - 1, at + 1) if 0 <= other < len(LADDER)]


def bound_rules(name: str) -> list[BoundRule]:
    return [bound for rules in book_of(name).rules.values() for bound in rules]


@pytest.mark.parametrize("name", PROFILES)
def test_a_rule_notices_when_one_of_its_numbers_is_moved(name: str) -> None:
    book, unseen = book_of(name), []
    for bound in bound_rules(name):
        before = list(answers(bound, bound.limits, book.terms))
        for words, limits in moved(bound.limits) if fields(bound.rule.limits) else ():
            if (bound.rule.code, words.split()[0]) in OF_THE_RECORD:
                continue
            if list(answers(bound, limits, book.terms)) == before:
                unseen.append(f"{bound.rule.code}: {words}")
    assert unseen == []


@pytest.mark.parametrize("name", PROFILES)
def test_half_of_the_least_plausible_weight_can_be_recorded(name: str) -> None:
    (limits,) = (bound.limits for bound in bound_rules(name) if bound.rule.code == "implausible-fact")
    possible = {age: possible_weights(Decimal(age), limits) for age in (0, 10, 45)}
    assert possible == {0: (1, 15), 10: (9, 250), 45: (Decimal("12.5"), 400)}


@pytest.mark.parametrize("name", PROFILES)
def test_the_rules_that_share_a_number_notice_when_it_is_moved(name: str) -> None:
    book, unseen = book_of(name), []
    for words, shared in moved(book.terms):
        if _is_idle(words, book.terms):
            continue
        field = words.split()[0]
        for bound in (reader for reader in bound_rules(name) if field in reader.rule.terms):
            if list(answers(bound, bound.limits, shared)) == list(answers(bound, bound.limits, book.terms)):
                unseen.append(f"{bound.rule.code}: {words}")
    assert unseen == []


def _is_idle(words: str, shared: SharedLimits) -> bool:
    """A number that cannot matter: rounding where nothing goes by weight, or a weight where a limit for the day goes first."""
    field, *change = words.split()
    if field == "start_rounding":
        return all(limit is None for _, limit in shared.start_mg_per_kg_per_day.rows)
    later = change[0] == "from" and int(change[1].rstrip(",")) > int(change[3])
    return field == "start_mg_per_kg_per_day" and later and shared.start_mg_per_day.at(Decimal(change[3])) is not None
