"""For no day do the pages, the labels, the calendar, the messages and the phone's calendar of one patient give different doses.

Read back from what was rendered, the patient's own page in every language. `HISTORIES=1000` tries more of them, `HISTORIES=1000-1100` others.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from html import unescape
from typing import NamedTuple

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pypdf import PdfReader

from dispensary.assessment import therapy_of
from dispensary.documents.words import mg as mg_words
from dispensary.handover import handed_over, label_of
from dispensary.models import (
    ContactPoint,
    DetailLevel,
    Dispense,
    Patient,
    Pharmacy,
    Reminder,
    ReminderState,
    StaffMember,
)
from dispensary.reminders.texts import LANGUAGES, medicine_in, patient_page, say_tablets
from dispensary.rows import group_orders, order_id
from tests.dispensary import make
from tests.journeys.histories import History

pytestmark = pytest.mark.django_db
FIRST, _, LAST = os.environ.get("HISTORIES", "25").rpartition("-")
HISTORIES = range(int(FIRST or 0), int(LAST))
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAY = rf"(\d{{1,2}}) ({'|'.join(MONTHS)})(?: (\d{{4}}))?"
TIMES = {"once": 1, "twice": 2, "three times": 3, "four times": 4}
ONE = timedelta(days=1)


class Said(NamedTuple):
    """A stretch of days with the mg of each, as a paper says it."""

    first_on: date
    last_on: date
    mg: Decimal


@pytest.fixture
def shop(db: None) -> Pharmacy:
    make.products()
    now = timezone.now() - timedelta(days=365)
    return make.pharmacy(now=now, time_zone="UTC", address="12 Mill Lane", phone="01865 496000")


@pytest.fixture
def member(shop: Pharmacy) -> StaffMember:
    return make.staff(shop, now=timezone.now() - timedelta(days=365))


def shown_at(client: Client, name: str, pk: object) -> str:
    """A page of the counter; one that is refused shows no dose and would agree with everything."""
    answer = client.get(reverse(f"counter:{name}", args=[pk]))
    assert answer.status_code == 200, answer.content.decode()[-900:]
    return answer.content.decode().replace("\u00a0", " ")


def text_of(pdf: bytes) -> str:
    pages = PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text().replace("\u00a0", " ").split()) for page in pages)


def day_near(number: str, month: str, year: str | None, near: date) -> date:
    """The day of that name nearest to another."""
    if year:
        return date(int(year), MONTHS.index(month) + 1, int(number))
    first = date(near.year - 1, 1, 1)
    days = (first + timedelta(days=n) for n in range(3 * 366))  # 29 February is a day of some years alone
    named = [day for day in days if (day.day, day.month) == (int(number), MONTHS.index(month) + 1)]
    return min(named, key=lambda day: abs(day - near))


def read_calendar(text: str) -> dict[date, Decimal]:
    """The mg of each day that a calendar names; its doses add up to its total."""
    _, _, body = text.partition("Never take two at once.")
    totals: dict[date, Decimal] = {}
    last: date | None = None
    marks = list(
        re.finditer(rf"{DAY}(?:(?: \S+)? (?:Less from today|More from today|Change))? ([\d.]+) mg a day", body)
    )
    for mark, following in zip(marks, [*marks[1:], None], strict=True):
        number, month, year, total = mark.groups()
        last = day_near(number, month, year, last or date(int(year or 0), 1, 1))
        doses = re.findall(r"\(([\d.]+) mg\)", body[mark.end() : following.start() if following else len(body)])
        assert sum(map(Decimal, doses)) == Decimal(total), body[mark.start() : mark.start() + 200]
        totals[last] = Decimal(total)
    return totals


def read_label(text: str, first_on: date, last_on: date) -> Iterator[Said]:
    """The stretches of a label; where it names no day, its supply's first and last."""
    sentences = rf"(?:(?P<when>(?:From )?\w{{3}} {DAY}(?: to \w{{3}} {DAY}| only)?): )?(?P<take>(?:Take|Each day take|Each day:) [^.]*?\(.*?\.)(?: |$)"
    for sentence in re.finditer(sentences, text):
        take, when = sentence["take"], sentence["when"]
        if "when needed" in take:
            continue
        doses = [Decimal(dose) for dose in re.findall(r"\(([\d.]+) mg\)", take)]
        times = re.search(r"(once|twice|\w+ times) a day", take)
        mg = doses[0] * TIMES[times[1]] if times else sum(doses, Decimal(0))
        first, last = first_on, last_on
        if when:
            days = [day_near(*match, near=first_on) for match in re.findall(DAY, when)]  # type: ignore[misc]  # `DAY` has three groups
            first = days[0]
            last = days[0] if when.endswith("only") else days[1] if len(days) > 1 else last_on
        yield Said(first, last, mg)


