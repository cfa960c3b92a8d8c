"""Checks of a page in a journey: axe-core, width, console, and the keyboard alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from dispensary.counter.styles.build import MODULES
from dispensary.models import StaffMember
from tests.dispensary import make

PICTURES = os.environ.get("PICTURES")
"""A folder for pictures of every page, where somebody wants to look at them."""
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 640}
LONGEST_TABBING = 120
KEY_CODES = {"Tab": 9, "F9": 120}
"""Windows' codes of the keys that send no text."""
AFTER_ANY_SCAN = timedelta(minutes=1)
"""Longer than the pause after which the page takes a scan as ended, and than this machine takes to stop the clock."""

_AXE = """async () => {
  const results = await axe.run(document, {resultTypes: ['violations', 'incomplete']});
  const describe = (faults) => faults.map((f) => `${f.id}: ${f.help} (${f.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')})`);
  const sameColour = results.incomplete.filter((f) => f.id === 'color-contrast' &&
    f.nodes.some((n) => [...n.any, ...n.all, ...n.none].some((c) => c.data && c.data.messageKey === 'equalRatio')));
  return [...describe(results.violations), ...describe(sameColour)];
}"""


@dataclass
class BrowserWindow:
    """One person at one browser."""

    page: Page
    site: str
    console_errors: list[str] = field(default_factory=list)
    """What the console called an error, and errors of scripts."""

    def go(self, address: str) -> None:
        """Open an address of the site."""
        self.page.goto(self.site + address)

    def keep_error(self, line: ConsoleMessage) -> None:
        """Keep what the console calls an error; that a page itself answers 404 or 422 is no fault of it."""
        of_the_page = line.location.get("url") == self.page.url and "responded with a status of 4" in line.text
        if line.type == "error" and not of_the_page:
            self.console_errors.append(f"console: {line.text}")

    def find_faults(self) -> list[str]:
        """Return the faults of the page as it stands, wide and narrow: axe, sideways scrolling, errors."""
        messages = []
        source = (MODULES / "axe-core" / "axe.min.js").read_text()
        for size in (WIDE, NARROW):
            self.page.set_viewport_size(size)
            self.page.evaluate(source)
            messages += [f"{size['width']} px: {fault}" for fault in self.page.evaluate(_AXE)]
            width = self.page.evaluate("document.documentElement.scrollWidth")
            if width > size["width"]:
                messages.append(f"{size['width']} px: the page is {width} wide")
        self.page.set_viewport_size(WIDE)
        messages += self.console_errors
        self.console_errors.clear()
        return messages

    def tab_to(self, target: Locator) -> None:
        """Press Tab until the wanted thing has the focus, as somebody without a mouse does."""
        for _ in range(LONGEST_TABBING):
            if target.evaluate("element => element === document.activeElement"):
                expect(target).to_be_visible()
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {target}")

    def follow(self, key: str) -> None:
        """Press a key that leads to another page."""
        with self.page.expect_navigation():
            self.page.keyboard.press(key)


@contextmanager
def open_window(browser: Browser, site: str, **settings: Any) -> Iterator[BrowserWindow]:
    """Open a fresh browser window that keeps every error."""
    context = browser.new_context(viewport=WIDE, locale="en-GB", **settings)
    window = BrowserWindow(context.new_page(), site)
    window.page.on("pageerror", lambda error: window.console_errors.append(f"script: {error}"))
    window.page.on("console", window.keep_error)
    yield window
    context.close()


def check_page(window: BrowserWindow, name: str) -> None:
    """Assert that the page is without fault; save pictures of it in three sizes, where somebody wants to look at them."""
    assert window.find_faults() == [], name
    if PICTURES:
        for width, height in ((1280, 720), (1440, 900), (320, 640)):
            window.page.set_viewport_size({"width": width, "height": height})
            window.page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=width < height)
        window.page.set_viewport_size(WIDE)


def sign_in(window: BrowserWindow, member: StaffMember) -> None:
    """By keyboard: the name has the focus already."""
    window.go("/")
    window.page.keyboard.type(member.user.username)
    window.page.keyboard.press("Tab")
    window.page.keyboard.type(make.PASSWORD)
    window.follow("Enter")


def type_as_a_scanner(window: BrowserWindow, gtin: str = make.TEN_MG, lot: str = "LOT7", ending: str = "Enter") -> None:
    """Product, expiry, lot; then the separator as scanners send it, which browsers swallow; then the serial number."""
    send_fast(window, [*f"]d201{gtin}1728113010{lot}", "separator", *"21SN42", *([ending] if ending else [])])


def send_fast(window: BrowserWindow, keys: list[str], gap: int = 0) -> None:
    """Send keys that lead to another page as `send_keys` does, all at one moment of the page's clock, however slow the machine is.

    A scanner that sends no key at the end is waited for: the page's clock goes on.
    """
    stop_clock(window)
    with window.page.expect_navigation():
        send_keys(window, keys, gap)
        if keys[-1] not in {"Enter", *KEY_CODES}:
            window.page.clock.fast_forward(AFTER_ANY_SCAN // timedelta(milliseconds=1))
    window.page.clock.resume()


def stop_clock(window: BrowserWindow) -> None:
    """Stop the page's clock long after whatever was typed."""
    window.page.clock.install()
    window.page.clock.pause_at(timezone.now() + AFTER_ANY_SCAN)


def send_keys(window: BrowserWindow, keys: list[str], gap: int = 0) -> None:
    """Send keys while the page's clock stands still; at a "wait" it goes on by a fifth of a second, before each key by `gap` milliseconds."""
    page = window.page
    wire = page.context.new_cdp_session(page)
    for key in keys:
        if key == "wait":
            page.clock.run_for(200)
            continue
        if gap:
            page.clock.run_for(gap)
        pressed = {"key": key, "modifiers": 0}
        text = {"text": key}
        if key == "separator":
            pressed, text = {"key": "]", "code": "BracketRight", "modifiers": 2}, {"text": "]"}
        elif key == "Enter":
            pressed, text = {"key": key, "code": key, "windowsVirtualKeyCode": 13}, {"text": "\r"}
        elif key in KEY_CODES:
            pressed, text = {"key": key, "code": key, "windowsVirtualKeyCode": KEY_CODES[key]}, {}
        wire.send("Input.dispatchKeyEvent", {"type": "keyDown", **pressed, **text})
        wire.send("Input.dispatchKeyEvent", {"type": "keyUp", **pressed})
