"""Rows -> Case -> Review: the only importer of the rule book's review.

Reads only. The same rows, day and profile give the same case, byte for byte; what was asked and answered is frozen by
the action that calls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

from baclofen_rules import Case, InvalidCase, Profile, review
from baclofen_rules import Review as RuleReview
from baclofen_rules.checked import Fields
from baclofen_rules.facts import FACTS, Fact, Kind
from baclofen_rules.findings import Dur, Finding, NotAssessed
from baclofen_rules.record import read_record
from baclofen_rules.rulebook import rulebook
from baclofen_rules.therapy import Habits, Therapy, therapy
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Patient, Pharmacy, Phase, Prescription, Product, Sex
from dispensary.profiles import profile_named
from dispensary.record import record_document, select_rows, trim_zeros
from dispensary.supplies import history

CASE_FORMAT = "baclofen-case/1"
NOT_ASSESSED = "not-assessed"
"""The code under which everything that could not be assessed is acknowledged, in one step."""

ANSWERED_BY_THE_SCAN = {"picked.strength_mg"}
"""No hand-over happens without a scanned pack, so what only waits for the scan is no question for a person."""
_BACLOFEN = {"name": "baclofen", "atc": "M03BX01"}
"""The medicine of an order that names none: it is taken in here as one of baclofen."""


@dataclass(frozen=True, slots=True)
class Question:
    """A finding, or all rules that could not be assessed, for a person to answer before a hand-over."""

    code: str
    severity: str
    summary: str
    detail: str
    fingerprint: str
    """The same finding on the same facts has the same one; an answer holds for exactly one."""
    finding: Finding | None

    @property
    def is_dose_above_limit(self) -> bool:
        return self.finding is not None and self.finding.dur is Dur.HIGH_DOSE


@dataclass(frozen=True, slots=True)
class Assessment:
    """A case and its review, as values and as the exact text that is frozen."""

    case_text: str
    result_text: str
    review: RuleReview
    on: date

    @property
    def outcome(self) -> str:
        """`pass`, `acknowledge`, `override` or `stop`."""
        return self.review.outcome.value

    @property
    def profile_name(self) -> str:
        return self.review.profile_name

    @property
    def profile_digest(self) -> str:
        return self.review.profile_digest

    @property
    def rules_version(self) -> str:
        return self.review.rules_version

    def questions(self) -> tuple[Question, ...]:
        """Return every finding, worst first, then what could not be assessed."""
        questions = tuple(_question(finding) for finding in self.review.findings)
        missing = [rule for rule in self.review.not_assessed if set(rule.missing) != ANSWERED_BY_THE_SCAN]
        return (*questions, _unassessed(missing)) if missing else questions


def profile_of(pharmacy: Pharmacy, on: date) -> Profile:
    """Return the pharmacy's profile as in force on a day. Raises `InvalidInput` when there is none of that name."""
    return profile_named(pharmacy.profile, on)


def therapy_of(patient: Patient, on: date) -> Therapy:
    """Return what a patient takes, from everything known on the evening of a day.

    For many patients prefetch `record.OF_A_PATIENT`, and their pharmacies. Raises `InvalidInput` when what is stored
    cannot be read.
    """
    document = record_document(select_rows(patient, on), on)
    document["patient"] = {"died_on": None if patient.died_on is None else patient.died_on.isoformat()}
    try:
        record = read_record(Fields(document, ""), on, None)
    except InvalidCase as error:
        raise _unreadable(error) from error
    return therapy(record.facts(on, habits_of(patient.pharmacy, on)))


def habits_of(pharmacy: Pharmacy, on: date) -> Habits:
    """Return the numbers that days are counted with: the profile's, with the pharmacy's own days for its calls."""
    profile = profile_of(pharmacy, on)
    habits = rulebook(profile, profile.on or on).habits
    return replace(habits, lead=pharmacy.refill_lead_days, second_call=pharmacy.second_call_days)


def assess(
    prescription: Prescription,
    *,
    on: date,
    picked: Mapping[str, Any] | None = None,
    quantity: Decimal | None = None,
    discontinue: str | None = None,
) -> Assessment:
    """Ask the rule book about one prescription on one day.

    `picked` is the scanned pack as `pick_document` makes it, `quantity` the tablets about to be handed over where that is not the
    whole order, `discontinue` the reason (or "") when the medicine is to be stopped instead. Raises `InvalidInput` when
    what is stored is no longer a case that the rule book reads.
    """
    document = case_document(prescription, on=on, picked=picked, quantity=quantity, discontinue=discontinue)
    return assess_document(document, profile_of(prescription.pharmacy, on), on)


def assess_document(document: Mapping[str, Any], profile: Profile, on: date) -> Assessment:
    """Review a case given as a document."""
    case = read_case(document)
    answer = review(case, profile)
    return Assessment(canonical(case.to_json()), canonical(answer.to_json()), answer, on)


