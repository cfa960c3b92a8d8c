"""Locking a counter, unlocking it, and choosing among several pharmacies."""

from __future__ import annotations

from urllib.parse import urlencode

from django import forms
from django.contrib.auth import authenticate, logout
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_POST

from dispensary.counter.door import LOCKED_KEY, PHARMACY_KEY, ErrorLine, keep_typed, page, visit_of
from dispensary.models import StaffMember

NOT_RECOGNISED = "That is not your password. After five wrong ones you are locked out for a while."


def password_is_right(request: HttpRequest, password: str) -> bool:
    """Whether the signed-in person typed their own password just now. Wrong ones count towards the lock-out."""
    user = authenticate(request=request, username=request.user.get_username(), password=password)
    return user is not None and user.pk == request.user.pk


def next_address(request: HttpRequest) -> str:
    """Where to go on: an address of this site that the request names, else the queue."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else reverse("counter:queue")


@require_POST
def lock(request: HttpRequest) -> HttpResponse:
    """Close the counter until the same person types their password. What stood in the page's fields is kept for its return."""
    address = next_address(request)
    if request.user.is_authenticated:
        request.session[LOCKED_KEY] = True
        keep_typed(request, address, request.POST.get("typed", ""))
    return redirect(f"{reverse('counter:unlock')}?{urlencode({'next': address})}")


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Sign out, so that somebody else can sign in at this counter."""
    logout(request)
    return redirect_to_login(reverse("counter:queue"))


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
    """Open a locked counter again, where it was left."""
    if not request.user.is_authenticated:
        return redirect_to_login(next_address(request))
    form = UnlockForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        if password_is_right(request, form.cleaned_data["password"]):
            request.session.pop(LOCKED_KEY, None)
            return redirect(next_address(request))
        form.add_error("password", NOT_RECOGNISED)
    context = {"form": form, "next": next_address(request)}
    return page(request, visit_of(request), "unlock.html", context, errors=lines_of(form))


@require_http_methods(["GET", "POST"])
def choose_pharmacy(request: HttpRequest) -> HttpResponse:
    """Which of several pharmacies somebody is working at now."""
    if not request.user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    members = StaffMember.objects.filter(user_id=request.user.pk, active=True).select_related("pharmacy")
    chosen = request.POST.get("pharmacy", "")
    if request.method == "POST" and any(str(m.pharmacy_id) == chosen for m in members):
        request.session[PHARMACY_KEY] = chosen
        return redirect(next_address(request))
    errors = [ErrorLine("Choose a pharmacy", "pharmacy-1")] if request.method == "POST" else []
    return page(
        request, None, "choose_pharmacy.html", {"members": members, "next": next_address(request)}, errors=errors
    )


def lines_of(form: forms.Form) -> list[ErrorLine]:
    """A form's errors as lines of the error summary, each with the id of its field."""
    return [ErrorLine(str(words), target_of(form, name)) for name, several in form.errors.items() for words in several]


def target_of(form: forms.Form, name: str) -> str:
    """The id that a link to a field's error goes to: of several choices the first; none for the form as a whole."""
    if name not in form.fields:
        return ""
    several = isinstance(form.fields[name].widget, forms.RadioSelect | forms.CheckboxSelectMultiple)
    return f"{form[name].auto_id}_0" if several else form[name].id_for_label
