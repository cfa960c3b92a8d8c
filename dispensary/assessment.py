"""Rows -> Case -> Review: the only importer of the rule book's review.

Reads only. The same rows, day and profile give the same case, byte for byte; what was asked and answered is frozen by
the action that calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple
from uuid import UUID

from baclofen_rules import Case, InvalidCase, Profile, review
from baclofen_rules import Review as RuleReview
from baclofen_rules.checked import Fields
from baclofen_rules.continuing import was_asked
from baclofen_rules.facts import FACTS, Fact, Kind, PatientFacts
from baclofen_rules.findings import NotAssessed
from baclofen_rules.order import Wordings
from baclofen_rules.record import MOST_DUPLICATES, Ask, read_record
from baclofen_rules.rulebook import rulebook
from baclofen_rules.terms import STOP_FACT
from baclofen_rules.therapy import Habits, Plan, Relation, SupplyType, Therapy, therapy
from baclofen_rules.unknown_facts import find_grave_unknowns
from dispensary.answered import answered_document
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Decision, Dispense, Patient, Pharmacy, Prescription, Product, Sex, Source
from dispensary.models.review import Reviewed
from dispensary.profiles import profile_named
from dispensary.questions import Question, ask_unassessed, ask_unknown
from dispensary.record import record_document, trim_zeros
from dispensary.rows import Rows, group_packs, order_id, select_rows

CASE_FORMAT = "baclofen-case/2"
INPUT_FORMAT = "baclofen-case/1"
"""The format in which orders, facts and earlier supplies come in."""
ANSWERED_BY_THE_SCAN = {"picked.strength_mg"}
"""No hand-over happens without a scanned pack, so what only waits for the scan is no question for a person."""


@dataclass(frozen=True)
class Assessment:
    """A case and its review, as values and as the exact text that is frozen."""

    case_text: str
    result_text: str
    review: RuleReview
    on: date
    case: Case
    profile: Profile

    @cached_property
    def asked(self) -> frozenset[str]:
        """Paths of facts that were asked and are not known, and need not be asked again yet."""
        terms = rulebook(self.profile, self.profile.on or self.on).terms
        return frozenset(f"patient.{name}" for name in FACTS if was_asked(self.case.patient, name, self.on, terms))

    @cached_property
    def grave_unknowns(self) -> tuple[str, ...]:
        """Names of those whose gravest answer would stop this start or rise, or ask for an override; a review for each."""
        return find_grave_unknowns(self.case, self.profile, self.review)

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

    @property
    def therapy(self) -> Therapy:
        """The doses before anything is handed over, as the rules counted them."""
        if self.review.standing is None:
            raise ValueError("a case of the first format holds no record to count a therapy from")
        return self.review.standing.therapy

    @property
    def ask(self) -> Ask:
        """The question that was put to the record."""
        if self.case.ask is None:
            raise ValueError("a case of the first format asks about no order")
        return self.case.ask

    @property
    def plan(self) -> Plan:
        """The regimen of the order in question."""
        return next(order.plan for order in self.therapy.facts.orders if order.id == self.ask.order)

    @cached_property
    def is_taken_to_go_on(self) -> bool:
        """Say whether nobody said what follows the days of an order that repeats the one dose that is taken."""
        if self.review.standing is None or self.ask.order is None or self.plan.then_stop is not None:
            return False
        relation = self.therapy.relate(self.ask.order) if self.plan.is_constant and self.plan.total_days else None
        return relation is not None and relation.relation in (Relation.CONTINUES, Relation.PART)

    def after_hand_over(self) -> Therapy | None:
        """Return the therapy after the hand-over in question; None where its course, or its tablets, are not known."""
        if self.review.standing is None or self.review.course is None or not self.plan.phases:
            return None
        return self.review.standing.after

    def questions(self) -> tuple[Question, ...]:
        """Return every finding, worst first, then which grave facts nobody knows, then what could not be assessed."""
        questions = tuple(
            Question(row.code, row.severity.value, row.summary, row.detail, row.fingerprint, finding=row)
            for row in self.review.findings
        )
        if self.grave_unknowns:
            recorded_on = self.case.patient.recorded_on or {}
            unknown = ask_unknown({name: recorded_on[name] for name in self.grave_unknowns})
            is_answered = unknown.fingerprint in {answer.fingerprint for answer in self.case.answered or ()}
            questions = questions if is_answered else (*questions, unknown)
        missing = self._not_assessed()
        return (*questions, ask_unassessed(missing)) if missing else questions

    def facts_to_ask(self) -> dict[str, list[str]]:
        """Return the names of the patient's facts that are missing, as they are declared, each with the codes of its rules."""
        missing = self._not_assessed()
        codes = {name: [rule.code for rule in missing if f"patient.{name}" in rule.missing] for name in FACTS}
        return {name: rules for name, rules in codes.items() if rules and f"patient.{name}" not in self.asked}

    def missing_beside_facts(self) -> list[NotAssessed]:
        """Return the rules that wait for something, and for no fact that is still to be asked."""
        to_ask = {f"patient.{name}" for name in self.facts_to_ask()}
        return [rule for rule in self._not_assessed() if to_ask.isdisjoint(rule.missing)]

    def _not_assessed(self) -> list[NotAssessed]:
        answered = self.asked | ANSWERED_BY_THE_SCAN | ({STOP_FACT} if self.is_taken_to_go_on else set())
        return [rule for rule in self.review.not_assessed if not answered >= set(rule.missing)]


