"""Messages that a dispense makes owing are written with it, and withdrawn with what makes it untrue."""

import json
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from dispensary import audit, reminders
from dispensary.assessment import therapy_of
from dispensary.loading import read_record
from dispensary.models import Pharmacy, Reminder, ReminderPlan, ReminderState, Withdrawal, WorklistItem
from dispensary.models.audit import AuditBody, AuditEntry
from dispensary.models.reminders import ReminderKind
from tests.dispensary import make
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
NOW = making.NOON
DAY = timedelta(days=1)


@pytest.fixture
def patient():
    return making.patient()


def owed(patient, state=ReminderState.SCHEDULED):
    return list(Reminder.objects.filter(patient=patient, state=state).order_by("due_at"))


def plan(dispense, now=NOW):
    return making.follow(dispense.patient, now)


def test_a_maintenance_dispense_owes_the_four_calls_around_its_run_out(patient):
    plan(making.dispense(making.prescription(patient)))
    assert [(r.kind, r.local_date) for r in owed(patient)] == [
        (ReminderKind.REFILL_DUE, date(2026, 12, 13)),
        (ReminderKind.REFILL_AGAIN, date(2026, 12, 18)),
        (ReminderKind.RUN_OUT, date(2026, 12, 19)),
        (ReminderKind.MISSED_COLLECTION, date(2026, 12, 22)),
    ]


def test_a_taper_owes_the_evening_before_each_change_and_its_last_day_and_no_refill(patient):
    plan(making.dispense(making.prescription(patient, making.TAPER, then_stop=True)))
    rows = owed(patient)
    a_step = [ReminderKind.DOSE_CHANGE, ReminderKind.CHANGE_DAY, ReminderKind.STEP_CHECK]
    assert [r.kind for r in rows] == a_step * 3 + [ReminderKind.LAST_DAY, ReminderKind.AFTER_END]
    assert rows[0].due_at == datetime(2026, 11, 28, 17, tzinfo=UTC)
    assert rows[0].params == {
        "date": "2026-11-29",
        "before": ["10", "10", "10"],
        "after": ["10", "5", "10"],
        "strength": "10",
    }
    assert [r.local_date for r in rows[-2:]] == [date(2026, 12, 19), date(2026, 12, 23)]
    assert {r.params["date"] for r in rows[-2:]} == {"2026-12-19"}


def test_a_second_supply_of_a_taper_counts_its_phases_from_the_first(patient):
    order = making.prescription(patient, making.TAPER, then_stop=True)
    making.dispense(order, days=14)
    later = NOW + 13 * DAY
    plan(making.dispense(order, days=14, at=later, number=2, skipped=14), later)
    announced = [r for r in owed(patient) if r.kind in {ReminderKind.DOSE_CHANGE, ReminderKind.LAST_DAY}]
    assert [(r.kind, r.params["date"]) for r in announced] == [
        (ReminderKind.DOSE_CHANGE, "2026-12-06"),
        (ReminderKind.DOSE_CHANGE, "2026-12-13"),
        (ReminderKind.LAST_DAY, "2026-12-19"),
    ]


def test_the_carried_over_supply_moves_the_calls(patient):
    order = making.prescription(patient)
    making.dispense(order, days=5, at=NOW - 2 * DAY)
    plan(making.dispense(order, number=2))
    assert owed(patient)[0].local_date == date(2026, 12, 16)


def test_the_patients_own_zone_decides_the_instant(patient):
    patient.time_zone = "America/New_York"
    make.save_past_actions(patient, "time_zone")
    plan(making.dispense(making.prescription(patient)))
    assert owed(patient)[0].due_at == datetime(2026, 12, 13, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "night", "local", "hours_from_utc"),
    [
        ("Europe/Berlin", date(2027, 3, 28), "03:30", 2),  # 02:30 does not exist
        ("Europe/Berlin", date(2026, 10, 25), "02:30", 2),  # 02:30 comes twice: the first
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:30", 11),
        ("Antarctica/Troll", date(2027, 3, 28), "04:30", 2),  # a gap of two hours, from 01:00 to 03:00
    ],
)
def test_a_message_due_at_half_past_two_on_the_night_the_clocks_change_is_owed_once_at_a_sane_time(
    zone, night, local, hours_from_utc
):
    person = making.patient(
        making.pharmacy(quiet_from="00:00", quiet_until="00:00", time_zone=zone, message_at="02:30")
    )
    at = datetime.combine(night, time(0), ZoneInfo(zone)) - timedelta(days=26)
    plan(making.dispense(making.prescription(person, received_at=at), at=at), at)
    [reminder] = Reminder.objects.filter(kind="refill_again")
    there = reminder.due_at.astimezone(ZoneInfo(zone))
    assert (there.date(), f"{there:%H:%M}", there.utcoffset()) == (night, local, timedelta(hours=hours_from_utc))
    assert reminder.local_time == time(2, 30)  # the intent stays


