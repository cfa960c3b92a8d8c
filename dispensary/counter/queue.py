"""The queue: waiting orders with their state, search, the next order, and orders that came in since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Case, Count, Exists, Max, OuterRef, Prefetch, Q, QuerySet, Subquery, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_safe

from dispensary.actions import patients
from dispensary.assessment import assess
from dispensary.counter.access import at_counter
from dispensary.counter.keyset import ROWS, Page, Place, read_page
from dispensary.counter.pages import ErrorLine, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import InvalidInput
from dispensary.handover import order_number
from dispensary.models import (
    Dispense,
    DispenseStatus,
    FindingSeverity,
    Override,
    OverrideState,
    Prescription,
    PrescriptionStatus,
)
from dispensary.search import find_labelled_orders, find_patients
from dispensary.supplies import OF_A_SUPPLY, WITH_A_SUPPLY

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

LONGEST_WAITING_FIRST = ("not_due", "received_at", "pk")
NEWEST_FIRST = ("-received_at", "-pk")
MOST_NEWEST = 5
MOST_DONE = 15
MOST_PEOPLE = 50
"""Patients without any order that a search shows."""
NOT_DUE = "Not due yet"


class DueColumns(TypedDict):
    """Columns that `_orders` adds to an order."""

    not_due: bool
    supply_ends_on: date | None


@dataclass(frozen=True, slots=True)
class Row:
    """One order in the queue."""

    prescription: Prescription
    state: str
    """A state of the pages: stop, override, acknowledge, ready, done."""
    words: str
    reason: str
    """The worst unanswered finding, in one sentence."""
    due_on: date | None
    """Day on which the supply in the patient's hands ends; None when there is none."""

    @property
    def number(self) -> str:
        return order_number(self.prescription)


