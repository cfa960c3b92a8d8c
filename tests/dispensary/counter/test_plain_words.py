"""Texts that a person reads at the counter: one truth about a pack, whole sentences, dates as people write them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deploy.environment import ROOT
from dispensary.counter.finding_words import format_quantities
from dispensary.documents.words import long_day
from dispensary.models import Patient, StaffMember
from dispensary.templatetags.counter import dates, expiry, note
from tests.dispensary import make
from tests.dispensary.counter.test_check import handed
from tests.dispensary.counter.test_choices import check, counter, order, page_of, patient, pharmacist, press

__all__ = ["counter", "patient", "pharmacist"]
pytestmark = pytest.mark.django_db
NOTHING_TO_SAY = "none has anything to say"
ISO = re.compile(r">[^<]*\b20\d\d-\d\d-\d\d\b[^<]*<")


def scan(client: Client, prescription: Any, code: str) -> Any:
    return client.post(check(prescription), {"scan-it": "1", "scan": code, "quantity": "42"}, follow=True)


def clean(pharmacist: StaffMember, **who: Any) -> Any:
    now = timezone.now()
    return make.prescription(
        make.patient(pharmacist.pharmacy, now=now, **who), now=now, written_on=now.date().isoformat()
    )


def test_a_failed_scan_takes_out_the_pack_before_it(counter: Client, pharmacist: StaffMember) -> None:
    prescription = clean(pharmacist)
    scan(counter, prescription, make.TEN_MG)
    assert page_of(counter, prescription)["lines"][0].is_scanned
    typed = {"scan-it": "1", "scan": "not a code", "quantity": "42", "gtin": make.TEN_MG}
    page = counter.post(check(prescription), typed)
    assert "What was scanned before is taken out: scan it again." in page.content.decode()
    assert not page_of(counter, prescription)["lines"][0].is_scanned


def test_enter_in_another_field_is_no_failed_scan(counter: Client, pharmacist: StaffMember) -> None:
    prescription = clean(pharmacist)
    scan(counter, prescription, make.TEN_MG)
    typed = {"scan-it": "enter", "scan": "", "gtin": make.TEN_MG, "quantity": "21"}
    assert counter.post(check(prescription), typed).status_code == 302
    line = page_of(counter, prescription)["lines"][0]
    assert (line.is_scanned, line.quantity) == (True, "21")


def test_before_a_scan_the_pack_is_not_scanned_yet(counter: Client, pharmacist: StaffMember) -> None:
    page = counter.get(check(clean(pharmacist))).content.decode()
    assert f"{NOTHING_TO_SAY}. The pack is not scanned yet." in page


def test_an_expired_pack_is_one_truth(counter: Client, pharmacist: StaffMember) -> None:
    page = scan(counter, clean(pharmacist), f"01{make.TEN_MG}17200131")
    text = page.content.decode()
    assert NOTHING_TO_SAY not in text
    assert "This pack has expired." in text
    assert page.context["main"].is_blocked
    assert page.context["main"].words.startswith("Cannot dispense")


def test_no_date_stands_there_as_a_machine_writes_it(counter: Client, patient: Patient) -> None:
    starts_on = timezone.now().date() + timedelta(days=10)
    prescription = order(patient, 10, 10, 15, starts_on=starts_on.isoformat())
    for address in (check(prescription), reverse("counter:queue"), reverse("counter:patient", args=[patient.pk])):
        assert not ISO.findall(counter.get(address).content.decode()), address
    refused = press(counter, prescription, expiry="2020-01-31")
    assert not ISO.findall(refused.content.decode())


def test_a_refusal_is_whole_sentences(counter: Client, pharmacist: StaffMember) -> None:
    prescription = clean(pharmacist)
    refused = press(counter, prescription, quantity="43")
    assert [line.words for line in refused.context["errors"]] == [
        "43 tablets asked for, 42 tablets left. At most 42 tablets."
    ]
    refused = press(counter, prescription, expiry="2020-01-31")
    assert (
        "The pack expired on Fri 31 Jan 2020. Take it off the shelf."
        in [line.words.replace("\u00a0", " ") for line in refused.context["errors"]]
        or refused.context["main"].is_blocked
    )


def test_the_dose_that_would_be_passed_stands_with_the_finding(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now()
    above = order(make.patient(pharmacist.pharmacy, now=now), 35, 35, 35)
    findings = page_of(counter, above)["view"].findings
    clears = {f.question.code: f.clears.replace("\u00a0", " ") for f in findings}
    assert clears["daily-maximum"] == "At most 100 mg a day, or a pharmacist\u2019s override with a reason."


def test_dates_in_a_sentence_are_written_as_people_write_them() -> None:
    text = "Handed over at 2026-11-29 10:05 UTC by Ada; it ends on 2026-12-01, not before 2026-13-01."
    assert dates(text, ZoneInfo("Europe/Berlin")).replace("\u00a0", " ") == (
        "Handed over at Sun 29 Nov 2026, 11:05 by Ada; it ends on Tue 1 Dec 2026, not before 2026-13-01."
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("MedicationRequest.contained[1].name[0]: has no name", "Attached record 2, name: has no name"),
        ("MedicationRequest.dosageInstruction[1].doseAndRate[0]: a", "Dosage instruction 2, dose and rate: a"),
        ("Bundle.entry[3].resource.dispenseRequest.quantity: in packs", "Dispense request, quantity: in packs"),
        ("MedicationRequest: was sent twice", "The order: was sent twice"),
        ("Patient.birthDate: is not a full date", "Patient, birth date: is not a full date"),
        ("prescriber.name: the order has another name", "Prescriber, name: the order has another name"),
        ("expected_days: 28 were ordered", "Expected days: 28 were ordered"),
        ("Words without a place.", "Words without a place."),
        ("Take 2 daily: as before", "Take 2 daily: as before"),
    ],
)
def test_a_note_names_its_place_in_words(text: str, words: str) -> None:
    assert note(text) == words


def test_a_label_that_cannot_be_printed_is_said_before_the_hand_over(counter: Client, pharmacist: StaffMember) -> None:
    prescription = clean(pharmacist, family_name="\U000130b9\U000131cb", given_name="")
    refused = press(counter, prescription)
    assert refused.status_code == 422
    (line,) = refused.context["errors"]
    assert line.words.startswith("The label cannot be printed:")
    assert not prescription.dispenses.exists()
    assert refused.context["main"].words == "Label by hand: dispense 42 tablets"
    assert press(counter, prescription).status_code == 302


# --- the queue --------------------------------------------------------------------------------------------------------


def search(counter: Client, words: str) -> Any:
    return counter.post(reverse("counter:queue"), {"q": words})


def test_one_hit_is_opened(counter: Client, pharmacist: StaffMember) -> None:
    order_sought = clean(pharmacist, family_name="Featherstone")
    assert search(counter, "Feather")["Location"] == check(order_sought)


def test_several_hits_and_patients_without_an_order_are_listed(counter: Client, pharmacist: StaffMember) -> None:
    clean(pharmacist, family_name="Featherstone")
    make.patient(pharmacist.pharmacy, family_name="Featherby", now=timezone.now())
    page = search(counter, "Feather")
    assert len(page.context["rows"]) == 1
    assert len(page.context["people"]) == 1


def test_a_pack_scanned_at_the_queue_opens_the_only_order_it_fits(counter: Client, pharmacist: StaffMember) -> None:
    order_sought = clean(pharmacist)
    assert search(counter, f"]d201{make.TEN_MG}1728113010LOT7")["Location"] == check(order_sought)
    other = clean(pharmacist, family_name="Novak")
    page = search(counter, make.TEN_MG)
    assert {row.prescription.pk for row in page.context["rows"]} == {order_sought.pk, other.pk}
    assert search(counter, make.TWENTY_FIVE_MG).context["rows"] == []


@pytest.mark.parametrize(
    ("scan", "words"),
    [
        (f"]d201{make.TEN_MG}17270131\x1d10LA", "2 prescriptions due for Lioresal"),
        (f"]d201{make.TWENTY_FIVE_MG}", "No prescription that is due is for Lioresal"),
        ("]d20104012345678901", "No prescription that is due is for the unknown pack 04012345678901"),
    ],
)
def test_a_pack_scanned_at_the_queue_is_named_in_words(
    counter: Client, pharmacist: StaffMember, scan: str, words: str
) -> None:
    clean(pharmacist)
    clean(pharmacist, family_name="Novak")
    page = counter.post(reverse("counter:queue"), {"q": scan}).content.decode()
    assert words in page
    assert "]d2" not in re.sub(r'<input type="hidden"[^>]*>', "", page)


def test_digits_that_are_no_known_pack_are_searched_for_as_a_number(counter: Client, pharmacist: StaffMember) -> None:
    page = counter.post(reverse("counter:queue"), {"q": "96385074"}).content.decode()
    assert "Nothing found for &#8220;96385074&#8221;" in page
    assert 'value="96385074"' in page


def test_the_next_order_is_a_key_away(counter: Client, pharmacist: StaffMember) -> None:
    clean(pharmacist)
    page = counter.get(reverse("counter:queue")).content.decode()
    assert f'href="{reverse("counter:next")}" data-key="F4"' in page


def test_a_refill_too_early_says_from_which_day_it_is_right(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now()
    prescription = make.prescription(
        make.patient(pharmacist.pharmacy, now=now), now=now, written_on=now.date().isoformat(), repeats=1
    )
    handed(counter, prescription)
    page = counter.get(check(prescription)).content.decode().replace("\u00a0", " ")
    first_day = long_day((now + timedelta(days=21)).date()).replace("\u00a0", " ")
    assert f"On or after {first_day}, or" in page


def test_an_order_that_has_ended_shows_what_was_handed_over(counter: Client, pharmacist: StaffMember) -> None:
    prescription = clean(pharmacist)
    handed(counter, prescription)
    page = counter.get(check(prescription)).content.decode()
    assert "What was handed over" in page and "42" in page
    assert "could not be read" not in page and "Cannot be dispensed" not in page


def test_the_day_of_a_hand_over_is_that_of_the_pharmacy(client: Client) -> None:
    now = timezone.now()
    zone = "Pacific/Kiritimati" if now.hour >= 10 else "Pacific/Pago_Pago"  # always another day than UTC's
    make.products()
    member = make.staff(make.pharmacy(now=now - timedelta(days=3), time_zone=zone))
    client.force_login(member.user)
    today = member.pharmacy.local_day(now)
    prescription = make.prescription(
        make.patient(member.pharmacy, now=now), now=now, written_on=(today - timedelta(days=2)).isoformat()
    )
    dispense = make.hand_over(prescription, member.actor(), now=now)
    for address in (
        reverse("counter:dispensed", args=[dispense.pk]),
        reverse("counter:take-back", args=[dispense.pk]),
        check(prescription),
    ):
        page = client.get(address).content.decode()
        assert long_day(today) in page and long_day(now.date()) not in page, address


def test_no_page_takes_the_day_of_a_moment_in_utc() -> None:
    pages = (ROOT / "dispensary" / "templates").rglob("*.html")
    assert [path.name for path in pages if re.search(r"\.date\b *(\||\}|%| today)", path.read_text())] == []


@pytest.mark.parametrize(("day", "words"), [("2028-11-30", "Nov 2028"), ("2028-11-14", "Tue 14 Nov 2028")])
def test_an_expiry_reads_as_packs_have_it(day: str, words: str) -> None:
    assert expiry(date.fromisoformat(day)).replace("\u00a0", " ") == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"days_left": "18", "days_supply": "28"}, "18 days left, supply for 28 days"),
        ({"used_percent": "71.4"}, "71.4 % used"),
        ({"repeats": "1"}, "1 repeat"),
        ({"orders": "2"}, "2 orders"),
        ({"starts_on": "2026-12-07", "on": "2026-11-22"}, "starts Mon 7 Dec 2026, today Sun 22 Nov 2026"),
        ({"about": "as directed", "ask": "What dose, and how many times a day?"}, ""),
        ({"differs": "dose", "phases": "10 mg x 3 = 30 mg a day"}, "phases: 10 mg x 3 = 30 mg a day"),
    ],
)
def test_quantities_of_a_finding_are_words_of_people(values: dict[str, str], words: str) -> None:
    assert format_quantities(values).replace("\u00a0", " ") == words
