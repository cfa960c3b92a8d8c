"""Issue a token for a program that speaks to the API for one person, or revoke all of theirs."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.actions import tokens
from dispensary.errors import DispensaryError


class Command(BaseCommand):
    """`manage.py api_token USERNAME` prints a new token once; `--revoke` ends all of that person's."""

    help = "Print a new API token of a member of staff, or revoke all of theirs."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--revoke", action="store_true", help="end every token of this person instead")

    def handle(self, *args: Any, **options: Any) -> None:
        User = get_user_model()
        user = User._default_manager.filter(**{User.USERNAME_FIELD: options["username"]}).first()
        if user is None:
            raise CommandError("There is no account of that name.")
        try:
            if options["revoke"]:
                self.stdout.write(f"Revoked: {tokens.revoke(user=user, now=timezone.now())}.")
            else:
                self.stdout.write(tokens.issue(user=user, now=timezone.now()))
        except DispensaryError as error:
            raise CommandError(" ".join([error.detail, *(problem.sentence() for problem in error.problems)])) from error
