"""The review of items that are handed over together: their products, and what the rules say of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from dispensary.actions.handover_problems import Item, find_item_product
from dispensary.assessment import Assessment, Part, assess, pick_document
from dispensary.errors import Problem
from dispensary.models import Decision, Product


def find_products(items: Sequence[Item], today: date) -> tuple[list[Product], list[Problem]]:
    """Return the product of each item that has one, and what is wrong with the packs."""
    results = [find_item_product(item, today) for item in items]
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
