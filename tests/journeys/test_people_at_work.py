"""Limits signed, an emergency, settings that two decide, sign-ins ended, a lost phone and a change of person, in a real Chromium."""

from __future__ import annotations

from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.actions.limits import lines_of
from dispensary.actions.settings_changes import apply_due
from dispensary.models import AuditEntry, Pharmacy, Prescription, SignedLimit, StaffMember, StaffRole
from tests.deploy.test_accounts import code_of
from tests.dispensary import make
from tests.journeys.browsing import check_page, open_window, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def order(pharmacist: StaffMember) -> Prescription:
    patient = make.patient(pharmacist.pharmacy, now=timezone.now())
    return make.prescription(patient, written_on=timezone.now().date().isoformat(), now=timezone.now())


@pytest.fixture
def manager(pharmacist: StaffMember) -> StaffMember:
    """The only manager of the pharmacy, which was opened days ago."""
    opened_at = timezone.now() - timedelta(days=3)
    Pharmacy.objects.filter(pk=pharmacist.pharmacy_id).update(opened_at=opened_at)
    return make.staff(pharmacist.pharmacy, StaffRole.MANAGER, now=timezone.now())


def test_the_limits_are_signed_line_by_line(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, order: Prescription
) -> None:
    count = len(lines_of(pharmacist.pharmacy, pharmacist.pharmacy.local_day(timezone.now())))
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:check", args=[order.pk]))
        page.get_by_role("link", name="Limits not checked by a pharmacist").click()
        expect(page.get_by_text(f"{count} of {count} numbers are not checked")).to_be_visible()
        page.get_by_role("checkbox").nth(0).check()
        page.get_by_role("checkbox").nth(1).check()
        window.follow("F9")
        expect(page.get_by_role("alert")).to_contain_text("Type your password to sign")
        expect(page.get_by_role("checkbox", checked=True)).to_have_count(2)
        check_page(window, "limits-refused")
        page.get_by_label("Your password").fill(make.PASSWORD)
        window.follow("F9")
        expect(page.get_by_text(f"{count - 2} of {count} numbers are not checked")).to_be_visible()
        expect(page.get_by_text(f"{pharmacist.display_name}, ").first).to_be_visible()
        check_page(window, "limits-two")
        for tick in page.get_by_role("checkbox").all():
            tick.check()
        page.get_by_label("Your password").fill(make.PASSWORD)
        window.follow("F9")
        expect(page.get_by_text("Every number is signed by a pharmacist.")).to_be_visible()
        window.go(reverse("counter:check", args=[order.pk]))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_text("Limits not checked by a pharmacist")).to_have_count(0)
    assert SignedLimit.objects.count() == count + 2


def test_another_pharmacys_patient_is_opened_with_a_reason_and_shown_the_next_day(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, manager: StaffMember
) -> None:
    elsewhere = make.pharmacy("Hill Pharmacy", now=timezone.now(), phone="01865 496111")
    make.patient(elsewhere, family_name="Zuckermandel", given_name="Ines", now=timezone.now())
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        page.locator("#q").fill("Zuckermandel")
        window.follow("Enter")
        page.get_by_role("link", name="open the record of another pharmacy").click()
        page.get_by_label("Family name, in full").fill("Zuckermandel")
        page.get_by_label("Date of birth").fill("1981-05-02")
        window.follow("F9")
        expect(page.get_by_role("alert")).to_contain_text("Say what the emergency is")
        check_page(window, "break-glass-refused")
        page.get_by_label("What the emergency is").fill("Seizure, brought in without papers")
        window.follow("F9")
        expect(page.get_by_role("heading", name="Zuckermandel")).to_be_visible()
        expect(page.get_by_text("01865 496111")).to_be_visible()
        check_page(window, "break-glass")
    here_and_there = {elsewhere.pk, pharmacist.pharmacy_id}
    entries = AuditEntry.objects.filter(action="record.broken_into", pharmacy__in=here_and_there)
    assert {entry.pharmacy for entry in entries} == here_and_there


def test_a_change_of_limits_waits_for_a_second_manager(
    browser: Browser, live_server: LiveServer, manager: StaffMember
) -> None:
    other = make.staff(manager.pharmacy, StaffRole.MANAGER, now=timezone.now() - timedelta(days=2))
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, manager)
        page.get_by_role("link", name="Settings", exact=True).click()
        page.get_by_label("Profile of limits").select_option("uk-smpc")
        window.follow("F9")
        expect(page.get_by_role("heading", name="Not in force yet")).to_be_visible()
        expect(page.get_by_text("Another manager decides.")).to_be_visible()
        expect(page.get_by_role("button", name="Agree")).to_have_count(0)
        check_page(window, "settings-waiting")
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, other)
        page.get_by_role("link", name="Settings", exact=True).click()
        page.get_by_role("button", name="Agree: put it into force").click()
        expect(page.get_by_text("The change is in force.")).to_be_visible()
        expect(page.get_by_label("Profile of limits")).to_have_value("uk-smpc")
        check_page(window, "settings-agreed")


def test_the_only_managers_change_of_limits_is_shown_for_a_day_before_it_is_in_force(
    browser: Browser, live_server: LiveServer, manager: StaffMember
) -> None:
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, manager)
        page.get_by_role("link", name="Settings", exact=True).click()
        page.get_by_label("Profile of limits").select_option("uk-smpc")
        window.follow("F9")
        expect(page.get_by_text("It comes into force on")).to_be_visible()
        check_page(window, "settings-a-day")
        assert apply_due(now=timezone.now() + timedelta(hours=23)) == 0
        assert apply_due(now=timezone.now() + timedelta(hours=24, minutes=1)) == 1
        page.reload()
        expect(page.get_by_label("Profile of limits")).to_have_value("uk-smpc")
        expect(page.get_by_role("heading", name="Not in force yet")).to_have_count(0)


