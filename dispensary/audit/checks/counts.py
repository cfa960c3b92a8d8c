"""Counts of findings and answers by day, for the review desk: made from the log, reproducible, without patients or words.

A finding is counted on the day on which it is first shown on an order, which that of a hand-over recorded late was to nobody; an answer on the day of the hand-over that used it; and
one that is gone on the day of the hand-over or of the change of the order without it. Days are those of the pharmacy, by the time
of recording; a day is counted when it is over, and counted again at will.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, field, fields
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from dispensary.audit.checks.conclusions import conclude, load_json, read_events
from dispensary.audit.checks.reconcile import Kind, Orphan
from dispensary.audit.log.reader import reading
from dispensary.models import AuditLog, Pharmacy

QUICK = 3
"""Seconds below which an answer in words was not written on the page."""
WORDS_A_SECOND = 8
"""Words that nobody reads in less than a second: twice the 4 of a usual reader (Brysbaert, J Mem Lang 2019)."""
DWELL_EDGES = (3, 5, 8, 12, 20, 30, 60, 120, 300, 900)
"""Seconds on the page at which classes of time end; beyond the last one the page was left open."""
FEWEST_OFFERED = 5
"""Reasons that a page offers at least, where the share of the commonest one is of interest."""
SETTLED = dt.timedelta(minutes=10)
"""A day is counted when it is over by so much: what was begun in it has committed."""
FARTHEST = 400
"""Days back that are counted where they were not."""
LOOK_BACK = dt.timedelta(days=400)
"""An earlier showing of a finding on the same order is looked for as far back."""

# Times stand on the bodies as well: without them every month's bodies would be planned for.
_SHOWN = """
    WITH review AS (
        SELECT e.recorded_at, e.patient_ref, b.body::jsonb ->> 'prescription' AS order_id,
               (b.body::jsonb ->> 'review')::jsonb -> 'findings' AS findings
        FROM audit.entry e JOIN audit.readable_body b ON b.entry_id = e.entry_id AND b.recorded_at = e.recorded_at
        WHERE e.log_id = %(log)s AND e.action = 'review.recorded' AND e.recorded_at >= %(since)s AND e.recorded_at < %(until)s
          AND b.recorded_at >= %(since)s AND b.recorded_at < %(until)s
          AND b.body::jsonb ->> 'reason' IS DISTINCT FROM 'late'),
    episode AS (
        SELECT r.order_id, r.patient_ref, f.value ->> 'code' AS rule,
               (ARRAY['acknowledge', 'override', 'stop'])[max(array_position(ARRAY['acknowledge', 'override', 'stop'], f.value ->> 'severity'))]
                   AS severity
        FROM review r CROSS JOIN LATERAL jsonb_array_elements(r.findings) AS f(value)
        WHERE f.value ->> 'severity' <> 'information' GROUP BY 1, 2, 3)
    SELECT rule, severity, count(*) FROM episode WHERE NOT EXISTS (
        SELECT FROM audit.entry p JOIN audit.readable_body b ON b.entry_id = p.entry_id AND b.recorded_at = p.recorded_at
        WHERE p.patient_ref = episode.patient_ref AND p.log_id = %(log)s AND p.action = 'review.recorded'
          AND p.recorded_at >= %(back)s AND p.recorded_at < %(since)s AND b.recorded_at >= %(back)s AND b.recorded_at < %(since)s
          AND episode.rule = ANY (p.rule_codes) AND b.body::jsonb ->> 'prescription' = episode.order_id)
    GROUP BY 1, 2"""
_ANSWERED = """
    SELECT a.actor, a.rule_codes[1], CASE a.action WHEN 'override.signed' THEN 'override' ELSE 'acknowledge' END,
           coalesce(a.reason_code, ''), coalesce(x.body ->> 'asked', '') <> '', (x.body ->> 'seconds')::integer,
           cardinality(string_to_array(concat_ws(' ', x.body -> 'finding' ->> 'summary', x.body -> 'finding' ->> 'detail'), ' ')),
           coalesce(jsonb_array_length(x.body -> 'offered'), 0)
    FROM audit.entry d
    JOIN audit.readable_body b ON b.entry_id = d.entry_id AND b.recorded_at = d.recorded_at
    CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(b.body::jsonb -> 'overrides', '[]')) AS used(id)
    JOIN audit.entry a ON a.subject_id = used.id AND a.action IN ('override.signed', 'finding.acknowledged') AND a.log_id = d.log_id
        AND a.recorded_at >= %(back)s AND a.recorded_at < %(until)s
    LEFT JOIN LATERAL (
        SELECT r.body::jsonb AS body FROM audit.readable_body r
        WHERE r.entry_id = a.entry_id AND r.recorded_at = a.recorded_at OFFSET 0) AS x ON true
    WHERE d.log_id = %(log)s AND d.action = 'dispense.completed' AND d.recorded_at >= %(since)s AND d.recorded_at < %(until)s
      AND b.recorded_at >= %(since)s AND b.recorded_at < %(until)s"""
_ORDERS = """
    SELECT count(*) FROM audit.entry e
    WHERE e.log_id = %(log)s AND e.action = 'prescription.received' AND e.recorded_at >= %(since)s AND e.recorded_at < %(until)s"""
_LEAVES = """
    SELECT l.seq, l.leaf FROM audit.entry e JOIN audit.link l ON l.entry_id = e.entry_id
    WHERE e.log_id = %(log)s AND e.recorded_at >= %(since)s AND e.recorded_at < %(until)s ORDER BY l.seq"""


@dataclass(frozen=True, slots=True)
class UsedAnswer:
    """An answer that a hand-over used: whether somebody was asked, seconds on the page, words of its finding, reasons offered."""

    reason: str
    is_asked: bool
    seconds: int | None
    words: int
    offered: int


@dataclass
class Cell:
    """Counts of a rule or person; the columns of the tables by name."""

    shown: int = 0
    answered: int = 0
    asked: int = 0
    timed: int = 0
    """Answers that were signed on a page."""
    quick: int = 0
    """Of those, within `QUICK` seconds."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Answers by code of reason."""
    repeated: int = 0
    """Repeats at which the finding stood."""
    changed: int = 0
    waited: int = 0
    unread: int = 0
    """Answers signed in less time than reading the finding takes."""
    dwell: Counter[str] = field(default_factory=Counter)
    """Answers by the first second of their class of time."""
    chosen: Counter[str] = field(default_factory=Counter)
    """Answers by code of reason where at least `FEWEST_OFFERED` were offered."""

    def add_answer(self, answer: UsedAnswer) -> None:
        """Count an answer that a hand-over used."""
        self.answered += 1
        self.asked += answer.is_asked
        if answer.seconds is not None:
            self.timed += 1
            self.quick += answer.seconds < QUICK
            self.unread += answer.seconds * WORDS_A_SECOND < answer.words
            self.dwell[str(max(edge for edge in (0, *DWELL_EDGES) if edge <= answer.seconds))] += 1
        if answer.reason:
            self.reasons[answer.reason] += 1
            self.chosen[answer.reason] += answer.offered >= FEWEST_OFFERED

    def add_cell(self, other: Cell) -> None:
        """Add the counts of another cell."""
        for column in fields(self):
            self.add(column.name, getattr(other, column.name))

    def add(self, column: str, value: Any) -> None:
        """Add what a table holds."""
        if isinstance(getattr(self, column), Counter):
            getattr(self, column).update(load_json(value))
        else:
            setattr(self, column, getattr(self, column) + value)


