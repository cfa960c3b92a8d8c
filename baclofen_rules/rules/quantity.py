"""The quantity does not fit the course.

Finds: an acknowledgement when the quantity lies outside of the tablets needed (rounded up to a whole one) with the
profile's tolerance on both sides. With an open end only too few for the phases of fixed length is found.
Errs: on the side of asking: a tablet more or less than the course needs is a question where no tolerance is known.
Source: the profile's tolerance (original packs in the United Kingdom).
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.regimen import plain
from baclofen_rules.rule import Rule
from baclofen_rules.terms import QUANTITY_FACT, STRENGTH_FACT, Terms


@dataclass(frozen=True, slots=True)
class Limits:
    tolerance: Decimal = number("fraction", 0, 0.5)


def check(t: Terms, limits: Limits) -> Answer:
    order, needed = t.order, t.needed_tablets
    if order is None or order.quantity is None or needed is None:
        quantity_lacks = order is None or order.quantity is None
        return (Missing((QUANTITY_FACT,) if quantity_lacks else (STRENGTH_FACT,)),)
    whole = needed.to_integral_value(rounding=ROUND_CEILING)
    least, most = whole * (1 - limits.tolerance), whole * (1 + limits.tolerance)
    if order.quantity < least:
        return (Found(Severity.ACKNOWLEDGE, _words, t, order.quantity, whole, (least, most)),)
    if order.quantity > most and not t.is_open:
        return (Found(Severity.ACKNOWLEDGE, _words, t, order.quantity, whole, (least, most)),)
    return CLEAR


def _words(t: Terms, given: Decimal, whole: Decimal, allowed: tuple[Decimal, Decimal]) -> Words:
    least, most = allowed
    too_few = given < least
    side = "fewer" if too_few else "more"
    course = "its phases of fixed length" if t.is_open else "the course"
    sums = " + ".join(
        f"{plain(phase.mg_per_day)} mg x {phase.days} days" for phase in t.phases if phase.days is not None
    )
    exact = plain(round(t.needed_tablets or whole, 4))
    strength = plain(t.order.strength_mg) if t.order is not None and t.order.strength_mg is not None else "?"
    fitting = f"{plain(least)} or more" if t.is_open else f"{plain(least)} to {plain(most)}"
    return Words(
        f"{plain(given)} tablets are {side} than the {plain(whole)} that {course} needs",
        f"({sums}) / {strength} mg = {exact} tablets; allowed: {fitting}; ordered: {plain(given)}.",
        observed={"tablets": plain(given)},
        limit={"least": plain(least)} if t.is_open else {"least": plain(least), "most": plain(most)},
        dur=Dur.INSUFFICIENT_QUANTITY if too_few else Dur.EXCESSIVE_QUANTITY,
        detected_issue=DetectedIssue.FULFILMENT,
        suggestion={"quantity": plain(whole)},
    )


def explain(t: Terms, limits: Limits) -> str:
    needed = plain(round(t.needed_tablets or Decimal(0), 4))
    given = "" if t.order is None or t.order.quantity is None else plain(t.order.quantity)
    if t.is_open:
        return f"The course has an open end; {given} tablets cover the {needed} of its fixed phases."
    return f"The course needs {needed} tablets; {given} are ordered."


RULE = Rule(
    code="quantity",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    answers=("14", "5"),
    needs_dose=True,
)
