"""Cases in shorthand, for tables that a pharmacist can read.

A *calm* case finds nothing in any profile: an adult of 45 years with every fact known, who starts on 5 mg three times a day.
A row of a table says only what differs::

    takes = ["5+5+5 for 3 days", "10+10+10 for 25 days"]      the phases; without "for" an open end;
                                                              "10 for 5 days from day 4" where a phase names its first day
    had = ["10+10+10, 28 days ago, for 28 days, since 90 days ago"]   earlier supplies; ", concurrent" for another course
    patient = {age_years = 11}, prescription = {...}, case = {...}   fields of the case format, put over the calm ones

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

CASE_KEYS = frozenset({"takes", "had", "patient", "prescription", "case", "unknown"})
"""What a row may say of its case."""
FINDING_KEYS = frozenset({"summary", "detail", "observed", "limit", "dur", "detected_issue", "suggestion"})
"""What a row of a rule's table may say of the finding, beside its severity; ``explains`` is what a clear rule says for itself."""
RULE_KEYS = FINDING_KEYS | {"says", "expect", "code", "detail_of", "explains"}
"""What a row of a rule's table says beside its case."""
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


def read_rule_table(path: Path) -> dict[str, Any]:
    """Return the table of a rule: `rule`, its code, `numbers`, and `row`, each of which expects something."""
    return read_table(path, "row", CASE_KEYS | RULE_KEYS, required={"says", "expect"}, head={"rule", "numbers"})


def _needed(order: dict[str, Any]) -> Decimal | None:
    """Tablets the phases need, a whole number; 84 for an open end."""
    phases, strength = order["phases"], order["strength_mg"]
    if not phases or not strength:
        return None
    if phases[-1].get("days") is None:
        return Decimal(84)
    total = sum(sum(map(Decimal, phase["doses"])) * phase["days"] for phase in phases)
    return (total / Decimal(strength)).to_integral_value(rounding=ROUND_CEILING)
