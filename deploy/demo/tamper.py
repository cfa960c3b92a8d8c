"""`python -m deploy.demo.tamper`: attack the running demo's log in sixteen ways, and print what verification finds.

Each attack is made with the owner's rights in a transaction that is rolled back. Exit status 0: played; 2: not a demo's log,
or nothing to attack; 3: the log is busy.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import django
from psycopg import errors

if TYPE_CHECKING:  # Django is not set up yet when this module is read
    from deploy.demo.attacks import Played


class NotADemo(Exception):
    """The log belongs to a real site, whose origin does not end in .demo."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the attacks that the command line asks for; return the exit status."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "deploy.settings")
    django.setup()
    from deploy.demo.attacks import ATTACKS, NothingToAttack
    from dispensary.audit.sealing.keys import KeyTrouble

    parser = argparse.ArgumentParser(prog="python -m deploy.demo.tamper", description=__doc__)
    parser.add_argument("--pharmacy", type=UUID, help="whose log (default: the first pharmacy's)")
    parser.add_argument("--only", type=int, choices=range(1, len(ATTACKS) + 1), help="one attack by its number")
    options = parser.parse_args(arguments)
    try:
        for line in attack_log(options.pharmacy, options.only):
            print(line)
    except (NotADemo, NothingToAttack, KeyTrouble) as error:
        print(error, file=sys.stderr)
        return 2
    except errors.LockNotAvailable:
        print("The log is busy; try again.", file=sys.stderr)
        return 3
    return 0


def attack_log(pharmacy: UUID | None, only: int | None) -> Iterator[str]:
    """Play all attacks, or the one with number `only`, on the open log of a pharmacy; yield the lines to print.

    Raises NotADemo, NothingToAttack, KeyTrouble, psycopg's LockNotAvailable.
    """
    from deploy.demo.attacks import ATTACKS, NothingToAttack, play
    from dispensary.audit.log.database import all_logs, owner_alias, raw_connection
    from dispensary.audit.sealing.keys import key_file, read_keys
    from dispensary.conf import conf
    from dispensary.models import Pharmacy

    if not conf().audit_origin.endswith(".demo"):
        raise NotADemo("This plays attacks on a demo's log only (its origin ends in .demo). Nothing was done.")
    connection = raw_connection(owner_alias())
    pharmacy = pharmacy or Pharmacy.objects.order_by("opened_at").values_list("pk", flat=True).first()
    log = next((row for row in all_logs(connection, pharmacy) if not row.closed), None)
    if pharmacy is None or log is None:
        raise NothingToAttack("There is no pharmacy with a log yet.")
    key = read_keys(key_file())[0]
    yield f"The log {log.origin}. In every attack the attacker owns the database and has dropped its guards.\n"
    for number, name in enumerate(ATTACKS, start=1):
        if only in (None, number):
            yield from _describe(number, play(connection, log, key, name))
    yield "Everything was taken back: each attack was a transaction that never committed."


def _describe(number: int, played: Played) -> Iterator[str]:
    yield f"{number}. Attack: {played.name}"
    for evidence, verdict in played.verdicts.items():
        yield f"     {evidence:<30} {'not detected' if verdict == '-' else verdict}"
    if played.words:
        yield f"     In words: {played.words}"
    yield ""


if __name__ == "__main__":
    sys.exit(main())
