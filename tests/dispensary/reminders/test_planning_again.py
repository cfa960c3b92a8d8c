"""Settings and facts change under a plan: what is to come moves, and what has been said is not said again."""

import importlib
import json
import threading
from datetime import UTC, datetime, time, timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from dispensary import audit, tasks
from dispensary.actions import consent, patients, pharmacies, summaries
from dispensary.actions.reminders import send_reminder, withdraw_reminder
from dispensary.actors import Actor, Role
from dispensary.errors import InvalidInput
from dispensary.models import (
    Consent,
    ConsentAnswer,
    ConsentSource,
    CountedTherapy,
    EngineCounter,
    Medium,
    Patient,
    Pharmacy,
    Reminder,
    ReminderPlan,
    ReminderState,
    Withdrawal,
    WorklistItem,
)
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.models.reminders import ReminderKind
from tests.dispensary import make
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
NOW = making.NOON
"""The day of the hand-over; the supply lasts 28 days, so that the calls are owed on days 21, 26, 28 and 30."""
DAY = timedelta(days=1)
S = ReminderState


@pytest.fixture
def patient():
    return making.patient()


@pytest.fixture
def manager(patient):
    return Actor("user:7", "Max Manager", Role.MANAGER, patient.pharmacy_id, user_id=7)


@pytest.fixture
def supply(patient):
    """A supply of maintenance for 28 days, planned."""
    handed_over = making.dispense(making.prescription(patient))
    making.follow(patient, NOW)
    return handed_over


@pytest.fixture
def taper(patient):
    handed_over = making.dispense(making.prescription(patient, making.TAPER, then_stop=True))
    making.follow(patient, NOW)
    return handed_over


@pytest.fixture
def change(patient, manager):
    """Change the pharmacy's settings at a moment, and let a tick plan again at that moment."""

    def changed(now, **changes):
        pharmacies.change_settings(
            pharmacy=Pharmacy.objects.get(pk=patient.pharmacy_id), changes=changes, by=manager, now=now
        )
        return summaries.refresh_outdated(now=now)

    return changed


def at(day: int, hour: int = 12) -> datetime:
    return NOW.replace(hour=hour) + day * DAY


def in_force(patient):
    return list(Reminder.objects.filter(plan__patient=patient, plan__ended_at=None).order_by("local_date", "id"))


def calls(patient, *states):
    """ReminderKind and day after the hand-over of what the plan in force holds."""
    return [(r.kind, (r.local_date - NOW.date()).days) for r in in_force(patient) if not states or r.state in states]


def said(patient, kind, state=S.SENT, **more):
    reminder = Reminder.objects.filter(patient=patient, kind=kind, plan__ended_at=None).order_by("local_date").first()
    Reminder.objects.filter(pk=reminder.pk).update(state=state, attempts=1, **more)
    return reminder


def test_changed_lead_days_move_the_calls_to_come(patient, supply, change):
    assert change(at(1), refill_lead_days=6, second_call_days=1) == 1
    assert calls(patient, S.SCHEDULED) == [
        ("refill_due", 22),
        ("run_out", 27),
        ("refill_again", 27),
        ("missed_collection", 30),
    ]


def test_a_changed_hour_moves_what_is_to_come(patient, supply, change):
    change(at(1), message_at=time(15, 30))
    assert {r.local_time for r in in_force(patient) if r.kind != "run_out"} == {time(15, 30)}


def test_a_pharmacy_that_moves_takes_its_patients_along_but_not_those_with_a_zone_of_their_own(patient, supply, change):
    far = making.patient(patient.pharmacy, time_zone="America/New_York")
    making.dispense(making.prescription(far))
    making.follow(far, NOW)
    assert change(at(1), time_zone="Asia/Tokyo") == 2
    assert in_force(patient)[0].due_at == datetime(2026, 12, 13, 1, tzinfo=UTC)
    assert in_force(far)[0].due_at == datetime(2026, 12, 13, 15, tzinfo=UTC)
    assert ReminderPlan.objects.filter(patient=far).count() == 1


