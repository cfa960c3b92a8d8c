"""Conclusions of findings: which of those shown on an order were gone when it was handed over, replaced or cancelled.

A finding that is there at the hand-over was answered; one that is gone was changed, or it waited for its day. A repeat is a
hand-over with the directions of the patient's hand-over before. An edit is a change of the patient's facts after which a finding
that asked for a signature was gone at the hand-over.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from baclofen_rules.findings import Severity
from baclofen_rules.rules import all_rules
from dispensary.audit.log.events import Event
from dispensary.audit.log.reader import reading
from dispensary.audit.log.search import logs_of

WAITING_RULES = frozenset(rule.code for rule in all_rules() if rule.clears_on is not None)
"""Rules whose findings go away because a day comes."""

Severities = Mapping[str, str]
"""Code of a rule -> severity of its finding."""

_EVENTS = """
    WITH patient AS (
        SELECT DISTINCT patient_ref FROM audit.entry WHERE log_id = %(log)s AND recorded_at >= %(since)s AND recorded_at < %(until)s
          AND action = ANY (%(about)s))
    SELECT e.entry_id, e.recorded_at, e.action, e.patient_ref, e.recorded_at >= %(since)s AND e.recorded_at < %(until)s,
           CASE WHEN e.action = 'review.recorded' OR e.action = ANY (%(handovers)s) THEN x.body ->> 'prescription' ELSE e.subject_id END,
           CASE WHEN e.action = 'review.recorded' THEN e.subject_id WHEN e.action = ANY (%(handovers)s) THEN x.body ->> 'review' END,
           x.body ->> 'replaced_by', x.body -> 'row' ->> 'directions', x.body -> 'cause' -> 'rules',
           CASE WHEN e.action = 'review.recorded' AND x.body ->> 'reason' <> 'stop' THEN (
               SELECT coalesce(jsonb_agg(jsonb_build_array(f.value ->> 'code', f.value ->> 'severity')), '[]')
               FROM jsonb_array_elements((x.body ->> 'review')::jsonb -> 'findings') AS f(value)
               WHERE f.value ->> 'severity' <> 'information') END
    FROM patient JOIN audit.entry e ON e.patient_ref = patient.patient_ref AND e.log_id = %(log)s
        AND e.action = ANY (%(actions)s) AND e.recorded_at >= %(back)s AND e.recorded_at < %(end)s
    CROSS JOIN LATERAL (
        SELECT b.body::jsonb AS body FROM audit.readable_body b
        WHERE b.entry_id = e.entry_id AND b.recorded_at = e.recorded_at OFFSET 0) AS x
    ORDER BY e.recorded_at, e.entry_id"""


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """An entry about an order, its review or its hand-over, or a change of facts, as far as conclusions depend on it."""

    entry: UUID
    at: dt.datetime
    action: str
    patient: str
    is_counted: bool
    """Whether it lies in the time that is counted; what came before only says what was open."""
    order: str | None
    review: str | None = None
    replaced_by: str | None = None
    directions: str | None = None
    cause: tuple[str, ...] = ()
    """Rules because of which an order was cancelled."""
    rules: Severities | None = None
    """Findings of a review; None for what is no review of a supply."""


@dataclass(slots=True)
class Conclusions:
    """How findings ended in the time that is counted, by rule and severity, and the hand-overs."""

    changed: Counter[tuple[str, str]] = field(default_factory=Counter)
    waited: Counter[tuple[str, str]] = field(default_factory=Counter)
    repeated: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Findings of repeats."""
    handovers: int = 0
    repeats: int = 0


HANDOVERS = (Event.DISPENSED, Event.DISPENSED_LATE)
"""A hand-over that was typed in from paper ends what was shown before it, too. What stood at it was answered by nobody: it counts in no rate."""
ENDINGS = (*HANDOVERS, Event.PRESCRIPTION_REPLACED, Event.PRESCRIPTION_CANCELLED)
"""Events at which findings of an order end."""


def read_events(
    cursor: Any,
    log_id: UUID,
    since: dt.datetime,
    until: dt.datetime,
    *,
    about: Sequence[Event] = ENDINGS,
    before: dt.timedelta,
    after: dt.timedelta = dt.timedelta(0),
) -> list[OrderEvent]:
    """Return the events `about` and the arrivals, reviews and hand-overs of the patients to whom one of `about` happened.

    It happened from `since` until before `until`; they are read from `before` that time to `after` it, in the order of recording.
    """
    actions = {Event.PRESCRIPTION_RECEIVED, Event.REVIEW_RECORDED, *HANDOVERS, *about}
    values = {
        "log": log_id, "since": since, "until": until, "back": since - before, "end": until + after,
        "about": [event.value for event in about], "handovers": [event.value for event in HANDOVERS], "actions": [event.value for event in actions],
    }  # fmt: skip
    cursor.execute(_EVENTS, values)
    return [
        OrderEvent(
            entry=entry,
            at=at,
            action=action,
            patient=patient,
            is_counted=is_counted,
            order=order,
            review=review,
            replaced_by=replaced_by,
            directions=directions,
            cause=tuple(load_json(cause) or ()),
            rules=None if findings is None else _highest(load_json(findings)),
        )
        for entry, at, action, patient, is_counted, order, review, replaced_by, directions, cause, findings in cursor.fetchall()
    ]


def load_json(document: Any) -> Any:
    """Return a column of JSON as values, whether the connection reads it or gives its text."""
    return json.loads(document) if isinstance(document, str) else document


