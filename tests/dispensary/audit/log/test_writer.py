"""Writing to the log: in the action's own transaction, by somebody, about something."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from dispensary import audit
from dispensary.actors import Actor, Role
from dispensary.audit.log.canonical import NotCanonical
from dispensary.errors import NotAllowed
from dispensary.models import AuditBody, AuditEntry, AuditLog, Pharmacy
from tests.dispensary.audit.linking import flush_links
from tests.examples import examples


def record(pharmacy: Pharmacy, by: Actor, now: dt.datetime, **more: object) -> UUID:
    fields = {"subject": pharmacy, "body": {"quantity": Decimal("84")}, **more}
    return audit.record(audit.Event.DISPENSED, pharmacy=pharmacy, by=by, now=now, **fields)


def test_an_entry_outside_of_a_transaction_is_refused(committed_pharmacy: Pharmacy, now: dt.datetime) -> None:
    by = Actor.system("test", committed_pharmacy.pk)
    with pytest.raises(audit.AuditMisuse, match="atomic"):
        record(committed_pharmacy, by, now)


def test_a_rolled_back_transaction_leaves_neither_entry_nor_link(
    committed_pharmacy: Pharmacy, now: dt.datetime, write: Callable[..., UUID]
) -> None:
    by = Actor.system("test", committed_pharmacy.pk)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        record(committed_pharmacy, by, now)
        raise ZeroDivisionError
    assert not AuditEntry.objects.filter(pharmacy=committed_pharmacy.pk).exists()
    assert audit.receipt(write(committed_pharmacy)).seq == 1


def test_a_rolled_back_savepoint_leaves_nothing_and_the_rest_is_linked(
    committed_pharmacy: Pharmacy, now: dt.datetime
) -> None:
    by = Actor.system("test", committed_pharmacy.pk)
    with transaction.atomic():
        first_entry = record(committed_pharmacy, by, now)
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            record(committed_pharmacy, by, now)
            raise ZeroDivisionError
        last = record(committed_pharmacy, by, now)
    assert [audit.receipt(first_entry).seq, audit.receipt(last).seq] == [1, 2]
    assert AuditEntry.objects.filter(pharmacy=committed_pharmacy.pk).count() == 2


def test_a_field_that_no_entry_has_is_refused(pharmacy: Pharmacy, by: Actor, now: dt.datetime) -> None:
    needed = {"pharmacy": pharmacy, "by": by, "now": now, "subject": pharmacy, "body": {}}
    with pytest.raises(audit.AuditMisuse, match="patien"):
        audit.record(audit.Event.DISPENSED, **needed, patien="P1")
    del needed["now"]
    with pytest.raises(audit.AuditMisuse, match="now"):
        audit.record(audit.Event.DISPENSED, **needed)


def several(pharmacy: Pharmacy, now: dt.datetime, *kinds: str) -> list[audit.Prepared]:
    by = Actor.system("test", pharmacy.pk)
    about = [audit.Subject(kind, "1") for kind in kinds]
    return [
        audit.prepare(audit.Event.DISPENSED, pharmacy=pharmacy, by=by, now=now, subject=subject, body={})
        for subject in about
    ]


def test_several_entries_in_one_round_trip_are_linked_in_their_order(
    committed_pharmacy: Pharmacy, now: dt.datetime
) -> None:
    with transaction.atomic():
        audit.record_all(several(committed_pharmacy, now, "one", "two", "three"))
    lines = AuditEntry.objects.filter(pharmacy=committed_pharmacy.pk).order_by("seq")
    assert list(lines.values_list("seq", "subject_type")) == [(1, "one"), (2, "two"), (3, "three")]


@given(
    words=st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=40),
    codes=st.lists(st.text('abcäß,{}"\\\\ ', min_size=1, max_size=8), max_size=3),
    moment=st.datetimes(dt.datetime(1900, 1, 2), dt.datetime(9998, 1, 1), timezones=st.just(dt.UTC)),
)
@examples(30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_of_several_is_written_as_it_would_be_alone(
    pharmacy: Pharmacy, words: str, codes: list[str], moment: dt.datetime
) -> None:
    by = Actor("user:1", words or "A", Role.PHARMACIST, pharmacy.pk, station=words)
    about = {
        "pharmacy": pharmacy, "by": by, "now": moment, "subject": audit.Subject("test", words or "-"), "reason_code": words,
        "patient": words, "drug_code": words, "rule_codes": codes, "ruleset": "sha256:" + "0a" * 32, "engine": words,
        "second_actor": words, "corrects": 7, "body": {"words": words, "dose": Decimal("2.50"), "list": [words, True, 7]},
    }  # fmt: skip
    alone = audit.record(audit.Event.DISPENSED, **about)
    audit.record_all([audit.prepare(audit.Event.DISPENSED, **about)])
    mine = AuditEntry.objects.filter(pharmacy=pharmacy.pk)
    other = mine.exclude(pk=alone).order_by("-recorded_at").values().first()
    assert other is not None
    columns = mine.filter(pk=alone).values().get()
    own = {"entry_id", "recorded_at", "body_commit", "seq", "leaf"}
    assert {key: value for key, value in other.items() if key not in own} == {
        key: value for key, value in columns.items() if key not in own
    }
    with audit.reading(pharmacy):
        bodies = dict(AuditBody.objects.filter(pk__in=[alone, other["entry_id"]]).values_list("pk", "body"))
    assert bodies[alone] == bodies[other["entry_id"]]


def test_several_entries_leave_all_or_none(committed_pharmacy: Pharmacy, now: dt.datetime) -> None:
    entries = several(committed_pharmacy, now, "one", "two", "")
    with pytest.raises(IntegrityError, match="subject_type"), transaction.atomic():
        audit.record_all(entries)
    assert not AuditEntry.objects.filter(pharmacy=committed_pharmacy.pk).exists()


def test_several_entries_outside_of_a_transaction_are_refused(committed_pharmacy: Pharmacy, now: dt.datetime) -> None:
    with pytest.raises(audit.AuditMisuse, match="atomic"):
        audit.record_all(several(committed_pharmacy, now, "one"))


def test_no_entries_are_no_statement(pharmacy: Pharmacy) -> None:
    with CaptureQueriesContext(connection) as queries:
        audit.record_all([])
    assert not queries.captured_queries


def test_number_and_leaf_are_known_after_commit_and_not_before(committed_pharmacy: Pharmacy, now: dt.datetime) -> None:
    with transaction.atomic():
        entry = record(committed_pharmacy, Actor.system("test", committed_pharmacy.pk), now)
        with pytest.raises(audit.NotLinked):
            audit.receipt(entry)
    receipt = audit.receipt(entry)
    assert receipt.seq == 1
    assert str(receipt) == f"1 · {receipt.leaf.hex()[:16]}"


def test_a_test_that_never_commits_can_link(pharmacy: Pharmacy, by: Actor, now: dt.datetime) -> None:
    entry = record(pharmacy, by, now)
    flush_links()
    assert audit.receipt(entry).seq == 1


def test_what_the_database_knows_better_it_fills_in(pharmacy: Pharmacy, by: Actor, now: dt.datetime) -> None:
    record(pharmacy, by, now)
    row = AuditEntry.objects.get(pharmacy=pharmacy.pk)
    assert row.db_role == connection.settings_dict["USER"]
    assert row.txid > 0
    assert row.occurred_at == now
    assert abs(row.recorded_at - dt.datetime.now(dt.UTC)) < dt.timedelta(seconds=30)


@pytest.mark.parametrize("value", [0.5, {"dose": 2.5}, [1.0], Decimal("NaN"), "\x00", "\ud800", 2**53, object()])
def test_a_value_without_a_single_spelling_is_refused(
    pharmacy: Pharmacy, by: Actor, now: dt.datetime, value: object
) -> None:
    with pytest.raises(NotCanonical):
        record(pharmacy, by, now, body={"value": value})


def test_an_empty_actor_is_refused_by_the_database_as_well(pharmacy: Pharmacy, now: dt.datetime) -> None:
    with pytest.raises(ValueError, match="name"):
        Actor("  ", "", Role.SYSTEM, pharmacy.pk)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT audit.append(%s, 'o', 'a', 'success', '  ', 'system', now(), 'x', '1', '{}')", [pharmacy.pk]
        )


def test_a_body_that_is_no_json_object_is_refused(pharmacy: Pharmacy) -> None:
    for body in ("", "[]", '"text"', "{", "1"):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT audit.append(%s, 'o', 'a', 'success', 'x', 'system', now(), 'x', '1', %s)", [pharmacy.pk, body]
            )


APPENDED = {
    "p_origin": "o", "p_action": "a", "p_outcome": "success", "p_actor": "x", "p_actor_role": "system",
    "p_occurred_at": dt.datetime(2026, 11, 22, tzinfo=dt.UTC), "p_subject_type": "x", "p_subject_id": "1", "p_body": "{}",
}  # fmt: skip
LIMIT = 8192 - len("a" + "x" + "system" + "x" + "1")
"""Bytes that the texts of a header may have together, less those of `APPENDED`."""


def append(pharmacy: Pharmacy, **fields: object) -> None:
    """Past the writer, as somebody with the application's SQL access would."""
    arguments = {"p_pharmacy": pharmacy.pk, **APPENDED, **fields}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"SELECT audit.append({', '.join(f'{name} => %s' for name in arguments)})", list(arguments.values())
        )