def test_what_is_already_as_the_new_settings_would_have_it_is_only_stamped(patient, supply, change):
    make.change_past_actions(Patient.objects.filter(pk=patient.pk), time_zone="Europe/London")
    assert change(at(1), time_zone="Europe/Paris") == 1
    assert ReminderPlan.objects.get().version == 1
    assert CountedTherapy.objects.get().timing_version == Pharmacy.objects.get().timing_version == 2
    assert summaries.refresh_outdated(now=at(1)) == 0


@pytest.mark.parametrize(
    ("changes", "counted"),
    [({"name": "Town Pharmacy"}, 0), ({"phone": "020 1"}, 0), ({"language": "fr"}, 0), ({"profile": "uk-smpc"}, 1)],
)
def test_a_setting_that_decides_nothing_about_time_makes_no_therapy_old(patient, supply, change, changes, counted):
    assert change(NOW, **changes) == counted


def test_the_change_itself_touches_no_plan(patient, supply, manager):
    pharmacies.change_settings(pharmacy=patient.pharmacy, changes={"refill_lead_days": 5}, by=manager, now=at(1))
    assert CountedTherapy.objects.get().timing_version == 1


def test_each_plan_that_is_made_again_stands_in_the_log(patient, supply, change):
    change(at(1), refill_lead_days=5)
    entry = AuditEntry.objects.get(pharmacy=patient.pharmacy_id, action="reminder.planned")
    assert (entry.reason_code, entry.actor) == ("facts-changed", "system:reminders")
    counts = {"withdrawn": 1, "carried_over": 3, "planned": 1}
    with audit.reading(patient.pharmacy):
        assert json.loads(AuditBody.objects.get(entry_id=entry.pk).body).items() >= counts.items()
    assert ReminderPlan.objects.get(version=1).ended_reason == Withdrawal.FACTS_CHANGED


# --- a message that has left is not sent again ---------------------------------------------------------------------


def test_a_shorter_lead_after_the_first_call_went_out_makes_no_second_first_call(patient, supply, change):
    said(patient, ReminderKind.REFILL_DUE)
    change(at(22), refill_lead_days=5)
    assert calls(patient, S.SCHEDULED) == [("refill_again", 26), ("run_out", 27), ("missed_collection", 30)]
    assert calls(patient, S.SENT) == [("refill_due", 21)]


def test_a_longer_lead_whose_day_has_passed_leaves_it_to_the_second_call(patient, supply, change):
    change(at(1), refill_lead_days=5)
    change(at(22), refill_lead_days=7)
    assert calls(patient) == [("refill_again", 26), ("run_out", 27), ("missed_collection", 30)]


def test_a_lead_day_moved_to_today_at_night_waits_for_the_morning(patient, supply, change):
    change(at(1), refill_lead_days=5)
    change(at(21, 23), refill_lead_days=7)
    assert in_force(patient)[0].due_at == at(22, 9)


def test_no_lead_calls_for_a_refill_on_a_day_on_which_it_is_early(patient, supply, change):
    change(at(1), refill_lead_days=14)
    assert calls(patient)[0] == ("refill_due", 21)


def test_a_longer_lead_after_the_first_call_went_out_makes_no_other(patient, supply, change):
    said(patient, ReminderKind.REFILL_DUE)
    change(at(22), refill_lead_days=14)
    assert calls(patient, S.SCHEDULED)[0] == ("refill_again", 26)


def test_a_second_call_that_went_out_is_not_made_again(patient, supply, change):
    said(patient, ReminderKind.REFILL_DUE)
    said(patient, ReminderKind.REFILL_AGAIN)
    change(at(26, 15), second_call_days=1)
    assert calls(patient, S.SCHEDULED) == [("run_out", 27), ("missed_collection", 30)]


def test_run_out_today_is_said_once_though_the_hour_moves_behind_it(patient, supply, change):
    for kind in (ReminderKind.REFILL_DUE, ReminderKind.REFILL_AGAIN, ReminderKind.RUN_OUT):
        said(patient, kind)
    change(at(28, 11), message_at=time(15))
    assert calls(patient, S.SCHEDULED) == [("missed_collection", 30)]


