"""Lock and unlock a counter, sign out, and choose among several pharmacies."""

from __future__ import annotations

import json
from urllib.parse import urlencode

from django import forms
from django.contrib.auth import authenticate, logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from dispensary import idle_lock
from dispensary.counter import drafts
from dispensary.counter.access import OPEN_WORK_KEY, PHARMACY_KEY, SIGNED_IN_HERE_KEY, at_counter, find_visit
from dispensary.counter.forms import NOT_RECOGNISED
from dispensary.counter.pages import (
    TYPED_KEY,
    ErrorLine,
    drop_answers,
    form_error_lines,
    page_of,
    render_page,
    save_typed_fields,
    typed_pairs,
)
from dispensary.counter.visit import Visit
from dispensary.models import StaffMember


def is_own_password(request: HttpRequest, password: str) -> bool:
    """Return whether this is the signed-in user's password. Wrong ones count towards the lock-out."""
    user = authenticate(request=request, username=request.user.get_username(), password=password)
    return user is not None and user.pk == request.user.pk


def next_address(request: HttpRequest) -> str:
    """Return the address of this site that the request names, else the queue."""
    address = request.POST.get("next") or request.GET.get("next") or ""
    is_safe = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_safe else reverse("counter:queue")


@require_POST
def lock(request: HttpRequest) -> HttpResponse:
    """Lock the counter until the same person types their password; the page's fields are saved."""
    address = next_address(request)
    if request.user.is_authenticated:
        idle_lock.lock(request)
        save_typed_fields(request, address, request.POST.get("typed", ""))
    return redirect(f"{reverse('counter:unlock')}?{urlencode({'next': address})}")


@require_POST
@at_counter(lambda _: True)
def stay(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Take note that somebody is at this counter, who types and sends nothing yet."""
    return HttpResponse(status=204)


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Sign out, so that another person can sign in at this counter and go on with what is open.

    What was typed and scanned waits for them on the server, without what the person who leaves has answered for.
    """
    address = next_address(request)
    visit = find_visit(request)
    if visit is None:
        logout(request)
        return redirect_to_login(address)
    if "typed" in request.POST:
        save_typed_fields(request, address, request.POST["typed"])
    drop_answers(request)
    drafts.drop_answers(request)
    open_work = {key: request.session[key] for key in (TYPED_KEY, drafts.KEY)}
    signed_in_here = request.session.get(SIGNED_IN_HERE_KEY, {})
    logout(request)
    request.session.update({OPEN_WORK_KEY: [str(visit.pharmacy.pk), open_work], SIGNED_IN_HERE_KEY: signed_in_here})
    return redirect_to_login(address)


def refuse_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without a valid token: the session has ended, or the page is from another site.

    For `settings.CSRF_FAILURE_VIEW`. What was typed on a page of this site is carried through the sign-in.
    """
    is_own_page = "Origin" not in reason and "Referer" not in reason and request.method == "POST"
    context = {
        "next": page_of(request) if is_own_page else reverse("counter:queue"),
        "carried": json.dumps(typed_pairs(request)) if is_own_page else "",
    }
    return render_page(request, None, "session_ended.html", context, status=403)


@require_POST
def resume(request: HttpRequest) -> HttpResponse:
    """Save what was typed before a session ended, and go back to its page, by way of the sign-in."""
    address = next_address(request)
    save_typed_fields(request, address, request.POST.get("typed", ""))
    return redirect(address)


class UnlockForm(forms.Form):
    password = forms.CharField(
        label="Password",
        strip=False,
        widget=forms.PasswordInput(
            attrs={"autocomplete": "current-password", "class": "nhsuk-input", "data-focus": ""}
        ),
        error_messages={"required": "Type your password"},
    )


@require_http_methods(["GET", "POST"])
def unlock(request: HttpRequest) -> HttpResponse:
    """Unlock the counter and return to the page it was locked on."""
    if not request.user.is_authenticated:
        return redirect_to_login(next_address(request))
    form = UnlockForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if is_own_password(request, form.cleaned_data["password"]):
            idle_lock.unlock(request)
            return redirect(next_address(request))
        form.add_error("password", NOT_RECOGNISED)
    context = {"form": form, "next": next_address(request)}
    return render_page(request, find_visit(request), "unlock.html", context, errors=form_error_lines(form))


@require_http_methods(["GET", "POST"])
def choose_pharmacy(request: HttpRequest) -> HttpResponse:
    """Choose one of several pharmacies to work at."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    members = StaffMember.objects.filter(user_id=request.user.pk, active=True).select_related("pharmacy")
    pharmacy_id = request.POST.get("pharmacy", "")
    if request.method == "POST" and any(str(m.pharmacy_id) == pharmacy_id for m in members):
        request.session[PHARMACY_KEY] = pharmacy_id
        return redirect(next_address(request))
    errors = [ErrorLine("Choose a pharmacy", "pharmacy-1")] if request.method == "POST" else []
    return render_page(
        request, None, "choose_pharmacy.html", {"members": members, "next": next_address(request)}, errors=errors
    )
