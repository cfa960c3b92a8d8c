"""Search: filters with an index each; pages by key, never by offset.

Counts with a cap.
| filter | asks for | index |
|---|---|---|
| (none) | the newest entries of a log | `entry_log` |
| `since`, `until` | recorded in this time, `until` not included | `entry_log`, partitions |
| `actions` | any of these events | `entry_action` |
| `actor` | done by | `entry_actor` |
| `patient` | about this patient | `entry_patient` |
| `subject_type` with `subject_id` | about this thing | `entry_subject` |
| `drug` | this medicine's code | `entry_drug` |
| `rule` | a finding of this rule | `entry_rules` |
| `request_id` | written in this request | `entry_request` |
| `text` | words in the body; needs `since` and `until` at most 92 days apart | by header, then bodies by key |
| `outcome`, `reason` | narrow the others | |
| `states`, `unseconded`, `under_seconds` | narrow answers: the state of their rows; of these rules without a second person's signature; signed on a page in less time | by header, then rows and bodies by key |

Everything searchable is hashed, but for `states` and `unseconded`, which look at the answers' rows: a column of the header, or the
body, into which only `text` and `under_seconds` look, and only those of the pharmacies that the caller may read.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import Any, Self
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

from dispensary.audit.log.events import Event, Outcome
from dispensary.audit.log.reader import reading
from dispensary.errors import InvalidInput, Problem
from dispensary.models.audit import AuditEntry, AuditLog

PAGE = 50
MAX_PAGE = 200
COUNT_CAP = 10_000
TEXT_WINDOW = dt.timedelta(days=92)
STATEMENT_SECONDS = 5
WINDOWS = (dt.timedelta(days=14), dt.timedelta(days=62))
MAX_WORDS, MIN_WORD, MAX_TEXT = 5, 3, 200

_ANSWER_KEY = "CASE e.subject_type WHEN 'override' THEN e.subject_id::uuid END"
_COLUMNS = """e.entry_id, e.log_id, e.recorded_at, e.occurred_at, e.txid, e.db_role, e.actor, e.actor_role, e.second_actor,
    e.station, e.request_id, e.action, e.outcome, e.reason_code, e.subject_type, e.subject_id, e.patient_ref, e.drug_code,
    e.rule_codes, e.ruleset, e.engine, e.corrects_seq, e.body_commit, e.body_kind, e.v"""


@dataclass(frozen=True, slots=True)
class Filters:
    """The filters of a search; an entry must match all of them."""

    since: dt.datetime | None = None
    until: dt.datetime | None = None
    actions: tuple[str, ...] = ()
    outcome: str = ""
    reason: str = ""
    actor: str = ""
    patient: str = ""
    subject_type: str = ""
    subject_id: str = ""
    drug: str = ""
    rule: str = ""
    request_id: str = ""
    text: str = ""
    states: tuple[str, ...] = ()
    unseconded: tuple[str, ...] = ()
    under_seconds: int = 0

    def checked(self) -> Self:
        """Return these filters if they can be answered.

        Raises InvalidInput with every problem.
        """
        if problems := tuple(_find_problems(self)):
            raise InvalidInput("This log cannot be searched like that.", *problems)
        return self

    def as_body(self) -> dict[str, Any]:
        """Return the filters in use, for the entry that records the search."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}


@dataclass(frozen=True, slots=True)
class Page:
    """Entries, newest first, and where the next page begins ("" after the last)."""

    entries: list[AuditEntry]
    next: str


