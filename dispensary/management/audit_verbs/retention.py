"""Verbs that remove entries or continue a broken log: erase, retire, incarnation."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from pathlib import Path
from uuid import UUID

from django.core.management.base import BaseCommand
from django.utils import timezone

from dispensary.actors import Actor, Role
from dispensary.audit import retention
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import all_logs, log_of, owner_alias, raw_connection
from dispensary.audit.sealing.service import state_folder
from dispensary.audit.sealing.state import StateFolder, StateTrouble
from dispensary.errors import DispensaryError
from dispensary.management.audit_verbs.verb import Options, Verb
from dispensary.management.commands._audit_people import authoriser


def _add_people_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--pharmacy", type=UUID, required=True)
    parser.add_argument("--by", required=True, metavar="USERNAME", help="a manager of the pharmacy")
    parser.add_argument("--second", required=True, metavar="USERNAME", help="another manager or pharmacist")


def _people(options: Options) -> tuple[Actor, Actor]:
    by = authoriser(options["by"], options["pharmacy"], Role.MANAGER)
    return by, authoriser(options["second"], options["pharmacy"], Role.MANAGER, Role.PHARMACIST)


def _add_erase_arguments(parser: ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--seq", type=int, nargs="+", help="numbers of entries")
    what.add_argument("--patient", help="the patient's id: every entry about them, in closed logs as well")
    parser.add_argument("--log", default="", metavar="ORIGIN", help="with --seq: a closed log instead of the open one")
    parser.add_argument(
        "--basis", required=True, help='the legal ground, such as "GDPR Art. 17(1)(b), request of 2026-11-20"'
    )
    parser.add_argument("--yes", action="store_true", help="really erase; without it only the count is told")
    _add_people_arguments(parser)


def _erase(command: BaseCommand, options: Options) -> int:
    """Say how many bodies would go, or with --yes erase them."""
    by, second = _people(options)
    logs = all_logs(raw_connection(owner_alias()), options["pharmacy"])
    if options["seq"]:
        erasures = [(log_of(logs, options["pharmacy"], options["log"]), options["seq"])]
    else:
        erasures = retention.erasable(logs, options["patient"])
    if not options["yes"]:
        for log, seqs in erasures:
            command.stdout.write(f"{len(seqs)} bodies of {log.origin} would be erased for good. Add --yes to do it.")
        return 0
    entries = retention.erase_all(erasures, basis=options["basis"], by=by, second=second, now=timezone.now())
    for (log, seqs), entry in zip(erasures, entries, strict=True):
        command.stdout.write(
            f"{len(seqs)} bodies of {log.origin} erased; entry {entry} says why. Backups keep them until they expire."
        )
    return 0


ERASE = Verb(
    "Delete the bodies of entries (--seq, or all of a --patient) with a --basis and two people; the log says so, and verifies. "
    "Headers, order and tree stay whole; backups hold the bodies until they expire.",
    _add_erase_arguments,
    _erase,
    {DispensaryError: 2},
)


def _month(text: str) -> dt.date:
    return dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC).date()


def _add_retire_arguments(parser: ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True)
    state = steps.add_parser("state", help="write into a pharmacy's log that the month may go")
    state.add_argument(
        "--bundle", type=Path, required=True, help="the export that keeps everything up to that month's end"
    )
    state.add_argument("--vkey", type=Path, required=True, help="the public key of the log")
    state.add_argument(
        "--log", default="", metavar="ORIGIN", help="a closed log of the pharmacy, instead of the open one"
    )
    state.add_argument("--basis", required=True, help="which retention period ended")
    _add_people_arguments(state)
    drop = steps.add_parser("drop", help="drop the month's partitions")
    for step in (state, drop):
        step.add_argument("--month", type=_month, required=True, metavar="YYYY-MM")


def _retire(command: BaseCommand, options: Options) -> int:
    """State in a log that a month may go, or drop the month.

    The sealer must sign in between.
    """
    month = options["month"]
    if options["step"] == "drop":
        count = retention.drop_month(month)
        command.stdout.write(f"{count:,} entries of {month:%Y-%m} left the database; their links stay.")
        return 0
    log = log_of(all_logs(raw_connection(owner_alias())), options["pharmacy"], options["log"])
    keys = verify.read_keys(options["vkey"], 1)
    by, second = _people(options)
    retired = retention.retire(
        log,
        month,
        bundle=options["bundle"],
        keys=keys,
        basis=options["basis"],
        by=by,
        second=second,
        now=timezone.now(),
    )
    if retired is None:
        command.stdout.write(f"This log has no entry in {month:%Y-%m}; nothing is to be stated.")
    else:
        command.stdout.write(
            f"{log.origin}: everything up to {retired.last} may go, says entry {retired.entry_id}. Let the sealer sign, then drop."
        )
    return 0


RETIRE = Verb(
    "Retire a month: `state` it for a pharmacy with its verified export, and, once all pharmacies have and the sealer signed, `drop` it.",
    _add_retire_arguments,
    _retire,
    {DispensaryError: 1, verify.Malformed: 2, OSError: 2},
)


def _add_incarnation_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="what happened, in a sentence")
    _add_people_arguments(parser)


def _incarnation(command: BaseCommand, options: Options) -> int:
    """Close a log and open its successor.

    The last signed note comes from the sealer's state, not from the database.
    """
    by, second = _people(options)
    connection = raw_connection(owner_alias())
    log = log_of(all_logs(connection), options["pharmacy"])
    state = StateFolder(state_folder()).load(log.log_id)
    note = state.note if state else ""
    retention.open_incarnation(
        log.log_id, note=note, reason=options["reason"], by=by, second=second, now=timezone.now()
    )
    successor = log_of(all_logs(connection), options["pharmacy"])
    command.stdout.write(
        f"{log.origin} is closed; {successor.origin} continues it. Its key goes by its own name: `manage.py audit key --show`."
    )
    return 0


INCARNATION = Verb(
    "After a restore: close the log that the sealer refuses (FORK) and open its successor, bound to the last signed note. "
    "Both logs stay, and each verifies for itself.",
    _add_incarnation_arguments,
    _incarnation,
    {DispensaryError: 2, StateTrouble: 1},
)
