"""Facts of a therapy as a document of the second case format."""

from collections.abc import Sequence
from copy import deepcopy
from datetime import date
from decimal import Decimal
from typing import Any

from baclofen_rules.therapy import Decision, Facts, Order, Plan, Supply, SupplyStatus
from tests.baclofen_rules.cases import CALM_PATIENT


def document_of(facts: Facts, asked: Order | None, tablets: Sequence[Decimal] = ()) -> dict[str, Any]:
    """Return the record as a case, for a calm patient; without an order it asks whether the medicine may be stopped."""
    return {
        "format": "baclofen-case/2",
        "on": facts.today.isoformat(),
        "action": "discontinue" if asked is None else "dispense",
        "patient": {**deepcopy(CALM_PATIENT), "died_on": _text(facts.died_on)},
        "orders": [_order(order) for order in facts.orders],
        "supplies": [_supply(supply) for supply in facts.supplies],
        "decisions": [_decision(decision) for decision in facts.decisions],
        "ask": None if asked is None else {"order": asked.id, "tablets": _amounts(tablets), "picked": _picked(asked)},
    }


def _order(order: Order) -> dict[str, Any]:
    return {
        "medicine": {"name": "Baclofen", "atc": "M03BX01"},
        "form": "tablet",
        "route": "oral",
        "id": order.id,
        "prescriber": order.prescriber,
        "written_on": _text(order.written_on),
        "starts_on": _text(order.starts_on),
        "status": order.status.value,
        "replaces": order.replaces,
        "group": order.group,
        "repeats": order.repeats,
        "interval_days": order.interval_days,
        **_plan(order.plan),
    }


def _plan(plan: Plan) -> dict[str, Any]:
    return {
        "as_needed": plan.as_needed,
        "then_stop": plan.then_stop,
        "products": [
            {
                "strength_mg": str(product.strength_mg),
                "quantity": None if product.quantity is None else str(product.quantity),
                "phases": [
                    {"doses": _amounts(phase.doses), "unit": "mg", "days": phase.days} for phase in product.phases
                ],
            }
            for product in plan.products
        ],
    }


def _supply(supply: Supply) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": supply.id,
        "on": supply.on.isoformat(),
        "order": supply.order,
        "tablets": _amounts(supply.tablets),
        "status": supply.status.value,
        "number": supply.number,
    }
    if supply.number_of_day is not None:
        fields["number_of_day"] = supply.number_of_day
    if supply.status is SupplyStatus.RETURNED:
        fields |= {"returned_on": _text(supply.returned_on), "returned_tablets": _amounts(supply.returned_tablets)}
    if supply.order is None:
        empty = {"products": [], "as_needed": False, "then_stop": None}
        regimen = empty if supply.plan is None else _plan(supply.plan)
        for product in regimen["products"]:
            del product["quantity"]
        fields |= {"source": "hospital", "prescriber": supply.prescriber, "regimen": regimen, "days": supply.days}
    return fields


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "id": decision.id,
        "kind": decision.kind.value,
        "subject": decision.subject,
        "object": decision.object,
        "on": decision.on.isoformat(),
        "from": _text(decision.starts_on),
        "tablets": _amounts(decision.tablets),
        "mg": None if decision.mg is None else str(decision.mg),
        "days": decision.days,
        "corrects": decision.corrects,
    }


def _picked(order: Order) -> list[dict[str, Any]]:
    return [
        {"strength_mg": str(product.strength_mg), "medicine": "baclofen", "expires_on": "2031-12-31"}
        for product in order.plan.products
    ]


def _amounts(values: Sequence[Decimal] | None) -> list[str] | None:
    return None if values is None else [str(value) for value in values]


def _text(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
