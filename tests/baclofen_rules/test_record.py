"""The second case format: orders, supplies, decisions and a question; read, refused with its place, written back."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest

from baclofen_rules import Case, InvalidCase, all_rules, load_profile, review
from tests.baclofen_rules.cases import CALM_PATIENT
from tests.baclofen_rules.therapy.reading import CASES


def document_of(case: Mapping[str, Any], answer: bool = False) -> dict[str, Any]:
    """A worked case of the therapy as a document of the case format, for a calm patient."""
    ask = case.get("ask") or {}
    return {
        "format": "baclofen-case/2",
        "on": case["today"],
        "action": "dispense" if ask else "discontinue",
        "patient": {**deepcopy(CALM_PATIENT), "died_on": case["patient"]["died_on"]},
        "orders": [
            {
                "medicine": {"name": "Baclofen", "atc": "M03BX01"},
                "form": "tablet",
                "route": "oral",
                **{key: value for key, value in order.items() if key != "products"},
                "products": [_with_unit(product) for product in order["products"]],
            }
            for order in case["orders"]
        ],
        "supplies": [_supply(supply) for supply in case["supplies"]],
        "decisions": [*case["decisions"], *(ask.get("answer", []) if answer else [])],
        "ask": {
            "order": ask["order"],
            "tablets": ask.get("give"),
            "picked": [
                {"strength_mg": product["strength_mg"], "medicine": "baclofen", "expires_on": "2031-12-31"}
                for product in next(o for o in case["orders"] if o["id"] == ask["order"])["products"]
            ],
        }
        if ask
        else None,
    }


def _with_unit(product: Mapping[str, Any]) -> dict[str, Any]:
    return {**product, "phases": [{**phase, "unit": "mg"} for phase in product["phases"]]}


def _supply(supply: Mapping[str, Any]) -> dict[str, Any]:
    if "regimen" not in supply:
        return dict(supply)
    regimen = supply["regimen"]
    return {**supply, "regimen": {**regimen, "products": [_with_unit(product) for product in regimen["products"]]}}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_case_reads_back_to_itself(case: Mapping[str, Any]) -> None:
    read = Case.from_json(document_of(case))
    assert Case.from_json(read.to_json()) == read


BASE = document_of(CASES[0])
BAD: list[tuple[str, Any, str]] = [
    ("orders.0.id", None, "orders[0].id"),
    ("orders.1.id", "A", "orders"),
    ("orders.0.products", [], "orders[0].products"),
    ("orders.0.status", "begun", "orders[0].status"),
    ("orders.0.starts_on", "29.12.2026", "orders[0].starts_on"),
    ("orders.0.interval_days", 0, "orders[0].interval_days"),
    ("orders.0.written_on", "2026-12-02", "orders[0].written_on"),
    ("orders.0.products.0.phases.0.times", ["morning"], "orders[0].products[0].phases[0].times"),
    ("orders.0.products.0.phases.0.times", ["dawn", None, None], "orders[0].products[0].phases[0].times[0]"),
    ("supplies.0.order", "Z", "supplies[0].order"),
    ("supplies.0.tablets", [1, 2], "supplies[0].tablets"),
    ("supplies.0.tablets", None, "supplies[0].tablets"),
    ("supplies.0.on", "2026-12-02", "supplies[0].on"),
    ("supplies.0.status", "returned", "supplies[0].returned_on"),
    ("supplies.0.dose", 10, "supplies[0].dose"),
    ("decisions", [{"kind": "guesses", "object": "A", "on": "2026-12-01"}], "decisions[0].kind"),
    ("decisions", [{"kind": "stopped", "on": "2026-12-01"}], "decisions[0].object"),
    ("ask.order", "Z", "ask.order"),
    ("ask.order", None, "ask.order"),
    ("ask.tablets", [1, 2], "ask.tablets"),
    ("prescription", {}, "prescription"),
]


@pytest.mark.parametrize(("path", "value", "refused_at"), BAD, ids=[f"{n} {row[0]}" for n, row in enumerate(BAD)])
def test_what_cannot_be_reviewed_is_refused_with_its_place(path: str, value: Any, refused_at: str) -> None:
    document: Any = deepcopy(BASE)
    *way, last = path.split(".")
    at = document
    for step in way:
        at = at[int(step)] if step.isdigit() else at[step]
    at[last] = value
    with pytest.raises(InvalidCase) as refused:
        Case.from_json(document)
    assert refused.value.path == refused_at


def test_an_unknown_history_is_said_and_not_taken_for_none() -> None:
    answer = review(Case.from_json({**BASE, "supplies": None}), load_profile("lioresal"))
    assert "early-refill" in {rule.code for rule in answer.not_assessed}


QUESTIONS = {rule.code for rule in all_rules() if rule.needs_record} - {"order-status"} | {
    *("early-refill", "late-refill", "restart", "leftover-supply", "duplicate-supply", "daily-maximum"),
}


@pytest.mark.parametrize("case", [case for case in CASES if case.get("ask")], ids=lambda case: case["id"])
def test_a_worked_case_finds_its_questions(case: Mapping[str, Any]) -> None:
    answer = review(Case.from_json(document_of(case)), load_profile("lioresal"))
    severities = {finding.code: str(finding.severity) for finding in answer.findings if finding.code in QUESTIONS}
    assert severities == case["expected"]["order"]["findings"]
    assert answer.to_json()["therapy"]["relation"] == case["expected"]["order"]["relation"]


@pytest.mark.parametrize("case", [case for case in CASES if case.get("ask")], ids=lambda case: case["id"])
def test_an_answered_question_is_not_asked_again(case: Mapping[str, Any]) -> None:
    answers = [row for row in case["ask"].get("answer", []) if row["kind"] in {"replaces", "beside", "continues"}]
    answer = review(Case.from_json(document_of(case, answer=True)), load_profile("lioresal"))
    asked = {"dose-change", "supply-relation", "outdated-order", "two-strengths", "as-needed-beside"}
    assert not answers or not asked & {finding.code for finding in answer.findings}
