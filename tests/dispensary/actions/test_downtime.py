"""The downtime form says what the record says on the evening it is printed, of everybody who is due, and who printed it."""

from datetime import timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from pypdf import PdfReader

from dispensary.actions import dispenses, patients
from dispensary.actions.downtime import MOST_DAYS, print_form
from dispensary.actors import Actor
from dispensary.counter.styles import build
from dispensary.documents import Paper
from dispensary.errors import InvalidInput, NotAllowed
from dispensary.models import AuditEntry, Dispense, StaffRole, TherapySummary
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db

TODAY = NOW.date()


@pytest.fixture(scope="module", autouse=True)
def printed_fonts():
    """The form is set in fonts that the look's build fetches."""
    build.build(with_test_tools=True, quiet=True)


@pytest.fixture
def shop():
    make.products()
    return make.pharmacy()


@pytest.fixture
def by(shop):
    return make.staff(shop).actor()


def words_of(content: bytes) -> str:
    pages = PdfReader(BytesIO(content)).pages
    return " ".join(
        " ".join(page.extract_text() for page in pages).replace("\u00a0", " ").replace("\u200b", "").split()
    )


def printed(shop, by, **choice):
    return words_of(print_form(pharmacy=shop, by=by, now=NOW, **choice))


def handed_over(shop, by, days_ago, **who):
    """28 days of 15 mg, handed over some days ago on an order of 84 tablets: 42 are left of it."""
    then = NOW - timedelta(days=days_ago)
    order = make.prescription(make.patient(shop, now=then, **who), now=then, repeats=1)
    done = dispenses.dispense(
        prescription=order, quantity=Decimal(42), pack=make.pack(), key=str(order.pk), by=by, now=then
    )
    assert isinstance(done, Dispense), done
    return order


def test_a_patient_stands_there_with_everything_that_is_known(shop, by):
    order = handed_over(shop, by, 21, family_name="Quist", given_name="Ada", identifier="P-1")
    words = printed(shop, by)
    for expected in (
        "Quist, Ada", "born 2 May 1981", "No. P-1", "15 mg in all: 5 mg three times a day (10 mg tablets)",
        "Sun 1 Nov 2026: 42 tablets of 10 mg, Lioresal 10 mg tablets, lot A1B2", "last until before Sun 29 Nov 2026",
        "Limit At most ", "5 mg three times a day for 28 days", "Dr Grace Mwangi, +442079460000",
        f"Printed Sun 22 Nov 2026, 10:00, by {by.display}", "Old after that", "Harbour Pharmacy",
    ):  # fmt: skip
        assert expected in words, (expected, words)
    number = str(order.pk).replace("-", "")[-8:].upper()
    assert number in words


def test_the_next_change_of_a_plan_is_named_with_its_day_and_dose(shop, by):
    then = NOW - timedelta(days=2)
    phases = [
        {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 7},
        {"dose": 10, "unit": "mg", "times_per_day": 3, "days": 21},
    ]
    order = make.prescription(
        make.patient(shop, now=then), now=then, phases=phases, quantity=Decimal("73.5"),
        directions="5 mg three times a day for 7 days, then 10 mg three times a day for 21 days",
    )  # fmt: skip
    make.hand_over(order, by, now=then)
    assert "Next change Fri 27 Nov 2026: 30 mg a day" in printed(shop, by, days=31)


@pytest.mark.parametrize(("days_ago", "is_there"), [(21, True), (20, False)], ids=["on the last day", "a day later"])
def test_who_runs_out_within_the_days_asked_for_is_there_and_nobody_else(shop, by, days_ago, is_there):
    """Handed over 21 days ago 28 days end in 7. Nothing is left of the order, so it is due on no day."""
    then = NOW - timedelta(days=days_ago)
    order = make.prescription(make.patient(shop, now=then, family_name="Quist"), now=then)
    make.hand_over(order, by, now=then)
    TherapySummary.objects.update(listed_from=None, listed_until=None)
    assert ("Quist" in printed(shop, by, days=7)) is is_there


