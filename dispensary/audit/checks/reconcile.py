"""Reconciliation of tables and log: rows without entry, and the reverse.

The log cannot show what was never written to it; this can. A dispense written past the actions leaves a row without an
entry, a deleted row an entry without its row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from dispensary.audit.log.events import Event
from dispensary.models import Dispense, DispenseStatus, Override, OverrideState, Patient, Prescription, Review


class Kind(StrEnum):
    """The kinds of disagreement between a row and the log."""

    NO_ENTRY = "row without entry"
    NO_ROW = "entry without row"
    TWICE = "two entries for one row"
    OTHER = "row and entry name each other differently"


@dataclass(frozen=True, slots=True)
class Orphan:
    """One disagreement. `id` is the row's key, as text."""

    kind: Kind
    table: str
    id: str
    entry_id: str = ""

    def __str__(self) -> str:
        return f"{self.kind.value}: {self.table} {self.id}" + (f", entry {self.entry_id}" if self.entry_id else "")


@dataclass(frozen=True, slots=True)
class Pair:
    """Rows of a model, and the events of which each has exactly one entry.

    `where` narrows the rows.
    """

    model: type[Model]
    events: tuple[Event, ...]
    where: str = "TRUE"


PAIRS = (
    Pair(Dispense, (Event.DISPENSED,)),
    Pair(Dispense, (Event.DISPENSE_CANCELLED,), f"t.status = '{DispenseStatus.CANCELLED.value}'"),
    Pair(Dispense, (Event.DISPENSE_RETURNED,), f"t.status = '{DispenseStatus.RETURNED.value}'"),
    Pair(Review, (Event.REVIEW_RECORDED,)),
    Pair(Override, (Event.OVERRIDE_SIGNED, Event.FINDING_ACKNOWLEDGED)),
    Pair(Override, (Event.OVERRIDE_WITHDRAWN,), f"t.state = '{OverrideState.WITHDRAWN.value}'"),
    Pair(Prescription, (Event.PRESCRIPTION_RECEIVED,)),
    Pair(Patient, (Event.PATIENT_REGISTERED,)),
)

_ABOUT = "e.subject_type = %(type)s AND e.action = ANY (%(actions)s) AND e.outcome = 'success'"
_NO_ENTRY = """
    SELECT t.id::text, '' FROM {table} t WHERE {where} AND NOT EXISTS (
        SELECT FROM audit.entry e JOIN audit.link l ON l.entry_id = e.entry_id
        WHERE {about} AND e.subject_id = t.id::text) ORDER BY 1"""
_NO_ROW = """
    SELECT e.subject_id, e.entry_id::text FROM audit.entry e WHERE {about}
    AND NOT EXISTS (SELECT FROM {table} t WHERE t.id::text = e.subject_id AND {where}) ORDER BY 1, 2"""
_TWICE = """
    SELECT e.subject_id, min(e.entry_id::text) FROM audit.entry e WHERE {about}
    GROUP BY e.subject_id HAVING count(*) > 1 ORDER BY 1"""
_OTHER = """
    SELECT t.id::text, t.audit_entry::text FROM {table} t
    LEFT JOIN audit.line e ON e.entry_id = t.audit_entry
    WHERE e.entry_id IS NOT NULL AND NOT (e.subject_id = t.id::text AND e.pharmacy = t.pharmacy_id AND {about})
       OR e.entry_id IS NULL
    ORDER BY 1"""


def reconcile(*, using: str = DEFAULT_DB_ALIAS) -> Iterator[Orphan]:
    """Yield every disagreement between the tables and the log, by pair; repair none."""
    with connections[using].cursor() as cursor:
        for pair in PAIRS:
            meta = pair.model._meta
            values = {"type": meta.model_name, "actions": [event.value for event in pair.events]}
            questions = [(Kind.NO_ENTRY, _NO_ENTRY), (Kind.NO_ROW, _NO_ROW), (Kind.TWICE, _TWICE)]
            if pair.events == (Event.DISPENSED,):
                questions.append((Kind.OTHER, _OTHER))
            for kind, question in questions:
                table = connections[using].ops.quote_name(meta.db_table)
                cursor.execute(question.format(table=table, where=pair.where, about=_ABOUT), values)
                for key, entry in cursor.fetchall():
                    yield Orphan(kind, str(meta.verbose_name), key, entry)
