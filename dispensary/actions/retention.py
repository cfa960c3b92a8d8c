"""Retention of what is no record: how long each kind of working data is kept, and its deletion.

Records (patients, orders, dispenses, messages, the log) have no term here: two people erase them, as `manage.py audit erase` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from dispensary.conf import conf
from dispensary.models import (
    BegunSignature,
    HookCard,
    IdempotentRequest,
    InboundEvent,
    LogExport,
    OrderClaim,
    SubjectRequest,
)

BATCH = 5_000
"""Rows deleted with one statement, so that no lock is held long."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Rows of one kind, which are deleted a number of days after they were last of use."""

    name: str
    words: str
    days: int
    """Without a word of the site's in `keep_days` [D]."""
    before: Callable[[datetime], QuerySet[Any]]
    """The rows that were last of use before a time."""


KINDS = (
    Kind("answers", "answers to requests with a key, given again to a repeated one", 7,
         lambda time: IdempotentRequest.objects.filter(created_at__lt=time)),
    Kind("signatures", "signatures that were begun; what was signed is in the log", 1,
         lambda time: BegunSignature.objects.filter(begun_at__lt=time)),
    Kind("claims", "who has an order open at the counter", 1, lambda time: OrderClaim.objects.filter(claimed_at__lt=time)),
    Kind("provider-events", "receipts and replies of providers that were worked off", 90,
         lambda time: InboundEvent.objects.filter(processed_at__lt=time)),
    Kind("log-exports", "files of long exports of the log, by when they were asked for; of a patient's file, by when it was released", 8,
         lambda time: LogExport.objects.filter(requested_at__lt=time).exclude(
             pk__in=SubjectRequest.objects.filter(Q(decided_at=None) | Q(decided_at__gte=time), export__isnull=False).values("export"))),
    Kind("hook-cards", "cards of CDS Hooks without feedback", 90,
         lambda time: HookCard.objects.filter(sent_at__lt=time, feedback=None)),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Expired:
    """One kind: how long it is kept here, and how many of its rows are past that."""

    kind: Kind
    days: int
    rows: int


def count_expired(*, now: datetime) -> Iterator[Expired]:
    """Yield each kind with the number of its rows that `delete_expired` would delete."""
    for kind in KINDS:
        days = _days(kind)
        yield Expired(kind, days, kind.before(now - timedelta(days=days)).count())


def delete_expired(*, now: datetime) -> Iterator[Expired]:
    """Delete what is past its term, kind by kind, and yield each with the number of rows that are gone."""
    for kind in KINDS:
        days, deleted = _days(kind), 0
        rows = kind.before(now - timedelta(days=days))
        while keys := list(rows.values_list("pk", flat=True)[:BATCH]):
            rows.filter(pk__in=keys).delete()
            deleted += len(keys)
        yield Expired(kind, days, deleted)


def _days(kind: Kind) -> int:
    return conf().keep_days.get(kind.name, kind.days)
