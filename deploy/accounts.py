"""Account adapter and pages: a manager makes accounts, sign-up is closed; a locked counter opens no account."""

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.cache import patch_cache_control

from dispensary.clock import read_clock
from dispensary.idle_lock import lock_when_idle

log = logging.getLogger(__name__)


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no annotations
    """allauth's account flows without open registration."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Leave wrong passwords to axes, which counts by name and address; allauth would count by name alone."""

    def send_notification_mail(
        self,
        template_prefix: str,
        user: AbstractBaseUser,
        context: dict[str, Any] | None = None,
        email: str | None = None,
    ) -> None:
        """Tell a person with an e-mail address of a change to their account. The change stands where the mail server refuses."""
        try:
            super().send_notification_mail(template_prefix, user, context, email)
        except Exception as error:  # mail back ends have no common class of errors
            log.warning("No mail about a change of account %s was sent: %s", user.pk, type(error).__name__)


class AccountPagesMiddleware:
    """Keeps the account's pages out of caches, and behind the lock of a counter: whoever finds it could add a factor of their own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request; those of other pages as they are."""
        if not request.path.startswith("/accounts/"):
            return self._get_response(request)
        is_leaving = request.path == reverse("account_logout")
        if request.user.is_authenticated and not is_leaving and lock_when_idle(request, read_clock()):
            address = request.path if request.method == "GET" else reverse("counter:queue")
            response: HttpResponseBase = redirect(f"{reverse('counter:unlock')}?{urlencode({'next': address})}")
        else:
            response = self._get_response(request)
        patch_cache_control(response, no_store=True, private=True)
        return response


def name_tried(request: HttpRequest, credentials: dict[str, str] | None = None) -> str:
    """Return the name that a password was tried for: axes, allauth and a signature at the counter call it by different words.

    In one case, as the account is found in any: each spelling would otherwise have attempts of its own. First upper case, as
    PostgreSQL compares, where a dotless i is an i.
    """
    tried = credentials or {}
    name = tried.get("username") or tried.get("login") or request.POST.get("login", "")
    return name.strip().upper().lower()


def client_address(request: HttpRequest) -> str | None:
    """Return the address that a request comes from, past as many proxies as TRUSTED_PROXIES counts; `None` without any, as on a socket."""
    try:
        address: str = get_adapter(request).get_client_ip(request)
    except PermissionDenied:
        return None
    return address
