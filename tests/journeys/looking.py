"""Checks of a page in a journey: axe-core, width, console, and the keyboard alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page

from dispensary.counter.styles.build import MODULES
from dispensary.models import StaffMember
from tests.dispensary import make

PICTURES = os.environ.get("PICTURES")
"""A folder for pictures of every page, where somebody wants to look at them."""
WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 640}
LONGEST_TABBING = 120

_AXE = """async () => {
  const told = await axe.run(document, {resultTypes: ['violations', 'incomplete']});
  const brief = (found) => found.map((f) => `${f.id}: ${f.help} (${f.nodes.map((n) => n.target.join(' ')).slice(0, 3).join(', ')})`);
  const same = told.incomplete.filter((f) => f.id === 'color-contrast' &&
    f.nodes.some((n) => [...n.any, ...n.all, ...n.none].some((c) => c.data && c.data.messageKey === 'equalRatio')));
  return [...brief(told.violations), ...brief(same)];
}"""


@dataclass
class Eye:
    """One person at one browser."""

    page: Page
    site: str
    console_errors: list[str] = field(default_factory=list)
    """Return the browser's complaints."""

    def go(self, address: str) -> None:
        """Open an address of the site."""
        self.page.goto(self.site + address)

    def hear(self, line: ConsoleMessage) -> None:
        """Keep what the console calls an error; that a page itself answers 404 or 422 is no fault of it."""
        of_the_page = line.location.get("url") == self.page.url and "responded with a status of 4" in line.text
        if line.type == "error" and not of_the_page:
            self.console_errors.append(f"console: {line.text}")

    def faults(self) -> list[str]:
        """Return the faults of the page as it stands, wide and narrow: axe, sideways scrolling, complaints."""
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
                assert target.is_visible()
                return
            self.page.keyboard.press("Tab")
        raise AssertionError(f"Tab never reaches {target}")

    def follow(self, key: str) -> None:
        """Press a key that leads to another page."""
        with self.page.expect_navigation():
            self.page.keyboard.press(key)


@contextmanager
def eye(browser: Browser, site: str, **settings: Any) -> Iterator[Eye]:
    """A fresh browser window that remembers every complaint."""
    context = browser.new_context(viewport=WIDE, locale="en-GB", **settings)
    looking = Eye(context.new_page(), site)
    looking.page.on("pageerror", lambda error: looking.console_errors.append(f"script: {error}"))
    looking.page.on("console", looking.hear)
    yield looking
    context.close()


def seen(looking: Eye, name: str) -> None:
    """The page is without fault; and a picture of it is kept where one is wanted."""
    assert looking.faults() == [], name
    if PICTURES:
        for width, height in ((1280, 720), (1440, 900), (320, 640)):
            looking.page.set_viewport_size({"width": width, "height": height})
            looking.page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=width < height)
        looking.page.set_viewport_size(WIDE)


def sign_in(looking: Eye, member: StaffMember) -> None:
    """By keyboard: the name has the focus already."""
    looking.go("/")
    looking.page.keyboard.type(member.user.username)
    looking.page.keyboard.press("Tab")
    looking.page.keyboard.type(make.PASSWORD)
    looking.follow("Enter")


def type_as_a_scanner(looking: Eye, gtin: str = make.TEN_MG, lot: str = "LOT7", ending: str = "Enter") -> None:
    """Product, expiry, lot; then the separator as scanners send it, which browsers swallow; then the serial number."""
    send_fast(looking, [*f"]d201{gtin}1728113010{lot}", "separator", *"21SN42", *([ending] if ending else [])])


def send_fast(looking: Eye, keys: list[str]) -> None:
    """Send keys that lead to another page, as fast as a scanner.

    Each key bears the moment at which a scanner would have sent it, however slowly this machine lets them through.
    """
    wire = looking.page.context.new_cdp_session(looking.page)
    first = time.time()
    with looking.page.expect_navigation():
        for number, key in enumerate(keys):
            pressed = {"key": key, "text": key, "modifiers": 0}
            if key == "separator":
                pressed = {"key": "]", "code": "BracketRight", "modifiers": 2}
            elif key == "Enter":
                pressed = {"key": key, "code": key, "text": "\r", "windowsVirtualKeyCode": 13}
            elif key == "Tab":
                pressed = {"key": key, "code": key, "windowsVirtualKeyCode": 9}
            for kind in ("keyDown", "keyUp"):
                sent = (
                    pressed if kind == "keyDown" else {name: value for name, value in pressed.items() if name != "text"}
                )
                wire.send("Input.dispatchKeyEvent", {"type": kind, "timestamp": first + number * 0.005, **sent})
