"""Every documented filter of the search on a log of some size: its time, and that of reading without an index."""

from __future__ import annotations

import datetime as dt
import statistics

from django.db import connection, transaction

from dispensary import audit
from dispensary.audit.log import search as searching
from dispensary.audit.log.search import Filters, Place
from dispensary.models import AuditEntry
from tests.benchmarks.audit_bars import Bar, at_least, at_most, cpu_of_backend
from tests.dispensary.audit.many import Many, fill
from tests.site import Database

TIMES = 9
"""Moments in the history, evenly spread, whose overrides give the values to look for."""


def filters_of(many: Many, part: int) -> dict[str, Filters]:
    """The documented filters, with values that exist around a moment in the history."""
    overrides = AuditEntry.objects.filter(pharmacy=many.pharmacy, action="override.signed").order_by("recorded_at")
    some = overrides[overrides.count() * part // (TIMES + 1)]
    month = {"since": some.recorded_at - dt.timedelta(days=15), "until": some.recorded_at + dt.timedelta(days=15)}
    day = {"since": some.recorded_at - dt.timedelta(hours=12), "until": some.recorded_at + dt.timedelta(hours=12)}
    hour = {"since": some.recorded_at - dt.timedelta(minutes=30), "until": some.recorded_at + dt.timedelta(minutes=30)}
    return {
        "newest of a pharmacy": Filters(),
        "everything in an hour": Filters(**hour),
        "overrides of a day": Filters(actions=("override.signed",), **day),
        "one prescription": Filters(subject_type=some.subject_type, subject_id=some.subject_id),
        "one patient": Filters(patient=some.patient_ref),
        "actor, 30 days": Filters(actor=some.actor, **month),
        "drug, 30 days": Filters(drug=some.drug_code, **month),
        "rule overridden": Filters(rule=some.rule_codes[1]),
        "request": Filters(request_id=some.request_id),
        "words in overrides, 30 days": Filters(text="prescriber telephone", actions=("override.signed",), **month),
    }


def timed(many: Many, filters: Filters, cursor: str = "", repeat: int = 15) -> list[float]:
    """Milliseconds of the database's CPU for a page's statements, as the application sends them, planned every time."""
    place = Place.parse(cursor) if cursor else None
    logs = searching.logs_of([many.pharmacy])
    taken = []
    with audit.reading(many.pharmacy), connection.cursor() as handle:
        for _ in range(repeat):
            began, row_count = cpu_of_backend(), 0
            for narrowed in searching._split_windows(filters, place, logs, "default"):
                missing = searching.PAGE + 1 - row_count
                sql, parameters = searching._entries_sql(narrowed, place, logs, missing)
                handle.execute(searching._links_sql(sql, missing), parameters)
                row_count += len(handle.fetchall())
                if row_count > searching.PAGE:
                    break
            taken.append((cpu_of_backend() - began) / 1e6)
    return taken


def search(database: Database, entries: int) -> tuple[list[Bar], list[str]]:
    """Every documented filter on a log of so many entries, against the same question without an index."""
    with database.connect("superuser") as admin:
        many = fill(admin, entries=entries)
    asked = [filters_of(many, part) for part in range(1, TIMES + 1)]
    table = ["| filter | median | p95 | without index | times faster |", "|---|---|---|---|---|"]
    medians: dict[str, float] = {}
    slowest_95, gains = 0.0, {}
    for name in asked[0]:
        timed(many, asked[0][name], repeat=3)
        taken = sorted(seconds for statements in asked for seconds in timed(many, statements[name], repeat=5))
        medians[name], p95 = statistics.median(taken), taken[int(len(taken) * 0.95)]
        without = no_index(many, asked[TIMES // 2][name])
        gains[name] = without / medians[name]
        slowest_95 = max(slowest_95, p95)
        table.append(f"| {name} | {medians[name]:.2f} ms | {p95:.2f} ms | {without:,.0f} ms | {gains[name]:,.0f} |")
    text = medians.pop("words in overrides, 30 days")
    slow, small = max(medians, key=medians.__getitem__), min(gains, key=gains.__getitem__)
    depth = min(250_000, entries // 25)
    first = statistics.median(timed(many, Filters()))
    deep = statistics.median(timed(many, Filters(), at_depth(many, depth)))
    bars = [
        at_most(f"slowest documented filter ({slow}), median", 5, medians[slow], " ms"),
        at_most("slowest documented filter, p95", 25, slowest_95, " ms"),
        at_most("words in overrides, median", 100, text, " ms"),
        at_least(f"least gain over no index ({small}); meant for 6,000,000 entries", 100, gains[small], " times"),
        at_most(f"page at depth {depth:,} / first page", 5, deep / first),
        at_most("count, capped at 10,000", 25, counting(many), " ms"),
    ]
    return bars, table


def no_index(many: Many, filters: Filters) -> float:
    """The same page when no index may be used."""
    with transaction.atomic(), connection.cursor() as cursor:
        for name in ("enable_indexscan", "enable_indexonlyscan", "enable_bitmapscan"):
            cursor.execute(f"SET LOCAL {name} = off")
        cursor.execute("SET LOCAL statement_timeout = 0")
        return min(timed(many, filters, repeat=2))


def at_depth(many: Many, depth: int) -> str:
    """The cursor after so many entries."""
    entry = AuditEntry.objects.filter(log_id=searching.logs_of([many.pharmacy])[0]).order_by("-seq")[depth - 1]
    return str(Place(entry.recorded_at, entry.entry_id))


def counting(many: Many) -> float:
    taken = []
    for _ in range(5):
        began = cpu_of_backend()
        searching.count([many.pharmacy], Filters())
        taken.append((cpu_of_backend() - began) / 1e6)
    return statistics.median(taken)
