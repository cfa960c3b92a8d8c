"""Real workers, beat and broker around the tests' database; a file outside of it counts what was sent."""

import json
import os
import signal
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
from django.db import connection

from deploy.servers.processes import Server
from dispensary.models import (
    ChannelRest,
    Consent,
    ConsentEvent,
    ContactPoint,
    EngineCounter,
    EngineTurn,
    Patient,
    Reminder,
    ReminderPlan,
    ReminderState,
)
from dispensary.models.audit import AuditEntry
from dispensary.models.sealed import address_digest
from tests.dispensary.faults.children import not_ended
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

ROOT = Path(__file__).resolve().parents[3]
LONG = os.environ.get("FAULTS") == "long"


class ReminderSite:
    """Two workers that send, one that ticks, one beat; short leases and ticks, so that a fault heals within a test."""

    def __init__(self, site, broker, folder: Path):
        self.site, self.broker, self.folder = site, broker, folder
        self.sent_file, self.faults_file = folder / "sent.jsonl", folder / "faults.json"
        self.processes: dict[str, Server] = {}
        self.options: dict[str, object] = {}
        self._sent_by_key: Counter[str] = Counter()
        self._read_to = 0
        self.settings = {"REMINDER_TICK_SECONDS": "1", "REMINDER_LEASE_SECONDS": "10", "REMINDER_BATCH": "50"}

    # --- processes ---

    def environment(self, **more: str) -> dict[str, str]:
        sink = {
            "file": str(self.sent_file),
            "faults": str(self.faults_file),
            "delay": 0.01,
            "timeout": 2,
            **self.options,
        }
        ours = {
            "REDIS_URL": self.broker.url,
            "CHANNELS": json.dumps({"email": "sink"}),
            "CHANNEL_OPTIONS": json.dumps({"sink": sink}),
            "LOG_LEVEL": "ERROR",
            "WATCHDOG_SECONDS": "0",  # a test without beat has workers to which nothing comes
        }
        return self.site.environment(**{**ours, **self.settings, **more})

    def start(self, *names: str, **more: str) -> None:
        for name in names:
            server = Server(name, self.folder / f"{name}-{uuid.uuid4().hex[:6]}.log")
            server.launch(self._command(name), environment=self.environment(**more), folder=ROOT)
            self.processes[name] = server

    def _command(self, name: str) -> list[str]:
        celery = [sys.executable, "-m", "celery", "-A", "deploy.celery"]
        if name.startswith("beat"):
            return [*celery, "beat", "--loglevel", "ERROR", "--schedule", str(self.folder / f"{name}.db"), "--pidfile="]
        queue = "rem-tick" if name.startswith("tick") else "rem-send"
        worker = ["worker", "--loglevel", "ERROR", "-Q", queue, "-c", "1", "-n", f"{name}@%h"]
        return [*celery, *worker, "--without-gossip", "--without-mingle", "--without-heartbeat"]

    def start_all(self) -> None:
        """Start what does not run yet; wait until the engine ticks."""
        self.start(*[name for name in ("tick", "send1", "send2", "beat") if name not in self.processes])
        for table in (EngineCounter, EngineTurn, ChannelRest):
            table.objects.all().delete()
        self.wait(EngineCounter.objects.filter(name="tick").exists, 120, "a first tick")

    def kill(self, name: str) -> None:
        """Kill the process and its children with SIGKILL."""
        server = self.processes.pop(name)
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(10)

    def kill_child(self, name: str) -> bool:
        """Kill the pool's child only; return whether there was one."""
        children = psutil.Process(self.processes[name].process.pid).children()
        for child in children:
            child.kill()
        return bool(children)

    def signal(self, name: str, number: signal.Signals) -> None:
        os.killpg(self.processes[name].process.pid, number)

    def restart_dead(self, **more: str) -> None:
        """Start the processes that have ended, as a supervisor does."""
        for name, server in list(self.processes.items()):
            if not server.running:
                self.start(name, **more)

    def stop_all(self) -> None:
        for name in list(self.processes):
            server = self.processes.pop(name)
            if server.running:
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait(10)

    def set_sink_options(self, **options: object) -> None:
        """Set other options of the sink and stop the workers that run with the old ones."""
        if options != self.options:
            self.stop_all()
            self.options = options

    # --- faults, and the messages that left ---

    def set_faults(self, **fault: object) -> None:
        self.faults_file.write_text(json.dumps(fault))

    def reset(self) -> None:
        """Remove the files of the test before, and set the sink's usual options."""
        self.set_sink_options()
        self._sent_by_key, self._read_to = Counter(), 0
        for file in (self.sent_file, self.faults_file):
            file.unlink(missing_ok=True)

    def count_sent_by_key(self) -> Counter[str]:
        """Count the messages in the sink's file by key. Only lines added since the last call are read."""
        if self.sent_file.exists():
            with self.sent_file.open("rb") as stream:
                stream.seek(self._read_to)
                for line in stream:
                    if line.endswith(b"\n"):
                        self._sent_by_key[json.loads(line)["key"]] += 1
                        self._read_to += len(line)
        return self._sent_by_key

    def count_sent(self) -> int:
        """Count the messages in the sink's file."""
        return self.count_sent_by_key().total()

    def wait(self, done, seconds: float, why: str) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() > deadline:
                logs = "\n".join(f"{name}: {server.last_words(3)}" for name, server in self.processes.items())
                raise AssertionError(f"not in {seconds:.0f} s: {why}\n{self.count_states()}\n{logs}")
            time.sleep(0.1)

    def wait_until_sent(self, count: int, seconds: float = 120) -> None:
        self.wait(lambda: self.count_sent() >= count, seconds, f"{count} sent")

    def wait_for_more_sent(self, count: int, seconds: float) -> None:
        """Wait until more messages left, or no reminder is left to send."""
        self.wait(lambda: self.count_sent() > count or not not_ended().exists(), seconds, "any progress")

    def wait_until_idle(self, seconds: float = 180) -> None:
        due = not_ended().filter(due_at__lte=database_now())
        self.wait(lambda: not due.exists(), seconds, "nothing due any more")

    @staticmethod
    def count_states() -> dict[str, int]:
        connection.ensure_connection()
        counted = Counter(Reminder.objects.values_list("state", flat=True))
        return {ReminderState(state).name: count for state, count in counted.items()}

    def compare_with_log(self, due_ids: set[uuid.UUID]) -> "Verdict":
        """Compare the reminders that were due with the messages in the sink's file and with the log."""
        sent_by_key = self.count_sent_by_key()
        keys = {str(uuid.uuid5(public_id, "email:1")): public_id for public_id in due_ids}
        parked = set(Reminder.objects.filter(state=ReminderState.PARKED).values_list("public_id", flat=True))
        pharmacies = set(Reminder.objects.filter(public_id__in=due_ids).values_list("pharmacy", flat=True))
        lines = AuditEntry.objects.filter(action="reminder.sent", pharmacy__in=pharmacies)
        logged = Counter(uuid.UUID(subject) for subject in lines.values_list("subject_id", flat=True))
        return Verdict(
            lost=sum(not sent_by_key[key] and public_id not in parked for key, public_id in keys.items()),
            doubled=sum(count - 1 for key, count in sent_by_key.items() if key in keys),
            parked=len(parked & due_ids),
            misrecorded=sum(logged[public_id] != (public_id not in parked) for public_id in due_ids),
        )


