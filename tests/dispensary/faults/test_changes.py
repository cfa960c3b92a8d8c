"""Every change x every state: what has been taken back, or forbidden, before it was handed over is never handed over after.

For each change there are patients in every state that a reminder can be in, brought there by the engine itself, with workers frozen in
the middle of their batches. The control, in which nothing changes, shows that every one of them would have left.
"""

import json
import uuid
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest

from dispensary import audit, reminders
from dispensary.actions import consent, dispenses, patients, prescriptions, therapy
from dispensary.actions.dispenses import Dispense
from dispensary.actions.overrides import Answer
from dispensary.actions.refusals import Refused
from dispensary.actions.reminders import withdraw_reminder
from dispensary.channels import Receipt, ReceiptStatus
from dispensary.errors import Conflict
from dispensary.models import (
    ConsentAnswer,
    ConsentSource,
    ContactPoint,
    Medium,
    Reminder,
    ReminderState,
    SignatureMethod,
    Source,
)
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.reminders import opt_outs, receipts
from tests.dispensary import make
from tests.dispensary.faults.children import frozen, in_a_process_that_dies, let_leases_run_out, not_ended, thaw
from tests.dispensary.reminders.conftest import database_now

pytestmark = [pytest.mark.faults, pytest.mark.django_db(transaction=True)]

# How often the witness sees it: when nothing changes, and when the change was committed first.
STATES = {
    "ahead": (1, 0),
    "due": (1, 0),
    "put off by a busy provider": (1, 0),
    "claimed by a worker that has not begun it": (1, 0),
    "in the provider's hands": (1, 1),
    "in the hands of a provider that turns out to be busy": (1, 0),
    "in doubt, its worker dead": (2, 1),
    "sent": (1, 1),
    "delivered": (1, 1),
    "parked for a person": (1, 1),
    "failed": (0, 0),
}
ON_ITS_WAY = {name for name in STATES if "hands" in name or "doubt" in name}


class Course:
    """A patient with a supply from the counter, and the one reminder of it that is looked at."""

    def __init__(self, shop, by, state):
        self.by, now = by, database_now()
        person = make.patient(shop, now=now)
        self.contact = consent.add_contact(
            patient=person, medium=Medium.EMAIL, address=f"{uuid.uuid4()}@example.org", by=by, now=now
        )
        consent.record_answer(
            patient=person, medium=Medium.EMAIL, answer=ConsentAnswer.YES, source=ConsentSource.COUNTER, by=by, now=now
        )
        self.order = make.prescription(person, now=now, written_on=str(now.date()), repeats=3)
        self.dispense = self.hand_over(self.order)
        kind = "refill_due" if state == "parked for a person" else "run_out"
        self.row = Reminder.objects.filter(patient=self.dispense.patient_id, kind=kind).earliest("due_at")
        Reminder.objects.filter(patient=self.dispense.patient_id).exclude(pk=self.row.pk).delete()
        self.row.due_at, self.row.useful_until = now + timedelta(days=2), now + timedelta(days=3)
        self.row.save(update_fields=["due_at", "useful_until"])

    @property
    def patient(self):
        return self.order.patient

    def hand_over(self, order):
        now = database_now()
        return insist(
            lambda answers: dispenses.dispense(
                prescription=order, quantity=Decimal(42), pack=make.pack(), overrides=answers, key=str(uuid.uuid4()),
                by=self.by, now=now,
            )
        )  # fmt: skip


def insist(act):
    """Do it; where the rule book asks, answer and do it again."""
    done = act(())
    if isinstance(done, Refused):
        words = {"mitigation": "5", "words": "Agreed with the clinic by telephone.", "asked": "Dr Mwangi"}
        asked = {
            "signature": SignatureMethod.PASSWORD,
            "asked_at": database_now() - timedelta(minutes=9),
            "agreed": "go on",
        }
        done = act(
            tuple(
                Answer(question.code, **words, **asked) if question.severity == "override" else Answer(question.code)
                for question in done.unanswered
            )
        )
    assert not isinstance(done, Refused), done
    return done


# --- the changes ------------------------------------------------------------------------------------------------------


def dose_changed(course):
    new = make.CLEAN_ORDER | {
        "written_on": str(database_now().date()),
        "phases": [{"dose": 10, "unit": "mg", "times_per_day": 3, "days": 28}],
    }
    new |= {"directions": "10 mg three times a day for 28 days", "quantity": 84}
    received = prescriptions.receive(
        pharmacy=course.patient.pharmacy, patient=course.patient, prescriber=make.prescriber(course.patient.pharmacy),
        order=new, source=Source.CASE, document={"prescription": "as it came"}, replaces=course.order, by=course.by,
        now=database_now(),
    )  # fmt: skip
    course.hand_over(received.prescription)  # until it is collected, the old tablets run out as they did


def stopped(course):
    insist(
        lambda answers: therapy.stop(
            subject=course.order, reason="", words="patient asked", answers=tuple(answers), by=course.by,
            now=database_now(),
        )
    )  # fmt: skip


def supply_cancelled(course):
    dispenses.cancel(dispense=course.dispense, reason="wrong bag, not given", by=course.by, now=database_now())


def supply_returned(course):
    dispenses.return_(dispense=course.dispense, reason="came back unopened", by=course.by, now=database_now())


def collected_early(course):
    assert isinstance(course.hand_over(course.order), Dispense)


def died(course):
    now = database_now()
    patients.record_death(patient=course.patient, died_on=now.date(), by=course.by, now=now)


def said_no(course):
    consent.record_answer(
        patient=course.patient, medium=Medium.EMAIL, answer=ConsentAnswer.NO, source=ConsentSource.COUNTER,
        by=course.by, now=database_now(),
    )  # fmt: skip


