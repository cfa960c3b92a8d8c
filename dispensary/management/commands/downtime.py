"""The downtime form from a shell, for a schedule that prints it each evening."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from dispensary.actions.downtime import USUAL_DAYS, print_form
from dispensary.actors import Actor, Role
from dispensary.clock import read_clock
from dispensary.documents import Paper
from dispensary.errors import DispensaryError
from dispensary.management.commands._audit_people import authoriser, find_pharmacy


class Command(BaseCommand):
    """Writes the form of one pharmacy as PDF, readable by its owner alone; each record on it counts as read."""

    help = "Write the downtime form: everybody who is due, what they take, their limits, and lines to write on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add pharmacy, days, paper, person and file."""
        parser.add_argument("--pharmacy", type=UUID, help="may be left out where there is only one")
        parser.add_argument("--days", type=int, default=USUAL_DAYS, help="patients due within so many days")
        parser.add_argument("--paper", choices=[paper.value for paper in Paper], default=Paper.A4.value)
        parser.add_argument("--by", metavar="USERNAME", help="who prints it; else the system does")
        parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="written anew where it is there")

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file. Says its name and nothing of a patient."""
        pharmacy = find_pharmacy(options["pharmacy"])
        by = Actor.system("downtime", pharmacy.pk)
        if options["by"]:
            by = authoriser(options["by"], pharmacy.pk, Role.TECHNICIAN, Role.PHARMACIST, Role.MANAGER)
        try:
            content = print_form(
                pharmacy=pharmacy, days=options["days"], paper=Paper(options["paper"]), by=by, now=read_clock()
            )
        except DispensaryError as error:
            raise CommandError(error.sentences()) from error
        part = options["out"].with_name(f".{options['out'].name}.part")
        try:
            part.unlink(missing_ok=True)
            with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
            part.replace(options["out"])
        except OSError as error:
            raise CommandError(f"{options['out']} cannot be written: {error.strerror}.") from error
        self.stdout.write(f"Written: {options['out']}")
