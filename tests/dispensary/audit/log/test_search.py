"""Search: every documented filter finds what it says, by an index, page by page, and only in one's own pharmacies."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction

from dispensary import audit
from dispensary.audit.log import search as searching
from dispensary.audit.log.search import Filters
from dispensary.errors import InvalidInput
from dispensary.models import AuditEntry, Pharmacy
from tests.dispensary.audit.many import Many, executed, fill, read_rows, written_tables
from tests.site import Database

FIXTURE_ENTRIES = 60_000


@pytest.fixture(scope="module")
def many(django_db_setup: None, database: Database) -> Many:
    with database.connect("superuser") as admin:
        return fill(admin, entries=FIXTURE_ENTRIES)


@pytest.fixture
def some(many: Many, transactional_db: None) -> AuditEntry:
    """An override in the middle of the first pharmacy's log."""
    overrides = AuditEntry.objects.filter(pharmacy=many.pharmacy, action="override.signed").order_by("recorded_at")
    return overrides[overrides.count() // 2]


def asked(some: AuditEntry) -> dict[str, Filters]:
    """Each documented filter, with values that exist."""
    around = {"since": some.recorded_at - dt.timedelta(days=15), "until": some.recorded_at + dt.timedelta(days=15)}
    return {
        "newest": Filters(),
        "time": Filters(since=some.recorded_at - dt.timedelta(hours=1), until=some.recorded_at + dt.timedelta(hours=1)),
        "action in a day": Filters(
            actions=("override.signed",),
            since=some.recorded_at - dt.timedelta(hours=12),
            until=some.recorded_at + dt.timedelta(hours=12),
        ),
        "action": Filters(actions=("override.signed", "override.withdrawn")),
        "actor in 30 days": Filters(actor=some.actor, **around),
        "patient": Filters(patient=some.patient_ref),
        "subject": Filters(subject_type=some.subject_type, subject_id=some.subject_id),
        "drug in 30 days": Filters(drug=some.drug_code, **around),
        "rule": Filters(rule=some.rule_codes[1]),
        "request": Filters(request_id=some.request_id),
        "outcome in a month": Filters(outcome="refused", **around),
        "words": Filters(text="prescriber telephone", actions=("override.signed",), **around),
    }


NAMES = [
    "newest", "time", "action in a day", "action", "actor in 30 days", "patient", "subject", "drug in 30 days", "rule",
    "request", "outcome in a month", "words",
]  # fmt: skip


def matches(entry: AuditEntry, filters: Filters) -> bool:
    """Return whether an entry matches the filters, by Python's reading of them."""
    expected = {
        "outcome": filters.outcome, "actor": filters.actor, "patient_ref": filters.patient, "drug_code": filters.drug,
        "subject_type": filters.subject_type, "subject_id": filters.subject_id, "request_id": filters.request_id,
    }  # fmt: skip
    return (
        all(getattr(entry, name) == value for name, value in expected.items() if value)
        and (not filters.actions or entry.action in filters.actions)
        and (not filters.rule or filters.rule in (entry.rule_codes or []))
        and (filters.since is None or entry.recorded_at >= filters.since)
        and (filters.until is None or entry.recorded_at < filters.until)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_no_documented_filter_reads_a_table_from_end_to_end(many, some, name):
    filters = asked(some)[name]
    for pharmacies in ([many.pharmacy], many.pharmacies[:3]):
        plan = searching.explain(pharmacies, filters)
        scanned = set(re.findall(r"Seq Scan on (\w+)", executed(plan)))
        assert not scanned & written_tables(many), plan
        assert read_rows(plan) < FIXTURE_ENTRIES // 20, plan


@pytest.mark.slow
@pytest.mark.parametrize(
    "narrowing",
    [{"states": ("withdrawn",)}, {"unseconded": ("daily-maximum",)}, {"under_seconds": 3}],
    ids=lambda n: next(iter(n)),
)
def test_what_narrows_answers_reads_their_rows_and_bodies_by_key(many, some, narrowing):
    filters = replace(asked(some)["words"], text="", **narrowing)
    plan = searching.explain([many.pharmacy], filters)
    scanned = set(re.findall(r"Seq Scan on (\w+)", executed(plan)))
    assert not scanned & written_tables(many), plan
    assert read_rows(plan) < FIXTURE_ENTRIES // 10, plan


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_filter_finds_exactly_what_it_says(many, some, name):
    filters = asked(some)[name]
    entries = AuditEntry.objects.filter(pharmacy=many.pharmacy).order_by("-recorded_at", "-entry_id")
    expected = [entry.entry_id for entry in entries if matches(entry, filters)]
    if filters.text:
        with audit.reading(many.pharmacy):
            audit_lines = audit.lines(AuditEntry.objects.filter(entry_id__in=expected), many.pharmacy)
        hits = {
            line.entry.entry_id for line in audit_lines if all(word in str(line.body) for word in filters.text.split())
        }
        expected = [entry_id for entry_id in expected if entry_id in hits]
        assert 0 < len(expected) < len(audit_lines)
    hit_ids, cursor = [], ""
    while True:
        page = searching.search([many.pharmacy], filters, cursor=cursor, limit=200)
        hit_ids += [entry.entry_id for entry in page.entries]
        cursor = page.next
        if not cursor:
            break
    assert hit_ids == expected
    assert some.entry_id in hit_ids or name in {"newest", "outcome in a month", "words"}
    counted = searching.count([many.pharmacy], filters)
    assert (counted.value, counted.capped) == (len(expected), False)


@pytest.mark.slow
def test_several_pharmacies_are_one_order(many, some):
    page = searching.search(many.pharmacies[:3], Filters(), limit=100)
    keys = [(entry.recorded_at, entry.entry_id) for entry in page.entries]
    assert keys == sorted(keys, reverse=True)
    assert {entry.pharmacy for entry in page.entries} == set(many.pharmacies[:3])


@pytest.mark.slow
def test_nothing_is_found_without_a_pharmacy_or_in_another(many, some):
    assert searching.search([], Filters()).entries == []
    assert searching.count([], Filters()).value == 0
    assert searching.search([many.pharmacies[1]], Filters(patient=some.patient_ref)).entries == []
    assert searching.find([many.pharmacies[1]], some.entry_id) is None
    assert searching.find([many.pharmacy], some.entry_id) == some


@pytest.mark.slow
def test_words_are_not_found_in_another_pharmacy(many, some):
    filters = asked(some)["words"]
    assert searching.search([many.pharmacy], filters).entries
    other = searching.search([uuid.uuid4()], filters)
    assert other.entries == []


@pytest.mark.parametrize("text", ["100% sure", "under_score", "back\\slash"])
def test_words_are_taken_literally(committed_pharmacy: Pharmacy, write: Callable[..., UUID], text: str):
    write(committed_pharmacy, body={"reason": "100 per cent sure, underXscore, backslash"})
    hit = write(committed_pharmacy, body={"reason": text.replace("\\", "/")} if "\\" in text else {"reason": text})
    now = dt.datetime.now(dt.UTC)
    filters = Filters(text=text, since=now - dt.timedelta(days=1), until=now + dt.timedelta(days=1))
    hit_ids = [entry.entry_id for entry in searching.search([committed_pharmacy.pk], filters).entries]
    assert hit_ids == ([] if "\\" in text else [hit])


def test_pages_are_stable_while_entries_are_written(committed_pharmacy: Pharmacy, write: Callable[..., UUID]):
    before = [write(committed_pharmacy) for _ in range(25)]
    hit_ids, cursor = [], ""
    while True:
        page = searching.search([committed_pharmacy.pk], Filters(), cursor=cursor, limit=4)
        hit_ids += [entry.entry_id for entry in page.entries]
        write(committed_pharmacy)
        if not (cursor := page.next):
            break
    assert hit_ids == before[::-1]


def test_entries_of_one_moment_are_all_shown(committed_pharmacy: Pharmacy, database: Database):
    with database.connect("superuser") as admin:
        made = fill(admin, entries=9, pharmacies=1, months=1, at_once=True)
    hits, cursor = [], ""
    while True:
        page = searching.search([made.pharmacy], Filters(), cursor=cursor, limit=2)
        hits += page.entries
        if not (cursor := page.next):
            break
    assert len({entry.entry_id for entry in hits}) == len(hits) == 9
    assert len({entry.recorded_at for entry in hits}) == 1


@pytest.mark.slow
def test_a_count_stops_at_ten_thousand(many, some, monkeypatch):
    monkeypatch.setattr(searching, "COUNT_CAP", 1000)
    assert searching.count([many.pharmacy], Filters()) == searching.Count(1000, True)
    assert searching.count(many.pharmacies, Filters()) == searching.Count(1000, True)


NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        (Filters(since=dt.datetime(2026, 1, 1)), "since"),
        (Filters(since=NOW, until=NOW), "until"),
        (Filters(actions=("no.such",)), "action"),
        (Filters(outcome="maybe"), "outcome"),
        (Filters(subject_id="x"), "subject_type"),
        (Filters(actor="a\x00b"), ""),
        (Filters(text="words"), "text"),
        (Filters(text="words", since=NOW - dt.timedelta(days=93), until=NOW), "text"),
        (Filters(text="ab", since=NOW - dt.timedelta(days=1), until=NOW), "text"),
        (Filters(text="one two three four five six", since=NOW - dt.timedelta(days=1), until=NOW), "text"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_the_field(filters, field):
    with pytest.raises(InvalidInput) as refused:
        filters.checked()
    assert field in [problem.field for problem in refused.value.problems]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "é", "MjAyNi0xMS0yMiB4", "=" * 9])
def test_a_made_up_cursor_is_refused(db, cursor):
    with pytest.raises(InvalidInput, match="cursor"):
        searching.search([uuid.uuid4()], Filters(), cursor=cursor)


@pytest.mark.parametrize("limit", [0, 201, -1])
def test_a_page_has_1_to_200_entries(db, limit):
    with pytest.raises(InvalidInput, match="too large"):
        searching.search([uuid.uuid4()], Filters(), limit=limit)


@pytest.mark.slow
def test_a_search_that_takes_too_long_says_what_to_narrow(many, some, monkeypatch):
    monkeypatch.setattr(searching, "STATEMENT_SECONDS", 0.001)
    filters = replace(asked(some)["words"], actions=())
    with pytest.raises(InvalidInput, match="longer than"):
        searching.search(many.pharmacies, filters)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout')")
        assert cursor.fetchone() == ("0",)


def test_what_was_asked_is_told_for_the_record():
    filters = Filters(since=NOW, actions=("dispense.completed",), text="words of theirs")
    event_body: dict[str, Any] = filters.as_body()
    assert event_body == {"since": NOW, "actions": ("dispense.completed",), "text": "words of theirs"}
