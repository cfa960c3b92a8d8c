"""The engine against the real database, with a file as witness of what left."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from dispensary.models import Reminder, ReminderPlan
from tests.dispensary.reminders import making


class Outbox:
    """The sink's file: what really left, told by somebody other than the engine."""

    def __init__(self, folder: Path, settings):
        self.file, self.faults = folder / "sent.jsonl", folder / "faults.json"
        self.settings = settings
        self.set_sink_options()

    def set_sink_options(self, **options):
        sink = {"file": str(self.file), "faults": str(self.faults), "words": True, **options}
        self.settings.DISPENSARY = {
            **getattr(self.settings, "DISPENSARY", {}),
            "channels": {"email": "sink", "sms": "sink"},
            "channel_options": {"sink": sink},
            "public_url": "https://pharmacy.example",
        }

    def set_faults(self, **fault):
        self.faults.write_text(json.dumps(fault))

    @property
    def sent(self) -> list[dict]:
        return [json.loads(line) for line in self.file.read_text().splitlines()] if self.file.exists() else []


@pytest.fixture
def outbox(tmp_path, settings):
    return Outbox(tmp_path, settings)


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0].astimezone(UTC)


@pytest.fixture
def awake():
    """A pharmacy without quiet hours, so that the time of day at which tests run does not matter."""
    return making.pharmacy(quiet_from="00:00", quiet_until="00:00", time_zone="UTC")


@pytest.fixture
def due(awake):
    """Make a patient with one reminder that is due now; give the reminder."""

    def make(
        kind="missed_collection", *, pharmacy=None, person=None, reach=("email",), useful=timedelta(days=1), **more
    ):
        now = database_now()
        person = person or making.patient(pharmacy or awake)
        for medium in reach:
            making.reachable(person, medium, address=more.pop(f"{medium}_address", None))
        plan = ReminderPlan.objects.filter(patient=person, ended_at=None).first()
        if plan is None:
            making.dispense(making.prescription(person), at=now - timedelta(days=1))
            plan = making.follow(person, now)
            plan.reminders.exclude(kind=kind).delete()
            row = plan.reminders.get()
        else:
            row = Reminder.objects.create(
                plan=plan, pharmacy=person.pharmacy, patient=person, kind=kind, occurrence="0d",
                local_date=now.date(), local_time=now.time(), tz_name="UTC", tzdb_version="t", due_at=now,
                useful_until=now + useful, params={"date": now.date().isoformat()},
            )  # fmt: skip
        Reminder.objects.filter(pk=row.pk).update(due_at=now - timedelta(seconds=1), useful_until=now + useful, **more)
        row.refresh_from_db()
        return row

    return make
