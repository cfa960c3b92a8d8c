"""A rule that is not asked, because the case touches none of its topics, would have stayed clear."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baclofen_rules import Action, Case, Finding, InvalidCase, load_profile, review, rule_by_code
from baclofen_rules.findings import CLEAR, Found, Severity, Words
from baclofen_rules.rulebook import rulebook
from baclofen_rules.terms import Terms
from baclofen_rules.topics import Topic
from tests.baclofen_rules.cases import case_of
from tests.baclofen_rules.test_unknown import CASES, FACTS, PROFILES, is_there, without


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(row=CASES, facts=st.sets(st.sampled_from(FACTS), max_size=5))
def test_a_rule_that_is_not_asked_would_have_stayed_clear(row: dict[str, Any], facts: set[str]) -> None:
    for fact in sorted(facts):
        if is_there(row, fact):
            row = without(row, fact)
    try:
        case = Case.from_json(row)
    except InvalidCase:
        return
    for profile in PROFILES:
        book = rulebook(profile, case.on)
        terms = Terms(case, book.terms)
        asked = {bound for _, _, bound in book.about(case.action, terms.topics)}
        for bound in book.rules[case.action]:
            if bound not in asked and not (bound.rule.needs_dose and not terms.phases):
                assert bound.rule.check(terms, bound.limits) == CLEAR, bound.rule.code


@pytest.mark.parametrize(
    ("fact", "topic"),
    [
        ("alcohol_use", Topic.ALCOHOL),
        ("drives", Topic.DRIVING),
        ("breastfeeding", Topic.FEEDING),
        ("pregnant", Topic.PREGNANCY),
        ("intrathecal_pump", Topic.PUMP),
    ],
)
def test_an_unknown_fact_touches_its_topic_as_a_recorded_one_does(fact: str, topic: int) -> None:
    book = rulebook(PROFILES[0], Case.from_json(case_of({})).on)
    for value, touched in ((False, False), (True, True), (None, True)):
        terms = Terms(Case.from_json(case_of({"patient": {fact: value}})), book.terms)
        assert bool(terms.topics & topic) is touched


def test_a_calm_case_is_asked_fewer_rules_and_an_unknown_one_nearly_all() -> None:
    book = rulebook(PROFILES[0], Case.from_json(case_of({})).on)
    calm = Terms(Case.from_json(case_of({"had": ["5+5+5, 28 days ago, for 28 days"]})), book.terms)
    unknown = Terms(
        Case.from_json(case_of({"case": {"patient": {}, "history": None}, "prescription": {"then_stop": None}})),
        book.terms,
    )
    every = len(book.rules[Action.DISPENSE])
    assert len(book.about(Action.DISPENSE, calm.topics)) < every / 2
    assert len(book.about(Action.DISPENSE, unknown.topics)) == every


def test_the_words_of_a_finding_are_the_same_whenever_they_are_read() -> None:
    row = {"takes": ["35+35+40 for 28 days"], "patient": {"egfr": 40, "alcohol_use": True}}
    answer = review(Case.from_json(case_of(row)), load_profile("lioresal"))
    early = [finding.to_json() for finding in answer.findings]
    assert [finding.to_json() for finding in answer.findings] == early
    assert [finding.summary for finding in answer.findings] == [one["summary"] for one in early]
    assert answer == review(Case.from_json(case_of(row)), load_profile("lioresal"))


def test_what_a_rule_says_twice_is_one_finding_as_grave_as_the_gravest() -> None:
    said = (
        Found(Severity.ACKNOWLEDGE, lambda: Words("Mild", "Mild detail.")),
        Found(Severity.STOP, lambda: Words("Grave", "Grave detail.", observed={"mg": "1"})),
    )
    finding = Finding("age", Severity.STOP, said, ())
    assert (finding.summary, finding.detail, finding.observed) == ("Grave", "Grave detail. Mild detail.", {"mg": "1"})
    assert rule_by_code(finding.code).asked_about == 0
