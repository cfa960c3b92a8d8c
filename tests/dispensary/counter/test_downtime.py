"""The page of the downtime form, and of what was handed over meanwhile."""

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.models import Dispense, Pharmacy, Prescription, StaffRole, WorklistItem, WorkState
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Pharmacy:
    make.products()
    return make.pharmacy()


@pytest.fixture
def desk(shop: Pharmacy, client: Client) -> Client:
    client.force_login(make.staff(shop).user)
    return client


def test_the_page_prints_the_form_for_a_week_on_a4(desk: Client) -> None:
    page = desk.get(reverse("counter:downtime")).content.decode()
    assert 'value="7"' in page
    assert "Print the downtime form" in page
    printed = desk.get(reverse("counter:downtime-form"), {"days": "7", "paper": "a4"})
    assert printed["Content-Type"] == "application/pdf"
    assert printed["Cache-Control"] == "no-store, private"


@pytest.mark.parametrize("days", ["0", "32", "", "many"])
def test_days_that_cannot_be_meant_are_asked_again(desk: Client, days: str) -> None:
    answer = desk.get(reverse("counter:downtime-form"), {"days": days, "paper": "a4"})
    assert answer.status_code == 422
    assert 'href="#id_days"' in answer.content.decode()


@pytest.fixture
def order(shop: Pharmacy) -> Prescription:
    then = timezone.now() - timedelta(days=3)
    return make.prescription(make.patient(shop, now=then, family_name="Quist"), now=then)


def typed(**changes: Any) -> dict[str, Any]:
    at = (timezone.now() - timedelta(hours=20)).astimezone(ZoneInfo("Europe/London"))
    return {
        "day": f"{at:%Y-%m-%d}", "time": f"{at:%H:%M}", "handed_over_by": "Pat Locum", "quantity": "42", "gtin": make.TEN_MG,
        "lot": "A1B2", "expiry": str(make.pack_expiry()), "words": "The clinic agreed.", "key": "line-1",
    } | changes  # fmt: skip


def test_the_order_is_found_by_name_or_number_and_the_search_is_in_the_log(desk: Client, order: Prescription) -> None:
    number = str(order.pk).replace("-", "")[-8:]
    for words in ("quist", number):
        page = desk.post(reverse("counter:downtime"), {"q": words}).content.decode()
        assert reverse("counter:late-entry", args=[order.pk]) in page
    assert "No order fits" in desk.post(reverse("counter:downtime"), {"q": "nobody"}).content.decode()


def test_a_line_is_recorded_and_marked_wherever_it_is_shown(desk: Client, order: Prescription) -> None:
    assert desk.get(reverse("counter:late-entry", args=[order.pk])).status_code == 200
    done = desk.post(reverse("counter:late-entry", args=[order.pk]), typed(), follow=True)
    dispense = Dispense.objects.get()
    assert done.redirect_chain[-1][0] == reverse("counter:dispensed", args=[dispense.pk])
    text = done.content.decode()
    assert "Recorded late: typed in on" in text
    assert "The clinic agreed." in text
    assert "Review it" in text
    sent = typed()
    assert (
        f"{dispense.handed_over_at.astimezone(ZoneInfo('Europe/London')):%Y-%m-%d %H:%M}"
        == f"{sent['day']} {sent['time']}"
    )
    for address in (
        reverse("counter:trail", args=[dispense.pk]),
        reverse("counter:downtime"),
        reverse("counter:patient", args=[order.patient_id]),
        reverse("counter:late-entry", args=[order.pk]),
    ):
        assert "recorded late" in desk.get(address).content.decode().lower(), address


def test_a_pharmacist_reviews_it_on_its_page_and_a_technician_cannot(
    desk: Client, order: Prescription, shop: Pharmacy
) -> None:
    desk.post(reverse("counter:late-entry", args=[order.pk]), typed())
    address = f"{reverse('counter:work', args=[order.patient_id])}?kind=late-entry"
    assert "Reviewed what was recorded late" in desk.get(address).content.decode()
    technician = Client()
    technician.force_login(make.staff(shop, StaffRole.TECHNICIAN).user)
    assert technician.post(address, {"what": "reviewed"}).status_code == 422
    assert desk.post(address, {"what": "reviewed", "note": "Right."}).status_code == 302
    assert WorklistItem.objects.get(kind="late-entry").state == WorkState.RESOLVED
    assert "To review" not in desk.get(reverse("counter:downtime")).content.decode()


def test_other_work_does_not_offer_the_review(desk: Client, order: Prescription) -> None:
    page = desk.get(reverse("counter:work", args=[order.patient_id])).content.decode()
    assert "Reviewed what was recorded late" not in page


@pytest.mark.parametrize(
    ("changes", "target"),
    [
        ({"day": ""}, "id_day"), ({"time": "25:00"}, "id_time"), ({"handed_over_by": " "}, "id_handed_over_by"),
        ({"quantity": "0"}, "id_quantity"), ({"quantity": "many"}, "id_quantity"), ({"gtin": ""}, "id_gtin"),
        ({"gtin": "05099999999999"}, "id_gtin"), ({"expiry": "soon"}, "id_expiry"), ({"day": "2099-01-01"}, "id_day"),
        ({"day": "2020-01-01"}, "id_day"),
    ],
    ids=str,
)  # fmt: skip
def test_what_cannot_be_is_said_at_its_field_and_nothing_typed_is_lost(
    desk: Client, order: Prescription, changes: dict[str, str], target: str
) -> None:
    answer = desk.post(reverse("counter:late-entry", args=[order.pk]), typed(**changes))
    text = answer.content.decode()
    assert answer.status_code == 422
    assert f'href="#{target}"' in text
    assert "The clinic agreed." in text
    assert not Dispense.objects.exists()


def test_an_hour_that_the_clocks_skipped_is_asked_again(desk: Client, order: Prescription) -> None:
    answer = desk.post(reverse("counter:late-entry", args=[order.pk]), typed(day="2026-03-29", time="01:30"))
    assert "There was no such time on that day" in answer.content.decode()


def test_pressing_twice_records_once(desk: Client, order: Prescription) -> None:
    for _ in range(2):
        assert desk.post(reverse("counter:late-entry", args=[order.pk]), typed()).status_code == 302
    assert Dispense.objects.count() == 1