@pytest.mark.parametrize(
    ("column", "wrong", "right"),
    [
        ("outcome", "", "refused"),
        ("outcome", "maybe", "failure"),
        ("action", "", "a"),
        ("actor", "", "x"),
        ("actor", " ", " x"),
        ("actor_role", "", "r"),
        ("subject_type", "", "s"),
        ("subject_id", "", "1"),
        ("occurred_at", "1899-12-31 23:59:59.999999Z", "1900-01-01 00:00:00Z"),
        ("occurred_at", "9999-01-01 00:00:00Z", "9998-12-31 23:59:59.999999Z"),
        ("ruleset", bytes(31), bytes(32)),
        ("ruleset", bytes(33), None),
        ("corrects_seq", 0, 1),
    ],
)
def test_the_database_takes_only_what_a_header_can_hold_and_names_the_column(
    pharmacy: Pharmacy, column: str, wrong: object, right: object
) -> None:
    with pytest.raises(IntegrityError, match=f"entry's {column} ") as refused:
        append(pharmacy, **{f"p_{column}": wrong})
    assert refused.value.__cause__.diag.column_name == column
    append(pharmacy, **{f"p_{column}": right})


@pytest.mark.parametrize(
    "column", ["outcome", "action", "actor", "actor_role", "subject_type", "subject_id", "occurred_at"]
)
def test_what_every_entry_has_cannot_be_unknown(pharmacy: Pharmacy, column: str) -> None:
    with pytest.raises(DatabaseError):
        append(pharmacy, **{f"p_{column}": None})


