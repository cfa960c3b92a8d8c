"""PostgreSQL's plans of the statement that reads a batch, and the clock that the statements ask."""

import json
import uuid
from pathlib import Path

import pytest
from django.db import connection

from dispensary.models import Reminder, ReminderState
from dispensary.reminders import queue
from tests.conftest import truncate_tables
from tests.dispensary.faults.reminder_site import create_due

pytestmark = pytest.mark.django_db(transaction=True)
SENT = 1000


LEDGER_ROWS = """
    INSERT INTO dispensary_delivery (reminder_id, medium, channel, attempt, round, key, address_digest,
           provider_message_id, outcome, error, language, words_version, detailed, segments, started_at)
    SELECT id, 'email', 'sink', 1, 1, gen_random_uuid(), '', '', 20, '', 'en', '', false, 0, now()
      FROM dispensary_reminder WHERE state = 3"""


def list_plan_nodes(node: dict) -> list[dict]:
    """Every node of a plan that EXPLAIN gave as JSON, the given one first."""
    return [node, *(below for part in node.get("Plans", []) for below in list_plan_nodes(part))]


def test_writing_a_batch_reads_only_its_own_patients_ledger_however_much_has_been_sent(database):
    """With the statistics of a ledger never counted yet the planner once walked all of it, for every row of a batch."""
    truncate_tables()
    create_due(SENT, kind="refill_due", pharmacies=1)
    Reminder.objects.update(state=ReminderState.SENT)
    create_due(1, kind="refill_due", pharmacies=1)
    nudge, token = Reminder.objects.get(state=ReminderState.SCHEDULED), uuid.uuid4()
    until = nudge.useful_until
    Reminder.objects.filter(pk=nudge.pk).update(state=ReminderState.LEASED, lease_token=token, lease_until=until)
    with database.connect("superuser" if database.split else "owner") as owner:
        owner.execute(LEDGER_ROWS)
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + queue.SQL["read_batch"],
            {"media": ["email"], "ids": [nudge.pk], "token": token},
        )
        [answer] = cursor.fetchone()
    [explained] = json.loads(answer) if isinstance(answer, str) else answer
    scans = [node for node in list_plan_nodes(explained["Plan"]) if node.get("Relation Name") == "dispensary_delivery"]
    rows = sum((scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0)) * scan["Actual Loops"] for scan in scans)
    assert scans and rows < 10, json.dumps(explained)


@pytest.mark.parametrize(
    "name",
    ["claim_due", "hand_over", "move_reminder", "release_unsent", "reclaim_unsent", "read_batch", "list_in_doubt"],
)
def test_no_statement_asks_another_clock_than_the_databases(name):
    statement = queue.SQL[name]
    assert "%(now)" not in statement


def test_no_clock_of_the_process_decides_about_a_lease():
    """A worker's own clock must not matter; only durations are measured with it, and those monotonic."""
    folder = Path(queue.__file__).parent
    for file in folder.glob("*.py"):
        text = file.read_text()
        assert "timezone.now" not in text and "datetime.now" not in text and "time.time(" not in text, file
