"""The open orders of a pharmacy in the sequence in which they are worked on."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, TypedDict
from uuid import UUID

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Coalesce, Greatest

from dispensary.models import OrderState, OrderSummary, Pharmacy
from dispensary.models.preparation import CHECKED_STAGES

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

LONGEST_WAITING_FIRST = ("turn_on", "received_at", "pk")
"""Those that are due, in the order in which they came in, then the others in that of their days."""
IS_READY = Q(prescription__preparations__stage__in=CHECKED_STAGES)
"""Of an order whose bag needs nothing but its patient."""


class DueColumn(TypedDict):
    """The column that `select_waiting` adds."""

    turn_on: date


def select_waiting(pharmacy: Pharmacy, today: date) -> QuerySet[WithAnnotations[OrderSummary, DueColumn]]:
    """Return the open orders of a pharmacy with `turn_on`: today where they are due, far off where their day is not known."""
    turn_on = Greatest(Coalesce(F("due_on"), date.max), Value(today))
    return OrderSummary.objects.filter(pharmacy=pharmacy).annotate(turn_on=turn_on)


def find_next(pharmacy: Pharmacy, today: date, after: UUID | None = None) -> OrderSummary | None:
    """Return the next due order that is neither blocked nor ready to be collected; after the last it begins again. None without one."""
    due = select_waiting(pharmacy, today).filter(turn_on=today).order_by(*LONGEST_WAITING_FIRST)
    workable = due.exclude(state=OrderState.BLOCKED).exclude(IS_READY)
    here = due.filter(pk=after).first() if after else None
    if here is None:
        return workable.first()
    is_later = Q(received_at__gt=here.received_at) | Q(received_at=here.received_at, pk__gt=here.pk)
    return workable.filter(is_later).first() or workable.exclude(pk=here.pk).first()
