"""Cases in shorthand, for tables that a pharmacist can read.

A *calm* case finds nothing in any profile: an adult of 45 years with every fact known, who starts on 5 mg three times a day.
A row of a table says only what differs::

    takes = ["5+5+5 for 3 days", "10+10+10 for 25 days"]      the phases; without "for" an open end;
                                                              "10 for 5 days from day 4" where a phase names its first day
    had = ["10+10+10, 28 days ago, for 28 days, since 90 days ago"]   earlier supplies; ", concurrent" for another course
    patient = {age_years = 11}, prescription = {...}, case = {...}   fields of the case format, put over the calm ones

A row about orders and supplies says them instead, and is a case of the second format::

    orders = ["A by dr-a: 10+10+10; 84 tablets of 10 mg; completed; written 30 days ago"]   and: then stop, as needed,
             starts in 28 days, started 5 days ago, replaces A, group g, repeats 3, every 7 days, emergency, called Dr A; "&" joins products
    given = ["A: 84 tablets 14 days ago"]                    hand-overs; ", returned 2 days ago"
    elsewhere = ["r1 by dr-h: 20+20+20 for 28 days, 30 days ago"]
    decided = ["B beside A"]                                 also: B replaces A, B continues A, stopped A 2 days ago,
                                                        A takes 30 20 days ago (mg a day)
    asks = "B: 126 tablets"

The quantity is what the course needs and the right strength is picked, unless the row says otherwise.
"""

import re
from collections.abc import Collection
from copy import deepcopy
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

from tests.tables import read_table, refuse_unknown

RECORD_KEYS = frozenset({"orders", "given", "elsewhere", "decided", "asks"})
CASE_KEYS = frozenset({"takes", "had", "patient", "prescription", "case", "unknown"}) | RECORD_KEYS
"""Keys of a row about its case."""
FINDING_KEYS = frozenset({"summary", "detail", "observed", "limit", "dur", "detected_issue", "suggestion"})
"""Keys of a row about the finding, beside its severity; ``explains`` is the sentence of a clear rule."""
RULE_KEYS = FINDING_KEYS | {"says", "expect", "code", "detail_of", "explains"}
"""Keys of a row of a rule's table beside its case."""
ON = date(2026, 11, 22)
CALM_PATIENT = {
    "age_years": 45,
    "sex": "female",
    "weight_kg": 70,
    "egfr": 95,
    "dialysis": False,
    "pregnant": False,
    "breastfeeding": False,
    "allergies": [],
    "conditions": [],
    "medicines": [],
    "alcohol_use": False,
    "drives": False,
    "intrathecal_pump": False,
}
BACLOFEN = {"name": "Baclofen 10 mg tablets", "atc": "M03BX01"}
CALM_PACK = {"medicine": BACLOFEN, "expires_on": "2027-12-31"}
CALM_ORDER = {
    "medicine": BACLOFEN,
    "written_on": "2026-11-20",
    "route": "oral",
    "form": "tablet",
    "strength_mg": 10,
    "brand": "Baclofen",
    "then_stop": False,
    "directions": None,
    "repeats": 0,
}
_PHASE = re.compile(
    r"(?P<doses>[\d.]+(?:\+[\d.]+)*)(?: (?P<unit>mg|microgram))?(?: for (?P<days>\d+) days?)?"
    r"(?: from day (?P<start>\d+))?"
)
_FILL = re.compile(
    r"(?P<doses>[\d.]+(?:\+[\d.]+)*), (?P<ago>\d+) days? ago, for (?P<days>\d+) days?"
    r"(?:, since (?P<since>\d+) days? ago)?(?P<concurrent>, concurrent)?"
)


def phase(text: str) -> dict[str, Any]:
    """``"5+5+5 for 3 days"`` as a phase of the case format."""
    match = _PHASE.fullmatch(text)
    assert match, text
    doses = [Decimal(dose) for dose in match["doses"].split("+")]
    made = {"doses": doses, "unit": match["unit"] or "mg", "days": int(match["days"]) if match["days"] else None}
    return {**made, "from_day": int(match["start"])} if match["start"] else made


