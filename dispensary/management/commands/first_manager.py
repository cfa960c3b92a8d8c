"""Open the account of the first manager and print a link, by which they choose a password and open their pharmacy."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dispensary.actions import people
from dispensary.clock import read_clock
from dispensary.errors import DispensaryError
from dispensary.joining import joining_address


class Command(BaseCommand):
    """`manage.py first_manager USERNAME` prints a link that works once, for three days."""

    help = "Print a link by which the first manager chooses a password and then opens a pharmacy in the browser."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            user = people.open_first_account(username=options["username"], now=read_clock())
        except DispensaryError as error:
            raise CommandError(error.sentences()) from error
        self.stdout.write(joining_address(user))
