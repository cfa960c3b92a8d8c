"""Reconciliation of tables and log: rows without entry, and the reverse.

The log cannot show what was never written to it; this can. A dispense written past the actions has no entry, an entry of a deleted row has no row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db import DataError, connection, transaction
from django.db.models import Model

from dispensary.audit.checks.compared import COMPARED, PAIRS, PARTS, Compared, Pair, Part
from dispensary.audit.checks.retired import RetiredRange, find_retired_rows
from dispensary.audit.log.events import Event
from dispensary.audit.log.reader import reading
from dispensary.audit.log.signed import PATIENT_JSON
from dispensary.audit.log.writer import SITE
from dispensary.models import (
    AccessToken,
    Consent,
    ConsentEvent,
    Patient,
    Pharmacy,
    Prescription,
    PrescriptionStatus,
    PriorSupply,
)


class Kind(StrEnum):
    """The kinds of disagreement between a row and the log, and the one that is none."""

    NO_ENTRY = "row without entry"
    NO_ROW = "entry without row"
    TWICE = "two entries for one row"
    OTHER = "row and entry name each other differently"
    CHANGED = "row and entry say different things"
    RETIRED = "row whose entry was retired"


@dataclass(frozen=True, slots=True)
class Orphan:
    """One disagreement. `id` is the row's key, as text."""

    kind: Kind
    table: str
    id: str
    entry_id: str = ""
    detail: str = ""

    def __str__(self) -> str:
        parts = [f"{self.table} {self.id}", f"entry {self.entry_id}" if self.entry_id else "", self.detail]
        return f"{self.kind.value}: {', '.join(filter(None, parts))}"


# The body of one entry. OFFSET 0 keeps a plan from reading the bodies of other entries, which have other types, as this kind's.
_BODY = """
    (SELECT b.body::jsonb AS body FROM audit.readable_body b
     WHERE b.entry_id = {entry}.entry_id AND b.recorded_at = {entry}.recorded_at OFFSET 0)"""
# The entry about each row is read into the row's own types. Without a body (erased), or a value in an older entry, nothing is said.
_CHANGED = f"""
    SELECT t.{{key}}::text, n.entry_id::text, d.name, d.now, d.logged FROM {{table}} t
    CROSS JOIN LATERAL (
        SELECT e.* FROM audit.entry e JOIN audit.link l ON l.entry_id = e.entry_id
        WHERE {{about}} AND e.subject_id = t.{{key}}::text ORDER BY e.recorded_at {{order}} LIMIT 1) n
    CROSS JOIN LATERAL {_BODY.format(entry="n")} j
    CROSS JOIN LATERAL jsonb_populate_record(NULL::{{table}}, jsonb_build_object({{facts}})) p
    CROSS JOIN LATERAL (VALUES {{pairs}}) AS d(name, is_logged, now, logged)
    WHERE (%(only)s::text IS NULL OR t.{{key}}::text = %(only)s) AND d.is_logged AND d.now <> d.logged ORDER BY 1, 3"""  # noqa: S608  (our own constants and the models' names; values are parameters)
_PARTS = f"""
    SELECT n.subject_id, n.entry_id::text, c.number, c.name, c.now, c.logged FROM (
        SELECT e.* FROM audit.entry e JOIN audit.link l ON l.entry_id = e.entry_id
        WHERE e.subject_type = %(type)s AND e.action = %(action)s
          AND (%(only)s::text IS NULL OR e.subject_id = %(only)s) OFFSET 0) n
    CROSS JOIN LATERAL {_BODY.format(entry="n")} j
    CROSS JOIN LATERAL (SELECT {{items}} AS items OFFSET 0) i
    CROSS JOIN LATERAL (
        SELECT d.number, d.name, d.now, d.logged FROM (
            SELECT p.*, o.place FROM jsonb_array_elements(i.items) WITH ORDINALITY AS o(item, place)
            CROSS JOIN LATERAL jsonb_populate_record(NULL::{{table}}, o.item) AS p) AS p
        FULL JOIN (SELECT * FROM {{table}} WHERE {{parent}}_id::text = n.subject_id) AS t ON t.number = p.place
        CROSS JOIN LATERAL (VALUES {{pairs}}) AS d(number, name, now, logged)) AS c
    WHERE i.items IS NOT NULL AND c.now <> c.logged ORDER BY 1, 3, 4"""  # noqa: S608  (our own constants and the models' names; values are parameters)
