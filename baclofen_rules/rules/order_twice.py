"""The same order is there twice.

Finds: an acknowledgement when another active order of which nothing has been handed over says the same: prescriber, day of
writing, planned start, products, doses and need.
Errs: on the side of asking; a prescriber may write the same twice on one day, but rarely means it.
Source: design; senders repeat a message that they saw no answer to.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.record import Record
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.therapy import Order, OrderStatus


def check(t: Terms, limits: NoLimits) -> Answer:
    record, ask = t.case.record, t.case.ask
    recorded = None if record is None or ask is None or ask.order is None else record.find(ask.order)
    if record is None or recorded is None:
        return CLEAR
    twins = [other for other in _waiting(record) if _says_the_same(other, recorded.order)]
    return (Found(Severity.ACKNOWLEDGE, _describe, recorded.order, len(twins)),) if twins else CLEAR


def _waiting(record: Record) -> list[Order]:
    """Return the active orders of which nothing has been handed over."""
    supplied = {supply.order for supply in record.supplies or ()}
    orders = [recorded.order for recorded in record.orders]
    return [order for order in orders if order.status is OrderStatus.ACTIVE and order.id not in supplied]


def _says_the_same(other: Order, order: Order) -> bool:
    facts = ("prescriber", "written_on", "starts_on", "plan", "repeats")
    return other.id != order.id and all(getattr(other, fact) == getattr(order, fact) for fact in facts)


def _describe(order: Order, count: int) -> Words:
    written = "an unknown day" if order.written_on is None else str(order.written_on)
    return Words(
        "The same order waits a second time; was it sent twice?",
        f"Other active orders of {written} with the same doses, of which nothing has been handed over: {count}. "
        "Cancel the one that was not meant.",
        observed={"orders": str(count + 1)},
        limit={"orders": "1"},
        dur=Dur.INGREDIENT_DUPLICATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No other order that waits says the same."


RULE = Rule(
    code="order-twice",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5", "14"),
    clears=("One of the two orders cancelled",),
)
