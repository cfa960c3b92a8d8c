"""Send the newest checkpoints out of the house."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.audit.log.database import raw_connection, sealer_alias
from dispensary.audit.sealing import anchors
from dispensary.conf import conf


class Command(BaseCommand):
    """Exit status 0: all were sent (or, with --age, all are recent enough); 1: not."""

    help = "Send the newest checkpoint of every log by --mail, to --print, into a --dir, or tell how old the last sent one is (--age)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """At least once a day, to somebody whom the database administrator cannot lean on."""
        parser.add_argument(
            "--mail", action="append", default=[], metavar="ADDRESS", help="a mailbox outside of this house"
        )
        parser.add_argument("--print", action="store_true", help="a sheet to print, sign and file")
        parser.add_argument(
            "--dir", action="append", default=[], type=Path, metavar="FOLDER", help="a share or write-once store"
        )
        parser.add_argument("--age", action="store_true", help="how old the newest delivered checkpoint of each log is")

    def handle(self, *args: Any, **options: Any) -> None:
        """Every delivery is noted, failed ones too."""
        if not (options["mail"] or options["print"] or options["dir"] or options["age"]):
            raise CommandError("Say where to: --mail ADDRESS, --print, --dir FOLDER; or ask with --age.", returncode=2)
        connection, now = raw_connection(sealer_alias()), timezone.now()
        newest = list(anchors.newest(connection))
        failed = False
        for address in options["mail"]:
            failed |= not self._deliver(
                newest, "mail", address, lambda to=address: anchors.mail(newest, to, now).send()
            )
        for folder in options["dir"]:
            failed |= not self._deliver(
                newest, "folder", str(folder), lambda to=folder: [anchors.put_into(to, each) for each in newest]
            )
        if options["print"]:
            self._deliver(newest, "print", "paper", lambda: self.stdout.write(anchors.page(newest, now)))
        if options["age"]:
            failed |= not self._tell_ages()
        if failed:
            sys.exit(1)

    def _deliver(self, newest: list[anchors.Anchor], channel: str, target: str, send: Callable[[], Any]) -> bool:
        detail = ""
        try:
            send()
        except OSError as error:  # smtplib's errors are OSErrors, too
            detail = str(error)[:500] or type(error).__name__
            self.stderr.write(f"Nothing was sent to {target}: {detail}")
        connection = raw_connection(sealer_alias())
        for each in newest:
            anchors.note_delivery(connection, each, channel=channel, target=target, ok=not detail, detail=detail)
        return not detail

    def _tell_ages(self) -> bool:
        good = True
        for origin, age in anchors.ages(raw_connection(sealer_alias()), timezone.now()).items():
            old = age.total_seconds() > conf().audit_anchor_max_age
            good = good and not old
            hours = age.total_seconds() / 3600
            self.stdout.write(
                f"{origin}: {hours:.1f} hours" + (" - too old: send one with --mail, --print or --dir" if old else "")
            )
        return good