def _highest(findings: Iterable[tuple[str, str]], before: Severities = MappingProxyType({})) -> dict[str, str]:
    """Return the highest severity of each rule among findings and those before them."""
    highest = dict(before)
    for rule, severity in findings:
        highest[rule] = max(highest.get(rule, severity), severity, key=lambda word: Severity(word).rank)
    return highest


def conclude(events: Iterable[OrderEvent]) -> Conclusions:
    """Return how findings ended; the events come in the order of their recording.

    A finding ends once: what is shown again on the same order after a hand-over is no new one.
    """
    conclusions = Conclusions()
    open_findings: dict[str, dict[str, str]] = defaultdict(dict)
    """Order -> findings that have not ended, each at its highest severity."""
    ended: dict[str, set[str]] = defaultdict(set)
    first_review: dict[str, Severities] = {}
    reviews: dict[str, Severities] = {}
    replaced: dict[str, tuple[str, bool]] = {}
    """Order -> the order that it replaces and that waits for its first review."""
    directions: dict[str, str] = {}
    supplied: dict[str, str] = {}
    """Patient -> directions of the hand-over before."""

    def end(order: str, remaining: Severities, is_counted: bool) -> None:
        for rule, severity in open_findings.pop(order, {}).items():
            ended[order].add(rule)
            if is_counted and rule not in remaining:
                (conclusions.waited if rule in WAITING_RULES else conclusions.changed)[rule, severity] += 1

    for event in events:
        order = event.order
        if order is None:
            continue  # about a supply from elsewhere, or erased
        if event.action == Event.PRESCRIPTION_RECEIVED:
            directions[order] = " ".join((event.directions or "").casefold().split())
        elif event.action == Event.REVIEW_RECORDED and event.rules is not None:
            new = ((rule, severity) for rule, severity in event.rules.items() if rule not in ended[order])
            open_findings[order] = _highest(new, open_findings[order])
            reviews[event.review or ""] = event.rules
            first_review.setdefault(order, event.rules)
            if order in replaced:
                earlier, is_counted = replaced.pop(order)
                end(earlier, event.rules, is_counted)
        elif event.action == Event.PRESCRIPTION_REPLACED and event.replaced_by:
            if event.replaced_by in first_review:
                end(order, first_review[event.replaced_by], event.is_counted)
            else:
                replaced[event.replaced_by] = (order, event.is_counted)
        elif event.action == Event.PRESCRIPTION_CANCELLED and event.cause:
            end(
                order,
                {rule: severity for rule, severity in open_findings[order].items() if rule not in event.cause},
                event.is_counted,
            )
        elif event.action in HANDOVERS:
            remaining = reviews.get(event.review or "")
            words = directions.get(order, "")
            if event.is_counted:
                conclusions.handovers += 1
                if words and supplied.get(event.patient) == words:
                    conclusions.repeats += 1
                    conclusions.repeated.update((remaining or {}).items())
            supplied[event.patient] = words
            end(order, open_findings[order] if remaining is None else remaining, event.is_counted)
    return conclusions


EDIT_MATTERS = dt.timedelta(hours=24)
"""A hand-over so long after a change of facts is looked at for what the change silenced."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a patient's facts, the finding that it silenced, and the hand-over without it."""

    rule: str
    severity: str
    patient: str
    order: str
    change: UUID
    handover: UUID
    handed_over_at: dt.datetime


def find_edits(events: Iterable[OrderEvent]) -> list[Edit]:
    """Return the findings that asked for a signature, were shown before a change of facts and gone at a hand-over within a day."""
    newest: dict[str, dict[str, Severities]] = defaultdict(dict)
    """Patient -> order -> findings of its newest review."""
    reviews: dict[str, Severities] = {}
    changes: dict[str, list[tuple[OrderEvent, dict[str, Severities]]]] = defaultdict(list)
    """Patient -> changes of facts, each with the findings of the orders at that time."""
    edits = []
    for event in events:
        if event.action == Event.PATIENT_CHANGED and event.is_counted:
            changes[event.patient].append((event, dict(newest[event.patient])))
        elif event.order is not None and event.action == Event.REVIEW_RECORDED and event.rules is not None:
            newest[event.patient][event.order] = event.rules
            reviews[event.review or ""] = event.rules
        elif event.order is not None and event.action in HANDOVERS and event.review in reviews:
            remaining = reviews[event.review]
            edits += [
                Edit(rule, severity, event.patient, event.order, change.entry, event.entry, event.at)
                for change, orders in changes[event.patient]
                if event.at - change.at <= EDIT_MATTERS
                for rule, severity in orders.get(event.order, {}).items()
                if severity != Severity.ACKNOWLEDGE and rule not in remaining and rule not in WAITING_RULES
            ]
    return edits


def read_edits(pharmacy: UUID, since: dt.datetime, until: dt.datetime, *, using: str = DEFAULT_DB_ALIAS) -> list[Edit]:
    """Return the edits of a pharmacy whose change of facts was recorded from `since` until before `until`."""
    edits: list[Edit] = []
    with reading(pharmacy, using=using), connections[using].cursor() as cursor:
        for log_id in logs_of([pharmacy], using=using):
            span = (log_id, since, until)
            edits += find_edits(
                read_events(
                    cursor, *span, about=[Event.PATIENT_CHANGED], before=dt.timedelta(days=31), after=EDIT_MATTERS
                )
            )
    return edits
