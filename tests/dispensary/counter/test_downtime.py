"""The page of the downtime form."""

import pytest
from django.test import Client
from django.urls import reverse

from dispensary.models import Pharmacy
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
