"""The withdrawal-risk list, and the work that comes of it."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from baclofen_rules.therapy import RiskLevel
from dispensary import reminders
from dispensary.actions import summaries, worklist
from dispensary.assessment import therapy_of
from dispensary.errors import Conflict, InvalidInput, NotFound
from dispensary.models import Patient, Resolution, Withdrawal, WorklistItem, WorkState
from dispensary.reminders.risk_list import open_risk_work
from tests.baclofen_rules.therapy.reading import CASES
from tests.dispensary import make
from tests.dispensary.reminders import making
from tests.dispensary.worked_cases import write_case

pytestmark = pytest.mark.django_db
NOW = making.NOON
DAY = timedelta(days=1)


@pytest.fixture
def shop():
    return making.pharmacy()


@pytest.fixture
def by(shop):
    return making.pharmacist(shop)


def supplied(shop, *, days=28, phases=((("20", "20", "20"), None),), then_stop=None, family="Canary"):
    person = making.patient(shop, family_name=family)
    dispense = making.dispense(making.prescription(person, phases, then_stop=then_stop), days=days)
    making.follow(person, NOW)
    return person, dispense


def at_risk(shop, after_days):
    return reminders.withdrawal_risk(pharmacy=shop, now=NOW + after_days * DAY)


@pytest.mark.parametrize(
    ("day", "level"),
    [
        (25, None),
        (26, RiskLevel.SOON),
        (28, RiskLevel.TODAY),
        (29, RiskLevel.OVERDUE),
        (118, RiskLevel.OVERDUE),
        (119, None),
    ],
)
def test_a_supply_appears_two_days_before_it_ends_and_leaves_ninety_days_after(shop, day, level):
    supplied(shop)
    assert [risk.level for risk in at_risk(shop, day)] == ([level] if level else [])


@pytest.mark.parametrize(
    ("day", "words"),
    [
        (26, "Tablets for 2 days, today among them"),
        (27, "Tablets for today only"),
        (28, "The tablets are not enough for today: withdrawal may begin"),
        (29, "Without tablets for 1 day: withdrawal may have begun"),
    ],
)
def test_the_words_count_the_days_as_the_patient_does(shop, day, words):
    supplied(shop)
    [risk] = at_risk(shop, day)
    assert risk.words == words


def test_the_reason_names_dose_days_and_kind_of_course(shop):
    supplied(shop)
    [risk] = at_risk(shop, 30)
    assert risk.words == "Without tablets for 2 days: withdrawal may have begun"
    assert risk.reason == "60 mg a day, maintenance, supply to 19 Dec 2026, not collected"


def test_a_taper_says_so_and_counts_the_dose_of_its_day(shop):
    supplied(shop, days=14, phases=making.TAPER, then_stop=True)
    [risk] = at_risk(shop, 15)
    assert risk.tapering and risk.reason.startswith("25 mg a day, during a taper")


def test_a_course_that_ends_with_its_supply_is_no_risk(shop):
    supplied(shop, days=28, phases=making.TAPER, then_stop=True)
    assert at_risk(shop, 30) == []


def test_worst_first_the_longest_without_then_the_highest_dose(shop):
    supplied(shop, days=28, family="Two")
    supplied(shop, days=26, family="One")
    supplied(shop, days=28, phases=((("30", "30", "30"), None),), family="High")
    assert [risk.patient.family_name for risk in at_risk(shop, 29)] == ["One", "High", "Two"]


def test_no_answer_about_messages_hides_anybody(shop):
    person, _ = supplied(shop)
    making.reachable(person, answer="no")
    assert len(at_risk(shop, 29)) == 1


def test_the_dead_the_stopped_and_another_pharmacys_are_not_on_it(shop):
    supplied(making.pharmacy(name="Elsewhere"))
    dead, _ = supplied(shop)
    make.change_past_actions(Patient.objects.filter(pk=dead.pk), died_on=NOW.date())
    making.follow(dead, NOW, Withdrawal.PATIENT_DIED)
    stopped, dispense = supplied(shop)
    making.stop(dispense.prescription, NOW + DAY)
    making.follow(stopped, NOW + DAY, Withdrawal.PRESCRIPTION_STOPPED)
    assert at_risk(shop, 29) == []


def test_a_stop_above_five_mg_is_watched_for_seven_days(shop):
    person, dispense = supplied(shop)
    making.stop(dispense.prescription, NOW + 3 * DAY)
    making.follow(person, NOW + 3 * DAY, Withdrawal.PRESCRIPTION_STOPPED)
    assert [len(at_risk(shop, day)) for day in (3, 9, 10)] == [1, 1, 0]
    [risk] = at_risk(shop, 5)
    assert (risk.level, risk.words) == (RiskLevel.STOPPED, "Stopped 2 days ago: watch for withdrawal")
    assert risk.reason == "60 mg a day, maintenance, stopped on 25 Nov 2026"


def test_a_supply_recorded_from_elsewhere_that_has_ended_is_on_it_without_an_order(shop):
    person = making.patient(shop)
    making.record_elsewhere(person, days=28, at=NOW - 30 * DAY, doses=("20", "20", "20"))
    making.follow(person, NOW, Withdrawal.SUPPLY_RECORDED)
    [risk] = at_risk(shop, 0)
    assert (risk.level, risk.days_without, risk.prescription_id) == (RiskLevel.OVERDUE, 2, None)
    assert risk.mg_per_day == 60


def test_a_dose_as_needed_is_not_listed_for_the_regular_one_beside_it(shop):
    """The regular dose lasts; of the one as needed nobody said that it is taken regularly."""
    case = next(case for case in CASES if case["id"] == "T16")
    patient, day = making.patient(shop), date(2026, 12, 14)
    supply = {"id": "s2", "on": case["today"], "order": "B", "tablets": case["ask"]["give"], "status": "given"}
    write_case({**case, "supplies": [*case["supplies"], supply], "decisions": case["ask"]["answer"]}, patient)
    summaries.refresh_summary(patient=patient, therapy=therapy_of(patient, day))
    assert {row.first_uncovered_on for row in patient.therapy_summary.all()} >= {date(2026, 12, 15)}
    assert reminders.withdrawal_risk(pharmacy=shop, now=datetime.combine(day, time(12), UTC)) == []


def test_the_list_takes_as_many_queries_for_ten_as_for_one(shop, django_assert_max_num_queries):
    for _ in range(10):
        supplied(shop)
    with django_assert_max_num_queries(3):
        assert len(at_risk(shop, 29)) == 10


# --- as work ----------------------------------------------------------------------------------------------------------


def test_a_supply_that_has_ended_becomes_work_once(shop):
    supplied(shop)
    assert (open_risk_work(now=NOW + 27 * DAY), open_risk_work(now=NOW + 28 * DAY)) == (0, 1)
    assert open_risk_work(now=NOW + 29 * DAY) == 0
    assert "60 mg a day" in WorklistItem.objects.get().reason


def test_after_a_call_it_is_asked_about_again_only_after_two_days(shop, by):
    supplied(shop)
    later = NOW + 29 * DAY
    open_risk_work(now=later)
    item = WorklistItem.objects.get()
    worklist.resolve_work(item_id=item.pk, resolution=Resolution.CALLED, note="has tablets left", by=by, now=later)
    assert open_risk_work(now=later + DAY) == 0
    assert open_risk_work(now=later + 3 * DAY) == 1


def test_a_collection_answers_the_work(shop, by):
    _, dispense = supplied(shop)
    later = NOW + 29 * DAY
    open_risk_work(now=later)
    making.dispense(dispense.prescription, at=later, number=2)
    making.follow(dispense.patient, later)
    assert WorklistItem.objects.get().resolution == "by-event"


@pytest.fixture
def item(shop, by):
    supplied(shop)
    open_risk_work(now=NOW + 29 * DAY)
    return WorklistItem.objects.get()


def test_work_can_be_put_off_with_a_reason(item, by):
    worklist.put_off_work(item_id=item.pk, until=NOW + DAY, note="calls back", by=by, now=NOW)
    item.refresh_from_db()
    assert (item.state, item.put_off_until) == (WorkState.PUT_OFF, date(2026, 11, 23))


def test_the_day_until_which_it_is_put_off_is_the_pharmacys():
    shop = making.pharmacy(time_zone="Pacific/Auckland")
    by = making.pharmacist(shop)
    supplied(shop)
    open_risk_work(now=NOW + 29 * DAY)
    item = WorklistItem.objects.get()
    worklist.put_off_work(item_id=item.pk, until=NOW + DAY, note="calls back", by=by, now=NOW)
    assert WorklistItem.objects.get().put_off_until == date(2026, 11, 24)


@pytest.mark.parametrize(("until", "note"), [(NOW, "why"), (NOW + 32 * DAY, "why"), (NOW + DAY, " ")])
def test_but_not_into_the_past_not_for_ever_and_not_without_a_reason(item, by, until, note):
    with pytest.raises(InvalidInput):
        worklist.put_off_work(item_id=item.pk, until=until, note=note, by=by, now=NOW)


def test_done_is_done_once(item, by):
    worklist.resolve_work(item_id=item.pk, resolution=Resolution.CALLED, by=by, now=NOW)
    with pytest.raises(Conflict):
        worklist.resolve_work(item_id=item.pk, resolution=Resolution.CALLED, by=by, now=NOW)


def test_nobody_claims_that_an_event_did_it(item, by):
    with pytest.raises(InvalidInput):
        worklist.resolve_work(item_id=item.pk, resolution=Resolution.BY_EVENT, by=by, now=NOW)


def test_another_pharmacys_work_is_as_absent_as_none(item):
    stranger = making.pharmacist(making.pharmacy(name="Elsewhere"))
    with pytest.raises(NotFound):
        worklist.resolve_work(item_id=item.pk, resolution=Resolution.CALLED, by=stranger, now=NOW)
