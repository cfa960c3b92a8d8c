"""PINs: a person sets one, and takes a counter over with it and a code of their app where they signed in in full on that day.

A PIN signs nothing and changes nothing in an account: both ask for the password or a passkey. A full sign-in is noted in the browser's session on the
server, which is carried from one person at the counter to the next and ends with the shift, or when a manager signs the person out.
"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.views import login as sign_in_in_full
from allauth.mfa.models import Authenticator
from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import User
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import patch_cache_control
from django.utils.crypto import constant_time_compare
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from deploy.accounts import client_address
from deploy.models import Pin, SignOut
from deploy.proofs import is_right_code
from dispensary.actions import signatures
from dispensary.actions.access import record_refused_sign_in
from dispensary.actions.people import record_own_change
from dispensary.clock import read_clock
from dispensary.counter.access import OPEN_WORK_KEY, SIGNED_IN_HERE_KEY, at_counter
from dispensary.counter.forms import StyledForm, posted_data
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.session import next_address
from dispensary.counter.signing import SignatureForm
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.models import StaffMember
from dispensary.models.sealed import text_digest
from dispensary.proof import Proof

SHORTEST, LONGEST = 6, 12
"""Digits of a PIN [D]."""
MOST_ATTEMPTS = 5
"""Wrong PINs or codes, after which the PIN works again after a sign-in by password or passkey [D]."""
SHOWN = sha256(b"a PIN to take a counter over").hexdigest()
"""What somebody signs who sets a PIN."""
IN_FULL = "in_full"
"""Parameter of the sign-in's address, for who signs in by password or passkey where a PIN would do."""
WRONG = "PIN or code is not right, or the PIN is locked after five wrong ones. A sign-in with your password unlocks it."


DIGITS = {"autocomplete": "off", "inputmode": "numeric", "class": "nhsuk-input--width-10"}
BACKEND = f"{__name__}.PinBackend"


class PinBackend(AuthenticationBackend):  # type: ignore[misc]  # allauth has no annotations
    """The sign-in by a PIN, as sessions and the log name it. It takes no credentials: `switch` has tried them."""

    def authenticate(self, request: HttpRequest | None, **credentials: Any) -> None:
        """Return None."""


class PinForm(StyledForm):
    """A new PIN, typed twice."""

    pin = forms.RegexField(
        rf"\A[0-9]{{{SHORTEST},{LONGEST}}}\Z",
        label="PIN",
        strip=False,
        help_text=f"{SHORTEST} to {LONGEST} digits, neither all the same nor in a row.",
        widget=forms.PasswordInput(attrs=DIGITS),
        error_messages={"required": "Type a PIN", "invalid": f"Type {SHORTEST} to {LONGEST} digits"},
    )
    again = forms.CharField(
        label="The same again",
        strip=False,
        widget=forms.PasswordInput(attrs=DIGITS),
        error_messages={"required": "Type the PIN again"},
    )

    def clean_pin(self) -> str:
        pin: str = self.cleaned_data["pin"]
        steps = {int(after) - int(digit) for digit, after in pairwise(pin)}
        if steps in ({0}, {1}, {-1}):
            raise forms.ValidationError("Everybody would try this one. Choose another PIN")
        return pin

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("pin", again):
            raise forms.ValidationError("The two PINs differ")
        return again


class SwitchForm(StyledForm):
    """Who takes the counter over, their PIN, and a code of their app."""

    person = forms.ChoiceField(
        label="Who goes on", widget=forms.RadioSelect, error_messages={"required": "Choose who goes on"}
    )
    pin = forms.CharField(
        label="PIN",
        strip=False,
        max_length=LONGEST,
        widget=forms.PasswordInput(attrs=DIGITS | {"data-focus": ""}),
        error_messages={"required": "Type your PIN"},
    )
    code = forms.CharField(
        label="Code of your app",
        max_length=16,
        widget=forms.TextInput(attrs=DIGITS | {"autocomplete": "one-time-code"}),
        error_messages={"required": "Type the code that your app shows now"},
    )

    def __init__(self, data: Any, members: list[StaffMember]) -> None:
        super().__init__(data, initial={"person": members[0].pk if len(members) == 1 else None})
        choices = [(member.pk, f"{member.display_name}, {member.get_role_display().lower()}") for member in members]
        self.fields["person"].choices = choices  # type: ignore[attr-defined]  # the class names a ChoiceField


