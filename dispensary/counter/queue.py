"""The queue: waiting orders with their state, search, the next order, and orders that came in since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Prefetch, Q, QuerySet, Subquery, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_http_methods, require_safe

from dispensary import policies
from dispensary.actions import patients
from dispensary.actions.handover_problems import BACLOFEN
from dispensary.actions.order_states import CLAIM_LASTS
from dispensary.counter.access import at_counter
from dispensary.counter.bags import find_scanned_bag
from dispensary.counter.keyset import Page, read_page
from dispensary.counter.pages import ErrorLine, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import InvalidInput
from dispensary.handover import order_number
from dispensary.models import (
    OPEN_STAGES,
    Awaited,
    Dispense,
    Namesake,
    NamesakeAnswer,
    OrderClaim,
    OrderState,
    OrderSummary,
    Outcome,
    Preparation,
    Prescription,
    Product,
    Stage,
    WorkKind,
    WorklistItem,
    WorkState,
)
from dispensary.models.prescription import OPEN_STATUSES
from dispensary.queue import LONGEST_WAITING_FIRST, DueColumn, find_next, select_waiting
from dispensary.scanning import UnreadableScan, read_scan
from dispensary.search import find_labelled_orders, find_patients

if TYPE_CHECKING:
    from django_stubs_ext import WithAnnotations

NEWEST_FIRST = ("-received_at", "-pk")
HAS_NAMESAKE = Exists(
    Namesake.objects.filter(Q(patient=OuterRef("patient")) | Q(other=OuterRef("patient"))).exclude(
        answer=NamesakeAnswer.SAME
    )
)
"""Of an order of whose patient there may be another record."""
MOST_NEWEST = 5
MOST_DONE = 15
MOST_PEOPLE = 50
"""Patients without any order that a search shows."""
NOT_DUE = "Not due yet"
_WORDS = {
    OrderState.READY: ("ready", "Ready"),
    OrderState.TO_ACKNOWLEDGE: ("acknowledge", "To acknowledge"),
    OrderState.NEEDS_ANSWER: ("override", "Needs an answer"),
    OrderState.BLOCKED: ("stop", "Blocked"),
    OrderState.NOT_DUE: ("done", NOT_DUE),
    OrderState.NOT_YET: ("done", "Starts later"),
    OrderState.WAITING: ("done", "On hold"),
}
"""State of the pages, and its words."""
_STATE_OF_OUTCOME = {
    Outcome.PASS: "ready",
    Outcome.ACKNOWLEDGE: "acknowledge",
    Outcome.OVERRIDE: "override",
    Outcome.STOP: "stop",
}


TABS = {
    "ready": ("Can be handed over", (OrderState.READY,)),
    "acknowledge": ("To acknowledge", (OrderState.TO_ACKNOWLEDGE,)),
    "answer": ("Needs an answer", (OrderState.NEEDS_ANSWER,)),
    "owing": ("Owing", (OrderState.OWING,)),
    "blocked": ("Blocked", (OrderState.BLOCKED,)),
    "later": (NOT_DUE, (OrderState.NOT_DUE, OrderState.NOT_YET)),
}
"""Tabs by what stands in the way: words, and the states of the orders in it."""
BAG_TABS = {
    Stage.PREPARED.value: "To check",
    Stage.CHECKED.value: "Checked",
    Stage.SHELVED.value: "On the shelf",
}
"""Tabs of orders whose bag is in the pharmacy, by its stage; they are in those by state as well."""
HELD_TABS = {
    **{value: f"Awaiting {label}" for value, label in Awaited.choices},
    "sender": "Held by the sender",
}
"""Tabs of orders on hold, by what is awaited."""


@dataclass(frozen=True, slots=True)
class Tab:
    """A part of the queue, with the orders in it counted."""

    name: str
    """Empty for all of them."""
    words: str
    count: int
    is_current: bool


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
    """Day on which it is due at the counter; None where that is not known, or for an order that has ended."""
    phase: int | None = None
    """The phase that is taken today; None before the first."""
    claim: OrderClaim | None = None
    """Who works on it now."""
    claimed_at: str = ""
    """Since which time of the day."""
    bag: str = ""
    """Where its bag is, in words."""
    ready_at: datetime | None = None
    """The moment at which its bag was put on the shelf."""

    @property
    def number(self) -> str:
        return order_number(self.prescription)


@require_http_methods(["GET", "POST"])
@at_counter()
def queue(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List waiting orders, or search. A search is a POST, so that no name appears in an address or an access log."""
    words = request.POST.get("q", "").strip()[:200]
    pack = read_pack(words)
    context: dict[str, Any] = {
        "q": words,
        "searched": bool(words),
        "now": visit.now,
        "pack": pack.words if pack else "",
    }
    if words:
        try:
            orders = search(visit, words, pack)
            people = []
            if pack is None:
                without_order = find_patients(visit.pharmacy, words).filter(prescriptions__isnull=True)
                people = list(without_order[: MOST_PEOPLE + 1])
            context |= {"people": people[:MOST_PEOPLE], "has_more_people": len(people) > MOST_PEOPLE}
        except InvalidInput as error:
            errors = [ErrorLine(f"{error.detail} {error.problems[0].next}", "q")]
            return render_page(request, visit, "queue.html", context, errors=errors, status=error.status)
        results = read_page(orders, NEWEST_FIRST, request.POST, orders.count())
        patients.record_search(
            pharmacy=visit.pharmacy, words=words, count=len(results.orders), by=visit.by, now=visit.now
        )
        bag = find_scanned_bag(visit, words) if policies.may_dispense(visit.by) else None
        if bag is not None:
            return redirect("counter:bag", bag.pk)
        only = None if context["people"] else find_only_one(results.orders, results.total)
        if only is not None:
            return redirect("counter:check", only.pk)
        return render_page(
            request,
            visit,
            "queue.html",
            context | {"page": results, "rows": [find_row(order, visit) for order in results.orders]},
        )
    bags = Preparation.objects.filter(pharmacy=visit.pharmacy, stage__in=OPEN_STAGES)
    has_bags = visit.pharmacy.separate_steps or bags.exists()
    tabs = count_tabs(visit, request.GET.get("tab", ""), has_bags=has_bags)
    tab = next(tab for tab in tabs if tab.is_current)
    orders_shown = orders_of_tab(visit, tab.name)
    if has_bags:
        orders_shown = orders_shown.prefetch_related(open_bags("prescription__"))
    waiting = read_page(orders_shown, LONGEST_WAITING_FIRST, request.GET, tab.count)
    rows = [show_row(summary.prescription, summary, visit) for summary in waiting.orders]
    context |= {"page": waiting, "rows": rows, "tabs": tabs if len(tabs) > 1 else [], "tab": tab}
    if not waiting.previous and not tab.name:
        done = list(handed_over_today(visit)[: MOST_DONE + 1])
        context |= {
            "newest": newest_due(visit, waiting),
            "done": done[:MOST_DONE],
            "most_done": MOST_DONE if len(done) > MOST_DONE else 0,
        }
    return render_page(request, visit, "queue.html", context)