@require_http_methods(["GET", "POST"])
@at_counter()
def queue(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List waiting orders, or search. A search is a POST, so that no name appears in an address or an access log."""
    words = request.POST.get("q", "").strip()[:200]
    context: dict[str, Any] = {"q": words, "searched": bool(words), "now": visit.now}
    if words:
        try:
            orders = search(visit, words)
            context["people"] = find_patients(visit.pharmacy, words).filter(prescriptions__isnull=True)[:MOST_PEOPLE]
        except InvalidInput as error:
            errors = [ErrorLine(f"{error.detail} {error.problems[0].next}", "q")]
            return render_page(request, visit, "queue.html", context, errors=errors, status=error.status)
        results = read_page(orders, NEWEST_FIRST, request.POST, orders.count())
        patients.record_search(
            pharmacy=visit.pharmacy, words=words, count=len(results.orders), by=visit.by, now=visit.now
        )
        return render_page(
            request, visit, "queue.html", context | {"page": results, "rows": review_orders(results.orders, visit)}
        )
    counts = count_waiting(visit)
    waiting = read_page(waiting_orders(visit), LONGEST_WAITING_FIRST, request.GET, sum(counts.values()))
    rows = review_orders(waiting.orders, visit)
    context |= {"page": waiting, "rows": rows, "tally": tally(counts)}
    if waiting.total > len(rows):
        context["tally_of_page"] = Counter((row.state, row.words) for row in rows if row.state != "done").items()
    if not waiting.previous:
        done = list(handed_over_today(visit)[: MOST_DONE + 1])
        context |= {
            "newest": newest_due(visit, waiting),
            "done": done[:MOST_DONE],
            "most_done": MOST_DONE if len(done) > MOST_DONE else 0,
        }
    return render_page(request, visit, "queue.html", context)


@require_safe
@at_counter()
def news(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Count the orders that came in since a moment, as a line for the live region; no row moves."""
    since = parse_datetime(request.GET.get("since", ""))
    fresh = 0
    if since is not None and since.tzinfo is not None:
        fresh = Prescription.objects.filter(pharmacy=visit.pharmacy, received_at__gt=since).count()
    return render_page(request, visit, "parts/queue_news.html", {"fresh": fresh, "since": request.GET.get("since", "")})


@require_safe
@at_counter()
def next_(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Redirect to the next order that is not blocked, or to the queue when there is none.

    No more than a page of orders is reviewed on either side; where all of them are blocked, the queue opens behind them.
    """
    due = waiting_orders(visit).filter(not_due=False).order_by(*LONGEST_WAITING_FIRST)
    here = due.filter(pk=_uuid(request.GET.get("after", ""))).first()  # type: ignore[misc]  # None finds no row
    place = Place.of(here) if here else None
    parts = [place.after(LONGEST_WAITING_FIRST), place.before(LONGEST_WAITING_FIRST)] if place else [Q()]
    for part in parts:
        orders = list(due.filter(part)[:ROWS])
        for order in orders:
            if _row(order, visit.today).state != "stop":
                return redirect("counter:check", order.pk)
        if len(orders) == ROWS:
            return redirect(f"{reverse('counter:queue')}?{urlencode({'after': Place.of(orders[-1])})}")
    return redirect("counter:queue")


def waiting_orders(visit: Visit) -> QuerySet[WithAnnotations[Prescription, DueColumns]]:
    """Return active orders of the pharmacy, also those not due yet."""
    return _orders(visit).filter(status=PrescriptionStatus.ACTIVE)


def count_waiting(visit: Visit) -> dict[bool, int]:
    """Count active orders of the pharmacy that are due (`False`) and not due yet (`True`)."""
    return dict(waiting_orders(visit).order_by().values_list("not_due").annotate(Count("pk")))


def tally(counts: dict[bool, int]) -> list[tuple[str, str, int]]:
    """Return state, words and count for each state that has orders."""
    lines = [("information", "Due now", counts.get(False, 0)), ("done", NOT_DUE, counts.get(True, 0))]
    return [line for line in lines if line[2]]


def review_orders(orders: Iterable[Prescription], visit: Visit) -> list[Row]:
    """Return orders as rows; each one that is due is reviewed again."""
    return [_row(order, visit.today) for order in orders]


def newest_due(visit: Visit, first_page: Page) -> QuerySet[Prescription]:
    """Return the last orders to come in that are not on the first page; newest first."""
    due = waiting_orders(visit).filter(not_due=False).exclude(pk__in=[order.pk for order in first_page.orders])
    return due.prefetch_related(None).select_related("patient").order_by(*NEWEST_FIRST)[:MOST_NEWEST]


def search(visit: Visit, words: str) -> QuerySet[Prescription]:
    """Find orders by the number on a label (also scanned), or by their patient. Raises `InvalidInput` for too many."""
    labelled = list(find_labelled_orders(visit.pharmacy, words).values_list("pk", flat=True))
    if labelled:
        return _orders(visit).filter(pk__in=labelled)
    return _orders(visit).filter(patient__in=list(find_patients(visit.pharmacy, words).values_list("pk", flat=True)))


def handed_over_today(visit: Visit) -> QuerySet[Dispense]:
    """Return supplies of the last 24 hours, newest first."""
    since = visit.now - timedelta(hours=24)
    done = Dispense.objects.filter(pharmacy=visit.pharmacy, handed_over_at__gte=since)
    return done.select_related("patient", "prescription")


def _orders(visit: Visit) -> QuerySet[WithAnnotations[Prescription, DueColumns]]:
    """Return orders of the pharmacy with `not_due`, `supply_ends_on` and the rows that a review reads.

    Not due is an order with a supply that lasts longer than the days by which a refill may come early. Nothing is joined,
    so that the database sorts orders alone.
    """
    supplies = Dispense.objects.filter(prescription=OuterRef("pk"), status=DispenseStatus.COMPLETED)
    lasting = supplies.filter(run_out_on__gt=visit.today + timedelta(days=visit.pharmacy.refill_lead_days))
    # A CASE is never turned into a join of all orders with all supplies, which takes seconds on a table without statistics.
    not_due = Case(When(Exists(lasting), then=True), default=False)
    last = supplies.order_by().values("prescription").annotate(run_out_on=Max("run_out_on"))
    history = Dispense.objects.filter(status=DispenseStatus.COMPLETED).select_related(*WITH_A_SUPPLY)
    return (
        Prescription.objects.filter(pharmacy=visit.pharmacy)
        .annotate(not_due=not_due, supply_ends_on=Subquery(last.values("run_out_on")))
        .prefetch_related(
            "pharmacy",
            "phases",
            "patient__prior_supplies",
            Prefetch("patient__dispenses", history.prefetch_related(*OF_A_SUPPLY)),
            Prefetch("overrides", Override.objects.filter(state=OverrideState.OPEN), to_attr="answers"),
        )
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _row(prescription: Any, today: date) -> Row:
    due_on = prescription.supply_ends_on
    if prescription.status != PrescriptionStatus.ACTIVE:
        return Row(prescription, "done", prescription.get_status_display(), prescription.ended_reason, due_on)
    if prescription.not_due:
        return Row(prescription, "done", NOT_DUE, "The patient still has tablets.", due_on)
    answered = {override.fingerprint for override in prescription.answers}
    return Row(prescription, *_review(prescription, today, answered), due_on)


def _review(prescription: Prescription, today: date, answered: set[str]) -> tuple[str, str, str]:
    """Return state, words and reason from today's review; an earlier one may no longer hold."""
    try:
        questions = assess(prescription, on=today).questions()
    except InvalidInput as error:
        return "stop", "Blocked", error.detail
    unanswered = [q for q in questions if q.severity != FindingSeverity.INFORMATION and q.fingerprint not in answered]
    for severity, state, words in (
        (FindingSeverity.STOP, "stop", "Blocked"),
        (FindingSeverity.OVERRIDE, "override", "Needs an answer"),
        (FindingSeverity.ACKNOWLEDGE, "acknowledge", "To acknowledge"),
    ):
        questions_of_severity = [question for question in unanswered if question.severity == severity]
        if questions_of_severity:
            more = f" (and {len(unanswered) - 1} more)" if len(unanswered) > 1 else ""
            return state, words, f"{questions_of_severity[0].summary}{more}"
    return "ready", "Ready", ""
