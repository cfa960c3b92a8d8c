"""Entries as a person reads them, and the receipt that is printed on a label."""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.models import Model

from dispensary.audit.log import canonical
from dispensary.audit.log.events import Event, Outcome
from dispensary.audit.log.writer import SITE, Subject, subject_of
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.models.keys import short_key

LEAF_SHOWN = 16
"""Hexadecimal digits of a leaf on a receipt: 64 bits, enough that no second entry can be made to fit it."""


@dataclass(frozen=True, slots=True)
class Line:
    """An entry with its body; `body` is None when it was erased."""

    entry: AuditEntry
    body: dict[str, Any] | None
    salt: bytes = b""
    text: str = ""
    """The body's salt and text, as hashed."""
    doubt: str = ""
    """What does not fit, in words, after `recheck`."""
    erased_by: UUID | None = None
    """The entry that authorised the erasure, after `recheck`."""

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
    subject: Model | Subject,
    *,
    pharmacy: Model | UUID,
    events: Collection[Event] = (),
    limit: int = 200,
    using: str = DEFAULT_DB_ALIAS,
) -> list[Line]:
    """Return at most `limit` entries about a thing at this pharmacy, newest first.

    Of these `events` where some are named: each reading of a thing is an entry about it, and many of them reach the limit.
    """
    about = subject_of(subject)
    pharmacy_id = pharmacy.pk if isinstance(pharmacy, Model) else pharmacy
    entries = AuditEntry.objects.using(using).filter(subject_type=about.type, subject_id=about.id, pharmacy=pharmacy_id)
    if events:
        entries = entries.filter(action__in=[event.value for event in events])
    return lines(entries.order_by("-recorded_at", "-entry_id")[:limit], pharmacy_id, using=using)


def lines(entries: Iterable[AuditEntry], *pharmacies: Model | UUID, using: str = DEFAULT_DB_ALIAS) -> list[Line]:
    """Return entries with their bodies, as far as they belong to these pharmacies."""
    rows = list(entries)
    with reading(*pharmacies, using=using):
        rows_of_bodies = AuditBody.objects.using(using).filter(
            entry_id__in=[row.entry_id for row in rows], recorded_at__in={row.recorded_at for row in rows}
        )
        bodies = {row.entry_id: row for row in rows_of_bodies}
    return [
        Line(row, json.loads(body.body), bytes(body.salt), body.body)
        if (body := bodies.get(row.entry_id))
        else Line(row, None)
        for row in rows
    ]


_BEFORE = """
    SELECT l.log_id, w.seq, l.leaf FROM unnest(%(logs)s::uuid[], %(seqs)s::bigint[]) AS w(log_id, seq)
    JOIN audit.link l ON l.log_id = w.log_id AND l.seq = w.seq - 1
    UNION ALL SELECT log_id, 1, genesis FROM audit.log WHERE log_id = ANY (%(logs)s::uuid[])"""


def recheck(lines: Iterable[Line], *, using: str = DEFAULT_DB_ALIAS) -> list[Line]:
    """Return the lines with what does not fit their hashes, and who erased what is gone."""
    rows = list(lines)
    with connections[using].cursor() as cursor:
        logs, seqs = [row.entry.log_id for row in rows], [row.entry.seq for row in rows]
        cursor.execute(_BEFORE, {"logs": logs, "seqs": seqs})
        before = {(log_id, seq): bytes(leaf) for log_id, seq, leaf in cursor.fetchall()}
    gone = [row.entry for row in rows if row.body is None]
    erasures = _find_erasures(gone, using) if gone else {}
    return [
        replace(row, doubt=_find_doubt(row, before, erasures), erased_by=erasures.get(row.entry.entry_id))
        for row in rows
    ]


