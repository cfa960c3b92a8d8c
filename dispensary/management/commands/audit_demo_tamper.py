"""Play the attacks on the demo's own log, and show what is found and what is not."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from psycopg import errors

from dispensary.audit import live
from dispensary.audit.demo import ATTACKS, EVIDENCE, NothingToAttack, Played, play
from dispensary.audit.keeping import owner_alias
from dispensary.audit.keys import KeyTrouble, key_file, read_keys
from dispensary.audit.rounds import raw_connection
from dispensary.conf import conf
from dispensary.models import Pharmacy


class Command(BaseCommand):
    """Each attack is made with the owner's rights in a transaction that is rolled back."""

    help = (
        "Demo only: attack the log in sixteen ways, verify after each with growing evidence, and take everything back."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """All attacks, or one."""
        parser.add_argument("--pharmacy", type=UUID, help="whose log (default: the first pharmacy's)")
        parser.add_argument("--only", type=int, choices=range(1, len(ATTACKS) + 1), help="one attack by its number")

    def handle(self, *args: Any, **options: Any) -> None:
        """A table in words: evidence, finding, place."""
        if not conf().audit_origin.endswith(".demo"):
            raise CommandError(
                "This plays attacks on a demo's log only (its origin ends in .demo). Nothing was done.", returncode=2
            )
        connection = raw_connection(owner_alias())
        pharmacy = options["pharmacy"] or Pharmacy.objects.order_by("opened_at").values_list("pk", flat=True).first()
        log = next((row for row in live.all_logs(connection, pharmacy) if not row.closed), None)
        if pharmacy is None or log is None:
            raise CommandError("There is no pharmacy with a log yet.", returncode=2)
        try:
            key = read_keys(key_file())[0]
            self.stdout.write(
                f"The log {log.origin}. In every attack the attacker owns the database and has dropped its guards.\n"
            )
            for number, name in enumerate(ATTACKS, start=1):
                if options["only"] in (None, number):
                    self._tell(number, play(connection, log, key, name))
        except (NothingToAttack, KeyTrouble) as trouble:
            raise CommandError(str(trouble), returncode=2) from trouble
        except errors.LockNotAvailable as error:
            raise CommandError("The log is busy; try again.", returncode=3) from error
        self.stdout.write("Everything was taken back: each attack was a transaction that never committed.")

    def _tell(self, number: int, played: Played) -> None:
        self.stdout.write(f"{number}. Attack: {played.name}")
        for evidence in EVIDENCE:
            found = played.verdicts[evidence]
            self.stdout.write(f"     {evidence:<30} {'not detected' if found == '-' else found}")
        if played.words:
            self.stdout.write(f"     In words: {played.words}")
        self.stdout.write("")
