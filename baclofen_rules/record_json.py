"""The record of a patient's baclofen as JSON: every field in a fixed order; reads back to itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from baclofen_rules.order import amount_json, day_json, medicine_json, phase_json, pick_json, witnesses_json
from baclofen_rules.record import Ask, Record, RecordedOrder
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import Decision, Plan, Supply, SupplyStatus


def record_json(record: Record) -> dict[str, Any]:
    """Return orders, supplies and decisions as JSON: every field in a fixed order; reads back to itself."""
    return {
        "orders": [_recorded_order_json(recorded) for recorded in record.orders],
        "supplies": None if record.supplies is None else [_supply_json(supply, record) for supply in record.supplies],
        "decisions": [
            _decision_json(decision, words) for decision, words in zip(record.decisions, record.words, strict=True)
        ],
        **({"potential_duplicates": record.potential_duplicates} if record.potential_duplicates else {}),
    }


def ask_json(ask: Ask | None) -> dict[str, Any] | None:
    """Return what is asked as JSON."""
    if ask is None:
        return None
    return {
        "order": ask.order,
        "course": ask.course,
        "tablets": _tablets_json(ask.tablets),
        "picked": [pick_json(pick) for pick in ask.picked],
    }


def _tablets_json(tablets: Sequence[Decimal] | None) -> list[str] | None:
    return None if tablets is None else [format_amount(count) for count in tablets]


def _recorded_order_json(recorded: RecordedOrder) -> dict[str, Any]:
    order, first = recorded.order, recorded.written[0]
    words = [{"directions": written.directions, **witnesses_json(written)} for written in recorded.written]
    is_common = words.count(words[0]) == len(words)
    return {
        "id": order.id,
        "medicine": None if first.medicine is None else medicine_json(first.medicine),
        "form": first.form,
        "route": first.route,
        "prescriber": order.prescriber,
        "prescriber_name": recorded.prescriber_name,
        "written_on": day_json(first.written_on),
        "starts_on": day_json(order.starts_on),
        "status": str(order.status),
        "replaces": order.replaces,
        "group": order.group,
        **({"emergency": True} if recorded.is_emergency else {}),
        "as_needed": first.as_needed,
        "then_stop": first.then_stop,
        "repeats": first.repeats,
        "interval_days": order.interval_days,
        **(words[0] if is_common else {"directions": None}),
        "products": [
            {
                "strength_mg": amount_json(written.strength_mg),
                "brand": written.brand,
                "quantity": amount_json(written.quantity),
                "phases": None
                if written.phases is None
                else [phase_json(phase, start) for phase, start in zip(written.phases, written.starts, strict=True)],
                **({} if is_common else own_words),
            }
            for written, own_words in zip(recorded.written, words, strict=True)
        ],
    }


def _plan_json(plan: Plan | None) -> dict[str, Any]:
    if plan is None:
        return {"products": [], "as_needed": False, "then_stop": None}
    return {
        "products": [
            {
                "strength_mg": amount_json(product.strength_mg),
                "phases": [phase_json(phase, None) for phase in product.phases],
            }
            for product in plan.products
        ],
        "as_needed": plan.as_needed,
        "then_stop": plan.then_stop,
    }


def _supply_json(supply: Supply, record: Record) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "id": supply.id,
        "on": supply.on.isoformat(),
        "order": supply.order,
        "tablets": _tablets_json(supply.tablets),
        "status": str(supply.status),
        "number": supply.number,
    }
    if supply.number_of_day is not None:
        fields["number_of_day"] = supply.number_of_day
    if supply.status is SupplyStatus.RETURNED:
        fields |= {
            "returned_on": day_json(supply.returned_on),
            "returned_tablets": _tablets_json(supply.returned_tablets),
        }
    if supply.relation is not None:
        fields["relation"] = {
            "relation": str(supply.relation.relation),
            "how": None if supply.relation.how is None else str(supply.relation.how),
            "to": list(supply.relation.to),
            "from": day_json(supply.relation.starts_on),
        }
    if supply.order is None:
        fields |= {
            "source": record.sources.get(supply.id),
            "prescriber": supply.prescriber,
            "prescriber_name": record.prescriber_names.get(supply.id),
            "regimen": _plan_json(supply.plan),
            "days": supply.days,
            "dose_since": day_json(supply.dose_since),
        }
    return fields


def _decision_json(decision: Decision, words: Mapping[str, str | None]) -> dict[str, Any]:
    return {
        "id": decision.id,
        "kind": str(decision.kind),
        "subject": decision.subject,
        "object": decision.object,
        "on": decision.on.isoformat(),
        "from": day_json(decision.starts_on),
        "tablets": _tablets_json(decision.tablets),
        "mg": amount_json(decision.mg),
        "days": decision.days,
        "corrects": decision.corrects,
        **({"since": decision.since} if decision.since is not None else {}),
        **({"after": list(decision.after)} if decision.after else {}),
        **words,
    }
