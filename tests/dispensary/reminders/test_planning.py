"""The reminders of a dispense are written with it, and withdrawn with the event that makes them untrue."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from dispensary import reminders
from dispensary.models import Pharmacy, Reminder, ReminderPlan, ReminderState, Withdrawal, WorklistItem
from dispensary.models.audit import AuditEntry
from dispensary.models.reminders import ReminderKind
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
NOW = making.NOON
DAY = timedelta(days=1)


@pytest.fixture
def patient():
    return making.patient()


@pytest.fixture
def by(patient):
    return making.pharmacist(patient.pharmacy)


def owed(patient, state=ReminderState.SCHEDULED):
    return list(Reminder.objects.filter(patient=patient, state=state).order_by("due_at"))


def plan(dispense, by, now=NOW):
    return reminders.plan_after_dispense(dispense=dispense, by=by, now=now)


def test_a_maintenance_dispense_owes_the_four_calls_around_its_run_out(patient, by):
    plan(making.dispense(making.prescription(patient)), by)
    assert [(r.kind, r.local_date) for r in owed(patient)] == [
        (ReminderKind.REFILL_DUE, date(2026, 12, 13)),
        (ReminderKind.REFILL_AGAIN, date(2026, 12, 18)),
        (ReminderKind.RUN_OUT, date(2026, 12, 20)),
        (ReminderKind.MISSED_COLLECTION, date(2026, 12, 22)),
    ]


def test_a_taper_owes_the_evening_before_each_change_and_its_last_day_and_no_refill(patient, by):
    plan(making.dispense(making.prescription(patient, making.TAPER, then_stop=True)), by)
    rows = owed(patient)
    assert [r.kind for r in rows] == [ReminderKind.DOSE_CHANGE] * 3 + [ReminderKind.LAST_DAY]
    assert rows[0].due_at == datetime(2026, 11, 28, 17, tzinfo=UTC)
    assert rows[0].params == {
        "date": "2026-11-29",
        "before": ["10", "10", "10"],
        "after": ["10", "5", "10"],
        "strength": "10",
    }
    assert rows[-1].local_date == date(2026, 12, 19)


def test_a_second_supply_of_a_taper_counts_its_phases_from_the_first(patient, by):
    order = making.prescription(patient, making.TAPER, then_stop=True)
    making.dispense(order, days=14)
    later = NOW + 13 * DAY
    second = making.dispense(order, days=14, at=later, number=2, starts_on=date(2026, 12, 6))
    plan(second, by, later)
    assert [(r.kind, r.params["date"]) for r in owed(patient)] == [
        (ReminderKind.DOSE_CHANGE, "2026-12-06"),
        (ReminderKind.DOSE_CHANGE, "2026-12-13"),
        (ReminderKind.LAST_DAY, "2026-12-19"),
    ]


def test_the_carried_over_supply_moves_the_calls(patient, by):
    plan(making.dispense(making.prescription(patient), days=28, run_out_on=date(2026, 12, 25)), by)
    assert owed(patient)[0].local_date == date(2026, 12, 18)


def test_the_patients_own_zone_decides_the_instant(by, patient):
    patient.time_zone = "America/New_York"
    patient.save()
    plan(making.dispense(making.prescription(patient)), by)
    assert owed(patient)[0].due_at == datetime(2026, 12, 13, 15, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "run_out", "local", "hours_from_utc"),
    [
        ("Europe/Berlin", date(2027, 3, 28), "03:30", 2),  # 02:30 does not exist
        ("Europe/Berlin", date(2026, 10, 25), "02:30", 2),  # 02:30 comes twice: the first
        ("Australia/Lord_Howe", date(2026, 10, 4), "02:30", 11),
        ("Antarctica/Troll", date(2027, 3, 28), "04:30", 2),  # a gap of two hours, from 01:00 to 03:00
    ],
)
def test_a_message_due_at_half_past_two_on_the_night_the_clocks_change_is_owed_once_at_a_sane_time(
    zone, run_out, local, hours_from_utc
):
    person = making.patient(
        making.pharmacy(quiet_from="00:00", quiet_until="00:00", time_zone=zone, message_at="02:30")
    )
    at = datetime.combine(run_out, time(12), UTC) - timedelta(days=28)
    dispense = making.dispense(making.prescription(person), at=at, starts_on=at.date(), run_out_on=run_out)
    reminders.plan_after_dispense(dispense=dispense, by=making.pharmacist(person.pharmacy), now=at)
    [owed] = Reminder.objects.filter(kind="run_out")
    there = owed.due_at.astimezone(ZoneInfo(zone))
    assert (there.date(), f"{there:%H:%M}", there.utcoffset()) == (run_out, local, timedelta(hours=hours_from_utc))
    assert owed.local_time == time(2, 30)  # the intent stays


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
def test_a_change_of_dose_is_told_on_the_day_before_it_whatever_the_quiet_hours(by, patient, quiet, leaves):
    Pharmacy.objects.update(quiet_from=quiet[0], quiet_until=quiet[1])
    plan(making.dispense(making.prescription(patient, making.TAPER, then_stop=True)), by)
    assert owed(patient)[0].due_at == leaves


def test_a_change_of_dose_whose_day_before_is_over_is_told_on_its_morning(by, patient):
    Pharmacy.objects.update(quiet_from=time(16), quiet_until=time(9))
    evening = NOW.replace(hour=19)
    plan(
        making.dispense(making.prescription(patient, ((("10",), 1), (("5",), 9)), then_stop=True), at=evening),
        by,
        evening,
    )
    assert owed(patient)[0].due_at == datetime(2026, 11, 23, 9, tzinfo=UTC)


TITRATION = ((("5", "5", "5"), 3), (("10", "10", "10"), 3), (("15", "15", "15"), None))


def test_a_titration_owes_the_evening_before_each_rise_with_both_doses_and_the_calls_of_its_supply(by, patient):
    plan(making.dispense(making.prescription(patient, TITRATION)), by)
    rises = [r for r in owed(patient) if r.kind == ReminderKind.DOSE_CHANGE]
    assert [(r.local_date, r.params["before"], r.params["after"]) for r in rises] == [
        (date(2026, 11, 24), ["5", "5", "5"], ["10", "10", "10"]),
        (date(2026, 11, 27), ["10", "10", "10"], ["15", "15", "15"]),
    ]
    assert [r.kind for r in owed(patient)][2:] == ["refill_due", "refill_again", "run_out", "missed_collection"]


def test_what_a_rise_says_is_both_doses_and_how_many_tablets_with_halves_in_words(by, patient):
    given = making.dispense(making.prescription(patient, TITRATION))
    told = [each.text for each in reminders.preview(dispense=given, detailed=True, now=NOW)]
    assert (
        "take 30 mg of baclofen a day instead of 15 mg: 1 tablet, then 1 tablet, then 1 tablet (10 mg tablets)"
        in told[0]
    )
    assert "take 45 mg of baclofen a day instead of 30 mg: 1 and a half tablets, then 1 and a half tablets" in told[1]


def test_planning_again_with_equal_facts_does_nothing(patient, by):
    dispense = making.dispense(making.prescription(patient))
    first = plan(dispense, by)
    assert plan(dispense, by, NOW + timedelta(hours=1)) == first
    assert ReminderPlan.objects.count() == 1 and Reminder.objects.count() == 4


def test_changed_quiet_hours_make_a_new_plan_of_the_same_dispense(patient, by):
    plan(making.dispense(making.prescription(patient)), by)
    patient.pharmacy.message_at = time(11)
    patient.pharmacy.save()
    reminders.plan_again(patient=patient, by=by, now=NOW)
    assert {r.local_time for r in owed(patient)} == {time(11)}
    assert ReminderPlan.objects.get(version=1).ended_reason == Withdrawal.FACTS_CHANGED


def test_the_next_dispense_withdraws_what_the_last_one_owed(patient, by):
    order = making.prescription(patient)
    plan(making.dispense(order), by)
    later = NOW + 22 * DAY
    plan(making.dispense(order, at=later, number=2, starts_on=date(2026, 12, 20)), by, later)
    assert len(owed(patient, ReminderState.WITHDRAWN)) == 4
    assert owed(patient)[0].local_date == date(2027, 1, 10)


def test_what_a_worker_has_claimed_is_withdrawn_too_and_loses_its_lease(patient, by):
    plan(making.dispense(making.prescription(patient)), by)
    claimed = owed(patient)[0]
    Reminder.objects.filter(pk=claimed.pk).update(
        state=ReminderState.LEASED, lease_token=claimed.public_id, lease_until=NOW + DAY
    )
    withdrawn = reminders.withdraw_for(patient=patient, reason=Withdrawal.PATIENT_DIED, by=by, now=NOW)
    claimed.refresh_from_db()
    assert withdrawn.count == 4 and claimed.state == ReminderState.WITHDRAWN and claimed.lease_token is None


def test_what_is_on_its_way_cannot_be_recalled_and_is_named(patient, by):
    plan(making.dispense(making.prescription(patient)), by)
    going = owed(patient)[0]
    Reminder.objects.filter(pk=going.pk).update(
        state=ReminderState.LEASED, lease_token=going.public_id, lease_until=NOW + DAY, sending_since=NOW
    )
    withdrawn = reminders.withdraw_for(patient=patient, reason=Withdrawal.PATIENT_DIED, by=by, now=NOW)
    assert withdrawn == reminders.Withdrawn(3, (going.pk,))


def test_stopping_a_prescription_withdraws_what_its_dispense_owed(patient, by):
    order, reason = making.prescription(patient), Withdrawal.PRESCRIPTION_STOPPED
    plan(making.dispense(order), by)
    assert reminders.withdraw_for(prescription=order, reason=reason, by=by, now=NOW).count == 4
    assert ReminderPlan.objects.get().ended_reason == reason


def test_stopping_another_prescription_withdraws_nothing(patient, by):
    plan(making.dispense(making.prescription(patient)), by)
    other = making.prescription(patient)
    assert reminders.withdraw_for(
        prescription=other, reason=Withdrawal.PRESCRIPTION_STOPPED, by=by, now=NOW
    ) == reminders.Withdrawn(0, ())
    assert len(owed(patient)) == 4


@pytest.fixture
def two_courses(patient, by):
    """Maintenance for 56 days, and a day later two weeks of something more that ends by itself."""
    maintenance = making.prescription(patient)
    plan(making.dispense(maintenance, days=56, run_out_on=date(2027, 1, 17)), by)
    extra = making.prescription(patient, phases=((("5",), 14),), then_stop=True)
    later = NOW + DAY
    plan(
        making.dispense(extra, days=14, at=later, starts_on=date(2026, 11, 23), run_out_on=date(2026, 12, 7)), by, later
    )
    return maintenance, extra


def kinds(patient):
    return sorted(reminder.kind for reminder in owed(patient))


def test_a_short_course_beside_a_longer_one_does_not_make_its_run_out_forgotten(two_courses, patient):
    assert ReminderPlan.objects.filter(patient=patient, ended_at__isnull=True).count() == 2
    assert kinds(patient) == ["last_day", "missed_collection", "refill_again", "refill_due", "run_out"]


def test_each_of_two_courses_ends_with_its_own_prescription(two_courses, patient, by):
    maintenance, extra = two_courses
    type(extra).objects.filter(pk=extra.pk).update(status="stopped", ended_at=NOW + DAY)
    reminders.withdraw_for(prescription=extra, reason=Withdrawal.PRESCRIPTION_STOPPED, by=by, now=NOW + DAY)
    assert kinds(patient) == ["missed_collection", "refill_again", "refill_due", "run_out"]
    reminders.withdraw_for(prescription=maintenance, reason=Withdrawal.PRESCRIPTION_STOPPED, by=by, now=NOW + DAY)
    assert kinds(patient) == []


def test_a_death_ends_both(two_courses, patient, by):
    withdrawn = reminders.withdraw_for(patient=patient, reason=Withdrawal.PATIENT_DIED, by=by, now=NOW + DAY)
    assert withdrawn.count == 5 and not owed(patient)


def test_planning_two_courses_again_ends_neither(two_courses, patient, by):
    Pharmacy.objects.filter(pk=patient.pharmacy_id).update(message_at=time(11))
    assert len(reminders.plan_again(patient=patient, by=by, now=NOW + DAY)) == 2
    assert len(owed(patient)) == 5


def test_a_supply_that_lasts_longer_ends_both_of_the_earlier(two_courses, patient, by):
    later = NOW + 2 * DAY
    plan(making.dispense(making.prescription(patient), at=later, days=70, run_out_on=date(2027, 2, 1)), by, later)
    assert ReminderPlan.objects.filter(patient=patient, ended_at__isnull=True).count() == 1


@pytest.mark.parametrize("days_left", [0, 5], ids=["on the same day", "first"])
def test_a_supply_of_another_prescriber_that_runs_out_earlier_is_watched_beside_the_new_one(patient, by, days_left):
    earlier = making.prescription(patient)
    plan(making.dispense(earlier, run_out_on=date(2026, 12, 20) - days_left * DAY), by)
    beside = making.prescription(patient, phases=((("5", "5", "5"), None),), by="D2")
    plan(making.dispense(beside, run_out_on=date(2026, 12, 20)), by)
    assert kinds(patient).count("run_out") == 2


def test_a_supply_of_another_prescriber_is_watched_when_the_new_order_is_repeated(patient, by):
    plan(making.dispense(making.prescription(patient), run_out_on=date(2026, 12, 20)), by)
    beside = making.prescription(patient, phases=((("5", "5", "5"), None),), by="D2")
    plan(making.dispense(beside, run_out_on=date(2026, 12, 6)), by)
    later = NOW + 10 * DAY
    plan(
        making.dispense(beside, number=2, at=later, starts_on=date(2026, 12, 6), run_out_on=date(2027, 1, 3)), by, later
    )
    assert sorted(r.local_date for r in owed(patient) if r.kind == "run_out") == [date(2026, 12, 20), date(2027, 1, 3)]


def test_one_prescriber_who_raises_the_dose_is_not_reminded_of_the_old_tablets(patient, by):
    plan(making.dispense(making.prescription(patient), run_out_on=date(2026, 12, 10)), by)
    higher = making.prescription(patient, phases=((("15", "15", "15"), None),))
    plan(making.dispense(higher, run_out_on=date(2026, 12, 20)), by)
    assert [r.local_date for r in owed(patient) if r.kind == "run_out"] == [date(2026, 12, 20)]


def test_a_supply_of_another_prescriber_that_has_run_out_stays_watched_when_the_other_order_is_repeated(patient, by):
    plan(making.dispense(making.prescription(patient), run_out_on=date(2026, 11, 30)), by)
    beside = making.prescription(patient, phases=((("5", "5", "5"), None),), by="D2")
    plan(making.dispense(beside, run_out_on=date(2026, 12, 6)), by)
    later = NOW + 10 * DAY
    plan(
        making.dispense(beside, number=2, at=later, starts_on=date(2026, 12, 6), run_out_on=date(2027, 1, 3)), by, later
    )
    assert ReminderPlan.objects.filter(ended_at=None, run_out_on=date(2026, 11, 30)).exists()


def test_stopping_a_course_lets_the_supply_that_it_replaced_count_again_while_it_lasts(patient, by):
    plan(making.dispense(making.prescription(patient), days=28, run_out_on=date(2026, 12, 20)), by)
    newer, later = making.prescription(patient), NOW + DAY
    plan(making.dispense(newer, days=28, at=later, run_out_on=date(2026, 12, 21)), by, later)
    reminders.withdraw_for(prescription=newer, reason=Withdrawal.PRESCRIPTION_STOPPED, by=by, now=later)
    assert {reminder.local_date for reminder in owed(patient) if reminder.kind == "run_out"} == {date(2026, 12, 20)}


def test_a_returned_supply_lets_the_supply_before_it_count_again(patient, by):
    order = making.prescription(patient)
    first = making.dispense(order, days=28)
    plan(first, by)
    second = making.dispense(order, days=28, number=2, starts_on=date(2026, 12, 20))
    plan(second, by)
    type(second).objects.filter(pk=second.pk).update(status="returned", ended_at=NOW)
    reminders.withdraw_for(dispense=second, reason=Withdrawal.DISPENSE_RETURNED, by=by, now=NOW)
    assert ReminderPlan.objects.get(ended_at=None).dispense == first
    assert owed(patient)[0].local_date == date(2026, 12, 13)


# --- an order is replaced by another ----------------------------------------------------------------------------------


def replaced(old, by, at, new=None):
    """Replace an order by a newer one."""
    type(old).objects.filter(pk=old.pk).update(status="replaced", ended_at=at)
    new = new or making.prescription(old.patient, replaces=old)
    reminders.withdraw_for(prescription=old, reason=Withdrawal.PRESCRIPTION_REPLACED, by=by, now=at)
    return new


def test_the_tablets_at_home_end_on_their_day_though_their_order_was_replaced(patient, by):
    old = making.prescription(patient)
    plan(making.dispense(old), by)
    replaced(old, by, NOW + DAY)
    assert kinds(patient) == ["missed_collection", "refill_again", "refill_due", "run_out"]
    assert ReminderPlan.objects.get(version=1).ended_reason == Withdrawal.PRESCRIPTION_REPLACED


def test_the_changes_of_dose_of_an_order_that_was_replaced_are_no_longer_announced(patient, by):
    old = making.prescription(patient, making.TAPER, then_stop=True)
    plan(making.dispense(old), by)
    replaced(old, by, NOW + DAY)
    assert kinds(patient) == ["missed_collection", "refill_again", "refill_due", "run_out"]
    assert {r.local_date for r in owed(patient) if r.kind == "run_out"} == {date(2026, 12, 20)}


def test_a_patient_who_does_not_collect_the_new_order_comes_onto_the_risk_list(patient, by):
    old = making.prescription(patient, making.TAPER, then_stop=True)
    plan(making.dispense(old), by)
    replaced(old, by, NOW + DAY)
    (risk,) = reminders.withdrawal_risk(pharmacy=patient.pharmacy, now=NOW + 30 * DAY)
    assert (risk.patient, risk.days_without) == (patient, 2)


def test_what_waits_for_somebody_at_risk_goes_on_waiting_when_an_order_is_replaced(patient, by):
    old = making.prescription(patient)
    plan(making.dispense(old), by)
    WorklistItem.objects.create(
        pharmacy=patient.pharmacy, patient=patient, kind="withdrawal-risk", reason="r", opened_at=NOW, due_by=NOW
    )
    replaced(old, by, NOW + 29 * DAY)
    assert WorklistItem.objects.get().state == "open"


def test_a_taper_that_was_over_when_it_was_replaced_stays_over(patient, by):
    old = making.prescription(patient, making.TAPER, then_stop=True)
    plan(making.dispense(old), by)
    replaced(old, by, NOW + 28 * DAY)
    assert kinds(patient) == [] and not reminders.withdrawal_risk(pharmacy=patient.pharmacy, now=NOW + 30 * DAY)


def test_what_was_said_before_the_order_was_replaced_is_not_said_again(patient, by):
    old = making.prescription(patient)
    plan(making.dispense(old), by)
    Reminder.objects.filter(kind="refill_due").update(state=ReminderState.SENT)
    replaced(old, by, NOW + 22 * DAY)
    assert kinds(patient) == ["missed_collection", "refill_again", "run_out"]


@pytest.mark.parametrize("orders", [1, 3])
def test_the_hand_over_of_the_new_order_ends_what_the_old_one_still_owed(patient, by, orders):
    """Also where an order in between was never handed over, and where the old tablets would have lasted longer."""
    old = making.prescription(patient)
    plan(making.dispense(old, days=56, run_out_on=date(2027, 1, 17)), by)
    newest = old
    for _ in range(orders):
        newest = replaced(newest, by, NOW + DAY)
    later = NOW + 2 * DAY
    plan(making.dispense(newest, at=later, starts_on=date(2026, 11, 24)), by, later)
    assert {r.local_date for r in owed(patient) if r.kind == "run_out"} == {date(2026, 12, 22)}
    assert ReminderPlan.objects.filter(patient=patient, ended_at=None).count() == 1


def test_another_short_course_does_not_end_what_a_replaced_order_still_owes(patient, by):
    old = making.prescription(patient)
    plan(making.dispense(old, days=56, run_out_on=date(2027, 1, 17)), by)
    replaced(old, by, NOW + DAY)
    later = NOW + 2 * DAY
    extra = making.prescription(patient, phases=((("5",), 14),), then_stop=True)
    plan(making.dispense(extra, days=14, at=later), by, later)
    assert "run_out" in kinds(patient)


def test_stopping_the_new_order_ends_what_the_one_before_it_still_owed(patient, by):
    old = making.prescription(patient)
    plan(making.dispense(old), by)
    new = replaced(old, by, NOW + DAY)
    type(new).objects.filter(pk=new.pk).update(status="stopped", ended_at=NOW + DAY)
    reminders.withdraw_for(prescription=new, reason=Withdrawal.PRESCRIPTION_STOPPED, by=by, now=NOW + DAY)
    assert kinds(patient) == []


def test_the_new_supply_comes_back_and_the_old_tablets_count_again(patient, by):
    old = making.prescription(patient)
    plan(making.dispense(old), by)
    new = replaced(old, by, NOW + DAY)
    later = NOW + 2 * DAY
    supply = making.dispense(new, at=later, starts_on=date(2026, 12, 20))
    plan(supply, by, later)
    type(supply).objects.filter(pk=supply.pk).update(status="returned", ended_at=later)
    reminders.withdraw_for(dispense=supply, reason=Withdrawal.DISPENSE_RETURNED, by=by, now=later)
    assert {r.local_date for r in owed(patient) if r.kind == "run_out"} == {date(2026, 12, 20)}


def test_settings_that_change_after_an_order_was_replaced_bring_no_change_of_dose_back(patient, by):
    old = making.prescription(patient, making.TAPER, then_stop=True)
    plan(making.dispense(old), by)
    replaced(old, by, NOW + DAY)
    Pharmacy.objects.filter(pk=patient.pharmacy_id).update(message_at=time(11))
    reminders.plan_again(patient=patient, by=by, now=NOW + 2 * DAY)
    assert kinds(patient) == ["missed_collection", "refill_again", "refill_due", "run_out"]


def test_nothing_is_planned_for_somebody_who_has_died(patient, by):
    patient.died_on = date(2026, 11, 20)
    patient.save()
    assert plan(making.dispense(making.prescription(patient)), by) is None
    assert not Reminder.objects.exists()


def test_a_new_dispense_answers_the_work_that_waited_for_it(patient, by):
    order = making.prescription(patient)
    plan(making.dispense(order), by)
    WorklistItem.objects.create(
        pharmacy=patient.pharmacy, patient=patient, kind="withdrawal-risk", reason="r", opened_at=NOW, due_by=NOW
    )
    later = NOW + 30 * DAY
    plan(making.dispense(order, at=later, number=2), by, later)
    assert WorklistItem.objects.get().resolution == "by-event"


def test_a_rolled_back_dispense_leaves_no_reminder(patient, by):
    dispense = making.dispense(making.prescription(patient))

    class Refused(Exception):
        pass

    with pytest.raises(Refused), transaction.atomic():
        plan(dispense, by)
        raise Refused
    assert not Reminder.objects.exists() and not ReminderPlan.objects.exists()


def test_a_withdrawal_is_told_in_the_log_with_its_reason(patient, by):
    plan(making.dispense(making.prescription(patient)), by)
    reminders.withdraw_for(patient=patient, reason=Withdrawal.PATIENT_DIED, by=by, now=NOW)
    entry = AuditEntry.objects.get(pharmacy=patient.pharmacy.pk)
    assert (entry.action, entry.reason_code) == ("reminder.withdrawn", "patient-died")


def test_withdraw_for_wants_exactly_one_of_its_three(patient, by):
    with pytest.raises(ValueError, match="exactly one"):
        reminders.withdraw_for(reason=Withdrawal.PATIENT_DIED, by=by, now=NOW)


def test_the_cost_of_planning_does_not_grow_with_the_course(patient, by, django_assert_max_num_queries):
    dispense = making.dispense(making.prescription(patient, making.TAPER, then_stop=True))
    with django_assert_max_num_queries(12):
        plan(dispense, by)


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
        Pharmacy.objects.filter(pk=patient.pharmacy_id).update(**slip)


@pytest.mark.parametrize(
    "habit",
    [
        {"quiet_from": time(14), "quiet_until": time(8)},
        {"quiet_from": time(0), "quiet_until": time(18)},
        {"quiet_from": time(9), "quiet_until": time(9)},
        {"refill_lead_days": 60, "second_call_days": 1},
    ],
)
def test_what_the_database_keeps_stops_no_dispense(patient, by, habit):
    Pharmacy.objects.filter(pk=patient.pharmacy_id).update(**habit)
    patient.refresh_from_db()
    plan(making.dispense(making.prescription(patient)), by)
    assert owed(patient)
