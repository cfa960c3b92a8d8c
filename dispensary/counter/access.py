"""Access to the counter's pages.

`at_counter` wraps every view. It admits active staff of a pharmacy who are signed in, not locked, and allowed to do what
the page does, and hands the view a `Visit`, which reaches only this pharmacy's rows. Errors of actions become pages.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import patch_cache_control

from dispensary import policies
from dispensary.actors import Actor
from dispensary.clock import clock_expression, refuse_skew
from dispensary.counter.outage import render_outage
from dispensary.counter.pages import keep_typed, render_error, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.idle_lock import lock_when_idle
from dispensary.models import StaffMember
from dispensary.outages import find_outage
from dispensary.proof import person_proof
from dispensary.request_limit import MINUTE, is_too_often

PHARMACY_KEY = "dispensary_pharmacy"
OPEN_WORK_KEY = "dispensary_open_work"
"""What somebody who left the counter had open, with their pharmacy, for the next person of that pharmacy."""

SIGNED_IN_HERE_KEY = "dispensary_signed_in_here"
"""Who signed in with this browser, as the site noted it; goes on from one person at the counter to the next."""

View = Callable[..., HttpResponseBase]


def at_counter(is_allowed: Callable[[Actor], bool] = policies.may_see_patients) -> Callable[[View], View]:
    """Wrap a view `(request, visit, ...)`; `is_allowed` is one of `policies`."""

    def wrap(view: View) -> View:
        @wraps(view)
        def admit(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            try:
                response = _respond(request, view, is_allowed, args, kwargs)
            except Error as error:
                outage = find_outage(error, writes=request.method == "POST")
                if outage is None:
                    raise
                response = render_outage(request, outage)
            patch_cache_control(response, no_store=True, private=True)
            return response

        return admit

    return wrap


def _respond(
    request: HttpRequest, view: View, is_allowed: Callable[[Actor], bool], args: Any, kwargs: Any
) -> HttpResponseBase:
    if not request.user.is_authenticated:
        return redirect_to_login(keep_typed(request))
    if is_too_often(request.user.pk):
        words = "This account has sent too many requests. Wait a minute, then load the page again."
        response = render_error(request, None, 429, "Too many requests", words)
        response["Retry-After"] = str(MINUTE)
        return response
    visit = find_visit(request)
    if visit is None:
        return _choose_pharmacy_or_refuse(request)
    if visit.is_factor_overdue:
        return render_page(request, visit, "factor_needed.html", status=403)
    if visit.is_locked:
        return redirect(f"{reverse('counter:unlock')}?{urlencode({'next': keep_typed(request)})}")
    if not is_allowed(visit.by):
        if policies.may_read_log(visit.by) and request.path == reverse("counter:queue"):  # where a sign-in leads to
            return redirect("counter:audit")
        words = f"{visit.member.get_role_display()}s may not open this page. Ask a manager if you should."
        return render_error(request, visit, 403, "You may not do this", words)
    try:
        if request.method == "POST":
            refuse_skew(visit.now)
        return view(request, visit, *args, **kwargs)
    except DispensaryError as error:
        return render_error(request, visit, error.status, error.title, error.detail, problems=error.problems)


def find_visit(request: HttpRequest) -> Visit | None:
    """Return the visit to the user's only pharmacy, or to the one chosen of several; None if there is neither."""
    members = list(
        StaffMember.objects.filter(user_id=request.user.pk, active=True)  # type: ignore[misc]  # None finds no row
        .select_related("pharmacy")
        .annotate(moment=clock_expression())
        .order_by("pharmacy__name")
    )
    pharmacy_id = request.session.get(PHARMACY_KEY)
    only_member = members[0] if len(members) == 1 else None
    member = next((m for m in members if str(m.pharmacy_id) == pharmacy_id), only_member)
    if member is None:
        return None
    is_locked = lock_when_idle(request, member.moment, asks_by_itself=request.path == reverse("counter:queue-news"))
    pharmacy_of_work, open_work = request.session.pop(OPEN_WORK_KEY, ("", {}))
    if pharmacy_of_work == str(member.pharmacy_id):
        for key, saved in open_work.items():  # what another tab sent since is newer
            request.session[key] = saved | request.session.get(key, {})
    by = member.actor().at(request.session.get("dispensary_station", ""), uuid.uuid4())
    return Visit(
        member,
        len(members) > 1,
        by,
        member.moment,
        request.path,
        is_locked=is_locked,
        lacks_factor=member.factor_due_at is not None and not person_proof().has_second_factor(request.user),
    )


def _choose_pharmacy_or_refuse(request: HttpRequest) -> HttpResponse:
    if StaffMember.objects.filter(user_id=request.user.pk, active=True).exists():  # type: ignore[misc]  # None finds no row
        return redirect(f"{reverse('counter:choose-pharmacy')}?{urlencode({'next': keep_typed(request)})}")
    if request.user.has_perm("dispensary.add_pharmacy"):
        return redirect("counter:open-pharmacy")
    words = "You are signed in, but not on the staff of a pharmacy. A manager can add you."
    return render_error(request, None, 403, "You work at no pharmacy here", words)