_RULE_COLUMNS = tuple(column.name for column in fields(Cell))
_PERSON_COLUMNS = ("answered", "timed", "quick", "reasons")
_TABLES: Mapping[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    "rule_day": (("rule", "severity"), _RULE_COLUMNS),
    "person_day": (("actor", "rule"), _PERSON_COLUMNS),
}
"""Table of the desk -> the columns that name a cell beside log and day, and its counts."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Orders taken in, hand-overs, and of these repeats with the directions of the one before."""

    orders: int = 0
    handovers: int = 0
    repeats: int = 0


_Cells = dict[tuple[str, str], Cell]


@dataclass(frozen=True, slots=True)
class _Day:
    """What the log gives of a day: its cells by table, its totals, number and leaf of its entries."""

    cells: Mapping[str, _Cells]
    totals: Totals
    leaves: list[tuple[int, bytes]]


def count_day(
    log: AuditLog, pharmacy: Pharmacy, day: dt.date, *, now: dt.datetime, using: str = DEFAULT_DB_ALIAS
) -> int:
    """Count a day of a log into the tables of the desk, in place of what stood there; return its entries."""
    with reading(pharmacy, using=using), connections[using].cursor() as cursor:
        counted = _read_day(cursor, log.log_id, *pharmacy.span_of(day, day))
        for table, cells in counted.cells.items():
            _replace(cursor, table, log.log_id, day, cells)
        cursor.execute("DELETE FROM desk.made WHERE log_id = %s AND day = %s", [log.log_id, day])
        digest = hashlib.sha256(b"".join(bytes(leaf) for _, leaf in counted.leaves)).digest()
        first, last = (counted.leaves[0][0], counted.leaves[-1][0]) if counted.leaves else (None, None)
        cursor.execute(
            "INSERT INTO desk.made VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [log.log_id, day, first, last, len(counted.leaves), digest, now, *astuple(counted.totals)],
        )
    return len(counted.leaves)