@pytest.mark.parametrize(
    ("quiet", "leaves"),
    [
        ((time(20), time(9)), datetime(2026, 11, 28, 17, tzinfo=UTC)),
        (
            (time(16), time(9)),
            datetime(2026, 11, 28, 15, 45, tzinfo=UTC),
        ),  # not the morning after: the dose is taken by then
        ((time(14), time(8)), datetime(2026, 11, 28, 13, 45, tzinfo=UTC)),
        ((time(0), time(18)), datetime(2026, 11, 28, 18, tzinfo=UTC)),  # later on the same day is the day before, too
    ],
)
def test_a_change_of_dose_is_told_on_the_day_before_it_whatever_the_quiet_hours(patient, quiet, leaves):
    make.change_past_actions(Pharmacy.objects.all(), quiet_from=quiet[0], quiet_until=quiet[1])
    plan(making.dispense(making.prescription(patient, making.TAPER, then_stop=True)))
    assert owed(patient)[0].due_at == leaves


def test_a_change_of_dose_whose_day_before_is_over_is_told_on_its_morning(patient):
    make.change_past_actions(Pharmacy.objects.all(), quiet_from=time(16), quiet_until=time(9))
    evening = NOW.replace(hour=19)
    plan(
        making.dispense(making.prescription(patient, ((("10",), 1), (("5",), 9)), then_stop=True), at=evening),
        evening,
    )
    assert owed(patient)[0].due_at == datetime(2026, 11, 23, 9, tzinfo=UTC)


TITRATION = ((("5", "5", "5"), 3), (("10", "10", "10"), 3), (("15", "15", "15"), None))


def test_a_titration_owes_the_evening_before_each_rise_with_both_doses_and_the_calls_of_its_supply(patient):
    plan(making.dispense(making.prescription(patient, TITRATION)))
    rises = [r for r in owed(patient) if r.kind == ReminderKind.DOSE_CHANGE]
    assert [(r.local_date, r.params["before"], r.params["after"]) for r in rises] == [
        (date(2026, 11, 24), ["5", "5", "5"], ["10", "10", "10"]),
        (date(2026, 11, 27), ["10", "10", "10"], ["15", "15", "15"]),
    ]
    assert [r.kind for r in owed(patient)] == ["dose_change", "change_day"] * 2 + [
        "refill_due",
        "refill_again",
        "run_out",
        "missed_collection",
    ]


def test_what_a_rise_says_is_both_doses_and_how_many_tablets_with_halves_in_words(patient):
    making.dispense(making.prescription(patient, TITRATION))
    therapy = therapy_of(patient, NOW.date())
    previews = reminders.preview(therapy=therapy, patient=patient, detailed=True, now=NOW)
    texts = [message.text for message in previews if message.kind is ReminderKind.DOSE_CHANGE]
    assert (
        "take 30 mg of baclofen a day instead of 15 mg: morning 1 tablet, midday 1 tablet, evening 1 tablet (10 mg"
        in texts[0]
    )
    assert "45 mg of baclofen a day instead of 30 mg: morning 1 and a half tablets, midday 1 and a half" in texts[1]


def test_planning_again_with_equal_facts_does_nothing(patient):
    dispense = making.dispense(making.prescription(patient))
    first = plan(dispense)
    assert plan(dispense, NOW + timedelta(hours=1)) == first
    assert ReminderPlan.objects.count() == 1 and Reminder.objects.count() == 4


def test_changed_hours_make_a_new_plan(patient):
    plan(making.dispense(making.prescription(patient)))
    patient.pharmacy.message_at = time(11)
    make.save_past_actions(patient.pharmacy, "message_at")
    making.follow(patient, NOW, Withdrawal.FACTS_CHANGED)
    assert {r.local_time for r in owed(patient) if r.kind != "run_out"} == {time(11)}
    assert ReminderPlan.objects.get(version=1).ended_reason == Withdrawal.FACTS_CHANGED


def test_the_next_dispense_withdraws_what_the_last_one_owed(patient):
    order = making.prescription(patient)
    plan(making.dispense(order))
    later = NOW + 22 * DAY
    plan(making.dispense(order, at=later, number=2), later)
    assert len(owed(patient, ReminderState.WITHDRAWN)) == 4
    assert owed(patient)[0].local_date == date(2027, 1, 10)


def die(patient, now=NOW):
    make.change_past_actions(type(patient).objects.filter(pk=patient.pk), died_on=now.date())
    return making.follow(patient, now, Withdrawal.PATIENT_DIED)


