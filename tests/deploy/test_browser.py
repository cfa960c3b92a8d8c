"""The browser that other tests rely on is real: it lays out, runs scripts and obeys the content policy."""

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer


@pytest.mark.browser
@pytest.mark.django_db(transaction=True)
def test_sign_in_page_loads_under_the_strict_content_policy(browser: Browser, live_server: LiveServer) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on(
        "console", lambda message: refused.append(message.text) if "Content Security Policy" in message.text else None
    )
    answer = page.goto(f"{live_server.url}/accounts/login/")
    assert answer is not None
    assert answer.status == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    expect(
        page.get_by_role("button", name="Sign In").or_(page.get_by_role("button", name="Sign in")).first
    ).to_be_visible()
    assert refused == []
    page.close()