# Supplies from elsewhere: the list in an entry about the patient. Entries of before have no `id` in it, only what makes a supply
# unique. A row may have come from a record that was joined since; without a body (erased) nothing is said.
_IS_NOTED = """
    (p.dispensed_on, p.doses, p.days_supply, p.relation) = (t.dispensed_on, t.doses, t.days_supply, t.relation)
    AND (p.id IS NULL OR (p.id, p.strength_mg, p.dose_since) IS NOT DISTINCT FROM (t.id, t.strength_mg, t.dose_since))"""
_NOTED = """
    FROM audit.entry e JOIN audit.link l ON l.entry_id = e.entry_id
    LEFT JOIN audit.readable_body b ON b.entry_id = e.entry_id AND b.recorded_at = e.recorded_at
    LEFT JOIN LATERAL jsonb_populate_recordset(NULL::{table}, b.body::jsonb -> 'prior_supplies') p ON TRUE
    WHERE e.subject_type = 'patient' AND e.action = %(action)s"""
_SUPPLY_NO_ENTRY = f"""
    SELECT t.id::text, '' FROM {{table}} t WHERE NOT EXISTS (
        SELECT {_NOTED} AND (b.entry_id IS NULL OR {_IS_NOTED})
        AND e.subject_id IN (SELECT r.id::text FROM {{patient}} r WHERE t.patient_id IN (r.id, r.joined_to_id))) ORDER BY 1"""  # noqa: S608  (our own constants and the models' names; values are parameters)
_SUPPLY_NO_ROW = f"""
    SELECT e.subject_id, e.entry_id::text {_NOTED} AND p.dispensed_on IS NOT NULL
    AND NOT EXISTS (SELECT FROM {{table}} t WHERE {_IS_NOTED}) ORDER BY 1, 2"""  # noqa: S608  (our own constants and the models' names; values are parameters)
_ACCESS_NO_ENTRY = f"""
    SELECT t.id::text, '' FROM {{table}} t WHERE NOT EXISTS (
        SELECT FROM (
            SELECT e.* FROM audit.entry e JOIN audit.link l ON l.entry_id = e.entry_id
            WHERE e.action = %(action)s OFFSET 0) e
        CROSS JOIN LATERAL {_BODY.format(entry="e")} j
        WHERE e.subject_id = 'user:' || t.user_id AND j.body ->> 'token' = t.id::text
        AND (j.body ->> 'role', j.body -> 'scopes', (j.body ->> 'expires')::timestamptz) = (t.role, to_jsonb(t.scopes), t.expires_at)
        ) ORDER BY 1"""  # noqa: S608  (our own constants and the models' names; values are parameters)
_CONSENT = """
    SELECT c.id::text, c.answer, e.answer FROM {consent} c JOIN {event} e ON e.id = c.event_id
    WHERE (c.patient_id, c.medium, c.answer) IS DISTINCT FROM (e.patient_id, e.medium, e.answer) ORDER BY 1"""
# Orders that are open though the newest entry about their end says otherwise: something of them could be handed over again.
_OPENED_AGAIN = """
    SELECT t.id::text, n.entry_id::text, t.status, n.action FROM {order} t CROSS JOIN LATERAL (
        SELECT e.entry_id, e.action FROM audit.entry e JOIN audit.link l ON l.entry_id = e.entry_id
        WHERE e.subject_id = t.id::text AND e.subject_type = 'prescription' AND e.action = ANY (%(actions)s) AND e.outcome = 'success'
        ORDER BY e.recorded_at DESC, l.seq DESC LIMIT 1) n
    WHERE t.status = ANY (%(open)s) AND n.action <> %(reinstated)s ORDER BY 1"""

