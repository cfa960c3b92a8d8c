"""The quantity does not fit the course.

Finds: an acknowledgement when the quantity lies outside of the tablets needed (rounded up to a whole one) with the
profile's tolerance on both sides, an override from a multiple of the tablets needed. With an open end only too few for
the phases of fixed length is found. An acknowledgement too where the directions name another quantity than the order. A later hand-over of an order is not asked about again.
Errs: on the side of asking: a tablet more or less than the course needs is a question where no tolerance is known.
Source: the profile's tolerance (original packs in the United Kingdom).
"""

from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from baclofen_rules.directions import Reading
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.terms import QUANTITY_FACT, STRENGTH_FACT, Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    tolerance: Decimal = number("fraction", 0, 0.5, words="part by which a quantity may differ from the directions")
    override_from: Decimal = number("times", 1, 10, words="times too many tablets, from which it is an override")


def check(t: Terms, limits: Limits) -> Answer:
    if t.position > 1:  # judged at the first hand-over of the order
        return CLEAR
    order, needed = t.order, t.needed_tablets
    written = order.reading.quantity if order is not None and isinstance(order.reading, Reading) else None
    if order is not None and written is not None and order.quantity is not None and written != order.quantity:
        return (Found(Severity.ACKNOWLEDGE, _describe_written, written, order.quantity),)
    if order is None or order.quantity is None or needed is None:
        quantity_lacks = order is None or order.quantity is None
        return (Missing((QUANTITY_FACT,) if quantity_lacks else (STRENGTH_FACT,)),)
    whole = needed.to_integral_value(rounding=ROUND_CEILING)
    least, most = whole * (1 - limits.tolerance), whole * (1 + limits.tolerance)
    if order.quantity < least:
        return (Found(Severity.ACKNOWLEDGE, _describe, t, order.quantity, whole, (least, most)),)
    if order.quantity > most and not t.is_open:
        severity = Severity.OVERRIDE if order.quantity >= whole * limits.override_from else Severity.ACKNOWLEDGE
        return (Found(severity, _describe, t, order.quantity, whole, (least, most)),)
    return CLEAR


def _describe_written(written: Decimal, ordered: Decimal) -> Words:
    text, order = format_amount(written), format_amount(ordered)
    return Words(
        f"The directions say {text} tablets, the order says {order}",
        f"Directions: {text} tablets; order: {order} tablets. Which of them is meant?",
        observed={"tablets": order},
        limit={"tablets": text},
        dur=Dur.MISSING_INFORMATION,
        detected_issue=DetectedIssue.FULFILMENT,
    )


def _describe(t: Terms, ordered: Decimal, whole: Decimal, allowed: tuple[Decimal, Decimal]) -> Words:
    least, most = allowed
    too_few = ordered < least
    side = "fewer" if too_few else "more"
    course = "its phases of fixed length" if t.is_open else "the course"
    sums = " + ".join(
        f"{format_amount(phase.mg_per_day)} mg x {phase.days} days" for phase in t.phases if phase.days is not None
    )
    exact = format_amount(round(t.needed_tablets or whole, 4))
    strength = format_amount(t.order.strength_mg) if t.order is not None and t.order.strength_mg is not None else "?"
    fitting = f"{format_amount(least)} or more" if t.is_open else f"{format_amount(least)} to {format_amount(most)}"
    return Words(
        f"{format_amount(ordered)} tablets are {side} than the {format_amount(whole)} that {course} needs",
        f"({sums}) / {strength} mg = {exact} tablets; allowed: {fitting}; ordered: {format_amount(ordered)}.",
        observed={"tablets": format_amount(ordered)},
        limit={"least": format_amount(least)}
        if t.is_open
        else {"least": format_amount(least), "most": format_amount(most)},
        dur=Dur.INSUFFICIENT_QUANTITY if too_few else Dur.EXCESSIVE_QUANTITY,
        detected_issue=DetectedIssue.FULFILMENT,
        suggestion={"quantity": format_amount(whole)},
    )


def explain(t: Terms, limits: Limits) -> str:
    needed = format_amount(round(t.needed_tablets or Decimal(0), 4))
    ordered = "" if t.order is None or t.order.quantity is None else format_amount(t.order.quantity)
    if t.is_open:
        return f"The course has an open end; {ordered} tablets cover the {needed} of its fixed phases."
    return f"The course needs {needed} tablets; {ordered} are ordered."


RULE = Rule(
    code="quantity",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    is_about_product=True,
    answers=("14", "5"),
    needs_dose=True,
    clears=(
        "{tablets}, or directions that fit the quantity",
        "From {least} to {most}",
        "{least} or more",
    ),
)