def test_what_a_worker_has_claimed_is_withdrawn_too_and_loses_its_lease(patient):
    plan(making.dispense(making.prescription(patient)))
    claimed = owed(patient)[0]
    Reminder.objects.filter(pk=claimed.pk).update(
        state=ReminderState.LEASED, lease_token=claimed.public_id, lease_until=NOW + DAY
    )
    assert die(patient) is None
    claimed.refresh_from_db()
    assert len(owed(patient, ReminderState.WITHDRAWN)) == 4 and claimed.lease_token is None


def test_what_is_on_its_way_cannot_be_recalled_and_is_counted(patient):
    plan(making.dispense(making.prescription(patient)))
    going = owed(patient)[0]
    Reminder.objects.filter(pk=going.pk).update(
        state=ReminderState.LEASED, lease_token=going.public_id, lease_until=NOW + DAY, sending_since=NOW
    )
    die(patient)
    assert len(owed(patient, ReminderState.WITHDRAWN)) == 3 and len(owed(patient, ReminderState.LEASED)) == 1
    assert entry_body(patient, "reminder.withdrawn") == {"withdrawn": 3, "already_on_their_way": 1}


def entry_body(patient, action):
    entry = AuditEntry.objects.get(pharmacy=patient.pharmacy_id, action=action)
    with audit.reading(patient.pharmacy):
        body = json.loads(AuditBody.objects.get(entry_id=entry.pk).body)
    return {name: body[name] for name in ("withdrawn", "already_on_their_way")}


@pytest.fixture
def two_courses(patient):
    """Maintenance for 56 days, and another prescriber's two weeks beside it that end by themselves."""
    maintenance = making.prescription(patient)
    extra = making.prescription(patient, phases=((("5",), 14),), then_stop=True, by="D2")
    making.dispense(maintenance, days=56)
    making.dispense(extra, days=14)
    making.decide(extra, "beside", maintenance)
    making.follow(patient, NOW)
    return maintenance, extra


def kinds(patient):
    return sorted(reminder.kind for reminder in owed(patient))


CALLS = ["missed_collection", "refill_again", "refill_due", "run_out"]


def test_two_courses_are_owed_their_messages_in_one_plan(two_courses, patient):
    assert ReminderPlan.objects.filter(patient=patient, ended_at__isnull=True).count() == 1
    # The end of the smaller is a change of the day's dose, and no last day: the other goes on.
    assert kinds(patient) == sorted(["dose_change", "change_day", "step_check", *CALLS])


def test_each_of_two_courses_ends_with_its_own_stop(two_courses, patient):
    maintenance, extra = two_courses
    making.stop(extra, NOW + DAY)
    making.follow(patient, NOW + DAY, Withdrawal.PRESCRIPTION_STOPPED)
    assert kinds(patient) == sorted([*CALLS, "step_check"]), "less is taken from that day on"
    making.stop(maintenance, NOW + DAY)
    making.follow(patient, NOW + DAY, Withdrawal.PRESCRIPTION_STOPPED)
    assert kinds(patient) == []
    assert {plan.ended_reason for plan in ReminderPlan.objects.filter(patient=patient)} == {
        Withdrawal.PRESCRIPTION_STOPPED
    }


def test_both_run_outs_are_owed_of_supplies_of_which_nobody_knows_how_they_stand(patient):
    making.dispense(making.prescription(patient), days=28)
    making.dispense(making.prescription(patient, phases=((("5", "5", "5"), None),), by="D2"), days=14)
    making.follow(patient, NOW)
    assert sorted(r.params["date"] for r in owed(patient) if r.kind == "run_out") == ["2026-12-06", "2026-12-20"]


def test_a_message_of_equal_kind_and_day_is_owed_once(patient):
    for prescriber in ("D1", "D2"):
        making.dispense(making.prescription(patient, by=prescriber, phases=((("10", "10", "10"), None),)))
    making.follow(patient, NOW)
    assert kinds(patient) == CALLS


def test_a_raised_dose_withdraws_the_calls_about_the_old_tablets(patient):
    plan(making.dispense(making.prescription(patient), days=18))
    plan(making.dispense(making.prescription(patient, phases=((("15", "15", "15"), None),)), at=NOW + DAY), NOW + DAY)
    assert [r.params["date"] for r in owed(patient) if r.kind == "run_out"] == ["2026-12-21"]


def test_a_returned_supply_lets_the_supply_before_it_count_again(patient):
    order = making.prescription(patient)
    making.dispense(order, days=28)
    second = making.dispense(order, days=28, number=2)
    plan(second)
    type(second).objects.filter(pk=second.pk).update(status="returned", ended_at=NOW)
    making.follow(patient, NOW, Withdrawal.DISPENSE_RETURNED)
    assert owed(patient)[0].local_date == date(2026, 12, 13)