_UNREADABLE = "its entry has a value that a row cannot have"
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
    WHERE {where} AND (e.entry_id IS NULL
        OR NOT (e.subject_id = t.id::text AND e.pharmacy = t.pharmacy_id AND {about}))
    ORDER BY 1"""

_ENDED: dict[str, Any] = {
    "actions": [
        event.value
        for event in (
            Event.PRESCRIPTION_CANCELLED, Event.PRESCRIPTION_STOPPED, Event.PRESCRIPTION_REPLACED, Event.PRESCRIPTION_REINSTATED,
        )
    ],
    "reinstated": Event.PRESCRIPTION_REINSTATED.value,
    "open": [PrescriptionStatus.ACTIVE.value, PrescriptionStatus.ON_HOLD.value],
}  # fmt: skip


def reconcile(*, retired: Sequence[RetiredRange] = ()) -> Iterator[Orphan]:
    """Yield every disagreement between the tables and the log, by pair, and each row whose entry is in a retired range; repair none."""
    with connection.cursor() as cursor:
        for pair in PAIRS:
            meta = pair.model._meta
            values = {"type": meta.model_name, "actions": [event.value for event in pair.events]}
            questions = [(Kind.NO_ENTRY, _NO_ENTRY), (Kind.NO_ROW, _NO_ROW), (Kind.TWICE, _TWICE)]
            if pair.moment == "audit_entry":
                questions.append((Kind.OTHER, _OTHER))
            for kind, question in questions:
                cursor.execute(question.format(table=meta.db_table, where=pair.where, about=_ABOUT), values)
                yield from _name_rows(cursor.fetchall(), kind, pair, retired)
    with reading(SITE, *Pharmacy.objects.values_list("pk", flat=True)), connection.cursor() as cursor:
        for compared in COMPARED:
            yield from _compare(cursor, compared)
        for part in PARTS:
            yield from _compare_parts(cursor, part)
        yield from _compare_apart(cursor, retired)
        cursor.execute(_CONSENT.format(consent=Consent._meta.db_table, event=ConsentEvent._meta.db_table))
        for key, now, logged in cursor.fetchall():
            yield Orphan(Kind.CHANGED, "consent", key, detail=f"answer is {now!r}, its event says {logged!r}")
        cursor.execute(_OPENED_AGAIN.format(order=Prescription._meta.db_table), _ENDED)
        for key, entry, status, action in cursor.fetchall():
            yield Orphan(Kind.CHANGED, "prescription", key, entry, f"status is {status!r}, the log says {action}")


def _compare(cursor: Any, compared: Compared) -> list[Orphan]:
    meta = compared.model._meta
    sources = {
        name: f"n.{path[1:]}" if path.startswith("@") else f"j.body #> '{{{path.replace('.', ',')}}}'"
        for name, path in compared.columns.items()
    }
    defaults = {
        field.attname: json.dumps(field.get_default(), default=str)
        for field in meta.concrete_fields
        if compared.columns.get(field.attname) == f"row.{field.attname}" and not field.null and field.has_default()
    }
    sources |= {name: f"coalesce({sources[name]}, %(default_{name})s::jsonb)" for name in defaults}
    facts = ", ".join(f"'{name}', {source}" for name, source in sources.items())
    is_logged = {
        name: "TRUE"
        if path.startswith("@")
        else f"j.body #> '{{{(path.rpartition('.')[0] or path).replace('.', ',')}}}' IS NOT NULL"
        for name, path in compared.columns.items()
    }
    is_logged |= {name: f'{is_logged[name]} AND t."{name}" IS NOT NULL' for name in compared.may_lack}
    pairs = ", ".join(
        f"('{name}', {is_logged[name]}, normalize(coalesce({spell('t', name)}, '')), coalesce({spell('p', name)}, ''))"
        for name in sources
    )
    order = "DESC" if compared.is_master else "ASC"
    question = _CHANGED.format(
        table=meta.db_table, key=meta.pk.column, about=_ABOUT, facts=facts, pairs=pairs, order=order
    )
    values = {"type": meta.model_name, "actions": [event.value for event in compared.events]}
    values |= {f"default_{name}": value for name, value in defaults.items()}
    return _find_changed(cursor, compared.model, question, values, _describe)


def _find_changed(
    cursor: Any, model: type[Model], question: str, values: Mapping[str, Any], describe: Callable[..., str]
) -> list[Orphan]:
    """Return what differs between rows and their entries; a row whose entry has a value of another type is named as such.

    All are asked for at once. Only where the database refuses a value is each row asked for alone, which names it.
    """
    title = str(model._meta.verbose_name)

    def find(key: str | None) -> list[Orphan]:
        with transaction.atomic():
            cursor.execute(question, {**values, "only": key})
        return [Orphan(Kind.CHANGED, title, row, entry, describe(*about)) for row, entry, *about in cursor.fetchall()]

    try:
        return find(None)
    except DataError:
        keys = [str(key) for key in model._default_manager.values_list("pk", flat=True)]
    orphans: list[Orphan] = []
    for key in keys:
        try:
            orphans += find(key)
        except DataError:
            orphans.append(Orphan(Kind.CHANGED, title, key, detail=_UNREADABLE))
    return orphans


def _describe(name: str, now: str, logged: str) -> str:
    return f"{name} is {_shorten(now)}, the log says {_shorten(logged)}"


def spell(row: str, column: str) -> str:
    """Return a column as the SQL of its text; what is unknown in an object of JSON is left out, as in the entry."""
    return f'jsonb_strip_nulls({row}."{column}")::text' if column in PATIENT_JSON else f'{row}."{column}"::text'


def _compare_parts(cursor: Any, part: Part) -> list[Orphan]:
    pairs = ", ".join(
        f"(coalesce(t.number, p.place), '{name}', CASE WHEN t.number IS NULL THEN 'no row' ELSE normalize(coalesce(t.{name}::text, '')) END, "
        f"CASE WHEN p.place IS NULL THEN 'nothing' ELSE coalesce(p.{name}::text, '') END)"
        for name in part.columns
    )
    table, parent = part.model._meta.db_table, part.parent._meta.model_name
    question = _PARTS.format(table=table, parent=parent, items=part.items, pairs=pairs)

    def describe(number: int, name: str, now: str, logged: str) -> str:
        return f"{part.model._meta.verbose_name} {number}: {_describe(name, now, logged)}"

    return _find_changed(cursor, part.parent, question, {"type": parent, "action": part.event.value}, describe)


def _compare_apart(cursor: Any, retired: Sequence[RetiredRange]) -> Iterator[Orphan]:
    """Compare rows that are not the subject of their entries: supplies from elsewhere, access tokens."""
    for kind, question, model, event in (
        (Kind.NO_ENTRY, _SUPPLY_NO_ENTRY, PriorSupply, Event.SUPPLY_NOTED),
        (Kind.NO_ROW, _SUPPLY_NO_ROW, PriorSupply, Event.SUPPLY_NOTED),
        (Kind.NO_ENTRY, _ACCESS_NO_ENTRY, AccessToken, Event.TOKEN_ISSUED),
    ):
        tables = {"table": model._meta.db_table, "patient": Patient._meta.db_table}
        cursor.execute(question.format(**tables), {"action": event.value})
        yield from _name_rows(cursor.fetchall(), kind, Pair(model, (event,)), retired)


def _name_rows(rows: Any, kind: Kind, pair: Pair, retired: Sequence[RetiredRange]) -> Iterator[Orphan]:
    keys = [key for key, _ in rows] if kind in {Kind.NO_ENTRY, Kind.OTHER} else []
    gone = find_retired_rows(pair.model, pair.moment, keys, retired)
    for key, entry in rows:
        yield Orphan(Kind.RETIRED if key in gone else kind, str(pair.model._meta.verbose_name), key, entry)


def _shorten(text: str) -> str:
    return repr(text if len(text) <= 80 else f"{text[:77]}...")