def test_a_change_of_dose_that_was_told_is_not_told_again_in_another_zone(patient, taper, change):
    said(patient, ReminderKind.DOSE_CHANGE)
    change(at(6, 18), time_zone="America/New_York")  # 13:00 there: the evening of the same day is still to come
    changes = [r for r in in_force(patient) if r.kind == ReminderKind.DOSE_CHANGE]
    assert [(r.occurrence, r.state) for r in changes] == [
        ("2026-11-29", S.SENT), ("2026-12-06", S.SCHEDULED), ("2026-12-13", S.SCHEDULED)
    ]  # fmt: skip


def test_what_has_come_due_and_waits_for_a_worker_stays_due(patient, taper, change):
    change(at(7, 8), message_at=time(11))
    first = in_force(patient)[0]
    assert (first.occurrence, first.due_at, first.state) == ("2026-11-29", at(6, 17), S.SCHEDULED)


def test_a_change_of_dose_whose_evening_has_passed_is_told_on_the_morning_of_its_day(patient):
    """The supply before counts again during the night: what it had not told yet, it tells as soon as people are awake."""
    making.dispense(making.prescription(patient, making.TAPER, then_stop=True))
    making.follow(patient, at(6, 23))
    first = in_force(patient)[0]
    assert (first.occurrence, first.due_at) == ("2026-11-29", at(7, 9))


def test_on_the_afternoon_of_its_day_a_change_of_dose_is_no_longer_told_as_coming(patient, taper, change):
    Reminder.objects.filter(occurrence="2026-11-29").update(state=S.EXPIRED)
    change(at(7, 13), message_at=time(11))
    assert next(r.occurrence for r in in_force(patient) if r.state == S.SCHEDULED) == "2026-12-06"


@pytest.mark.parametrize("state", [S.SENT, S.DELIVERED, S.PARKED, S.FAILED, S.EXPIRED])
def test_what_has_ended_stays_in_the_plan_as_it_ended(patient, supply, change, state):
    row = said(patient, ReminderKind.REFILL_DUE, state)
    change(at(22), refill_lead_days=5)
    row.refresh_from_db()
    assert row.state == state and row.plan.ended_at is None
    assert [r.kind for r in in_force(patient)].count(ReminderKind.REFILL_DUE) == 1


def test_what_is_leaving_at_this_moment_goes_on_under_the_new_plan(patient, supply, change):
    row = said(
        patient, ReminderKind.REFILL_DUE, S.LEASED, lease_token=patient.pk, lease_until=at(22), sending_since=at(22)
    )
    change(at(21), refill_lead_days=5)
    row.refresh_from_db()
    assert (row.state, row.lease_token, row.plan.ended_at) == (S.LEASED, patient.pk, None)
    assert [r.kind for r in in_force(patient)].count(ReminderKind.REFILL_DUE) == 1


def test_what_a_worker_has_claimed_is_given_back_to_be_read_with_the_new_settings(patient, supply, change):
    row = Reminder.objects.get(kind=ReminderKind.REFILL_DUE)
    Reminder.objects.filter(pk=row.pk).update(
        state=S.LEASED, lease_token=row.public_id, lease_until=at(22), due_at=at(21, 10)
    )
    change(at(21, 11), quiet_until=time(11, 30))
    row.refresh_from_db()
    assert (row.state, row.lease_token, row.plan.ended_at) == (S.SCHEDULED, None, None)
    assert [r.kind for r in in_force(patient)].count(ReminderKind.REFILL_DUE) == 1


def test_what_waits_for_another_try_keeps_its_attempts_and_so_its_key(patient, supply, change):
    row = said(patient, ReminderKind.REFILL_DUE, S.SCHEDULED, due_at=at(21, 14))
    change(at(21, 13), refill_lead_days=5)
    row.refresh_from_db()
    assert (row.state, row.attempts, row.due_at) == (S.SCHEDULED, 1, at(21, 14))
    assert [r.kind for r in in_force(patient)].count(ReminderKind.REFILL_DUE) == 1


# --- what a person decided holds -------------------------------------------------------------------------------------


