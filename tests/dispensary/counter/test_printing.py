"""Labels printed from the browser: all strengths and all labels in one press, each print in the log, back to the page."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.actions import dispenses
from dispensary.actions.handover_problems import Item
from dispensary.actions.refusals import Refused
from dispensary.models import Dispense, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.counter.test_bags import bench, prepare, sign_in, technician, waiting
from tests.dispensary.counter.test_two_strengths import counter, pharmacist, two_strengths

__all__ = ["bench", "counter", "pharmacist", "technician", "waiting"]
pytestmark = pytest.mark.django_db


def supplied(pharmacist: StaffMember, **changes: Any) -> Dispense:
    now = timezone.now()
    changes = {"written_on": now.date().isoformat()} | changes
    return make.hand_over(
        make.prescription(make.patient(pharmacist.pharmacy, now=now), now=now, **changes), pharmacist.actor(), now=now
    )


def press(client: Client, dispense: Dispense) -> Any:
    return client.post(reverse("counter:labels", args=[dispense.pk]))


def prints(dispense: Dispense, pharmacist: StaffMember) -> list[str]:
    lines = audit.history(dispense, pharmacy=pharmacist.pharmacy)
    return [line.entry.action for line in lines if line.entry.action.startswith("label.")]


def test_one_press_prints_the_label_and_goes_back_to_the_supply(counter: Client, pharmacist: StaffMember) -> None:
    dispense = supplied(pharmacist)
    page = press(counter, dispense)
    (picture,) = page.context["pictures"]
    assert base64.b64decode(picture.partition(",")[2]).startswith(b"<svg")
    assert page.context["back"] == reverse("counter:dispensed", args=[dispense.pk])
    assert prints(dispense, pharmacist) == ["label.printed"]
    press(counter, dispense)
    assert prints(dispense, pharmacist) == ["label.reprinted", "label.printed"]
    assert "Print the label again" in counter.get(page.context["back"]).content.decode()


def test_strengths_of_one_order_are_printed_together(counter: Client, pharmacist: StaffMember) -> None:
    first, second = two_strengths(pharmacist)
    handed_over: dict[str, Any] = {
        "prescription": first,
        "quantity": first.quantity,
        "pack": make.pack(gtin=make.TWENTY_FIVE_MG),
        "also": [Item(second, second.quantity, make.pack())],
        "by": pharmacist.actor(),
        "now": timezone.now(),
    }
    asked = dispenses.dispense(**handed_over, key="k1")
    assert isinstance(asked, Refused), asked
    result = dispenses.dispense(**handed_over, acknowledged=[q.code for q in asked.unanswered], key="k2")
    assert isinstance(result, Dispense), result
    assert len(press(counter, result).context["pictures"]) == 2
    for row in Dispense.objects.filter(prescription__in=(first, second)):
        assert prints(row, pharmacist) == ["label.printed"]


def test_what_was_taken_back_is_not_printed(counter: Client, pharmacist: StaffMember) -> None:
    dispense = supplied(pharmacist)
    dispenses.cancel(dispense=dispense, reason="wrong patient", by=pharmacist.actor(), now=timezone.now())
    assert press(counter, dispense).status_code == 409
    assert prints(dispense, pharmacist) == []


def test_the_labels_of_a_bag_are_printed_from_its_page(bench: Client, waiting: Any) -> None:
    bag = prepare(bench, waiting)
    page = bench.post(reverse("counter:bag-labels", args=[bag.pk]))
    assert len(page.context["pictures"]) == 1
    bag.refresh_from_db()
    assert bag.label_prints == 1


def test_no_stranger_prints(client: Client, pharmacist: StaffMember) -> None:
    dispense = supplied(pharmacist)
    assert press(client, dispense).status_code == 302
    elsewhere, auditor = make.staff(make.pharmacy("Elsewhere")), make.staff(pharmacist.pharmacy, StaffRole.AUDITOR)
    assert press(sign_in(elsewhere), dispense).status_code == 404
    assert press(sign_in(auditor), dispense).status_code == 403
    assert prints(dispense, pharmacist) == []
