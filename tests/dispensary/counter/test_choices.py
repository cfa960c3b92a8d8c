"""Dose changes and two supplies at the counter: what the main button says, and the choices beside it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import patients
from dispensary.models import Decision, Dispense, Override, Patient, Prescription, StaffMember, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db
NB = "\u00a0"


@pytest.fixture
def pharmacist(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy())


@pytest.fixture
def counter(client: Client, pharmacist: StaffMember) -> Client:
    client.force_login(pharmacist.user)
    return client


@pytest.fixture
def patient(pharmacist: StaffMember) -> Patient:
    """Somebody who takes 30 mg a day and has tablets for eight more days."""
    now = timezone.now() - timedelta(days=20)
    patient = make.patient(pharmacist.pharmacy, now=now)
    first = order(patient, 10, 10, 10, now=now, repeats=1)
    make.hand_over(first, pharmacist.actor(), now=now)
    return patient


def order(patient: Patient, *doses: int, now: Any = None, **changes: Any) -> Prescription:
    """An order of some doses a day for 28 days, that came in just now."""
    now = now or timezone.now()
    return make.prescription(
        patient,
        now=now,
        **{
            "written_on": now.date().isoformat(),
            "phases": [{"doses": list(doses), "unit": "mg", "days": 28}],
            "directions": None,
            "quantity": sum(doses) * 28 // 10,
        }
        | changes,
    )


def another_prescriber(patient: Patient) -> Any:
    return make.prescriber(patient.pharmacy, timezone.now(), identifier="C7654321", name="Dr Paula Weiss")


def check(prescription: Prescription) -> str:
    return reverse("counter:check", args=[prescription.pk])


def page_of(counter: Client, prescription: Prescription) -> Any:
    return counter.get(check(prescription)).context


def press(counter: Client, prescription: Prescription, **typed: Any) -> Any:
    """Press the main button, with what the page has put into its form."""
    page = page_of(counter, prescription)
    data = {
        "dispense-it": "1",
        "step": page["step"],
        "quantity": page["lines"][0].quantity,
        "gtin": make.TEN_MG,
        "lot": "A1",
        "expiry": str(make.pack_expiry()),
        "key": page["draft"].key,
        "one-lot": "1",
        "acknowledged": page["main"].acknowledges,
    }
    return counter.post(check(prescription), data | typed)


def choose(counter: Client, prescription: Prescription, value: str) -> Any:
    return counter.post(check(prescription), {"choose": value}, follow=True).context


def words(context: Any) -> str:
    return context["main"].words.replace(NB, " ")


def test_a_dose_increase_costs_one_key(counter: Client, patient: Patient) -> None:
    increase = order(patient, 10, 10, 15)
    page = page_of(counter, increase)
    assert words(page) == "Replaces 30 mg a day: dispense 98 tablets"
    assert page["ticks"] == set()
    assert press(counter, increase).status_code == 302
    made = Dispense.objects.get(prescription=increase)
    assert (made.relation, made.relation_how) == ("changes", "same-prescriber")
    assert Override.objects.get(prescription=increase).code == "dose-change"


def test_what_the_button_does_not_say_still_needs_its_tick(counter: Client, patient: Patient) -> None:
    make.change_past_actions(
        Patient.objects.filter(pk=patient.pk), medicines=[{"name": "tizanidine", "atc": "M03BX02"}]
    )
    increase = order(patient, 10, 10, 15)
    refused = press(counter, increase)
    assert refused.status_code == 409
    (tick,) = refused.context["ticks"]
    acknowledged = [tick, *refused.context["main"].acknowledges]
    assert press(counter, increase, acknowledged=acknowledged).status_code == 302


def test_an_acknowledgement_that_was_not_on_the_button_is_not_given(counter: Client, patient: Patient) -> None:
    increase = order(patient, 10, 10, 15)
    assert press(counter, increase, acknowledged=[]).status_code == 409
    assert not increase.dispenses.exists()


@pytest.mark.parametrize("chosen", ["From tomorrow", "When the old tablets end"])
def test_a_dose_increase_may_begin_later(counter: Client, patient: Patient, chosen: str) -> None:
    increase = order(patient, 10, 10, 15)
    (value,) = [c.value for c in page_of(counter, increase)["choices"].offered if c.words.startswith(chosen)]
    page = choose(counter, increase, value)
    assert words(page).startswith("Replaces 30 mg a day from ")
    assert press(counter, increase).status_code == 302
    made = Dispense.objects.get(prescription=increase)
    assert made.starts_on == Decision.objects.get(order=increase).starts_on
    assert made.starts_on == timezone.now().date() + timedelta(days=1 if chosen == "From tomorrow" else 8)


def test_a_lower_dose_beside_an_active_order_needs_a_choice_and_no_reason(counter: Client, patient: Patient) -> None:
    lower = order(patient, 5, 10, 10)
    page = page_of(counter, lower)
    assert words(page) == "Beside or instead of 30 mg a day?"
    assert page["choices"].chosen is None
    refused = press(counter, lower)
    assert [line.target for line in refused.context["errors"]] == ["choices"]
    page = choose(counter, lower, "replaces")
    assert words(page) == "Replaces 30 mg a day: dispense 70 tablets"
    assert Decision.objects.count() == 0
    assert press(counter, lower).status_code == 302
    assert Decision.objects.get(order=lower).kind == "replaces"


def test_a_choice_reviews_again_at_once(counter: Client, patient: Patient) -> None:
    increase = order(patient, 10, 10, 15)
    codes = {f.question.code for f in page_of(counter, increase)["view"].findings}
    assert "dose-change" in codes
    page = choose(counter, increase, "beside")
    after = {f.question.code for f in page["view"].findings}
    assert "duplicate-supply" in after
    assert "dose-change" not in after
    back = choose(counter, increase, "")
    assert {f.question.code for f in back["view"].findings} == codes


def test_a_choice_that_is_not_offered_is_not_taken(counter: Client, patient: Patient) -> None:
    increase = order(patient, 10, 10, 15)
    for value in ("stopped", "replaces 1999-01-01", "moved 3", "continues", "x"):
        answer = counter.post(check(increase), {"choose": value})
        assert answer.status_code == 409
    assert page_of(counter, increase)["choices"].chosen == ""


def sign(counter: Client, prescription: Prescription, **typed: str) -> Any:
    """Fill the override page and sign it."""
    address = reverse("counter:override", args=[prescription.pk])
    page = counter.get(address).context
    data = {"password": make.PASSWORD, "nonce": str(page["signature"].begun.pk)}
    if page["reason"] is not None:
        data |= {"choice-mitigation": "5", "choice-words": "Both are meant.", "choice-asked": "Dr Weiss"}
    for _, form in page["asking"]:
        fields = {"mitigation": "5", "words": "Agreed.", "asked": "Dr Weiss"}
        data |= {f"{form.prefix}-{name}": value for name, value in fields.items()}
    return counter.post(address, data | typed)


def test_two_doses_beside_each_other_are_a_pharmacists_choice_with_a_reason(counter: Client, patient: Patient) -> None:
    extra = order(patient, 5, 5, 5, ordered_by=another_prescriber(patient))
    page = page_of(counter, extra)
    assert "supply-relation" in {f.question.code for f in page["view"].findings}
    assert page["main"].leads_to_override
    page = choose(counter, extra, "beside")
    assert page["main"].leads_to_override, "the choice has no reason yet"
    answer = sign(counter, extra)
    assert answer["Location"] == check(extra)
    assert words(page_of(counter, extra)).startswith("Beside 30 mg a day: dispense")
    assert press(counter, extra).status_code == 302
    decision = Decision.objects.get(order=extra)
    assert (decision.kind, decision.words, decision.asked, decision.mitigation) == (
        "beside",
        "Both are meant.",
        "Dr Weiss",
        "5",
    )
    assert not Override.objects.filter(code="supply-relation").exists()


def test_the_override_page_carries_the_same_choice(counter: Client, patient: Patient) -> None:
    extra = order(patient, 5, 5, 5, ordered_by=another_prescriber(patient))
    address = reverse("counter:override", args=[extra.pk])
    assert [c.value for c in counter.get(address).context["choices"].offered] == ["replaces", "beside"]
    unsigned = sign(counter, extra)
    assert "choices" in [line.target for line in unsigned.context["errors"]]
    typed = {"choose": "beside", "choice-words": "Asked Dr Weiss", "password": "x"}
    page = counter.post(address, typed)
    assert page.context["choices"].chosen == "beside"
    assert "Asked Dr Weiss" in page.content.decode(), "what was typed stays"
    assert page_of(counter, extra)["choices"].chosen == "beside"
    assert sign(counter, extra)["Location"] == check(extra)


def test_a_choice_without_its_reason_is_not_handed_over(counter: Client, patient: Patient) -> None:
    extra = order(patient, 5, 5, 5, ordered_by=another_prescriber(patient))
    choose(counter, extra, "beside")
    refused = press(counter, extra)
    assert refused.status_code == 422
    assert not extra.dispenses.exists()


def test_a_technician_gives_what_needs_no_pharmacist(client: Client, patient: Patient) -> None:
    client.force_login(make.staff(patient.pharmacy, StaffRole.TECHNICIAN).user)
    increase = order(patient, 10, 10, 15)
    page = page_of(client, increase)
    assert "beside" not in {choice.value for choice in page["choices"].offered}
    assert client.post(check(increase), {"choose": "beside"}).status_code == 409
    assert press(client, increase).status_code == 302


def test_a_technician_is_told_that_a_pharmacist_decides(client: Client, patient: Patient) -> None:
    client.force_login(make.staff(patient.pharmacy, StaffRole.TECHNICIAN).user)
    extra = order(patient, 5, 5, 5, ordered_by=another_prescriber(patient))
    page = client.get(check(extra))
    assert page.context["choices"].offered == []
    assert "A pharmacist decides this." in page.content.decode()
    assert page.context["main"].words.endswith("a pharmacist")
    refused = press(client, extra)
    assert refused.status_code == 422
    assert "A pharmacist decides this." in refused.content.decode()


def test_a_decision_recorded_elsewhere_leads_back_to_the_order(counter: Client, patient: Patient) -> None:
    increase = order(patient, 10, 10, 15)
    first = patient.prescriptions.exclude(pk=increase.pk).get()
    address = f"{reverse('counter:decide', args=[patient.pk])}?for={increase.pk}"
    assert check(increase) in counter.get(address).content.decode()
    counted = {"kind": "counted", "course": str(first.pk), "amount": "0", "mitigation": "8", "words": "None left."}
    assert counter.post(address, counted)["Location"] == check(increase)
    assert "days of 30 mg a day are left" not in counter.get(check(increase)).content.decode()


def test_an_outdated_order_beside_which_nothing_runs_is_overridden_without_a_choice(
    counter: Client, pharmacist: StaffMember
) -> None:
    now, by = timezone.now(), pharmacist.actor()
    patient = make.patient(pharmacist.pharmacy, now=now - timedelta(days=61))
    old = order(patient, 5, 5, 5, now=now - timedelta(days=60), repeats=2)
    make.hand_over(old, by, now=now - timedelta(days=60))
    elsewhere = {
        "dispensed_on": str((now - timedelta(days=38)).date()),
        "doses": [10, 10, 10],
        "strength_mg": 10,
        "days_supply": 28,
        "relation": "same-course",
    }
    patients.record_history(patient=patient, supplies=[elsewhere], by=by, now=now - timedelta(days=37))
    page = page_of(counter, old)
    assert (page["choices"], page["main"].leads_to_override) == (None, True)
    assert sign(counter, old)["Location"] == check(old)
    assert Override.objects.get(prescription=old).code == "outdated-order"
    assert press(counter, old).status_code == 302
