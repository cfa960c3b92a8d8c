"""Writing: one entry, in the transaction of the change that it records.

`record()` sends one statement, `SELECT audit.append(...)`. The database numbers, hashes and links the entry when the
transaction commits; nothing that rolls back leaves a trace, and nothing that commits lacks its line.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypedDict, TypeVar, Unpack
from uuid import UUID

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, IntegrityError, OperationalError, connections, transaction
from django.db.models import Model

from dispensary import signals
from dispensary.actors import Actor
from dispensary.audit.log.canonical import canonical, plain
from dispensary.audit.log.events import Event, Outcome
from dispensary.audit.log.signed import signed_row
from dispensary.conf import conf
from dispensary.outages import count_commit, is_transient
from dispensary.statements import run

SITE = UUID(int=0)
"""Stands for the pharmacy of what belongs to none: a refused sign-in of somebody unknown, a key, the posture."""

REGISTER = UUID(int=1)
"""Stands for the pharmacy of the register: the log that names all logs of the site, and is signed as they are."""

VERSION = "1"
"""The writer's version, recorded in posture entries. The format's own version is `v` in each header."""

RETRIES = 2
_COLUMNS = {
    "pharmacy": "uuid", "origin": "text", "action": "text", "outcome": "text", "actor": "text", "actor_role": "text",
    "occurred_at": "timestamptz", "subject_type": "text", "subject_id": "text", "body": "text", "second_actor": "text",
    "station": "text", "request_id": "text", "reason_code": "text", "patient_ref": "text", "drug_code": "text",
    "rule_codes": "text[]", "ruleset": "bytea", "engine": "text", "corrects_seq": "bigint",
}  # fmt: skip
"""Arguments of `audit.append`, in the order in which `prepare` lists their values."""
_APPEND = f"SELECT audit.append({', '.join(f'p_{name} => %({name})s::{kind}' for name, kind in _COLUMNS.items())})"
# Row by row, in the order given, through the one way in; one round trip, and one value to be sent instead of twenty an entry.
_APPEND_ALL = f"""
SELECT array_agg(audit.append({", ".join(f"p_{name} => entry.{name}" for name in _COLUMNS)}))
  FROM json_to_recordset(%(entries)s::json) AS entry({", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())})
"""  # noqa: S608  (names of our own columns and types; the entries are a parameter)

P = ParamSpec("P")
R = TypeVar("R")


class AuditMisuse(RuntimeError):
    """`record()` was called in a way that could lose or falsify a line.

    A mistake of the programmer, not of a user.
    """


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of an entry that is no row: `Subject("search", "patients")`."""

    type: str
    id: str


def subject_of(thing: Model | Subject) -> Subject:
    """Return type and id of a row: the model's name in lower case, and its key."""
    if isinstance(thing, Subject):
        return thing
    if thing.pk is None:
        raise AuditMisuse(f"a {type(thing).__name__} without a key cannot be the subject of an entry")
    return Subject(thing._meta.model_name or "", str(thing.pk))


class NeededFields(TypedDict):
    """The fields of every entry.

    Identifying or clinical facts go into `body`, which can be erased; all other fields are searchable for ever. `body` takes text, whole
    numbers, booleans, decimals, dates, times, UUIDs, enums, and lists and objects of them; floats are refused. The key `by` is
    added: the actor's printed name; and where the event changes master data, `row`: the subject's values.
    """

    pharmacy: Model | UUID
    by: Actor
    now: dt.datetime
    subject: Model | Subject
    body: Mapping[str, Any]


class EntryFields(NeededFields, total=False):
    """The fields of an entry beside its event."""

    outcome: str
    patient: Model | UUID | str | None
    reason_code: str | None
    rule_codes: Iterable[str]
    ruleset: str | bytes | None
    """A profile's digest: "sha256:..." or 32 bytes."""
    engine: str | None
    drug_code: str | None
    second_actor: str | Actor | None
    corrects: int | None
    """The number of the entry that this one corrects."""


def record(event: Event, *, using: str = DEFAULT_DB_ALIAS, **fields: Unpack[EntryFields]) -> UUID:
    """Write one entry into the log of a pharmacy and give its id.

    Raises AuditMisuse outside of a transaction, without an actor, on a time without zone; NotCanonical on a value that has
    no single spelling; Django's database errors when the database refuses.
    """
    if not connections[using].in_atomic_block:
        raise AuditMisuse(
            f"{event.value}: an entry is written in the transaction of what it tells about; open one with atomic()"
        )
    columns = prepare(event, **fields).columns
    entry_id: UUID = run(_APPEND, columns, using)[0][0]
    count_commit(using)
    _send_signals([(entry_id, columns)], using)
    return entry_id


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry as the database takes it, not written yet."""

    columns: Mapping[str, Any]


def record_all(entries: Iterable[Prepared], *, using: str = DEFAULT_DB_ALIAS) -> list[UUID]:
    """Write several entries, in this order, in one round trip, at half the cost; give their ids.

    Raises as `record` does.
    """
    rows = [entry.columns for entry in entries]
    if not connections[using].in_atomic_block:
        raise AuditMisuse("entries are written in the transaction of what they tell about; open one with atomic()")
    if not rows:
        return []
    entry_ids: list[UUID] = run(_APPEND_ALL, {"entries": _as_json(rows)}, using)[0][0]
    count_commit(using)
    _send_signals(zip(entry_ids, rows, strict=True), using)
    return entry_ids


_SIGNALS = {
    Event.PRESCRIPTION_RECEIVED.value: signals.prescription_received,
    Event.REVIEW_RECORDED.value: signals.review_completed,
    Event.OVERRIDE_SIGNED.value: signals.override_recorded,
    Event.DISPENSED.value: signals.dispensed,
    Event.DISPENSED_LATE.value: signals.dispensed,
    Event.DISPENSE_CANCELLED.value: signals.taken_back,
    Event.DISPENSE_RETURNED.value: signals.taken_back,
    Event.REMINDER_SENT.value: signals.reminder_sent,
    Event.REMINDER_FAILED.value: signals.reminder_failed,
}


def _send_signals(entries: Iterable[tuple[UUID, Mapping[str, Any]]], using: str) -> None:
    """Send the signals of entries to the site's receivers, if it has any, once these entries are committed."""
    for entry_id, fields in entries:
        signal = _SIGNALS.get(fields["action"])
        if signal is None or not signal.receivers:
            continue
        send = functools.partial(
            signal.send_robust,
            sender=apps.get_model("dispensary", fields["subject_type"]),
            event=fields["action"],
            id=fields["subject_id"],
            pharmacy=fields["pharmacy"],
            patient=fields["patient_ref"],
            at=fields["occurred_at"],
            reason=fields["reason_code"],
            rules=tuple(fields["rule_codes"] or ()),
            entry=entry_id,
        )
        transaction.on_commit(send, using=using)


def _postgres_text(value: Any) -> str:
    """Return a value that JSON cannot express as PostgreSQL reads it."""
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


_as_json = json.JSONEncoder(ensure_ascii=False, default=_postgres_text).encode


def prepare(event: Event, **fields: Unpack[EntryFields]) -> Prepared:
    """Return an entry for `record_all`. Raises AuditMisuse and NotCanonical as `record` does."""
    missing, unknown = NeededFields.__annotations__.keys() - fields, fields.keys() - EntryFields.__annotations__
    if missing or unknown:
        raise AuditMisuse(f"{event.value}: fields are missing ({sorted(missing)}) or unknown ({sorted(unknown)})")
    by, now, body, second_actor = fields["by"], fields["now"], fields["body"], fields.get("second_actor")
    if not by.name.strip():
        raise AuditMisuse(f"{event.value}: somebody did it; the actor is empty")
    if now.tzinfo is None:
        raise AuditMisuse(f"{event.value}: `now` needs a time zone")
    if "by" in body:
        raise AuditMisuse(
            f"{event.value}: the body's key 'by' is the actor's printed name and is filled in by the writer"
        )
    body = {**body, **signed_row(event, fields["subject"])}
    pharmacy = fields["pharmacy"]
    pharmacy_id = pharmacy.pk if isinstance(pharmacy, Model) else pharmacy
    about = subject_of(fields["subject"])
    parameters = [
        pharmacy_id, origin_of(pharmacy_id), event.value, Outcome(fields.get("outcome", Outcome.SUCCESS)).value,
        by.name, by.role.value, now, about.type, about.id, canonical(plain({**body, "by": by.display or by.name})),
        second_actor.name if isinstance(second_actor, Actor) else second_actor, by.station or None,
        None if by.request_id is None else str(by.request_id), fields.get("reason_code"),
        _row_key(fields.get("patient")), fields.get("drug_code"), sorted(set(fields.get("rule_codes", ()))) or None,
        _digest_bytes(fields.get("ruleset")), fields.get("engine"), fields.get("corrects"),
    ]  # fmt: skip
    values = (unicodedata.normalize("NFC", p) if isinstance(p, str) else p for p in parameters)
    return Prepared(dict(zip(_COLUMNS, values, strict=True)))


def origin_of(pharmacy_id: UUID) -> str:
    """Return the public name of a pharmacy's log, as it stands on its checkpoints."""
    return f"{conf().audit_origin}/{ {SITE: 'site', REGISTER: 'register'}.get(pharmacy_id, pharmacy_id) }"


def open_log(pharmacy: Model | UUID, *, using: str = DEFAULT_DB_ALIAS) -> UUID:
    """Open the log of a pharmacy if it has none; return the log's id.

    Concurrent calls make one log.
    """
    pharmacy_id = pharmacy.pk if isinstance(pharmacy, Model) else pharmacy
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT audit.open_log(%s, %s)", [pharmacy_id, origin_of(pharmacy_id)])
        entry_id: UUID = cursor.fetchone()[0]
        return entry_id


def retrying(action: Callable[P, R]) -> Callable[P, R]:
    """Retry an action, at most twice, after a deadlock, a lock timeout or a moved log.

    The whole action is run again, never a part, and only where this call owns the transaction.
    """

    @functools.wraps(action)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for attempt in range(RETRIES + 1):
            try:
                return action(*args, **kwargs)
            except (OperationalError, IntegrityError) as error:
                if attempt == RETRIES or connections[DEFAULT_DB_ALIAS].in_atomic_block or not is_transient(error):
                    raise
        raise AssertionError("unreachable")

    return run


def _row_key(thing: Model | UUID | str | None) -> str | None:
    if thing is None:
        return None
    return str(thing.pk) if isinstance(thing, Model) else str(thing)


def _digest_bytes(value: str | bytes | None) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return bytes.fromhex(value.removeprefix("sha256:"))
