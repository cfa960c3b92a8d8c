"""Let a month leave the database after its export is safe."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.actors import Role
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import all_logs, log_of, owner_alias, raw_connection
from dispensary.audit.retention import drop_month, retire
from dispensary.errors import DispensaryError
from dispensary.management.commands._audit_people import authoriser


class Command(BaseCommand):
    """First each log states what goes (state), then, under a checkpoint, the month is dropped (drop)."""

    help = "Retire a month: `state` it for a pharmacy with its verified export, and, once all pharmacies have and the sealer signed, `drop` it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Two steps, because the sealer must sign in between."""
        steps = parser.add_subparsers(dest="step", required=True)
        state = steps.add_parser("state", help="write into a pharmacy's log that the month may go")
        state.add_argument("--pharmacy", type=UUID, required=True)
        state.add_argument(
            "--bundle", type=Path, required=True, help="the export that keeps everything up to that month's end"
        )
        state.add_argument("--vkey", type=Path, required=True, help="the public key of the log")
        state.add_argument(
            "--log", default="", metavar="ORIGIN", help="a closed log of the pharmacy, instead of the open one"
        )
        state.add_argument("--basis", required=True, help="which retention period ended")
        state.add_argument("--by", required=True, metavar="USERNAME")
        state.add_argument("--second", required=True, metavar="USERNAME")
        drop = steps.add_parser("drop", help="drop the month's partitions")
        for step in (state, drop):
            step.add_argument("--month", type=_month, required=True, metavar="YYYY-MM")

    def handle(self, *args: Any, **options: Any) -> None:
        """Either step refuses with its reason and changes nothing."""
        try:
            (self._state if options["step"] == "state" else self._drop)(options)
        except DispensaryError as error:
            raise CommandError(error.detail, returncode=1) from error
        except (verify.Malformed, OSError) as error:
            raise CommandError(str(error), returncode=2) from error

    def _state(self, options: dict[str, Any]) -> None:
        pharmacy = options["pharmacy"]
        done = retire(
            log_of(all_logs(raw_connection(owner_alias())), pharmacy, options["log"]),
            options["month"],
            bundle=options["bundle"],
            keys=verify.read_keys(options["vkey"], 1),
            basis=options["basis"],
            by=authoriser(options["by"], pharmacy, Role.MANAGER),
            second=authoriser(options["second"], pharmacy, Role.MANAGER, Role.PHARMACIST),
            now=timezone.now(),
        )
        if done is None:
            self.stdout.write(f"This log has no entry in {options['month']:%Y-%m}; nothing is to be stated.")
        else:
            self.stdout.write(
                f"{done.log.origin}: everything up to {done.last} may go, says entry {done.entry_id}. Let the sealer sign, then drop."
            )

    def _drop(self, options: dict[str, Any]) -> None:
        self.stdout.write(
            f"{drop_month(options['month']):,} entries of {options['month']:%Y-%m} left the database; their links stay."
        )


def _month(text: str) -> dt.date:
    return dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC).date()