def fill(text: str, on: date = ON) -> dict[str, Any]:
    """``"10+10+10, 28 days ago, for 28 days"`` as an earlier supply of the case format."""
    match = _FILL.fullmatch(text)
    assert match, text
    made = {
        "dispensed_on": (on - timedelta(days=int(match["ago"]))).isoformat(),
        "doses": [Decimal(dose) for dose in match["doses"].split("+")],
        "days_supply": int(match["days"]),
        "relation": "concurrent" if match["concurrent"] else "same-course",
    }
    if match["since"]:
        made["dose_since"] = (on - timedelta(days=int(match["since"]))).isoformat()
    return made


def case_of(row: dict[str, Any], beside: Collection[str] = ()) -> dict[str, Any]:
    """A row of a table as a case of the case format; `beside` names the keys that its reader reads itself."""
    refuse_unknown(row, {*CASE_KEYS, *beside}, str(row.get("says", "case")))
    if "orders" in row:
        return _record_of(row)
    order = {**CALM_ORDER, "phases": [phase(text) for text in row.get("takes", ["5+5+5 for 28 days"])]}
    order |= row.get("prescription", {})
    order.setdefault("quantity", _needed(order))
    case = {
        "format": "baclofen-case/1",
        "on": ON.isoformat(),
        "action": "dispense",
        "patient": {**deepcopy(CALM_PATIENT), **row.get("patient", {})},
        "prescription": order,
        "picked": {"strength_mg": order["strength_mg"], **CALM_PACK} if order["strength_mg"] else None,
        "history": [fill(text) for text in row.get("had", [])],
    }
    case |= row.get("case", {})
    for path in row.get("unknown", []):
        *way, last = path.split(".")
        at = case
        for step in way:
            at = at[step]
        at[last] = None
    if case["action"] == "discontinue":
        case["prescription"] = case["picked"] = None
    return case


_ORDER = re.compile(
    r"(?P<id>\w+)(?: by (?P<prescriber>[\w-]+))?: (?P<phases>[^;]+); (?P<tablets>[^;]+)(?P<rest>(?:; [^;]+)*)"
)
_TABLETS = re.compile(r"(?P<quantity>[\d.]+) tablets of (?P<strength>[\d.]+) mg")
_GIVEN = re.compile(
    r"(?P<order>\w+): (?P<tablets>[\d.]+(?: & [\d.]+)*) tablets (?P<ago>\d+) days? ago(?:, returned (?P<back>\d+) days? ago)?"
)
_ELSEWHERE = re.compile(
    r"(?P<id>\w+)(?: by (?P<prescriber>[\w-]+))?: (?P<doses>[\d.]+(?:\+[\d.]+)*|unknown dose) for (?P<days>\d+) days?, "
    r"(?P<ago>\d+) days? ago"
)
_STATUSES = frozenset({"waiting", "active", "completed", "cancelled", "stopped", "replaced"})


def _record_of(row: dict[str, Any]) -> dict[str, Any]:
    """A row of orders and supplies as a case of the second format."""
    orders = [_order(text) for text in row["orders"]]
    order_id, _, tablets = row["asks"].partition(": ")
    amounts = tablets.removesuffix(" tablets").split(" & ")
    products = next(order for order in orders if order["id"] == order_id)["products"]
    case = {
        "format": "baclofen-case/2",
        "on": ON.isoformat(),
        "action": "dispense",
        "patient": {**deepcopy(CALM_PATIENT), **row.get("patient", {})},
        "orders": orders,
        "supplies": [
            *(_given(text, number) for number, text in enumerate(row.get("given", []))),
            *(_elsewhere(text) for text in row.get("elsewhere", [])),
        ],
        "decisions": [_decision(text) for text in row.get("decided", [])],
        "ask": {
            "order": order_id,
            "tablets": [Decimal(amount) for amount in amounts],
            "picked": [
                {"strength_mg": product["strength_mg"], "medicine": BACLOFEN, "expires_on": "2031-12-31"}
                for product in products
            ],
        },
    }
    return case | row.get("case", {})