def test_a_header_and_a_body_have_a_greatest_length(pharmacy: Pharmacy) -> None:
    append(pharmacy, p_engine="e" * LIMIT)
    with pytest.raises(DatabaseError, match="header is too long"):
        append(pharmacy, p_engine="e" * (LIMIT + 1))
    append(pharmacy, p_body='{"a":"' + "x" * (2**20 - 8) + '"}')
    with pytest.raises(DatabaseError, match="the body is 1048577 bytes"):
        append(pharmacy, p_body='{"a":"' + "x" * (2**20 - 7) + '"}')


def test_a_time_without_zone_is_refused(pharmacy: Pharmacy, by: Actor) -> None:
    with pytest.raises(audit.AuditMisuse, match="zone"):
        record(pharmacy, by, dt.datetime(2026, 11, 22))


def test_the_key_by_in_the_body_belongs_to_the_writer(pharmacy: Pharmacy, by: Actor, now: dt.datetime) -> None:
    with pytest.raises(audit.AuditMisuse, match="'by'"):
        record(pharmacy, by, now, body={"by": "somebody else"})


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_another_isolation_level_is_refused_loudly(committed_pharmacy: Pharmacy, now: dt.datetime, level: str) -> None:
    with pytest.raises(DatabaseError, match="READ COMMITTED"), transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        record(committed_pharmacy, Actor.system("test", committed_pharmacy.pk), now)


