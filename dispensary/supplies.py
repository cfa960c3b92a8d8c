"""Earlier supplies of a patient as the history lines of a case: ours, and those recorded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from baclofen_rules.case import MOST_DAYS
from baclofen_rules.text import format_amount
from dispensary.courses import SupplyDays, course_start, doses_in_mg, regimen_of
from dispensary.models import (
    Dispense,
    DispenseStatus,
    Patient,
    Prescription,
    PrescriptionStatus,
    PriorSupply,
    Relation,
)

WITH_A_SUPPLY = ("pharmacy", "prescription")
OF_A_SUPPLY = ("prescription__phases",)
"""What a case needs to know about each earlier supply, for whoever fetches the histories of many patients at once."""

_DAY = timedelta(days=1)


def history(patient: Patient, *, on: date, leading_to: Prescription | None = None) -> list[dict[str, Any]]:
    """Return the earlier supplies of baclofen, oldest first, as the case format has them.

    A supply counts as `concurrent` when it belongs to another order that is still active and that nothing replaces:
    then both are meant to run. Everything else is the same course.
    """
    supplies = [_recorded(row) for row in patient.prior_supplies.all() if row.dispensed_on <= on]
    supplies += [replace(supply, relation=_relation(order, leading_to)) for order, supply in _handed_over(patient, on)]
    supplies.sort(key=lambda supply: (supply.dispensed_on, supply.run_out_on))
    return [supply.document(since) for supply, since in _with_dose_since(supplies, on)]


def trim_zeros(value: Decimal) -> Decimal:
    """Return the same amount without the zeros that its column adds: 10, 2.5."""
    return Decimal(format_amount(value))


@dataclass(frozen=True, slots=True)
class _Supply:
    dispensed_on: date
    run_out_on: date
    doses: tuple[Decimal, ...]
    strength_mg: Decimal | None
    days_supply: int
    dose_since: date
    relation: str = Relation.SAME_COURSE

    @property
    def mg_per_day(self) -> Decimal:
        return sum(self.doses, Decimal(0))

    def document(self, since: date) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "dispensed_on": self.dispensed_on.isoformat(),
            "doses": [trim_zeros(dose) for dose in self.doses],
            "days_supply": min(self.days_supply, MOST_DAYS),
            "dose_since": since.isoformat(),
            "relation": str(self.relation),
        }
        if self.strength_mg is not None:
            entry["strength_mg"] = trim_zeros(self.strength_mg)
        return entry


def _recorded(row: PriorSupply) -> _Supply:
    return _Supply(
        dispensed_on=row.dispensed_on,
        run_out_on=row.dispensed_on + row.days_supply * _DAY,
        doses=tuple(row.doses),
        strength_mg=row.strength_mg,
        days_supply=row.days_supply,
        dose_since=row.dose_since or row.dispensed_on,
        relation=row.relation,
    )


def _handed_over(patient: Patient, on: date) -> list[tuple[Prescription, _Supply]]:
    """Return our supplies in the patient's hands with their orders and their doses of the day."""
    rows = sorted(_dispenses(patient), key=lambda row: (str(row.prescription_id), row.number))
    supplies = []
    for _, dispenses in groupby(rows, key=lambda row: row.prescription_id):
        so_far: list[SupplyDays] = []
        for dispense in dispenses:
            dispensed_on = dispense.pharmacy.local_day(dispense.handed_over_at)
            regimen = regimen_of(dispense.prescription)
            if regimen is None or dispensed_on > on:
                continue
            so_far.append(SupplyDays(dispense.starts_on, dispense.run_out_on))
            begins_on = course_start(regimen, so_far, dispense.pharmacy.profile)
            # Before a supply begins its first day counts, after its end its last.
            day = max(dispense.starts_on, min(on, dispense.run_out_on - _DAY))
            windows = list(regimen.windows())
            position = (day - begins_on).days + 1
            window = next((w for w in windows if w.to_day is None or position <= w.to_day), windows[-1])
            supply = _Supply(
                dispensed_on=dispensed_on,
                run_out_on=dispense.run_out_on,
                doses=doses_in_mg(window.phase),
                strength_mg=dispense.strength_mg,
                days_supply=dispense.days_supply,
                dose_since=begins_on + (window.from_day - 1) * _DAY,
            )
            supplies.append((dispense.prescription, supply))
    return supplies


def _dispenses(patient: Patient) -> Iterable[Dispense]:
    """Return what was handed over and kept; taken from what the caller fetched for many patients, where it did."""
    if "dispenses" in getattr(patient, "_prefetched_objects_cache", {}):
        return [dispense for dispense in patient.dispenses.all() if dispense.status == DispenseStatus.COMPLETED]
    return (
        patient.dispenses.filter(status=DispenseStatus.COMPLETED)
        .select_related(*WITH_A_SUPPLY)
        .prefetch_related(*OF_A_SUPPLY)
    )


def _relation(earlier: Prescription, leading_to: Prescription | None) -> str:
    if leading_to is None or earlier.pk in {leading_to.pk, leading_to.replaces_id}:
        return Relation.SAME_COURSE.value
    still_meant = earlier.status == PrescriptionStatus.ACTIVE
    return (Relation.CONCURRENT if still_meant else Relation.SAME_COURSE).value


def _with_dose_since(supplies: Sequence[_Supply], on: date) -> Iterable[tuple[_Supply, date]]:
    """Reach back over refills: a dose has been held since the first of an unbroken run of supplies of the same dose.

    Never since a day to come: what was collected early begins when the tablets before it end.
    """
    before: tuple[_Supply, date] | None = None
    for supply in supplies:
        since = min(supply.dose_since, on)
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