def test_an_order_that_waits_is_there_with_what_stands_in_its_way(shop, by):
    high = [{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}]
    make.prescription(
        make.patient(shop, family_name="Quist"),
        phases=high,
        quantity=294,
        directions="35 mg three times a day for 28 days",
    )
    words = printed(shop, by)
    assert "Nothing that is known here" in words
    assert "Needs a pharmacist:" in words


def test_unknown_facts_are_said_to_be_unknown(shop, by):
    make.prescription(make.patient(shop, family_name="Quist", birth_date=None))
    words = printed(shop, by)
    assert "date of birth not known" in words
    assert "Daily maximum: the age is not known. lioresal has, in mg a day:" in words


def test_who_died_is_not_there(shop, by):
    order = handed_over(shop, by, 21, family_name="Quist")
    patients.record_death(patient=order.patient, died_on=TODAY, by=by, now=NOW)
    assert "Quist" not in printed(shop, by)


def test_patients_of_another_pharmacy_are_not_there_and_its_staff_may_not_print(shop, by):
    other = make.pharmacy("Hill Pharmacy")
    make.prescription(make.patient(other, family_name="Elsewhere"))
    assert "Elsewhere" not in printed(shop, by)
    with pytest.raises(NotAllowed):
        print_form(pharmacy=other, by=by, now=NOW)


def test_an_auditor_may_not_print_it(shop):
    with pytest.raises(NotAllowed):
        print_form(pharmacy=shop, by=make.staff(shop, StaffRole.AUDITOR).actor(), now=NOW)


def test_who_printed_it_stands_in_the_log_and_in_each_patients(shop, by):
    patient = handed_over(shop, by, 21).patient
    print_form(pharmacy=shop, by=by, now=NOW)
    assert AuditEntry.objects.filter(action="downtime.printed", actor=by.name).count() == 1
    read = AuditEntry.objects.filter(action="patient.opened", patient_ref=str(patient.pk), actor=by.name)
    assert read.count() == 1


@pytest.mark.parametrize("days", [0, MOST_DAYS + 1, -1])
def test_too_few_and_too_many_days_are_refused(shop, by, days):
    with pytest.raises(InvalidInput, match="1 to 31 days"):
        print_form(pharmacy=shop, days=days, by=by, now=NOW)


@pytest.mark.parametrize("days", [1, MOST_DAYS])
def test_the_least_and_the_most_days_are_printed(shop, by, days):
    assert "Nobody is due" in printed(shop, by, days=days)


@pytest.mark.parametrize(
    ("paper", "millimetres"), [(Paper.A4, (210, 297)), (Paper.LETTER, (216, 279))], ids=["A4", "letter"]
)
def test_the_paper_has_its_size(shop, by, paper, millimetres):
    page = PdfReader(BytesIO(print_form(pharmacy=shop, paper=paper, by=by, now=NOW))).pages[0]
    assert tuple(round(float(side) / 72 * 25.4) for side in page.mediabox[2:]) == millimetres


def test_a_name_that_no_font_can_draw_keeps_nobody_from_the_form(shop, by):
    handed_over(shop, by, 21, family_name="\U00013080", given_name="Li", identifier="P-9")
    handed_over(shop, by, 21, family_name="\u0394\u03b7\u03bc\u03bf\u03c5", identifier="P-8")
    words = printed(shop, by)
    assert "?, Li" in words
    assert "P-9" in words
    assert "\u0394\u03b7\u03bc\u03bf\u03c5" in words


def test_nobody_is_split_over_two_pages_and_every_page_says_when_it_was_printed(shop, by):
    for number in range(12):
        handed_over(shop, by, 21, family_name=f"Quist{number:02}")
    pages = [page.extract_text() for page in PdfReader(BytesIO(print_form(pharmacy=shop, by=by, now=NOW))).pages]
    assert all("Old after that" in page.replace("\u00a0", " ") for page in pages)
    for number in range(12):
        (page,) = [page for page in pages if f"Quist{number:02}" in page]
        assert page.count("Takes today") == page.count("Why in spite of a limit")


def test_the_system_may_print_it_on_a_schedule(shop):
    print_form(pharmacy=shop, by=Actor.system("downtime", shop.pk), now=NOW)
    assert AuditEntry.objects.filter(action="downtime.printed", actor="system:downtime").exists()
