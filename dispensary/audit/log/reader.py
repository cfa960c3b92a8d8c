"""Entries as a person reads them, and the receipt that is printed on a label."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model

from dispensary.audit.log.events import Event
from dispensary.audit.log.writer import Subject, subject_of
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.models.keys import short_key

LEAF_SHOWN = 16
"""Hexadecimal digits of a leaf on a receipt: 64 bits, enough that no second entry can be made to fit it."""


@dataclass(frozen=True, slots=True)
class Line:
    """An entry with its body; `body` is None when it was erased."""

    entry: AuditEntry
    body: dict[str, Any] | None

    @property
    def sentence(self) -> str:
        """The entry in plain English."""
        return sentence(self.entry, self.body)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The proof, on paper, that an entry was there: its log, its number, its leaf."""

    origin: str
    seq: int
    leaf: bytes

    def __str__(self) -> str:
        return f"{self.seq} · {self.leaf.hex()[:LEAF_SHOWN]}"


class NotLinked(LookupError):
    """The entry has no number yet: its transaction has not committed."""


@contextmanager
def reading(*pharmacies: Model | UUID, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Allow this block to read the bodies of these pharmacies only.

    Opens a transaction.
    """
    scope = ",".join(str(pharmacy.pk if isinstance(pharmacy, Model) else pharmacy) for pharmacy in pharmacies)
    with transaction.atomic(using=using), connections[using].cursor() as cursor:
        cursor.execute("SELECT current_setting('audit.pharmacies', true)")
        before = cursor.fetchone()[0] or ""
        cursor.execute("SELECT set_config('audit.pharmacies', %s, true)", [scope])
        yield
        cursor.execute("SELECT set_config('audit.pharmacies', %s, true)", [before])


def history(
    subject: Model | Subject, *, pharmacy: Model | UUID, limit: int = 200, using: str = DEFAULT_DB_ALIAS
) -> list[Line]:
    """Return at most `limit` entries about a thing at this pharmacy, newest first."""
    about = subject_of(subject)
    pharmacy_id = pharmacy.pk if isinstance(pharmacy, Model) else pharmacy
    entries = AuditEntry.objects.using(using).filter(subject_type=about.type, subject_id=about.id, pharmacy=pharmacy_id)
    return lines(entries.order_by("-recorded_at", "-entry_id")[:limit], pharmacy_id, using=using)


def lines(entries: Iterable[AuditEntry], *pharmacies: Model | UUID, using: str = DEFAULT_DB_ALIAS) -> list[Line]:
    """Return entries with their bodies, as far as they belong to these pharmacies."""
    rows = list(entries)
    with reading(*pharmacies, using=using):
        rows_of_bodies = AuditBody.objects.using(using).filter(
            entry_id__in=[row.entry_id for row in rows], recorded_at__in={row.recorded_at for row in rows}
        )
        bodies = {body.entry_id: json.loads(body.body) for body in rows_of_bodies}
    return [Line(row, bodies.get(row.entry_id)) for row in rows]


def sentence(entry: AuditEntry, body: dict[str, Any] | None = None) -> str:
    """Return an entry in plain English.

    Without its body the actor's id stands for the name.
    """
    try:
        template = Event(entry.action).sentence  # type: ignore[call-arg]  # looks a member up, its sentence is known
    except ValueError:  # written by a newer version of this software
        template = f"{{by}}: {entry.action} on {{subject}}."
    words = {
        "by": (body or {}).get("by") or entry.actor,
        "subject": f"{entry.subject_type} {short_key(entry.subject_id)}",
        "patient": f"patient {short_key(entry.patient_ref)}" if entry.patient_ref else "a patient",
        "second": entry.second_actor or "nobody",
        "reason": entry.reason_code or "no reason given",
        "rules": ", ".join(entry.rule_codes or ()) or "a finding",
        "station": entry.station or "an unnamed station",
    }
    return template.format_map(defaultdict(str, words))


def receipt(entry_id: UUID, *, using: str = DEFAULT_DB_ALIAS) -> Receipt:
    """Return number and leaf of a committed entry, for a label.

    Raises NotLinked in the transaction that wrote it.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT g.origin, l.seq, l.leaf FROM audit.link l JOIN audit.log g USING (log_id) WHERE l.entry_id = %s",
            [entry_id],
        )
        row = cursor.fetchone()
    if row is None:
        raise NotLinked(f"entry {entry_id} is not linked; ask after its transaction has committed")
    return Receipt(row[0], row[1], bytes(row[2]))
