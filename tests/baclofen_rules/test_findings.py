"""A finding's words never change, and several answers of one rule become one finding."""

from baclofen_rules import Case, Finding, load_profile, review
from baclofen_rules.findings import Found, Severity, Words
from tests.baclofen_rules.cases import case_of


def test_the_words_of_a_finding_are_the_same_whenever_they_are_read() -> None:
    row = {"takes": ["35+35+40 for 28 days"], "patient": {"egfr": 40, "alcohol_use": True}}
    answer = review(Case.from_json(case_of(row)), load_profile("lioresal"))
    early = [finding.to_json() for finding in answer.findings]
    assert [finding.to_json() for finding in answer.findings] == early
    assert [finding.summary for finding in answer.findings] == [finding["summary"] for finding in early]
    assert answer == review(Case.from_json(case_of(row)), load_profile("lioresal"))


def test_what_a_rule_says_twice_is_one_finding_as_grave_as_the_gravest() -> None:
    answer = (
        Found(Severity.ACKNOWLEDGE, lambda: Words("Mild", "Mild detail.")),
        Found(Severity.STOP, lambda: Words("Grave", "Grave detail.", observed={"mg": "1"})),
    )
    finding = Finding("age", Severity.STOP, answer, ())
    assert (finding.summary, finding.detail, finding.observed) == ("Grave", "Grave detail. Mild detail.", {"mg": "1"})
