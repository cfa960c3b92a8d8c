"""A patient's rows as the rule book's record: orders with their products, supplies, decisions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from baclofen_rules.order import MOST_DAYS
from baclofen_rules.regimen import Phase as RulePhase
from baclofen_rules.regimen import Unit
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER, OrderStatus
from dispensary.models import (
    Decision,
    DecisionKind,
    Dispense,
    DispenseStatus,
    Phase,
    Prescription,
    PrescriptionStatus,
    PriorSupply,
    Relation,
    Source,
)
from dispensary.rows import Rows, group_packs, order_id
from dispensary.statements import list_rows

_BACLOFEN = {"name": "baclofen", "atc": "M03BX01"}
"""The medicine of an order that names none: it is taken in here as one of baclofen."""


def trim_zeros(value: Decimal) -> Decimal:
    """Return the same amount without the zeros that its column adds: 10, 2.5."""
    return Decimal(format_amount(value))


def record_document(rows: Rows, on: date, asked: UUID | None = None) -> dict[str, Any]:
    """Return orders, supplies and decisions as the case format has them. `asked` is the prescription in question.

    Its directions and what was read from them go in as text, to be read again; of the others the phases as stored. An
    order that ended before anything was handed over on it is left out.
    """
    ids = {row.pk: order_id(products) for products in rows.orders for row in products}
    names = {str(key): name for key, name in ids.items()}
    supplied = {ids[row.prescription_id] for row in rows.dispenses if row.prescription_id in ids}
    decided = {names.get(row.course) for row in rows.decisions}
    decided |= {ids.get(row.order_id) for row in rows.decisions if row.order_id is not None}
    numbers_of_day = _numbers_of_day(rows)
    orders, supplies = [], []
    for products in rows.orders:
        name = order_id(products)
        is_asked = asked in {row.pk for row in products}
        is_active = any(row.status == PrescriptionStatus.ACTIVE for row in products)
        if is_asked or is_active or name in supplied or name in decided:
            replaced = _supplied_before(products, rows.orders, supplied)
            strengths = [_strength_of(row, rows.dispenses) for row in products]
            order = _order_document(products, strengths, replaced, is_asked)
            # The pharmacist's own order for an emergency supply is written when that is typed in.
            orders.append(order | {"written_on": order["written_on"] and min(order["written_on"], on.isoformat())})
            for number, packs in enumerate(group_packs(products, rows.dispenses), 1):
                supply = _supply_document(products, strengths, packs, number, rows)
                supplies.append(supply | {"number_of_day": numbers_of_day[packs[0].handed_over_at]})
    return {
        "orders": orders,
        "supplies": [_recorded_supply(row, on) for row in rows.prior_supplies] + supplies,
        "decisions": [_decision_document(row, names, rows) for row in rows.decisions] + _recorded_relations(rows),
    }


def _numbers_of_day(rows: Rows) -> dict[datetime, int]:
    """Return the place of each moment of a hand-over among those of its day, from 1."""
    counts: Counter[date] = Counter()
    numbers = {}
    for moment in sorted({row.handed_over_at for row in rows.dispenses}):
        day = rows.local_day(moment)
        counts[day] += 1
        numbers[moment] = counts[day]
    return numbers


def _supplied_before(
    products: Sequence[Prescription], orders: Sequence[tuple[Prescription, ...]], supplied: set[str]
) -> str | None:
    """Return the order that this one replaces and that was handed over, directly or through orders between them."""
    by_id = {row.pk: row for other in orders for row in other}
    ids = {row.pk: order_id(other) for other in orders for row in other}
    replaced = next((row.replaces_id for row in products if row.replaces_id is not None), None)
    first, passed = replaced, set()
    while replaced in by_id and replaced not in passed:
        if ids[replaced] in supplied:
            return ids[replaced]
        passed.add(replaced)
        replaced = by_id[replaced].replaces_id
    return ids.get(first) if first is not None else None


def _strength_of(row: Prescription, dispenses: Iterable[Dispense]) -> Decimal | None:
    """Return the strength ordered; where the order names none, that of the first pack handed over on it."""
    if row.strength_mg is not None:
        return row.strength_mg
    packs = [dispense for dispense in dispenses if dispense.prescription_id == row.pk]
    return min(packs, key=lambda dispense: dispense.number).strength_mg if packs else None


def _order_document(
    products: Sequence[Prescription], strengths: Sequence[Decimal | None], replaces: str | None, is_asked: bool
) -> dict[str, Any]:
    first = products[0]
    return {
        "id": order_id(products),
        "medicine": first.medicine or _BACLOFEN,
        "form": first.form or None,
        "route": first.route or None,
        "prescriber": str(first.prescriber_id),
        "prescriber_name": first.prescriber.name,
        "written_on": _day(first.written_on),
        "starts_on": _day(first.starts_on),
        "status": _status(products),
        "replaces": replaces,
        "group": first.group or None,
        **({"emergency": True} if first.source == Source.EMERGENCY else {}),
        "as_needed": first.as_needed,
        "then_stop": first.then_stop,
        "repeats": first.repeats,
        "interval_days": first.interval_days,
        **_words_document(first, is_asked and len(products) == 1),
        "products": [
            _product_document(row, strength, is_asked)
            | (_words_document(row, is_asked) if is_asked and len(products) > 1 else {})
            for row, strength in zip(products, strengths, strict=True)
        ],
    }


def _words_document(row: Prescription, is_asked: bool) -> dict[str, Any]:
    """Return what is compared with the doses of an order."""
    if not is_asked:
        return {"directions": None, "expected_days": None, "lines": None}
    return {"directions": row.directions or None, "expected_days": row.expected_days, "lines": row.lines or None}


def _status(products: Sequence[Prescription]) -> str:
    """Return the status of an order: active while one of its products is, otherwise that of the last to end."""
    if any(row.status == PrescriptionStatus.ACTIVE for row in products):
        return PrescriptionStatus.ACTIVE.value
    if any(row.status == PrescriptionStatus.ON_HOLD for row in products):
        return OrderStatus.WAITING.value
    return str(max(products, key=lambda row: (row.ended_at is not None, row.ended_at)).status)


def _product_document(row: Prescription, strength: Decimal | None, is_asked: bool) -> dict[str, Any]:
    phases = (
        [] if is_asked and row.phases_from_directions else [phase_document(phase) for phase in list_rows(row, "phases")]
    )
    return {
        "strength_mg": None if strength is None else trim_zeros(strength),
        "brand": row.brand or None,
        "quantity": None if row.quantity is None else trim_zeros(row.quantity),
        "phases": phases or None,
    }


def phase_document(phase: Phase) -> dict[str, Any]:
    """Return a phase as the case format has it."""
    document: dict[str, Any] = {
        "doses": [trim_zeros(dose) for dose in phase.doses],
        "unit": phase.unit,
        "days": phase.days,
        "from_day": phase.from_day,
    }
    return document if phase.times is None else document | {"times": list(phase.times)}


def _supply_document(
    products: Sequence[Prescription],
    strengths: Sequence[Decimal | None],
    dispenses: Sequence[Dispense],
    number: int,
    rows: Rows,
) -> dict[str, Any]:
    """Return one hand-over, named after its first row. What was cancelled before the time that is known never was."""
    first = dispenses[0]
    ended = [row for row in dispenses if row.ended_at is not None and rows.has_come(row.ended_at)]
    counted = [row for row in dispenses if row not in ended or row.status != DispenseStatus.CANCELLED]
    returned = [row for row in ended if row.status == DispenseStatus.RETURNED]
    document: dict[str, Any] = {
        "id": str(first.pk),
        "on": _day(rows.local_day(first.handed_over_at)),
        "order": order_id(products),
        "tablets": _tablets(products, strengths, counted or dispenses),
        "status": "given" if counted else "cancelled",
        "number": number,
    }
    if returned:
        document |= {
            "status": "returned",
            "returned_on": _day(max(rows.local_day(row.ended_at) for row in returned if row.ended_at is not None)),
            "returned_tablets": None if returned == counted else _tablets(products, strengths, returned),
        }
    if first.relation:
        document["relation"] = {
            "relation": first.relation,
            "how": first.relation_how or None,
            "to": first.relation_to,
            "from": _day(first.relation_starts_on),
        }
    return document


def _tablets(
    products: Sequence[Prescription], strengths: Sequence[Decimal | None], dispenses: Iterable[Dispense]
) -> list[Decimal]:
    """Return the tablets of some rows by product, as tablets of the strength that was ordered."""
    tablets = []
    for product, strength in zip(products, strengths, strict=True):
        count = Decimal(0)
        for row in dispenses:
            if row.prescription_id == product.pk:
                count += row.quantity * row.strength_mg / (strength or row.strength_mg)
        tablets.append(trim_zeros(round(count, 6)))
    return tablets


def _recorded_supply(row: PriorSupply, on: date) -> dict[str, Any]:
    phase = {"doses": [trim_zeros(dose) for dose in row.doses], "unit": "mg", "days": None}
    return {
        "id": str(row.pk),
        "on": _day(row.dispensed_on),
        "order": None,
        "regimen": {"products": [{"strength_mg": row.strength_mg and trim_zeros(row.strength_mg), "phases": [phase]}]},
        "days": min(row.days_supply, MOST_DAYS),
        "dose_since": None if row.dose_since is None else _day(min(row.dose_since, on)),
    }


def _recorded_relations(rows: Rows) -> list[dict[str, Any]]:
    """Return what was said with supplies recorded from elsewhere, as decisions.

    One of the same course goes on with, or takes the place of, what was supplied before it, and the order supplied next
    does so with it: from that hand-over on its own relation holds. A concurrent one runs beside them.
    """
    decisions = []
    for row in rows.prior_supplies:
        mg = sum(row.doses, Decimal(0))
        for other in rows.prior_supplies:
            if (other.dispensed_on, other.pk) < (row.dispensed_on, row.pk):
                decisions.append(_recorded_relation(row, str(row.pk), str(other.pk), mg == sum(other.doses)))
        for products in rows.orders:
            phases = _mg_of_phases(products)
            days = [rows.local_day(packs[0].handed_over_at) for packs in _supplied(products, rows)]
            if days and min(days) < row.dispensed_on:
                decisions.append(_recorded_relation(row, str(row.pk), order_id(products), mg in phases))
            elif _may_follow(products, row, rows):
                decisions.append(_recorded_relation(row, order_id(products), str(row.pk), phases[:1] == [mg]))
    return decisions


def _may_follow(products: Sequence[Prescription], row: PriorSupply, rows: Rows) -> bool:
    """Say whether an order is the next supplied after a recorded supply, as far as was known when that was recorded."""
    later = [
        packs
        for other in rows.orders
        for packs in _supplied(other, rows)
        if rows.local_day(packs[0].handed_over_at) >= row.dispensed_on
    ]
    if not later:
        return any(product.status == PrescriptionStatus.ACTIVE for product in products)
    first = min(later, key=lambda packs: packs[0].handed_over_at)[0]
    return first.handed_over_at < row.recorded_at and first.prescription_id in {product.pk for product in products}


def _supplied(products: Sequence[Prescription], rows: Rows) -> list[list[Dispense]]:
    return group_packs(products, (row for row in rows.dispenses if row.status != DispenseStatus.CANCELLED))


def _mg_of_phases(products: Sequence[Prescription]) -> list[Decimal]:
    """Return mg a day of each phase of an order, all products together."""
    phases = (
        [RulePhase(tuple(p.doses), p.days, Unit(p.unit)).mg_per_day for p in list_rows(row, "phases")]
        for row in products
    )
    return [sum(amounts, Decimal(0)) for amounts in zip(*phases, strict=True)]


def _recorded_relation(row: PriorSupply, subject: str, course: str, is_equal: bool) -> dict[str, Any]:
    kind = DecisionKind.CONTINUES if is_equal else DecisionKind.REPLACES
    return {
        "kind": (DecisionKind.BESIDE if row.relation == Relation.CONCURRENT else kind).value,
        "subject": subject,
        "object": course,
        "on": _day(row.dispensed_on),
        "reason": "recorded with the supply from elsewhere",
    }


def _decision_document(row: Decision, names: Mapping[str, str], rows: Rows) -> dict[str, Any]:
    subject = row.order_id or row.prior_supply_id
    since = _first_settled(row, rows)
    after = _supplied_before_stop(row, rows)
    return {
        "id": str(row.pk),
        "kind": row.kind,
        "subject": None if subject is None else names.get(str(subject), str(subject)),
        "object": names.get(row.course, row.course),
        "on": _day(row.on),
        "from": _day(row.starts_on),
        "tablets": None if row.tablets is None else [trim_zeros(count) for count in row.tablets],
        "mg": None if row.mg is None else trim_zeros(row.mg),
        "days": row.days,
        "corrects": None if row.corrects_id is None else str(row.corrects_id),
        **({"since": since} if since is not None else {}),
        **({"after": after} if after else {}),
        "by": row.decider_name or None,
        "reason": row.words or None,
    }


def _first_settled(row: Decision, rows: Rows) -> str | None:
    """Return the first hand-over of its order that a stored decision is about; None where there was none before it.

    An answer given with a hand-over, or with the check of its bag, is about that one, any other about the last before it.
    """
    if row.order_id is None or row._state.adding or rows.local_day(row.decided_at) != row.on:
        return None
    products = next((products for products in rows.orders if row.order_id in {product.pk for product in products}), ())
    moments = {packs[0].handed_over_at: str(packs[0].pk) for packs in group_packs(products, rows.dispenses)}
    before = [moment for moment in moments if moment <= row.decided_at]
    if not before:
        return None
    if row.decided_at not in moments and (row.order_id, row.decided_at) in rows.checks:
        return next((supply for moment, supply in moments.items() if moment > row.decided_at), HAND_OVER)
    return moments[before[-1]]


def _supplied_before_stop(row: Decision, rows: Rows) -> list[str]:
    """Return the supplies of the day of a stop that had been handed over, or recorded, before it was decided."""
    if row.kind != DecisionKind.STOPPED:
        return []
    packs = [packs[0] for products in rows.orders for packs in group_packs(products, rows.dispenses)]
    moments = [(str(first.pk), first.handed_over_at, rows.local_day(first.handed_over_at)) for first in packs]
    moments += [(str(supply.pk), supply.recorded_at, supply.dispensed_on) for supply in rows.prior_supplies]
    return [name for name, moment, day in moments if day == row.on and moment < row.decided_at]


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()
