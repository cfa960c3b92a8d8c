"""Rows become a case: nothing lost, nothing made up, the same bytes for the same rows."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from dispensary import assessment
from dispensary.actions import dispenses, patients, prescriptions
from dispensary.actors import Actor
from dispensary.errors import InvalidInput
from dispensary.models import Pharmacy, Source, StaffRole
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


def test_the_same_rows_give_the_same_bytes(shop):
    order = make.prescription(make.patient(shop))
    once, again = (assessment.assess(order, on=TODAY) for _ in range(2))
    assert (once.case_text, once.result_text) == (again.case_text, again.result_text)


def test_a_case_says_what_was_stored(shop):
    document = assessment.case_document(make.prescription(make.patient(shop)), on=TODAY, picked={"strength_mg": "10"})
    assert document["prescription"]["strength_mg"] == Decimal(10)
    assert document["picked"] == {"strength_mg": "10"}
    assert document["prescription"]["phases"] == [
        {"doses": [Decimal(5)] * 3, "unit": "mg", "days": 28, "from_day": None}
    ]


def test_phases_that_were_only_read_from_the_directions_are_left_to_be_read_again(shop):
    order = make.prescription(make.patient(shop), phases=None)
    assert order.phases_from_directions
    assert order.phases.count() == 1
    assert "phases" not in assessment.case_document(order, on=TODAY)["prescription"]


def test_directions_that_cannot_be_read_are_taken_in_and_stopped_there(shop):
    order = make.prescription(make.patient(shop), phases=None, directions="as directed")
    assert order.phases.count() == 0
    assert assessment.assess(order, on=TODAY).outcome == "stop"


def test_a_supply_of_ours_is_history_with_the_dose_of_today(shop, pharmacist):
    person = make.patient(shop)
    handed_over(person, pharmacist)
    (fill,) = assessment.history(person, on=TODAY + timedelta(days=10))
    assert fill["dispensed_on"] == "2026-11-22"
    assert fill["doses"] == [Decimal(5)] * 3
    assert (fill["days_supply"], fill["dose_since"], fill["relation"]) == (28, "2026-11-22", "same-course")


TITRATION = {
    "phases": [
        {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 3},
        {"doses": [10, 5, 5], "unit": "mg", "days": 3},
        {"doses": [10, 5, 10], "unit": "mg", "days": 22},
    ],
    "directions": "5 mg three times a day for 3 days, then 10 mg, 5 mg, 5 mg for 3 days, then 10 mg, 5 mg, 10 mg for 22 days",
    "quantity": Decimal("65.5"),
}


@pytest.mark.parametrize(
    ("day", "sum_mg", "since"),
    [
        (1, 15, "2026-11-22"),
        (3, 15, "2026-11-22"),
        (4, 20, "2026-11-25"),
        (7, 25, "2026-11-28"),
        (40, 25, "2026-11-28"),
    ],
)
def test_on_a_titration_the_dose_of_the_day_counts_and_since_when(shop, pharmacist, day, sum_mg, since):
    person = make.patient(shop)
    order = make.prescription(person, **TITRATION)
    open_now = [q.code for q in assessment.assess(order, on=TODAY).questions() if q.severity == "acknowledge"]
    result = dispenses.dispense(
        prescription=order,
        quantity=order.quantity,
        pack=make.pack(),
        acknowledged=open_now,
        key="k",
        by=pharmacist,
        now=NOW,
    )
    assert not isinstance(result, dispenses.Refused), result
    (fill,) = assessment.history(person, on=TODAY + timedelta(days=day - 1))
    assert sum(fill["doses"]) == sum_mg
    assert fill["dose_since"] == since


def test_a_refill_in_time_reaches_back_to_when_the_dose_began(shop, pharmacist):
    person = make.patient(shop)
    handed_over(person, pharmacist)
    later = NOW + timedelta(days=24)
    handed_over(person, pharmacist, now=later, key="second", written_on="2026-12-15")
    assert [fill["dose_since"] for fill in assessment.history(person, on=later.date())] == ["2026-11-22", "2026-11-22"]


def test_a_refill_after_a_gap_begins_anew(shop, pharmacist):
    person = make.patient(shop)
    handed_over(person, pharmacist)
    later = NOW + timedelta(days=29)
    order = make.prescription(person, now=later, written_on="2026-12-20")
    asked = [q.code for q in assessment.assess(order, on=later.date()).questions() if q.severity == "acknowledge"]
    assert "late-refill" in asked
    dispenses.dispense(
        prescription=order,
        quantity=order.quantity,
        pack=make.pack(),
        acknowledged=asked,
        key="2",
        by=pharmacist,
        now=later,
    )
    assert [fill["dose_since"] for fill in assessment.history(person, on=later.date())] == ["2026-11-22", "2026-12-21"]


def test_a_repeat_by_the_same_prescriber_goes_on_with_an_order_that_is_still_active(shop, pharmacist):
    person = make.patient(shop)
    handed_over(person, pharmacist, repeats=1)
    other = make.prescription(person)
    assert [fill["relation"] for fill in assessment.history(person, on=TODAY, leading_to=other)] == ["same-course"]
    codes = [q.code for q in assessment.assess(other, on=TODAY).questions()]
    assert "early-refill" in codes
    assert "duplicate-supply" not in codes


def test_a_supply_on_the_order_that_this_one_replaces_is_the_same_course(shop, pharmacist):
    person = make.patient(shop)
    first = handed_over(person, pharmacist, repeats=1)
    replacing = prescriptions.receive(
        pharmacy=shop,
        patient=person,
        prescriber=make.prescriber(shop),
        order=make.CLEAN_ORDER,
        source=Source.CASE,
        document={},
        replaces=first.prescription,
        by=pharmacist,
        now=NOW,
    ).prescription
    assert [fill["relation"] for fill in assessment.history(person, on=TODAY, leading_to=replacing)] == ["same-course"]
    first.prescription.refresh_from_db()
    assert first.prescription.status == "replaced"


def test_what_others_supplied_counts_as_history(shop):
    person = make.patient(shop)
    supply = {
        "dispensed_on": "2026-10-25",
        "dose": 10,
        "times_per_day": 3,
        "days_supply": 28,
        "relation": "same-course",
    }
    system = Actor.system("setup", shop.pk)
    patients.record_history(patient=person, supplies=[supply], by=system, now=NOW)
    assert patients.record_history(patient=person, supplies=[supply], by=system, now=NOW) == []
    (fill,) = assessment.history(person, on=TODAY)
    assert fill["doses"] == [Decimal(10)] * 3


def test_a_returned_supply_is_no_history(shop, pharmacist):
    person = make.patient(shop)
    dispenses.return_(dispense=handed_over(person, pharmacist), reason="brought back", by=pharmacist, now=NOW)
    assert assessment.history(person, on=TODAY) == []


def test_the_day_is_the_pharmacys_own(shop):
    away = Pharmacy(time_zone="Pacific/Auckland")
    assert away.local_day(NOW.replace(hour=12)) == date(2026, 11, 23)


def test_a_profile_that_does_not_exist_is_said_clearly(shop):
    shop.profile = "no-such"
    with pytest.raises(InvalidInput, match="profile"):
        assessment.profile_of(shop, TODAY)