def read_case(document: Mapping[str, Any]) -> Case:
    """Read a document as a checked case. Raises `InvalidInput` with the JSON path of what is wrong."""
    try:
        return Case.from_json(document)
    except InvalidCase as error:
        raise _unreadable(error) from error


def _unreadable(error: InvalidCase) -> InvalidInput:
    return InvalidInput(
        f"The case cannot be read at {error.path}.",
        Problem(str(error.path), str(error.given)[:120], str(error.expected)),
    )


def canonical(document: object) -> str:
    """Return JSON with sorted keys and no blanks, to be frozen and hashed."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# --- rows -> case -----------------------------------------------------------------------------------------------------


def case_document(
    prescription: Prescription,
    *,
    on: date,
    picked: Mapping[str, Any] | None = None,
    quantity: Decimal | None = None,
    discontinue: str | None = None,
) -> dict[str, Any]:
    """Return the case of the stored rows as a `baclofen-case/1` document."""
    document: dict[str, Any] = {
        "format": CASE_FORMAT,
        "on": on.isoformat(),
        "patient": _facts_for_the_rules(prescription.patient),
        "history": history(prescription.patient, on=on, leading_to=prescription),
    }
    if discontinue is not None:
        return document | {"action": "discontinue"} | ({"reason": discontinue} if discontinue else {})
    document |= {"action": "dispense", "prescription": order_document(prescription, quantity)}
    if picked is not None:
        document["picked"] = picked
    return document


def pick_document(product: Product, expires_on: date | None) -> dict[str, Any]:
    """Return a scanned pack as the case format has it. `expires_on` is what its code says, or what was typed."""
    return {
        "strength_mg": trim_zeros(product.strength_mg),
        "medicine": {"name": product.ingredient},
        "brand": product.brand or product.name,
        "form": product.form,
        "expires_on": None if expires_on is None else expires_on.isoformat(),
    }


def facts_document(patient: Patient) -> dict[str, Any]:
    """Return every recorded fact as the case format has it; an unknown one is null."""
    return {name: _fact_in_case(fact, getattr(patient, name)) for name, fact in FACTS.items()}


def _fact_in_case(fact: Fact, value: Any) -> Any:
    if value is None or (fact.kind is Kind.SEX and value == Sex.UNKNOWN):
        return None
    if fact.kind is Kind.AMOUNT:
        return trim_zeros(value)
    return value.isoformat() if fact.kind in {Kind.BIRTH_DATE, Kind.DAY} else value


def _facts_for_the_rules(patient: Patient) -> dict[str, Any]:
    facts = facts_document(patient)
    if patient.sex == Sex.MALE:
        # Recorded as male and nothing said: no question to ask at the counter. What was recorded is never overruled.
        for name in ("pregnant", "breastfeeding"):
            facts[name] = bool(facts[name])
    return facts


def order_document(prescription: Prescription, quantity: Decimal | None = None) -> dict[str, Any]:
    """Return the order as the case format has it. Phases that were only read from the directions are left to be read again."""
    order: dict[str, Any] = {
        "medicine": prescription.medicine or _BACLOFEN,
        "written_on": None if prescription.written_on is None else prescription.written_on.isoformat(),
        "route": prescription.route or None,
        "form": prescription.form or None,
        "strength_mg": None if prescription.strength_mg is None else trim_zeros(prescription.strength_mg),
        "brand": prescription.brand or None,
        "then_stop": prescription.then_stop,
        "directions": prescription.directions or None,
        "repeats": prescription.repeats,
        "as_needed": prescription.as_needed or None,
        "lines": prescription.lines or None,
        # Of a part of the quantity it says nothing.
        "expected_days": prescription.expected_days if quantity in (None, prescription.quantity) else None,
    }
    amount = prescription.quantity if quantity is None else quantity
    if amount is not None:
        order["quantity"] = trim_zeros(amount)
    if not prescription.phases_from_directions:
        order["phases"] = [_phase_document(phase) for phase in prescription.phases.all()] or None
    return order


def _phase_document(phase: Phase) -> dict[str, Any]:
    doses = [trim_zeros(dose) for dose in phase.doses]
    times = {"times": phase.times} if phase.times else {}
    return {"doses": doses, **times, "unit": phase.unit, "days": phase.days, "from_day": phase.from_day}


def _question(finding: Finding) -> Question:
    facts = {key: value for key, value in finding.to_json().items() if key not in {"sources", "suggestion"}}
    return Question(
        code=finding.code,
        severity=finding.severity.value,
        summary=finding.summary,
        detail=finding.detail,
        fingerprint=hashlib.sha256(canonical(facts).encode()).hexdigest(),
        finding=finding,
    )


def _unassessed(missing: Iterable[NotAssessed]) -> Question:
    missing_text = "; ".join(f"{rule.code} needs {', '.join(rule.missing)}" for rule in missing)
    return Question(
        code=NOT_ASSESSED,
        severity="acknowledge",
        summary="Some rules could not be assessed because a fact is missing",
        detail=missing_text,
        fingerprint=hashlib.sha256(missing_text.encode()).hexdigest(),
        finding=None,
    )
