"""Receivers of Django's sign-in, sign-out and refused sign-in signals. Each calls one action."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from dispensary.actions import access
from dispensary.clock import read_clock


@receiver(user_logged_in, dispatch_uid="dispensary.signed_in")
def on_signed_in(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Note a sign-in."""
    access.record_sign_in(
        user_id=user.pk, station=_station(request), method=getattr(user, "backend", ""), now=read_clock()
    )


@receiver(user_logged_out, dispatch_uid="dispensary.signed_out")
def on_signed_out(sender: Any, request: HttpRequest | None, user: Any, **_: Any) -> None:
    """Note a sign-out; the end of an anonymous session is not noted."""
    if user is not None:
        access.record_sign_out(user_id=user.pk, station=_station(request), now=read_clock())


@receiver(user_login_failed, dispatch_uid="dispensary.sign_in_refused")
def on_refused(sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Note a refused sign-in with the name that was tried, never with a secret."""
    name = str(credentials.get("username") or credentials.get("email") or credentials.get("login") or "")
    access.record_refused_sign_in(name=name, station=_station(request), now=read_clock())


def _station(request: HttpRequest | None) -> str:
    return "" if request is None else str(request.META.get("REMOTE_ADDR", ""))[:64]
