"""The problems of a hand-over that need no rule book: an order that ended, too many tablets, a wrong pack."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from baclofen_rules.text import format_amount
from baclofen_rules.words import join_words
from dispensary.conf import conf
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Dispense, DispenseStatus, Prescription, PrescriptionStatus, Product
from dispensary.rows import group_orders
from dispensary.scanning import Pack
from dispensary.statements import list_rows
from dispensary.text import clean_line

BACLOFEN = "baclofen"

UNKNOWN_LENGTH = Problem(
    "prescription",
    "Nobody can say how many days the supply lasts",
    "a strength, a dose and a quantity of at least one day",
    "Ask the prescriber for a complete order.",
)
UNDECIDED = Problem(
    "decisions",
    "Nobody said whether this supply replaces what the patient takes, goes on with it, or is taken beside it",
    "a decision: replaces, continues or beside",
    "Record it on the patient's page, or send it with the hand-over.",
)
NEVER_TAKEN = Problem(
    "decisions",
    "Another dose takes the place of this one before any of these tablets would be taken",
    "a decision about the other dose: replaces or beside",
    "Record it on the patient's page, or send it with the hand-over.",
)


class CountedPack(NamedTuple):
    """One of several packs, with the tablets that come from it."""

    pack: Pack
    quantity: Decimal

    def to_json(self) -> dict[str, str | None]:
        """Return it as it is stored with the hand-over."""
        return {
            "gtin": self.pack.gtin.zfill(14),
            "lot": clean_line(self.pack.lot, "packs.lot", longest=20, required=False),
            "expiry": None if self.pack.expiry is None else self.pack.expiry.isoformat(),
            "serial": clean_line(self.pack.serial, "packs.serial", longest=20, required=False),
            "quantity": format_amount(self.quantity),
        }


class Item(NamedTuple):
    """Tablets for one prescription."""

    prescription: Prescription
    quantity: Decimal
    """Of all packs together."""
    pack: Pack
    further: tuple[CountedPack, ...] = ()
    """Other packs that some of the tablets come from; the rest is of `pack`."""

    @property
    def packs(self) -> list[Pack]:
        """Every pack that the tablets come from."""
        return [self.pack, *(counted.pack for counted in self.further)]


def items_problems(items: Sequence[Item]) -> tuple[Problem, ...]:
    """Return what is wrong with handing these over together, whatever the rules say."""
    problems = (
        _status_problems(item.prescription) or _quantity_problems(item.prescription, item.quantity) for item in items
    )
    return (*(problem for of_item in problems for problem in of_item), *packs_problems(items))


def explain_unknown_length(items: Sequence[Item]) -> Problem:
    """Return why nobody can say how many days a supply lasts: a strength that is not handed over with the others, or the order."""
    first = items[0].prescription
    handed_over = {item.prescription.pk for item in items}
    order = next(order for order in group_orders(list_rows(first.patient, "prescriptions")) if first in order)
    others = [row for row in order if row.pk not in handed_over and row.strength_mg is not None]
    if not others:
        return UNKNOWN_LENGTH
    strengths = join_words([f"{format_amount(row.strength_mg or 0)} mg" for row in others])
    if any(row.status != PrescriptionStatus.ACTIVE for row in others):
        return Problem(
            "prescription",
            f"A part of an order: its tablets of {strengths} are no longer to be handed over",
            "an order that says the doses without them",
            "Ask the prescriber for a new one.",
        )
    return Problem(
        "also",
        f"A part of an order: its tablets of {strengths} are taken on the same days",
        "a pack of each strength of the order",
        f"Hand over prescription {join_words([str(row.pk) for row in others])} together with this one.",
    )


def packs_problems(items: Sequence[Item]) -> tuple[Problem, ...]:
    """Return which tablets do not add up, and whether these are not the strengths of one order."""
    problems = []
    for item in items:
        of_further = sum((counted.quantity for counted in item.further), Decimal(0))
        if of_further >= item.quantity:
            problems.append(
                Problem(
                    "packs",
                    f"{_tablets(of_further)} of further packs, {_tablets(item.quantity)} in all",
                    "packs whose tablets add up to the quantity",
                    "Count them again.",
                )
            )
    prescriptions = [item.prescription for item in items]
    is_one_order = (
        len({row.pk for row in prescriptions}) == len(items)
        and len({row.patient_id for row in prescriptions}) == 1
        and len(group_orders(prescriptions)) == 1
    )
    if len(items) > 1 and not is_one_order:
        problems.append(
            Problem(
                "also",
                "prescriptions that are not the strengths of one order",
                "each prescription of one group once",
                "Hand them over one by one.",
            )
        )
    return tuple(problems)


def _status_problems(order: Prescription) -> tuple[Problem, ...]:
    if order.patient.died_on:
        return (
            Problem("prescription", "The patient is recorded as having died", "a living patient", "Check the record."),
        )
    if order.status == PrescriptionStatus.ACTIVE:
        return ()
    completed = [row for row in list_rows(order, "dispenses") if row.status == DispenseStatus.COMPLETED]
    last = max(completed, key=lambda row: row.handed_over_at, default=None)
    if order.status == PrescriptionStatus.COMPLETED and last is not None:
        return (_all_handed_over_problem(last),)
    next_step = "Ask the prescriber for a new one."
    if order.status == PrescriptionStatus.ON_HOLD:
        next_step = (
            "Resume it first." if order.awaiting else "Wait for its sender to release it, or ask the prescriber."
        )
    return (Problem("prescription", f"The prescription is {order.standing}", "an active prescription", next_step),)


def _quantity_problems(order: Prescription, quantity: Decimal) -> tuple[Problem, ...]:
    left = order.remaining()
    whole = order.quantity
    if left is not None and quantity > left:
        return (
            Problem(
                "quantity",
                f"{_tablets(quantity)} asked for, {_tablets(left)} left",
                f"at most {_tablets(left)}",
            ),
        )
    if whole is not None and quantity > whole:
        return (Problem("quantity", f"{_tablets(quantity)} asked for", f"at most {_tablets(whole)} in one supply"),)
    return ()


def list_gtins(items: Iterable[Item]) -> set[str]:
    """Return the GTINs of all packs, in 14 digits; a text that is none is left out."""
    texts = {pack.gtin for item in items for pack in item.packs}
    return {text.zfill(14) for text in texts if text.isascii() and text.isdigit() and len(text) <= 14}


def find_item_product(
    item: Item, products: Mapping[str, Product], today: date | None
) -> tuple[Product | None, tuple[Problem, ...]]:
    """Return the product of an item's first pack, and what is wrong with any of its packs.

    `products` are those known, by GTIN. `today` is the day on which packs must be in date; None: they need not be.
    """
    first, problems = _find_product(item.pack, products, today)
    for counted in item.further:
        product, wrong = _find_product(counted.pack, products, today)
        problems += wrong
        if first is not None and product is not None and product.strength_mg != first.strength_mg:
            strengths = [f"{format_amount(row.strength_mg)} mg" for row in (first, product)]
            problems += (
                Problem(
                    "packs", f"packs of {' and '.join(strengths)}", "packs of one strength", "Put one of them back."
                ),
            )
    return first, problems


def _find_product(
    pack: Pack, products: Mapping[str, Product], today: date | None
) -> tuple[Product | None, tuple[Problem, ...]]:
    product = products.get(pack.gtin.zfill(14))
    if product is None:
        return None, (
            Problem(
                "pack.gtin",
                "Nobody here knows this pack",
                "the GTIN of a product in the list",
                "Scan it again, or have it added.",
            ),
        )
    if product.ingredient.casefold() != BACLOFEN:
        return None, (
            Problem("pack.gtin", f"The pack is {product.name}, another medicine", "a baclofen pack", "Put it back."),
        )
    if pack.expiry is not None and today is not None and pack.expiry < today:
        return None, (
            Problem("pack.expiry", f"The pack expired on {pack.expiry}", "a pack in date", "Take it off the shelf."),
        )
    return product, ()


def check_quantity(quantity: Decimal) -> Decimal:
    if (
        not isinstance(quantity, Decimal)
        or not quantity.is_finite()
        or quantity <= 0
        or quantity > conf().max_quantity
        or (quantity * 2) % 1
    ):
        raise InvalidInput(
            "The quantity is not a number of tablets.",
            Problem("quantity", str(quantity)[:32], f"whole or half tablets, above 0, at most {conf().max_quantity}"),
        )
    return quantity


def check_repeated(before: Dispense, order: Prescription, quantity: Decimal) -> Dispense:
    """Return the hand-over that a repeated key was used for. Raises `Conflict` where that was another one."""
    if before.prescription_id != order.pk or before.quantity != quantity:
        raise key_in_use()
    return before


def key_in_use() -> Conflict:
    return Conflict(
        "This idempotency key was used for another hand-over.",
        Problem("idempotency_key", "a key in use", "a new key for each hand-over"),
    )


def _all_handed_over_problem(last: Dispense) -> Problem:
    problem_text = f"{_tablets(last.quantity)} were handed over at {last.handed_over_at:%Y-%m-%d %H:%M} UTC by {last.dispenser_name}; nothing is left"
    return Problem(
        "prescription",
        problem_text,
        "a prescription with something left",
        "Load the prescription again before handing anything over.",
    )


def expiry_problems(items: Sequence[Item], run_out_on: date) -> list[Problem]:
    """Return what is wrong with packs that expire before the supply ends."""
    packs = [pack for item in items for pack in item.packs]
    return [_expiry_problem(p.expiry, run_out_on) for p in packs if p.expiry is not None and p.expiry < run_out_on]


def _expiry_problem(expiry: date, run_out: date) -> Problem:
    problem_text = f"The pack expires on {expiry}, before the supply ends on {run_out - timedelta(days=1)}"
    return Problem(
        "pack.expiry", problem_text, "a pack that lasts as long as the supply", "Pick one with a later expiry."
    )


def _tablets(quantity: Decimal) -> str:
    return f"{format_amount(quantity)} tablets" if quantity != 1 else "1 tablet"
