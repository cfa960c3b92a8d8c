"""Check, override, hand over, take back: what the pages do with what people type."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from decimal import Decimal
from html import unescape
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import patients
from dispensary.assessment import assess
from dispensary.documents.words import long_day, short_day
from dispensary.handover import medicine_name, order_number
from dispensary.models import AuditEntry, Dispense, OrderClaim, Override, Prescription, Product, StaffMember, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db
SCAN = f"]d201{make.TEN_MG}1728113010LOT7\u241d21SN42"
ABOVE: dict[str, Any] = {
    "phases": [{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
    "directions": "35 mg three times a day for 28 days",
    "quantity": 294,
}


@pytest.fixture
def pharmacist(db: None) -> StaffMember:
    make.products()
    return make.staff(make.pharmacy())


@pytest.fixture
def counter(client: Client, pharmacist: StaffMember) -> Client:
    client.force_login(pharmacist.user)
    return client


def order(at: StaffMember, patient: dict[str, Any] | None = None, **changes: Any) -> Prescription:
    """An order that came in just now."""
    now = timezone.now()
    return make.prescription(
        make.patient(at.pharmacy, now=now, **(patient or {})),
        now=now,
        **({"written_on": now.date().isoformat()} | changes),
    )


def check(prescription: Prescription) -> str:
    return reverse("counter:check", args=[prescription.pk])


def handed(counter: Client, prescription: Prescription, **typed: Any) -> Any:
    """Press the main button with everything filled in."""
    data = {
        "dispense-it": "1",
        "quantity": "42",
        "gtin": make.TEN_MG,
        "lot": "A1",
        "expiry": str(make.pack_expiry()),
        "key": "key-1",
        "one-lot": "1",
    }
    return counter.post(check(prescription), data | typed)


def answers(prescription: Prescription, counter: Client, **typed: Any) -> dict[str, Any]:
    """The override page's fields, each filled in, for every finding it asks about."""
    page = counter.get(reverse("counter:override", args=[prescription.pk]))
    data: dict[str, Any] = {"password": make.PASSWORD, "nonce": str(page.context["signature"].begun.pk)}
    for asked, form in page.context["asking"]:
        fields = {
            "mitigation": "5",
            "words": f"Agreed about {asked.question.code}.",
            "asked": "Dr Mwangi",
            "agreed": "Go on",
        }
        data |= {f"{form.prefix}-{name}": value for name, value in (fields | typed).items()}
    return data


def test_the_arithmetic_stands_before_the_findings(counter: Client, pharmacist: StaffMember) -> None:
    page = counter.get(check(order(pharmacist, **ABOVE))).content.decode()
    assert page.index("Take 35") < page.index("The computed course") < page.index("is above the 100 mg daily maximum")


def test_a_course_is_read_back_with_its_sums(counter: Client, pharmacist: StaffMember) -> None:
    phases = [
        {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 3},
        {"doses": [10, 5, 5], "unit": "mg", "days": 25},
    ]
    prescription = order(pharmacist, phases=phases, directions=None, quantity=55)
    view = counter.get(check(prescription)).context["view"]
    assert [(row.mg_per_day, row.tablets, row.cumulative) for row in view.course] == [(15, 4.5, 4.5), (20, 50, 54.5)]
    assert view.course[1].dose.replace("\u00a0", " ") == "10 mg, then 5 mg, then 5 mg"
    assert view.course[1].tablets_per_dose == "1, then ½, then ½"


@pytest.mark.parametrize("with_doses", [True, False], ids=["doses and words", "words alone"])
def test_what_is_taken_when_needed_is_never_shown_as_regular(
    counter: Client, pharmacist: StaffMember, with_doses: bool
) -> None:
    fields = {"directions": "5 mg up to three times a day when needed", "quantity": 42, "as_needed": with_doses or None}
    phases = [{"dose": 5, "unit": "mg", "times_per_day": 3}] if with_doses else None
    prescription = order(pharmacist, phases=phases, then_stop=None, **fields)
    page = counter.get(check(prescription))
    text = page.content.decode().replace("\u00a0", " ")
    assert re.findall("d-says.>([^<]*)<", text) == ["Take 5 mg when needed, up to three times a day."]
    assert "Take 5 mg three times a day" not in text
    assert 'data-head="Times a day">up to 3<' in text
    assert "at least 28 days" in text
    ticks = [*page.context["main"].acknowledges, *page.context["ticks"]]
    after = counter.get(handed(counter, prescription, acknowledged=ticks)["Location"])
    assert after.context["how"] == ["Take HALF a tablet (5\u00a0mg) when needed, at most ONE AND A HALF tablets a day."]


def test_a_taper_that_was_handed_over_is_said_with_its_days_and_its_end(
    counter: Client, pharmacist: StaffMember
) -> None:
    phases = [
        {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 14},
        {"dose": 5, "unit": "mg", "times_per_day": 2, "days": 7},
    ]
    prescription = order(pharmacist, phases=phases, then_stop=True, directions=None, quantity=28)
    after = counter.get(handed(counter, prescription, quantity="28")["Location"]).context["how"]
    first, last = (line.replace("\u00a0", " ") for line in after)
    begun = pharmacist.pharmacy.local_day(timezone.now())
    days = [short_day(begun + timedelta(days=n)).replace("\u00a0", " ") for n in (0, 13, 21)]
    assert first.startswith(f"{days[0]} to {days[1]}:")
    assert last.endswith(f"Then STOP: no tablets from {days[2]}.")


