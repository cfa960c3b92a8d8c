"""Receivers of signals: what a person changes in their own account stands in the log, and a full sign-in in the browser's session."""

from typing import Any

from allauth.account.signals import email_added, email_changed, password_changed, password_reset, password_set
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.contrib.auth import BACKEND_SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in
from django.dispatch import Signal
from django.http import HttpRequest

from dispensary.actions.people import record_own_change
from dispensary.clock import read_clock

CHANGES = {
    password_changed: "the password",
    password_set: "the password",
    password_reset: "the password, by a link in an e-mail",
    email_added: "the e-mail address",
    email_changed: "the e-mail address",
    authenticator_added: "a second factor added",
    authenticator_removed: "a second factor removed",
    authenticator_reset: "a second factor made anew",
    social_account_added: "an account of the organisation linked",
    social_account_removed: "an account of the organisation unlinked",
}


def connect() -> None:
    """Connect the receivers."""
    for signal in CHANGES:
        signal.connect(_record, dispatch_uid="deploy.own_change")
    user_logged_in.connect(_note_sign_in, dispatch_uid="deploy.signed_in_here")


def _note_sign_in(sender: Any, request: HttpRequest | None, user: User, **_: Any) -> None:
    from deploy import pins  # with all that signs people in, which a worker or a command never needs

    if request is not None and request.session.get(BACKEND_SESSION_KEY) != pins.BACKEND:
        pins.note_sign_in(request, user, read_clock())


def _record(sender: Any, signal: Signal, **of_signal: Any) -> None:
    change = CHANGES[signal]
    factor: Authenticator | None = of_signal.get("authenticator")
    if factor is not None:
        change += f": {factor.get_type_display()}"
    record_own_change(user=_owner(of_signal), what=change, now=read_clock())


def _owner(of_signal: dict[str, Any]) -> User:
    if "sociallogin" in of_signal:
        return of_signal["sociallogin"].user  # type: ignore[no-any-return]  # allauth has no annotations
    if "socialaccount" in of_signal:
        return of_signal["socialaccount"].user  # type: ignore[no-any-return]  # allauth has no annotations
    user: User = of_signal["user"]
    return user