def find_only_one(orders: Sequence[Prescription], total: int) -> Prescription | None:
    """Return the order that a search can only mean: the one found, or the open one of the one patient found."""
    if total != len(orders) or len({order.patient_id for order in orders}) != 1:
        return None
    waiting = [order for order in orders if order.status in OPEN_STATUSES]
    kinds = {order.group or order.pk for order in waiting}
    if len(kinds) == 1:
        return waiting[0]
    return orders[0] if len(orders) == 1 else None


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
    """Redirect to the next order that is not blocked, or to the queue when there is none."""
    following = find_next(visit.pharmacy, visit.today, _uuid(request.GET.get("after", "")))
    return redirect("counter:check", following.pk) if following else redirect("counter:queue")


def waiting_orders(visit: Visit) -> QuerySet[WithAnnotations[OrderSummary, DueColumn]]:
    """Return the open orders of the pharmacy as `select_waiting` does, with what a row shows."""
    # Nothing is joined, so that the database sorts summaries alone.
    requests = WorklistItem.objects.filter(patient=OuterRef("patient"), kind=WorkKind.ORDER_REQUESTED)
    asked_at = Subquery(requests.exclude(state=WorkState.RESOLVED).values("opened_at")[:1])
    orders = Prescription.objects.select_related("patient", "claim").annotate(
        asked_at=asked_at, has_namesake=HAS_NAMESAKE
    )
    waiting = select_waiting(visit.pharmacy, visit.today)
    return waiting.prefetch_related(Prefetch("prescription", orders), "prescription__phases")