@sensitive_post_parameters("pin", "again", "password", "code")
@require_http_methods(["GET", "POST"])
@at_counter(lambda _: True)
def pin(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Set the PIN of whoever is signed in, by a fresh proof, or end it."""
    user = visit.member.user
    if request.POST.get("do") == "end":
        end_pin(user, now=visit.now)
        messages.success(request, "You have no PIN any more.")
        return redirect("pin")
    has_app = Authenticator.objects.filter(user_id=user.pk, type=Authenticator.Type.TOTP).exists()
    form, signature, errors = PinForm(posted_data(request)), None, list[ErrorLine]()
    if has_app:
        signature = SignatureForm(posted_data(request), request, visit, None, SHOWN)
        if request.method == "POST":
            result = _sign(visit, form, signature)
            if isinstance(result, HttpResponse):
                return result
            errors = result
            if not errors:
                messages.success(request, "Your PIN is set. It works where you sign in with your password first.")
                return redirect("pin")
    context = {
        "form": form,
        "signature": signature,
        "pin": Pin.objects.filter(user_id=user.pk).first(),
        "most_attempts": MOST_ATTEMPTS,
    }
    return render_page(request, visit, "pin.html", context, errors=errors, status=422 if errors else 200)


def _sign(visit: Visit, form: PinForm, signature: SignatureForm) -> list[ErrorLine] | HttpResponse:
    """Set the PIN, or return the errors, or what a passkey is asked."""
    proof = signature.take_proof(form_error_lines(form) + form_error_lines(signature))
    if not isinstance(proof, Proof):
        return proof
    try:
        with transaction.atomic():
            signatures.use(nonce=signature.cleaned_data["nonce"], by=visit.by, now=visit.now)
            set_pin(visit.member.user, form.cleaned_data["pin"], now=visit.now)
    except DispensaryError as error:
        return error_lines(error, {})
    return []


@transaction.atomic
def set_pin(user: User, pin: str, *, now: datetime) -> None:
    """Give a person a PIN in place of the one before."""
    digest = make_password(text_digest(f"pin {user.pk}", pin))
    Pin.objects.update_or_create(user=user, defaults={"digest": digest, "set_at": now, "attempts": 0})
    record_own_change(user=user, what="a PIN to take a counter over", now=now)


@transaction.atomic
def end_pin(user: User, *, now: datetime) -> None:
    """Take a person's PIN away, where they have one."""
    deleted, _ = Pin.objects.filter(user=user).delete()
    if deleted:
        record_own_change(user=user, what="the PIN ended", now=now)


def note_sign_in(request: HttpRequest, user: User, now: datetime) -> None:
    """Note a full sign-in in the browser's session, and unlock the person's PIN."""
    Pin.objects.filter(user_id=user.pk).update(attempts=0)
    noted = request.session.get(SIGNED_IN_HERE_KEY, {})
    request.session[SIGNED_IN_HERE_KEY] = noted | {str(user.pk): [now.isoformat(), user.get_session_auth_hash()]}


def members_to_switch(request: HttpRequest, now: datetime) -> list[StaffMember]:
    """Return who may take this counter over by PIN: people with a PIN and an app, of the pharmacy of whoever left it, who signed in here today.

    A password that was changed since ends it, and a manager who signed the person out, wherever.
    """
    noted = request.session.get(SIGNED_IN_HERE_KEY, {})
    pharmacy_id, _ = request.session.get(OPEN_WORK_KEY, ("", {}))
    if not noted or not pharmacy_id or request.user.is_authenticated:
        return []
    with_app = Authenticator.objects.filter(type=Authenticator.Type.TOTP, user_id__in=noted).values("user_id")
    members = StaffMember.objects.filter(
        pharmacy_id=pharmacy_id,
        active=True,
        user__is_active=True,
        user__in=Pin.objects.filter(user_id__in=with_app).values("user_id"),
    ).select_related("user", "pharmacy")
    sign_outs = dict(SignOut.objects.filter(user_id__in=noted).values_list("user_id", "at"))
    return [
        member
        for member in members
        if _is_in_force(member, noted[str(member.user_id)], sign_outs.get(member.user_id), now)
    ]


def _is_in_force(member: StaffMember, entry: list[str], signed_out_at: datetime | None, now: datetime) -> bool:
    moment, session_hash = datetime.fromisoformat(entry[0]), entry[1]
    is_today = member.pharmacy.local_day(moment) == member.pharmacy.local_day(now)
    is_before = signed_out_at is not None and moment <= signed_out_at
    return is_today and not is_before and constant_time_compare(session_hash, member.user.get_session_auth_hash())


def sign_in(request: HttpRequest) -> HttpResponseBase:
    """Show the sign-in, or to people who may take this counter over by PIN the page for that."""
    if request.method == "GET" and IN_FULL not in request.GET and members_to_switch(request, read_clock()):
        return redirect(f"{reverse('switch-person')}?{urlencode({'next': next_address(request)})}")
    response: HttpResponseBase = sign_in_in_full(request)
    return response


@sensitive_post_parameters("pin", "code")
@require_http_methods(["GET", "POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """Let a person who signed in here today go on at this counter with what is open."""
    address, now = next_address(request), read_clock()
    members = members_to_switch(request, now)
    if not members:
        return redirect_to_login(address)
    form = SwitchForm(request.POST if request.method == "POST" else None, members)
    errors = form_error_lines(form)
    if form.is_valid():
        member = next(member for member in members if str(member.pk) == form.cleaned_data["person"])
        if is_proven(member.user, form.cleaned_data["pin"], form.cleaned_data["code"]):
            member.user.backend = BACKEND  # where the log reads it, too
            login(request, member.user)
            return redirect(address)
        name = member.user.get_username()
        record_refused_sign_in(name=name, station=client_address(request) or "", now=now)
        errors = [ErrorLine(WRONG, "id_pin")]
    response = render_page(request, None, "switch.html", {"form": form, "next": address}, errors=errors)
    patch_cache_control(response, no_store=True, private=True)
    return response


def is_proven(user: AbstractBaseUser, pin: str, code: str) -> bool:
    """Return whether PIN and code are right. An attempt is counted before it is tried, so that many at once count, too."""
    with transaction.atomic():
        row = Pin.objects.select_for_update().filter(user_id=user.pk, attempts__lt=MOST_ATTEMPTS).first()
        if row is None:
            return False
        Pin.objects.filter(pk=row.pk).update(attempts=F("attempts") + 1)
    is_right_pin = check_password(text_digest(f"pin {user.pk}", pin), row.digest)
    if not is_right_pin or not is_right_code(user.pk, code, (Authenticator.Type.TOTP,)):
        return False
    Pin.objects.filter(pk=row.pk).update(attempts=0)
    return True