def profile_of(pharmacy: Pharmacy, on: date) -> Profile:
    """Return the pharmacy's profile as in force on a day. Raises `InvalidInput` when there is none of that name."""
    return profile_named(pharmacy.profile, on)


def therapy_of(patient: Patient, on: date, decisions: Sequence[Decision] = ()) -> Therapy:
    """Return what a patient takes, from everything known on the evening of a day.

    `decisions` count as if they were stored. For many patients prefetch `loading.OF_A_PATIENT`, and their pharmacies. Raises `InvalidInput` when what is stored
    cannot be read.
    """
    rows = select_rows(patient, on)
    rows = rows._replace(decisions=[*rows.decisions, *decisions])
    return count_therapy(patient, rows, on, habits_of(patient.pharmacy, on))


def supply_type_of(dispense: Dispense, on: date) -> SupplyType:
    """Return the kind of one product's hand-over, as known on the evening of a day. Raises `InvalidInput` when what is stored cannot be read."""
    if dispense.prescription.source == Source.EMERGENCY:
        return SupplyType.EMERGENCY
    patient = dispense.person
    rows = select_rows(patient, on)
    products = rows.products_of(dispense.prescription)
    packs = next(packs for packs in group_packs(products, rows.dispenses) if dispense in packs)
    counted = count_therapy(patient, rows, on, habits_of(patient.pharmacy, on))
    return counted.supply_type(str(packs[0].pk), products.index(dispense.prescription))


def count_therapy(patient: Patient, rows: Rows, on: date, habits: Habits) -> Therapy:
    """Return what a patient takes, from some rows. Raises `InvalidInput` when what is stored cannot be read."""
    document = record_document(rows, on)
    document["patient"] = {"died_on": None if patient.died_on is None else patient.died_on.isoformat()}
    try:
        record = read_record(Fields(document, ""), on, Wordings())
    except InvalidCase as error:
        raise _unreadable(error) from error
    return therapy(record.facts(on, habits))


def habits_of(pharmacy: Pharmacy, on: date) -> Habits:
    """Return the numbers that days are counted with: the profile's, with the pharmacy's own days for its calls."""
    return replace(
        habits_of_profile(pharmacy, on), lead=pharmacy.refill_lead_days, second_call=pharmacy.second_call_days
    )


def habits_of_profile(pharmacy: Pharmacy, on: date) -> Habits:
    """Return the numbers of the profile that days are counted with."""
    profile = profile_of(pharmacy, on)
    return rulebook(profile, profile.on or on).habits


def rules_of_two(pharmacy: Pharmacy, on: date) -> frozenset[str]:
    """Return the codes of the rules whose overrides two pharmacists sign, after the profile; none where the pharmacy does not ask for it."""
    if not pharmacy.second_signer:
        return frozenset()
    profile = profile_of(pharmacy, on)
    return frozenset(rulebook(profile, profile.on or on).terms.two_signatures or ())


class Part(NamedTuple):
    """Another strength of the same order, handed over together with it."""

    prescription: Prescription
    quantity: Decimal
    picked: Mapping[str, Any] | None


def assess(
    prescription: Prescription,
    *,
    on: date,
    picked: Mapping[str, Any] | None = None,
    quantity: Decimal | None = None,
    also: Sequence[Part] = (),
    decisions: Sequence[Decision] = (),
) -> Assessment:
    """Ask the rule book about one prescription on one day.

    `picked` is the scanned pack as `pick_document` makes it, `quantity` the tablets about to be handed over, where that
    is known, `also` what of the order's other strengths. `decisions` count as if they were stored. Raises `InvalidInput`
    when what is stored is no longer a case that the rule book reads.
    """
    document = case_document(prescription, on=on, picked=picked, quantity=quantity, also=also, decisions=decisions)
    return assess_document(document, profile_of(prescription.pharmacy, on), on)