def open_bags(prefix: str = "") -> Prefetch[str, QuerySet[Preparation], str]:
    """Return what fetches the bags that are in the pharmacy with their orders."""
    bags = Preparation.objects.filter(stage__in=OPEN_STAGES)
    return Prefetch(f"{prefix}preparations", bags, to_attr="open_bags")


def orders_of_tab(visit: Visit, name: str) -> QuerySet[WithAnnotations[OrderSummary, DueColumn]]:
    """Return the open orders of one tab of the queue."""
    orders = waiting_orders(visit)
    if name in TABS:
        return orders.filter(state__in=TABS[name][1])
    if name in BAG_TABS:
        return orders.filter(prescription__preparations__stage=name)
    if name in HELD_TABS:
        return orders.filter(state=OrderState.WAITING, awaiting=name if name in Awaited.values else "")
    return orders


def count_tabs(visit: Visit, current: str, *, has_bags: bool) -> list[Tab]:
    """Return the tabs that have orders, and the current one; the first is that of all orders."""
    rows = waiting_orders(visit).order_by().values_list("state", "awaiting").annotate(Count("pk"))
    counts = Counter[str]()
    for state, awaiting, count in rows:
        name = next((name for name, (_, states) in TABS.items() if state in states), awaiting or "sender")
        counts[name] += count
    in_bags: dict[str, int] = {}
    if has_bags:
        bags = waiting_orders(visit).order_by().filter(prescription__preparations__stage__in=OPEN_STAGES)
        in_bags = dict(bags.values_list("prescription__preparations__stage").annotate(Count("pk")))
    words = {name: words for name, (words, _) in TABS.items()} | BAG_TABS | HELD_TABS
    current = current if current in words else ""
    total = counts.total()
    counts.update(in_bags)
    some = [Tab(name, words[name], counts[name], name == current) for name in words if counts[name] or name == current]
    return [Tab("", "All", total, not current), *some]


def newest_due(visit: Visit, first_page: Page[Any]) -> list[Prescription]:
    """Return the last due orders to come in that are not on the first page; newest first."""
    due = waiting_orders(visit).filter(turn_on=visit.today).exclude(pk__in=[order.pk for order in first_page.orders])
    newest = due.prefetch_related(None).prefetch_related("prescription__patient").order_by(*NEWEST_FIRST)
    return [summary.prescription for summary in newest[:MOST_NEWEST]]


def search(visit: Visit, words: str, pack: ScannedPack | None) -> QuerySet[WithAnnotations[Prescription, DueColumn]]:
    """Find orders by a scanned pack, by the number on a label (also scanned), or by their patient. Raises `InvalidInput` for too many."""
    orders = Prescription.objects.filter(pharmacy=visit.pharmacy).select_related("patient", "summary", "claim")
    orders = orders.prefetch_related("phases", open_bags())
    orders = orders.annotate(has_namesake=HAS_NAMESAKE, turn_on=Value(visit.today))  # a part of each page's place
    if pack is not None:
        return orders.filter(pk__in=find_waiting_for_pack(visit, pack.product))
    labelled = list(find_labelled_orders(visit.pharmacy, words).values_list("pk", flat=True))
    if labelled:
        return orders.filter(pk__in=labelled)
    return orders.filter(patient__in=list(find_patients(visit.pharmacy, words).values_list("pk", flat=True)))


