"""A patient's rows as known at a time: orders with their products, supplies, decisions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple
from uuid import UUID

from dispensary.models import Decision, Dispense, Patient, Prescription, PriorSupply, Review, ReviewReason
from dispensary.statements import is_read, list_rows


class Rows(NamedTuple):
    """The rows of one patient as known at a time."""

    orders: Sequence[tuple[Prescription, ...]]
    """The prescriptions of each order, one a product; an order has the id of its first."""
    dispenses: Sequence[Dispense]
    prior_supplies: Sequence[PriorSupply]
    decisions: Sequence[Decision]
    has_come: Callable[[datetime], bool]
    """Whether a moment lies in the time that is known."""
    local_day: Callable[[datetime], date]
    """The pharmacy's day of a moment."""
    checks: Collection[tuple[UUID, datetime]] = frozenset()
    """The orders whose bag was checked at a moment of a decision, with that moment."""

    def products_of(self, prescription: Prescription) -> tuple[Prescription, ...]:
        """Return the prescriptions of the order that a prescription belongs to."""
        return next(products for products in self.orders if prescription in products)


def order_id(prescriptions: Sequence[Prescription]) -> str:
    """Return the id under which the rule book knows an order."""
    return str(prescriptions[0].pk)


def select_rows(patient: Patient, on: date, asked: UUID | None = None, until: datetime | None = None) -> Rows:
    """Return a patient's rows as known on the evening of a day, or at a moment, with the prescription in question.

    They are taken from what was prefetched, where it was. A decision put right later is known as put right, an order that was
    typed in after its hand-over from that on.
    """
    local_day = patient.pharmacy.local_day

    def has_come(moment: datetime) -> bool:
        return local_day(moment) <= on if until is None else moment <= until

    prescriptions: Iterable[Prescription] = (
        list_rows(patient, "prescriptions")
        if is_read(patient, "prescriptions")
        else patient.prescriptions.select_related("prescriber").prefetch_related("phases", "dispenses")
    )
    dispenses = [row for row in supplies_of(patient, prescriptions) if has_come(row.handed_over_at)]
    supplied = {asked, *(row.prescription_id for row in dispenses)}
    groups = {row.group for row in prescriptions if row.group and row.pk in supplied}
    decisions: list[Decision] = []
    decided = decisions_of(patient)
    checks = patient.checks
    if checks is None:
        handed_over = {row.handed_over_at for row in dispenses}
        moments = {
            row.decided_at: row.order_id for row in decided if row.order_id and row.decided_at not in handed_over
        }
        reviews = Review.objects.filter(
            prescription__in=moments.values(), reviewed_at__in=moments, reason=ReviewReason.CHECKED
        )
        checks = reviews.values_list("prescription_id", "reviewed_at") if moments else ()
    for row in decided:
        if has_come(row.decided_at) or row.corrects_id in {decision.pk for decision in decisions}:
            decisions.append(row)
    return Rows(
        orders=group_orders(
            row for row in prescriptions if row.pk in supplied or row.group in groups or has_come(row.received_at)
        ),
        dispenses=dispenses,
        prior_supplies=[
            row for row in list_rows(patient, "prior_supplies") if row.dispensed_on <= on and has_come(row.recorded_at)
        ],
        decisions=decisions,
        has_come=has_come,
        local_day=local_day,
        checks=frozenset(checks),
    )


def supplies_of(patient: Patient, orders: Iterable[Prescription] | None = None) -> list[Dispense]:
    """Return the hand-overs on a patient's orders, newest first: also those under a record that was joined to this one.

    `orders` are the patient's with their hand-overs, where the caller has read them.
    """
    if orders is None:
        orders = (
            list_rows(patient, "prescriptions")
            if is_read(patient, "prescriptions")
            else patient.prescriptions.prefetch_related("dispenses")
        )
    rows = [row for order in orders for row in list_rows(order, "dispenses")]
    return sorted(rows, key=lambda row: row.handed_over_at, reverse=True)


def decisions_of(patient: Patient) -> list[Decision]:
    """Return the decisions about a person in their order: also those under a record that was joined to this one."""
    rows = [
        row for record in (patient, *list_rows(patient, "joined_records")) for row in list_rows(record, "decisions")
    ]
    return sorted(rows, key=lambda row: (row.decided_at, row.pk))


def group_orders(prescriptions: Iterable[Prescription]) -> list[tuple[Prescription, ...]]:
    """Return the prescriptions of each order, oldest first: those of one group are products of one regimen.

    Of one group are only those of one prescriber, other strengths, and phases of equal length.
    """
    orders: dict[object, list[Prescription]] = {}
    for row in sorted(prescriptions, key=lambda row: (row.received_at, row.pk)):
        lengths = tuple(phase.days for phase in list_rows(row, "phases"))
        key: object = row.pk
        if row.group and lengths and row.strength_mg is not None:
            key = (row.group, row.prescriber_id, row.written_on, row.starts_on, row.as_needed, row.then_stop, lengths)
        if any(other.strength_mg == row.strength_mg for other in orders.get(key, ())):
            key = row.pk
        orders.setdefault(key, []).append(row)
    return [tuple(products) for products in orders.values()]


def group_packs(products: Sequence[Prescription], dispenses: Iterable[Dispense]) -> list[list[Dispense]]:
    """Return the hand-overs of an order, oldest first: packs handed over in one moment are one supply."""
    keys = [row.pk for row in products]
    rows = [row for row in dispenses if row.prescription_id in keys]
    rows.sort(key=lambda row: (row.handed_over_at, keys.index(row.prescription_id)))
    return [list(moment) for _, moment in groupby(rows, key=lambda row: row.handed_over_at)]
