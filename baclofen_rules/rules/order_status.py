"""The order may not be handed over: it has ended, waits, or the patient has died.

Finds: a stop for an order that is not active, and after the day of death. Nothing else is asked of such an order.
Errs: on the side of stopping; what the patient takes goes on by the therapy, whatever became of the order.
Source: design.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.therapy import OrderStatus

_ENDED = {
    OrderStatus.WAITING: "waits: it is a draft, or on hold",
    OrderStatus.COMPLETED: "is completed: everything on it was handed over",
    OrderStatus.CANCELLED: "was cancelled",
    OrderStatus.STOPPED: "was stopped",
    OrderStatus.REPLACED: "was replaced by another order",
}


def check(t: Terms, limits: NoLimits) -> Answer:
    if t.relation is not None or t.therapy is None or t.case.record is None or t.case.ask is None:
        return CLEAR
    recorded = None if t.case.ask.order is None else t.case.record.find(t.case.ask.order)
    if recorded is None:
        return CLEAR
    return (Found(Severity.STOP, _describe, t, recorded.order.status),)


def _describe(t: Terms, status: OrderStatus) -> Words:
    died_on = None if t.case.record is None else t.case.record.died_on
    if died_on is not None and died_on <= t.case.on:
        reason = f"The patient died on {died_on}: nothing is handed over"
    else:
        reason = f"This order {_ENDED[status]}; nothing is handed over on it"
    return Words(
        reason,
        f"{reason}. Status of the order: {status}.",
        observed={"status": str(status), "died_on": None if died_on is None else died_on.isoformat()},
        limit={"status": str(OrderStatus.ACTIVE)},
        dur=Dur.AUTHENTICATION,
        detected_issue=DetectedIssue.FULFILMENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "The order is active."


RULE = Rule(
    code="order-status",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("5",),
    ends_review=True,
    clears=("An order that is active",),
)