def create_due(count: int, kind: str = "run_out", pharmacies: int = 2) -> set[uuid.UUID]:
    """Commit `count` due reminders for as many patients of a few pharmacies; return their public ids."""
    now = database_now()
    ids: set[uuid.UUID] = set()
    for share in range(pharmacies):
        pharmacy = making.pharmacy(quiet_from="00:00", quiet_until="00:00", time_zone="UTC")
        people = [
            Patient(pharmacy=pharmacy, identifier=f"F{n}", family_name="F") for n in range(share, count, pharmacies)
        ]
        Patient.objects.bulk_create(people)
        _add_addresses(people, now)
        plans = [ReminderPlan(pharmacy=pharmacy, patient=person, version=1, planned_at=now) for person in people]
        ReminderPlan.objects.bulk_create(plans)
        rows = [
            Reminder(
                plan=plan, pharmacy=pharmacy, patient_id=plan.patient_id, kind=kind, occurrence="0d",
                local_date=now.date(), local_time=now.time(), tz_name="UTC", tzdb_version="t", due_at=now,
                useful_until=now + timedelta(days=1), params={"date": now.date().isoformat()},
            )
            for plan in plans
        ]  # fmt: skip
        ids |= {row.public_id for row in Reminder.objects.bulk_create(rows)}
    return ids


def _add_addresses(people: list[Patient], now) -> None:
    digest_of = {person.pk: address_digest("email", f"{person.pk}@example.org") for person in people}
    ContactPoint.objects.bulk_create(
        ContactPoint(
            patient=person, medium="email", address=f"{person.pk}@example.org", address_digest=digest_of[person.pk],
            added_at=now, added_by="user:1",
        )
        for person in people
    )  # fmt: skip
    events = ConsentEvent.objects.bulk_create(
        ConsentEvent(patient=person, medium="email", answer="yes", source="counter", said_at=now, recorded_by="u")
        for person in people
    )
    Consent.objects.bulk_create(
        Consent(patient_id=event.patient_id, medium="email", answer="yes", since=now, event=event) for event in events
    )


@dataclass(frozen=True)
class Verdict:
    """The counts after a fault. `misrecorded`: reminders with no log entry or two, where there should be one."""

    lost: int
    doubled: int
    parked: int
    misrecorded: int

    def __str__(self) -> str:
        return f"lost {self.lost}, sent twice {self.doubled}, parked {self.parked}, recorded wrongly {self.misrecorded}"

    @property
    def clean(self) -> bool:
        """Nothing lost, nothing doubled, nothing left to a person, and the log complete."""
        return self == Verdict(0, 0, 0, 0)

    def at_most_doubled(self, count: int) -> bool:
        """Nothing lost or left to a person, the log complete, and no more than `count` sent twice."""
        return self.doubled <= count and self == Verdict(0, self.doubled, 0, 0)
