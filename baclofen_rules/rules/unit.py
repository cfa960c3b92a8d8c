"""The unit of a dose cannot be right.

Finds: by mouth, a stop for any unit other than mg, or a dose below the smallest believable one (1 mg); into the spine, a
stop for a dose in mg with more than 2 mg a day. A route that is not stated is looked at as oral, and the rule says what it lacks.
Errs: on the side of stopping: a baclofen tablet dose in micrograms is a copying error until somebody says otherwise.
Source: document 003 gives an intrathecal maximum of 2000 mg where 2000 micrograms were meant.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import number
from baclofen_rules.regimen import Unit
from baclofen_rules.rule import Rule
from baclofen_rules.terms import PHASES_FACT, ROUTE_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    smallest_oral_dose_mg: Decimal = number("mg", 0.001, 5, words="smallest dose that is taken by mouth")
    intrathecal_max_mg_per_day: Decimal = number("mg/day", 0.01, 10, words="most mg a day into the spine")


def check(t: Terms, limits: Limits) -> Answer:
    if not t.phases:
        return (Missing((PHASES_FACT,)),)
    intrathecal = t.is_intrathecal
    for number_, phase in enumerate(t.phases, start=1):
        dose, unit = phase.smallest_dose, phase.unit
        if intrathecal:
            most = limits.intrathecal_max_mg_per_day
            if unit is Unit.MG and phase.mg_per_day > most:
                day = format_amount(phase.mg_per_day)
                return _stop(
                    f"{day} mg a day into the spine is above {format_amount(most)} mg; micrograms are likely meant",
                    f"Phase {number_}: {day} mg a day by the intrathecal route; more than {format_amount(most)} mg a day is not believable.",
                    {"mg_per_day": day, "unit": str(unit)},
                    {"mg_per_day": format_amount(most)},
                )
        elif unit is not Unit.MG:
            written = format_amount(phase.doses[0])
            return _stop(
                f"A dose of {written} {unit} is not in mg; tablets are ordered in mg",
                f"Phase {number_}: {written} {unit} is {format_amount(phase.largest_dose)} mg; an oral dose is written in mg.",
                {"dose": written, "unit": str(unit)},
                {"unit": "mg"},
            )
        elif dose < limits.smallest_oral_dose_mg:
            least = format_amount(limits.smallest_oral_dose_mg)
            return _stop(
                f"A dose of {format_amount(dose)} mg is below {least} mg; the unit is likely wrong",
                f"Phase {number_}: {format_amount(dose)} mg in one dose; the smallest believable oral dose is {least} mg.",
                {"dose_mg": format_amount(dose), "unit": str(unit)},
                {"dose_mg": least},
            )
    if t.order is not None and t.order.route is None and t.highest_mg > limits.intrathecal_max_mg_per_day:
        return (Missing((ROUTE_FACT,)),)
    return CLEAR


def _stop(summary: str, detail: str, observed: dict[str, str], limit: dict[str, str]) -> Answer:
    words = Words(summary, detail, observed, limit, Dur.MISSING_INFORMATION, DetectedIssue.DOSE)
    return (Found(Severity.STOP, lambda: words),)


def explain(t: Terms, limits: Limits) -> str:
    smallest = min(phase.smallest_dose for phase in t.phases)
    return f"All doses are in mg; the smallest is {format_amount(smallest)} mg, not below {format_amount(limits.smallest_oral_dose_mg)} mg."


RULE = Rule(
    code="unit",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("5",),
    switches_off=True,
    clears=("An order in mg",),
)
