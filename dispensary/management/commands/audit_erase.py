"""Erase bodies for a reason that two people stand for."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from dispensary.actors import Role
from dispensary.audit.log.database import LogRow, all_logs, log_of, owner_alias, raw_connection
from dispensary.audit.retention import erase
from dispensary.errors import DispensaryError, NotFound
from dispensary.management.commands._audit_people import authoriser
from dispensary.models import AuditEntry


class Command(BaseCommand):
    """Headers, order and tree stay whole; backups hold the bodies until they expire."""

    help = "Delete the bodies of entries (--seq, or all of a --patient) with a --basis and two people; the log says so, and verifies."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Nothing is erased without --yes."""
        parser.add_argument("--pharmacy", type=UUID, required=True)
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--seq", type=int, nargs="+", help="numbers of entries")
        what.add_argument("--patient", help="the patient's id: every entry about them, in closed logs as well")
        parser.add_argument(
            "--log", default="", metavar="ORIGIN", help="with --seq: a closed log instead of the open one"
        )
        parser.add_argument(
            "--basis", required=True, help='the legal ground, such as "GDPR Art. 17(1)(b), request of 2026-11-20"'
        )
        parser.add_argument("--by", required=True, metavar="USERNAME", help="a manager of the pharmacy")
        parser.add_argument("--second", required=True, metavar="USERNAME", help="another manager or pharmacist")
        parser.add_argument("--yes", action="store_true", help="really erase; without it only the count is told")

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what would go, or let it go."""
        pharmacy = options["pharmacy"]
        by = authoriser(options["by"], pharmacy, Role.MANAGER)
        second = authoriser(options["second"], pharmacy, Role.MANAGER, Role.PHARMACIST)
        try:
            logs = all_logs(raw_connection(owner_alias()), pharmacy)
            wanted = self._wanted(logs, options)
            if not options["yes"]:
                for log, seqs in wanted:
                    self.stdout.write(
                        f"{len(seqs)} bodies of {log.origin} would be erased for good. Add --yes to do it."
                    )
                return
            with transaction.atomic(using=owner_alias()):
                done = [
                    (
                        log,
                        seqs,
                        erase(log.log_id, seqs, basis=options["basis"], by=by, second=second, now=timezone.now()),
                    )
                    for log, seqs in wanted
                ]
        except DispensaryError as error:
            raise CommandError(error.detail, returncode=2) from error
        for log, seqs, entry in done:
            self.stdout.write(
                f"{len(seqs)} bodies of {log.origin} erased; entry {entry} says why. Backups keep them until they expire."
            )

    def _wanted(self, logs: list[LogRow], options: dict[str, Any]) -> list[tuple[LogRow, list[int]]]:
        if options["seq"]:
            return [(log_of(logs, options["pharmacy"], options["log"]), options["seq"])]
        found = [(log, self._about(log.log_id, options["patient"])) for log in logs]
        found = [(log, seqs) for log, seqs in found if seqs]
        if not found:
            raise NotFound(f"There are no details about patient {options['patient']} that could be erased.")
        return found

    def _about(self, log_id: UUID, patient: str) -> list[int]:
        rows = AuditEntry.objects.using(owner_alias()).filter(log_id=log_id, patient_ref=patient, seq__isnull=False)
        erased = raw_connection(owner_alias()).execute("SELECT entry_id FROM audit.erasure").fetchall()
        gone = {entry for (entry,) in erased}
        return [seq for seq, entry in rows.values_list("seq", "entry_id") if entry not in gone]