@dataclass(frozen=True, slots=True)
class Count:
    """The number of matches; when `capped`, at least so many."""

    value: int
    capped: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the order of pages: the last entry of the page before."""

    recorded_at: dt.datetime
    entry_id: UUID

    def __str__(self) -> str:
        text = f"{self.recorded_at.astimezone(dt.UTC).isoformat()} {self.entry_id.hex}"
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, cursor: str) -> Place:
        """Read a cursor that a page gave. Raises InvalidInput on any other text."""
        try:
            raw = base64.urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4)).decode("ascii")
            moment, _, entry_id = raw.partition(" ")
            place = cls(dt.datetime.fromisoformat(moment), UUID(hex=entry_id))
            if place.recorded_at.tzinfo is None:
                raise ValueError("no zone")
        except (ValueError, binascii.Error) as error:
            problem = Problem("cursor", "something else", "the `next` of a page", "Start again without a cursor.")
            raise InvalidInput("This cursor was not given by a page.", problem) from error
        return place


def logs_of(pharmacies: Sequence[UUID], *, using: str = DEFAULT_DB_ALIAS) -> list[UUID]:
    """Return the logs of these pharmacies, all incarnations."""
    return list(AuditLog.objects.using(using).filter(pharmacy__in=pharmacies).values_list("log_id", flat=True))


def search(
    pharmacies: Sequence[UUID],
    filters: Filters,
    *,
    cursor: str = "",
    limit: int = PAGE,
    using: str = DEFAULT_DB_ALIAS,
) -> Page:
    """Return one page of matches in these pharmacies' logs.

    Raises InvalidInput on filters that cannot be answered in time.
    """
    filters.checked()
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidInput("This page is too large.", Problem("limit", str(limit), f"1 to {MAX_PAGE}"))
    place, logs = Place.parse(cursor) if cursor else None, logs_of(pharmacies, using=using)
    entries: list[AuditEntry] = []
    with _limit_time(using), reading(*pharmacies, using=using):
        for narrowed in _split_windows(filters, place, logs, using):
            missing = limit + 1 - len(entries)
            sql, parameters = _entries_sql(narrowed, place, logs, missing)
            entries += AuditEntry.objects.using(using).raw(_links_sql(sql, missing), parameters)
            if len(entries) > limit:
                break
    page = entries[:limit]
    following = str(Place(page[-1].recorded_at, page[-1].entry_id)) if len(entries) > limit else ""
    return Page(page, following)


def _split_windows(filters: Filters, place: Place | None, logs: Sequence[UUID], using: str) -> Iterator[Filters]:
    """Yield the filters for the newest two weeks, for the two months before, then for the rest.

    A long search is mostly answered by a few partitions: planning for all of them takes longer than the answer, as does
    sorting all matches of a rule for the newest. Filters that match few entries are not split.
    """
    newest = place.recorded_at if place else filters.until or _find_newest(logs, using)
    until = filters.until
    if newest is not None and not _is_rare(filters):
        for edge in (newest - window for window in WINDOWS):
            if filters.since and filters.since >= edge:
                break
            yield replace(filters, since=edge, until=until)
            until = edge if until is None else min(edge, until)
    yield replace(filters, until=until)


def _is_rare(filters: Filters) -> bool:
    """Return whether a filter matches few entries, wherever they are."""
    return bool(filters.patient or filters.subject_id or filters.request_id)


def _find_newest(logs: Sequence[UUID], using: str) -> dt.datetime | None:
    """Return when the newest entry was recorded, from the links alone."""
    sql = """SELECT max(l.recorded_at) FROM unnest(%s::uuid[]) AS scope(log_id) CROSS JOIN LATERAL (
        SELECT recorded_at FROM audit.link WHERE log_id = scope.log_id ORDER BY seq DESC LIMIT 1) AS l"""
    with connections[using].cursor() as cursor:
        cursor.execute(sql, [list(logs)])
        newest: dt.datetime | None = cursor.fetchone()[0]
    return newest


def count(pharmacies: Sequence[UUID], filters: Filters, *, using: str = DEFAULT_DB_ALIAS) -> Count:
    """Count the entries that match, to at most 10,000."""
    filters.checked()
    sql, parameters = _entries_sql(filters, None, logs_of(pharmacies, using=using), COUNT_CAP + 1, ordered=False)
    with _limit_time(using), reading(*pharmacies, using=using), connections[using].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM (SELECT FROM ({sql}) AS each LIMIT {COUNT_CAP + 1}) AS few", parameters)  # noqa: S608 - all values are parameters
        number = cursor.fetchone()[0]
    return Count(min(number, COUNT_CAP), number > COUNT_CAP)


def find(pharmacies: Sequence[UUID], entry_id: UUID, *, using: str = DEFAULT_DB_ALIAS) -> AuditEntry | None:
    """One entry by its id, if it is in a log of these pharmacies."""
    return AuditEntry.objects.using(using).filter(entry_id=entry_id, pharmacy__in=pharmacies).first()


def explain(pharmacies: Sequence[UUID], filters: Filters, *, cursor: str = "", using: str = DEFAULT_DB_ALIAS) -> str:
    """Return the database's plan for a first page, for tests and benchmarks."""
    place = Place.parse(cursor) if cursor else None
    sql, parameters = _entries_sql(filters.checked(), place, logs_of(pharmacies, using=using), PAGE + 1)
    with reading(*pharmacies, using=using), connections[using].cursor() as handle:
        handle.execute("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) " + _links_sql(sql, PAGE + 1), parameters)
        return "\n".join(row[0] for row in handle.fetchall())