def test_each_pharmacy_has_one_log_with_its_own_numbers(
    transactional_db: None, now: dt.datetime, write: Callable[..., UUID]
) -> None:
    first, second = (Pharmacy.objects.create(name=name, opened_at=now) for name in ("One", "Two"))
    numbers = [audit.receipt(write(pharmacy)).seq for pharmacy in (first, second, first, second)]
    assert numbers == [1, 1, 2, 2]
    assert AuditLog.objects.get(pharmacy=first.pk).origin == f"dispensary.example/{first.pk}"


def test_what_belongs_to_no_pharmacy_goes_into_the_log_of_the_site(transactional_db: None, now: dt.datetime) -> None:
    with transaction.atomic():
        audit.record(
            audit.Event.SIGN_IN_REFUSED,
            pharmacy=audit.SITE,
            by=Actor("anonymous", "", Role.SYSTEM, audit.SITE),
            now=now,
            subject=audit.Subject("account", "nobody"),
            outcome=audit.Outcome.REFUSED,
            body={},
        )
    assert AuditLog.objects.get(pharmacy=audit.SITE).origin == "dispensary.example/site"


def test_a_history_tells_what_happened_newest_first(pharmacy: Pharmacy, by: Actor, now: dt.datetime) -> None:
    record(pharmacy, by, now, patient="8f14e45f-ceea-467f-a0e6-d8a3c1a1b2c3")
    audit.record(audit.Event.DISPENSE_RETURNED, pharmacy=pharmacy, by=by, now=now, subject=pharmacy, body={})
    history_lines = audit.history(pharmacy, pharmacy=pharmacy)
    short = str(pharmacy.pk)[-8:]
    assert [line.sentence for line in history_lines] == [
        f"Ann Apothecary took back pharmacy {short} of a patient.",
        f"Ann Apothecary handed over pharmacy {short} to patient c1a1b2c3.",
    ]
    assert history_lines[1].body == {"quantity": "84", "by": "Ann Apothecary"}


def test_bodies_are_seen_only_for_the_pharmacy_that_is_being_read(
    pharmacy: Pharmacy, by: Actor, now: dt.datetime
) -> None:
    entry = record(pharmacy, by, now)
    other = Pharmacy.objects.create(name="Other", opened_at=now)
    assert not AuditBody.objects.filter(entry_id=entry).exists()
    with audit.reading(other):
        assert not AuditBody.objects.filter(entry_id=entry).exists()
    with audit.reading(pharmacy):
        assert AuditBody.objects.filter(entry_id=entry).exists()
    assert not AuditBody.objects.filter(entry_id=entry).exists()
    assert audit.history(pharmacy, pharmacy=other) == []


def test_the_windows_on_the_log_refuse_to_write(pharmacy: Pharmacy, by: Actor, now: dt.datetime) -> None:
    record(pharmacy, by, now)
    row = AuditEntry.objects.get(pharmacy=pharmacy.pk)
    for attempt in (
        row.save,
        row.delete,
        AuditEntry.objects.all().delete,
        lambda: AuditEntry.objects.update(actor="x"),
        AuditEntry.objects.create,
        lambda: AuditEntry.objects.bulk_create([row]),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_every_event_has_a_sentence_that_reads(pharmacy: Pharmacy, by: Actor, now: dt.datetime) -> None:
    record(pharmacy, by, now)
    row = AuditEntry.objects.get(pharmacy=pharmacy.pk)
    for event in audit.Event:
        row.action = event.value
        sentence_text = audit.sentence(row)
        assert sentence_text.endswith(".")
        assert "{" not in sentence_text
        assert "  " not in sentence_text


def test_an_action_of_a_newer_version_is_still_told(pharmacy: Pharmacy, by: Actor, now: dt.datetime) -> None:
    record(pharmacy, by, now)
    row = AuditEntry.objects.get(pharmacy=pharmacy.pk)
    row.action = "future.event"
    assert audit.sentence(row) == f"user:1: future.event on pharmacy {str(pharmacy.pk)[-8:]}."