def test_what_a_person_withdrew_stays_withdrawn(patient, supply, change):
    row = Reminder.objects.get(kind=ReminderKind.RUN_OUT)
    withdraw_reminder(public_id=row.public_id, by=making.pharmacist(patient.pharmacy), now=at(1))
    change(at(2), message_at=time(11))
    assert calls(patient, S.SCHEDULED) == [("refill_due", 21), ("refill_again", 26), ("missed_collection", 30)]


def test_what_a_person_asked_to_be_sent_at_once_is_sent_at_once(patient, supply, change):
    row = Reminder.objects.get(kind=ReminderKind.REFILL_DUE)
    send_reminder(public_id=row.public_id, despite_quiet=True, by=making.pharmacist(patient.pharmacy), now=at(2))
    change(at(2), message_at=time(11))
    row.refresh_from_db()
    assert (row.state, row.due_at, row.plan.ended_at) == (S.SCHEDULED, at(2), None)


def test_what_waits_for_a_person_goes_on_waiting(patient, supply, change):
    row = said(patient, ReminderKind.REFILL_DUE, S.FAILED)
    common = {"pharmacy": patient.pharmacy, "patient": patient, "reason": "r", "opened_at": NOW, "due_by": NOW}
    WorklistItem.objects.create(kind="failed", reminder=row, **common)
    WorklistItem.objects.create(kind="withdrawal-risk", state="put-off", put_off_until=at(30).date(), **common)
    change(at(22), refill_lead_days=5)
    assert set(WorklistItem.objects.values_list("kind", "state")) == {
        ("failed", "open"),
        ("withdrawal-risk", "put-off"),
    }


def test_what_was_held_back_for_want_of_a_permission_stays_held_back(patient, supply, change):
    making.reachable(patient)
    by = making.pharmacist(patient.pharmacy)
    consent.record_answer(
        patient=patient, medium=Medium.EMAIL, answer=ConsentAnswer.NO, source=ConsentSource.COUNTER, by=by, now=at(1)
    )
    change(at(2), message_at=time(11))
    assert {r.state for r in in_force(patient)} == {S.SUPPRESSED}
    consent.record_answer(
        patient=patient, medium=Medium.EMAIL, answer=ConsentAnswer.YES, source=ConsentSource.COUNTER, by=by, now=at(3)
    )
    assert {(r.state, r.local_time) for r in in_force(patient)} == {(S.SCHEDULED, time(11)), (S.SCHEDULED, time(17))}
    assert Consent.objects.get().answer == "yes"


# --- the supply before counts again ------------------------------------------------------------------------------------


def test_what_was_said_of_a_supply_is_not_said_again_when_the_next_one_comes_back(patient, supply):
    said(patient, ReminderKind.REFILL_DUE)
    second = making.dispense(supply.prescription, at=at(22), number=2)
    making.follow(patient, at(22))
    type(second).objects.filter(pk=second.pk).update(status="returned", ended_at=at(23))
    making.follow(patient, at(23), Withdrawal.DISPENSE_RETURNED)
    assert calls(patient) == [("refill_again", 26), ("run_out", 27), ("missed_collection", 30)]


def test_what_falls_due_on_the_day_on_which_the_next_supply_comes_back_is_said(patient, supply):
    second = making.dispense(supply.prescription, at=at(20), number=2)
    making.follow(patient, at(20))
    type(second).objects.filter(pk=second.pk).update(status="returned", ended_at=at(21))
    making.follow(patient, at(21), Withdrawal.DISPENSE_RETURNED)
    assert calls(patient)[0] == ("refill_due", 21) and in_force(patient)[0].due_at == at(21)


# --- many, and at once ---------------------------------------------------------------------------------------------------


def test_planning_again_is_done_once_however_often_it_is_asked(patient, supply, change):
    change(at(1), refill_lead_days=5)
    before = list(Reminder.objects.order_by("id").values_list("public_id", "state", "plan"))
    assert (summaries.refresh_outdated(now=at(1)), summaries.refresh_outdated(now=at(2))) == (0, 1)
    assert list(Reminder.objects.order_by("id").values_list("public_id", "state", "plan")) == before


