"""Read the worked cases of cases.json as facts of a therapy."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import (
    Decision,
    DecisionKind,
    Facts,
    Habits,
    Order,
    OrderStatus,
    Plan,
    Product,
    Supply,
    SupplyStatus,
)

DOCUMENT: Mapping[str, Any] = json.loads(Path(__file__).with_name("cases.json").read_text(), parse_float=Decimal)
CASES: Sequence[Mapping[str, Any]] = DOCUMENT["cases"]


def habits() -> Habits:
    profile = DOCUMENT["profile"]
    return Habits(
        restart_after=profile["restart_after_days"],
        new_after=profile["new_after_days"],
        lead=profile["refill_lead_days"],
        second_call=profile["second_call_days"],
        missed_after=profile["missed_after_days"],
        used_fraction=Decimal(profile["early_used_fraction_min"]),
        days_left=None,
        watch=profile["watch_after_stop_days"],
        stop_free_mg=Decimal(profile["stop_free_mg"]),
    )


def facts_of(case: Mapping[str, Any]) -> Facts:
    return Facts(
        today=date.fromisoformat(case["today"]),
        orders=tuple(_order(row) for row in case["orders"]),
        supplies=tuple(_supply(row) for row in case["supplies"]),
        decisions=tuple(decision_of(row) for row in case["decisions"]),
        habits=habits(),
        died_on=_day(case["patient"]["died_on"]),
    )


def decision_of(row: Mapping[str, Any]) -> Decision:
    return Decision(
        kind=DecisionKind(row["kind"]),
        object=row["object"],
        on=date.fromisoformat(row["on"]),
        subject=row["subject"],
        starts_on=_day(row.get("from")),
        tablets=amounts(row["tablets"]) if row.get("tablets") is not None else None,
        mg=Decimal(row["mg"]) if row.get("mg") is not None else None,
        days=row.get("days"),
    )


def amounts(values: Sequence[Any]) -> tuple[Decimal, ...]:
    return tuple(Decimal(value) for value in values)


def _day(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)


def _plan(row: Mapping[str, Any]) -> Plan:
    return Plan(
        products=tuple(
            Product(
                strength_mg=Decimal(product["strength_mg"]),
                phases=tuple(
                    Phase(
                        amounts(phase["doses"]),
                        phase["days"],
                        times=tuple(phase["times"]) if phase.get("times") else None,
                    )
                    for phase in product["phases"]
                ),
                quantity=Decimal(product["quantity"]) if product.get("quantity") is not None else None,
            )
            for product in row["products"]
        ),
        as_needed=row["as_needed"],
        then_stop=row["then_stop"],
    )


def _order(row: Mapping[str, Any]) -> Order:
    return Order(
        id=row["id"],
        plan=_plan(row),
        prescriber=row["prescriber"],
        written_on=_day(row["written_on"]),
        starts_on=_day(row["starts_on"]),
        status=OrderStatus(row["status"]),
        replaces=row["replaces"],
        group=row["group"],
        repeats=row["repeats"],
        interval_days=row["interval_days"],
    )


def _supply(row: Mapping[str, Any]) -> Supply:
    recorded = row.get("regimen")
    returned = row.get("returned_tablets")
    return Supply(
        id=row["id"],
        on=date.fromisoformat(row["on"]),
        order=row["order"],
        tablets=amounts(row["tablets"]) if row.get("tablets") is not None else None,
        status=SupplyStatus(row["status"]),
        returned_on=_day(row.get("returned_on")),
        returned_tablets=None if returned is None else amounts(returned),
        plan=None if recorded is None or not recorded["products"] else _plan(recorded),
        days=row.get("days"),
        prescriber=row.get("prescriber"),
        dose_since=_day(row.get("dose_since")),
    )