def _read_day(cursor: Any, log_id: UUID, since: dt.datetime, until: dt.datetime) -> _Day:
    values: dict[str, Any] = {"log": log_id, "since": since, "until": until, "back": since - LOOK_BACK}
    rules: _Cells = defaultdict(Cell)
    people: _Cells = defaultdict(Cell)
    cursor.execute(_SHOWN, values)
    for rule, severity, number in cursor.fetchall():
        rules[rule, severity].shown += number
    cursor.execute(_ANSWERED, values)
    for actor, rule, severity, *answer in cursor.fetchall():
        used = UsedAnswer(*answer)
        rules[rule, severity].add_answer(used)
        if severity == "override":
            people[actor, rule].add_answer(used)
    conclusions = conclude(read_events(cursor, log_id, since, until, before=LOOK_BACK))
    for column in ("changed", "waited", "repeated"):
        for cell, number in getattr(conclusions, column).items():
            rules[cell].add(column, number)
    cursor.execute(_ORDERS, values)
    (orders,) = cursor.fetchone()
    cursor.execute(_LEAVES, values)
    totals = Totals(orders, conclusions.handovers, conclusions.repeats)
    return _Day({"rule_day": rules, "person_day": people}, totals, cursor.fetchall())


_ERASED = "SELECT EXISTS (SELECT FROM audit.erasure e JOIN audit.link l USING (entry_id) WHERE l.log_id = %s AND e.recorded_at >= %s AND e.recorded_at < %s)"