def test_changing_a_setting_there_and_back_leaves_the_plan_as_it_was(patient, supply, change):
    before = [(r.kind, r.due_at) for r in in_force(patient)]
    change(at(1), refill_lead_days=5)
    change(at(1), refill_lead_days=7)
    assert [(r.kind, r.due_at) for r in in_force(patient)] == before


def test_a_tick_stops_when_its_time_is_up_and_the_next_one_goes_on(patient, manager, supply):
    for _ in range(4):
        person = making.patient(patient.pharmacy)
        making.dispense(making.prescription(person))
        making.follow(person, NOW)
    pharmacies.change_settings(pharmacy=patient.pharmacy, changes={"refill_lead_days": 5}, by=manager, now=at(1))
    assert summaries.refresh_outdated(now=at(1), seconds=0) == 0
    assert summaries.refresh_outdated(now=at(1)) == 5


def test_another_pharmacys_plans_stay_as_they_are(patient, supply, change):
    other = making.patient()
    making.dispense(making.prescription(other))
    making.follow(other, NOW)
    change(at(1), refill_lead_days=5)
    assert calls(other)[0] == ("refill_due", 21) and ReminderPlan.objects.filter(patient=other).count() == 1


def test_a_dispense_after_the_change_is_planned_with_it_and_is_not_behind(patient, manager):
    pharmacies.change_settings(pharmacy=patient.pharmacy, changes={"refill_lead_days": 5}, by=manager, now=NOW)
    making.dispense(making.prescription(patient))
    making.follow(patient, NOW)
    assert summaries.refresh_outdated(now=NOW) == 0 and calls(patient)[0] == ("refill_due", 23)


def test_one_plan_that_cannot_be_made_again_keeps_no_other_from_it(patient, supply, manager, caplog):
    others = [making.patient(patient.pharmacy) for _ in range(3)]
    for other in others:
        making.dispense(making.prescription(other))
        making.follow(other, NOW)
    make.change_past_actions(making.Prescription.objects.filter(patient=patient), strength_mg=None)
    make.change_past_actions(
        making.Dispense.objects.filter(pk=supply.pk), strength_mg=0
    )  # tablets of which nobody can count the mg
    pharmacies.change_settings(pharmacy=patient.pharmacy, changes={"refill_lead_days": 5}, by=manager, now=at(1))
    assert summaries.refresh_outdated(now=at(1)) == 3
    assert "could not be counted again" in caplog.text and str(patient.pk) not in caplog.text
    assert CountedTherapy.objects.get(patient=patient).timing_version == 1


@pytest.mark.django_db(transaction=True)
def test_a_patient_whose_record_is_being_changed_is_left_for_the_next_tick(patient, supply, manager):
    pharmacies.change_settings(pharmacy=patient.pharmacy, changes={"refill_lead_days": 5}, by=manager, now=at(1))
    is_locked, release = threading.Event(), threading.Event()

    def hold():
        with transaction.atomic():
            Patient.objects.select_for_update().get(pk=patient.pk)
            is_locked.set()
            release.wait(20)
        connection.close()

    other = threading.Thread(target=hold)
    other.start()
    try:
        assert is_locked.wait(20) and summaries.refresh_outdated(now=at(1)) == 0
    finally:
        release.set()
        other.join()
    assert summaries.refresh_outdated(now=at(1)) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("clock", [tasks.tick_reminders, lambda: call_command("reminders", "run", "--once")])
def test_every_clock_plans_again_and_counts_it(patient, supply, manager, clock):
    pharmacies.change_settings(pharmacy=patient.pharmacy, changes={"refill_lead_days": 5}, by=manager, now=at(1))
    Reminder.objects.all().delete()  # nothing is due, whatever the day on which this runs
    clock()
    assert summaries.refresh_outdated(now=at(1)) == 0
    assert CountedTherapy.objects.get().timing_version == 2
    assert EngineCounter.objects.get(name="planned-again").count == 1


# --- the patient moves, or speaks another language -----------------------------------------------------------------------


