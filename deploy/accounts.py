"""Accounts are made by a manager, never by the person at the door."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):
    """allauth's account flows without open registration."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


def name_tried(request: HttpRequest, credentials: dict[str, str] | None = None) -> str:
    """The name that a password was tried for: axes, allauth and a signature at the counter call it by different words."""
    given = credentials or {}
    return given.get("username") or given.get("login") or request.POST.get("login", "")
