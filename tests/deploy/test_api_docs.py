"""The pages that show the API's description, in a real browser under our own Content-Security-Policy."""

import pytest
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_the_description_is_shown_without_breaking_the_policy(browser: Browser, live_server: LiveServer) -> None:
    page = browser.new_page()
    console_messages: list[str] = []
    page.on("console", lambda message: console_messages.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: console_messages.append(str(error)))
    page.goto(f"{live_server.url}/api/docs/")
    page.get_by_text("/api/v1/alerts/", exact=True).wait_for(timeout=30_000)
    page.mouse.wheel(0, 100_000)  # operations are drawn where the reader looks
    page.get_by_text("/api/v1/withdrawal-risk/", exact=True).first.wait_for(timeout=30_000)
    page.close()
    assert console_messages == []