def test_a_manager_ends_a_sign_in_that_somebody_forgot(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, manager: StaffMember
) -> None:
    with open_window(browser, live_server.url) as forgotten, open_window(browser, live_server.url) as window:
        sign_in(forgotten, pharmacist)
        expect(forgotten.page.get_by_role("heading", name="Queue")).to_be_visible()
        page = window.page
        sign_in(window, manager)
        page.get_by_role("link", name="People", exact=True).click()
        page.get_by_role("link", name="Who is signed in").click()
        expect(page.get_by_text("You, here")).to_be_visible()
        check_page(window, "signed-in")
        page.get_by_role("button", name=f"Sign out {pharmacist.display_name}").click()
        expect(page.get_by_text(f"{pharmacist.display_name} was signed out there.")).to_be_visible()
        forgotten.page.reload()
        expect(forgotten.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_who_lost_their_phone_is_let_in_by_a_manager_and_asked_for_a_new_factor(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, manager: StaffMember
) -> None:
    TOTP.activate(pharmacist.user, generate_totp_secret())
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        expect(page.get_by_role("textbox", name="Code")).to_be_visible()
        check_page(window, "code-asked")
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, manager)
        page.get_by_role("link", name="People", exact=True).click()
        page.get_by_role("link", name=pharmacist.display_name).click()
        check_page(window, "person")
        page.get_by_role("button", name="Remove second factors").click()
        expect(page.get_by_text("signs in by password until they add a second factor")).to_be_visible()
    assert not Authenticator.objects.filter(user=pharmacist.user).exists()
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        expect(page.get_by_role("heading", name="Queue")).to_be_visible()
        page.get_by_role("link", name="Add it now").click()
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        check_page(window, "add-factor")


def test_another_person_takes_the_counter_over_with_what_is_open(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, order: Prescription
) -> None:
    make.products()
    colleague = make.staff(pharmacist.pharmacy, now=timezone.now())
    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, pharmacist)
        window.go(reverse("counter:check", args=[order.pk]))
        page.locator("#id_lot").fill("LOT-OPEN")
        check_page(window, "switch")
        page.get_by_role("button", name="Switch person").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_label("Name").fill(colleague.user.username)
        page.get_by_label("Password").fill(make.PASSWORD)
        window.follow("Enter")
        expect(page.locator(".d-bar__who")).to_contain_text(colleague.display_name)
        expect(page.locator("#id_lot")).to_have_value("LOT-OPEN")

        window.follow("Alt+l")
        page.get_by_role("button", name="Sign out, so that somebody else can sign in").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_label("Name").fill(pharmacist.user.username)
        page.get_by_label("Password").fill(make.PASSWORD)
        window.follow("Enter")
        expect(page.locator("#id_lot")).to_have_value("LOT-OPEN")
        expect(page.locator(".d-bar__who")).to_contain_text(pharmacist.display_name)


def test_a_colleague_goes_on_by_pin_and_code_where_they_signed_in_today(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, order: Prescription
) -> None:
    make.products()
    colleague = make.staff(pharmacist.pharmacy, now=timezone.now())
    secret = generate_totp_secret()

    def type_code(page: Page) -> None:
        cache.clear()  # the code of half a minute ago may be used again
        page.get_by_label("Code").fill(code_of(secret))

    with open_window(browser, live_server.url) as window:
        page = window.page
        sign_in(window, colleague)
        expect(page.get_by_role("heading", name="Queue")).to_be_visible()
        page.get_by_role("link", name="Your account").click()
        page.get_by_role("link", name="PIN to switch person").click()
        expect(page.get_by_role("link", name="Add the app first")).to_be_visible()
        check_page(window, "pin-without-app")
        TOTP.activate(colleague.user, secret)
        page.reload()
        page.get_by_label("PIN", exact=True).fill("718294")
        page.get_by_label("The same again").fill("718294")
        page.get_by_label("Your password").fill(make.PASSWORD)
        type_code(page)
        check_page(window, "pin-set")
        window.follow("F9")
        expect(page.get_by_role("button", name="End the PIN")).to_be_visible()
        check_page(window, "pin")
        page.get_by_role("button", name="Switch person").click()
        expect(page.get_by_role("heading", name="Who goes on here?")).to_be_visible()
        page.get_by_role("link", name="Sign in with a password or passkey").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        page.get_by_label("Name").fill(pharmacist.user.username)
        page.get_by_label("Password").fill(make.PASSWORD)
        window.follow("Enter")
        expect(page.locator(".d-bar__who")).to_contain_text(pharmacist.display_name)
        window.go(reverse("counter:check", args=[order.pk]))
        page.locator("#id_lot").fill("LOT-OPEN")
        page.get_by_role("button", name="Switch person").click()
        expect(page.get_by_role("heading", name="Who goes on here?")).to_be_visible()
        check_page(window, "switch-by-pin")
        page.get_by_label("PIN").fill("000000")
        type_code(page)
        window.follow("Enter")
        expect(page.get_by_role("alert")).to_contain_text("PIN or code is not right")
        check_page(window, "switch-by-pin-refused")
        page.get_by_label("PIN").fill("718294")
        type_code(page)
        window.follow("Enter")
        expect(page.locator(".d-bar__who")).to_contain_text(colleague.display_name)
        expect(page.locator("#id_lot")).to_have_value("LOT-OPEN")
