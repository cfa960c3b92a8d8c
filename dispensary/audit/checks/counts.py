"""Counts of findings and answers by day, for the review desk: made from the log, reproducible, without patients or words.

A finding is counted on the day on which it is first shown on an order; an answer on the day of the hand-over that used it.
Days are those of the pharmacy, by the time of recording; a day is counted when it is over, and counted again at will.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections, transaction

from dispensary.audit.checks.reconcile import Kind, Orphan
from dispensary.audit.log.reader import reading
from dispensary.models import AuditLog, Pharmacy

QUICK = 3
"""Seconds below which an answer in words was not written on the page."""
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
          AND b.recorded_at >= %(since)s AND b.recorded_at < %(until)s),
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
           coalesce(a.reason_code, ''), coalesce(x.body ->> 'asked', '') <> '', (x.body ->> 'seconds')::integer
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
_LEAVES = """
    SELECT l.seq, l.leaf FROM audit.entry e JOIN audit.link l ON l.entry_id = e.entry_id
    WHERE e.log_id = %(log)s AND e.recorded_at >= %(since)s AND e.recorded_at < %(until)s ORDER BY l.seq"""


@dataclass
class Cell:
    """Counts of a rule or person; `timed` answers were signed on a page, `quick` ones within `QUICK` seconds; reasons by code."""

    shown: int = 0
    answered: int = 0
    asked: int = 0
    timed: int = 0
    quick: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def add_answer(self, reason: str, is_asked: bool, seconds: int | None) -> None:
        """Count an answer that a hand-over used."""
        self.answered += 1
        self.asked += is_asked
        self.timed += seconds is not None
        self.quick += seconds is not None and seconds < QUICK
        if reason:
            self.reasons[reason] += 1


def count_day(
    log: AuditLog, pharmacy: Pharmacy, day: dt.date, *, now: dt.datetime, using: str = DEFAULT_DB_ALIAS
) -> int:
    """Count a day of a log into the tables of the desk, in place of what stood there; return its entries."""
    with reading(pharmacy, using=using), connections[using].cursor() as cursor:
        rules, people, leaves = _read_day(cursor, log.log_id, *pharmacy.span_of(day, day))
        _replace(cursor, log.log_id, day, rules, people)
        cursor.execute("DELETE FROM desk.made WHERE log_id = %s AND day = %s", [log.log_id, day])
        digest = hashlib.sha256(b"".join(bytes(leaf) for _, leaf in leaves)).digest()
        first, last = (leaves[0][0], leaves[-1][0]) if leaves else (None, None)
        cursor.execute(
            "INSERT INTO desk.made VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [log.log_id, day, first, last, len(leaves), digest, now],
        )
    return len(leaves)


_Cells = dict[tuple[str, str], Cell]


def _read_day(
    cursor: Any, log_id: UUID, since: dt.datetime, until: dt.datetime
) -> tuple[_Cells, _Cells, list[tuple[int, bytes]]]:
    """Return the cells of a day by rule and severity, by person and rule, and number and leaf of its entries."""
    values: dict[str, Any] = {"log": log_id, "since": since, "until": until, "back": since - LOOK_BACK}
    rules: _Cells = defaultdict(Cell)
    people: _Cells = defaultdict(Cell)
    cursor.execute(_SHOWN, values)
    for rule, severity, number in cursor.fetchall():
        rules[rule, severity].shown += number
    cursor.execute(_ANSWERED, values)
    for actor, rule, severity, reason, is_asked, seconds in cursor.fetchall():
        rules[rule, severity].add_answer(reason, is_asked, seconds)
        if severity == "override":
            people[actor, rule].add_answer(reason, is_asked, seconds)
    cursor.execute(_LEAVES, values)
    return rules, people, cursor.fetchall()


_STORED = """
    SELECT rule, severity, shown, answered, asked, timed, quick, reasons FROM desk.rule_day WHERE log_id = %(log)s AND day = %(day)s"""
_STORED_PEOPLE = """
    SELECT actor, rule, 0, answered, 0, timed, quick, reasons FROM desk.person_day WHERE log_id = %(log)s AND day = %(day)s"""
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
                rules, people, leaves = _read_day(cursor, log.log_id, since, until)
                if not is_erased and leaves and not _is_stored(cursor, log.log_id, day, rules, people):
                    detail = "the desk shows other numbers than the log gives"
                    yield Orphan(Kind.CHANGED, "counts of a day", f"{log.pharmacy} {day}", detail=detail)


def _is_stored(cursor: Any, log_id: UUID, day: dt.date, rules: _Cells, people: _Cells) -> bool:
    for question, cells in (
        (_STORED, rules),
        (_STORED_PEOPLE, {key: replace(cell, asked=0) for key, cell in people.items()}),
    ):
        cursor.execute(question, {"log": log_id, "day": day})
        stored: _Cells = defaultdict(Cell)
        for first, second, shown, *answer in cursor.fetchall():
            stored[first, second].shown = shown
            _add(stored[first, second], *answer)
        if stored != cells:
            return False
    return True


def _replace(
    cursor: Any,
    log_id: UUID,
    day: dt.date,
    rules: Mapping[tuple[str, str], Cell],
    people: Mapping[tuple[str, str], Cell],
) -> None:
    for table in ("rule_day", "person_day"):
        cursor.execute(f"DELETE FROM desk.{table} WHERE log_id = %s AND day = %s", [log_id, day])  # noqa: S608  (names of our own tables)
    cursor.executemany(
        "INSERT INTO desk.rule_day VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        [
            [log_id, day, rule, severity, c.shown, c.answered, c.asked, c.timed, c.quick, json.dumps(c.reasons)]
            for (rule, severity), c in rules.items()
        ],
    )
    cursor.executemany(
        "INSERT INTO desk.person_day VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        [
            [log_id, day, actor, rule, c.answered, c.timed, c.quick, json.dumps(c.reasons)]
            for (actor, rule), c in people.items()
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
            f"SELECT rule, severity, day, shown, answered, asked, timed, quick, reasons FROM desk.rule_day {_SCOPE}",  # noqa: S608  (names of our own tables)
            values,
        )
        for rule, severity, day, times_shown, *answer in cursor.fetchall():
            rules[rule, severity].shown += times_shown
            _add(rules[rule, severity], *answer)
            weeks[rule][day - dt.timedelta(days=day.weekday())] += times_shown
        cursor.execute(f"SELECT actor, answered, 0, timed, quick, reasons FROM desk.person_day {_SCOPE}", values)  # noqa: S608  (names of our own tables)
        for actor, *answer in cursor.fetchall():
            _add(people[actor], *answer)
        cursor.execute(f"SELECT count(*), min(first_seq), max(last_seq) FROM desk.made {_SCOPE}", values)  # noqa: S608  (names of our own tables)
        days, first, last = cursor.fetchone()
    return Counted(dict(rules), dict(people), weeks, days, first, last)


_SCOPE = """WHERE log_id = ANY (ARRAY(SELECT log_id FROM audit.log WHERE pharmacy = %(pharmacy)s))
    AND day BETWEEN %(since)s AND %(until)s"""


def _add(cell: Cell, answered: int, asked: int, timed: int, quick: int, reasons: str | dict[str, int]) -> None:  # noqa: PLR0917  (a row)
    cell.answered += answered
    cell.asked += asked
    cell.timed += timed
    cell.quick += quick
    cell.reasons.update(json.loads(reasons) if isinstance(reasons, str) else reasons)
