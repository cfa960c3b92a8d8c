"""A Bundle that is sent to the base address: its orders one by one, and the answer to each of its entries."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, Final

from dispensary.errors import Problem
from dispensary.fhir.elements import Inquiry, as_object, as_objects, as_text
from dispensary.fhir.resources import MOST_ORDERS

ANSWERS: Final = {
    "batch": "batch-response",
    "transaction": "transaction-response",
    "collection": "transaction-response",
}
"""The type of the answer to each type of Bundle. A collection is taken in as a transaction is: whole, or not at all."""
_PLACE: Final = re.compile(r"^Bundle\.entry\[(\d+)\]")
_BESIDE: Final = {"resourceType": "OperationOutcome", "issue": [{"severity": "information", "code": "informational",
                  "diagnostics": "Read with the orders of the Bundle; it is no resource of its own here."}]}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry with an order."""

    number: int
    bundle: Mapping[str, Any]
    """A Bundle with this order and what came along with all of them."""
    numbers: Sequence[int]
    """The entries of the whole Bundle that it holds."""
    if_none_exist: str = ""

    def place(self, path: str) -> str:
        """Return a path in `bundle`, or words that begin with one, as a path in the whole Bundle."""
        if path.startswith("MedicationRequest"):
            return path.replace("MedicationRequest", f"Bundle.entry[{self.number}].resource", 1)
        return _PLACE.sub(lambda match: f"Bundle.entry[{self.numbers[int(match[1])]}]", path)

    def place_problems(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the questions about the order with their places in the whole Bundle; one of no place with that of the order."""
        placed = []
        for problem in problems:
            field, expected = self.place(problem.field), problem.expected
            if not field.startswith("Bundle.entry"):
                field, expected = f"Bundle.entry[{self.number}].resource", f"{field}: {expected}".removeprefix(": ")
            placed.append(replace(problem, field=field, expected=expected))
        return placed


def split_bundle(resource: Any, inquiry: Inquiry) -> tuple[str, list[Entry], int]:
    """Return the type of a Bundle, its entries with orders, and how many entries it has; ask about what is none."""
    if not isinstance(resource, Mapping) or resource.get("resourceType") != "Bundle":
        inquiry.ask("resourceType", "something else", "Bundle", "Send other resources to the address of their type.")
        return "", [], 0
    kind = as_text(resource.get("type"), "Bundle.type", inquiry)
    if kind not in ANSWERS:
        inquiry.ask("Bundle.type", "another type", ", ".join(ANSWERS), "Send it as one of these.")
    entries = as_objects(resource.get("entry"), "Bundle.entry", inquiry)
    resources = [as_object(entry.get("resource"), f"{path}.resource", inquiry) for path, entry in entries]
    is_order = [thing.get("resourceType") == "MedicationRequest" for thing in resources]
    if not 1 <= sum(is_order) <= MOST_ORDERS:
        inquiry.ask(
            "Bundle.entry",
            f"{sum(is_order)} MedicationRequests",
            f"from 1 to {MOST_ORDERS}",
            "Send them in other Bundles.",
        )
    orders = []
    for number, (path, entry) in enumerate(entries):
        call = as_object(entry.get("request"), f"{path}.request", inquiry)
        if kind != "collection":
            _check_call(call, path, str(resources[number].get("resourceType")), inquiry)
        if is_order[number]:
            numbers = [other for other in range(len(entries)) if other == number or not is_order[other]]
            part = {"resourceType": "Bundle", "type": "collection", "entry": [entries[other][1] for other in numbers]}
            condition = as_text(call.get("ifNoneExist"), f"{path}.request.ifNoneExist", inquiry)
            orders.append(Entry(number, part, numbers, condition))
    return kind, orders, len(entries)


def _check_call(call: Mapping[str, Any], path: str, kind: str, inquiry: Inquiry) -> None:
    method = as_text(call.get("method"), f"{path}.request.method", inquiry)
    allowed = ("POST",) if kind == "MedicationRequest" else ("POST", "PUT")
    address = as_text(call.get("url"), f"{path}.request.url", inquiry)
    if method == "POST" and address.strip("/") != kind:
        inquiry.ask(
            f"{path}.request.url", "another address or none", kind, "Send a resource to the address of its type."
        )
    if method not in allowed:
        inquiry.ask(f"{path}.request.method", "another method or none", " or ".join(allowed), "Send orders with POST.")
    for name in ("ifMatch", "ifNoneMatch", "ifModifiedSince"):
        if name in call:
            inquiry.ask(f"{path}.request.{name}", "a condition", "none, or ifNoneExist", "Leave it out.")


def answer_entries(kind: str, count: int, answers: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answer to a Bundle of `count` entries: those with orders by their number, the others as read along."""
    beside = {"status": "200 OK", "outcome": _BESIDE}
    entries = [{"response": answers.get(number, beside)} for number in range(count)]
    return {"resourceType": "Bundle", "type": ANSWERS[kind], "entry": entries}


def status_line(status: int) -> str:
    """Return a status as the answer to an entry has it."""
    return f"{status} {HTTPStatus(status).phrase}"