def _links_sql(sql: str, limit: int) -> str:
    """The page with what stands beside the header: number, leaf, pharmacy and origin."""
    return f"""SELECT p.*, l.seq, l.leaf, g.pharmacy, g.origin
        FROM ({sql} ORDER BY recorded_at DESC, entry_id DESC LIMIT {limit}) AS p
        JOIN audit.log g ON g.log_id = p.log_id
        LEFT JOIN audit.link l ON l.entry_id = p.entry_id
        ORDER BY p.recorded_at DESC, p.entry_id DESC"""  # noqa: S608 - all values are parameters


def _entries_sql(
    filters: Filters, place: Place | None, logs: Sequence[UUID], limit: int, *, ordered: bool = True
) -> tuple[str, dict[str, Any]]:
    """The entries that match.

    With several logs, each gives its own newest first: an index serves each of them.
    """
    log = "%(log)s" if len(logs) == 1 else "scope.log_id"
    conditions, parameters = _where(filters, place, log)
    # What is rare has its own index. Said like this, the log is no reason to weigh the others, in every partition.
    same_log = f"e.log_id IS NOT DISTINCT FROM {log}" if _is_rare(filters) or filters.rule else f"e.log_id = {log}"
    where = " AND ".join([same_log, *conditions])
    order = f"ORDER BY e.recorded_at DESC, e.entry_id DESC LIMIT {limit}" if ordered else f"LIMIT {limit}"
    if len(logs) == 1:
        sql = f"SELECT {_COLUMNS} FROM audit.entry e WHERE {where}"  # noqa: S608 - all values are parameters
        return sql, {**parameters, "log": logs[0]}
    sql = f"""SELECT e.* FROM unnest(%(logs)s::uuid[]) AS scope(log_id)
        CROSS JOIN LATERAL (SELECT {_COLUMNS} FROM audit.entry e WHERE {where} {order}) AS e"""  # noqa: S608 - all values are parameters
    return sql, {**parameters, "logs": list(logs)}


