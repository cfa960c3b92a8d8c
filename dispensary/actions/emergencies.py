"""Emergency supplies: the pharmacist's own order for a few days of what a patient takes, where no prescriber has ordered it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.rulebook import rulebook
from baclofen_rules.rules import emergency_supply
from baclofen_rules.sentences import say_directions
from baclofen_rules.text import format_amount
from dispensary import audit, policies
from dispensary.actions.handover_problems import BACLOFEN
from dispensary.actions.locks import lock_patient
from dispensary.actions.prescribers import find_or_register
from dispensary.actions.prescriptions import Received, receive
from dispensary.actors import Actor
from dispensary.assessment import profile_of, therapy_of
from dispensary.audit import Event
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Patient, Pharmacy, Prescriber, Source


@dataclass(frozen=True, slots=True)
class LastDose:
    """The dose that a patient takes, or took last, and its tablets."""

    doses: tuple[Decimal, ...]
    """One day's doses in mg."""
    times: tuple[str | None, ...] | None
    strength_mg: Decimal | None
    prescriber: Prescriber | None
    """None where the last supply was recorded from elsewhere."""
    on: date
    """The last day with tablets, at most today."""

    @property
    def regimen(self) -> Regimen:
        """The dose with an open end."""
        return Regimen((Phase(self.doses, None, times=self.times),))

    @property
    def directions(self) -> str:
        return say_directions(self.regimen)


def most_days(pharmacy: Pharmacy, on: date) -> int:
    """Return the days that an emergency supply may last by the pharmacy's profile."""
    profile = profile_of(pharmacy, on)
    return int(rulebook(profile, profile.on or on).limits_of(emergency_supply.RULE).max_days)


def find_last_dose(patient: Patient, *, on: date) -> LastDose:
    """Return what an emergency supply goes on with.

    Raises `InvalidInput` where the record does not tell one dose of one course: then there is nothing to go on with.
    """
    therapy = therapy_of(patient, on)
    threads = [thread for thread in therapy.threads if thread.more_needed and not thread.as_needed]
    if len(threads) != 1 or threads[0].first_uncovered is None:
        raise _unknown_dose("several courses" if threads else "no course that goes on")
    last_on = min(on, date.fromordinal(threads[0].first_uncovered.toordinal() - 1))
    doses = [dose for dose in therapy.day(last_on).doses if not dose.as_needed]
    if len(doses) != 1 or not doses[0].phase.doses_together:
        raise _unknown_dose("a dose that the record cannot tell")
    course = therapy.course(threads[0].last_course)
    strengths = {strength for strength in course.strengths if strength is not None}
    prescriber = None
    if course.prescriber is not None:
        prescriber = Prescriber.objects.filter(pharmacy_id=patient.pharmacy_id, pk=UUID(course.prescriber)).first()
    phase = doses[0].phase
    return LastDose(
        doses=phase.doses_together,
        times=phase.times[0] if len(phase.times) == 1 else None,
        strength_mg=strengths.pop() if len(strengths) == 1 else None,
        prescriber=prescriber,
        on=last_on,
    )


def count_tablets(last_dose: LastDose, strength_mg: Decimal, days: int) -> Decimal:
    """Return the tablets for some days, rounded up to half a tablet."""
    return (last_dose.regimen.phases[0].mg_per_day * days * 2 / strength_mg).to_integral_value(ROUND_CEILING) / 2


@transaction.atomic
def arrange(
    *,
    patient: Patient,
    days: int,
    strength_mg: Decimal,
    prescriber: Prescriber | Mapping[str, str] | None = None,
    by: Actor,
    now: datetime,
) -> Received:
    """Take in the pharmacist's own order for some days of what a patient takes.

    `prescriber` is who treats the patient and owes the order; None is who ordered the last supply. The rules find it as `emergency-supply`: it is answered, signed and
    handed over like any other order. Raises `InvalidInput` for too many days, and where the dose is not known.
    """
    policies.require(policies.may_override(by), by, "arrange an emergency supply", "a pharmacist")
    policies.require_same_pharmacy(by, patient.pharmacy_id)
    locked = lock_patient(patient)
    pharmacy = locked.pharmacy
    on = pharmacy.local_day(now)
    most = most_days(pharmacy, on)
    if not 1 <= days <= most:
        raise InvalidInput(
            f"An emergency supply is for 1 to {most} days.",
            Problem("days", f"{days} days", f"1 to {most} days", "The prescriber is asked meanwhile."),
        )
    last_dose = find_last_dose(locked, on=on)
    owing = prescriber or last_dose.prescriber
    if owing is None:
        raise InvalidInput(
            "Nobody here has ordered the last supply.",
            Problem("prescriber", "nothing", "who treats the patient and owes the order"),
        )
    phase: dict[str, Any] = {"doses": list(last_dose.doses), "unit": "mg", "days": None}
    if last_dose.times is not None:
        phase["times"] = list(last_dose.times)
    tablets = count_tablets(last_dose, strength_mg, days)
    order = {
        "medicine": {"name": BACLOFEN},
        "route": "oral",
        "form": "tablet",
        "written_on": on.isoformat(),
        "strength_mg": strength_mg,
        "directions": last_dose.directions,
        "phases": [phase],
        "then_stop": False,
        "quantity": tablets,
        "repeats": 0,
    }
    received = receive(
        pharmacy=pharmacy,
        patient=locked,
        prescriber=find_or_register(owing, pharmacy=pharmacy, by=by, now=now),
        order=order,
        source=Source.EMERGENCY,
        document={"days": days, "strength_mg": format_amount(strength_mg), "quantity": format_amount(tablets)},
        notes=[f"Emergency supply of {days} days, arranged by {by.display}: no prescriber has ordered it yet."],
        by=by,
        now=now,
    )
    audit.record(
        Event.EMERGENCY_ARRANGED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=received.prescription,
        patient=locked,
        body={
            "days": days,
            "most_days": most,
            "tablets": tablets,
            "strength_mg": strength_mg,
            "doses": list(last_dose.doses),
            "last_covered_on": last_dose.on,
            "owed_by": received.prescription.prescriber_id,
        },
    )
    return received


def _unknown_dose(record_words: str) -> InvalidInput:
    return InvalidInput(
        "An emergency supply goes on with one known dose, and the record does not tell it.",
        Problem(
            "patient",
            record_words,
            "one course of baclofen whose dose is known",
            "Record the last supply from elsewhere, or decide which course runs; or take in a prescription.",
        ),
    )
