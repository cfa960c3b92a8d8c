"""Signatures in a real Chromium: by a passkey of a virtual authenticator, for what stands on the page and once."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.actions import pharmacies
from dispensary.actors import Actor
from dispensary.models import BegunSignature, Override, Prescription, SecondSignature, StaffMember
from tests.dispensary import make
from tests.journeys.browsing import BrowserWindow, check_page, open_window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def plug_in_authenticator(page: Page) -> tuple[object, str]:
    """Give the browser a passkey device that says yes at once; return what speaks with it, and its id."""
    wire = page.context.new_cdp_session(page)
    wire.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    return wire, wire.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]


def add_passkey(page: Page, site: str) -> None:
    """Add a passkey to the account that is signed in, on the page for it."""
    page.goto(site + reverse("mfa_add_webauthn"))
    if "reauthenticate" in page.url:
        page.get_by_label("Password").fill(make.PASSWORD)
        with page.expect_navigation():
            page.keyboard.press("Enter")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url(lambda url: "/add/" not in url)


@pytest.fixture
def too_high(pharmacist: StaffMember) -> Prescription:
    """105 mg a day for somebody new."""
    return make.prescription(
        make.patient(pharmacist.pharmacy, now=timezone.now()),
        written_on=timezone.now().date().isoformat(),
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
        quantity=294,
        now=timezone.now(),
    )


def fill_answers(page: Page) -> None:
    for reason in page.get_by_role("radio", name="Consulted prescriber", exact=True).all():
        reason.check()
    for words in page.get_by_label("In your own words").all():
        words.fill("The clinic keeps her on this dose.")
    for asked in page.get_by_label("Whom you asked, and where").all():
        asked.fill("Dr Grey, clinic")


def test_an_override_is_signed_with_a_passkey_and_no_password(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, too_high: Prescription
) -> None:
    site = live_server.url.replace("127.0.0.1", "localhost")  # a passkey belongs to a name, not to an address
    with open_window(browser, site) as window:
        page = window.page
        sign_in(window, pharmacist)
        wire, device = plug_in_authenticator(page)
        add_passkey(page, site)
        window.go(reverse("counter:override", args=[too_high.pk]))
        fill_answers(page)
        button = page.get_by_role("button", name="Sign with your passkey")
        expect(button).to_be_visible()
        check_page(window, "override-passkey")

        wire.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": False})
        button.click()
        expect(page.get_by_role("alert")).to_contain_text("Your passkey did not answer")
        assert not Override.objects.exists()

        wire.send("WebAuthn.setUserVerified", {"authenticatorId": device, "isUserVerified": True})
        expect(page.get_by_label("In your own words").first).to_have_value("The clinic keeps her on this dose.")
        page.get_by_role("button", name="Sign with your passkey").click()
        page.wait_for_url(f"**{reverse('counter:check', args=[too_high.pk])}")
    answers = Override.objects.filter(severity="override")
    assert {answer.signature for answer in answers} == {"passkey"}
    assert {answer.signer_name for answer in answers} == {pharmacist.display_name}
    assert BegunSignature.objects.filter(used_at__isnull=False).count() == 1


def sign_first(window: BrowserWindow, member: StaffMember, order: Prescription) -> None:
    """Sign the answers of an order as first pharmacist, with the password."""
    sign_in(window, member)
    window.go(reverse("counter:override", args=[order.pk]))
    fill_answers(window.page)
    window.page.get_by_label("Your password").fill(make.PASSWORD)
    window.follow("F9")


@pytest.fixture
def colleague(pharmacist: StaffMember) -> StaffMember:
    """Another pharmacist, at a pharmacy where two sign the worst overrides."""
    member = make.staff(pharmacist.pharmacy, now=timezone.now())
    setup = Actor.system("setup", pharmacist.pharmacy_id)
    pharmacies.change_settings(
        pharmacy=pharmacist.pharmacy, changes={"second_signer": True}, by=setup, now=timezone.now()
    )
    return member


def test_a_second_pharmacist_signs_at_the_same_counter_and_the_first_stays_signed_in(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, colleague: StaffMember, too_high: Prescription
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_first(window, pharmacist, too_high)
        expect(page.get_by_role("heading", level=1)).to_have_text("A second pharmacist signs")
        check_page(window, "second-who")
        page.get_by_role("link", name=colleague.display_name).click()
        expect(page.get_by_role("heading", name=f"Signature of {colleague.display_name}")).to_be_visible()
        check_page(window, "second-here")
        page.get_by_label("Your password").fill("not the colleague's")
        window.follow("F9")
        expect(page.get_by_role("alert")).to_contain_text("That is not your password")
        page.get_by_label("Your password").fill(make.PASSWORD)
        window.follow("F9")
        expect(page.get_by_text(f"Second signature: {colleague.display_name}").first).to_be_visible()
        expect(page.locator(".d-bar__who")).to_contain_text(pharmacist.display_name)
        check_page(window, "second-signed")
    second = SecondSignature.objects.get()
    assert (second.signer_name, second.is_alone) == (colleague.display_name, False)


def test_a_second_pharmacist_signs_from_an_own_session_what_waits_in_their_list(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, colleague: StaffMember, too_high: Prescription
) -> None:
    with open_window(browser, live_server.url) as window:
        sign_first(window, pharmacist, too_high)
        window.go(reverse("counter:check", args=[too_high.pk]))
        expect(window.page.get_by_text("needs a second pharmacist")).to_be_visible()
        window.page.keyboard.press("F9")
        expect(window.page.locator("article.d-finding:focus")).to_contain_text("Waits for a second pharmacist.")
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, colleague)
        page.get_by_role("link", name="Second signatures").click()
        check_page(window, "second-waiting")
        page.get_by_role("link", name="Okafor").click()
        page.get_by_label("Your password").fill(make.PASSWORD)
        window.follow("F9")
        expect(page.get_by_text(f"Second signature: {colleague.display_name}").first).to_be_visible()
    assert SecondSignature.objects.get().signer_name == colleague.display_name


def test_an_idle_counter_warns_two_minutes_before_it_locks(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        page.clock.install()
        sign_in(window, pharmacist)
        warning = page.get_by_text("This counter locks in two minutes")
        expect(page.get_by_role("heading", name="Queue")).to_be_visible()
        expect(warning).to_be_hidden()
        page.clock.fast_forward("13:01")
        expect(warning).to_be_visible()
        check_page(window, "idle")
        page.get_by_role("button", name="Stay").click()
        expect(warning).to_be_hidden()
        page.clock.fast_forward("13:01")
        expect(warning).to_be_visible()
        page.clock.fast_forward("02:00")
        expect(page.get_by_role("heading", name="This counter is locked")).to_be_visible()
