"""The prescription is too old.

Finds: a stop when today is after the day it was written plus the profile's number of calendar months. A month without
that day ends on its last day (31 August plus 6 months: 28 February).
Errs: on the side of dispensing on the last day itself: "valid for six months" includes it.
Source: pharmacy practice of the profile's country.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, Dur, Found, Missing, Severity, Words
from baclofen_rules.months import months_after
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount

WRITTEN_FACT = "prescription.written_on"


@dataclass(frozen=True, slots=True)
class Limits:
    valid_months: Decimal = number("months", 1, 24, words="months for which an order is valid")


def check(t: Terms, limits: Limits) -> Answer:
    written = None if t.order is None else t.order.written_on
    if written is None:
        return (Missing((WRITTEN_FACT,)),)
    last = months_after(written, int(limits.valid_months))
    if t.case.on <= last:
        return CLEAR
    return (Found(Severity.STOP, _describe, t, limits, written, last),)


def _describe(t: Terms, limits: Limits, written: date, last: date) -> Words:
    months = format_amount(limits.valid_months)
    return Words(
        f"Written on {written}, the prescription was valid for {months} months, until {last}",
        f"{written} plus {months} calendar months is {last}; today is {t.case.on}.",
        observed={"written_on": written.isoformat(), "on": t.case.on.isoformat()},
        limit={"valid_until": last.isoformat(), "months": months},
        dur=Dur.AUTHENTICATION,
    )


def explain(t: Terms, limits: Limits) -> str:
    written = None if t.order is None else t.order.written_on
    return f"Written on {written}, valid for {format_amount(limits.valid_months)} months."


RULE = Rule(
    code="prescription-expiry",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("21", "5"),
    clears=("A new prescription: this one was valid until {valid_until}",),
)
