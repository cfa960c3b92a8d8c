"""The counter's door: who is there, for which pharmacy, at what moment; and how an error becomes a page.

Every view of the counter is wrapped by `at_counter`. It lets nobody in who is not signed in, unlocked, active staff of a
pharmacy and allowed to do what the page does, and hands the view a `Visit` through which it reaches that pharmacy's things
and no other's.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_cache_control

from dispensary import policies
from dispensary.actors import Actor
from dispensary.assessment import local_day
from dispensary.errors import DispensaryError, NotFound, Problem
from dispensary.models import Pharmacy, StaffMember

PHARMACY_KEY = "dispensary_pharmacy"
LOCKED_KEY = "dispensary_locked"
TYPED_KEY = "dispensary_typed"
MOST_TYPED = 20_000
"""Characters kept of a page's fields over a lock."""
KEYS = (
    ("F2", "Scan field"),
    ("F4", "Next in the queue"),
    ("F6", "Next part of the page"),
    ("F8", "Answer findings with an override"),
    ("F9", "What the main button says"),
    ("Alt+L", "Lock"),
    ("?", "These keys"),
)

Row = TypeVar("Row", bound=Model)
View = Callable[..., HttpResponse]


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A link of the main navigation."""

    words: str
    address: str
    here: bool


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """One line of an error summary, with the id of the field it belongs to."""

    words: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of one member of staff."""

    member: StaffMember
    others: bool
    """Works at other pharmacies too."""
    by: Actor
    now: datetime
    path: str
    locked: bool = False

    keys = KEYS

    @property
    def pharmacy(self) -> Pharmacy:
        return self.member.pharmacy

    @property
    def today(self) -> date:
        return local_day(self.pharmacy, self.now)

    @property
    def menu(self) -> list[MenuItem]:
        shown = [
            ("Queue", "counter:queue", policies.may_see_patients),
            ("Withdrawal risk", "counter:at-risk", policies.may_send_reminders),
            ("Reminders", "counter:reminders", policies.may_send_reminders),
            ("Audit log", "counter:audit", policies.may_read_log),
        ]
        addresses = [(words, reverse(name)) for words, name, may in shown if may(self.by)]
        here = max((a for _, a in addresses if self.path.startswith(a)), key=len, default="")
        return [MenuItem(words, address, address == here) for words, address in addresses]

    def own(self, rows: QuerySet[Row], pk: uuid.UUID) -> Row:
        """The row of this pharmacy, or NotFound: absent and another pharmacy's are not told apart."""
        found = rows.filter(pk=pk, pharmacy_id=self.member.pharmacy_id).first()
        if found is None:
            raise NotFound("There is no such thing at this pharmacy.")
        return found


def at_counter(allowed: Callable[[Actor], bool] = policies.may_see_patients) -> Callable[[View], View]:
    """Wrap a view `(request, visit, ...)`; `allowed` is one of the house's policies."""

    def wrap(view: View) -> View:
        @wraps(view)
        def enter(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            answer = _entered(request, view, allowed, args, kwargs)
            patch_cache_control(answer, no_store=True, private=True)
            return answer

        return enter

    return wrap


def _entered(
    request: HttpRequest, view: View, allowed: Callable[[Actor], bool], args: Any, kwargs: Any
) -> HttpResponse:
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    visit = visit_of(request)
    if visit is None:
        return _choose_or_refuse(request)
    if visit.locked:
        return redirect(f"{reverse('counter:unlock')}?{urlencode({'next': _safe_to_repeat(request)})}")
    if not allowed(visit.by):
        words = f"{visit.member.get_role_display()}s may not open this page. Ask a manager if you should."
        return error_page(request, visit, 403, "You may not do this", words)
    try:
        return view(request, visit, *args, **kwargs)
    except DispensaryError as error:
        return error_page(request, visit, error.status, error.title, error.detail, problems=error.problems)


def visit_of(request: HttpRequest) -> Visit | None:
    """Who this request is from: the one pharmacy somebody works at, or the one chosen of several; None if neither."""
    members = list(
        StaffMember.objects.filter(user_id=request.user.pk, active=True)
        .select_related("pharmacy")
        .order_by("pharmacy__name")
    )
    chosen = request.session.get(PHARMACY_KEY)
    found = [m for m in members if str(m.pharmacy_id) == chosen] or (members if len(members) == 1 else [])
    if not found:
        return None
    member = found[0]
    by = member.actor().at(request.session.get("dispensary_station", ""), uuid.uuid4())
    return Visit(member, len(members) > 1, by, timezone.now(), request.path, bool(request.session.get(LOCKED_KEY)))


def _choose_or_refuse(request: HttpRequest) -> HttpResponse:
    if StaffMember.objects.filter(user_id=request.user.pk, active=True).exists():
        return redirect(f"{reverse('counter:choose-pharmacy')}?{urlencode({'next': _safe_to_repeat(request)})}")
    words = "You are signed in, but not on the staff of a pharmacy. A manager can add you."
    return error_page(request, None, 403, "You work at no pharmacy here", words)


def _safe_to_repeat(request: HttpRequest) -> str:
    return request.get_full_path() if request.method == "GET" else reverse("counter:queue")


def keep_typed(request: HttpRequest, address: str, text: str) -> None:
    """Keep the fields of a page over a lock: pairs of name and value as JSON; anything else, or too much, is dropped."""
    try:
        pairs = json.loads(text) if len(text) <= MOST_TYPED else None
    except ValueError:
        pairs = None
    if isinstance(pairs, list) and all(isinstance(p, list) and len(p) == 2 for p in pairs):
        request.session[TYPED_KEY] = {address: [[str(name), str(value)] for name, value in pairs]}


def page(
    request: HttpRequest,
    visit: Visit | None,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    errors: Iterable[ErrorLine] = (),
    status: int = 200,
) -> HttpResponse:
    """Render a page of the counter, with an error summary when there are errors."""
    typed = (
        request.session.pop(TYPED_KEY, {}).get(request.path)
        if visit and request.method == "GET" and not visit.locked
        else None
    )
    data = {
        "visit": visit,
        "typed": typed,
        "errors": list(errors),
        "today": visit.today if visit else None,
        **(context or {}),
    }
    return render(request, f"dispensary/{template}", data, status=status)


def error_page(
    request: HttpRequest, visit: Visit | None, status: int, title: str, words: str, *, problems: Iterable[Problem] = ()
) -> HttpResponse:
    """An error as a page: what happened and what to do now."""
    return page(request, visit, "error.html", {"heading": title, "words": words, "problems": problems}, status=status)


def error_lines(error: DispensaryError, targets: Mapping[str, str]) -> list[ErrorLine]:
    """An error of an action as lines for a form whose fields have these ids, by the names the action uses."""
    if not error.problems:
        return [ErrorLine(error.detail)]
    return [ErrorLine(problem.sentence(), targets.get(problem.field, "")) for problem in error.problems]
