"""Verify the log where it lies, with the same engine as the standalone verifier."""

from __future__ import annotations

import csv
import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.actors import Actor
from dispensary.audit.checks import live
from dispensary.audit.checks.live import record_verification
from dispensary.audit.checks.reconcile import reconcile
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import LogRow, all_logs, raw_connection, sealer_alias
from dispensary.audit.sealing.keys import KeyTrouble, key_file, verifiers
from dispensary.audit.sealing.service import state_folder


class Command(BaseCommand):
    """Exit status 0: verified; 1: evidence of tampering; 2: wrong usage or unreadable; 3: nothing wrong, but incomplete."""

    help = "Verify every log: only what is new since the last run, or all of it with --full. Exit 0 good, 1 tampered, 2 unusable, 3 incomplete."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What the auditor holds counts for more than what the database tells about itself."""
        parser.add_argument(
            "--full", action="store_true", help="from the first entry (weekly); otherwise from the last good checkpoint"
        )
        parser.add_argument("--pharmacy", type=UUID, help="only this pharmacy's logs")
        parser.add_argument(
            "--vkey", type=Path, help="file with the public keys you hold; otherwise this machine's own key is believed"
        )
        parser.add_argument(
            "--checkpoint", type=Path, action="append", default=[], help="a checkpoint that you kept; may be repeated"
        )
        parser.add_argument("--witness-vkey", type=Path, help="file with the public keys of witnesses")
        parser.add_argument("--need", type=int, default=0, help="cosignatures that a checkpoint needs to count")
        parser.add_argument("--receipts", type=Path, help="CSV of printed receipts: seq,leaf")
        parser.add_argument(
            "--grace", type=float, default=live.GRACE, help="seconds that a new entry may wait for the sealer"
        )
        parser.add_argument("--no-reconcile", action="store_true", help="do not compare the tables with the log")
        parser.add_argument("--no-record", action="store_true", help="do not write the result into the log")
        parser.add_argument("--json", action="store_true", help="one JSON document a log")

    def handle(self, *args: Any, **options: Any) -> None:
        """Verify, report, record, and end with the worst status."""
        try:
            status = self._verify(options)
        except (verify.Malformed, KeyTrouble, OSError) as error:
            raise CommandError(str(error), returncode=verify.UNREADABLE) from error
        if status:
            sys.exit(status)

    def _verify(self, options: dict[str, Any]) -> int:
        connection = raw_connection(sealer_alias())
        logs = all_logs(connection, options["pharmacy"])
        held = [(str(path), path.read_bytes()) for path in options["checkpoint"]]
        receipts = _receipts(options["receipts"]) if options["receipts"] else []
        witnesses = verify.read_keys(options["witness_vkey"], 4) if options["witness_vkey"] else []
        if (held or receipts) and len([log for log in logs if not log.closed]) > 1 and not options["pharmacy"]:
            raise verify.Malformed("Checkpoints and receipts belong to one log: say which with --pharmacy.")
        found: set[int] = set()
        for log in logs:
            keys = verify.read_keys(options["vkey"], 1) if options["vkey"] else _own_keys(log.origin)
            mine = [(name, note) for name, note in held if note.startswith(f"{log.origin}\n".encode())]
            start = None if options["full"] or mine or receipts else live.load_verified(state_folder(), log)
            result = live.check_log(
                connection, log, keys, witnesses=witnesses, need=options["need"], held=mine,
                receipts=[] if log.closed else receipts, start=start,
                grace=0 if log.closed else options["grace"],
                progress=None if options["json"] or options["verbosity"] < 1 else self._progress(log.origin),
            )  # fmt: skip
            status = self._tell(result, as_json=options["json"])
            found.add(self._closed(connection, log, result, status, as_json=options["json"]) if log.closed else status)
            if result.exit in (verify.OK, verify.INCOMPLETE) and not options["vkey"]:
                live.save_verified(state_folder(), log, result.verified)
            if not options["no_record"]:
                record_verification(log, result, Actor.system("verifier", log.pharmacy), timezone.now())
        if not options["no_reconcile"] and not options["pharmacy"]:
            found.add(self._reconcile())
        return next(
            (status for status in (verify.TAMPERED, verify.UNREADABLE, verify.INCOMPLETE) if status in found), verify.OK
        )

    def _tell(self, result: live.Result, *, as_json: bool) -> int:
        if as_json:
            self.stdout.write(json.dumps({**result.report.as_json(), "unlinked": result.unlinked, "exit": result.exit}))
            return result.exit
        for line in result.report.lines():
            self.stdout.write(line)
        if result.unlinked:
            self.stdout.write(
                f"{result.unlinked} entries stand in the table without a number: the link trigger was off when they were written."
            )
        self.stdout.write("")
        return result.exit

    def _closed(self, connection: Any, log: LogRow, result: live.Result, status: int, *, as_json: bool) -> int:
        """A closed log grows no more. That its end was never signed is known; that it lost its end would be news."""
        size = live.size_at_closing(connection, log)
        if status not in (verify.OK, verify.INCOMPLETE) or size is None:
            return status
        if result.report.last != size:
            told = f"{log.origin} was closed with {size} entries and has {result.report.last} now."
            status = verify.TAMPERED
        elif {finding.kind for finding in result.report.findings} <= {"UNSEALED"}:
            told = f"{log.origin} was closed with these {size} entries, says the log that continues it; nothing is outstanding."
            status = verify.OK
        else:
            return status
        if not as_json:
            self.stdout.write(f"{told}\n")
        return status

    def _reconcile(self) -> int:
        orphans = list(reconcile())
        for orphan in orphans:
            self.stdout.write(f"Reconciliation: {orphan}.")
        if not orphans:
            self.stdout.write(
                "Reconciliation: every dispense, review, override, prescription and patient has its entry, and the reverse."
            )
        return verify.TAMPERED if orphans else verify.OK

    def _progress(self, origin: str) -> Any:
        def tell(done: int, total: int) -> None:
            if self.stderr.isatty():
                self.stderr.write(f"\r{origin}: {done:,} of {total:,} entries", ending="\r")

        return tell


def _own_keys(origin: str) -> list[verify.Key]:
    return [verify.Key.parse(str(key)) for key in verifiers(key_file(), origin)]


def _receipts(path: Path) -> list[tuple[int, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        try:
            return [(int(row["seq"]), row["leaf"].strip().lower()) for row in csv.DictReader(stream)]
        except (KeyError, ValueError, AttributeError) as error:
            raise verify.Malformed(
                f"{path} is no list of receipts: a header line seq,leaf and one line each"
            ) from error