def _where(filters: Filters, place: Place | None, log: str) -> tuple[list[str], dict[str, Any]]:
    simple: Mapping[str, tuple[str, Any]] = {
        "since": ("e.recorded_at >= %(since)s", filters.since),
        "until": ("e.recorded_at < %(until)s", filters.until),
        "actions": ("e.action = ANY (%(actions)s)", list(filters.actions)),
        "outcome": ("e.outcome = %(outcome)s", filters.outcome),
        "reason": ("e.reason_code = %(reason)s", filters.reason),
        "actor": ("e.actor = %(actor)s", filters.actor),
        "patient": ("e.patient_ref = %(patient)s", filters.patient),
        "subject_type": ("e.subject_type = %(subject_type)s", filters.subject_type),
        "subject_id": ("e.subject_id = %(subject_id)s", filters.subject_id),
        "drug": ("e.drug_code = %(drug)s", filters.drug),
        "rule": (
            f"e.rule_codes IS NOT NULL AND array_append(e.rule_codes, e.log_id::text) @> ARRAY[%(rule)s, {log}::text]",
            filters.rule,
        ),
        "states": (
            f"EXISTS (SELECT FROM dispensary_override o WHERE o.id = {_ANSWER_KEY} AND o.state = ANY (%(states)s) OFFSET 0)",
            list(filters.states),
        ),
        "unseconded": (
            "e.rule_codes && %(unseconded)s AND NOT EXISTS (SELECT FROM dispensary_secondsignature s"
            f" WHERE s.override_id = {_ANSWER_KEY} AND NOT s.is_alone OFFSET 0)",
            list(filters.unseconded),
        ),
        "under_seconds": (
            """EXISTS (SELECT FROM audit.readable_body b WHERE b.entry_id = e.entry_id AND b.recorded_at = e.recorded_at
                AND (b.body::jsonb ->> 'seconds')::integer < %(under_seconds)s OFFSET 0)""",
            filters.under_seconds,
        ),
        "request_id": ("e.request_id = %(request_id)s", filters.request_id),
    }
    conditions = [condition for condition, value in simple.values() if value]
    parameters: dict[str, Any] = {name: value for name, (_, value) in simple.items() if value}
    if place is not None:
        # The first half alone lets the planner leave out later partitions.
        conditions.append("e.recorded_at <= %(at)s AND (e.recorded_at, e.entry_id) < (%(at)s, %(id)s)")
        parameters |= {"at": place.recorded_at, "id": place.entry_id}
    if filters.text:
        words = {f"word{number}": _like_pattern(word) for number, word in enumerate(filters.text.split())}
        every = " AND ".join(f"b.body ILIKE %({name})s" for name in words)
        # OFFSET 0 keeps this a look-up by key for each header that fits, instead of a join that reads every body.
        conditions.append(
            f"""EXISTS (SELECT FROM audit.readable_body b WHERE b.entry_id = e.entry_id
                AND b.recorded_at = e.recorded_at AND {every} OFFSET 0)"""
        )
        parameters |= words
    return conditions, parameters


def _like_pattern(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _find_problems(filters: Filters) -> Iterator[Problem]:
    for name in ("since", "until"):
        moment = getattr(filters, name)
        if moment is not None and moment.tzinfo is None:
            yield Problem(name, "a time without a zone", "a time such as 2026-11-22T09:00:00Z")
            return
    if filters.since and filters.until and filters.since >= filters.until:
        yield Problem("until", "a time not after `since`", "a later time")
    names = {event.value for event in Event}
    for action in filters.actions:
        if action not in names:
            yield Problem("action", action[:60], f"an event such as {Event.DISPENSED.value}")
    if filters.outcome and filters.outcome not in {outcome.value for outcome in Outcome}:
        yield Problem("outcome", filters.outcome[:60], ", ".join(Outcome))
    if filters.subject_id and not filters.subject_type:
        yield Problem("subject_type", "nothing", "the kind of thing, such as dispense, beside its subject_id")
    if any("\x00" in getattr(filters, field.name) for field in fields(filters) if field.type == "str"):
        yield Problem("", "a NUL character", "Text without NUL")
    yield from _find_text_problems(filters)


def _find_text_problems(filters: Filters) -> Iterator[Problem]:
    if not filters.text:
        return
    if not (filters.since and filters.until) or filters.until - filters.since > TEXT_WINDOW:
        expected = f"since and until, at most {TEXT_WINDOW.days} days apart, beside a search for words"
        yield Problem("text", "no such window", expected)
    words = filters.text.split()
    if len(words) > MAX_WORDS or any(len(word) < MIN_WORD for word in words) or len(filters.text) > MAX_TEXT:
        yield Problem("text", f"{len(words)} words", f"up to {MAX_WORDS} words of {MIN_WORD} letters or more")


def choose_words(text: str) -> str:
    """Return words of a text that a search takes, "" where there are none; whatever has the text has them."""
    longest = MAX_TEXT // MAX_WORDS - 1
    return " ".join([word[:longest] for word in text.split() if len(word) >= MIN_WORD][:MAX_WORDS])


@contextmanager
def _limit_time(using: str) -> Iterator[None]:
    """Limit the block's statements to five seconds.

    Raise InvalidInput that says what to narrow.
    """
    try:
        with transaction.atomic(using=using), connections[using].cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout')")
            before = cursor.fetchone()[0]
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{STATEMENT_SECONDS}s"])
            yield
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None) != "57014":
            raise
        problem = Problem("since", "too wide a search", "a shorter time or one more filter")
        raise InvalidInput(f"The search took longer than {STATEMENT_SECONDS} seconds.", problem) from error
