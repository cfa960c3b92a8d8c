"""Rows -> Case -> Review: the one room that asks the rule book.

Reads only. The same rows, day and profile give the same case, byte for byte; what was asked and answered is frozen by
the action that calls.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from baclofen_rules import Case, InvalidCase, InvalidProfile, Profile, load_profile, review
from baclofen_rules import Review as RuleReview
from baclofen_rules.regimen import Phase as RulePhase
from baclofen_rules.regimen import Regimen, Unit
from baclofen_rules.text import format_amount
from dispensary.conf import conf
from dispensary.errors import InvalidInput, Problem
from dispensary.models import (
    Dispense,
    DispenseStatus,
    Patient,
    Pharmacy,
    Phase,
    Prescription,
    PrescriptionStatus,
    PriorSupply,
    Relation,
    Sex,
)

CASE_FORMAT = "baclofen-case/1"
NOT_ASSESSED = "not-assessed"
"""The code under which everything that could not be assessed is acknowledged, in one step."""

WITH_A_SUPPLY = ("pharmacy", "prescription")
OF_A_SUPPLY = ("prescription__phases",)
"""What a case needs to know about each earlier supply, for whoever fetches the histories of many patients at once."""

_ANSWERED_BY_THE_SCAN = {"picked.strength_mg"}
# No hand-over happens without a scanned pack, so what only waits for the scan is no question for a person.

_FACTS = (
    "egfr",
    "dialysis",
    "pregnant",
    "breastfeeding",
    "allergies",
    "conditions",
    "medicines",
    "alcohol_use",
    "drives",
    "intrathecal_pump",
    "weight_kg",
)


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that a person must answer before a hand-over: a finding, or all that could not be assessed."""

    code: str
    severity: str
    summary: str
    detail: str
    fingerprint: str
    """The same finding on the same facts has the same one; an answer holds for exactly one."""
    finding: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What was asked, and what the rule book answered, as exact text."""

    case_text: str
    result_text: str
    result: Mapping[str, Any]
    profile_name: str
    profile_digest: str
    rules_version: str
    on: date

    @property
    def outcome(self) -> str:
        """`pass`, `acknowledge`, `override` or `stop`."""
        return str(self.result["outcome"])

    def questions(self) -> tuple[Question, ...]:
        """Every finding, worst first, then what could not be assessed."""
        found = tuple(_question(finding) for finding in self.result["findings"])
        missing = [entry for entry in self.result["not_assessed"] if set(entry["missing"]) != _ANSWERED_BY_THE_SCAN]
        return (*found, _unassessed(missing)) if missing else found


def local_day(pharmacy: Pharmacy, now: datetime) -> date:
    """The calendar day at the pharmacy."""
    return now.astimezone(ZoneInfo(pharmacy.time_zone)).date()


def profile_of(pharmacy: Pharmacy, on: date) -> Profile:
    """The pharmacy's profile as in force on a day. Raises `InvalidInput` when there is none of that name."""
    try:
        return _profile(pharmacy.profile or conf().default_profile, on, conf().profile_folder)
    except InvalidProfile as error:
        raise InvalidInput(
            f"The pharmacy's profile cannot be used: {error}",
            Problem(
                "pharmacy.profile", pharmacy.profile, "the name of a profile", "A manager chooses one under settings."
            ),
        ) from error


@lru_cache(maxsize=64)
def _profile(name: str, on: date, folder: Path | None) -> Profile:
    return load_profile(name, on=on, folder=folder)


def assess(
    prescription: Prescription,
    *,
    on: date,
    picked_mg: Decimal | None = None,
    quantity: Decimal | None = None,
    discontinue: str | None = None,
) -> Assessment:
    """Ask the rule book about one prescription on one day.

    `picked_mg` is the strength that was scanned, `quantity` the tablets about to be handed over where that is not the
    whole order, `discontinue` the reason (or "") when the medicine is to be stopped instead. Raises `InvalidInput` when
    what is stored is no longer a case that the rule book reads.
    """
    document = case_document(prescription, on=on, picked_mg=picked_mg, quantity=quantity, discontinue=discontinue)
    return assess_document(document, profile_of(prescription.pharmacy, on), on)


def assess_document(document: Mapping[str, Any], profile: Profile, on: date) -> Assessment:
    """Review a case given as a document; the shared end of every question."""
    case = read_case(document)
    answer: RuleReview = review(case, profile)
    result = answer.to_json()
    return Assessment(
        case_text=canonical(case.to_json()),
        result_text=canonical(result),
        result=result,
        profile_name=profile.name,
        profile_digest=profile.digest,
        rules_version=str(result["rules_version"]),
        on=on,
    )