class ScannedPack(NamedTuple):
    """A pack whose code was scanned where orders are searched for."""

    gtin: str
    product: Product | None
    """None where nobody here knows it."""

    @property
    def words(self) -> str:
        """The pack in words."""
        if self.product is None:
            return f"the unknown pack {self.gtin}"
        return f"{self.product.name}, pack of {self.product.pack_size}"


def read_pack(words: str) -> ScannedPack | None:
    """Return the pack of a scanned code; None for other words, and for digits that name no known pack, which may be another number."""
    try:
        gtin = read_scan(words).gtin
    except UnreadableScan:
        return None
    product = Product.objects.filter(pk=gtin).first()
    return None if product is None and words.isdigit() else ScannedPack(gtin, product)


def find_waiting_for_pack(visit: Visit, product: Product | None) -> list[UUID]:
    """Return the orders that are due and that a pack fits; none for a pack that is unknown or of another medicine."""
    if product is None or product.ingredient.casefold() != BACLOFEN:
        return []
    fitting = waiting_orders(visit).filter(turn_on=visit.today, prescription__strength_mg=product.strength_mg)
    return list(fitting.values_list("pk", flat=True))


def handed_over_today(visit: Visit) -> QuerySet[Dispense]:
    """Return supplies of the last 24 hours, newest first."""
    since = visit.now - timedelta(hours=24)
    done = Dispense.objects.filter(pharmacy=visit.pharmacy, handed_over_at__gte=since)
    return done.select_related("patient", "prescription")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def find_row(prescription: Prescription, visit: Visit) -> Row:
    """Return an order as a row, whether it has ended or not."""
    if prescription.status not in OPEN_STATUSES:
        return Row(prescription, "done", prescription.get_status_display(), prescription.ended_reason, None)
    summary = getattr(prescription, "summary", None)
    if summary is None:
        return Row(prescription, "done", "Not counted yet", "Open it to see what stands in the way.", None)
    return show_row(prescription, summary, visit)


def show_row(prescription: Prescription, summary: OrderSummary, visit: Visit) -> Row:
    """Return an open order as a row, with the claim of another person who works on it."""
    state = OrderState(summary.state)
    claim: OrderClaim | None = getattr(prescription, "claim", None)
    if claim is not None and (claim.actor == visit.by.name or claim.claimed_at <= visit.now - CLAIM_LASTS):
        claim = None
    tone, words = _WORDS.get(state) or (_STATE_OF_OUTCOME[Outcome(summary.outcome)], "Owing")
    bag = next(iter(getattr(prescription, "open_bags", ())), None)
    if bag is not None and bag.stage == Stage.PREPARED and state == OrderState.READY:
        tone, words = "acknowledge", BAG_TABS[Stage.PREPARED]
    awaited = f"Awaiting {Awaited(summary.awaiting).label}. " if summary.awaiting else ""
    reasons = {
        OrderState.OWING: "Tablets are still owed to the patient.",
        OrderState.NOT_DUE: "The patient still has tablets.",
        OrderState.NOT_YET: "The order starts later.",
        OrderState.WAITING: f"{awaited}{prescription.ended_reason}".strip(),
    }
    reason = summary.finding or reasons.get(state, "")
    asked_at: datetime | None = getattr(prescription, "asked_at", None)
    if asked_at is not None:
        reason = f"Asked for by the patient on {visit.pharmacy.local_day(asked_at):%d %b %Y}. {reason}".strip()
    return Row(
        prescription,
        tone,
        words,
        reason,
        summary.due_on,
        summary.phase,
        claim,
        visit.time_of(claim.claimed_at) if claim else "",
        describe_bag(bag) if bag else "",
        bag.shelved_at if bag else None,
    )


def describe_bag(bag: Preparation) -> str:
    """Return where a bag is, in words."""
    if bag.stage == Stage.SHELVED:
        return f"On shelf {bag.shelf}"
    return "Bag checked" if bag.stage == Stage.CHECKED else f"Bag to check, prepared by {bag.preparer_name}"