def one_click(course):
    opt_outs.stop_contact(contact_id=course.contact.pk, source="one-click", now=database_now())


def wrong_person(course):
    consent.report_wrong_person(
        contact=ContactPoint.objects.get(pk=course.contact.pk), by=course.by, now=database_now()
    )


def address_retired(course):
    consent.retire_contact(contact=ContactPoint.objects.get(pk=course.contact.pk), by=course.by, now=database_now())


def by_hand(course):
    withdraw_reminder(public_id=course.row.public_id, by=course.by, now=database_now())


ENDS_THE_PLAN = (dose_changed, stopped, supply_cancelled, supply_returned, collected_early, died)
FORBIDS = (said_no, one_click, wrong_person, address_retired)


# --- the states -------------------------------------------------------------------------------------------------------


@pytest.fixture
def scene(outbox, settings):
    """A pharmacy that is awake, and its patients: one in each state, two of them held by workers that are frozen."""
    outbox.set_sink_options(timeout=1)
    settings.DISPENSARY = {**settings.DISPENSARY, "reminder_lease": 120, "reminder_batch": 2}
    make.products()
    shop = make.pharmacy(quiet_from="00:00", quiet_until="00:00", time_zone="UTC")
    by = make.staff(shop, now=database_now()).actor()
    return {state: Course(shop, by, state) for state in STATES}


def fall_due(scene, *names):
    for place, name in enumerate(names):
        due = database_now() - timedelta(seconds=len(names) - place)
        Reminder.objects.filter(pk=scene[name].row.pk).update(due_at=due)


def arrange(scene, outbox):
    """Bring every patient's reminder into its state; give the frozen workers."""
    fall_due(scene, "sent", "delivered")
    reminders.drain()
    key = str(key_of(scene["delivered"]))
    receipts.keep(channel="sink", events=[Receipt("e1", ReceiptStatus.DELIVERED, key)], now=database_now())
    reminders.tick()
    for name, answer in {
        "put off by a busy provider": "busy",
        "failed": "bad-address",
        "parked for a person": "lose-answer",
    }.items():
        outbox.set_faults(answer=answer, times=1)
        fall_due(scene, name)
        reminders.drain()
    outbox.set_faults(at="accepted", do="kill", times=1)
    fall_due(scene, "in doubt, its worker dead")
    assert in_a_process_that_dies(reminders.drain) == 9
    outbox.set_faults(at="called", do="freeze", answer="busy", times=1)
    fall_due(scene, "in the hands of a provider that turns out to be busy")
    workers = [frozen(reminders.drain)]
    outbox.set_faults(at="called", do="freeze", times=1)
    fall_due(scene, "in the provider's hands", "claimed by a worker that has not begun it")
    workers.append(frozen(reminders.drain))
    fall_due(scene, "due")
    return workers


def key_of(course):
    return uuid.uuid5(course.row.public_id, "email:1")


def let_it_all_happen(scene, outbox, workers):
    """The workers go on, leases run out, and the day of what lay ahead comes."""
    outbox.faults.unlink(missing_ok=True)
    for worker in workers:
        thaw(worker)
    ours = Reminder.objects.filter(pk__in=[course.row.pk for course in scene.values()])
    for _ in range(3):
        ours.filter(state=ReminderState.SCHEDULED).update(due_at=database_now() - timedelta(seconds=1))
        let_leases_run_out()
        reminders.tick()
        reminders.drain()
    assert not not_ended(ours).exists()


def left(scene, outbox):
    sent_counts = Counter(message["key"] for message in outbox.sent)
    return {state: sent_counts[str(key_of(course))] for state, course in scene.items()}


def times_told(course):
    """Count the lines of the log that say that it was sent."""
    return AuditEntry.objects.filter(action="reminder.sent", subject_id=str(course.row.public_id)).count()


def named_as_on_its_way(course):
    """Return the log's entries of the ends of the patient's plans: how many could not be recalled."""
    plans = [str(plan) for plan in course.patient.reminder_plans.values_list("pk", flat=True)]
    lines = AuditEntry.objects.filter(action="reminder.withdrawn", subject_id__in=plans)
    entries = list(lines.values_list("entry_id", flat=True))
    with audit.reading(course.patient.pharmacy):
        bodies = [json.loads(entry_body.body) for entry_body in AuditBody.objects.filter(entry_id__in=entries)]
    return sum(body["already_on_their_way"] for body in bodies)


def test_when_nothing_changes_every_one_of_them_leaves(scene, outbox):
    let_it_all_happen(scene, outbox, arrange(scene, outbox))
    assert left(scene, outbox) == {state: unchanged for state, (unchanged, _) in STATES.items()}
    for state, course in scene.items():
        assert times_told(course) == (state not in {"failed", "parked for a person"}), state


@pytest.mark.parametrize("change", [*ENDS_THE_PLAN, *FORBIDS, by_hand], ids=lambda change: change.__name__)
def test_what_is_committed_before_a_message_is_handed_over_holds_it_back(scene, outbox, change):
    workers = arrange(scene, outbox)
    too_late = set()
    for state, course in scene.items():
        try:
            change(course)
        except Conflict:  # said to the person who asked: it is on its way, or has arrived
            too_late.add(state)
    let_it_all_happen(scene, outbox, workers)
    assert too_late <= ON_ITS_WAY | {"sent", "delivered"} if change is by_hand else not too_late
    assert left(scene, outbox) == {state: counts[state not in too_late] for state, counts in STATES.items()}
    if change in ENDS_THE_PLAN:  # what could not be recalled is named
        for state, course in scene.items():
            assert named_as_on_its_way(course) == (state in ON_ITS_WAY), state
