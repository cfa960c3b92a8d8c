"""The queue: what waits, patient first, and where each order stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import CharField, Prefetch, Q, QuerySet
from django.db.models.functions import Cast
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_safe

from dispensary.actions import patients
from dispensary.assessment import OF_A_SUPPLY, WITH_A_SUPPLY, assess
from dispensary.counter.door import Visit, at_counter, page
from dispensary.errors import InvalidInput
from dispensary.models import (
    Dispense,
    DispenseStatus,
    FindingSeverity,
    Override,
    OverrideState,
    Prescription,
    PrescriptionStatus,
)
from dispensary.papers import number_of

MOST_ROWS = 200
MOST_FOUND = 50
MOST_DONE = 15


@dataclass(frozen=True, slots=True)
class Row:
    """One order in the queue."""

    prescription: Prescription
    state: str
    """A state of the pages: stop, override, acknowledge, ready, done."""
    words: str
    reason: str
    """The worst thing that nobody has answered, in one sentence."""
    due_on: date | None
    """Day on which the supply in the patient's hands ends; None when there is none."""

    @property
    def number(self) -> str:
        return number_of(self.prescription)


@require_http_methods(["GET", "POST"])
@at_counter()
def queue(request: HttpRequest, visit: Visit) -> HttpResponse:
    """What waits now. A search is a POST, so that no name stands in an address or a log of addresses."""
    words = request.POST.get("q", "").strip()[:200]
    context: dict[str, Any] = {"q": words, "searched": bool(words), "now": visit.now}
    if words:
        found = search(visit, words)
        patients.searched(pharmacy=visit.pharmacy, words=words, found=len(found), by=visit.by, now=visit.now)
        return page(request, visit, "queue.html", context | {"rows": found})
    rows = waiting(visit)
    return page(
        request, visit, "queue.html", context | {"rows": rows, "done": handed_over_today(visit), "tally": tally(rows)}
    )


@require_safe
@at_counter()
def news(request: HttpRequest, visit: Visit) -> HttpResponse:
    """How many orders came in since a moment: a line for the live region. It never moves a row."""
    since = parse_datetime(request.GET.get("since", ""))
    fresh = 0
    if since is not None and since.tzinfo is not None:
        fresh = Prescription.objects.filter(pharmacy=visit.pharmacy, received_at__gt=since).count()
    return page(request, visit, "parts/queue_news.html", {"fresh": fresh, "since": request.GET.get("since", "")})


@require_safe
@at_counter()
def next_(request: HttpRequest, visit: Visit) -> HttpResponse:
    """On to the next order that can be worked on; back to the queue when there is none."""
    after = request.GET.get("after", "")
    rows = [row for row in waiting(visit) if row.state != "done"]
    here = next((n for n, row in enumerate(rows) if str(row.prescription.pk) == after), -1)
    following = [row for row in rows[here + 1 :] + rows[: max(here, 0)] if row.state != "stop"]
    return redirect("counter:check", following[0].prescription.pk) if following else redirect("counter:queue")


def waiting(visit: Visit) -> list[Row]:
    """Active orders of the pharmacy: those due now first, the longest waiting on top; then those not due yet."""
    active = Prescription.objects.filter(pharmacy=visit.pharmacy, status=PrescriptionStatus.ACTIVE).order_by(
        "received_at"
    )
    rows = _rows(active[:MOST_ROWS], visit)
    return sorted(rows, key=lambda row: row.state == "done")


def search(visit: Visit, words: str) -> list[Row]:
    """Orders by the number on a label (also scanned), the patient's number or name; newest first."""
    number = words.split("|", maxsplit=1)[0].strip().lower()
    rows = Prescription.objects.filter(pharmacy=visit.pharmacy).annotate(number=Cast("id", CharField()))
    wanted = Q(number__startswith=number) | Q(patient__identifier__iexact=words)
    by_name = Q()
    for word in words.replace(",", " ").split():
        by_name &= Q(patient__family_name__icontains=word) | Q(patient__given_name__icontains=word)
    return _rows(rows.filter(wanted | by_name if by_name else wanted).order_by("-received_at")[:MOST_FOUND], visit)


def handed_over_today(visit: Visit) -> QuerySet[Dispense]:
    """The last supplies of the last day, newest first."""
    since = visit.now - timedelta(hours=24)
    done = Dispense.objects.filter(pharmacy=visit.pharmacy, handed_over_at__gte=since)
    return done.select_related("patient", "prescription")[:MOST_DONE]


def tally(rows: Iterable[Row]) -> list[tuple[str, str, int]]:
    """How many rows stand in each state: state, words, count; only those there are."""
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        counts[row.state, row.words] = counts.get((row.state, row.words), 0) + 1
    return [(state, words, count) for (state, words), count in counts.items()]


def _rows(prescriptions: QuerySet[Prescription], visit: Visit) -> list[Row]:
    supplies = Dispense.objects.filter(status=DispenseStatus.COMPLETED).select_related(*WITH_A_SUPPLY)
    fetched = prescriptions.select_related("pharmacy", "patient", "prescriber").prefetch_related(
        "phases",
        "patient__prior_supplies",
        Prefetch("patient__dispenses", supplies.prefetch_related(*OF_A_SUPPLY)),
        Prefetch("dispenses", Dispense.objects.filter(status=DispenseStatus.COMPLETED), to_attr="supplied"),
        Prefetch("overrides", Override.objects.filter(state=OverrideState.OPEN), to_attr="answers"),
    )
    return [_row(prescription, visit.today) for prescription in fetched]


def _row(prescription: Prescription, today: date) -> Row:
    supplied = getattr(prescription, "supplied", [])
    due_on = max((d.run_out_on for d in supplied), default=None)
    if prescription.status != PrescriptionStatus.ACTIVE:
        return Row(prescription, "done", prescription.get_status_display(), prescription.ended_reason, due_on)
    lead = prescription.pharmacy.refill_lead_days if supplied else 0
    if due_on is not None and due_on - timedelta(days=lead) > today:
        return Row(prescription, "done", "Not due yet", "The patient still has tablets.", due_on)
    answered = {override.fingerprint for override in getattr(prescription, "answers", [])}
    return Row(prescription, *_standing(prescription, today, answered), due_on)


def _standing(prescription: Prescription, today: date, answered: set[str]) -> tuple[str, str, str]:
    """Asked of the rule book anew: what was true when the order came in may not be true today."""
    try:
        questions = assess(prescription, on=today).questions()
    except InvalidInput as error:
        return "stop", "Blocked", error.detail
    asking = [q for q in questions if q.severity != FindingSeverity.INFORMATION and q.fingerprint not in answered]
    for severity, state, words in (
        (FindingSeverity.STOP, "stop", "Blocked"),
        (FindingSeverity.OVERRIDE, "override", "Needs an answer"),
        (FindingSeverity.ACKNOWLEDGE, "acknowledge", "To acknowledge"),
    ):
        found = [question for question in asking if question.severity == severity]
        if found:
            more = f" (and {len(asking) - 1} more)" if len(asking) > 1 else ""
            return state, words, f"{found[0].summary}{more}"
    return "ready", "Ready", ""
