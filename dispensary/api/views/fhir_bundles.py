"""Bundles of orders: a transaction or collection is taken in whole or not at all, a batch order by order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from dispensary import audit
from dispensary.actions.idempotency import Reply
from dispensary.actions.intake import Intake, Retraction, add_host_records, take_all
from dispensary.actions.prescriptions import Received
from dispensary.actors import Actor
from dispensary.api.fhir.transactions import Entry, answer_entries, split_bundle, status_line
from dispensary.api.problems import operation_outcome, problem_document
from dispensary.api.schema import CREATES
from dispensary.api.views.base import reply
from dispensary.api.views.fhir import JSON_KINDS, RESOURCE
from dispensary.api.views.fhir_orders import OrderIntakeView, existing_reply
from dispensary.api.views.orders import received_reply
from dispensary.errors import DispensaryError, InvalidInput, Problem
from dispensary.fhir import read_retraction
from dispensary.fhir.elements import Inquiry
from dispensary.fhir.intake import read_intake
from dispensary.models import Prescription


@dataclass(frozen=True, slots=True)
class _Order:
    """An entry with an order, read."""

    entry: Entry
    task: Intake | Retraction | Prescription
    """What is to be done; an order that is here already under its condition."""
    absences: Sequence[str] = ()


class BundleView(OrderIntakeView):
    """The base address of FHIR: Bundles of orders."""

    @extend_schema(
        request={"application/fhir+json": RESOURCE},
        responses={(200, kind): RESOURCE for kind in JSON_KINDS},
        parameters=CREATES,
        summary="Take in the orders of a Bundle: a transaction or collection all or none, a batch each for itself",
        description="Patient, Practitioner, Medication and facts of the patient are read with each order. The answer has an entry for "
        "each entry that was sent, with its status, the order's address, and an OperationOutcome as for a single order.",
    )
    def post(self, request: Request) -> Response:
        by, inquiry = self.authorize(), Inquiry()
        kind, entries, count = split_bundle(request.data, inquiry)
        inquiry.raise_problems()
        orders = self._read_all(entries)
        take = self._take_each if kind == "batch" else self._take_all

        def do() -> Reply:
            replies = take(orders, by)
            answers = {entry.number: self._answer(answer) for entry, answer in zip(entries, replies, strict=True)}
            return reply(200, answer_entries(kind, count, answers))

        return self.answer_once(by, do)

    def _read_all(self, entries: Sequence[Entry]) -> list[_Order | DispensaryError]:
        """Read every entry, an order with the site's own record of its patient, or return why it cannot be read."""
        orders: list[_Order | DispensaryError] = []
        for entry in entries:
            try:
                orders.append(self._read(entry))
            except DispensaryError as error:
                orders.append(error)
        intakes = [order.task for order in orders if isinstance(order, _Order) and isinstance(order.task, Intake)]
        complete = iter(add_host_records(intakes))
        return [
            replace(order, task=next(complete))
            if isinstance(order, _Order) and isinstance(order.task, Intake)
            else order
            for order in orders
        ]

    def _take_all(self, orders: Sequence[_Order | DispensaryError], by: Actor) -> list[Reply]:
        """Take all orders in or none. Raises `InvalidInput` with the questions about all of them."""
        problems: list[Problem] = []
        for order in orders:
            if isinstance(order, InvalidInput):
                problems += order.problems
            elif isinstance(order, DispensaryError):
                raise order
        if problems:
            raise InvalidInput("Nothing of the Bundle was taken in.", *problems)
        return self._take([order for order in orders if isinstance(order, _Order)], by)

    def _take_each(self, orders: Sequence[_Order | DispensaryError], by: Actor) -> list[Reply]:
        """Take each order in for itself; one that is refused is answered as such."""
        replies = []
        for order in orders:
            try:
                if isinstance(order, DispensaryError):
                    raise order
                replies += audit.retrying(self._take)([order], by)
            except DispensaryError as error:
                document = problem_document(error.status, error.code, error.title, error.detail, error.problems)
                replies.append(Reply(error.status, operation_outcome(document)))
        return replies

    def _read(self, entry: Entry) -> _Order:
        try:
            if (here := self.find_existing(entry.if_none_exist)) is not None:
                return _Order(entry, here)
            if retraction := read_retraction(entry.bundle):
                return _Order(entry, retraction)
            intake, absences = read_intake(entry.bundle, pharmacy=self.pharmacy, on=self.pharmacy.local_day(self.now))
        except DispensaryError as error:
            error.problems = tuple(entry.place_problems(error.problems))
            raise
        notes = [entry.place(note) for note in intake.notes]
        return _Order(entry, replace(intake, notes=notes), [entry.place(words) for words in absences])

    def _take(self, orders: Sequence[_Order], by: Actor) -> list[Reply]:
        waiting = [(order.entry, order.task) for order in orders if not isinstance(order.task, Prescription)]
        try:
            results = iter(take_all([task for _, task in waiting], pharmacy=self.pharmacy, by=by, now=self.now))
        except DispensaryError as error:
            if error.position is not None:
                entry, _ = waiting[error.position]
                problems = error.problems or [Problem("", "an order that cannot be taken in", error.detail)]
                error.problems = tuple(entry.place_problems(problems))
            raise
        replies = []
        for order in orders:
            if isinstance(order.task, Prescription):
                replies.append(existing_reply(order.task))
            elif isinstance(result := next(results), Received):
                replies.append(self.render_outcome(received_reply(result, self), order.absences))
            elif isinstance(order.task, Retraction):
                replies.append(self.render_retraction(order.task, result))
        return replies

    def _answer(self, answer: Reply) -> Mapping[str, Any]:
        """Return the answer to an entry."""
        outcome = dict(answer.body)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            return {"status": status_line(answer.status), "outcome": outcome}
        pk = outcome["id"]
        return {
            "status": status_line(answer.status),
            "location": f"MedicationRequest/{pk}",
            "etag": self.headers_of(pk)["ETag"],
            "outcome": outcome,
        }


@extend_schema(exclude=True)
class SlashedBundleView(BundleView):
    """The same address as clients write it with a final slash."""
