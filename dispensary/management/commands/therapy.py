"""Therapies from a shell: what lists say of them, held against what is counted now."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from dispensary.actions.summaries import check_summaries
from dispensary.clock import read_clock


class Command(BaseCommand):
    """Counts therapies again and names where the queue and the withdrawal-risk list say something else. Writes nothing."""

    help = "Check what the queue and the withdrawal-risk list say against the therapies, counted again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of the one subcommand."""
        commands = parser.add_subparsers(dest="do", required=True, metavar="WHAT")
        check = commands.add_parser("check", help="name every difference; ends with an error where there is one")
        check.add_argument("--pharmacy", type=UUID, help="of one pharmacy; else of all")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print a line for each difference. Names keys only, no patient."""
        differences = 0
        for line in check_summaries(pharmacy_id=options["pharmacy"], now=read_clock()):
            self.stdout.write(line)
            differences += 1
        if differences:
            raise CommandError(f"{differences} differences; the next tick of a new day counts again.")
        self.stdout.write("The lists say what the therapies say.")