@pytest.mark.parametrize(
    ("directions", "severity"),
    [
        ("STOP baclofen", "stop"),
        ("50 mcg daily via intrathecal pump", "stop"),
        ("40 mg tid as per clinic letter", "override"),
        ("2 tabletten 3 maal daags", "override"),
    ],
)
def test_directions_that_cannot_be_read_are_a_finding_and_nothing_is_handed_over(
    counter: Client, pharmacist: StaffMember, directions: str, severity: str
) -> None:
    prescription = order(pharmacist, directions=directions)
    view = counter.get(check(prescription)).context["view"]
    questions = [finding.question for finding in view.findings]
    assert [(question.code, question.severity) for question in questions] == [("directions", severity)]
    assert f"Directions: '{directions}'" in questions[0].detail
    handed(counter, prescription)
    assert not Dispense.objects.exists()


TAKEN = {"dose": 10, "times_per_day": 3, "strength_mg": 10, "days_supply": 28, "relation": "same-course"}


@pytest.mark.parametrize(
    ("taken_mg", "days", "is_asked"),
    [(10, [28], False), (10, [None], False), (9, [28], True), (None, [28], True), (10, [14, 14], True)],
    ids=str,
)
def test_a_repeat_that_does_not_say_what_follows_is_taken_to_go_on(
    counter: Client, pharmacist: StaffMember, taken_mg: int | None, days: list[int | None], is_asked: bool
) -> None:
    now = timezone.now()
    person = make.patient(pharmacist.pharmacy, now=now - timedelta(days=27))
    if taken_mg:
        before = TAKEN | {"dose": taken_mg, "dispensed_on": str(now.date() - timedelta(days=27))}
        patients.record_history(patient=person, supplies=[before], by=pharmacist.actor(), now=now)
    phases = [
        {"dose": 10, "unit": "mg", "times_per_day": times} | ({"days": count} if count else {})
        for times, count in zip([3, 2], days, strict=False)
    ]
    prescription = make.prescription(
        person,
        now=now,
        written_on=str(now.date()),
        then_stop=None,
        phases=phases,
        directions=None,
        quantity=84 if len(days) == 1 else 70,
        expected_days=28 if None in days else None,
    )
    page = counter.get(check(prescription))
    assert ("Could not be assessed" in [group.title for group in page.context["view"].groups]) is is_asked
    is_told = not is_asked and None not in days
    assert ("does not say what follows its days: it is taken to go on" in page.content.decode()) is is_told
    if is_told:
        assert "No rule that could be assessed has anything to say" in page.content.decode()
        assert [rule.code for rule in assess(prescription, on=now.date()).review.not_assessed if rule.missing]


