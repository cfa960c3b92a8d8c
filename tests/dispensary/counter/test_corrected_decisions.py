"""A decision that was put right: the papers printed on the wrong one are work, and are printed again."""

from __future__ import annotations

import io

import pytest
from django.test import Client
from django.urls import reverse
from pypdf import PdfReader

from dispensary.models import Decision, Dispense, Patient, WorkKind, WorklistItem
from tests.dispensary import make
from tests.dispensary.counter.test_choices import (
    another_prescriber,
    choose,
    counter,
    order,
    patient,
    pharmacist,
    press,
    sign,
)

__all__ = ["counter", "patient", "pharmacist"]
pytestmark = pytest.mark.django_db


@pytest.fixture
def wrong(counter: Client, patient: Patient) -> Decision:
    """5 mg more a day, handed over as if it took the place of 30 mg a day."""
    extra = order(patient, 5, ordered_by=another_prescriber(patient))
    choose(counter, extra, "replaces")
    sign(counter, extra)
    assert press(counter, extra).status_code == 302
    return Decision.objects.get(order=extra)


def put_right(counter: Client, wrong: Decision) -> None:
    address = f"{reverse('counter:decide', args=[wrong.patient_id])}?corrects={wrong.pk}"
    page = counter.get(address)
    assert "You put this right:" in page.content.decode()
    data = {
        "kind": "beside",
        "course": page.context["form"].initial["course"],
        "order": str(page.context["form"].initial["order"]),
        "mitigation": "5",
        "words": "Dr Weiss meant both.",
    }
    answer = counter.post(address, data)
    assert answer.status_code == 302, [line.words for line in answer.context["errors"]]


def calendar_text(counter: Client, dispense: Dispense) -> str:
    answer = counter.get(reverse("counter:calendar", args=[dispense.pk]))
    pages = PdfReader(io.BytesIO(answer.content)).pages
    return " ".join(" ".join(page.extract_text().replace("\u00a0", " ").split()) for page in pages)


def test_papers_that_are_no_longer_true_are_work_that_leads_to_printing(counter: Client, wrong: Decision) -> None:
    dispense = Dispense.objects.get(prescription=wrong.order)
    assert "35 mg a day" not in calendar_text(counter, dispense)
    put_right(counter, wrong)
    item = WorklistItem.objects.get(kind=WorkKind.PAPERS_OUTDATED)
    work = f"{reverse('counter:work', args=[wrong.patient_id])}?kind={item.kind}"
    for address in (
        reverse("counter:patient", args=[wrong.patient_id]),
        reverse("counter:dispensed", args=[dispense.pk]),
        reverse("counter:at-risk"),
    ):
        assert work in counter.get(address).content.decode(), address
    page = counter.get(work).content.decode()
    for name in ("label", "calendar", "dispensed"):
        assert reverse(f"counter:{name}", args=[dispense.pk]) in page
    assert "35 mg a day" in calendar_text(counter, dispense), "as it was put right"
    assert counter.post(work, {"what": "called", "note": "Told on the telephone"}).status_code == 302
    assert work not in counter.get(reverse("counter:patient", args=[wrong.patient_id])).content.decode()


def test_a_decision_is_put_right_once(counter: Client, wrong: Decision) -> None:
    put_right(counter, wrong)
    page = counter.get(reverse("counter:decide", args=[wrong.patient_id])).content.decode()
    assert "put right since" in page
    assert f"corrects={wrong.pk}" not in page
    assert make.PASSWORD not in page
