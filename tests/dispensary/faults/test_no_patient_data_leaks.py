"""A patient called Canary on a medicine that must not be named, through real workers: every kind, language and medium, and every place where
something could be left lying - texts, subjects, the broker, the programs' own logs, the metrics."""

import base64
import json
import re
from datetime import timedelta

import pytest
import redis

from dispensary.models import Patient, Reminder, ReminderPlan
from dispensary.models.reminders import ReminderKind, ReminderState
from dispensary.reminders.digests import MOST
from dispensary.reminders.texts import LANGUAGES
from tests.dispensary.reminders import making
from tests.dispensary.reminders.conftest import database_now

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

TELLING = re.compile(
    r"canary|canari|31725[.,]5|١٢|baclof|باكلوفين|lioresal|ليوريزال|\bmg\b|ملغ|\bdos[ei]|جرعة|tablet|comprim|قرص|spas|withdrawal",
    re.IGNORECASE,
)
"""Name, dose, medicine or condition, in each of our languages."""
NAMING = re.compile(r"canary|example\.org|\+?447700900|31725[.,]5|baclof|lioresal", re.IGNORECASE)
"""Words that no program may leave in a file: the above, and the patient's addresses."""
PARAMS = {"date": "2026-12-03", "before": ["31725.5", "31725.5"], "after": ["31725.5"], "strength": "31725.5"}


def canary(pharmacy, language, medium, detail="plain", who=""):
    """A patient with one reminder of each kind, due now."""
    now = database_now()
    person = Patient.objects.create(
        pharmacy=pharmacy, identifier=f"CANARY-{language}-{medium}-{detail}{who}", family_name="Canary", given_name="Canary",
        language=language,
    )  # fmt: skip
    address = (
        f"canary.{language}.{detail}{who}@example.org"
        if medium == "email"
        else f"+44770090012{LANGUAGES.index(language)}"
    )
    making.reachable(person, medium, address=address, detail_level=detail)
    plan = ReminderPlan.objects.create(pharmacy=pharmacy, patient=person, version=1, planned_at=now)
    return Reminder.objects.bulk_create(
        Reminder(
            plan=plan, pharmacy=pharmacy, patient=person, kind=kind, occurrence="0d", local_date=now.date(),
            local_time=now.time(), tz_name="UTC", tzdb_version="t", due_at=now, useful_until=now + timedelta(days=1),
            params=PARAMS, despite_quiet=True,
        )
        for kind in ReminderKind
    )  # fmt: skip


def sent_messages(reminder_site):
    return [json.loads(line) for line in reminder_site.sent_file.read_text().splitlines()]


def published(monitor):
    """Every command that the broker was given until our own."""
    for command in monitor.listen():
        if command["command"].startswith("PUBLISH done"):
            return
        yield command["command"]


def test_no_text_no_queue_no_log_and_no_metric_names_a_patient_or_a_medicine(reminder_site, client, settings):
    reminder_site.set_sink_options(words=True)
    loud = {"LOG_LEVEL": "DEBUG", "CHANNELS": json.dumps({"email": "sink", "sms": "sink"})}
    broker = redis.Redis.from_url(reminder_site.broker.url)
    with broker.monitor() as monitor:
        reminder_site.set_faults(
            answer="busy", times=1
        )  # one refusal, so that what is written about faults is seen too
        pharmacy = making.pharmacy(quiet_from="00:00", quiet_until="00:00", time_zone="UTC")
        plain = [
            row for language in LANGUAGES for medium in ("email", "sms") for row in canary(pharmacy, language, medium)
        ]
        chosen = [row for language in LANGUAGES for row in canary(pharmacy, language, "email", "detailed")]
        poisoned = canary(pharmacy, "en", "email", "plain", who="poisoned")
        Reminder.objects.filter(pk__in=[row.pk for row in poisoned]).update(params={"date": "Canary"})
        reminder_site.start("tick", "send1", "send2", "beat", **loud)
        sent, later = Reminder.objects.filter(state=ReminderState.SENT), Reminder.objects.filter(state=0)
        reminder_site.wait(
            lambda: sent.count() + later.count() == len(plain) + len(chosen) and later.count() <= MOST,
            120,
            "all sent but the message that was refused",
        )
        broker.publish("done", "now")
        published_messages = list(published(monitor))
    assert len({message["to"] for message in sent_messages(reminder_site)}) == 3 * len(LANGUAGES)
    for message in sent_messages(reminder_site):
        assert not TELLING.search(message["subject"]), message
        if "detailed" not in message["to"]:
            assert not TELLING.search(message["text"]), message
    assert any(
        NAMING.search(message["text"]) for message in sent_messages(reminder_site) if "detailed" in message["to"]
    )  # who chose it, gets it
    everything = "\n".join(published_messages)
    bodies = {base64.b64decode(body) for body in re.findall(r"body\W+([A-Za-z0-9+/=]{8,})", everything)}
    assert "dispensary.reminders.drain" in everything and not NAMING.search(everything)
    assert bodies and all(body.startswith(b"[[], {}") for body in bodies), bodies  # no arguments at all
    for server in reminder_site.processes.values():
        log = server.log.read_text()
        assert not NAMING.search(log), (server.name, NAMING.search(log))
    assert reminder_site.processes["send1"].log.stat().st_size + reminder_site.processes["send2"].log.stat().st_size > 0
    settings.METRICS_TOKEN = "a-token-for-the-monitor"
    numbers = client.get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"}).content.decode()
    assert "reminder" in numbers and not NAMING.search(numbers)
    reminder_site.stop_all()
