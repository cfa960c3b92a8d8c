"""Unknown facts of a patient are asked fact by fact on the check page, and stored with its day."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.assessment import assess
from dispensary.models import Override, Prescription, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.counter.test_check import check, counter, handed, order, pharmacist

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db
UNKNOWN: dict[str, Any] = {"alcohol_use": None, "pregnant": None, "medicines": None}


def asked_on(prescription: Prescription, **later: int) -> list[str]:
    """Return the facts that are asked today, or some days later."""
    fresh = Prescription.objects.get(pk=prescription.pk)
    return list(assess(fresh, on=timezone.now().date() + timedelta(**later)).facts_to_ask())


def test_each_missing_fact_is_asked_once_and_nothing_is_preselected(counter: Client, pharmacist: StaffMember) -> None:
    page = counter.get(check(order(pharmacist, patient=UNKNOWN))).content.decode()
    assert "Ask the patient (3)" in page and "Hand over without knowing" not in page
    assert page.count('name="fact-pregnant"') == 3 and not re.search(r"<input[^>]* checked", page)
    assert "Save the answers: dispense 42 tablets" in page


def test_without_an_answer_nothing_is_handed_over_and_what_was_answered_is_kept(
    counter: Client, pharmacist: StaffMember
) -> None:
    prescription = order(pharmacist, patient=UNKNOWN)
    page = handed(counter, prescription, **{"fact-alcohol_use": "no"})
    assert page.status_code == 422 and not prescription.dispenses.exists()
    assert [line.target for line in page.context["errors"]] == ["id_fact-pregnant_0", "id_fact-medicines_0"]
    assert 'id="id_fact-alcohol_use_1" name="fact-alcohol_use" value="no" checked' in page.content.decode()


def test_answers_are_stored_with_their_day_and_the_tablets_handed_over_in_one_press(
    counter: Client, pharmacist: StaffMember
) -> None:
    prescription = order(pharmacist, patient=UNKNOWN)
    answers = {"fact-alcohol_use": "no", "fact-pregnant": "no", "fact-medicines": "none"}
    assert handed(counter, prescription, **answers).status_code == 302
    patient = prescription.patient
    patient.refresh_from_db()
    assert (patient.alcohol_use, patient.pregnant, patient.medicines) == (False, False, [])
    today = timezone.now().date().isoformat()
    assert {patient.recorded_on[name] for name in UNKNOWN} == {today}
    assert prescription.dispenses.count() == 1 and not Override.objects.exists()


def test_what_is_not_known_is_said_and_asked_again_when_its_time_is_over(
    counter: Client, pharmacist: StaffMember
) -> None:
    prescription = order(pharmacist, patient={"alcohol_use": None, "pregnant": None})
    answers = {"answer": "1", "fact-alcohol_use": "unknown", "fact-pregnant": "unknown"}
    assert counter.post(check(prescription), answers).status_code == 302
    page = counter.get(check(prescription)).content.decode()
    assert "Asked and not known: pregnant" in page and "has anything to say" not in page
    (changed,) = (
        line
        for line in audit.history(prescription.patient, pharmacy=pharmacist.pharmacy)
        if line.entry.action == "patient.changed"
    )
    assert sorted(changed.body["not_known"]) == ["alcohol_use", "pregnant"]
    assert asked_on(prescription, days=27) == []
    assert asked_on(prescription, days=28) == ["pregnant"]
    assert asked_on(prescription, days=180) == ["pregnant", "alcohol_use"]


def not_known(prescription: Prescription) -> list[str]:
    """Return the summaries of what a pharmacist acknowledges because nobody knows it."""
    fresh = Prescription.objects.get(pk=prescription.pk)
    return [q.summary for q in assess(fresh, on=timezone.now().date()).questions() if q.code == "not-known"]


def test_a_start_with_a_grave_fact_unknown_waits_for_a_pharmacist(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, patient={"pregnant": None, "drives": None})
    technician = make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN)
    counter.force_login(technician.user)
    answers = {"fact-pregnant": "unknown", "fact-drives": "unknown"}
    page = handed(counter, prescription, **answers)
    assert page.status_code == 422 and not prescription.dispenses.exists()
    assert not_known(prescription) == ["Not known: pregnant"]
    refused = handed(counter, prescription)
    assert refused.status_code == 409 and "A pharmacist acknowledges this." in refused.content.decode()
    assert handed(counter, prescription, acknowledged=["not-known"]).status_code != 302
    assert not prescription.dispenses.exists()


def test_a_pharmacist_acknowledges_once_that_a_grave_fact_is_unknown(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, patient={"pregnant": None}, repeats=1)
    assert handed(counter, prescription, **{"fact-pregnant": "unknown"}).status_code == 422
    page = counter.get(check(prescription))
    (finding,) = (f for f in page.context["view"].findings if f.question.code == "not-known")
    assert (
        finding.question.fingerprint in page.context["ticks"] and "Hand over without knowing" in page.content.decode()
    )
    assert handed(counter, prescription, acknowledged=[finding.question.fingerprint]).status_code == 302
    (answer,) = Override.objects.filter(code="not-known")
    assert (answer.severity, answer.state) == ("acknowledge", "used")
    rise = make.prescription(
        prescription.patient,
        now=timezone.now(),
        written_on=timezone.now().date().isoformat(),
        phases=[{"dose": 10, "unit": "mg", "times_per_day": 3, "days": 14}],
    )
    assert not_known(rise) == []


@pytest.mark.parametrize("facts", [{"pregnant": None, "sex": "male"}, {"drives": None}, {"egfr": None}])
def test_an_unknown_fact_that_forbids_nothing_here_needs_no_pharmacist(
    counter: Client, pharmacist: StaffMember, facts: dict[str, Any]
) -> None:
    prescription = order(pharmacist, patient=facts)
    unknown = {f"fact-{name}": "unknown" for name in asked_on(prescription)}
    counter.post(check(prescription), {"answer": "1", **unknown})
    assert not_known(prescription) == []


def test_an_answer_that_brings_a_finding_stops_the_hand_over_and_shows_it(
    counter: Client, pharmacist: StaffMember
) -> None:
    prescription = order(pharmacist, patient={"medicines": None})
    page = handed(counter, prescription, **{"fact-medicines": "some", "fact-medicines_items": "tizanidine, M03BX02"})
    assert page.status_code == 422 and not prescription.dispenses.exists()
    assert "Look at it before you hand over." in page.content.decode()
    prescription.patient.refresh_from_db()
    assert prescription.patient.medicines == [{"name": "tizanidine", "atc": "M03BX02"}]


def test_some_answers_are_stored_without_the_others(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, patient=UNKNOWN)
    counter.post(check(prescription), {"answer": "1", "fact-pregnant": "no"})
    assert asked_on(prescription) == ["medicines", "alcohol_use"]


@pytest.mark.parametrize(
    ("fact", "answers", "words"),
    [
        ("egfr", {"fact-egfr": "900"}, "250"),
        ("egfr", {"fact-egfr": "many"}, "Type the eGFR as a number"),
        ("medicines", {"fact-medicines": "some"}, "Type which medicines"),
    ],
)
def test_an_answer_that_cannot_be_is_an_error_at_its_field(
    counter: Client, pharmacist: StaffMember, fact: str, answers: dict[str, str], words: str
) -> None:
    prescription = order(pharmacist, patient={fact: None})
    page = counter.post(check(prescription), {"answer": "1"} | answers)
    assert page.status_code == 422 and words in page.content.decode()
    assert asked_on(prescription) == [fact]


def test_a_measured_fact_is_stored_with_the_day_of_the_measurement(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, patient={"egfr": None})
    day = (timezone.now() - timedelta(days=20)).date()
    counter.post(check(prescription), {"answer": "1", "fact-egfr": "85", "fact-egfr_on": day.isoformat()})
    prescription.patient.refresh_from_db()
    assert (prescription.patient.egfr, prescription.patient.egfr_on) == (85, day)


def test_saving_the_page_of_all_facts_answers_no_question(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, patient={"pregnant": None})
    facts = reverse("counter:facts", args=[prescription.patient_id])
    form = counter.get(facts).context["form"]
    counter.post(facts, {name: value for name, value in form.initial.items() if value is not None})
    assert "pregnant" in asked_on(prescription)
