"""Bags as JSON: the strengths of an order with their quantities and packs, and the bag that is open for an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from dispensary.actions.handover_problems import CountedPack, Item
from dispensary.errors import Problem
from dispensary.models import OPEN_STAGES, Dispense, Preparation, Prescription, Stage
from dispensary.models.preparation import CHECKED_STAGES
from dispensary.scanning import Pack
from dispensary.statements import is_read, list_rows


def pack_bag(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return the items as they are stored with a bag."""
    return [
        {
            "prescription": str(item.prescription.pk),
            "first": CountedPack(item.pack, item.quantity).to_json(),
            "further": [counted.to_json() for counted in item.further],
        }
        for item in items
    ]


def unpack_bag(preparation: Preparation, orders: Mapping[UUID, Prescription]) -> list[Item]:
    """Return the items of a bag; `orders` are the prescriptions of its strengths by their ids."""
    items = []
    for stored in preparation.bag:
        first, *further = (_read_pack(pack) for pack in (stored["first"], *stored["further"]))
        items.append(Item(orders[UUID(stored["prescription"])], first.quantity, first.pack, tuple(further)))
    return items


def find_open_bag(prescription: Prescription) -> Preparation | None:
    """Return the bag of an order that is in the pharmacy; None where there is none.

    It keeps its steps where the pharmacy has put all into one step since.
    """
    if is_read(prescription, "preparations"):  # of a record: the open ones
        return next(iter(list_rows(prescription, "preparations")), None)
    return Preparation.objects.filter(prescription=prescription, stage__in=OPEN_STAGES).first()


def bag_problems(items: Sequence[Item], bag: Preparation | None) -> tuple[Problem, ...]:
    """Return what is wrong with handing over without the steps before it, where the pharmacy separates them or a bag is open.

    `bag` is the open one of the order.
    """
    if bag is None and not items[0].prescription.pharmacy.separate_steps:
        return ()
    if bag is None or bag.stage not in CHECKED_STAGES:
        state_words = "one that nobody has prepared" if bag is None else "one that nobody has checked"
        return (
            Problem(
                "prescription",
                state_words,
                "a bag that one person prepared and a pharmacist checked",
                "Have it prepared and checked, or put the bag back.",
            ),
        )
    if bag.bag != pack_bag(items):
        return (
            Problem(
                "packs",
                "other tablets than those that were checked",
                "the packs and the quantity of the bag",
                "Put the bag back and prepare it again.",
            ),
        )
    return ()


def note_bag(bag: Preparation | None, now: datetime) -> dict[str, Any]:
    """Return what a hand-over takes over from the bag of its order: when it was prepared, and how often its label was printed."""
    if bag is None:
        return {"prepared_at": now}
    return {"prepared_at": bag.prepared_at, "label_prints": bag.label_prints}


def end_bag(bag: Preparation, dispense: Dispense, now: datetime) -> None:
    """Close the bag that was handed over. Inside the caller's transaction."""
    bag.stage, bag.dispense, bag.ended_at = Stage.HANDED_OVER, dispense, now
    bag.save(update_fields=["stage", "dispense", "ended_at"])


def _read_pack(stored: Mapping[str, Any]) -> CountedPack:
    expiry = None if stored["expiry"] is None else date.fromisoformat(stored["expiry"])
    return CountedPack(Pack(stored["gtin"], stored["lot"], expiry, stored["serial"]), Decimal(stored["quantity"]))