def read_case(document: Mapping[str, Any]) -> Case:
    """A document as a checked case. Raises `InvalidInput` with the JSON path of what is wrong."""
    try:
        return Case.from_json(document)
    except InvalidCase as error:
        raise InvalidInput(
            f"The case cannot be read at {error.path}.",
            Problem(str(error.path), str(error.given)[:120], str(error.expected)),
        ) from error


def canonical(document: object) -> str:
    """JSON with sorted keys and no blanks: what is frozen and hashed."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# --- rows -> case -----------------------------------------------------------------------------------------------------


def case_document(
    prescription: Prescription,
    *,
    on: date,
    picked_mg: Decimal | None = None,
    quantity: Decimal | None = None,
    discontinue: str | None = None,
) -> dict[str, Any]:
    """The case as a `baclofen-case/1` document, from what is stored."""
    document: dict[str, Any] = {
        "format": CASE_FORMAT,
        "on": on.isoformat(),
        "patient": _facts_for_the_rules(prescription.patient),
        "history": history(prescription.patient, on=on, leading_to=prescription),
    }
    if discontinue is not None:
        return document | {"action": "discontinue"} | ({"reason": discontinue} if discontinue else {})
    document |= {"action": "dispense", "prescription": order_document(prescription, quantity)}
    if picked_mg is not None:
        document["picked"] = {"strength_mg": _number(picked_mg)}
    return document


def facts_document(patient: Patient) -> dict[str, Any]:
    """The patient's facts; what is unknown stays null."""
    facts: dict[str, Any] = {name: getattr(patient, name) for name in _FACTS}
    for name in ("egfr", "weight_kg"):
        facts[name] = None if facts[name] is None else _number(facts[name])
    facts["birth_date"] = None if patient.birth_date is None else patient.birth_date.isoformat()
    facts["sex"] = None if patient.sex == Sex.UNKNOWN else patient.sex
    return facts


def _facts_for_the_rules(patient: Patient) -> dict[str, Any]:
    facts = facts_document(patient)
    if patient.sex == Sex.MALE:
        # Recorded as male and nothing said: no question to ask at the counter. What was recorded is never overruled.
        for name in ("pregnant", "breastfeeding"):
            facts[name] = bool(facts[name])
    return facts


def order_document(prescription: Prescription, quantity: Decimal | None = None) -> dict[str, Any]:
    """The order as the case format has it. Phases that were only read from the directions are left to be read again."""
    order: dict[str, Any] = {
        "written_on": None if prescription.written_on is None else prescription.written_on.isoformat(),
        "route": prescription.route or None,
        "form": prescription.form or None,
        "strength_mg": None if prescription.strength_mg is None else _number(prescription.strength_mg),
        "brand": prescription.brand or None,
        "then_stop": prescription.then_stop,
        "directions": prescription.directions or None,
        "repeats": prescription.repeats,
    }
    amount = prescription.quantity if quantity is None else quantity
    if amount is not None:
        order["quantity"] = _number(amount)
    if not prescription.phases_from_directions:
        order["phases"] = [_phase_document(phase) for phase in prescription.phases.all()] or None
    return order


def regimen_of(prescription: Prescription) -> Regimen | None:
    """The planned course as ordered; `None` when the order has no phase that could be read."""
    phases = tuple(RulePhase(tuple(phase.doses), phase.days, Unit(phase.unit)) for phase in prescription.phases.all())
    return Regimen(phases, prescription.then_stop) if phases else None


def history(patient: Patient, *, on: date, leading_to: Prescription | None = None) -> list[dict[str, Any]]:
    """Earlier supplies of baclofen, oldest first, as the case format has them: ours and those others told us of.

    A supply counts as `concurrent` when it belongs to another order that is still active and that nothing replaces:
    then both are meant to run. Everything else is the same course.
    """
    supplies = [_prior(row) for row in patient.prior_supplies.all() if row.dispensed_on <= on]
    supplies += [
        supply
        for dispense in _handed_over(patient)
        if (supply := _dispensed(dispense, on, leading_to)) is not None and supply.dispensed_on <= on
    ]
    supplies.sort(key=lambda supply: (supply.dispensed_on, supply.run_out_on))
    return [supply.document(since) for supply, since in _with_dose_since(supplies)]