def phrases_of(language: str) -> dict[str, Decimal]:
    """The mg of each dose that the patient's page can name."""
    words, strengths = patient_page(language), [Decimal(strength) for strength in (5, 10, 20, 25)]
    return {
        words["of_kind"].format(tablets=tablets, name=f"{medicine_in(language)} {mg_words(strength, language)}"): mg
        for strength in strengths
        for mg in (strength * halves / 2 for halves in range(1, 41))
        if (tablets := say_tablets((mg,), strength, language))
    }


def read_own_page(page: str, language: str) -> dict[date, Decimal]:
    """The mg of each day with doses that the patient's page lists."""
    phrases, totals = phrases_of(language), {}
    for on, line in re.findall(r'<li data-on="([0-9-]+)">(.*?)</li>(?=<li data-on|</ol></details>)', page, re.DOTALL):
        doses = re.findall(r'<span class="d-doses__words">(.*?)</span>', line)
        if doses:
            totals[date.fromisoformat(on)] = sum((phrases[unescape(dose)] for dose in doses), Decimal(0))
    return totals


def read_change_days(feed: str, language: str) -> set[date]:
    """The days of the events of a phone's calendar that call a change and are not cancelled."""
    title = patient_page(language)["event_change"].replace(",", "\\,")
    events = re.findall(r"BEGIN:VEVENT\r\n(.*?)END:VEVENT", feed.replace("\r\n ", ""), re.DOTALL)
    days = [
        re.findall(r"DTSTART;VALUE=DATE:(\d{8})", event)[0]
        for event in events
        if f"SUMMARY:{title}\r\n" in event and "STATUS:CONFIRMED" in event
    ]
    return {date(int(day[:4]), int(day[4:6]), int(day[6:])) for day in days}


def compare_own_page(patient: Patient, calendar: dict[date, Decimal], today: date, story: str) -> None:
    """The patient's page says the calendar's doses in every language, and the phone's calendar names days of change only."""
    if not Reminder.objects.filter(patient=patient, useful_until__gt=timezone.now()).exists():
        return  # no message leads to the page
    contact = ContactPoint.objects.create(
        patient=patient, medium="email", address="a@example.org", address_digest=str(patient.pk), added_at=timezone.now(),
        added_by="user:1", detail_level=DetailLevel.DETAILED,
    )  # fmt: skip
    by_language = {}
    for language in LANGUAGES:
        make.change_past_actions(Patient.objects.filter(pk=patient.pk), language=language)
        answer = Client().get(f"/m/{contact.page_code}")
        assert answer.status_code == 200, story
        own = by_language[language] = read_own_page(answer.content.decode(), language)
        assert own.keys() >= {on for on in calendar if on >= today}, f"{story}\n{language}: days are missing"
        for on, mg in own.items():
            assert calendar.get(on, mg) == mg, f"{story}\n{on}: calendar {calendar[on]}, {language} page {mg}"
        feed = Client().get(f"/m/{contact.page_code}/calendar.ics").content.decode()
        lines = own_doses(answer.content.decode())
        for on in read_change_days(feed, language):
            if on > today and on in lines and on - ONE in lines:
                assert lines[on] != lines[on - ONE], f"{story}\n{on}: the phone says a change, the page none"
    assert len({tuple(sorted(days.items())) for days in by_language.values()}) == 1, story


def own_doses(page: str) -> dict[date, list[str]]:
    """The doses of each listed day, as they are written."""
    listed = re.findall(r'<li data-on="([0-9-]+)">(.*?)</li>(?=<li data-on|</ol></details>)', page, re.DOTALL)
    return {
        date.fromisoformat(on): re.findall(r'<span class="d-doses__(?:time|words)">(.*?)</span>', line)
        for on, line in listed
    }


