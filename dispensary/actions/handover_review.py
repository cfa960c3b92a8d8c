"""The review of items that are handed over together: their products, what the rules say of all of them, and the lines of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from baclofen_rules.therapy import OrderRelation, Relation, SupplyDays
from dispensary import audit
from dispensary.actions.bags import note_bag
from dispensary.actions.decisions import Decided, check_answers
from dispensary.actions.handover_problems import Item, find_item_product, list_gtins
from dispensary.actors import Actor
from dispensary.assessment import (
    Assessment,
    Part,
    assess,
    assess_document,
    case_document,
    pick_document,
    profile_of,
)
from dispensary.audit import Event
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Decision, Dispense, Override, Preparation, Product
from dispensary.statements import new_row
from dispensary.text import clean_line

ATC = "M03BX01"
"""Baclofen, as the log files it."""
_OF_LATE_ENTRIES = ("handed_over_at", "dispensed_by", "dispenser_name", "late_words")
"""Columns that the entry of one recorded late has beside those of all hand-overs: time and person of the entry are others."""


def find_products(
    items: Sequence[Item], today: date | None, products: Mapping[str, Product] | None = None
) -> tuple[list[Product], list[Problem]]:
    """Return the product of each item that has one, and what is wrong with the packs.

    `products` are those of the packs that are known, by GTIN, where the caller has read them; `today` is as `find_item_product` has it.
    """
    if products is None:
        products = Product.objects.in_bulk(list_gtins(items))
    results = [find_item_product(item, products, today) for item in items]
    problems = [problem for _, wrong in results for problem in wrong]
    return [product for product, _ in results if product is not None], problems


def assess_items(
    items: Sequence[Item], products: Sequence[Product], today: date, decisions: Sequence[Decision] = ()
) -> Assessment:
    """Review the items as one hand-over of today; `decisions` count as if they were stored."""
    first, *others = _pick_parts(items, products)
    return assess(
        first.prescription, on=today, picked=first.picked, quantity=first.quantity, also=others, decisions=decisions
    )


def assess_items_of_then(items: Sequence[Item], products: Sequence[Product], at: datetime) -> Assessment:
    """Review the items as one hand-over of an earlier moment, with the facts that are known today.

    Raises `InvalidInput` where the record of then cannot be read.
    """
    first, *others = _pick_parts(items, products)
    pharmacy = first.prescription.pharmacy
    on = pharmacy.local_day(at)
    document = case_document(
        first.prescription, on=on, picked=first.picked, quantity=first.quantity, also=others, until=at
    )
    return assess_document(
        document | {"patient": _facts_of_then(document["patient"], on)}, profile_of(pharmacy, on), on
    )


def _pick_parts(items: Sequence[Item], products: Sequence[Product]) -> list[Part]:
    return [
        Part(item.prescription, item.quantity, pick_document(product, item.pack.expiry))
        for product, item in zip(products, items, strict=True)
    ]


def _facts_of_then(facts: Mapping[str, Any], on: date) -> dict[str, Any]:
    """Return facts as they are known today for a day before: none of them since later, and nobody dead yet who died later."""
    then = on.isoformat()
    egfr_on, died_on = facts.get("egfr_on"), facts.get("died_on")
    return {
        **facts,
        "egfr_on": egfr_on and min(egfr_on, then),
        "died_on": died_on if died_on is None or died_on <= then else None,
        "recorded_on": facts.get("recorded_on")
        and {name: min(day, then) for name, day in facts["recorded_on"].items()},
    }


def build_dispense(
    item: Item,
    product: Product,
    *,
    days: SupplyDays,
    relation: OrderRelation | None,
    bag: Preparation | None,
    at: datetime,
    **own: Any,
) -> Dispense:
    """Return the row of a hand-over at a time, not stored yet. `own`: review, number, key and people; other columns of the caller's."""
    order = item.prescription
    return new_row(
        Dispense,
        pharmacy_id=order.pharmacy_id,
        patient_id=order.patient_id,
        prescription=order,
        quantity=item.quantity,
        product=product,
        strength_mg=product.strength_mg,
        lot=clean_line(item.pack.lot, "pack.lot", longest=20, required=False),
        expiry=item.pack.expiry,
        serial=clean_line(item.pack.serial, "pack.serial", longest=20, required=False),
        further_packs=[counted.to_json() for counted in item.further],
        starts_on=days.starts_on,
        days_supply=days.days,
        run_out_on=days.run_out_on,
        relation=(Relation.UNKNOWN if relation is None else relation.relation).value,
        relation_how="" if relation is None or relation.how is None else relation.how.value,
        relation_to=[] if relation is None else list(relation.to),
        **note_bag(bag, at),
        handed_over_at=at,
        **own,
    )


def preview_dispense(item: Item, product: Product, at: datetime) -> Dispense:
    """Return the row of a hand-over that has not happened, with what its label reads of it; never stored."""
    order = item.prescription
    return Dispense(
        pharmacy=order.pharmacy,
        patient=order.patient,
        prescription=order,
        product=product,
        strength_mg=product.strength_mg,
        quantity=item.quantity,
        further_packs=[counted.to_json() for counted in item.further],
        handed_over_at=at,
    )


def log_dispense(
    dispense: Dispense, assessment: Assessment, used: Sequence[Override], in_vain: Sequence[str], by: Actor
) -> audit.Prepared:
    """Return the audit entry of a hand-over. `used` are the answers it used, `in_vain` codes that were acknowledged and not found."""
    order = dispense.prescription
    late = {name: getattr(dispense, name) for name in _OF_LATE_ENTRIES} if dispense.is_late_entry else {}
    return audit.prepare(
        Event.DISPENSED_LATE if late else Event.DISPENSED,
        pharmacy=order.pharmacy,
        by=by,
        now=dispense.recorded_at or dispense.handed_over_at,
        subject=dispense,
        patient=order.patient,
        rule_codes=tuple(question.code for question in assessment.questions()),
        ruleset=assessment.profile_digest,
        engine=assessment.rules_version,
        drug_code=ATC,
        body={
            "prescription": dispense.prescription_id,
            "review": dispense.review_id,
            "quantity": dispense.quantity,
            "strength_mg": dispense.strength_mg,
            "pack": {
                "gtin": dispense.product_id,
                "lot": dispense.lot,
                "expiry": dispense.expiry,
                "serial": dispense.serial,
            },
            "further_packs": dispense.further_packs,
            "starts_on": dispense.starts_on,
            "days_supply": dispense.days_supply,
            "run_out_on": dispense.run_out_on,
            "relation": dispense.relation,
            "relation_how": dispense.relation_how,
            "relation_to": dispense.relation_to,
            "overrides": [override.pk for override in used],
        }
        | late
        | ({"acknowledged_in_vain": list(in_vain)} if in_vain else {}),
    )


def assess_handover(items: Sequence[Item], decided: Sequence[Decided], *, by: Actor, now: datetime) -> Assessment:
    """Review the items as one hand-over of today, as if these decisions were made. Raises `InvalidInput`; stores nothing."""
    order = items[0].prescription
    today = order.pharmacy.local_day(now)
    products, problems = find_products(items, today)
    if problems:
        raise InvalidInput("These packs cannot be handed over.", *problems)
    assessment = assess_items(items, products, today)
    if not decided:
        return assessment
    decisions = check_answers(decided, prescription=order, assessment=assessment, by=by, now=now)
    return assess_items(items, products, today, decisions)
