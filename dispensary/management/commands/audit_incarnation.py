"""Continue a log that the sealer refuses, as a new one that holds the old one's last note."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.actors import Role
from dispensary.audit.log.database import all_logs, log_of, owner_alias, raw_connection
from dispensary.audit.retention import open_incarnation
from dispensary.audit.sealing.service import state_folder
from dispensary.audit.sealing.state import StateFolder, StateTrouble
from dispensary.errors import DispensaryError
from dispensary.management.commands._audit_people import authoriser


class Command(BaseCommand):
    """For the day after a restore. Nothing is lost or hidden: both logs stay, and each verifies for itself."""

    help = "After a restore: close the log that the sealer refuses (FORK) and open its successor, bound to the last signed note."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The reason is the first thing that the new log says."""
        parser.add_argument("--pharmacy", type=UUID, required=True)
        parser.add_argument("--reason", required=True, help="what happened, in a sentence")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="a manager of the pharmacy")
        parser.add_argument("--second", required=True, metavar="USERNAME", help="another manager or pharmacist")

    def handle(self, *args: Any, **options: Any) -> None:
        """The last note comes from the sealer's own state, not from the database."""
        pharmacy = options["pharmacy"]
        by = authoriser(options["by"], pharmacy, Role.MANAGER)
        second = authoriser(options["second"], pharmacy, Role.MANAGER, Role.PHARMACIST)
        try:
            log = log_of(all_logs(raw_connection(owner_alias())), pharmacy)
            state = StateFolder(state_folder()).load(log.log_id)
            note = state.note if state else ""
            open_incarnation(log.log_id, note=note, reason=options["reason"], by=by, second=second, now=timezone.now())
        except DispensaryError as error:
            raise CommandError(error.detail, returncode=2) from error
        except StateTrouble as trouble:
            raise CommandError(str(trouble), returncode=1) from trouble
        new = log_of(all_logs(raw_connection(owner_alias())), pharmacy)
        self.stdout.write(
            f"{log.origin} is closed; {new.origin} continues it. Its key goes by its own name: `manage.py audit_key --show`."
        )