def _find_erasures(gone: Sequence[AuditEntry], using: str) -> dict[UUID, UUID]:
    """Return by entry without details the one that says that they were erased; a row of `audit.erasure` alone says nothing."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT entry_id, erasure_entry_id FROM audit.erasure WHERE entry_id = ANY (%s::uuid[])",
            [[entry.entry_id for entry in gone]],
        )
        named: dict[UUID, UUID] = dict(cursor.fetchall())
    entries = AuditEntry.objects.using(using).filter(entry_id__in=set(named.values()), action=Event.ERASED.value)
    erasing = {line.entry.entry_id: line for line in lines(entries, *{e.pharmacy for e in gone}, using=using)}
    return {
        entry.entry_id: line.entry.entry_id
        for entry in gone
        if entry.entry_id in named
        and (line := erasing.get(named[entry.entry_id]))
        and line.body
        and _is_erased_by(entry, line.entry, line.body)
    }


def _is_erased_by(entry: AuditEntry, erasing: AuditEntry, body: Mapping[str, Any]) -> bool:
    return body.get("log", str(erasing.log_id)) == str(entry.log_id) and any(
        first <= (entry.seq or 0) <= last for first, last in body["ranges"]
    )


def has_entry(subject: Model, event: Event, values: Mapping[str, Any], *, pharmacy: UUID) -> bool:
    """Return whether an entry about a thing that fits its hash says these values."""
    return any(
        not line.doubt and values.items() <= (line.body or {}).items()
        for line in recheck(history(subject, pharmacy=pharmacy, events=[event]))
    )


def _find_doubt(line: Line, before: dict[tuple[UUID, int], bytes], erasures: dict[UUID, UUID]) -> str:
    entry = line.entry
    if entry.seq is None or entry.leaf is None:
        return ""  # not linked yet
    values = {name: getattr(entry, name) for name in canonical.HEADER_KEYS}
    columns = {name: bytes(value) if isinstance(value, memoryview) else value for name, value in values.items()}
    try:
        prev = before.get((entry.log_id, entry.seq), b"")
        is_intact = canonical.leaf(canonical.header(columns, seq=entry.seq, prev=prev)) == bytes(entry.leaf)
    except canonical.NotCanonical:
        is_intact = False
    if not is_intact:
        return "This entry does not fit its hash: it, or the one before it, was changed after it was written."
    if line.body is None:
        return "" if entry.entry_id in erasures else "The details are missing, and nothing in the log authorises it."
    if canonical.body_commitment(line.salt, line.text) != bytes(entry.body_commit):
        return "The details do not fit their hash: they were changed after they were written."
    return ""


COMPARED = Subject("site", "tables")
"""The subject of a comparison of rows and objects with the log, in the log of the site."""

NOT_MEASURED = "catalogue-not-measured"
"""The reason code of a comparison on a version of PostgreSQL for which the release holds no digests."""


def last_check(pharmacy: UUID, subject: Subject | None = None, *, using: str = DEFAULT_DB_ALIAS) -> AuditEntry | None:
    """Return the newest verification in a pharmacy's log that a role which signs wrote, None without one.

    `subject`: only of this.
    """
    checks = AuditEntry.objects.using(using).filter(
        pharmacy=pharmacy,
        action__in=(Event.LOG_VERIFIED.value, Event.INTERFERENCE.value),
        db_role__in=_signing_roles(using),
    )
    if subject is not None:
        checks = checks.filter(subject_type=subject.type, subject_id=subject.id)
    newest: AuditEntry | None = checks.order_by("-recorded_at").first()
    return newest


def last_comparison(*, using: str = DEFAULT_DB_ALIAS) -> AuditEntry | None:
    """Return the newest comparison of the site's rows and objects with the log, None without one."""
    return last_check(SITE, COMPARED, using=using)


_CHECKS = """
    SELECT (e.recorded_at AT TIME ZONE %(zone)s)::date, e.action, e.outcome, count(*) FROM audit.log g
    JOIN audit.entry e ON e.log_id = g.log_id
    WHERE g.pharmacy = %(pharmacy)s AND e.recorded_at >= %(since)s AND e.action = ANY (%(actions)s)
      AND e.db_role = ANY (%(signers)s) GROUP BY 1, 2, 3"""


_FAILED = """
    SELECT g.pharmacy, e.entry_id::text FROM audit.log g CROSS JOIN LATERAL (
        SELECT e.entry_id FROM audit.entry e WHERE e.log_id = g.log_id AND e.action = ANY (%(actions)s)
          AND e.recorded_at > %(since)s AND (e.action = %(interference)s OR e.outcome = 'failure')
          AND e.db_role = ANY (%(signers)s) ORDER BY e.recorded_at DESC LIMIT 1) e"""


def failed_checks(since: dt.datetime, *, using: str = DEFAULT_DB_ALIAS) -> list[tuple[UUID, str]]:
    """Return pharmacy and entry of the newest check since then that found something wrong, for each log that has one.

    Only what a role that signs wrote counts.
    """
    values: dict[str, Any] = {
        "since": since, "signers": _signing_roles(using), "interference": Event.INTERFERENCE.value,
        "actions": [Event.LOG_VERIFIED.value, Event.INTERFERENCE.value],
    }  # fmt: skip
    with connections[using].cursor() as cursor:
        cursor.execute(_FAILED, values)
        return list(cursor.fetchall())


