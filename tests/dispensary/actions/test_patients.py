"""Patients: registered once, facts checked as the rule book checks them, every change in the log."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from dispensary import audit
from dispensary.actions import dispenses, patients, prescribers
from dispensary.actions.corrections import correct_identity
from dispensary.assessment import assess
from dispensary.errors import Conflict, InvalidInput, NotAllowed, Stale
from dispensary.models import Patient, Reminder, ReminderState, StaffRole
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db


def register(shop, by, **changes):
    who = {"identifier": "P1", "family_name": "Okafor", "given_name": "Ada", "now": NOW}
    return patients.register(pharmacy=shop, by=by, **(who | changes))


def test_what_is_not_told_is_unknown(shop, technician):
    person = register(shop, technician)
    assert person.egfr is None
    assert person.medicines is None
    assert person.sex == "unknown"


def test_a_number_is_given_once(shop, technician):
    register(shop, technician)
    with pytest.raises(Conflict, match="already registered"):
        register(shop, technician)
    assert Patient.objects.count() == 1


def test_the_same_number_may_exist_at_another_pharmacy(shop, technician):
    register(shop, technician)
    other = make.pharmacy("Elsewhere")
    register(other, make.staff(other).actor())
    assert Patient.objects.count() == 2


@pytest.mark.parametrize(
    ("facts", "path"),
    [
        ({"weight_kg": -3}, "patient.weight_kg"),
        ({"weight_kg": True}, "patient.weight_kg"),
        ({"egfr": "NaN"}, "patient.egfr"),
        ({"birth_date": "1800-01-01"}, "patient.birth_date"),
        ({"birth_date": "2999-01-01"}, "patient.birth_date"),
        ({"dialysis": "yes"}, "patient.dialysis"),
        ({"medicines": "aspirin"}, "patient.medicines"),
        ({"shoe_size": 44}, "patient.shoe_size"),
        ({"age_years": 40}, "patient.age_years"),
    ],
)
def test_a_fact_that_cannot_be_read_is_refused_with_its_place(shop, technician, facts, path):
    with pytest.raises(InvalidInput) as caught:
        register(shop, technician, facts=facts)
    assert caught.value.problems[0].field == path
    assert not Patient.objects.exists()


@pytest.mark.parametrize(
    ("birth_date", "weight_kg", "is_taken"),
    [
        ("2021-10-30", 440, False),
        ("2021-10-30", 90, True),
        ("2021-10-30", "90.5", False),
        ("2021-10-30", 5, True),
        ("2021-10-30", "4.9", False),
        ("1968-02-17", 440, False),
        ("1968-02-17", 400, True),
        (None, 440, True),
    ],
)
def test_a_weight_that_is_not_possible_at_the_age_is_asked_back(shop, technician, birth_date, weight_kg, is_taken):
    facts = {"birth_date": birth_date, "weight_kg": weight_kg}
    if is_taken:
        assert register(shop, technician, facts=facts).weight_kg == Decimal(weight_kg)
        return
    with pytest.raises(InvalidInput, match="not possible at this age") as caught:
        register(shop, technician, facts=facts)
    problem = caught.value.problems[0]
    assert (problem.field, "pounds" in problem.next) == ("patient.weight_kg", True)


def test_a_birth_date_that_makes_a_recorded_weight_impossible_is_asked_back(shop, technician):
    person = register(shop, technician, facts={"weight_kg": 120})
    with pytest.raises(InvalidInput, match="not possible at this age"):
        patients.update_facts(patient=person, changes={"birth_date": "2021-10-30"}, by=technician, now=NOW)


def test_a_changed_fact_stands_in_the_log_with_its_old_value(shop, technician):
    person = register(shop, technician, facts={"egfr": 95})
    patients.update_facts(patient=person, changes={"egfr": 28, "pregnant": False}, version=1, by=technician, now=NOW)
    person.refresh_from_db()
    assert (person.egfr, person.version) == (Decimal(28), 2)
    line = audit.history(person, pharmacy=shop)[0]
    assert line.body["changed"]["egfr"] == {"from": "95", "to": "28"}


def test_a_fact_given_as_null_is_unknown_again(shop, technician):
    person = register(shop, technician, facts={"egfr": 95})
    assert patients.update_facts(patient=person, changes={"egfr": None}, by=technician, now=NOW).egfr is None


def test_whoever_saw_an_older_version_changes_nothing(shop, technician):
    person = register(shop, technician)
    patients.update_facts(patient=person, changes={"egfr": 95}, version=1, by=technician, now=NOW)
    with pytest.raises(Stale):
        patients.update_facts(patient=person, changes={"egfr": 20}, version=1, by=technician, now=NOW)
    person.refresh_from_db()
    assert person.egfr == Decimal(95)


def test_an_auditor_registers_nobody(shop):
    with pytest.raises(NotAllowed):
        register(shop, make.staff(shop, StaffRole.AUDITOR).actor())


def test_nobody_registers_at_another_pharmacy(shop, technician):
    with pytest.raises(NotAllowed):
        register(make.pharmacy("Elsewhere"), technician)


def test_a_death_ends_what_is_owed_and_what_can_be_taken_in(shop):
    pharmacist = make.staff(shop).actor()
    make.products()
    person = make.patient(shop)
    order = make.prescription(person)
    dispenses.dispense(prescription=order, quantity=order.quantity, pack=make.pack(), key="k", by=pharmacist, now=NOW)
    assert Reminder.objects.filter(patient=person, state=ReminderState.SCHEDULED).exists()
    patients.record_death(patient=person, died_on=date(2026, 11, 21), by=pharmacist, now=NOW)
    person.refresh_from_db()
    with pytest.raises(Conflict, match="died"):
        make.prescription(person)
    assert not Reminder.objects.filter(patient=person, state=ReminderState.SCHEDULED).exists()


AUCKLAND_MORNING = datetime(2026, 11, 22, 19, tzinfo=UTC)
"""08:00 on the 23rd at a pharmacy in Auckland."""
TODAY, TOMORROW = date(2026, 11, 23), date(2026, 11, 24)


def record_supply(person, day, by):
    supply = {"dispensed_on": day.isoformat(), "doses": [10], "days_supply": 28, "relation": "same-course"}
    patients.record_history(patient=person, supplies=[supply], by=by, now=AUCKLAND_MORNING)


def record_death(person, day, by):
    patients.record_death(patient=person, died_on=day, by=by, now=AUCKLAND_MORNING)


def correct_birth_date(person, day, by):
    correct_identity(patient=person, changes={"birth_date": day}, by=by, now=AUCKLAND_MORNING)


@pytest.mark.parametrize("step", [record_supply, record_death, correct_birth_date])
def test_the_day_of_the_pharmacy_is_today_and_the_day_after_is_refused(step):
    shop = make.pharmacy(time_zone="Pacific/Auckland", now=AUCKLAND_MORNING)
    by = make.staff(shop, now=AUCKLAND_MORNING).actor()
    facts = {} if step is correct_birth_date else {"birth_date": "1968-02-17"}
    person = register(shop, by, facts=facts, now=AUCKLAND_MORNING)
    with pytest.raises(InvalidInput):
        step(person, TOMORROW, by)
    step(Patient.objects.get(), TODAY, by)


def test_a_day_that_has_not_begun_at_the_pharmacy_is_refused():
    night = datetime(2026, 11, 24, 5, tzinfo=UTC)  # 19:00 on the 23rd in Honolulu
    shop = make.pharmacy(time_zone="Pacific/Honolulu", now=night)
    by = make.staff(shop, now=night).actor()
    person = register(shop, by, now=night)
    with pytest.raises(InvalidInput, match="future"):
        patients.record_death(patient=person, died_on=TOMORROW, by=by, now=night)


def test_looking_at_a_record_stands_in_the_log(shop, technician):
    person = register(shop, technician)
    patients.record_opening(patient=person, by=technician, now=NOW)
    assert [line.entry.action for line in audit.history(person, pharmacy=shop)] == [
        "patient.opened",
        "patient.registered",
    ]


def test_a_prescriber_is_found_again_by_number(shop, technician):
    made = make.prescriber(shop)
    again = prescribers.register_prescriber(
        pharmacy=shop, identifier="C1234567", name="Somebody Else", by=technician, now=NOW
    )
    assert again.pk == made.pk
    assert again.name == "Dr Grace Mwangi"


def test_a_new_egfr_loses_the_day_of_the_old_one(shop, technician):
    person = make.patient(shop, egfr_on="2026-03-01")
    assert person.egfr_on == date(2026, 3, 1)
    same = patients.update_facts(patient=person, changes={"egfr": 95}, by=technician, now=NOW)
    assert same.egfr_on == date(2026, 3, 1)
    newer = patients.update_facts(patient=same, changes={"egfr": 48}, by=technician, now=NOW)
    assert (newer.egfr, newer.egfr_on) == (48, None)
    dated = {"egfr": 50, "egfr_on": "2026-11-20"}
    assert patients.update_facts(patient=newer, changes=dated, by=technician, now=NOW).egfr_on == date(2026, 11, 20)


def test_a_fact_keeps_the_day_from_which_it_stands_in_the_record(shop, technician):
    person = register(shop, technician, facts={"medicines": [{"name": "quetiapine"}], "drives": True})
    later = NOW + timedelta(days=40)
    changes = {"medicines": [{"name": "quetiapine"}], "drives": False, "alcohol_use": True}
    person = patients.update_facts(patient=person, changes=changes, by=technician, now=later)
    first, second = NOW.date().isoformat(), later.date().isoformat()
    assert person.recorded_on == {"medicines": first, "drives": second, "alcohol_use": second}


def test_what_stood_in_the_record_at_the_last_hand_over_is_told_at_the_next(shop):
    pharmacist = make.staff(shop).actor()
    make.products()
    person = make.patient(shop, medicines=[{"name": "quetiapine", "atc": "N05AH04"}], now=NOW - timedelta(days=60))
    order = make.prescription(person, now=NOW, repeats=1)
    first = assess(order, on=NOW.date())
    make.hand_over(order, by=pharmacist, now=NOW)
    second = assess(order, on=NOW.date() + timedelta(days=28))
    code = "interaction-other-sedative"
    severities = [
        {finding.code: str(finding.severity) for finding in outcome.review.findings}[code]
        for outcome in (first, second)
    ]
    assert severities == ["acknowledge", "information"]
