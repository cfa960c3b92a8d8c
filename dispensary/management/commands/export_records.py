"""Export of a pharmacy's orders, hand-overs or findings from a shell: the file that the audit desk offers."""

from __future__ import annotations

import shutil
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from dispensary.actions import long_exports
from dispensary.actions.record_tables import RecordKind
from dispensary.actors import Role
from dispensary.clock import read_clock
from dispensary.errors import DispensaryError
from dispensary.management.commands._audit_people import authoriser, find_pharmacy


class Command(BaseCommand):
    """One kind of records as a zip file with CSV, JSON lines and their dictionary."""

    help = "Write all orders, dispenses or findings of a pharmacy into a zip file: CSV, JSON lines, and a dictionary. It stands in the log."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments."""
        parser.add_argument("kind", choices=[kind.value for kind in RecordKind])
        parser.add_argument("file", type=Path, help="the zip file to write; one that exists is refused")
        parser.add_argument("--pharmacy", type=UUID, help="may be left out where there is only one")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="the manager who answers for it")
        parser.add_argument("--purpose", required=True, help="what for; stands in the log")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask for the export, prepare it, and write its file."""
        pharmacy = find_pharmacy(options["pharmacy"])
        by = authoriser(options["by"], pharmacy.pk, Role.MANAGER)
        kind = RecordKind(options["kind"])
        path: Path = options["file"]
        try:
            target = path.open("xb")
        except OSError as error:
            raise CommandError(f"{error.filename}: {error.strerror}") from error
        try:
            with target:
                export = long_exports.request_records(
                    kind=kind,
                    pharmacy=pharmacy,
                    purpose=options["purpose"],
                    by=by,
                    now=read_clock(),
                )
                while long_exports.find_export(export_id=export.pk, by=by).finished_at is None:
                    if not long_exports.prepare_next(read_clock):
                        raise CommandError("A worker is preparing this export. Its file will be at the audit desk.")
                with long_exports.open_export(export_id=export.pk, by=by, now=read_clock()) as source:
                    shutil.copyfileobj(source, target)
        except BaseException as error:
            path.unlink()
            if isinstance(error, DispensaryError):
                raise CommandError(error.sentences()) from error
            raise
        export.refresh_from_db()
        self.stdout.write(f"{export.rows} {kind.value} in {options['file']}; SHA-256 of the lines {export.sha256}")
