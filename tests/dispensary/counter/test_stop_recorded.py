"""Stopping what a supply from elsewhere feeds, where no order of ours does: at the counter and by REST."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit, reminders
from dispensary.actions import overrides, patients
from dispensary.assessment import therapy_of
from dispensary.audit.checks.reconcile import reconcile
from dispensary.counter.signing import CHANGED
from dispensary.models import (
    AuditEntry,
    BegunSignature,
    Decision,
    OrderSummary,
    Override,
    Patient,
    PriorSupply,
    Review,
    StaffMember,
    StaffRole,
    TherapySummary,
)
from tests.dispensary import make
from tests.dispensary.api.conftest import ANSWER, Caller, problem
from tests.dispensary.audit.linking import flush_links
from tests.dispensary.counter.test_choices import counter, pharmacist

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def supply(pharmacist: StaffMember) -> PriorSupply:
    """Return a supply of 60 mg a day from elsewhere, with a week of it left."""
    now = timezone.now()
    patient = make.patient(pharmacist.pharmacy, now=now - timedelta(days=30))
    on = pharmacist.pharmacy.local_day(now)
    recorded = {
        "dispensed_on": (on - timedelta(days=21)).isoformat(),
        "doses": ["20", "20", "20"],
        "days_supply": 28,
        "relation": "same-course",
    }
    (row,) = patients.record_history(patient=patient, supplies=[recorded], by=pharmacist.actor(), now=now)
    return row


def page_of(supply: PriorSupply) -> str:
    return reverse("counter:stop-recorded", args=[supply.patient_id, supply.pk])


def filled(counter: Client, supply: PriorSupply) -> dict[str, str]:
    """Give the reason; return the form that the page then asks for, filled in and signed."""
    data = {"reason": "other", "words": "Dr Mwangi stops it"}
    page = counter.post(page_of(supply), data)
    for _, form in page.context["answers"]:
        fields = {"mitigation": "5", "words": "Agreed with her.", "asked": "Dr Mwangi"}
        data |= {f"{form.prefix}-{name}": value for name, value in fields.items()}
    nonce = str(page.context["signature"].begun.pk)
    assert f'name="nonce" value="{nonce}"' in page.content.decode()
    return {"stop-it": "1", "password": make.PASSWORD, "nonce": nonce} | data


def answered(counter: Client, supply: PriorSupply) -> Any:
    """Give the reason, then the answers that the page asks for."""
    return counter.post(page_of(supply), filled(counter, supply), follow=True)


def test_the_patients_page_leads_to_the_stop_and_the_taper_stands_there(counter: Client, supply: PriorSupply) -> None:
    page = counter.get(reverse("counter:patient", args=[supply.patient_id]))
    assert page_of(supply) in page.content.decode()
    asked = counter.get(page_of(supply))
    text = asked.content.decode().replace("\u00a0", " ")
    assert "Stop 60 mg a day at once" in text
    assert "Stopping 60 mg a day at once risks withdrawal" in text
    assert "then stop." in asked.context["proposal"]
    assert "Not known here" in text


def test_a_prescription_that_waited_through_the_stop_is_asked_about(counter: Client, supply: PriorSupply) -> None:
    phases = [{"dose": 20, "unit": "mg", "times_per_day": 3}]
    waiting = make.prescription(
        supply.patient, timezone.now(), phases=phases, quantity=168, directions="20 mg three times a day"
    )
    answered(counter, supply)
    page = counter.get(reverse("counter:check", args=[waiting.pk])).content.decode().replace("\u00a0", " ")
    assert "This order says 60 mg a day; what was taken was stopped since, and nothing runs" in page
    assert OrderSummary.objects.get(prescription=waiting).outcome == "override"


def test_a_signed_stop_ends_it_and_is_watched(counter: Client, supply: PriorSupply) -> None:
    text = answered(counter, supply).content.decode().replace("\u00a0", " ")
    assert "60 mg a day is stopped from today." in text
    assert "On the withdrawal-risk list" in text
    patient = Patient.objects.select_related("pharmacy").get(pk=supply.patient_id)
    decision = Decision.objects.get(patient=patient)
    assert (decision.kind, decision.course) == ("stopped", str(supply.pk))
    today = patient.pharmacy.local_day(timezone.now())
    assert [course.why for course in therapy_of(patient, today).ended] == ["stopped"]
    assert TherapySummary.objects.get(patient=patient).stopped_on == today
    (risk,) = reminders.withdrawal_risk(pharmacy=patient.pharmacy, patient=patient, now=timezone.now())
    assert risk.prescription_id is None
    assert page_of(supply) not in counter.get(reverse("counter:patient", args=[patient.pk])).content.decode()


def test_the_signature_is_the_one_begun_for_this_supply_and_is_used_once(counter: Client, supply: PriorSupply) -> None:
    other = PriorSupply.objects.get(pk=supply.pk)
    other.pk, other.patient = None, make.patient(supply.patient.pharmacy, now=timezone.now())
    other.save(force_insert=True)
    elsewhere = filled(counter, other)["nonce"]
    signed = filled(counter, supply)
    for nonce in ("", elsewhere):
        refused = counter.post(page_of(supply), signed | {"nonce": nonce})
        assert [line.words for line in refused.context["errors"]] == [CHANGED]
    assert not Decision.objects.exists()
    assert counter.post(page_of(supply), signed).status_code == 302
    (used,) = BegunSignature.objects.exclude(used_at=None)
    assert (str(used.pk), used.prescription_id) == (signed["nonce"], None)
    answer = Override.objects.get(prior_supply=supply)
    (line,) = audit.history(answer, pharmacy=supply.patient.pharmacy)
    assert line.body is not None
    assert (line.body["nonce"], line.body["shown"]) == (signed["nonce"], used.shown)
    again = counter.post(page_of(other), filled(counter, other) | {"nonce": signed["nonce"]})
    assert [line.words for line in again.context["errors"]] == [CHANGED]
    assert Decision.objects.count() == 1


def test_the_log_holds_refusal_answer_and_stop_of_the_supply(counter: Client, supply: PriorSupply) -> None:
    answered(counter, supply)
    answer = Override.objects.get(prior_supply=supply)
    assert (answer.code, answer.signature, answer.prescription_id) == ("abrupt-stop", "password", None)
    assert Review.objects.filter(prior_supply=supply, reason="stop").exists()
    stopped = AuditEntry.objects.get(action="prescription.stopped", subject_id=str(supply.pk))
    assert stopped.subject_type == "priorsupply"
    assert stopped.patient_ref == str(supply.patient_id)
    flush_links()
    own_rows = {str(answer.pk), *map(str, Review.objects.filter(prior_supply=supply).values_list("pk", flat=True))}
    assert [orphan for orphan in reconcile() if orphan.id in own_rows] == []


def test_the_answer_stands_on_the_patients_line_of_time(counter: Client, supply: PriorSupply) -> None:
    answered(counter, supply)
    happenings = counter.get(reverse("counter:patient", args=[supply.patient_id])).context["timeline"]
    assert any(line.kind == "Override" and "Agreed with her." in line.words for line in happenings)


def test_the_answer_is_listed_for_the_auditor(client: Client, counter: Client, supply: PriorSupply) -> None:
    answered(counter, supply)
    client.force_login(make.staff(supply.patient.pharmacy, StaffRole.AUDITOR).user)
    page = client.get(reverse("counter:audit-overrides"))
    assert page.status_code == 200
    assert "Agreed with her." in page.content.decode()


def test_an_answer_about_a_recorded_supply_is_withdrawn_like_others(counter: Client, supply: PriorSupply) -> None:
    answered(counter, supply)
    answer = Override.objects.get(prior_supply=supply)
    by = StaffMember.objects.get(pharmacy=supply.patient.pharmacy).actor()
    overrides.withdraw(override=answer, reason="signed twice", by=by, now=timezone.now())
    answer.refresh_from_db()
    assert answer.state == "withdrawn"


def test_what_is_stopped_is_not_stopped_again(counter: Client, supply: PriorSupply) -> None:
    answered(counter, supply)
    page = counter.post(page_of(supply), {"reason": "other", "words": "Again", "stop-it": "1"})
    assert page.status_code == 422
    assert "Nothing of this supply is taken any more" in page.content.decode()
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.AUDITOR])
def test_only_a_pharmacist_stops(client: Client, supply: PriorSupply, role: StaffRole) -> None:
    client.force_login(make.staff(supply.patient.pharmacy, role).user)
    assert client.get(page_of(supply)).status_code == 403
    assert not Decision.objects.exists()


def test_a_stranger_another_pharmacy_and_another_patient_find_no_supply(
    client: Client, counter: Client, supply: PriorSupply
) -> None:
    other = make.patient(supply.patient.pharmacy, now=timezone.now())
    assert counter.get(reverse("counter:stop-recorded", args=[other.pk, supply.pk])).status_code == 404
    away = Client()
    assert away.get(page_of(supply)).status_code == 302
    away.force_login(make.staff(make.pharmacy("Elsewhere")).user)
    assert away.get(page_of(supply)).status_code == 404


def test_the_stop_by_rest_asks_first_and_answers_with_what_is_taken(
    pharmacist: StaffMember, supply: PriorSupply
) -> None:
    caller = Caller(pharmacist)
    where = f"patients/{supply.patient_id}/supplies/{supply.pk}/stop/"
    refused = problem(caller.post(where, {"words": "no longer needed"}), 409)
    assert [finding["code"] for finding in refused["findings"]] == ["abrupt-stop"]
    assert AuditEntry.objects.get(
        action="prescription.stop_refused", subject_id=str(supply.pk), subject_type="priorsupply"
    )
    answer = ANSWER | {"finding": "abrupt-stop"}
    done = caller.sign(where, {"words": "no longer needed", "overrides": [answer]})
    assert done.status_code == 200, done.content
    assert done.json()["courses"] == []
    assert [row["kind"] for row in done.json()["decisions"]] == ["stopped"]
    again = caller.post(where, {"words": "again"})
    assert "Nothing of this supply is taken" in problem(again, 409)["detail"]
    answer_row = Override.objects.get(prior_supply=supply)
    assert caller.get(f"overrides/{answer_row.pk}/").json()["prior_supply"] == supply.pk
    review = Review.objects.filter(prior_supply=supply).earliest("reviewed_at")
    assert caller.get(f"reviews/{review.pk}/").json()["prior_supply"] == supply.pk