def test_going_to_the_override_page_keeps_what_was_ticked_and_typed(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    ticked = ["0" * 64]
    pressed = counter.post(check(prescription), {"override-it": "1", "quantity": "40", "acknowledged": ticked})
    assert pressed.status_code == 302 and pressed["Location"] == reverse("counter:override", args=[prescription.pk])
    page = counter.get(check(prescription))
    assert (page.context["draft"].acknowledged, page.context["lines"][0].quantity) == (ticked, "40")


@pytest.mark.parametrize(("tablets", "is_asked"), [("50", False), ("50.5", True)])
def test_more_tablets_than_the_packs_scanned_hold_are_asked_about_once(
    counter: Client, pharmacist: StaffMember, tablets: str, is_asked: bool
) -> None:
    prescription = order(pharmacist, quantity=98)
    pressed = handed(counter, prescription, quantity=tablets, **{"one-lot": ""})
    asks = "The packs scanned hold fewer tablets" in pressed.content.decode()
    assert (asks, pressed.status_code == 422) == (is_asked, is_asked)
    assert ('name="one-lot"' in pressed.content.decode()) is is_asked
    if is_asked:
        again = handed(counter, prescription, quantity=tablets)
        assert "The packs scanned hold fewer tablets" not in again.content.decode()


@pytest.mark.parametrize(("tablets", "owed"), [("42", None), ("20", 22)])
def test_the_page_after_a_part_says_what_is_owed(
    counter: Client, pharmacist: StaffMember, tablets: str, owed: int | None
) -> None:
    page = counter.get(handed(counter, order(pharmacist), quantity=tablets)["Location"])
    assert page.context["owed"] == owed
    assert ("of this prescription are still owed" in page.content.decode()) is (owed is not None)


def test_who_handed_over_works_on_the_order_no_more(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    counter.get(check(prescription))
    assert OrderClaim.objects.filter(prescription=prescription).exists()
    handed(counter, prescription)
    assert prescription.dispenses.exists() and not OrderClaim.objects.filter(prescription=prescription).exists()


@pytest.mark.parametrize(
    ("interval", "repeats", "tablets"),
    [(None, 0, "42"), (7, 0, "11"), (14, 0, "21"), (30, 0, "42"), (7, 2, "42")],
)
def test_one_instalment_is_proposed(
    counter: Client, pharmacist: StaffMember, interval: int | None, repeats: int, tablets: str
) -> None:
    page = counter.get(check(order(pharmacist, interval_days=interval, repeats=repeats)))
    assert (f"at least {interval} days between supplies" in page.content.decode()) is (interval is not None)
    assert page.context["lines"][0].quantity == tablets


@pytest.mark.parametrize(("tablets", "severity"), [("21", None), ("24", "acknowledge"), ("27", "override")])
def test_more_than_one_instalment_is_asked_about(
    counter: Client, pharmacist: StaffMember, tablets: str, severity: str | None
) -> None:
    prescription = order(pharmacist, interval_days=14)
    handed(counter, prescription, quantity=tablets)
    assert prescription.dispenses.exists() is (severity is None)
    findings = prescription.reviews.latest("reviewed_at").findings.filter(code="instalment-size")
    assert [finding.severity for finding in findings] == ([severity] if severity else [])


def test_what_is_not_said_of_the_end_is_asked_in_words(counter: Client, pharmacist: StaffMember) -> None:
    page = counter.get(check(order(pharmacist, then_stop=None)))
    assert "whether the medicine goes on after the days of the order" in page.content.decode()


def test_that_only_words_give_the_dose_is_said_in_words(counter: Client, pharmacist: StaffMember) -> None:
    page = counter.get(check(order(pharmacist, phases=None))).content.decode()
    assert "a second statement of the doses (they were read from the words alone" in page


def test_an_order_without_directions_lacks_no_fact(counter: Client, pharmacist: StaffMember) -> None:
    page = counter.get(check(order(pharmacist, directions=None)))
    assert "A fact is missing" not in page.content.decode()


def test_a_taper_that_is_too_fast_comes_with_one_that_the_rules_accept(
    counter: Client, pharmacist: StaffMember
) -> None:
    prescription = order(
        pharmacist,
        phases=[
            {"dose": 20, "unit": "mg", "times_per_day": 3, "days": 7},
            {"dose": 5, "unit": "mg", "times_per_day": 3, "days": 3},
        ],
        then_stop=True,
        directions=None,
        quantity=47,
    )
    page = counter.get(check(prescription)).content.decode()
    assert "A proposal that the rules accept:" in page
    assert "then stop." in page.split("A proposal that the rules accept:")[1][:400]


def test_a_proposal_that_two_findings_make_stands_at_the_first(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now()
    person = make.patient(pharmacist.pharmacy, now=now - timedelta(days=27))
    before = TAKEN | {"dose": 20, "dispensed_on": str(now.date() - timedelta(days=27))}
    patients.record_history(patient=person, supplies=[before], by=pharmacist.actor(), now=now)
    steps = {"phases": [{"dose": 5, "unit": "mg", "times_per_day": 1, "days": 3}], "then_stop": True}
    prescription = make.prescription(
        person, now=now, written_on=str(now.date()), directions=None, quantity=Decimal("1.5"), **steps
    )
    findings = counter.get(check(prescription)).context["view"].findings
    proposals = {
        finding.question.code: finding.proposal for finding in findings if finding.question.severity == "override"
    }
    assert proposals["taper-duration"] and proposals["taper-step"] == ""


def test_every_number_of_a_finding_has_its_unit(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(
        pharmacist, phases=[{"dose": 50, "unit": "mg", "times_per_day": 3, "days": 28}], directions=None, quantity=420
    )
    findings = counter.get(check(prescription)).context["view"].findings
    numbers = {f.question.code: f"{f.observed} / {f.limit}".replace("\u00a0", " ") for f in findings}
    assert numbers["daily-maximum"] == "150 mg a day / 100 mg a day"
    assert numbers["single-dose"] == "50 mg a dose / 35 mg a dose"
    assert numbers["tenfold"] == "150 mg a day, start 15 mg a day / 8 times"


def test_opening_a_prescription_is_a_line_in_the_log(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    counter.get(check(prescription))
    assert AuditEntry.objects.filter(action="patient.opened", patient_ref=str(prescription.patient_id)).count() == 1


def test_a_scan_fills_the_pack_and_is_kept_over_pages(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    counter.post(check(prescription), {"scan-it": "1", "scan": SCAN, "quantity": "42"})
    counter.get(reverse("counter:queue"))
    page = counter.get(check(prescription))
    draft = page.context["lines"][0].draft
    assert (draft.gtin, draft.lot, draft.expiry, draft.serial) == (make.TEN_MG, "LOT7", "2028-11-30", "SN42")
    assert "Lioresal 10 mg tablets" in page.content.decode()


def test_a_scan_never_erases_what_it_does_not_carry(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    counter.post(check(prescription), {"scan-it": "1", "scan": make.TEN_MG, "quantity": "42"})
    typed = {"gtin": make.TEN_MG, "lot": "TYPED", "expiry": "2028-01-31", "quantity": "21"}
    counter.post(check(prescription), typed | {"scan-it": "1", "scan": make.TEN_MG})
    draft = counter.get(check(prescription)).context["lines"][0].draft
    assert (draft.lot, draft.expiry, draft.quantity) == ("TYPED", "2028-01-31", "21")


@pytest.mark.parametrize("scanned", [make.TEN_MG, f"]d201{make.TEN_MG}21SN43"])
def test_a_second_box_does_not_keep_the_first_boxs_lot(counter: Client, pharmacist: StaffMember, scanned: str) -> None:
    prescription = order(pharmacist)
    counter.post(check(prescription), {"scan-it": "1", "scan": SCAN, "quantity": "42"})
    pack_fields = {"gtin": make.TEN_MG, "lot": "LOT7", "expiry": "2028-11-30", "serial": "SN42", "quantity": "42"}
    counter.post(check(prescription), pack_fields | {"scan-it": "1", "scan": scanned})
    draft = counter.get(check(prescription)).context["lines"][0].draft
    assert (draft.gtin, draft.lot, draft.expiry) == (make.TEN_MG, "", "")


@pytest.mark.parametrize(
    ("code", "is_another"),
    [(SCAN, False), (SCAN.replace("SN42", "SN43"), True), (SCAN.replace("LOT7", "LOT8"), True)],
    ids=["the same", "another serial", "another lot"],
)
def test_a_pack_that_takes_the_place_of_another_is_named(
    counter: Client, pharmacist: StaffMember, code: str, is_another: bool
) -> None:
    prescription = order(pharmacist)
    boxes_of_fifty(counter, prescription, SCAN, tablets="42")
    assert "takes the place" not in counter.get(check(prescription)).content.decode()
    boxes_of_fifty(counter, prescription, code, tablets="42")
    page = counter.get(check(prescription)).content.decode()
    assert ("takes the place" in page) is is_another


def boxes_of_fifty(counter: Client, prescription: Prescription, *boxes: str, tablets: str = "98") -> None:
    """Scan boxes of 50 tablets one after another; nothing is typed."""
    for box in boxes:
        draft = counter.get(check(prescription)).context["lines"][0].draft
        pack_fields = {name: getattr(draft, name) for name in ("gtin", "lot", "expiry", "serial")}
        counter.post(check(prescription), pack_fields | {"scan-it": "1", "scan": box, "quantity": tablets})


def test_several_packs_are_scanned_one_after_another_and_each_keeps_its_lot(
    counter: Client, pharmacist: StaffMember
) -> None:
    phases = [{"doses": [10, 10, 15], "unit": "mg", "days": 28}]
    prescription = order(pharmacist, phases=phases, directions=None, quantity=98)
    second = f"]d201{make.TEN_MG}1728093010LOT8\u001d21SN43"
    boxes_of_fifty(counter, prescription, SCAN, second, SCAN)
    page = counter.get(check(prescription))
    line = page.context["lines"][0]
    assert (line.from_first, [(c.quantity, c.pack.lot) for c in line.further]) == (50, [(48, "LOT8")])
    text = page.content.decode()
    assert "This pack was scanned before: nothing changes." in text
    assert "from 2 packs" in text
    bar = text[text.index("d-bottom__packs") :]
    assert "Pack 1" in bar and "Pack 2" in bar and "LOT8" in bar
    third = counter.post(
        check(prescription),
        {"scan-it": "1", "scan": f"]d201{make.TEN_MG}10LOT9\u001d21SN44", "quantity": "98"}
        | {name: getattr(line.draft, name) for name in ("gtin", "lot", "expiry", "serial")},
    )
    assert "hold enough tablets" in third.content.decode()
    counter.post(check(prescription), {"empty-packs": "1"})
    assert not counter.get(check(prescription)).context["lines"][0].is_scanned


def test_several_packs_are_handed_over_from_the_page(counter: Client, pharmacist: StaffMember) -> None:
    now = timezone.now() - timedelta(days=26)
    patient = make.patient(pharmacist.pharmacy, now=now)
    phases = [{"doses": [10, 10, 15], "unit": "mg", "days": 28}]
    before = make.prescription(patient, phases=phases, directions=None, quantity=98, repeats=1, now=now)
    make.hand_over(before, pharmacist.actor(), now=now)
    boxes_of_fifty(counter, before, SCAN, f"]d201{make.TEN_MG}1728093010LOT8\u001d21SN43")
    page = counter.get(check(before))
    draft = page.context["lines"][0].draft
    typed = {name: getattr(draft, name) for name in ("gtin", "lot", "expiry", "serial")}
    ticks = [finding.question.fingerprint for finding in page.context["view"].findings if finding.is_open]
    done = counter.post(
        check(before),
        typed | {"dispense-it": "1", "quantity": "98", "key": page.context["draft"].key, "acknowledged": ticks},
    )
    assert done.status_code == 302, done.content.decode()
    dispense = Dispense.objects.latest("handed_over_at")
    assert [(pack["lot"], pack["quantity"]) for pack in dispense.packs] == [("LOT7", 50), ("LOT8", 48)]
    make.product("05012345678924", 10, name="Baclofen 10 mg tablets", brand="")
    dispense.further_packs = [pack | {"gtin": "05012345678924"} for pack in dispense.further_packs]
    assert medicine_name(dispense) == "Lioresal / Baclofen", "the label names every pack it is on"
    assert "LOT8" in counter.get(reverse("counter:dispensed", args=[dispense.pk])).content.decode()


def test_another_packs_scan_takes_the_first_packs_lot_away(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    counter.post(check(prescription), {"scan-it": "1", "scan": SCAN, "quantity": "42"})
    typed = {"gtin": make.TEN_MG, "lot": "LOT7", "expiry": "2028-11-30", "serial": "SN42", "quantity": "42"}
    counter.post(check(prescription), typed | {"scan-it": "1", "scan": make.TWENTY_FIVE_MG})
    draft = counter.get(check(prescription)).context["lines"][0].draft
    assert (draft.gtin, draft.lot, draft.serial) == (make.TWENTY_FIVE_MG, "", "")


@pytest.mark.parametrize(
    ("scan", "sentence"),
    [
        (make.TWENTY_FIVE_MG, "Wrong strength: 25\u00a0mg tablets in your hand, 10\u00a0mg ordered."),
        ("4012345678901", "Nobody here knows the pack"),
        (f"01{make.TEN_MG}17200131", "This pack has expired."),
        ("05012345678924", "another medicine. Put it back."),
    ],
)
def test_a_wrong_pack_has_a_sentence_of_its_own(
    counter: Client, pharmacist: StaffMember, scan: str, sentence: str
) -> None:
    Product.objects.create(
        gtin="05012345678924", name="Sirdalud 4 mg tablets", ingredient="tizanidine", strength_mg=4, pack_size=30
    )
    prescription = order(pharmacist)
    page = counter.post(check(prescription), {"scan-it": "1", "scan": scan, "quantity": "42"}, follow=True)
    assert sentence in page.content.decode()


def test_a_wrong_pack_is_refused_for_what_it_is_and_not_for_its_label(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    counter.post(check(prescription), {"scan-it": "1", "scan": make.TWENTY_FIVE_MG, "quantity": "42"})
    answer = handed(counter, prescription, gtin=make.TWENTY_FIVE_MG)
    words = " ".join(line.words for line in answer.context["errors"])
    assert "25" in words
    assert "label" not in words
    assert answer.context["errors_title"] == "Not handed over"


def test_a_finding_that_is_a_question_ends_with_its_own_mark(counter: Client, pharmacist: StaffMember) -> None:
    first = order(pharmacist)
    make.prescription(first.patient, now=timezone.now(), written_on=timezone.now().date().isoformat())
    refused = handed(counter, first)
    assert refused.status_code == 409
    (line,) = (line for line in refused.context["errors"] if "sent twice" in line.words)
    assert line.words.endswith("was it sent twice? Tick that you have seen it.")


def test_an_unreadable_scan_is_an_error_at_the_field(counter: Client, pharmacist: StaffMember) -> None:
    page = counter.post(
        check(order(pharmacist)), {"scan-it": "1", "scan": f"01{make.TEN_MG}10ABC12321SER99", "quantity": "42"}
    )
    assert page.status_code == 422
    assert [line.target for line in page.context["errors"]] == ["id_scan"]


def test_a_clean_order_is_handed_over(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    answer = handed(counter, prescription)
    dispense = Dispense.objects.get(prescription=prescription)
    assert answer["Location"] == reverse("counter:dispensed", args=[dispense.pk])
    assert (dispense.quantity, dispense.lot, dispense.dispenser_name) == (42, "A1", pharmacist.display_name)


def test_the_button_pressed_twice_hands_over_once(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    first, second = handed(counter, prescription), handed(counter, prescription)
    assert first["Location"] == second["Location"]
    assert prescription.dispenses.count() == 1


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ({"quantity": ""}, "id_quantity"),
        ({"quantity": "many"}, "id_quantity"),
        ({"quantity": "0"}, "id_quantity"),
        ({"quantity": "-3"}, "id_quantity"),
        ({"quantity": "NaN"}, "id_quantity"),
        ({"quantity": "Infinity"}, "id_quantity"),
        ({"quantity": "1e9"}, "id_quantity"),
        ({"quantity": "10.3"}, "id_quantity"),
        ({"quantity": "43"}, "id_quantity"),
        ({"gtin": ""}, "id_scan"),
        ({"gtin": "00000000000000"}, "id_scan"),
        ({"expiry": "yesterday"}, "id_expiry"),
        ({"expiry": "2020-01-31"}, "id_expiry"),
        ({"lot": "A" * 21}, "id_lot"),
    ],
)
def test_what_cannot_be_is_an_error_at_its_field_and_nothing_is_written(
    counter: Client, pharmacist: StaffMember, typed: dict[str, str], target: str
) -> None:
    prescription = order(pharmacist)
    page = handed(counter, prescription, **typed)
    assert page.status_code in {400, 409, 422}
    assert target in [line.target for line in page.context["errors"]]
    assert "lot" in typed or 'value="A1"' in page.content.decode()
    assert not prescription.dispenses.exists()


def test_a_stop_is_named_before_the_pack_that_is_missing(counter: Client, pharmacist: StaffMember) -> None:
    page = handed(counter, order(pharmacist, form="oral solution"), gtin="")
    first, *others = page.context["errors"]
    assert first.target.startswith("finding-") and "No reason lifts this" in first.words
    assert [line.target for line in others] == ["id_scan"]


def test_a_stop_is_never_handed_over(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(
        pharmacist, phases=[{"dose": 50, "unit": "mg", "times_per_day": 3, "days": 28}], directions=None, quantity=420
    )
    page = handed(counter, prescription, quantity="420")
    assert page.status_code == 409
    assert "Cannot dispense" in page.content.decode()
    assert not prescription.dispenses.exists()


def test_findings_that_changed_meanwhile_are_shown_again(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    page = handed(counter, prescription, acknowledged=["0" * 64])
    assert "The findings have changed" in page.content.decode()
    assert not prescription.dispenses.exists()


def test_findings_are_answered_with_a_reason_and_a_fresh_password(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, **ABOVE)
    answer = counter.post(reverse("counter:override", args=[prescription.pk]), answers(prescription, counter))
    assert answer["Location"] == check(prescription)
    signed = Override.objects.filter(prescription=prescription)
    assert {o.code for o in signed} == {"daily-maximum", "starting-dose"}
    assert {o.signature for o in signed} == {"password"}
    page = handed(counter, prescription, quantity="294")
    assert page.status_code == 302, [line.words for line in page.context["errors"]]


@pytest.mark.parametrize(
    ("asked_at", "words"), [("", "time not recorded"), ("2026-03-02T10:05", "Mon 2 Mar 2026, 10:05")]
)
def test_whom_was_asked_when_and_what_was_agreed_stands_beside_the_answer(
    counter: Client, pharmacist: StaffMember, asked_at: str, words: str
) -> None:
    prescription = order(pharmacist, **ABOVE)
    data = answers(prescription, counter, asked_at=asked_at)
    assert counter.post(reverse("counter:override", args=[prescription.pk]), data).status_code == 302
    page = unescape(counter.get(check(prescription)).content.decode()).replace("\u00a0", " ")
    assert f"Asked: Dr Mwangi, {words}." in page
    assert "Agreed: “Go on”" in page


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"mitigation": ""}, "Choose a reason for"),
        ({"mitigation": "99"}, "Select a valid choice"),
        ({"words": ""}, "Say in your own words"),
        ({"words": "ok"}, "Say a little more"),
        ({"asked": ""}, "Name the person"),
        ({"asked_at": "2999-01-01T10:00"}, "cannot lie in the future"),
        ({"agreed": "x" * 501}, "at most 500 characters"),
    ],
)
def test_an_incomplete_answer_is_not_signed_and_nothing_typed_is_lost(
    counter: Client, pharmacist: StaffMember, typed: dict[str, str], sentence: str
) -> None:
    prescription = order(pharmacist, **ABOVE)
    page = counter.post(reverse("counter:override", args=[prescription.pk]), answers(prescription, counter, **typed))
    assert page.status_code == 422
    assert any(sentence in line.words for line in page.context["errors"])
    assert "words" in typed or "Agreed about daily-maximum." in page.content.decode()
    assert make.PASSWORD not in page.content.decode()
    assert not Override.objects.filter(prescription=prescription).exists()


def test_a_wrong_password_signs_nothing(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, **ABOVE)
    data = answers(prescription, counter) | {"password": "not it"}
    page = counter.post(reverse("counter:override", args=[prescription.pk]), data)
    assert [line.target for line in page.context["errors"]] == ["id_password"]
    assert "Agreed about daily-maximum." in page.content.decode()
    assert not Override.objects.filter(prescription=prescription).exists()


def test_another_persons_password_signs_nothing(counter: Client, pharmacist: StaffMember) -> None:
    other = make.staff(pharmacist.pharmacy)
    other.user.set_password("another long password")
    other.user.save()
    prescription = order(pharmacist, **ABOVE)
    data = answers(prescription, counter) | {"password": "another long password"}
    counter.post(reverse("counter:override", args=[prescription.pk]), data)
    assert not Override.objects.filter(prescription=prescription).exists()


def test_every_rule_that_can_be_overridden_offers_five_to_seven_reasons_with_other_last() -> None:
    from baclofen_rules.rulebook import all_rules
    from dispensary.counter.reasons import reasons_for

    for rule in all_rules():
        offered = reasons_for(rule.code)
        assert 5 <= len(offered) <= 8, rule.code
        assert offered[-1][0] == "8"
        assert len({value for value, _words in offered}) == len(offered)


def test_an_answer_can_be_withdrawn_until_it_is_used(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, **ABOVE)
    counter.post(reverse("counter:override", args=[prescription.pk]), answers(prescription, counter))
    answer = Override.objects.filter(prescription=prescription).first()
    counter.post(reverse("counter:withdraw-answer", args=[prescription.pk, answer.pk]), {"reason": "misread"})
    answer.refresh_from_db()
    assert answer.state == "withdrawn"
    again = counter.post(reverse("counter:withdraw-answer", args=[prescription.pk, answer.pk]), {"reason": "misread"})
    assert again.status_code == 404


def test_another_pharmacys_answer_cannot_be_withdrawn(counter: Client, pharmacist: StaffMember) -> None:
    elsewhere = make.staff(make.pharmacy("Elsewhere"))
    theirs = order(elsewhere, **ABOVE)
    address = reverse("counter:withdraw-answer", args=[theirs.pk, uuid.uuid4()])
    assert counter.post(address, {"reason": "mine"}).status_code == 404


def test_a_technician_hands_over_what_is_clean_and_cannot_override(client: Client, pharmacist: StaffMember) -> None:
    client.force_login(make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN).user)
    clean, above = order(pharmacist), order(pharmacist, **ABOVE)
    assert handed(client, clean).status_code == 302
    assert handed(client, above, quantity="294", key="key-2").status_code == 409
    assert client.get(reverse("counter:override", args=[above.pk])).status_code == 403


def test_a_supply_is_cancelled_or_taken_back_with_a_reason(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    handed(counter, prescription)
    dispense = prescription.dispenses.get()
    address = reverse("counter:take-back", args=[dispense.pk])
    for wrong in ({}, {"how": "cancel"}, {"reason": "why"}, {"how": "burn", "reason": "why"}):
        assert counter.post(address, wrong).status_code == 422
    assert counter.post(address, {"how": "cancel", "reason": "Patient left"})["Location"]
    dispense.refresh_from_db()
    assert (dispense.status, dispense.ended_reason) == ("cancelled", "Patient left")
    assert counter.post(address, {"how": "return", "reason": "again"}).status_code == 422


def test_a_cancelled_prescription_cannot_be_handed_over(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    counter.post(reverse("counter:cancel-prescription", args=[prescription.pk]), {"reason": "Written in error"})
    page = handed(counter, prescription)
    assert page.status_code == 409
    assert "cancelled" in page.content.decode()
    assert not prescription.dispenses.exists()


def test_the_label_is_printed_once_and_then_again(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    handed(counter, prescription)
    address = reverse("counter:label", args=[prescription.dispenses.get().pk])
    for _ in range(2):
        answer = counter.get(address)
        assert answer["Content-Type"] == "application/pdf"
        assert answer.content.startswith(b"%PDF")
    prints = (
        AuditEntry.objects.filter(action__startswith="label.").order_by("recorded_at").values_list("action", flat=True)
    )
    assert list(prints) == ["label.printed", "label.reprinted"]


def test_the_picture_of_a_label_is_no_print(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist)
    handed(counter, prescription)
    answer = counter.get(reverse("counter:label-picture", args=[prescription.dispenses.get().pk]))
    assert answer.content.startswith(b"\x89PNG")
    assert not AuditEntry.objects.filter(action__startswith="label.").exists()


def test_a_name_that_no_font_has_is_an_answer_and_not_a_box(counter: Client, pharmacist: StaffMember) -> None:
    prescription = order(pharmacist, patient={"family_name": "\U000130b9\U000131cb", "given_name": ""})
    assert handed(counter, prescription).status_code == 422, "the label is tried first"
    assert handed(counter, prescription).status_code == 302, "a label is written by hand"
    page = counter.get(reverse("counter:label", args=[prescription.dispenses.get().pk]))
    assert page.status_code == 422
    assert "This cannot be printed" in page.content.decode()


def test_markup_in_names_and_words_is_shown_as_it_was_typed(counter: Client, pharmacist: StaffMember) -> None:
    name = "O'Brien <script>alert(1)</script>"
    prescription = order(pharmacist, patient={"family_name": name}, directions=None)
    for address in (
        check(prescription),
        reverse("counter:queue"),
        reverse("counter:patient", args=[prescription.patient_id]),
    ):
        page = counter.get(address).content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page


def test_the_queue_says_where_each_order_stands(counter: Client, pharmacist: StaffMember) -> None:
    order(pharmacist, patient={"family_name": "Clean"})
    order(pharmacist, patient={"family_name": "Above"}, **ABOVE)
    order(
        pharmacist,
        patient={"family_name": "Tenfold"},
        phases=[{"dose": 50, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions=None,
        quantity=420,
    )
    rows = counter.get(reverse("counter:queue")).context["rows"]
    assert {r.prescription.patient.family_name: r.state for r in rows} == {
        "Clean": "ready",
        "Above": "override",
        "Tenfold": "stop",
    }


def test_the_queue_asks_the_same_number_of_questions_for_one_and_for_many(
    counter: Client, pharmacist: StaffMember, django_assert_max_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    order(pharmacist)
    with CaptureQueriesContext(
        connection,
    ) as queries_for_one:
        counter.get(reverse("counter:queue"))
    for _ in range(5):
        order(pharmacist)
    with django_assert_max_num_queries(len(queries_for_one)):
        counter.get(reverse("counter:queue"))


@pytest.mark.parametrize("by", ["name", "part", "number", "patient", "label"])
def test_an_order_is_found_by_name_number_and_label(counter: Client, pharmacist: StaffMember, by: str) -> None:
    order_sought = order(pharmacist, patient={"family_name": "Featherstone", "given_name": "Zoe"})
    order(pharmacist)
    words = {
        "name": "Featherstone, Zoe",
        "part": "feath zo",
        "number": order_number(order_sought),
        "patient": order_sought.patient.identifier,
        "label": f"{order_number(order_sought)}|12|9f86d081884c7d65",
    }[by]
    assert counter.post(reverse("counter:queue"), {"q": words})["Location"] == check(order_sought)
    assert AuditEntry.objects.filter(action="patient.searched").exists()


def test_an_order_is_found_by_its_whole_key_and_by_a_label_that_shows_the_first_digits(
    counter: Client, pharmacist: StaffMember
) -> None:
    old = order(pharmacist)
    old.pk = uuid.uuid4()
    old.save(force_insert=True)
    for words in (str(old.pk), f"{str(old.pk)[:8].upper()}|12|9f86d081884c7d65"):
        assert counter.post(reverse("counter:queue"), {"q": words})["Location"] == check(old)


def test_a_search_never_finds_another_pharmacys_patient(counter: Client, pharmacist: StaffMember) -> None:
    order(make.staff(make.pharmacy("Elsewhere")), patient={"family_name": "Featherstone"})
    page = counter.post(reverse("counter:queue"), {"q": "Featherstone"})
    assert page.context["rows"] == []


def test_next_goes_on_to_what_can_be_worked_on(counter: Client, pharmacist: StaffMember) -> None:
    first, second = order(pharmacist), order(pharmacist)
    assert counter.get(reverse("counter:next"))["Location"] == check(first)
    assert counter.get(reverse("counter:next"), {"after": str(first.pk)})["Location"] == check(second)
    assert counter.get(reverse("counter:next"), {"after": str(second.pk)})["Location"] == check(first)


def test_news_counts_what_came_in_since(counter: Client, pharmacist: StaffMember) -> None:
    before = timezone.now() - timedelta(minutes=1)
    order(pharmacist)
    address = reverse("counter:queue-news")
    assert "1 new" in counter.get(address, {"since": before.isoformat()}).content.decode()
    assert "new" not in counter.get(address, {"since": timezone.now().isoformat()}).content.decode()
    assert counter.get(address, {"since": "yesterday"}).status_code == 200


def test_facts_are_changed_and_unknown_stays_unknown(counter: Client, pharmacist: StaffMember) -> None:
    patient = order(pharmacist).patient
    data = {
        "version": patient.version,
        "egfr": "48",
        "sex": "female",
        "birth_date": "1981-05-02",
        "drives": "yes",
        "conditions": ["epilepsy"],
        "medicines": "tizanidine, M03BX02\nibuprofen",
        "allergies_known": "yes",
    }
    answer = counter.post(reverse("counter:facts", args=[patient.pk]), data)
    assert answer.status_code == 302
    patient.refresh_from_db()
    assert (patient.egfr, patient.drives, patient.weight_kg, patient.pregnant) == (48, True, None, None)
    assert (patient.conditions, patient.allergies) == (["epilepsy"], [])
    assert [m["name"] for m in patient.medicines] == ["tizanidine", "ibuprofen"]


def test_the_day_of_an_egfr_is_typed_and_coded_conditions_stay(counter: Client, pharmacist: StaffMember) -> None:
    coded = {"system": "http://hl7.org/fhir/sid/icd-10", "code": "N18.5"}
    patient = order(pharmacist, patient={"conditions": [coded]}).patient
    data = {"version": patient.version, "egfr": "48", "egfr_on": "2026-03-01", "conditions": ["epilepsy"]}
    assert counter.post(reverse("counter:facts", args=[patient.pk]), data).status_code == 302
    patient.refresh_from_db()
    assert (str(patient.egfr_on), patient.conditions) == ("2026-03-01", ["epilepsy", coded])
    assert (
        "1\N{NO-BREAK SPACE}Mar\N{NO-BREAK SPACE}2026"
        in counter.get(reverse("counter:patient", args=[patient.pk])).content.decode()
    )


def test_each_fact_of_a_patient_has_its_day(counter: Client, pharmacist: StaffMember) -> None:
    patient = make.patient(pharmacist.pharmacy, now=timezone.now(), egfr=None)
    address = reverse("counter:patient", args=[patient.pk])
    today = timezone.localdate(timezone=ZoneInfo(patient.zone))
    days = {label: on for label, _, on in counter.get(address).context["facts"]}
    assert days["Weight"] == today
    assert days["eGFR"] is None, "nobody was asked"
    assert f"since {long_day(today)}" in counter.get(address).content.decode()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("egfr", "-1"),
        ("egfr", "NaN"),
        ("weight_kg", "heavy"),
        ("birth_date", "1800-01-01"),
        ("birth_date", "2999-01-01"),
        ("sex", "x"),
    ],
)
def test_an_absurd_fact_is_an_error_at_its_field(
    counter: Client, pharmacist: StaffMember, name: str, value: str
) -> None:
    patient = order(pharmacist).patient
    page = counter.post(reverse("counter:facts", args=[patient.pk]), {"version": patient.version, name: value})
    assert page.status_code == 422
    assert f"id_{name}" in [line.target for line in page.context["errors"]]


def test_somebody_elses_newer_facts_are_not_overwritten(counter: Client, pharmacist: StaffMember) -> None:
    patient = order(pharmacist).patient
    page = counter.post(reverse("counter:facts", args=[patient.pk]), {"version": patient.version - 1, "egfr": "48"})
    assert page.status_code == 422
    assert "changed meanwhile" in page.content.decode()
