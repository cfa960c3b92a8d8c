"""Every page of the counter with junk in its address and in each field of its forms: an answer in words, never a fault of ours."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from dispensary.models import Dispense, StaffRole
from tests.dispensary import make
from tests.dispensary.counter.test_strangers import addresses, handed_over, here  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

JUNK = (
    "\x00",
    b"\xed\xa0\x80",
    "9" * 5000,
    "-1",
    "１２",
    "²",
    "1e400",
    "NaN",
    "2026-13-45",
    "0001-01-01",
    "9999-12-31",
    "x" * 5000,
    "\u202e\u2028",
)
PARAMETERS = (
    "q", "day", "month", "from", "to", "after", "before", "next", "page", "person", "rule", "reason", "severity", "pharmacy", "patient", "limit",
    "state", "tab", "period", "row", "printer", "code", "words", "kind", "show", "start", "until", "number", "name", "language",
)  # fmt: skip
"""Names of parameters that some page reads, and some that none does."""


class FormReader(HTMLParser):
    """Reads the forms of a page: method, address, and fields with their values."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[tuple[str, str, dict[str, str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((values.get("method", "get").lower(), values.get("action", ""), {}))
        elif tag in ("input", "select", "textarea", "button") and "name" in values and self.forms:
            self.forms[-1][2].setdefault(values["name"], values.get("value", ""))


@pytest.fixture
def client(handed_over: Dispense) -> Client:  # noqa: F811  (pytest passes the imported fixture)
    """A manager, who opens most pages; a fault is an answer and no exception."""
    client = Client(raise_request_exception=False)
    client.force_login(make.staff(handed_over.pharmacy, StaffRole.MANAGER).user)
    return client


def list_forms(client: Client, pages: list[str]) -> list[tuple[str, str, dict[str, str]]]:
    """Return the forms of pages, each once, without those that sign out or lock."""
    forms = {}
    for page in pages:
        answer = client.get(page)
        if "html" in answer["Content-Type"]:
            reader = FormReader()
            reader.feed(answer.content.decode())
            for method, action, fields in reader.forms:
                forms[method, action or page, *fields] = (method, action or page, fields)
    return [form for form in forms.values() if form[1] not in ("/lock", "/leave")]


@pytest.mark.parametrize("junk", JUNK, ids=lambda junk: ascii(junk)[:20])
def test_no_page_breaks_down_over_junk(client: Client, handed_over: Dispense, junk: str | bytes) -> None:  # noqa: F811  (pytest passes the imported fixture)
    pages = addresses(handed_over)
    forms = list_forms(client, pages)
    faults = [page for page in pages if client.get(page, dict.fromkeys(PARAMETERS, junk)).status_code >= 500]
    for method, address, fields in forms:
        for name in fields:
            typed: dict[str, Any] = {**fields, name: junk}
            answer = client.get(address, typed) if method == "get" else client.post(address, typed)
            if answer.status_code >= 500:
                faults.append(f"{address} {name}")
    assert faults == []
    assert len(forms) > 20, "the pages have forms"
