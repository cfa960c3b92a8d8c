"""Rows become a case: nothing lost, nothing made up, the same bytes for the same rows."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from dispensary import assessment
from dispensary.actions import dispenses, patients
from dispensary.errors import InvalidInput
from dispensary.models import Namesake, Patient, Pharmacy, StaffRole
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

TODAY = NOW.date()


@pytest.fixture
def shop():
    make.products()
    return make.pharmacy()


@pytest.fixture
def pharmacist(shop):
    return make.staff(shop, StaffRole.PHARMACIST).actor()


def handed_over(of, by, now=NOW, key="k", **changes):
    order = make.prescription(of, now=now, **changes)
    result = dispenses.dispense(
        prescription=order, quantity=order.quantity, pack=make.pack(), acknowledged=[], key=key, by=by, now=now
    )
    assert not isinstance(result, dispenses.Refused), result
    return result


@pytest.mark.parametrize(("records", "counted"), [(1000, 1000), (1001, 1000)])
def test_more_namesakes_than_a_case_may_count_are_its_most(shop, records, counted):
    order = make.prescription(make.patient(shop))
    others = [Patient(pharmacy=shop, identifier=f"N{n}", family_name="Okafor") for n in range(records)]
    Patient.objects.bulk_create(others)
    Namesake.objects.bulk_create(Namesake(patient=order.patient, other=other, noticed_at=NOW) for other in others)
    assert assessment.assess(order, on=TODAY).case.record.potential_duplicates == counted


def test_an_unknown_fact_stays_unknown(shop):
    person = make.patient(shop, egfr=None, medicines=None)
    facts = assessment.facts_document(person)
    assert facts["egfr"] is None
    assert facts["medicines"] is None
    assert facts["dialysis"] is False


@pytest.mark.parametrize(
    ("sex", "recorded", "expected"),
    [
        ("male", None, False),
        ("male", True, True),
        ("female", None, None),
        ("other", None, None),
        ("unknown", None, None),
    ],
)
def test_only_somebody_recorded_as_male_is_not_asked_about_pregnancy(shop, sex, recorded, expected):
    person = make.patient(shop, sex=sex, pregnant=recorded, breastfeeding=recorded)
    facts = assessment.case_document(make.prescription(person), on=TODAY)["patient"]
    assert (facts["pregnant"], facts["breastfeeding"]) == (expected, expected)
    record = assessment.facts_document(person)  # what the log and the API say is what was recorded
    assert (record["pregnant"], record["breastfeeding"]) == (recorded, recorded)


@pytest.mark.parametrize(
    ("born", "recorded", "expected"),
    [
        (date(2016, 11, 23), None, False),  # 9 years old
        (date(2016, 11, 22), None, None),
        (date(1970, 11, 23), None, None),
        (date(1970, 11, 22), None, False),  # 56 years old
        (date(1970, 11, 22), True, True),
        (None, None, None),
    ],
)
def test_children_and_older_women_are_not_asked_about_pregnancy(shop, born, recorded, expected):
    person = make.patient(
        shop, sex="female", birth_date=born and born.isoformat(), pregnant=recorded, breastfeeding=recorded
    )
    facts = assessment.case_document(make.prescription(person), on=date(2026, 11, 22))["patient"]
    assert (facts["pregnant"], facts["breastfeeding"]) == (expected, expected)


def test_a_repeat_says_what_was_answered_at_the_last_hand_over(shop, pharmacist):
    person = make.patient(shop, conditions=["epilepsy"])
    first = make.prescription(person)
    (asked,) = [q for q in assessment.assess(first, on=TODAY).questions() if q.code == "condition"]
    result = dispenses.dispense(
        prescription=first,
        quantity=first.quantity,
        pack=make.pack(),
        acknowledged=["condition"],
        key="k",
        by=pharmacist,
        now=NOW,
    )
    assert not isinstance(result, dispenses.Refused), result
    later = TODAY + timedelta(days=28)
    repeat = make.prescription(person, now=NOW + timedelta(days=27))
    document = assessment.case_document(repeat, on=later)
    assert document["answered"] == [
        {
            "code": "condition",
            "fingerprint": asked.fingerprint,
            "on": TODAY.isoformat(),
            "severity": "acknowledge",
            "observed": dict(asked.finding.observed),
        }
    ]
    (eased,) = [q for q in assessment.assess(repeat, on=later).questions() if q.code == "condition"]
    assert (eased.severity, eased.detail.split(". ")[-1]) == ("information", f"Answered on {TODAY}.")


def test_an_answer_of_a_cancelled_hand_over_does_not_count(shop, pharmacist):
    person = make.patient(shop, drives=True)
    first = make.prescription(person)
    result = dispenses.dispense(
        prescription=first,
        quantity=first.quantity,
        pack=make.pack(),
        acknowledged=["driving"],
        key="k",
        by=pharmacist,
        now=NOW,
    )
    dispenses.cancel(dispense=result, reason="wrong patient", by=pharmacist, now=NOW + timedelta(minutes=5))
    assert assessment.case_document(make.prescription(person), on=TODAY)["answered"] == []


def test_the_same_rows_give_the_same_bytes(shop):
    order = make.prescription(make.patient(shop))
    once, again = (assessment.assess(order, on=TODAY) for _ in range(2))
    assert (once.case_text, once.result_text) == (again.case_text, again.result_text)


def test_a_case_says_what_was_stored(shop):
    document = assessment.case_document(make.prescription(make.patient(shop)), on=TODAY, picked={"strength_mg": "10"})
    (product,) = document["orders"][0]["products"]
    assert product["strength_mg"] == Decimal(10)
    assert document["ask"]["picked"] == [{"strength_mg": "10"}]
    assert product["phases"] == [{"doses": [Decimal(5)] * 3, "unit": "mg", "days": 28, "from_day": None}]


def test_phases_that_were_only_read_from_the_directions_are_left_to_be_read_again(shop):
    order = make.prescription(make.patient(shop), phases=None)
    assert order.phases_from_directions
    assert order.phases.count() == 1
    (ordered,) = assessment.case_document(order, on=TODAY)["orders"]
    assert (ordered["products"][0]["phases"], ordered["directions"]) == (None, order.directions)


def test_directions_that_cannot_be_read_are_taken_in_and_stopped_there(shop):
    order = make.prescription(make.patient(shop), phases=None, directions="as directed")
    assert order.phases.count() == 0
    assert assessment.assess(order, on=TODAY).outcome == "stop"


def test_the_day_is_the_pharmacys_own(shop):
    away = Pharmacy(time_zone="Pacific/Auckland")
    assert away.local_day(NOW.replace(hour=12)) == date(2026, 11, 23)


def test_a_profile_that_does_not_exist_is_said_clearly(shop):
    shop.profile = "no-such"
    with pytest.raises(InvalidInput, match="profile"):
        assessment.profile_of(shop, TODAY)


def test_a_dose_taken_every_day_that_becomes_as_needed_is_asked_about_once(shop, pharmacist):
    person, as_needed = make.patient(shop), {"as_needed": True, "directions": "5 mg up to three times a day as needed"}
    supply = {"dispensed_on": str(TODAY - timedelta(days=27)), "dose": 5, "times_per_day": 3, "strength_mg": 10}
    supply |= {"days_supply": 28, "dose_since": str(TODAY - timedelta(days=90)), "relation": "same-course"}
    patients.record_history(patient=person, supplies=[supply], by=pharmacist, now=NOW)
    first = make.prescription(person, **as_needed)
    questions = assessment.assess(first, on=TODAY).questions()
    assert ("as-needed-instead", "acknowledge") in [(question.code, question.severity) for question in questions]
    make.hand_over(first, pharmacist)
    later = NOW + timedelta(days=27)
    again = assessment.assess(make.prescription(person, now=later, **as_needed), on=later.date()).questions()
    assert "as-needed-instead" not in [question.code for question in again]