def checks_by_day(
    pharmacy: UUID, since: dt.datetime, zone: str, *, using: str = DEFAULT_DB_ALIAS
) -> dict[dt.date, dict[str, int]]:
    """Return how often a pharmacy's log was verified, and with interference, on each day since then, in its time zone.

    Only what a role that signs wrote counts.
    """
    values: dict[str, Any] = {
        "pharmacy": pharmacy, "since": since, "zone": zone, "signers": _signing_roles(using),
        "actions": [Event.LOG_VERIFIED.value, Event.INTERFERENCE.value],
    }  # fmt: skip
    days: dict[dt.date, dict[str, int]] = defaultdict(dict)
    with connections[using].cursor() as cursor:
        cursor.execute(_CHECKS, values)
        for day, action, outcome, number in cursor.fetchall():
            name = action if outcome == Outcome.SUCCESS.value else Event.INTERFERENCE.value
            days[day][name] = days[day].get(name, 0) + number
    return days


def subjects_of(pharmacy: UUID, event: Event, subjects: Iterable[str], *, using: str = DEFAULT_DB_ALIAS) -> set[str]:
    """Return which of these subjects an entry of that event is about, in a pharmacy's log."""
    entries = AuditEntry.objects.using(using).filter(
        pharmacy=pharmacy, action=event.value, subject_id__in=list(subjects)
    )
    return set(entries.values_list("subject_id", flat=True))


def last_copied(log_id: UUID, *, using: str = DEFAULT_DB_ALIAS) -> dt.datetime | None:
    """Return when the newest checkpoint of a log was signed that was sent elsewhere, None where none ever was."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT max(c.created_at) FROM audit.delivery d JOIN audit.checkpoint c USING (log_id, size) "
            "WHERE d.log_id = %s AND d.ok",
            [log_id],
        )
        signed_at: dt.datetime | None = cursor.fetchone()[0]
    return signed_at


def last_cosigned(log_id: UUID, *, using: str = DEFAULT_DB_ALIAS) -> tuple[str, int, dt.datetime] | None:
    """Return the newest cosignature of a log: witness, number of entries, time. None without one."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT witness, size, created_at FROM audit.cosignature WHERE log_id = %s ORDER BY created_at DESC LIMIT 1",
            [log_id],
        )
        row: tuple[str, int, dt.datetime] | None = cursor.fetchone()
    return row


_SIGNERS = """
    WITH granted AS (
        SELECT pg_get_userbyid(a.grantee) AS name FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
        WHERE c.oid = 'audit.checkpoint'::regclass AND a.privilege_type = 'INSERT' AND a.grantee NOT IN (0, c.relowner))
    SELECT name FROM granted
    UNION SELECT rolname FROM pg_roles WHERE has_table_privilege(oid, 'audit.checkpoint', 'INSERT') AND NOT EXISTS (SELECT FROM granted)"""


def _signing_roles(using: str) -> list[str]:
    """Return the database roles that were given the right to sign checkpoints; where none was, those that have it as owner or superuser."""
    with connections[using].cursor() as cursor:
        cursor.execute(_SIGNERS)
        return [name for (name,) in cursor.fetchall()]


def unsigned_since(pharmacy: UUID | None = None, *, using: str = DEFAULT_DB_ALIAS) -> dict[str, dt.datetime]:
    """Return when the oldest entry was written that no checkpoint covers, by origin of its log; of one pharmacy or all."""
    with connections[using].cursor() as cursor:
        cursor.execute(_UNSIGNED, {"pharmacy": pharmacy})
        return dict(cursor.fetchall())


_UNSIGNED = """
    SELECT g.origin, l.recorded_at FROM audit.log g
    CROSS JOIN LATERAL (SELECT coalesce(max(size), 0) AS size FROM audit.checkpoint c WHERE c.log_id = g.log_id) s
    JOIN audit.link l ON l.log_id = g.log_id AND l.seq = s.size + 1
    WHERE g.closed_at IS NULL AND (%(pharmacy)s::uuid IS NULL OR g.pharmacy = %(pharmacy)s::uuid) ORDER BY g.origin"""
UNSIGNED_TOO_LONG = dt.timedelta(minutes=1)
"""The sealer signs every few seconds; an entry that waits longer says that it does not."""


def sentence(entry: AuditEntry, body: dict[str, Any] | None = None, patient_name: str = "") -> str:
    """Return an entry in plain English.

    Without its body the actor's id stands for the name, and without a name the end of the patient's id.
    """
    try:
        template = Event(entry.action).sentence  # type: ignore[call-arg]  # looks a member up, its sentence is known
    except ValueError:  # written by a newer version of this software
        template = f"{{by}}: {entry.action} on {{subject}}."
    words = {
        "by": (body or {}).get("by") or entry.actor,
        "subject": f"{entry.subject_type} {short_key(entry.subject_id)}",
        "patient": patient_name or (f"patient {short_key(entry.patient_ref)}" if entry.patient_ref else "a patient"),
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