@dataclass(frozen=True, slots=True)
class _Supply:
    dispensed_on: date
    run_out_on: date
    doses: tuple[Decimal, ...]
    strength_mg: Decimal | None
    days_supply: int
    dose_since: date
    relation: str

    @property
    def mg_per_day(self) -> Decimal:
        return sum(self.doses, Decimal(0))

    def document(self, since: date) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "dispensed_on": self.dispensed_on.isoformat(),
            "doses": [_number(dose) for dose in self.doses],
            "days_supply": self.days_supply,
            "dose_since": since.isoformat(),
            "relation": self.relation,
        }
        if self.strength_mg is not None:
            entry["strength_mg"] = _number(self.strength_mg)
        return entry


def _handed_over(patient: Patient) -> Iterable[Dispense]:
    """Supplies in the patient's hands; taken from what the caller fetched for many patients at once, where it did."""
    if "dispenses" in getattr(patient, "_prefetched_objects_cache", {}):
        return [dispense for dispense in patient.dispenses.all() if dispense.status == DispenseStatus.COMPLETED]
    return (
        patient.dispenses.filter(status=DispenseStatus.COMPLETED)
        .select_related(*WITH_A_SUPPLY)
        .prefetch_related(*OF_A_SUPPLY)
    )


def _prior(row: PriorSupply) -> _Supply:
    return _Supply(
        dispensed_on=row.dispensed_on,
        run_out_on=date.fromordinal(row.dispensed_on.toordinal() + row.days_supply),
        doses=tuple(row.doses),
        strength_mg=row.strength_mg,
        days_supply=row.days_supply,
        dose_since=row.dose_since or row.dispensed_on,
        relation=row.relation,
    )


def _dispensed(dispense: Dispense, on: date, leading_to: Prescription | None) -> _Supply | None:
    regimen = regimen_of(dispense.prescription)
    if regimen is None:
        return None
    last_day = max(1, dispense.days_supply)
    day = min(max(1, on.toordinal() - dispense.starts_on.toordinal() + 1), last_day)
    window = next((w for w in regimen.windows() if w.to_day is None or day <= w.to_day), None)
    if window is None:
        *_, window = regimen.windows()
    return _Supply(
        dispensed_on=local_day(dispense.pharmacy, dispense.handed_over_at),
        run_out_on=dispense.run_out_on,
        doses=tuple(dose * window.phase.mg_per_day / sum(window.phase.doses) for dose in window.phase.doses),
        strength_mg=dispense.strength_mg,
        days_supply=dispense.days_supply,
        dose_since=date.fromordinal(dispense.starts_on.toordinal() + window.from_day - 1),
        relation=_relation(dispense.prescription, leading_to),
    )


def _relation(earlier: Prescription, leading_to: Prescription | None) -> str:
    if leading_to is None or earlier.pk in {leading_to.pk, leading_to.replaces_id}:
        return Relation.SAME_COURSE.value
    still_meant = earlier.status == PrescriptionStatus.ACTIVE
    return (Relation.CONCURRENT if still_meant else Relation.SAME_COURSE).value


def _with_dose_since(supplies: list[_Supply]) -> Iterable[tuple[_Supply, date]]:
    """Reach back over refills: a dose has been held since the first of an unbroken run of supplies of the same dose."""
    before: tuple[_Supply, date] | None = None
    for supply in supplies:
        since = supply.dose_since
        if (
            before is not None
            and supply.relation == before[0].relation
            and before[0].mg_per_day == supply.mg_per_day
            and before[0].run_out_on >= supply.dispensed_on
            and since >= before[1]
        ):
            since = before[1]
        before = (supply, since)
        yield before


def _phase_document(phase: Phase) -> dict[str, Any]:
    doses = [_number(dose) for dose in phase.doses]
    return {"doses": doses, "unit": phase.unit, "days": phase.days, "from_day": phase.from_day}


def _number(amount: Decimal) -> Decimal:
    """The same amount without the zeros that its column adds: 10, 2.5."""
    return Decimal(format_amount(amount))


def _question(finding: Mapping[str, Any]) -> Question:
    facts = {key: value for key, value in finding.items() if key not in {"sources", "suggestion"}}
    return Question(
        code=finding["code"],
        severity=finding["severity"],
        summary=finding["summary"],
        detail=finding["detail"],
        fingerprint=hashlib.sha256(canonical(facts).encode()).hexdigest(),
        finding=finding,
    )


def _unassessed(missing: Iterable[Mapping[str, Any]]) -> Question:
    told = "; ".join(f"{entry['code']} needs {', '.join(entry['missing'])}" for entry in missing)
    return Question(
        code=NOT_ASSESSED,
        severity="acknowledge",
        summary="Some rules could not be assessed because a fact is missing",
        detail=told,
        fingerprint=hashlib.sha256(told.encode()).hexdigest(),
        finding=None,
    )
