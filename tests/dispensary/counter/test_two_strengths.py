"""An order of two strengths at the counter: one page, both packs, one hand-over."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import preparations
from dispensary.actions.handover_problems import Item
from dispensary.models import Dispense, Pharmacy, Prescription, StaffMember, StaffRole, Stage
from tests.dispensary import make
from tests.dispensary.counter.test_choices import check, order

pytestmark = pytest.mark.django_db


@pytest.fixture
def pharmacist(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy())


@pytest.fixture
def counter(client: Client, pharmacist: StaffMember) -> Client:
    client.force_login(pharmacist.user)
    return client


def two_strengths(at: StaffMember) -> list[Prescription]:
    """25 mg at night and half a 10 mg tablet in the morning, for somebody who takes 30 mg a day: 28 and 14 tablets."""
    now, before = timezone.now(), timezone.now() - timedelta(days=26)
    patient = make.patient(at.pharmacy, family_name="Novak", given_name="Petra", now=before)
    make.hand_over(order(patient, 5, 25, now=before), at.actor(), now=before)
    return [
        make.prescription(
            patient,
            now=now,
            written_on=now.date().isoformat(),
            strength_mg=strength,
            phases=[{"doses": [dose], "times": [time], "unit": "mg", "days": 28}],
            directions=None,
            quantity=quantity,
            group="urn:test|1",
        )
        for strength, dose, time, quantity in ((25, 25, "bedtime", 28), (10, 5, "morning", 14))
    ]


def scan(counter: Client, prescription: Prescription, code: str) -> Any:
    return counter.post(
        check(prescription), {"scan-it": "1", "scan": code, **typed(counter, prescription)}, follow=True
    )


def typed(counter: Client, prescription: Prescription) -> dict[str, str]:
    """Values of the page's fields."""
    lines = counter.get(check(prescription)).context["lines"]
    return {
        field: line.quantity if name == "quantity" else getattr(line.draft, name)
        for line in lines
        for name, field in line.fields.items()
    }


def code_of(gtin: str, lot: str) -> str:
    return f"]d201{gtin}1728113010{lot}"


def test_the_strengths_of_an_order_have_one_page(counter: Client, pharmacist: StaffMember) -> None:
    first, second = two_strengths(pharmacist)
    assert counter.get(check(second))["Location"] == check(first)
    lines = counter.get(check(first)).context["lines"]
    assert [(line.prescription.pk, line.quantity) for line in lines] == [(first.pk, "28"), (second.pk, "14")]


@pytest.mark.parametrize("sequence", [(0, 1), (1, 0)])
def test_packs_are_scanned_in_any_order_and_handed_over_at_once(
    counter: Client, pharmacist: StaffMember, sequence: tuple[int, int]
) -> None:
    first, second = two_strengths(pharmacist)
    codes = [code_of(make.TWENTY_FIVE_MG, "LOT25"), code_of(make.TEN_MG, "LOT10")]
    for index in sequence:
        page = scan(counter, first, codes[index])
    context = page.context
    main = "Old tablets first: dispense 28 and 14 tablets"
    assert context["main"].words.replace("\u00a0", " ") == main
    assert context["is_scanned"]
    assert not context["has_trouble"]
    data = {
        "dispense-it": "1",
        "key": context["draft"].key,
        "acknowledged": context["main"].acknowledges,
    }
    answer = counter.post(check(first), typed(counter, first) | data)
    assert answer.status_code == 302, [line.words for line in answer.context["errors"]]
    made = list(Dispense.objects.filter(prescription__in=(first, second)).order_by("lot"))
    assert [(row.prescription_id, row.lot, row.quantity) for row in made] == [
        (second.pk, "LOT10", 14),
        (first.pk, "LOT25", 28),
    ]
    assert len({row.handed_over_at for row in made}) == 1
    page_text = counter.get(answer["Location"]).content.decode()
    for row in made:
        assert reverse("counter:label", args=[row.pk]) in page_text
        assert reverse("counter:label-picture", args=[row.pk]) in page_text


def test_a_pack_of_no_strength_ordered_is_said_at_once_and_not_taken_over(
    counter: Client, pharmacist: StaffMember
) -> None:
    first, _ = two_strengths(pharmacist)
    make.product("05012345678931", 5)
    page = scan(counter, first, code_of("05012345678931", "LOT5"))
    assert page.status_code == 422
    assert page.context["errors"][0].words.replace("\u00a0", " ") == (
        "Wrong strength: 5 mg tablets in your hand, 25 mg and 10 mg ordered."
    )
    assert not any(line.is_scanned for line in page.context["lines"])


@pytest.mark.parametrize(("in_hand", "missing"), [(make.TWENTY_FIVE_MG, "10 mg"), (make.TEN_MG, "25 mg")])
def test_a_missing_pack_is_named(counter: Client, pharmacist: StaffMember, in_hand: str, missing: str) -> None:
    first, _ = two_strengths(pharmacist)
    page = scan(counter, first, code_of(in_hand, "LOT"))
    data = {"dispense-it": "1", "key": page.context["draft"].key}
    refused = counter.post(check(first), typed(counter, first) | data)
    assert [line.words.replace("\u00a0", " ") for line in refused.context["errors"]] == [
        f"Scan the pack of {missing} tablets"
    ]
    assert not first.dispenses.exists()


def test_a_bag_of_two_strengths_is_checked_with_a_scan_of_each(counter: Client, pharmacist: StaffMember) -> None:
    first, second = two_strengths(pharmacist)
    make.change_past_actions(Pharmacy.objects.filter(pk=pharmacist.pharmacy_id), separate_steps=True)
    technician, now = make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN).actor(), timezone.now()
    packs = [(first, Decimal(28), make.pack(gtin=make.TWENTY_FIVE_MG)), (second, Decimal(14), make.pack())]
    bag = preparations.prepare(items=[Item(*values) for values in packs], by=technician, now=now)
    preparations.print_labels(preparation=bag, by=technician, now=now)

    def send(**button: str) -> Any:
        context = counter.get(check(first)).context
        data = {"step": context["step"], "key": context["draft"].key, "acknowledged": context["main"].acknowledges}
        return counter.post(check(first), typed(counter, first) | data | button)

    send(**{"scan-it": "1", "scan": make.TEN_MG})
    refused = send(**{"dispense-it": "1"})
    assert [line.words.replace("\u00a0", " ") for line in refused.context["errors"]] == [
        "Scan the pack of 25 mg tablets in the bag, to check it"
    ]
    send(**{"scan-it": "1", "scan": make.TWENTY_FIVE_MG})
    assert send(**{"dispense-it": "1"}).status_code == 302
    bag.refresh_from_db()
    assert bag.stage == Stage.CHECKED


def test_what_is_left_of_an_order_is_handed_over_alone(counter: Client, pharmacist: StaffMember) -> None:
    first, second = two_strengths(pharmacist)
    Prescription.objects.filter(pk=first.pk).update(status="completed", ended_at=timezone.now())
    lines = counter.get(check(second)).context["lines"]
    assert [line.prescription.pk for line in lines] == [second.pk]
