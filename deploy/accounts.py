"""Accounts are made by a manager, never by the person at the door."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class ClosedAccountAdapter(DefaultAccountAdapter):
    """allauth's account flows without open registration."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
