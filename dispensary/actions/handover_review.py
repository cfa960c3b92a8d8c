"""The review of items that are handed over together: their products, what the rules say of all of them, and the lines of the log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime

from dispensary import audit
from dispensary.actions.decisions import Decided, check_answers
from dispensary.actions.handover_problems import Item, find_item_product, list_gtins
from dispensary.actors import Actor
from dispensary.assessment import Assessment, Part, assess, pick_document
from dispensary.audit import Event
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Decision, Dispense, Override, Product

ATC = "M03BX01"
"""Baclofen, as the log files it."""


def find_products(
    items: Sequence[Item], today: date, products: Mapping[str, Product] | None = None
) -> tuple[list[Product], list[Problem]]:
    """Return the product of each item that has one, and what is wrong with the packs.

    `products` are those of the packs that are known, by GTIN, where the caller has read them.
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
    picked = [pick_document(product, item.pack.expiry) for product, item in zip(products, items, strict=True)]
    parts = [Part(item.prescription, item.quantity, pick) for item, pick in zip(items, picked, strict=True)]
    first = items[0]
    return assess(
        first.prescription, on=today, picked=picked[0], quantity=first.quantity, also=parts[1:], decisions=decisions
    )


def log_dispense(
    dispense: Dispense, assessment: Assessment, used: Sequence[Override], in_vain: Sequence[str], by: Actor
) -> audit.Prepared:
    """Return the audit entry of a hand-over. `used` are the answers it used, `in_vain` codes that were acknowledged and not found."""
    order = dispense.prescription
    return audit.prepare(
        Event.DISPENSED,
        pharmacy=order.pharmacy,
        by=by,
        now=dispense.handed_over_at,
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