@pytest.mark.parametrize("seed", HISTORIES)
def test_no_two_papers_give_different_doses_for_a_day(
    client: Client, shop: Pharmacy, member: StaffMember, seed: int
) -> None:
    history = History(seed, shop, member.actor(), timezone.now())
    reader = make.staff(shop, now=timezone.now())  # whose time to add a second factor has not ended
    client.force_login(reader.user)
    patient = Patient.objects.select_related("pharmacy").get(pk=history.patient.pk)
    today = shop.local_day(timezone.now())
    counted = therapy_of(patient, today)
    story = "\n".join([f"history {seed}", *history.steps])

    # The page.
    page = shown_at(client, "patient", patient.pk)
    match = re.search(r"Today <span[^>]*>([\d.]+) mg", page)
    page_mg = Decimal(match[1]) if match else None

    # The labels of what is in the patient's hands, by the order that they are of.
    order_of = {
        row.pk: order_id(products)
        for products in group_orders(patient.prescriptions.prefetch_related("phases"))
        for row in products
    }
    labels: dict[str, dict[object, list[Said]]] = {}
    in_hand = list(Dispense.objects.filter(patient=patient).completed().order_by("handed_over_at"))
    for dispense in in_hand:
        page_text = shown_at(client, "dispensed", dispense.pk)
        uncovered = re.search(rf"first day not covered \w{{3}} {DAY}", page_text)
        assert uncovered, story
        end = day_near(*uncovered.groups(), near=today) - ONE  # type: ignore[misc]  # `DAY` has three groups
        made = handed_over(dispense, today)
        answer = client.get(reverse("counter:label", args=[dispense.pk]))
        if made.is_over:  # stopped, or another dose is taken in its place: its label is printed no more
            assert answer.status_code == 409, story
            continue
        assert answer.status_code == 200, f"{story}\n{answer.content.decode()[-900:]}"
        text = text_of(answer.content)
        label_doses = list(read_label(text, shop.local_day(dispense.handed_over_at), end))
        assert label_doses or label_of(made, dispense).as_needed or "as on your dated calendar" in text, story
        labels.setdefault(order_of[dispense.prescription_id], {}).setdefault(dispense.prescription_id, []).extend(
            label_doses
        )

    # The calendars that are still printed, an older one beside a newer one.
    calendar: dict[date, Decimal] = {}
    for dispense in in_hand:
        answer = client.get(reverse("counter:calendar", args=[dispense.pk]))
        if answer.status_code == 200:
            days = read_calendar(text_of(answer.content))
            assert days, story
            for on, mg in days.items():
                assert calendar.setdefault(on, mg) == mg, f"{story}\n{on}: calendars say {calendar[on]} and {mg}"

    if today in calendar and page_mg is not None:
        assert calendar[today] == page_mg, story
    for number in range(90):
        on = today + number * ONE
        day = counted.day(on)
        by_source: dict[str, Decimal] = {}
        for dose in day.doses:
            if not dose.as_needed:
                by_source[dose.source] = by_source.get(dose.source, Decimal(0)) + dose.phase.mg
        stated: dict[str, Decimal] = {}
        for source in by_source:
            parts = [
                {line.mg for line in of_strength if line.first_on <= on <= line.last_on}
                for of_strength in labels.get(source, {}).values()
            ]
            assert all(len(amounts) <= 1 for amounts in parts), f"{story}\n{on}: two labels say {parts}"
            if parts and all(parts):
                stated[source] = sum((amount for amounts in parts for amount in amounts), Decimal(0))
        if by_source and stated.keys() == by_source.keys():
            total = sum(stated.values())
            if on in calendar:
                assert calendar[on] == total, f"{story}\n{on}: calendar {calendar[on]}, labels {stated}"
            if on == today and page_mg is not None:
                assert page_mg == total, f"{story}\n{on}: page {page_mg}, labels {stated}"

    # The messages that are still to come.
    scheduled = Reminder.objects.filter(patient=patient, state=ReminderState.SCHEDULED, plan__ended_at=None)
    changes = {row.local_date + ONE for row in scheduled if row.kind == "dose_change"}
    changes |= {date.fromisoformat(row.params["date"]) for row in scheduled if row.kind == "run_out"}
    for on, mg in calendar.items():
        if on <= today + ONE or on - ONE not in calendar:
            continue
        if on in changes and calendar[on - ONE] == mg:
            doses = [counted.day(day).doses for day in (on - ONE, on)]
            assert doses[0] != doses[1], f"{story}\n{on}: a message says a change, the calendar {mg} on both days"
        if calendar[on - ONE] != mg:
            assert on in changes, f"{story}\n{on}: the calendar changes to {mg}, and no message says it"
    for row in scheduled:
        if row.kind in {"change_day", "dose_change"}:
            on, mg = date.fromisoformat(row.params["date"]), sum(map(Decimal, row.params["after"]))
            assert calendar.get(on, mg) == mg, f"{story}\n{on}: a message says {mg} mg, the calendar {calendar[on]}"
        if row.kind == "run_out":
            uncovered = date.fromisoformat(row.params["date"])
            assert calendar.get(uncovered) is None or counted.day(uncovered).doses, f"{story}\n{uncovered}"

    compare_own_page(patient, calendar, today, story)