def assess_stop(subject: Reviewed, *, on: date, reason: str) -> Assessment:
    """Ask the rule book about stopping what an order or a recorded supply feeds. `reason` is one of the case format, or ""."""
    patient, asked = subject.patient, subject.pk if isinstance(subject, Prescription) else None
    rows = select_rows(patient, on, asked)
    course: str | None = str(subject.pk)
    if isinstance(subject, Prescription):
        products = rows.products_of(subject)
        course = order_id(products) if any(group_packs(products, rows.dispenses)) else None
    ask = {"action": "discontinue", "reason": reason or None, "ask": {"course": course}}
    return assess_document(_document(patient, rows, on, asked) | ask, profile_of(patient.pharmacy, on), on)


def assess_document(document: Mapping[str, Any], profile: Profile, on: date) -> Assessment:
    """Review a case given as a document."""
    case = read_case(document)
    answer = review(case, profile)
    return Assessment(canonical(case.to_json()), canonical(answer.to_json()), answer, on, case, profile)


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
    also: Sequence[Part] = (),
    decisions: Sequence[Decision] = (),
    until: datetime | None = None,
) -> dict[str, Any]:
    """Return the case of the stored rows as a `baclofen-case/2` document; as `assess` has it, or as it was at a moment."""
    rows = select_rows(prescription.patient, on, prescription.pk, until)
    rows = rows._replace(decisions=[*rows.decisions, *decisions])
    products = rows.products_of(prescription)
    document = _document(prescription.patient, rows, on, prescription.pk)
    parts = [Part(prescription, quantity or Decimal(0), picked), *also]
    ask: dict[str, Any] = {
        "order": order_id(products),
        "picked": [part.picked for part in parts if part.picked is not None],
    }
    if quantity is not None:
        tablets = {part.prescription.pk: part.quantity for part in parts}
        ask["tablets"] = [trim_zeros(tablets.get(row.pk, Decimal(0))) for row in products]
        if any(tablets.get(row.pk) != row.quantity for row in products):
            # Of a part of the quantity the days that the order expects say nothing.
            order = next(order for order in document["orders"] if order["id"] == ask["order"])
            for worded in (order, *order["products"]):
                worded["expected_days"] = None
    return document | {"action": "dispense", "ask": ask}


def _document(patient: Patient, rows: Rows, on: date, asked: UUID | None) -> dict[str, Any]:
    """Return a case without its question. `asked` is the prescription that the question will be about."""
    document: dict[str, Any] = {
        "format": CASE_FORMAT,
        "on": on.isoformat(),
        "patient": facts_for_the_rules(patient, on) | {"died_on": patient.died_on and patient.died_on.isoformat()},
        "answered": answered_document(rows),
        **record_document(rows, on, asked),
    }
    duplicates = patient.namesakes_to_answer()
    if duplicates:
        document["potential_duplicates"] = min(duplicates, MOST_DUPLICATES)
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
    if value in (None, "") or (fact.kind is Kind.SEX and value == Sex.UNKNOWN):
        return None
    if fact.kind is Kind.AMOUNT:
        return trim_zeros(value)
    return value.isoformat() if fact.kind in {Kind.BIRTH_DATE, Kind.DAY} else value


def facts_for_the_rules(patient: Patient, on: date) -> dict[str, Any]:
    """Return the recorded facts as the rules read them on a day."""
    facts = facts_document(patient) | {"recorded_on": patient.recorded_on or None}
    return facts | presume_not_pregnant(facts, profile_of(patient.pharmacy, on), on)


def presume_not_pregnant(facts: Mapping[str, Any], profile: Profile, on: date) -> dict[str, bool]:
    """Return no pregnancy and no breast-feeding for who is not asked for them: men, children and older women.

    What was recorded is never overruled.
    """
    born, years = facts.get("birth_date"), facts.get("age_years")
    age = PatientFacts(date.fromisoformat(born) if born else None, years).age_on(on)
    terms = rulebook(profile, profile.on or on).terms
    if facts.get("sex") != Sex.MALE and (
        age is None or terms.childbearing_from_years <= age <= terms.childbearing_to_years
    ):
        return {}
    return {name: bool(facts.get(name)) for name in ("pregnant", "breastfeeding")}
