"""Each finding says what would clear it, or that nothing does and what answers it."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import pytest

from baclofen_rules import load_profile, rule_by_code
from baclofen_rules.rules import all_rules
from dispensary.assessment import assess_document
from dispensary.counter.remedies import what_clears
from tests.baclofen_rules.cases import case_of
from tests.golden.test_golden import BESIDE, JOURNEYS


def remedies(journey: dict[str, Any]) -> dict[str, str]:
    """The remedy of each finding of a journey that asks for something."""
    document = case_of(journey, BESIDE)
    assessment = assess_document(document, load_profile("lioresal"), date.fromisoformat(document["on"]))
    asked = [q for q in assessment.questions() if q.severity != "information" and q.finding is not None]
    return {question.code: what_clears(question, assessment.on).replace("\u00a0", " ") for question in asked}


def test_every_rule_that_asks_says_what_clears_it_or_that_nothing_does() -> None:
    assert [
        rule.code
        for rule in all_rules()
        if not (rule.clears or rule.choose_clearing or rule.clears_on or rule.nothing_clears)
    ] == []


@pytest.mark.parametrize("journey", JOURNEYS, ids=[journey["name"] for journey in JOURNEYS])
def test_a_remedy_is_one_whole_sentence(journey: dict[str, Any]) -> None:
    for code, sentence in remedies(journey).items():
        assert not sentence[0].islower(), code
        assert sentence.endswith("."), code
        assert not set("{}[]_") & set(sentence), sentence
        assert not re.search(r"\b(\w+) (on|until) \1\b", sentence), sentence
        if rule_by_code(code).clears:
            assert not sentence.startswith("Nothing"), sentence
