"""Issue a token for a program that speaks to the API for one person or for itself, or revoke all of theirs."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError

from dispensary.actions import tokens
from dispensary.actors import Scope
from dispensary.clock import read_clock
from dispensary.errors import DispensaryError
from dispensary.models import Pharmacy, StaffRole


class Command(BaseCommand):
    """`manage.py api_token USERNAME` prints a new token once; `--revoke` ends all of that person's."""

    help = "Print a new API token of a member of staff, or revoke all of theirs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--scopes", nargs="+", choices=list(Scope), default=list(Scope), help="what it is for; all")
        parser.add_argument("--role", choices=StaffRole.values, help="narrower than the owner's, such as technician")
        parser.add_argument("--pharmacy", type=UUID, help="the id of the only pharmacy at which it works")
        parser.add_argument("--label", default="", help="what it is used for, as lists show it")
        parser.add_argument("--hours", type=int, default=12, help="until it expires; at most 8784")
        parser.add_argument("--revoke", action="store_true", help="end every token of this person instead")

    def handle(self, *args: Any, **options: Any) -> None:
        User = get_user_model()
        user = User._default_manager.filter(**{User.USERNAME_FIELD: options["username"]}).first()
        if user is None:
            raise CommandError("There is no account of that name.")
        try:
            if options["revoke"]:
                self.stdout.write(f"Revoked: {tokens.revoke(user=user, now=read_clock())}.")
            else:
                self.stdout.write(self._issue(user, options))
        except DispensaryError as error:
            raise CommandError(error.sentences()) from error

    def _issue(self, user: AbstractBaseUser, options: dict[str, Any]) -> str:
        pharmacy = None
        if options["pharmacy"]:
            pharmacy = Pharmacy.objects.filter(pk=options["pharmacy"]).first()
            if pharmacy is None:
                raise CommandError("There is no such pharmacy; `manage.py pharmacy list` names them.")
        return tokens.issue(
            user=user,
            pharmacy=pharmacy,
            role=StaffRole(options["role"]) if options["role"] else None,
            scopes=options["scopes"],
            label=options["label"],
            lasts=timedelta(hours=options["hours"]),
            now=read_clock(),
        )
