"""Make, show or replace the key that signs the checkpoints."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.audit.log.database import open_logs, raw_connection, sealer_alias
from dispensary.audit.sealing.keys import KeyTrouble, drop_old_keys, key_file, make_key, read_keys, rotate_key
from dispensary.audit.sealing.service import record_rotation


class Command(BaseCommand):
    """The key itself never leaves its file; what is printed is the public half, for the pharmacy's paper file."""

    help = "Make (--new), show (--show), replace (--rotate) the signing key, or end a replaced one (--drop-old)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Exactly one of four."""
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--new", action="store_true", help="make the first key; refuses to overwrite one")
        what.add_argument("--show", action="store_true", help="print the public key of each log")
        what.add_argument(
            "--rotate", action="store_true", help="make a new key; the old one signs beside it until --drop-old"
        )
        what.add_argument("--drop-old", action="store_true", help="end the key that was replaced, after 30 days or so")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print one vkey a line: the name is the log's origin."""
        try:
            path = key_file()
            if options["new"]:
                make_key(path)
                self.stderr.write(
                    f"The key is in {path}. Keep a copy of it, and of the public keys below, away from this machine."
                )
            elif options["rotate"]:
                old, new = rotate_key(path)
                record_rotation(old, new, timezone.now())
            elif options["drop_old"]:
                drop_old_keys(path)
            keys = read_keys(path)
        except KeyTrouble as trouble:
            raise CommandError(str(trouble)) from trouble
        for one in open_logs(raw_connection(sealer_alias())):
            for key in keys:
                self.stdout.write(str(key.named(one.origin).verifier))
