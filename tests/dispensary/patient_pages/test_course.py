"""The patient's page says what is taken today, what changes next, and until when the tablets last."""

from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from dispensary.models import ContactPoint, DetailLevel, Dispense, Patient, Pharmacy
from dispensary.reminders.texts import LANGUAGES, patient_page, say_date
from tests.dispensary import make
from tests.dispensary.reminders import making

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


@pytest.fixture
def email() -> ContactPoint:
    """The address of somebody on a taper of 30, 20, 10 mg a day that begins today and ends in twelve days."""
    person = making.patient(making.pharmacy(name="City Pharmacy"))
    now = timezone.now()
    phases = ((("10", "10", "10"), 4), (("10", "5", "5"), 4), (("5", "5"), 4))
    making.dispense(making.prescription(person, phases, then_stop=True), days=12, at=now)
    making.follow(person, now)
    return making.reachable(person, "email", address="ann@example.org")


def page_of(contact: ContactPoint, client: Client) -> str:
    return unescape(client.get(f"/m/{contact.page_code}").content.decode())


def section(page: str, name: str) -> str:
    """Return the words of a part of the page, without its marks."""
    part = page.partition(f'<h2 id="{name}">')[2].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", part).split())


def today_of(contact: ContactPoint) -> date:
    return contact.patient.pharmacy.local_day(timezone.now())


def test_today_comes_first_with_each_dose_on_a_line_of_its_own(client: Client, email: ContactPoint) -> None:
    page, today = page_of(email, client), today_of(email)
    assert page.index('id="today"') < page.index('id="change"') < page.index('id="safety"') < page.index('id="coming"')
    words = section(page, "today")
    assert words.startswith(f"Today: {say_date(today, 'en')}") and words.count("1 tablet") == 3
    assert "020 7946 0999" in words


def test_each_dose_stands_with_the_usual_time_of_the_pharmacy(client: Client, email: ContactPoint) -> None:
    words = section(page_of(email, client), "today")
    for time in ("morning", "midday", "evening"):
        assert f"{time} 1 tablet" in words
    make.change_past_actions(Pharmacy.objects.all(), usual_times="none")
    assert "morning" not in section(page_of(email, client), "today")


def test_the_next_change_stands_with_its_day_and_its_doses(client: Client, email: ContactPoint) -> None:
    words = section(page_of(email, client), "change")
    assert f"From {say_date(today_of(email) + 4 * DAY, 'en')}:" in words
    assert words.count("1 tablet") == 1 and words.count("half a tablet") == 2


def test_every_day_to_the_last_with_tablets_is_listed_by_month(client: Client, email: ContactPoint) -> None:
    page, today = page_of(email, client), today_of(email)
    listed = re.findall(r'data-on="([0-9-]+)"', page)
    assert listed == [str(today + n * DAY) for n in range(12)]
    assert page.count('<details class="d-month"') == len({day[:7] for day in listed})


@pytest.mark.parametrize(
    ("language", "title"), [("en", r"[A-Z]\w+ 2\d{3}"), ("es", r"[A-Z]\w+ de 2\d{3}"), ("fr", r"[A-ZÀ-Þ]\w+ 2\d{3}")]
)
def test_months_are_titled_as_titles(client: Client, email: ContactPoint, language: str, title: str) -> None:
    make.change_past_actions(Patient.objects.all(), language=language)
    titles = re.findall(r"<summary>(.*?)</summary>", page_of(email, client))
    assert titles and all(re.fullmatch(title, text) for text in titles), titles


def test_it_says_the_last_day_and_whom_to_call_in_an_emergency(client: Client, email: ContactPoint) -> None:
    page = page_of(email, client)
    assert f"Your last day with tablets is {say_date(today_of(email) + 11 * DAY, 'en')}." in section(page, "supply")
    safety = section(page, "safety")
    assert safety.startswith("Do not stop suddenly") and "Get help at once: 999" in safety


def test_a_supply_that_goes_on_says_until_when_and_when_to_ask(client: Client) -> None:
    person, now = making.patient(), timezone.now()
    making.dispense(making.prescription(person), at=now)
    making.follow(person, now)
    contact = making.reachable(person, "sms", address="+447700900123")
    words = section(page_of(contact, client), "supply")
    assert f"Your tablets last to the end of {say_date(today_of(contact) + 27 * DAY, 'en')}." in words
    assert "Please ask for the next ones by" in words


def test_somebody_without_tablets_is_told_to_call_now(client: Client) -> None:
    person, then = making.patient(), timezone.now() - 30 * DAY
    making.dispense(making.prescription(person, received_at=then), at=then)
    making.follow(person, then)
    contact = making.reachable(person, "sms", address="+447700900123")
    assert patient_page("en")["none_left"] in section(page_of(contact, client), "today")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_it_without_the_medicine_where_the_patient_chose_that(
    client: Client, email: ContactPoint, language: str
) -> None:
    make.change_past_actions(Patient.objects.all(), language=language)
    page, words = page_of(email, client), patient_page(language)
    assert words["next_change"] in page and words["plain_note"] in page and "{" not in section(page, "today")
    plain = section(page, "today") + section(page, "days") + section(page, "change")
    assert "baclof" not in plain.lower() and "mg" not in plain and "باكلوفين" not in plain
    ContactPoint.objects.update(detail_level=DetailLevel.DETAILED)
    detailed = page_of(email, client)
    assert words["plain_note"] not in detailed and "10" in section(detailed, "today")


def test_a_detailed_page_names_the_medicine_and_offers_the_calendar_as_pdf(client: Client, email: ContactPoint) -> None:
    ContactPoint.objects.update(detail_level=DetailLevel.DETAILED)
    make.change_past_actions(type(email.patient.pharmacy).objects.all(), address="12 Mill Lane")
    page = page_of(email, client)
    assert "1 tablet of baclofen 10" in section(page, "today")
    addresses = re.findall(r'href="(/m/[^"]+\.pdf)"', page)
    assert [address.rpartition("/")[2] for address in addresses[1:]] == ["leaflet.pdf", "leaflet-large.pdf"]
    for address in addresses:
        paper = client.get(address)
        assert (
            paper.content.startswith(b"%PDF")
            and paper["X-Robots-Tag"] == "noindex"
            and "no-store" in paper["Cache-Control"]
        )
    assert client.get(addresses[1].replace("leaflet", "secrets")).status_code == 404
    ContactPoint.objects.update(detail_level=DetailLevel.PLAIN)
    assert {client.get(address).status_code for address in addresses} == {404} and ".pdf" not in page_of(email, client)


def test_two_strengths_are_told_apart_even_where_the_medicine_is_not_named(client: Client) -> None:
    person, now = making.patient(), timezone.now()
    first, second = (making.prescription(person, (((dose,), None),)) for dose in ("10", "25"))
    making.dispense(first, at=now - timedelta(hours=2))
    second.strength_mg = Decimal(25)
    make.save_past_actions(second, "strength_mg")
    make.change_past_actions(
        Dispense.objects.filter(pk=making.dispense(second, at=now - timedelta(hours=1)).pk), strength_mg=Decimal(25)
    )
    making.decide(second, "beside", first, now - timedelta(hours=1))
    making.follow(person, now)
    contact = making.reachable(person, "sms", address="+447700900123")
    words = section(page_of(contact, client), "today").replace("\u00a0", " ")
    assert "1 tablet of 10 mg" in words and "1 tablet of 25 mg" in words and "baclofen" not in words
