"""Verbs that check the log: verify, review."""

from __future__ import annotations

import datetime as dt
import json
from argparse import ArgumentParser
from pathlib import Path
from uuid import UUID

from django.core.management.base import BaseCommand

from dispensary.audit.checks import live
from dispensary.audit.checks.counts import count_missing_days
from dispensary.audit.checks.review import PharmacyDay, review_pharmacies
from dispensary.audit.checks.verification import Checked, Evidence, compare_site, read_receipts, verify_logs
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import writing_roles
from dispensary.audit.sealing.keys import KeyTrouble
from dispensary.clock import read_clock
from dispensary.management.audit_verbs.verb import Options, Verb, progress_on_terminal


def _add_verify_arguments(parser: ArgumentParser) -> None:
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
    parser.add_argument(
        "--retention-vkey", type=Path, help="file with the keys of the people who may authorise erasure"
    )
    parser.add_argument("--receipts", type=Path, help="CSV of printed receipts: seq,leaf")
    parser.add_argument(
        "--grace", type=float, default=live.GRACE, help="seconds that a new entry may wait for the sealer"
    )
    parser.add_argument("--no-reconcile", action="store_true", help="do not compare the tables with the log")
    parser.add_argument("--no-record", action="store_true", help="do not write the result into the log")
    parser.add_argument("--json", action="store_true", help="one JSON document a log")


def _verify(command: BaseCommand, options: Options) -> int:
    """Verify, report, record; return the worst status."""
    evidence = Evidence(
        vkeys=options["vkey"],
        checkpoints=[(str(path), path.read_bytes()) for path in options["checkpoint"]],
        witnesses=verify.read_keys(options["witness_vkey"], 4) if options["witness_vkey"] else [],
        need=options["need"],
        retention=verify.read_keys(options["retention_vkey"], 1) if options["retention_vkey"] else (),
        receipts=read_receipts(options["receipts"]) if options["receipts"] else [],
    )
    show_progress = not options["json"] and options["verbosity"] > 0
    statuses = set()
    for checked in verify_logs(
        evidence,
        pharmacy=options["pharmacy"],
        full=options["full"],
        grace=options["grace"],
        keep_record=not options["no_record"],
        now=read_clock(),
        progress=(lambda origin: progress_on_terminal(command, f"{origin}: ")) if show_progress else None,
    ):
        _report_log(command, checked, as_json=options["json"])
        statuses.add(checked.status)
    if not options["no_reconcile"] and not options["pharmacy"]:
        statuses.add(_compare(command, evidence, keep_record=not options["no_record"]))
    worst = (verify.TAMPERED, verify.UNREADABLE, verify.INCOMPLETE)
    return next((status for status in worst if status in statuses), verify.OK)


def _report_log(command: BaseCommand, checked: Checked, *, as_json: bool) -> None:
    result = checked.result
    if as_json:
        document = {**result.report.as_json(), "unlinked": result.unlinked, "exit": result.exit}
        command.stdout.write(json.dumps(document))
        return
    for line in result.report.lines():
        command.stdout.write(line)
    if result.unlinked:
        command.stdout.write(
            f"{result.unlinked} entries stand in the table without a number: the link trigger was off when they were written."
        )
    command.stdout.write("")
    if checked.closing:
        command.stdout.write(f"{checked.closing}\n")


def _compare(command: BaseCommand, evidence: Evidence, *, keep_record: bool) -> int:
    comparison = compare_site(retention=evidence.retention, keep_record=keep_record, now=read_clock())
    for orphan in comparison.orphans:
        command.stdout.write(f"Reconciliation: {orphan}.")
    if comparison.retired:
        command.stdout.write(
            f"Reconciliation: {comparison.retired:,} rows are as old as entries that were retired by two people's signatures, and compared with nothing."
        )
    if not comparison.orphans:
        rows = "other dispense" if comparison.retired else "dispense"
        command.stdout.write(
            f"Reconciliation: every {rows}, review, override, prescription and patient has its entry, and the reverse."
        )
    for difference in filter(None, (comparison.unreleased, *comparison.objects)):
        command.stdout.write(f"Catalogue: {difference}.")
    if not (comparison.unreleased or comparison.objects):
        command.stdout.write(
            "Catalogue: functions, views, triggers, tables and rights of the log are those of this release."
        )
    return comparison.status


VERIFY = Verb(
    "Verify every log: only what is new since the last run, or all of it with --full. Exit 0 good, 1 tampered, 2 unusable, 3 incomplete.",
    _add_verify_arguments,
    _verify,
    {verify.Malformed: verify.UNREADABLE, KeyTrouble: verify.UNREADABLE, OSError: verify.UNREADABLE},
)


def _count(command: BaseCommand, options: Options) -> int:
    for pharmacy, day, entries in count_missing_days(read_clock()):
        if options["verbosity"]:
            command.stdout.write(f"{pharmacy.name}, {day}: {entries:,} entries counted")
    return 0


COUNT = Verb(
    "Count findings and answers of every day that is over and was not counted yet, for the review desk. Exit 0: done.",
    lambda parser: None,
    _count,
)


def _add_review_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--day", type=dt.date.fromisoformat, metavar="YYYY-MM-DD", help="default: yesterday")
    parser.add_argument("--json", action="store_true", help="one JSON document a pharmacy")


def _review(command: BaseCommand, options: Options) -> int:
    """Review yesterday, or --day, in each pharmacy's own time zone.

    Return 1 when there is something to look at.
    """
    points = 0
    for reviewed in review_pharmacies(options["day"], writers=writing_roles(), now=read_clock()):
        points += len(reviewed.counted.points)
        _report_day(command, reviewed, as_json=options["json"])
    return int(points > 0)


def _report_day(command: BaseCommand, reviewed: PharmacyDay, *, as_json: bool) -> None:
    counted, day = reviewed.counted, reviewed.day
    if as_json:
        document = {"pharmacy": str(counted.pharmacy), "day": day.isoformat(), **counted.body()}
        command.stdout.write(json.dumps(document, default=str))
        return
    command.stdout.write(f"{reviewed.name}, {day}: {sum(counted.counts.values())} entries")
    for action, count in counted.counts.items():
        command.stdout.write(f"  {count:6}  {action}")
    for actor, count in counted.overrides.items():
        command.stdout.write(f"  Overrides signed by {actor}: {count}")
    for point in counted.points:
        command.stdout.write(f"  LOOK: entry {point.seq}: {point.why}")
    command.stdout.write("")


REVIEW = Verb(
    "Count a day of every pharmacy's log and point out what asks for attention; the review itself is an entry. "
    "Exit 0: nothing to point out; 1: something to look at.",
    _add_review_arguments,
    _review,
)
