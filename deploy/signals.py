"""Receivers of allauth's signals: what a person changes in their own account stands in the log. Each calls one action."""

from typing import Any

from allauth.account.signals import email_added, email_changed, password_changed, password_reset, password_set
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added, authenticator_removed, authenticator_reset
from allauth.socialaccount.signals import social_account_added, social_account_removed
from django.contrib.auth.models import User
from django.dispatch import Signal

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
    """Connect the receiver to each signal of `CHANGES`."""
    for signal in CHANGES:
        signal.connect(_record, dispatch_uid="deploy.own_change")


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
        return of_signal["socialaccount"].user  # type: ignore[no-any-return]  # likewise
    user: User = of_signal["user"]
    return user
