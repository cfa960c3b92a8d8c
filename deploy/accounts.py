"""Account adapter: a manager makes accounts, sign-up is closed."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no annotations
    """allauth's account flows without open registration."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Leave wrong passwords to axes, which counts by name and address; allauth would count by name alone."""


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