def compare_counts(today: dt.date, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[Orphan]:
    """Count days again and yield those whose stored counts differ: the last seven, and a seventh of those before.

    Nothing is said of a day whose entries were retired, or on which details count that were erased since. A release that counts
    otherwise empties these tables in a migration.
    """
    pharmacies = Pharmacy.objects.using(using).in_bulk()
    for log in AuditLog.objects.using(using).filter(pharmacy__in=list(pharmacies)):
        with reading(log.pharmacy, using=using), connections[using].cursor() as cursor:
            cursor.execute(
                "SELECT day FROM desk.made WHERE log_id = %s AND (day > %s::date - 8 OR (%s::date - day) %% 7 = 0) ORDER BY day",
                [log.log_id, today, today],
            )
            for (day,) in cursor.fetchall():
                since, until = pharmacies[log.pharmacy].span_of(day, day)
                cursor.execute(_ERASED, [log.log_id, since - LOOK_BACK, until])
                (is_erased,) = cursor.fetchone()
                if is_erased:
                    continue
                counted = _read_day(cursor, log.log_id, since, until)
                if counted.leaves and not _is_stored(cursor, log.log_id, day, counted):
                    detail = "the desk shows other numbers than the log gives"
                    yield Orphan(Kind.CHANGED, "counts of a day", f"{log.pharmacy} {day}", detail=detail)


def _is_stored(cursor: Any, log_id: UUID, day: dt.date, counted: _Day) -> bool:
    for table, (names, columns) in _TABLES.items():
        cursor.execute(
            f"SELECT {', '.join((*names, *columns))} FROM desk.{table} WHERE log_id = %s AND day = %s",  # noqa: S608  (names of our own tables)
            [log_id, day],
        )
        stored = {(first, second): tuple(map(load_json, values)) for first, second, *values in cursor.fetchall()}
        if stored != {key: _values(cell, columns) for key, cell in counted.cells[table].items()}:
            return False
    cursor.execute("SELECT orders, handovers, repeats FROM desk.made WHERE log_id = %s AND day = %s", [log_id, day])
    return Totals(*cursor.fetchone()) == counted.totals


def _values(cell: Cell, columns: Iterable[str]) -> tuple[Any, ...]:
    return tuple(getattr(cell, column) for column in columns)


def _replace(cursor: Any, table: str, log_id: UUID, day: dt.date, cells: _Cells) -> None:
    names, columns = _TABLES[table]
    cursor.execute(f"DELETE FROM desk.{table} WHERE log_id = %s AND day = %s", [log_id, day])  # noqa: S608  (names of our own tables)
    filled = ("log_id", "day", *names, *columns)
    cursor.executemany(
        f"INSERT INTO desk.{table} ({', '.join(filled)}) VALUES ({', '.join(['%s'] * len(filled))})",  # noqa: S608  (names of our own tables)
        [
            [log_id, day, *key, *(json.dumps(v) if isinstance(v, Counter) else v for v in _values(cell, columns))]
            for key, cell in cells.items()
        ],
    )


def count_missing_days(now: dt.datetime, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[tuple[Pharmacy, dt.date, int]]:
    """Count each day of each open log that is over and was not counted, each in a transaction; yield it with its entries."""
    pharmacies = {pharmacy.pk: pharmacy for pharmacy in Pharmacy.objects.using(using).all()}
    for log in AuditLog.objects.using(using).filter(pharmacy__in=list(pharmacies)):
        pharmacy = pharmacies[log.pharmacy]
        for day in _missing_days(log, pharmacy, now, using):
            with transaction.atomic(using=using):
                yield pharmacy, day, count_day(log, pharmacy, day, now=now, using=using)


def _missing_days(log: AuditLog, pharmacy: Pharmacy, now: dt.datetime, using: str) -> list[dt.date]:
    today = pharmacy.local_day(now - SETTLED)
    begin = max(pharmacy.local_day(log.opened_at), today - dt.timedelta(days=FARTHEST))
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT day FROM desk.made WHERE log_id = %s AND day >= %s", [log.log_id, begin])
        made = {day for (day,) in cursor.fetchall()}
    end = min(today, pharmacy.local_day(log.closed_at) + dt.timedelta(days=1)) if log.closed_at else today
    days = (begin + dt.timedelta(days=number) for number in range((end - begin).days))
    return [day for day in days if day not in made]


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts of a period, and the entries that they were made from."""

    rules: dict[tuple[str, str], Cell]
    people: dict[str, Cell]
    weeks: dict[str, dict[dt.date, int]]
    """Rule -> Monday -> orders on which it was shown."""
    totals: Totals
    days: int
    first: int | None
    last: int | None


def read_counts(pharmacy: UUID, since: dt.date, until: dt.date, *, using: str = DEFAULT_DB_ALIAS) -> Counted:
    """Return what was counted for the days from `since` to `until`, both included."""
    rules: dict[tuple[str, str], Cell] = defaultdict(Cell)
    people: dict[str, Cell] = defaultdict(Cell)
    weeks: dict[str, dict[dt.date, int]] = defaultdict(lambda: defaultdict(int))
    values: dict[str, Any] = {"pharmacy": pharmacy, "since": since, "until": until}
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"SELECT rule, severity, day, {', '.join(_RULE_COLUMNS)} FROM desk.rule_day {_SCOPE}",  # noqa: S608  (names of our own tables)
            values,
        )
        for rule, severity, day, *numbers in cursor.fetchall():
            cell = rules[rule, severity]
            for column, value in zip(_RULE_COLUMNS, numbers, strict=True):
                cell.add(column, value)
            weeks[rule][day - dt.timedelta(days=day.weekday())] += numbers[0]
        cursor.execute(f"SELECT actor, {', '.join(_PERSON_COLUMNS)} FROM desk.person_day {_SCOPE}", values)  # noqa: S608  (names of our own tables)
        for actor, *numbers in cursor.fetchall():
            for column, value in zip(_PERSON_COLUMNS, numbers, strict=True):
                people[actor].add(column, value)
        cursor.execute(
            f"SELECT coalesce(sum(orders), 0)::int, coalesce(sum(handovers), 0)::int, coalesce(sum(repeats), 0)::int, "  # noqa: S608  (names of our own tables)
            f"count(*), min(first_seq), max(last_seq) FROM desk.made {_SCOPE}",
            values,
        )
        *totals, days, first, last = cursor.fetchone()
    return Counted(dict(rules), dict(people), weeks, Totals(*totals), days, first, last)


_SCOPE = """WHERE log_id = ANY (ARRAY(SELECT log_id FROM audit.log WHERE pharmacy = %(pharmacy)s))
    AND day BETWEEN %(since)s AND %(until)s"""
