"""A label from the check page to paper in a Chromium that prints without a dialog, as at a counter."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Browser, expect
from pypdf import PdfReader
from pypdf.errors import PdfReadError
from pytest_django.live_server_helper import LiveServer

from dispensary.models import StaffMember
from tests import chromium
from tests.dispensary import make
from tests.journeys.browsing import WIDE, BrowserWindow, sign_in, type_as_a_scanner
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

LONGEST_WAIT = 120
"""Seconds until a printed file is given up; a busy machine takes long."""


def choose_printer(profile: Path, printed: Path) -> None:
    """Write the settings of a browser whose printer is a folder of PDF files."""
    printer = {"id": "Save as PDF", "origin": "local", "account": ""}
    state = {"version": 2, "recentDestinations": [printer], "selectedDestinationId": printer["id"]}
    settings = {
        "printing": {"print_preview_sticky_settings": {"appState": json.dumps(state)}},
        "savefile": {"default_directory": str(printed)},
    }
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(settings))


def wait_for_print(printed: Path) -> PdfReader:
    """Return the one file that was printed, once it is whole."""

    def read() -> PdfReader | None:
        for path in printed.glob("*.pdf"):
            with suppress(PdfReadError):
                return PdfReader(path)
        return None

    return wait_until(read, LONGEST_WAIT, lambda: "Nothing was printed.")


def test_one_key_prints_the_label_and_one_opens_the_next_order(
    browser: Browser, live_server: LiveServer, pharmacist: StaffMember, tmp_path: Path
) -> None:
    make.products()
    now = timezone.now()
    orders = [
        make.prescription(
            make.patient(pharmacist.pharmacy, family_name=name, now=now), now=now, written_on=str(now.date())
        )
        for name in ("Abel", "Bond")
    ]
    printed = tmp_path / "printed"
    printed.mkdir()
    choose_printer(tmp_path / "profile", printed)
    context = browser.browser_type.launch_persistent_context(
        tmp_path / "profile",
        executable_path=str(chromium.get()[0]),
        headless=False,
        args=["--kiosk-printing", "--ozone-platform=headless", "--disable-gpu", "--no-first-run"],
        chromium_sandbox=False,
        viewport=WIDE,
        locale="en-GB",
    )
    window = BrowserWindow(context.pages[0], live_server.url)
    page = window.page
    sign_in(window, pharmacist)
    expect(page.get_by_role("heading", name="Queue")).to_be_visible()
    window.go(reverse("counter:check", args=[orders[0].pk]))
    type_as_a_scanner(window)
    window.follow("F9")
    expect(page.get_by_role("button", name="Print the label")).to_be_visible()
    page.keyboard.press("F9")
    sheets = wait_for_print(printed).pages
    assert [(round(float(sheet.mediabox.width)), round(float(sheet.mediabox.height))) for sheet in sheets] == [
        (198, 99)
    ]
    expect(page.get_by_role("button", name="Print the label again")).to_be_visible()
    window.follow("F4")
    expect(page.get_by_role("heading", name="Bond")).to_be_visible()
    context.close()
