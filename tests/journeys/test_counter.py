"""From the sign-in to the audit trail in a real Chromium: by keyboard alone, every page looked at by axe at both widths."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pypdf import PdfReader
from pytest_django.live_server_helper import LiveServer

from dispensary import audit
from dispensary.actions import patients
from dispensary.models import Dispense, OrderSummary, Patient, Prescription, StaffMember, StaffRole
from dispensary.models.pharmacy import LabelLayout
from tests.dispensary import make
from tests.journeys.browsing import (
    BrowserWindow,
    check_page,
    open_window,
    send_fast,
    send_keys,
    sign_in,
    stop_clock,
    type_as_a_scanner,
)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def above_the_maximum(pharmacist: StaffMember) -> Prescription:
    """105 mg a day for somebody who takes 60: two findings that need a reason, others that need a tick."""
    make.products()
    received = timezone.now() - timedelta(minutes=12)
    day = received.date()
    patient = make.patient(
        pharmacist.pharmacy,
        family_name="Novak",
        given_name="Petra",
        birth_date="1974-02-03",
        alcohol_use=None,
        medicines=[{"name": "tizanidine", "atc": "M03BX02"}],
        now=received,
    )
    before = {
        "dispensed_on": (day - timedelta(days=27)).isoformat(),
        "dose": 20,
        "times_per_day": 3,
        "strength_mg": 10,
        "days_supply": 28,
        "dose_since": (day - timedelta(days=90)).isoformat(),
        "relation": "same-course",
    }
    patients.record_history(patient=patient, supplies=[before], by=pharmacist.actor(), now=received)
    return make.prescription(
        patient,
        written_on=day.isoformat(),
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
        quantity=294,
        now=received,
    )


@contextmanager
def open_check(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, order: Prescription
) -> Iterator[BrowserWindow]:
    """A window of somebody who signed in and opened an order."""
    with open_window(browser, live_server.url) as window:
        sign_in(window, pharmacist)
        window.go(reverse("counter:check", args=[order.pk]))
        yield window


def test_a_dose_above_the_maximum_is_overridden_dispensed_and_proved_by_keyboard_alone(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        window.go("/")
        check_page(window, "sign-in")
        sign_in(window, pharmacist)

        expect(page.get_by_role("heading", name="Queue")).to_be_visible()
        assert page.locator("#q").evaluate("element => element === document.activeElement")
        expect(page.get_by_text("105 mg a day is above the 100 mg daily maximum")).to_be_visible()
        check_page(window, "queue")
        window.tab_to(page.get_by_role("link", name="Novak, Petra"))
        window.follow("Enter")

        expect(page.get_by_text("Take 35 mg three times a day for 28 days").first).to_be_visible()
        expect(page.get_by_role("img", name="Dose line: 105 mg a day")).to_be_visible()
        check_page(window, "check")
        asked = page.get_by_role("group", name="Drinks alcohol")
        window.tab_to(asked.get_by_role("radio", name="Yes"))
        page.keyboard.press("ArrowRight")
        window.follow("F9")
        assert page.get_by_role("button", name="2 findings need a reason").evaluate("e => e === document.activeElement")
        page.keyboard.press("F9")
        expect(page.get_by_role("status").filter(has_text="Cannot dispense: 2 findings need a reason.")).to_be_visible()
        expect(page.locator("article.d-finding--override").first).to_be_focused()
        check_page(window, "refused-without-reason")
        window.follow("F8")

        expect(page.get_by_role("heading", name="Supply in spite of 2 findings")).to_be_visible()
        check_page(window, "override")
        window.follow("F9")
        assert page.locator("#error-summary").evaluate("element => element === document.activeElement")
        check_page(window, "override-with-errors")
        sign_override(window)

        expect(page.get_by_text("Answered by Pharmacist").first).to_be_visible()
        page.keyboard.press("F2")
        type_as_a_scanner(window)
        expect(page.get_by_text("Lioresal 10 mg tablets")).to_be_visible()
        expect(page.locator("#id_lot")).to_have_value("LOT7")
        expect(page.locator("#id_expiry")).to_have_value("2028-11-30")
        check_page(window, "scanned")
        window.follow("F9")
        expect(page.get_by_role("heading", name="Not handed over")).to_be_visible()
        check_page(window, "refused")
        for tick in page.get_by_role("checkbox").all():
            window.tab_to(tick)
            page.keyboard.press("Space")
        window.follow("F9")

        expect(page.get_by_text("294 tablets of Lioresal 10 mg tablets")).to_be_visible()
        check_page(window, "dispensed")
        dispense = Dispense.objects.get(prescription=above_the_maximum)
        assert (dispense.lot, dispense.serial) == ("LOT7", "SN42")
        proof = audit.receipt(dispense.audit_entry)
        label = page.request.get(window.site + reverse("counter:label", args=[dispense.pk]))
        words = PdfReader(io.BytesIO(label.body())).pages[0].extract_text().replace("\u00a0", " ")
        assert "THREE AND A HALF tablets (35 mg) three times a day" in " ".join(words.split())
        assert f"Log {proof}" in " ".join(words.split())

        print_with_one_key(window)

        window.tab_to(page.get_by_role("link", name="Audit trail"))
        window.follow("Enter")
        expect(page.get_by_text("signed an answer to daily-maximum")).to_be_visible()
        expect(page.get_by_text(proof.leaf.hex())).to_be_visible()
        check_page(window, "trail")


LABEL_POINTS = {LabelLayout.UK: (70 / 25.4 * 72, 35 / 25.4 * 72), LabelLayout.US: (4 * 72, 2 * 72)}


def print_with_one_key(window: BrowserWindow) -> None:
    """Print the label of the supply that is open, and come back by itself; what leaves for the printer is the label alone."""
    page = window.page
    again = page.get_by_role("button", name="Print the label again")
    page.keyboard.press("F9")
    expect(again).to_be_visible()
    script = re.compile("/labels[^/]*[.]js")
    page.route(script, lambda route: route.fulfill(body="", content_type="text/javascript"))
    window.follow("F9")
    expect(page.get_by_role("heading", name="1 label to the printer")).to_be_visible()
    check_page(window, "labels")
    for layout, points in LABEL_POINTS.items():
        page.evaluate("layout => document.body.className = `labels labels--${layout}`", layout)
        sheets = PdfReader(io.BytesIO(page.pdf(prefer_css_page_size=True))).pages
        sizes = [(float(sheet.mediabox.width), float(sheet.mediabox.height)) for sheet in sheets]
        assert sizes == [pytest.approx(points, abs=1)]
    page.unroute(script)
    window.tab_to(page.get_by_role("link", name="Back to the supply"))
    window.follow("Enter")
    expect(again).to_be_visible()


def sign_override(window: BrowserWindow) -> None:
    """Fill both answers and sign, with Tab, Space and letters."""
    page = window.page
    for answer in page.locator("section.d-answer").filter(has=page.locator("textarea")).all():
        window.tab_to(answer.get_by_role("radio", name="Consulted prescriber", exact=True))
        page.keyboard.press("Space")
        window.tab_to(answer.get_by_label("In your own words"))
        page.keyboard.type("Dr Mwangi raised it herself after the review on the ward.")
        window.tab_to(answer.get_by_label("Whom you asked"))
        page.keyboard.type("Dr Mwangi")
        window.tab_to(answer.get_by_label("What was agreed"))
        page.keyboard.type("Call the patient on day 3")
    window.tab_to(page.get_by_label("Your password"))
    page.keyboard.type(make.PASSWORD)
    window.follow("F9")


@pytest.mark.parametrize(
    ("focus", "ending"), [("#id_scan", "Tab"), ("#id_quantity", "Enter"), ("#id_lot", ""), ("#id_expiry", "Tab")]
)
def test_a_scan_is_caught_wherever_the_focus_is_and_however_it_ends(
    browser: Browser,
    live_server: LiveServer,
    pharmacist: StaffMember,
    above_the_maximum: Prescription,
    focus: str,
    ending: str,
) -> None:
    with open_check(browser, live_server, pharmacist, above_the_maximum) as window:
        page = window.page
        assert page.locator("#id_scan").evaluate("element => element === document.activeElement")
        page.locator(focus).focus()
        type_as_a_scanner(window, ending=ending)
        expect(page.locator("#id_lot")).to_have_value("LOT7")
        expect(page.locator("#id_expiry")).to_have_value("2028-11-30")
        expect(page.locator("#id_quantity")).to_have_value("294")


@pytest.mark.parametrize("gap", [0, 59, 61, 150])
@pytest.mark.parametrize("sign", ["]d2", ""])
def test_a_slow_scanner_is_read_as_a_fast_one(
    browser: Browser,
    live_server: LiveServer,
    pharmacist: StaffMember,
    above_the_maximum: Prescription,
    sign: str,
    gap: int,
) -> None:
    with open_check(browser, live_server, pharmacist, above_the_maximum) as window:
        page = window.page
        page.locator("#id_lot").focus()
        send_fast(window, [*f"{sign}01{make.TEN_MG}1728113010LOT7", "Enter"], gap)
        expect(page.locator("#id_lot")).to_have_value("LOT7")
        expect(page.locator("#id_expiry")).to_have_value("2028-11-30")


@pytest.mark.parametrize("waits", [1, 2, 9])
@pytest.mark.parametrize(("sign", "stops_after"), [("]d2", 1), ("]d2", 8), ("]d2", 35), ("", 4), ("", 11), ("", 16)])
def test_a_scan_that_comes_in_parts_is_one(
    browser: Browser,
    live_server: LiveServer,
    pharmacist: StaffMember,
    above_the_maximum: Prescription,
    sign: str,
    stops_after: int,
    waits: int,
) -> None:
    code = f"{sign}01{make.TEN_MG}1728113010LOT7"
    with open_check(browser, live_server, pharmacist, above_the_maximum) as window:
        page = window.page
        send_fast(window, [*code[:stops_after], *["wait"] * waits, *code[stops_after:], "Enter"])
        expect(page.locator("#id_lot")).to_have_value("LOT7")
        expect(page.locator("#id_expiry")).to_have_value("2028-11-30")


@pytest.mark.parametrize(
    "code",
    [
        f"]d201{make.TEN_MG}",
        f"]d201{make.TEN_MG}1728113010LOT7",
        f"01{make.TEN_MG}172811",
        f"01{make.TEN_MG}17281130",
        make.TEN_MG[1:],
    ],
)
def test_a_code_that_may_go_on_waits_for_enter(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription, code: str
) -> None:
    with open_check(browser, live_server, pharmacist, above_the_maximum) as window:
        page = window.page
        page.locator("#id_lot").focus()
        stop_clock(window)
        send_keys(window, [*code, "wait", "wait"])
        expect(page.locator("#id_scan")).to_have_value(code)
        expect(page.locator("#id_scan")).to_be_focused()
        expect(page.locator("#id_lot")).to_have_value("")
        expect(page.get_by_text("Press Enter to take it as it stands in the scan field.")).to_be_in_viewport()
        expect(page.get_by_text("Not scanned yet")).to_be_visible()


@pytest.mark.parametrize(
    ("code", "lot", "words"),
    [
        (f"https://id.gs1.org/01/{make.TEN_MG}/10/LOT7?17=281130", "LOT7", "Lioresal 10 mg tablets"),
        ("$déà&à(à&é\"'(-è_çàà", "", "types as on a French keyboard"),
        ("+d20105012345678900", "", "types as on a German keyboard"),
    ],
)
def test_a_web_address_on_a_pack_is_read_and_a_garbled_scan_is_named(
    browser: Browser,
    live_server: LiveServer,
    pharmacist: StaffMember,
    above_the_maximum: Prescription,
    code: str,
    lot: str,
    words: str,
) -> None:
    with open_check(browser, live_server, pharmacist, above_the_maximum) as window:
        page = window.page
        page.locator("#id_lot").focus()
        send_fast(window, [*code, "Enter"])
        expect(page.get_by_text(words).first).to_be_visible()
        expect(page.locator("#id_lot")).to_have_value(lot)


@pytest.mark.parametrize("gap", [61, 120, 299])
def test_what_a_hand_types_is_no_scan(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription, gap: int
) -> None:
    with open_check(browser, live_server, pharmacist, above_the_maximum) as window:
        page = window.page
        page.locator("#id_lot").focus()
        stop_clock(window)
        send_keys(window, [*"0105012345", "wait", "wait", "Tab"], gap)
        expect(page.locator("#id_lot")).to_have_value("0105012345")
        expect(page.locator("#id_scan")).to_have_value("")


def test_a_key_pressed_while_a_scan_is_being_read_hands_nothing_over_and_says_so(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription
) -> None:
    with open_check(browser, live_server, pharmacist, above_the_maximum) as window:
        page = window.page
        send_fast(window, [*f"]d201{make.TEN_MG}1728113010LOT7", "F9"])
        expect(page.get_by_text("Pressed while the page was loading: nothing was done.")).to_be_visible()
        expect(page.locator("#id_lot")).to_have_value("LOT7")
        window.go(reverse("counter:check", args=[above_the_maximum.pk]))
        expect(page.get_by_text("Pressed while the page was loading")).to_have_count(0)
    assert not above_the_maximum.dispenses.exists()


def test_a_key_that_falls_while_a_page_loads_does_nothing_and_the_page_says_so(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        page.add_init_script("Object.defineProperty(document, 'readyState', {value: 'loading'})")
        window.go(reverse("counter:check", args=[above_the_maximum.pk]))
        page.keyboard.press("F9")
        page.reload()
        expect(page.get_by_text("Pressed while the page was loading: nothing was done.")).to_be_visible()
    assert not above_the_maximum.dispenses.exists()


def test_a_scan_that_began_while_the_page_was_loading_is_dropped_whole(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription
) -> None:
    code = f"]d201{make.TEN_MG}1728113010LOT7"
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        page.add_init_script("Object.defineProperty(document, 'readyState', {value: 'loading', configurable: true})")
        window.go(reverse("counter:check", args=[above_the_maximum.pk]))
        stop_clock(window)
        send_keys(window, list(code[:4]), gap=50)
        page.evaluate("delete document.readyState")
        send_keys(window, [*code[4:], "Enter"], gap=150)
        expect(page.locator("#id_scan")).to_have_value("")
        expect(page.get_by_text("Not scanned yet")).to_be_visible()
        page.clock.resume()
        page.reload()
        expect(page.get_by_text("Pressed while the page was loading: nothing was done.")).to_be_visible()


def test_a_lock_loses_nothing_that_was_typed(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:override", args=[above_the_maximum.pk]))
        page.get_by_role("radio", name="Consulted prescriber", exact=True).first.check()
        page.get_by_label("In your own words").first.fill("Dr Mwangi raised it herself.")
        page.get_by_label("Your password").fill("half a password")
        page.keyboard.press("Tab")
        window.follow("Alt+l")
        page.keyboard.type(make.PASSWORD)
        window.follow("Enter")
        expect(page.get_by_role("heading", name="Supply in spite of 2 findings")).to_be_visible()
        expect(page.get_by_label("In your own words").first).to_have_value("Dr Mwangi raised it herself.")
        assert page.get_by_role("radio", name="Consulted prescriber", exact=True).first.is_checked()
        expect(page.get_by_label("Your password")).to_have_value("")


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1366, 768), (1440, 900), (320, 640)])
def test_the_scan_field_has_the_focus_and_is_in_view_at_every_size(
    browser: Browser,
    live_server: LiveServer,
    pharmacist: StaffMember,
    above_the_maximum: Prescription,
    width: int,
    height: int,
) -> None:
    for _ in range(3):
        make.patient(
            pharmacist.pharmacy, family_name="Novak", given_name="Petra", birth_date="1974-02-03", now=timezone.now()
        )
    with open_window(browser, live_server.url) as window:
        sign_in(window, pharmacist)
        window.page.set_viewport_size({"width": width, "height": height})
        window.go(reverse("counter:check", args=[above_the_maximum.pk]))
        field = window.page.locator("#id_scan")
        assert field.evaluate("element => element === document.activeElement")
        at = field.evaluate(
            "element => { const box = element.getBoundingClientRect();"
            " const top = document.elementFromPoint(box.x + 5, box.y + box.height / 2);"
            " return [box.top >= 0, box.bottom <= innerHeight, top === element]; }"
        )
        assert at == [True, True, True]


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (1280, 560), (1440, 900)])
def test_the_main_button_is_in_view_however_much_stands_above_the_form(
    browser: Browser,
    live_server: LiveServer,
    pharmacist: StaffMember,
    above_the_maximum: Prescription,
    width: int,
    height: int,
) -> None:
    for _ in range(2):
        make.patient(
            pharmacist.pharmacy, family_name="Novak", given_name="Petra", birth_date="1974-02-03", now=timezone.now()
        )
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        page.set_viewport_size({"width": width, "height": height})
        window.go(reverse("counter:check", args=[above_the_maximum.pk]))
        send_fast(window, ["1", "2", "3", "4", "5", "6", "7", "8", "9", "Enter"])
        expect(page.locator("#error-summary")).to_be_visible()
        button = page.locator("#act").bounding_box()
        assert button is not None
        assert button["y"] + button["height"] <= height, f"at {width} x {height} the button ends at {button}"


def test_a_session_that_ended_gives_back_what_was_typed_after_the_sign_in(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:override", args=[above_the_maximum.pk]))
        page.get_by_role("radio", name="Consulted prescriber", exact=True).first.check()
        page.get_by_label("In your own words").first.fill("Dr Mwangi raised it herself.")
        page.context.clear_cookies()
        window.follow("F9")
        expect(page.get_by_role("heading", name="Your session has ended")).to_be_visible()
        check_page(window, "session-ended")
        window.tab_to(page.get_by_role("button", name="Sign in and go on"))
        window.follow("Enter")
        page.keyboard.type(pharmacist.user.username)
        page.keyboard.press("Tab")
        page.keyboard.type(make.PASSWORD)
        window.follow("Enter")
        expect(page.get_by_role("heading", name="Supply in spite of 2 findings")).to_be_visible()
        expect(page.get_by_label("In your own words").first).to_have_value("Dr Mwangi raised it herself.")
        assert page.get_by_role("radio", name="Consulted prescriber", exact=True).first.is_checked()


def test_without_scripts_the_same_pages_do_the_same_work(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember
) -> None:
    make.products()
    order = make.prescription(
        make.patient(pharmacist.pharmacy), written_on=timezone.now().date().isoformat(), now=timezone.now()
    )
    with open_window(browser, live_server.url, java_script_enabled=False) as window:
        page = window.page
        window.go("/")
        page.fill("#id_login", pharmacist.user.username)
        page.fill("#id_password", make.PASSWORD)
        page.get_by_role("button", name="Sign in", exact=True).click()
        page.get_by_role("link", name="Okafor, Ada").click()
        page.fill("#id_scan", make.TEN_MG)
        page.get_by_role("button", name="Take", exact=True).click()
        page.fill("#id_expiry", make.pack_expiry().isoformat())
        page.get_by_role("button", name="Dispense 42 tablets").click()
        expect(page.get_by_text("42 tablets of Lioresal 10 mg tablets")).to_be_visible()
    assert order.dispenses.count() == 1


def test_every_other_page_is_without_fault(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription
) -> None:
    order = make.prescription(
        make.patient(pharmacist.pharmacy, family_name="Abdullah-Kirkpatrick", given_name="Jean-Baptiste"),
        phases=[{"dose": 50, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="50 mg three times a day for 28 days",
        quantity=420,
        now=timezone.now(),
    )
    patient = above_the_maximum.patient_id
    for _ in range(2):
        make.patient(
            pharmacist.pharmacy, family_name="Novak", given_name="Petra", birth_date="1974-02-03", now=timezone.now()
        )
    addresses = {
        "no-such-page": "/no-such-page",
        "namesakes": reverse("counter:check", args=[above_the_maximum.pk]),
        "stopped": reverse("counter:check", args=[order.pk]),
        "cancel": reverse("counter:cancel-prescription", args=[order.pk]),
        "patient": reverse("counter:patient", args=[patient]),
        "intake": reverse("counter:intake"),
        "new-order": reverse("counter:new-order", args=[patient]),
        "facts": reverse("counter:facts", args=[patient]),
        "correct": reverse("counter:correct", args=[patient]),
        "same-person": reverse("counter:same-person", args=[patient]),
        "packs": reverse("counter:packs"),
        "messages": reverse("counter:explain", args=[patient]),
        "work": reverse("counter:work", args=[patient]),
        "at-risk": reverse("counter:at-risk"),
        "reminders": reverse("counter:reminders"),
        "nothing-there": reverse("counter:check", args=[patient]),
    }
    with open_window(browser, live_server.url) as window:
        sign_in(window, pharmacist)
        for name, address in addresses.items():
            window.go(address)
            check_page(window, name)
        window.page.keyboard.press("?")
        expect(window.page.get_by_text("Next in the queue")).to_be_visible()
        window.follow("Alt+l")
        expect(window.page.get_by_role("heading", name="This counter is locked")).to_be_visible()
        check_page(window, "locked")


def test_records_of_one_person_are_compared_joined_and_parted_by_keyboard_alone(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, above_the_maximum: Prescription
) -> None:
    now = timezone.now()
    double = make.patient(
        pharmacist.pharmacy, family_name="Novak", given_name="Petra", birth_date="1974-02-03", now=now
    )
    with open_check(browser, live_server, pharmacist, above_the_maximum) as window:
        page = window.page
        window.tab_to(
            page.get_by_role("link", name=f"Same person: compare the records with number {double.identifier}")
        )
        window.follow("Enter")
        expect(page.get_by_role("heading", name="Are these two records of one person?")).to_be_focused()
        for words in (double.identifier, "no baclofen that is known here", "60\u00a0mg a day since"):
            expect(page.locator("main")).to_contain_text(words)
        check_page(window, "join-records")
        assert not Patient.objects.filter(joined_to__isnull=False).exists()
        window.follow("F9")
        expect(page.locator("main")).to_contain_text("The two records are one now")
        window.tab_to(page.get_by_role("link", name="Part them again"))
        window.follow("Enter")
        page.keyboard.press("F8")
        window.tab_to(page.get_by_label("What it is known from"))
        page.keyboard.type("two passports")
        check_page(window, "part-records")
        window.follow("Enter")
        expect(page.locator("main")).to_contain_text("The two records are of two people again.")
    assert not Patient.objects.filter(joined_to__isnull=False).exists()


def test_the_queue_is_worked_by_arrows_and_function_keys_and_holds_long_names(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember
) -> None:
    make.products()
    now = timezone.now()
    names = ["Abel", "Baker", "Q" + "uartermaine" * 10]
    for number, name in enumerate(names):
        person = make.patient(pharmacist.pharmacy, family_name=name, birth_date=f"195{number}-02-03", now=now)
        make.prescription(person, now=now, written_on=now.date().isoformat())
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        check_page(window, "queue-long-name")
        for key, name in [("ArrowDown", "Abel"), ("ArrowDown", "Baker"), ("ArrowUp", "Abel"), ("PageDown", names[2])]:
            page.keyboard.press(key)
            assert page.evaluate("document.activeElement.textContent").startswith(name)
        window.follow("Enter")
        expect(page.get_by_role("heading", name=names[2])).to_be_visible()
        check_page(window, "check-long-name")
        window.go(reverse("counter:queue"))
        window.follow("F4")
        expect(page.get_by_role("heading", name="Abel")).to_be_visible()


def test_the_keys_are_shown_from_the_empty_search_field_and_escape_goes_back(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        search = page.locator("#q")
        expect(search).to_be_focused()
        page.keyboard.type("?")
        expect(page.locator("#keys")).to_have_attribute("open", "")
        page.keyboard.press("Escape")
        expect(page.locator("#keys[open]")).to_have_count(0)
        expect(search).to_be_focused()
        page.keyboard.type("a?")
        expect(search).to_have_value("a?")
        page.keyboard.press("Escape")
        expect(search).not_to_be_focused()


def test_an_empty_queue_says_so(browser: Browser, live_server: LiveServer, pharmacist: StaffMember) -> None:
    with open_window(browser, live_server.url) as window:
        sign_in(window, pharmacist)
        expect(window.page.get_by_text("Nothing waits.")).to_be_visible()
        check_page(window, "queue-empty")


def copy_of(order: Prescription) -> Prescription:
    """The same order again, as the hundredth of the day."""
    return Prescription.objects.get(pk=order.pk)


def test_two_hundred_waiting_are_shown_on_four_pages_and_read(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember
) -> None:
    order = make.prescription(make.patient(pharmacist.pharmacy), now=timezone.now())
    for copy in (copies := [copy_of(order) for _ in range(199)]):
        copy.pk = uuid.uuid4()
    Prescription.objects.bulk_create(copies)
    summary = OrderSummary.objects.values().get(prescription=order)
    OrderSummary.objects.bulk_create(OrderSummary(**summary | {"prescription_id": copy.pk}) for copy in copies)
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        expect(page.get_by_text("1 to 50 of 200 prescriptions")).to_have_count(2)
        check_page(window, "queue-full")
        for first in (51, 101, 151):
            window.tab_to(page.get_by_role("link", name="Next page").first)
            window.follow("Enter")
            expect(page.get_by_text(f"{first} to {first + 49} of 200 prescriptions")).to_have_count(2)
            expect(page.get_by_role("link", name="Okafor, Ada")).to_have_count(50)
        expect(page.get_by_role("link", name="Next page")).to_have_count(0)
        check_page(window, "queue-last-page")
        window.tab_to(page.locator("#q"))
        page.keyboard.type("Okafor")
        window.follow("Enter")
        window.tab_to(page.get_by_role("button", name="Next page").first)
        window.follow("Enter")
        expect(page.get_by_role("heading", name="Search: 200 prescriptions found")).to_be_visible()
        expect(page.get_by_text("51 to 100 of 200 prescriptions")).to_have_count(2)
        check_page(window, "search-second-page")


def test_another_role_has_its_own_menu(browser: Browser, live_server: LiveServer, pharmacist: StaffMember) -> None:
    auditor = make.staff(pharmacist.pharmacy, StaffRole.AUDITOR)
    with open_window(browser, live_server.url) as window:
        sign_in(window, auditor)
        expect(window.page.get_by_role("navigation", name="Main").get_by_role("link", name="Audit log")).to_be_visible()
        window.tab_to(window.page.get_by_role("link", name="Audit log"))
        window.follow("Enter")
        check_page(window, "audit")
        window.page.get_by_role("row").nth(1).get_by_role("link").click()
        check_page(window, "audit-entry")
