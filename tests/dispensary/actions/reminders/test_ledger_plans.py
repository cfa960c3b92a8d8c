"""What PostgreSQL makes of the statements: three traps that cost eight, ten and twenty times their time once."""

import json
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection

from dispensary.actions.reminders import ledger
from dispensary.models import Reminder, ReminderState
from tests.dispensary.actions.reminders import making
from tests.dispensary.faults.house import House

pytestmark = pytest.mark.django_db(transaction=True)
TIES = 100_000
OTHERS = 20_000
SENT = 1000


@pytest.fixture
def crowd(database):
    """Many due at one instant, many in the future, many done; analysed while nothing is leased."""
    person = making.patient()
    dispense = making.dispense(making.prescription(person))
    from dispensary.actions import reminders

    plan = reminders.plan_after_dispense(dispense=dispense, by=making.pharmacist(person.pharmacy), now=making.NOON)
    plan.reminders.all().delete()
    fill = """
        INSERT INTO dispensary_reminder (public_id, plan_id, pharmacy_id, patient_id, kind, occurrence, local_date,
               local_time, tz_name, tzdb_version, due_at, useful_until, despite_quiet, params, state, round, attempts,
               lost_workers, last_error, lease_owner)
        SELECT gen_random_uuid(), %s, %s, %s, 'run_out', n, '2026-01-01', '10:00', 'UTC', 't', due, '2030-01-01', false,
               '{}', state, 1, 0, 0, '', ''
          FROM (SELECT 'd' || n AS n, timestamptz '2026-01-01 10:00Z' AS due, 0 AS state FROM generate_series(1, %s) n
                UNION ALL SELECT 'f' || n, timestamptz '2029-01-01' + n * interval '1 min', 0 FROM generate_series(1, %s) n
                UNION ALL SELECT 's' || n, timestamptz '2025-01-01' + n * interval '1 min', 3 FROM generate_series(1, %s) n) x
    """
    with database.connect("superuser" if database.split else "owner") as owner:
        owner.execute(fill, [plan.pk, person.pharmacy_id, person.pk, TIES, OTHERS, OTHERS])
        owner.execute("ANALYZE dispensary_reminder")
    return plan


def plan_of(statement, parameters):
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + statement, parameters)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_the_claim_walks_its_index_and_sorts_no_ties(crowd):
    plan = plan_of(ledger.CLAIM, [uuid.uuid4(), "w", timedelta(seconds=60), 200])
    assert "reminder_due" in plan and "Sort" not in plan, plan


def test_a_claim_of_fifty_touches_about_fifty_rows(crowd):
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + ledger.CLAIM, [uuid.uuid4(), "w", timedelta(seconds=60), 50])
        told = str(cursor.fetchone()[0])
    assert "'Actual Rows': 50" in told.replace("50.0", "50") and str(TIES) not in told


def test_marking_finds_its_row_by_its_key_whatever_the_lease_index_promises(crowd):
    plan = plan_of(ledger.MARK, [ReminderState.SENT, "", None, Reminder.objects.first().pk, uuid.uuid4()])
    assert "dispensary_reminder_pkey" in plan and "reminder_held" not in plan, plan


_LEDGER_ROWS = """
    INSERT INTO dispensary_delivery (reminder_id, medium, channel, attempt, round, key, address_digest,
           provider_message_id, outcome, error, language, words_version, detailed, segments, started_at)
    SELECT id, 'email', 'sink', 1, 1, gen_random_uuid(), '', '', 20, '', 'en', '', false, 0, now()
      FROM dispensary_reminder WHERE state = 3"""


def test_handing_over_finds_its_rows_by_their_keys(crowd, database):
    with database.connect("superuser" if database.split else "owner") as owner:
        owner.execute(_LEDGER_ROWS)
        owner.execute("ANALYZE dispensary_delivery")
    names = {
        "token": uuid.uuid4(), "answered": "", "previous_delivery": 1, "next": 2, "medium": "email",
        "channel": "sink", "key": uuid.uuid4(), "contact": None, "digest": "", "language": "en", "words": "",
        "detailed": False, "segments": 0, "send_timeout": 13.0,
    }  # fmt: skip
    plan = plan_of(ledger.HAND_OVER, names)
    assert plan.count("dispensary_reminder_pkey") == 1 and "reminder_held" not in plan and "Seq Scan" not in plan, plan


def test_writing_a_batch_reads_only_its_own_patients_ledger_however_much_has_been_sent(database):
    """With the statistics of a ledger never counted yet the planner once walked all of it, for every row of a batch."""
    house = House(None, None, Path())
    house.owe(SENT, kind="refill_due", pharmacies=1)
    Reminder.objects.update(state=ReminderState.SENT)
    house.owe(1, kind="refill_due", pharmacies=1)
    nudge, token = Reminder.objects.get(state=ReminderState.SCHEDULED), uuid.uuid4()
    until = nudge.useful_until
    Reminder.objects.filter(pk=nudge.pk).update(state=ReminderState.LEASED, lease_token=token, lease_until=until)
    with database.connect("superuser" if database.split else "owner") as owner:
        owner.execute(_LEDGER_ROWS)
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + ledger.BATCH, [["email"], [nudge.pk], token])
        told = cursor.fetchone()[0]
    told = json.loads(told) if isinstance(told, str) else told
    assert told[0]["Plan"]["Shared Hit Blocks"] + told[0]["Plan"]["Shared Read Blocks"] < 100, json.dumps(told)


@pytest.mark.parametrize("name", ["CLAIM", "HAND_OVER", "MARK", "RELEASE", "RECLAIM_UNSENT", "BATCH", "IN_DOUBT"])
def test_no_statement_asks_another_clock_than_the_databases(name):
    statement = getattr(ledger, name)
    assert "%(now)" not in statement


def test_no_clock_of_the_process_decides_about_a_lease():
    """What a worker's own clock says must not matter; only durations are measured with it, and those monotonic."""
    folder = Path(ledger.__file__).parent
    for file in folder.glob("*.py"):
        text = file.read_text()
        assert "timezone.now" not in text and "datetime.now" not in text and "time.time(" not in text, file
