"""Verbs that remove entries, continue a broken log or settle a lost one: authorise, erase, retire, incarnation, lost."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from dispensary.actors import Actor, Role
from dispensary.audit import retention
from dispensary.audit.evidence import authority, verify
from dispensary.audit.log.database import LogRow, all_logs, eraser_alias, log_of, open_logs, owner_alias, raw_connection
from dispensary.audit.log.events import Event
from dispensary.audit.log.writer import REGISTER, SITE
from dispensary.audit.sealing.keys import create_key_file
from dispensary.audit.sealing.notes import BadNote, SignerKey
from dispensary.audit.sealing.sealer import find_difference
from dispensary.audit.sealing.service import lost_states, state_folder
from dispensary.audit.sealing.state import StateFolder, StateTrouble
from dispensary.clock import read_clock
from dispensary.errors import DispensaryError
from dispensary.management.audit_verbs.verb import Options, Verb
from dispensary.management.commands._audit_people import authoriser


def _add_people_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--pharmacy", type=UUID, required=True)
    parser.add_argument("--by", required=True, metavar="USERNAME", help="a manager of the pharmacy")
    parser.add_argument("--second", required=True, metavar="USERNAME", help="another manager or pharmacist")


def _people(names: Mapping[str, Any]) -> tuple[Actor, Actor]:
    pharmacy = UUID(str(names["pharmacy"]))
    by = authoriser(names["by"], pharmacy, Role.MANAGER)
    return by, authoriser(names["second"], pharmacy, Role.MANAGER, Role.PHARMACIST)


def _month(text: str) -> dt.date:
    return dt.datetime.strptime(text, "%Y-%m").replace(tzinfo=dt.UTC).date()


def _add_authorise_arguments(parser: ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True)
    key = steps.add_parser("key", help="make a person's key, outside the application; prints the public half")
    key.add_argument("file", type=Path)
    key.add_argument("name", help="the person's name, without spaces")
    sign = steps.add_parser("sign", help="read a statement and sign it; two people do")
    sign.add_argument("statement", type=Path)
    sign.add_argument("--key", type=Path, required=True)
    erase = steps.add_parser("erase", help="state which details may be erased")
    what = erase.add_mutually_exclusive_group(required=True)
    what.add_argument("--seq", type=int, nargs="+", help="numbers of entries")
    what.add_argument("--patient", help="the patient's id: every entry about them, in closed logs as well")
    erase.add_argument("--log", default="", metavar="ORIGIN", help="with --seq: a closed log instead of the open one")
    retire = steps.add_parser("retire", help="state that a month is exported and may go")
    retire.add_argument("--month", type=_month, required=True, metavar="YYYY-MM")
    retire.add_argument(
        "--bundle", type=Path, required=True, help="the export that keeps everything up to that month's end"
    )
    retire.add_argument("--vkey", type=Path, required=True, help="the public key of the log")
    retire.add_argument("--keep-days", type=int, required=True, help="how long an entry must be kept")
    retire.add_argument(
        "--log", default="", metavar="ORIGIN", help="a closed log of the pharmacy, instead of the open one"
    )
    for step in (erase, retire):
        step.add_argument("statement", type=Path, help="the file to write, for two people to sign")
        step.add_argument(
            "--basis", required=True, help='the ground, such as "GDPR Art. 17(1)(b), request of 2026-11-20"'
        )
        _add_people_arguments(step)


def _authorise(command: BaseCommand, options: Options) -> int:
    """Make a key, write a statement, or sign one."""
    match options["step"]:
        case "key":
            key = SignerKey.generate(options["name"])
            create_key_file(options["file"], key)
            command.stdout.write(str(key.verifier))
        case "sign":
            note = options["statement"].read_text(encoding="utf-8")
            signed = authority.add_signature(note, SignerKey.parse(options["key"].read_text(encoding="ascii")))
            options["statement"].write_text(signed, encoding="utf-8")
            command.stdout.write(f"Signed:\n{signed}")
        case step:
            note = _write_erasure(options) if step == "erase" else _write_retirement(options)
            if note is None:
                command.stdout.write(f"This log has no entry in {options['month']:%Y-%m}; nothing is to be stated.")
                return 0
            options["statement"].write_text(note, encoding="utf-8")
            command.stdout.write(
                f"{options['statement']}: let two people read and sign it with `audit authorise sign`."
            )
    return 0


def _names(options: Options) -> dict[str, str]:
    _people(options)
    return {name: str(options[name]) for name in ("by", "second", "pharmacy")}


def _write_erasure(options: Options) -> str:
    logs = all_logs(raw_connection(owner_alias()), options["pharmacy"])
    if options["seq"]:
        erasures = [(log_of(logs, options["pharmacy"], options["log"]), options["seq"])]
    else:
        erasures = retention.erasable(logs, options["patient"])
    parts = [(log, authority.group_ranges(seqs)) for log, seqs in erasures]
    return authority.write_statement(
        Event.ERASED, parts, now=read_clock(owner_alias()), basis=options["basis"], **_names(options)
    )


def _write_retirement(options: Options) -> str | None:
    return retention.propose_retirement(
        log_of(all_logs(raw_connection(owner_alias())), options["pharmacy"], options["log"]),
        options["month"],
        bundle=options["bundle"],
        keys=verify.read_keys(options["vkey"], 1),
        keep_days=options["keep_days"],
        people=_names(options),
        basis=options["basis"],
        now=read_clock(owner_alias()),
    )


AUTHORISE = Verb(
    "Write a statement that details may be erased (erase) or a month dropped (retire), sign it with a key kept outside the "
    "application (sign; two people do), make such a key (key).",
    _add_authorise_arguments,
    _authorise,
    {DispensaryError: 2, verify.Malformed: 2, BadNote: 2, OSError: 2},
)


def _add_erase_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("statement", type=Path, help="what two people signed (`audit authorise erase`)")
    parser.add_argument("--yes", action="store_true", help="really erase; without it only the count is told")


def _erase(command: BaseCommand, options: Options) -> int:
    """Say how many bodies would go, or with --yes erase them."""
    note = options["statement"].read_text(encoding="utf-8")
    statement = authority.open_statement(note, Event.ERASED)
    by, second = _people(statement)
    counts = [sum(last - first + 1 for first, last in part["ranges"]) for part in statement["logs"]]
    if not options["yes"]:
        for count, origin in zip(counts, statement["origins"], strict=True):
            command.stdout.write(f"{count} bodies of {origin} would be erased for good. Add --yes to do it.")
        return 0
    entries = retention.erase(note, by=by, second=second, now=read_clock(eraser_alias()))
    for count, origin, entry in zip(counts, statement["origins"], entries, strict=True):
        command.stdout.write(
            f"{count} bodies of {origin} erased; entry {entry} says why. Backups keep them until they expire."
        )
    return 0


ERASE = Verb(
    "Delete the bodies of entries that a statement with two signatures names (`audit authorise`); the log says so, and "
    "verifies. Headers, order and tree stay whole; backups hold the bodies until they expire.",
    _add_erase_arguments,
    _erase,
    {DispensaryError: 2, verify.Malformed: 2, OSError: 2},
)


def _add_retire_arguments(parser: ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True)
    state = steps.add_parser("state", help="write into a pharmacy's log that the month may go")
    state.add_argument("statement", type=Path, help="what two people signed (`audit authorise retire`)")
    drop = steps.add_parser("drop", help="drop the month's partitions")
    drop.add_argument("--month", type=_month, required=True, metavar="YYYY-MM")


def _retire(command: BaseCommand, options: Options) -> int:
    """State in a log that a month may go, or drop the month.

    The sealer must sign in between.
    """
    if options["step"] == "drop":
        month = options["month"]
        count = retention.drop_month(month)
        command.stdout.write(f"{count:,} entries of {month:%Y-%m} left the database; their links stay.")
        return 0
    note = options["statement"].read_text(encoding="utf-8")
    by, second = _people(authority.open_statement(note, Event.RETIRED))
    retired = retention.retire(note, by=by, second=second, now=read_clock(owner_alias()))
    command.stdout.write(
        f"{retired.log.origin}: everything up to {retired.last} may go, says entry {retired.entry_id}. "
        "Let the sealer sign, then drop."
    )
    return 0


RETIRE = Verb(
    "Retire a month: `state` it by a statement with two signatures, and, once all pharmacies have and the sealer signed, `drop` it.",
    _add_retire_arguments,
    _retire,
    {DispensaryError: 1, verify.Malformed: 2, OSError: 2},
)


def _add_incarnation_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="what happened, in a sentence")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--pharmacy", type=UUID, help="the log of this pharmacy")
    which.add_argument("--all", action="store_true", help="every log whose last signed entry the database lacks")
    parser.add_argument("--by", required=True, metavar="USERNAME", help="a manager of the pharmacy, or of each")
    parser.add_argument("--second", required=True, metavar="USERNAME", help="another manager or pharmacist")


def _incarnation(command: BaseCommand, options: Options) -> int:
    """Close a log and open its successor, or with --all do so for each log that was restored.

    The last signed note comes from the sealer's state, not from the database. A pharmacy where one of the two people is
    not on the staff is named and left; the exit status is then 1.
    """
    connection = raw_connection(owner_alias())
    states = StateFolder(state_folder())
    if not options["all"]:
        _open_incarnation(command, log_of(all_logs(connection), options["pharmacy"]), states, options)
        return 0
    status = count = 0
    for log in open_logs(connection):
        state = states.load(log.log_id)
        if state is None or not find_difference(connection, log.log_id, state):
            continue
        try:
            _open_incarnation(command, log, states, options)
            count += 1
        except (CommandError, DispensaryError) as error:
            command.stderr.write(f"{log.origin} stays as it is: {error}")
            status = 1
    command.stdout.write(f"{count} logs go on in a successor.")
    return status


def _open_incarnation(command: BaseCommand, log: LogRow, states: StateFolder, options: Options) -> None:
    # The logs of the whole site have no staff of their own: any manager speaks for them.
    pharmacy = None if log.pharmacy in (SITE, REGISTER) else log.pharmacy
    by = authoriser(options["by"], pharmacy, Role.MANAGER)
    second = authoriser(options["second"], pharmacy, Role.MANAGER, Role.PHARMACIST)
    state = states.load(log.log_id)
    note = state.note if state else ""
    retention.open_incarnation(
        log.log_id, note=note, reason=options["reason"], by=by, second=second, now=read_clock(owner_alias())
    )
    successor = log_of(all_logs(raw_connection(owner_alias()), log.pharmacy), log.pharmacy)
    command.stdout.write(
        f"{log.origin} is closed; {successor.origin} continues it. Its key goes by its own name: `manage.py audit key --show`."
    )


INCARNATION = Verb(
    "After a restore: close the log that the sealer refuses (FORK), or with --all every such log, and open its successor, bound to "
    "the last signed note. Both logs stay, and each verifies for itself.",
    _add_incarnation_arguments,
    _incarnation,
    {DispensaryError: 2, StateTrouble: 1},
)


def _add_lost_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, help="what happened, in a sentence")
    parser.add_argument("--log", metavar="ORIGIN", help="this log alone; else every log that was signed and is gone")
    parser.add_argument("--by", required=True, metavar="USERNAME", help="a manager of a pharmacy")
    parser.add_argument("--second", required=True, metavar="USERNAME", help="another manager or pharmacist")
    parser.add_argument("--yes", action="store_true", help="do it; without, the logs are only listed")


def _lost(command: BaseCommand, options: Options) -> int:
    """Settle the logs that were opened after a restore's target. What is not shown to be one is named and left, with status 1."""
    states = StateFolder(state_folder())
    lost = [
        state for state in lost_states(raw_connection(owner_alias()), states) if options["log"] in (None, state.origin)
    ]
    if not lost:
        command.stdout.write("No log that was signed is gone.")
        return 0
    by = authoriser(options["by"], None, Role.MANAGER)
    second = authoriser(options["second"], None, Role.MANAGER, Role.PHARMACIST)
    status = 0
    for state in lost:
        words = f"{state.origin}: {state.size} entries were signed, last heard of {state.heartbeat_at}"
        if not options["yes"]:
            command.stdout.write(f"{words}. With --yes it is recorded as lost with a restore.")
            continue
        try:
            path = retention.record_lost(
                state, states, reason=options["reason"], by=by, second=second, now=read_clock(owner_alias())
            )
        except DispensaryError as error:
            command.stderr.write(f"{state.origin} stays as it is: {error}")
            status = 1
        else:
            command.stdout.write(f"{words}; recorded in the register as lost. Its last signed note is kept in {path}.")
    return status


LOST = Verb(
    "After a restore and `audit incarnation --all`: state of a log that was opened after the target, and is gone as a whole, that the "
    "restore took it away. Two people say so in the register of logs; a log that was deleted is refused.",
    _add_lost_arguments,
    _lost,
    {DispensaryError: 2, StateTrouble: 1},
)