def _ago(days: str, sign: int = -1) -> str:
    return (ON + sign * timedelta(days=int(days))).isoformat()


def _order(text: str) -> dict[str, Any]:
    match = _ORDER.fullmatch(text)
    assert match, text
    rows = match["phases"].split(" & ")
    packs = [_TABLETS.fullmatch(pack) for pack in match["tablets"].split(" & ")]
    order: dict[str, Any] = {
        "id": match["id"],
        "medicine": BACLOFEN,
        "form": "tablet",
        "route": "oral",
        "prescriber": match["prescriber"],
        "written_on": ON.isoformat(),
        "products": [
            {
                "strength_mg": pack["strength"],
                "brand": "Baclofen",
                "quantity": pack["quantity"],
                "phases": [phase(part) for part in phases.split(", ")],
            }
            for phases, pack in zip(rows, packs, strict=True)
            if pack is not None
        ],
    }
    assert len(order["products"]) == len(packs), text
    for option in filter(None, match["rest"].split("; ")):
        _read_option(order, option)
    return order


def _read_option(order: dict[str, Any], option: str) -> None:
    words = option.split()
    if option in _STATUSES:
        order["status"] = option
    elif option in {"then stop", "as needed", "emergency"}:
        order[option.replace(" ", "_")] = True
    elif option == "then goes on":
        order["then_stop"] = False
    elif words[0] in {"replaces", "group", "repeats"}:
        order[words[0]] = int(words[1]) if words[0] == "repeats" else words[1]
    elif words[0] == "every":
        order["interval_days"] = int(words[1])
    elif words[0] == "called":
        order["prescriber_name"] = option.removeprefix("called ")
    elif words[0] == "written":
        order["written_on"] = _ago(words[1])
    elif option.startswith("starts in"):
        order["starts_on"] = _ago(words[2], 1)
    else:
        assert words[0] == "started", option
        order["starts_on"] = _ago(words[1])


def _given(text: str, number: int) -> dict[str, Any]:
    match = _GIVEN.fullmatch(text)
    assert match, text
    supply = {
        "id": f"s{number}",
        "on": _ago(match["ago"]),
        "order": match["order"],
        "tablets": match["tablets"].split(" & "),
        "number": number,
    }
    return supply if match["back"] is None else {**supply, "status": "returned", "returned_on": _ago(match["back"])}


def _elsewhere(text: str) -> dict[str, Any]:
    match = _ELSEWHERE.fullmatch(text)
    assert match, text
    is_dose_known = match["doses"] != "unknown dose"
    products = [{"strength_mg": 10, "phases": [phase(match["doses"])]}] if is_dose_known else []
    return {
        "id": match["id"],
        "on": _ago(match["ago"]),
        "source": "hospital",
        "prescriber": match["prescriber"],
        "regimen": {"products": products},
        "days": int(match["days"]),
    }


def _decision(text: str) -> dict[str, Any]:
    words = text.split()
    if words[0] == "stopped":
        return {"kind": "stopped", "object": words[1], "on": _ago(words[2])}
    if words[1] == "takes":
        return {"kind": "takes", "object": words[0], "mg": words[2], "on": _ago(words[3])}
    return {"kind": words[1], "subject": words[0], "object": words[2], "on": ON.isoformat()}


def read_rule_table(path: Path) -> dict[str, Any]:
    """Return the table of a rule: `rule`, its code, `needs_dose`, `numbers`, and `row`, each of which expects something."""
    head = {"rule", "needs_dose", "numbers"}
    return read_table(path, "row", CASE_KEYS | RULE_KEYS, required={"says", "expect"}, head=head)


def _needed(order: dict[str, Any]) -> Decimal | None:
    """Tablets the phases need, a whole number; 84 for an open end."""
    phases, strength = order["phases"], order["strength_mg"]
    if not phases or not strength:
        return None
    if phases[-1].get("days") is None:
        return Decimal(84)
    total = sum(sum(map(Decimal, phase["doses"])) * phase["days"] for phase in phases)
    return (total / Decimal(strength)).to_integral_value(rounding=ROUND_CEILING)