@pytest.fixture
def technician(patient):
    return Actor("user:8", "Tia Technician", Role.TECHNICIAN, patient.pharmacy_id, user_id=8)


def test_a_patient_who_moves_is_called_in_the_morning_of_where_they_live(patient, supply, technician):
    patients.update_facts(patient=patient, changes={}, time_zone="America/New_York", by=technician, now=at(1))
    assert in_force(patient)[0].due_at == datetime(2026, 12, 13, 15, tzinfo=UTC)
    patients.update_facts(patient=patient, changes={}, time_zone="", by=technician, now=at(2))
    assert in_force(patient)[0].due_at == datetime(2026, 12, 13, 10, tzinfo=UTC)


def test_a_move_that_is_rolled_back_moves_nothing(patient, supply, technician):
    with pytest.raises(RuntimeError), transaction.atomic():
        patients.update_facts(patient=patient, changes={}, time_zone="Asia/Tokyo", by=technician, now=at(1))
        raise RuntimeError
    assert in_force(patient)[0].tz_name == "Europe/London"


def test_facts_that_decide_nothing_about_time_plan_nothing_again(patient, supply, technician):
    patients.update_facts(patient=patient, changes={"egfr": 44}, language="es", by=technician, now=at(1))
    assert ReminderPlan.objects.get().version == 1


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "europe/london", "x" * 64])
def test_a_zone_that_is_none_changes_nothing(patient, supply, technician, zone):
    with pytest.raises(InvalidInput, match="time zone"):
        patients.update_facts(patient=patient, changes={"egfr": 44}, time_zone=zone, by=technician, now=at(1))
    patient.refresh_from_db()
    assert (patient.egfr, patient.time_zone, ReminderPlan.objects.get().version) == (None, "", 1)


def claimed(patient):
    row = Reminder.objects.get(patient=patient, kind=ReminderKind.REFILL_DUE, plan__ended_at=None)
    lease = {"state": S.LEASED, "lease_token": row.public_id, "lease_until": at(22), "due_at": at(21, 10)}
    Reminder.objects.filter(pk=row.pk).update(**lease)
    return row


def test_what_a_worker_has_read_in_the_old_language_is_read_again(patient, supply, technician):
    row = claimed(patient)
    patients.choose_language(patient=patient, language="ar", by=technician, now=at(21))
    row.refresh_from_db()
    assert (row.state, row.lease_token) == (S.SCHEDULED, None)


def test_choosing_the_same_language_again_leaves_no_trace(patient, supply, technician):
    row = claimed(patient)
    patients.choose_language(patient=patient, language="en", by=technician, now=at(21))
    row.refresh_from_db()
    assert row.state == S.LEASED and not AuditEntry.objects.filter(action="patient.changed").exists()


def test_a_change_of_language_and_zone_stands_in_the_log_with_both_values(patient, supply, technician):
    patients.update_facts(
        patient=patient, changes={}, language="fr", time_zone="Europe/Paris", by=technician, now=at(1)
    )
    entry = AuditEntry.objects.get(pharmacy=patient.pharmacy_id, action="patient.changed")
    with audit.reading(patient.pharmacy):
        changed = json.loads(AuditBody.objects.get(entry_id=entry.pk).body)["changed"]
    assert changed == {"language": {"from": "en", "to": "fr"}, "time_zone": {"from": "", "to": "Europe/Paris"}}


def test_after_an_update_that_counts_otherwise_every_patient_is_counted_again_on_the_same_day(patient, supply):
    other = making.patient(patient.pharmacy, given_name="Noa")  # of whom nothing is counted yet
    assert not CountedTherapy.objects.filter(patient=other).exists()
    assert summaries.refresh_outdated(now=NOW) == 0
    update = importlib.import_module("dispensary.migrations.0040_count_therapies_again")
    make.run_as_owner(update.UNCOUNTED, ())
    assert summaries.refresh_outdated(now=NOW) == Patient.objects.count() > 1
    assert CountedTherapy.objects.get(patient=patient).counted_on == NOW.date()
    assert list(summaries.check_summaries(now=NOW)) == []