def test_a_cancelled_order_leaves_what_its_tablets_make_owing(patient):
    order = making.prescription(patient)
    plan(making.dispense(order))
    type(order).objects.filter(pk=order.pk).update(status="cancelled", ended_at=NOW)
    making.follow(patient, NOW, Withdrawal.PRESCRIPTION_CANCELLED)
    assert kinds(patient) == CALLS and ReminderPlan.objects.count() == 1


def test_the_tablets_at_home_end_on_their_day_though_their_order_was_replaced(patient):
    old = making.prescription(patient)
    plan(making.dispense(old))
    type(old).objects.filter(pk=old.pk).update(status="replaced", ended_at=NOW + DAY)
    new = making.prescription(patient, replaces=old)
    making.follow(patient, NOW + DAY, Withdrawal.PRESCRIPTION_REPLACED)
    assert {r.params["date"] for r in owed(patient) if r.kind == "run_out"} == {"2026-12-20"}
    later = NOW + 2 * DAY
    plan(making.dispense(new, at=later, days=14), later)
    assert {r.params["date"] for r in owed(patient) if r.kind == "run_out"} == {"2027-01-03"}


def test_a_supply_recorded_from_elsewhere_owes_the_same_calls(patient):
    making.record_elsewhere(patient, days=28)
    making.follow(patient, NOW, Withdrawal.SUPPLY_RECORDED)
    assert kinds(patient) == CALLS


def test_as_needed_owes_one_call(patient):
    plan(making.dispense(making.prescription(patient, as_needed=True)))
    assert kinds(patient) == ["refill_due"]


def test_nothing_is_planned_for_somebody_who_has_died(patient):
    patient.died_on = date(2026, 11, 20)
    make.save_past_actions(patient, "died_on")
    assert plan(making.dispense(making.prescription(patient))) is None
    assert not Reminder.objects.exists()


def test_a_new_dispense_answers_the_work_that_waited_for_it(patient):
    order = making.prescription(patient)
    plan(making.dispense(order))
    WorklistItem.objects.create(
        pharmacy=patient.pharmacy, patient=patient, kind="withdrawal-risk", reason="r", opened_at=NOW, due_by=NOW
    )
    later = NOW + 30 * DAY
    plan(making.dispense(order, at=later, number=2), later)
    assert WorklistItem.objects.get().resolution == "by-event"


def test_a_rolled_back_dispense_leaves_no_reminder(patient):
    dispense = making.dispense(making.prescription(patient))

    class Refused(Exception):
        pass

    with pytest.raises(Refused), transaction.atomic():
        plan(dispense)
        raise Refused
    assert not Reminder.objects.exists() and not ReminderPlan.objects.exists()


def test_a_withdrawal_is_told_in_the_log_with_its_reason(patient):
    plan(making.dispense(making.prescription(patient)))
    die(patient)
    entry = AuditEntry.objects.get(pharmacy=patient.pharmacy.pk, action="reminder.withdrawn")
    assert entry.reason_code == "patient-died"


def test_the_cost_of_planning_does_not_grow_with_the_course(patient, django_assert_max_num_queries):
    making.dispense(making.prescription(patient, making.TAPER, then_stop=True))
    therapy, by = therapy_of(patient, NOW.date()), making.pharmacist(patient.pharmacy)
    newest = read_record(patient.pk).plan
    with django_assert_max_num_queries(4):
        reminders.plan_messages(therapy=therapy, patient=patient, newest=newest, by=by, now=NOW)


@pytest.mark.parametrize(
    "slip",
    [
        {"quiet_from": time(1), "quiet_until": time(0)},
        {"quiet_from": time(14), "quiet_until": time(8, 1)},
        {"quiet_from": time(0), "quiet_until": time(18, 1)},
        {"refill_lead_days": 61},
        {"refill_lead_days": 2, "second_call_days": 0},
    ],
)
def test_the_database_keeps_no_setting_that_the_planner_would_not_accept(patient, slip):
    with pytest.raises(IntegrityError), transaction.atomic():
        make.change_past_actions(Pharmacy.objects.filter(pk=patient.pharmacy_id), **slip)


@pytest.mark.parametrize(
    "habit",
    [
        {"quiet_from": time(14), "quiet_until": time(8)},
        {"quiet_from": time(0), "quiet_until": time(18)},
        {"quiet_from": time(9), "quiet_until": time(9)},
        {"refill_lead_days": 60, "second_call_days": 1},
    ],
)
def test_what_the_database_keeps_stops_no_dispense(patient, habit):
    make.change_past_actions(Pharmacy.objects.filter(pk=patient.pharmacy_id), **habit)
    patient.refresh_from_db()
    plan(making.dispense(making.prescription(patient)))
    assert owed(patient)
