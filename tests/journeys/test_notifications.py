"""Notifications in a real Chromium: the button, the service worker, what it shows, and its end at the page.

Chromium reaches no push service here: the subscription that one would give is put in its place, and a push is handed to the
worker by the developer tools. Permission, worker and notification are the browser's own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from dispensary.models import Consent, ContactPoint
from dispensary.reminders.texts import patient_page
from tests.dispensary.channels.providers import push_options, subscription
from tests.dispensary.reminders import making
from tests.journeys.browsing import check_page, open_window

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
SERVICE = "https://fcm.googleapis.com"
EN = patient_page("en")


@pytest.fixture(autouse=True)
def push(settings: Any) -> None:
    settings.DISPENSARY = {
        **settings.DISPENSARY,
        "channels": {"email": "email", "push": "webpush"},
        "channel_options": {"webpush": push_options(SERVICE)},
        "public_url": "https://pharmacy.example",
    }


def somebody(language: str = "en") -> ContactPoint:
    """A patient with a supply, by e-mail."""
    person = making.patient(making.pharmacy(name="City Pharmacy"), language=language)
    now = timezone.now()
    making.dispense(making.prescription(person), at=now)
    making.follow(person, now)
    return making.reachable(person, "email")


def subscribe_in_place_of_a_push_service(page: Page) -> None:
    """Let the browser's own `subscribe` give what a push service would, once it is asked with the site's key."""
    page.add_init_script(f"""
        PushManager.prototype.subscribe = async ({{ applicationServerKey, userVisibleOnly }}) => {{
          if (applicationServerKey.length !== 65 || !userVisibleOnly) throw new Error("no key");
          return {{ toJSON: () => ({subscription(SERVICE)}) }};
        }};
    """)


@pytest.mark.parametrize("language", ["en", "ar"])
def test_it_is_switched_on_and_off_with_a_button(browser: Browser, live_server: LiveServer, language: str) -> None:
    contact, words = somebody(language), patient_page(language)
    with open_window(browser, live_server.url, java_script_enabled=True, permissions=["notifications"]) as window:
        page = window.page
        subscribe_in_place_of_a_push_service(page)
        window.go(f"/m/{contact.page_code}")
        check_page(window, f"notifications-{language}-off")
        page.get_by_role("button", name=words["push_on"]).click()
        expect(page.get_by_role("status").first).to_contain_text(words["done_push_on"])
        check_page(window, f"notifications-{language}-on")
        assert Consent.objects.get(medium="push").answer == "yes"
        page.get_by_role("button", name=words["push_off"]).click()
        expect(page.get_by_role("status").first).to_contain_text(words["done_push_off"])
    assert ContactPoint.objects.get(medium="push").retired_at is not None


def test_the_worker_shows_a_push_without_a_page_and_replaces_it_by_a_newer_one(
    browser: Browser, live_server: LiveServer
) -> None:
    contact = somebody()
    with open_window(browser, live_server.url, java_script_enabled=True, permissions=["notifications"]) as window:
        page = window.page
        subscribe_in_place_of_a_push_service(page)
        tools = page.context.new_cdp_session(page)
        registrations: list[str] = []
        tools.on(
            "ServiceWorker.workerRegistrationUpdated",
            lambda event: registrations.extend(row["registrationId"] for row in event["registrations"]),
        )
        tools.send("ServiceWorker.enable")
        window.go(f"/m/{contact.page_code}")
        page.get_by_role("button", name=EN["push_on"]).click()
        expect(page.get_by_role("status").first).to_contain_text(EN["done_push_on"])
        for body in ("older", "newer"):
            message = {
                "title": "A message from City",
                "body": body,
                "language": "en",
                "topic": "t" * 22,
                "page": "x",
                "key": "k",
            }
            tools.send(
                "ServiceWorker.deliverPushMessage",
                {"origin": live_server.url, "registrationId": registrations[-1], "data": json.dumps(message)},
            )
            page.wait_for_function(
                """async (body) => {
                    const shown = await (await navigator.serviceWorker.ready).getNotifications();
                    return shown.length === 1 && shown[0].body === body && shown[0].title === "A message from City";
                }""",
                arg=body,
            )


def test_a_browser_that_may_not_is_told_so_and_nothing_is_recorded(browser: Browser, live_server: LiveServer) -> None:
    contact = somebody()
    with open_window(browser, live_server.url, java_script_enabled=True) as window:
        page = window.page
        page.add_init_script("Notification.requestPermission = async () => 'denied';")
        window.go(f"/m/{contact.page_code}")
        page.get_by_role("button", name=EN["push_on"]).click()
        expect(page.get_by_text(EN["push_blocked"])).to_be_visible()
    assert not ContactPoint.objects.filter(medium="push").exists()


def test_without_a_script_the_page_says_that_this_browser_cannot(browser: Browser, live_server: LiveServer) -> None:
    contact = somebody()
    with open_window(browser, live_server.url, java_script_enabled=False) as window:
        window.go(f"/m/{contact.page_code}")
        expect(window.page.get_by_text(EN["push_none"])).to_be_visible()
        expect(window.page.get_by_role("button", name=EN["push_on"])).to_have_count(0)
