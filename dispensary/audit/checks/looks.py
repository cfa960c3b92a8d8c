"""Looks at patients' records on a day: one person and one patient, with the work that explains it, or none.

A look is explained where the same person worked for that patient from seven days before to one day after, or the patient had an
order that was open on that day. The rest has no reason that a program finds, which does not mean that there was none.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from dispensary.audit.log.events import READINGS
from dispensary.audit.log.search import logs_of

BEFORE, AFTER = dt.timedelta(days=7), dt.timedelta(days=1)
"""Work for a patient explains a look from so long before to so long after the day."""

_LOOKS = """
    WITH look AS (
        SELECT actor, patient_ref, min(actor_role) AS role, min(recorded_at) AS first_at, count(*) AS number
        FROM audit.entry WHERE log_id = ANY (%(logs)s) AND action IN ('patient.opened', 'record.read') AND patient_ref IS NOT NULL
          AND recorded_at >= %(since)s AND recorded_at < %(until)s GROUP BY actor, patient_ref)
    SELECT look.actor, look.role, look.patient_ref, look.first_at, look.number, work.action, work.recorded_at, EXISTS (
        SELECT FROM dispensary_prescription p WHERE p.patient_id = look.patient_ref::uuid
          AND p.received_at < %(until)s AND (p.ended_at IS NULL OR p.ended_at >= %(since)s))
    FROM look LEFT JOIN LATERAL (
        SELECT e.action, e.recorded_at FROM audit.entry e
        WHERE e.patient_ref = look.patient_ref AND e.actor = look.actor AND e.log_id = ANY (%(logs)s) AND e.action <> ALL (%(readings)s)
          AND e.recorded_at >= %(from)s AND e.recorded_at < %(to)s
        ORDER BY abs(extract(epoch FROM e.recorded_at - look.first_at)) LIMIT 1) AS work ON true
    ORDER BY look.first_at"""


@dataclass(frozen=True, slots=True)
class Look:
    """A person's look at a patient's record on a day, however many pages; the nearest work explains it."""

    actor: str
    role: str
    patient: UUID
    first_at: dt.datetime
    pages: int
    work: str | None
    """The event of the nearest work of the same person for the patient; None without any."""
    worked_at: dt.datetime | None
    has_open_order: bool

    @property
    def is_explained(self) -> bool:
        return self.work is not None or self.has_open_order


def read_looks(pharmacy: UUID, since: dt.datetime, until: dt.datetime, *, using: str = DEFAULT_DB_ALIAS) -> list[Look]:
    """Return the looks from `since` until before `until`, in the order of their first page."""
    values: dict[str, Any] = {
        "logs": logs_of([pharmacy], using=using), "since": since, "until": until, "from": since - BEFORE, "to": until + AFTER,
        "readings": [event.value for event in READINGS],
    }  # fmt: skip
    with connections[using].cursor() as cursor:
        cursor.execute(_LOOKS, values)
        return [
            Look(actor, role, UUID(patient), first_at, number, work, worked_at, is_open)
            for actor, role, patient, first_at, number, work, worked_at, is_open in cursor.fetchall()
        ]
