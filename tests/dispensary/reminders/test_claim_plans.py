"""PostgreSQL's plans of the statements of the claim among many rows: traps that once cost ten and twenty times their time."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection

from dispensary.models import Reminder, ReminderState
from dispensary.reminders import queue
from tests.conftest import truncate_tables
from tests.dispensary.reminders import making
from tests.dispensary.reminders.test_ledger_plans import LEDGER_ROWS

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
TIES = 100_000
OTHERS = 20_000


@pytest.fixture(scope="module", autouse=True)
def crowd(django_db_setup, django_db_blocker, database):
    """Many due at one instant, many in the future, many done, sent; analysed while nothing is leased. Made once for all tests."""
    with django_db_blocker.unblock():
        person = making.patient()
        making.dispense(making.prescription(person))
        plan = making.follow(person)
        plan.reminders.all().delete()
    fill = """
        INSERT INTO dispensary_reminder (public_id, plan_id, pharmacy_id, patient_id, kind, occurrence, local_date,
               local_time, tz_name, tzdb_version, due_at, useful_until, despite_quiet, params, state, round, attempts,
               lost_workers, last_error, lease_owner)
        SELECT gen_random_uuid(), %s, %s, %s, 'run_out', name, date '2020-01-01' + n, '10:00', 'UTC', 't', due, '2030-01-01', false,
               '{}', state, 1, 0, 0, '', ''
          FROM (SELECT 'd' || n AS name, n, timestamptz '2026-01-01 10:00Z' AS due, 0 AS state FROM generate_series(1, %s) n
                UNION ALL SELECT 'f' || n, 200000 + n, timestamptz '2029-01-01' + n * interval '1 min', 0 FROM generate_series(1, %s) n
                UNION ALL SELECT 's' || n, 300000 + n, timestamptz '2025-01-01' + n * interval '1 min', 3 FROM generate_series(1, %s) n) x
    """
    with database.connect("superuser" if database.split else "owner") as owner:
        owner.execute(fill, [plan.pk, person.pharmacy_id, person.pk, TIES, OTHERS, OTHERS])
        owner.execute(LEDGER_ROWS)
        owner.execute("ANALYZE dispensary_reminder, dispensary_delivery")
    yield
    with django_db_blocker.unblock():
        truncate_tables()


def plan_of(statement, parameters):
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + statement, parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_the_claim_walks_its_index_and_sorts_no_ties():
    plan = plan_of(queue.SQL["claim_due"], [uuid.uuid4(), "w", timedelta(seconds=60), 200])
    assert "reminder_due" in plan and "Sort" not in plan, plan


def test_a_claim_of_fifty_touches_about_fifty_rows():
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) " + queue.SQL["claim_due"], [uuid.uuid4(), "w", timedelta(seconds=60), 50]
        )
        plan_text = str(cursor.fetchone()[0])
    assert "'Actual Rows': 50" in plan_text.replace("50.0", "50") and str(TIES) not in plan_text


def test_marking_finds_its_row_by_its_key_whatever_the_lease_index_promises():
    plan = plan_of(
        queue.SQL["move_reminder"], [ReminderState.SENT, "", None, Reminder.objects.first().pk, uuid.uuid4()]
    )
    assert "dispensary_reminder_pkey" in plan and "reminder_held" not in plan, plan


def test_handing_over_finds_its_rows_by_their_keys():
    names = {
        "token": uuid.uuid4(), "answered": "", "previous_delivery": 1, "next": 2, "medium": "email",
        "channel": "sink", "key": uuid.uuid4(), "contact": None, "digest": "", "language": "en", "words": "",
        "detailed": False, "segments": 0, "send_timeout": 13.0,
    }  # fmt: skip
    plan = plan_of(queue.SQL["hand_over"], names)
    assert plan.count("dispensary_reminder_pkey") == 1 and "reminder_held" not in plan and "Seq Scan" not in plan, plan
