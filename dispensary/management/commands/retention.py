"""Retention from a shell: what is no record, how long it is kept, and what is past that."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from dispensary.actions.retention import count_expired, delete_expired
from dispensary.clock import read_clock


class Command(BaseCommand):
    """Prints a line for each kind of working data. Deletes nothing unless it is told to; the schedule does so every six hours."""

    help = "Show how long working data is kept and how much is past that; with --apply, delete it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the one switch."""
        parser.add_argument("--apply", action="store_true", help="delete what is past its term")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print kind, term, number of rows and what they are."""
        now = read_clock()
        verb = "deleted" if options["apply"] else "to delete"
        for line in delete_expired(now=now) if options["apply"] else count_expired(now=now):
            term = f"{line.days} day{'' if line.days == 1 else 's'}"
            self.stdout.write(f"{line.kind.name:<16}{term:<10}{line.rows:>8} {verb}   {line.kind.words}")
        self.stdout.write(
            "Records (patients, orders, dispenses, messages, the log) are erased by two people: `manage.py audit erase`."
        )
