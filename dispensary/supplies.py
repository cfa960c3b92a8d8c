"""Earlier supplies of a patient as the history lines of a case: ours, and those recorded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from baclofen_rules.order import MOST_DAYS
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
from dispensary.record import trim_zeros

WITH_A_SUPPLY = ("pharmacy", "prescription")
OF_A_SUPPLY = ("prescription__phases",)
"""What a case needs to know about each earlier supply, to fetch the histories of many patients at once."""

_DAY = timedelta(days=1)


def history(patient: Patient, *, on: date, leading_to: Prescription | None = None) -> list[dict[str, Any]]:
    """Return the earlier supplies of baclofen, oldest first, as the case format has them.

    A supply is `concurrent` when it belongs to another order that still runs on the day and that the order in question
    (`leading_to`) neither replaces nor plainly continues: then the rules ask, and count both. Everything else is the
    same course. What was recorded from elsewhere keeps the relation that it was recorded with.
    """
    supplies = [_recorded(row) for row in patient.prior_supplies.all() if row.dispensed_on <= on]
    supplies += _related(_handed_over(patient, on), leading_to, on)
    supplies.sort(key=lambda supply: (supply.dispensed_on, supply.run_out_on))
    return [supply.document(since) for supply, since in _with_dose_since(supplies, on)]


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
    return patient.dispenses.completed().select_related(*WITH_A_SUPPLY).prefetch_related(*OF_A_SUPPLY)


# --- how another order's supply stands to the order in question -------------------------------------------------------


def _related(
    handed_over: Sequence[tuple[Prescription, _Supply]], leading_to: Prescription | None, on: date
) -> list[_Supply]:
    """Mark what runs beside the order in question.

    Supplies of one dose by one prescriber follow each other, so they make one line: two would be added up. What ran out
    before them belongs to them and not to the order in question: its end is no gap.
    """
    if leading_to is None:
        return [supply for _, supply in handed_over]
    own_course = {leading_to.pk} | _replaced_by([leading_to])
    running = _orders_beside(handed_over, leading_to, on)
    beside: dict[tuple[object, Decimal], _Supply] = {}
    others = []
    for order, supply in sorted(handed_over, key=lambda pair: (pair[1].run_out_on, pair[1].dispensed_on)):
        if supply.run_out_on <= on or order.pk not in running:
            others.append((order, supply))
            continue
        line = (order.prescriber_id, supply.mg_per_day)
        first = beside.setdefault(line, supply)
        days = (supply.run_out_on - first.dispensed_on).days
        beside[line] = replace(first, relation=Relation.CONCURRENT, run_out_on=supply.run_out_on, days_supply=days)
    other_prescribers = {prescriber for prescriber, _ in beside} - {leading_to.prescriber_id}
    related = list(beside.values())
    for order, supply in others:
        precedes = order.prescriber_id in other_prescribers or (order.prescriber_id, supply.mg_per_day) in beside
        if precedes and supply.run_out_on <= on and order.pk not in own_course:
            related.append(replace(supply, relation=Relation.CONCURRENT))
        else:
            related.append(supply)
    return related


def orders_beside(dispense: Dispense) -> set[UUID]:
    """Return the ids of the patient's orders whose supply ran beside the order of this supply when it was handed over."""
    on = dispense.pharmacy.local_day(dispense.handed_over_at)
    return _orders_beside(_handed_over(dispense.patient, on), dispense.prescription, on)


def _orders_beside(
    handed_over: Sequence[tuple[Prescription, _Supply]], leading_to: Prescription, on: date
) -> set[UUID]:
    replaced = {leading_to.pk} | _replaced_by([leading_to, *(order for order, _ in handed_over)])
    return {
        order.pk
        for order, supply in handed_over
        if order.pk not in replaced and _runs_beside(order, supply, leading_to, on)
    }


def _runs_beside(order: Prescription, supply: _Supply, leading_to: Prescription, on: date) -> bool:
    """Say whether a supply must be asked about: it covers the day, and the order in question does not go on with it.

    An order is permission, its supply is treatment: that everything ordered was handed over, or that the rest was
    cancelled, ends no supply; a pharmacist who stops the medicine does. Errs on the side of asking, but where one
    prescriber repeats or raises a dose: adding is rare there, and an override at each increase would train people to
    press it.
    """
    if supply.run_out_on <= on or order.status == PrescriptionStatus.STOPPED:
        return False
    regimen = regimen_of(leading_to)
    if regimen is None:
        return True
    change = regimen.phases[0].mg_per_day - supply.mg_per_day
    if order.prescriber_id != leading_to.prescriber_id:
        is_due = supply.run_out_on - leading_to.pharmacy.refill_lead_days * _DAY <= on
        return change != 0 or not is_due
    is_reduction = change < 0 and not regimen.then_stop
    return _are_two_strengths(order, leading_to) or (is_reduction and order.status == PrescriptionStatus.ACTIVE)


def _are_two_strengths(order: Prescription, other: Prescription) -> bool:
    """Say whether one prescriber wrote two tablet strengths on one day: one regimen, to be taken together."""
    return (
        order.written_on is not None
        and order.written_on == other.written_on
        and None not in {order.strength_mg, other.strength_mg}
        and order.strength_mg != other.strength_mg
    )


def _replaced_by(orders: Sequence[Prescription]) -> set[UUID]:
    """Return the ids of the orders that these replace, directly or through orders between them."""
    by_id = {order.pk: order for order in orders}
    replaced: set[UUID] = set()
    for order in orders:
        newer = order
        while newer.replaces_id is not None and newer.replaces_id not in replaced:
            replaced.add(newer.replaces_id)
            newer = by_id.get(newer.replaces_id) or Prescription.objects.only("replaces").get(pk=newer.replaces_id)
    return replaced


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
