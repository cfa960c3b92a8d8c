"""Run recorded decisions again, from the log alone."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.actions import replay
from dispensary.actions.replay import Replayed, Summary, Verdict
from dispensary.actors import Actor
from dispensary.audit.evidence.export import Scope, ends, named_log
from dispensary.errors import DispensaryError
from dispensary.models import AuditEntry, AuditLog

SAME, DIFFERENT, USAGE, UNAVAILABLE = 0, 1, 2, 3


class Command(BaseCommand):
    """Exit status 0: every decision is the same; 1: one differs; 2: usage; 3: one could not be asked again."""

    help = (
        "Ask the rule book again what it was asked, and compare byte for byte; with --profile, show what another profile "
        "would change. Reads the log and profile files, no patient and no prescription."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which decisions, with what."""
        parser.add_argument("entry", nargs="?", help="one entry, by number or id; otherwise all of a range")
        parser.add_argument("--log", help="origin or id of the log; may be left out where there is only one")
        parser.add_argument("--from", dest="first", type=int, default=1, help="first entry (default 1)")
        parser.add_argument("--to", dest="last", type=int, help="last entry (default: the newest)")
        parser.add_argument("--profile", default="", help="ask with this profile instead of the recorded one")
        parser.add_argument(
            "--profiles",
            type=Path,
            action="append",
            default=[],
            help="folder of kept profile files, or of such folders",
        )
        parser.add_argument("--all", action="store_true", help="also list the decisions that are the same")
        parser.add_argument("--json", action="store_true", help="one JSON object a decision, then one for the summary")
        parser.add_argument("--quiet", action="store_true", help="no progress on stderr")

    def handle(self, *args: Any, **options: Any) -> None:
        """Replay, list what differs, sum up by rule, record that it was done."""
        self.options, summary = options, Summary()
        try:
            log, first, last = self._range()
            for folder in options["profiles"]:
                if not folder.is_dir():
                    raise CommandError(f"{folder} is no folder.", returncode=USAGE)
            progress = None if options["quiet"] or not sys.stderr.isatty() else self._progress
            for each in replay.replay(
                log, first=first, last=last, instead=options["profile"], folders=options["profiles"], progress=progress
            ):
                summary.add(each)
                self._tell(each)
        except DispensaryError as error:
            raise CommandError(
                " ".join([error.detail, *(p.sentence() for p in error.problems)]), returncode=USAGE
            ) from error
        self._sum_up(summary)
        by = Actor.system("replay", log.pharmacy)
        replay.note_replay(
            log=log, first=first, last=last, instead=options["profile"], summary=summary, by=by, now=timezone.now()
        )
        status = (
            DIFFERENT
            if summary.counts[Verdict.DIFFERENT]
            else UNAVAILABLE
            if summary.counts[Verdict.UNAVAILABLE]
            else SAME
        )
        if status:
            sys.exit(status)

    def _range(self) -> tuple[AuditLog, int, int]:
        one = self.options["entry"]
        if one is not None and not one.isdigit():
            return self._by_id(one)
        log = named_log(self.options["log"])
        scope = Scope(log.log_id, self.options["first"], self.options["last"])
        if one is not None:
            scope = Scope(log.log_id, int(one), int(one))
        return log, *ends(scope)

    def _by_id(self, one: str) -> tuple[AuditLog, int, int]:
        try:
            entry = AuditEntry.objects.filter(entry_id=UUID(one)).first()
        except ValueError:
            entry = None
        if entry is None or entry.seq is None:
            raise CommandError(f"There is no entry {one}.", returncode=USAGE)
        return AuditLog.objects.get(log_id=entry.log_id), entry.seq, entry.seq

    def _tell(self, each: Replayed) -> None:
        if each.verdict is Verdict.SAME and not self.options["all"]:
            return
        if self.options["json"]:
            self.stdout.write(json.dumps(asdict(each)))
            return
        changes = [f"+{code} ({severity})" for code, severity in each.gained]
        changes += [f"-{code} ({severity})" for code, severity in each.lost]
        outcome = each.outcome_before
        if each.outcome_now and each.outcome_now != outcome:
            outcome = f"{outcome} -> {each.outcome_now}"
        told = "; ".join(filter(None, [outcome, ", ".join(changes), each.detail]))
        self.stdout.write(f"entry {each.seq}: {each.verdict.value}" + (f": {told}" if told else ""))

    def _sum_up(self, summary: Summary) -> None:
        if self.options["json"]:
            told = {
                "counts": {verdict.value: summary.counts[verdict] for verdict in Verdict},
                "outcomes": {f"{before} -> {now}": count for (before, now), count in sorted(summary.outcomes.items())},
                "gained": {f"{code} ({severity})": count for (code, severity), count in sorted(summary.gained.items())},
                "lost": {f"{code} ({severity})": count for (code, severity), count in sorted(summary.lost.items())},
            }
            self.stdout.write(json.dumps(told))
            return
        counts = ", ".join(f"{summary.counts[verdict]:,} {verdict.value}" for verdict in Verdict)
        self.stdout.write(f"{summary.counts.total():,} decisions: {counts}")
        for (before, now), count in sorted(summary.outcomes.items()):
            self.stdout.write(f"  outcome {before} -> {now}: {count:,}")
        for sign, counter in (("+", summary.gained), ("-", summary.lost)):
            for (code, severity), count in sorted(counter.items()):
                self.stdout.write(f"  {sign}{code} ({severity}): {count:,}")

    def _progress(self, reached: int, last: int) -> None:
        self.stderr.write(f"\r{reached:,} of {last:,} entries", ending="\n" if reached == last else "")
        self.stderr.flush()
