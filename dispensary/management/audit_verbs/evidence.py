"""Verbs that read the log as evidence: export, replay."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError

from dispensary.actions import logbook, replay
from dispensary.actions.replay import Replayed, Summary, Verdict
from dispensary.actors import Actor
from dispensary.audit.evidence import bundle, export, files, proof, tiles, verify
from dispensary.audit.evidence.export import Scope, Shape
from dispensary.audit.log.database import open_logs, raw_connection, sealer_alias
from dispensary.audit.sealing.cosigning import remote_witness
from dispensary.clock import read_clock
from dispensary.errors import Conflict, DispensaryError
from dispensary.management.audit_verbs.verb import Options, Verb, progress_on_terminal
from dispensary.models import AuditEntry, AuditLog


def _add_range_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--log", help="origin or id of the log; may be left out where there is only one")
    parser.add_argument("--from", dest="first", type=int, default=1, help="first entry (default 1)")
    parser.add_argument("--to", dest="last", type=int, help="last entry (default: the newest)")
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def _add_export_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("out", type=Path, help="OUT.zip, OUT.csv, OUT.ndjson or the name of a folder")
    parser.add_argument("--reason", default="", help="why, for the record")
    _add_range_arguments(parser)


def _export(command: BaseCommand, options: Options) -> int:
    """Record the export, then write it.

    One that was interrupted keeps the range it began with.
    """
    out: Path = options["out"]
    if files.is_occupied(out):
        raise CommandError(f"{out} exists already; name another file or remove it.", returncode=2)
    progress = None if options["quiet"] else progress_on_terminal(command)
    try:
        log = export.find_log_by_name(options["log"])
        scope = Scope(log.log_id, options["first"], options["last"])
        state = files.State.load(out)
        if state is not None:
            if (state.log, state.first) != (str(log.log_id), scope.first):
                raise CommandError(
                    f"{files.state_file(out)} belongs to another export; remove it to begin anew.", returncode=2
                )
            scope = Scope(log.log_id, state.first, state.last)
        shape = {".csv": Shape.CSV, ".ndjson": Shape.FHIR}.get(out.suffix, Shape.BUNDLE)
        by, now = Actor.system("export", log.pharmacy), read_clock()
        scope = logbook.export(scope=scope, shape=shape, by=by, now=now, reason=options["reason"]).scope
        if state is None:
            state = files.State(str(log.log_id), scope.first, scope.last or 0)
            state.write(out)
        if shape is Shape.BUNDLE:

            def make_bundle(reached: int) -> bundle.Bundle:
                return export.make_bundle(log, scope, now=now, resume_after=reached, progress=progress)

            files.write_bundle(log, out, make_bundle)
        elif shape is Shape.CSV:
            files.write_rows(
                log, out, state, lambda entries, heading: export.encode_csv(entries, heading=heading),
                heading=True, progress=progress,
            )  # fmt: skip
        else:
            files.write_rows(
                log, out, state, lambda entries, heading: export.encode_fhir(log.origin, entries),
                heading=False, progress=progress,
            )  # fmt: skip
    except OSError as error:
        raise CommandError(f"{out} cannot be written: {error.strerror}. Run the command again to go on.") from error
    command.stdout.write(f"{out}: entries {scope.first} to {scope.last} of {log.origin}")
    return 0


EXPORT = Verb(
    "Export a pharmacy's audit log. OUT.zip or a folder: the evidence bundle; OUT.csv: a spreadsheet; OUT.ndjson: "
    "FHIR R4 AuditEvent. Interrupted, the same command goes on. The export is itself recorded in the log. "
    "Exit 0: written; 1: it could not be written, the same command goes on; 2: usage.",
    _add_export_arguments,
    _export,
    {DispensaryError: 2},
)


def _add_consistency_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("old", type=Path, help="a checkpoint that was kept")
    parser.add_argument("new", type=Path, help="a later one of the same log")


def _consistency(command: BaseCommand, options: Options) -> int:
    old, new = (verify.normalise_note(options[name].read_bytes()).decode() for name in ("old", "new"))
    command.stdout.write(proof.prove_consistency(old, new).decode(), ending="")
    return 0


CONSISTENCY = Verb(
    "Print the proof that one kept checkpoint continues another: `verify.py` checks it without the data. Exit 0: it does; "
    "1: the log is not the one that was signed; 2: these are not two checkpoints of one log.",
    _add_consistency_arguments,
    _consistency,
    {Conflict: 1, DispensaryError: 2, OSError: 2, UnicodeDecodeError: 2},
)


def _add_tiles_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="served as static files; each log gets a folder of its own")
    parser.add_argument(
        "--hashes-only", action="store_true",
        help="without the headers of entries, which name staff and patients by number: for a folder that anybody may read",
    )  # fmt: skip


def _tiles(command: BaseCommand, options: Options) -> int:
    connection = raw_connection(sealer_alias())
    remote, refused = remote_witness(), []
    for log in open_logs(connection):
        try:
            size = tiles.write_tiles(
                connection, log, options["folder"] / tiles.folder_name(log.origin),
                with_entries=not options["hashes_only"], witnesses=remote.names if remote else (),
            )  # fmt: skip
        except Conflict as error:  # the other logs are written
            refused.append(str(error))
        else:
            command.stdout.write(f"{log.origin}: {size:,} entries")
    if refused:
        raise Conflict("\n".join(refused))
    return 0


TILES = Verb(
    "Write every log as static files to be watched from outside (C2SP tlog-tiles): checkpoint, hash tiles, headers of entries. "
    "Only what is new is written. Exit 0: written; 1: a log lacks entries or does not give the root that was signed; the others are written.",
    _add_tiles_arguments,
    _tiles,
    {Conflict: 1, OSError: 2, ImproperlyConfigured: 2},
)

SAME, DIFFERENT, USAGE, UNAVAILABLE = 0, 1, 2, 3


def _add_replay_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("entry", nargs="?", help="one entry, by number or id; otherwise all of a range")
    parser.add_argument("--profile", default="", help="ask with this profile instead of the recorded one")
    parser.add_argument(
        "--profiles",
        type=Path,
        action="append",
        default=[],
        help="folder of kept profile files (base.toml too), or of such folders",
    )
    parser.add_argument("--all", action="store_true", help="also list the decisions that are the same")
    parser.add_argument("--json", action="store_true", help="one JSON object a decision, then one for the summary")
    _add_range_arguments(parser)


def _replay(command: BaseCommand, options: Options) -> int:
    """Replay, list what differs, sum up by rule, record that it was done."""
    log, first, last = _range_to_replay(options)
    for folder in options["profiles"]:
        if not folder.is_dir():
            raise CommandError(f"{folder} is no folder.", returncode=USAGE)
    summary, profile = Summary(), options["profile"]
    decisions = replay.replay(
        log, first=first, last=last, instead=profile, folders=options["profiles"],
        progress=None if options["quiet"] else progress_on_terminal(command),
    )  # fmt: skip
    for decision in decisions:
        summary.add(decision)
        if decision.verdict is not Verdict.SAME or options["all"]:
            command.stdout.write(json.dumps(asdict(decision)) if options["json"] else _decision_line(decision))
    for line in [_summary_json(summary)] if options["json"] else _summary_lines(summary):
        command.stdout.write(line)
    by = Actor.system("replay", log.pharmacy)
    replay.note_replay(log=log, first=first, last=last, instead=profile, summary=summary, by=by, now=read_clock())
    if summary.counts[Verdict.DIFFERENT]:
        return DIFFERENT
    return UNAVAILABLE if summary.counts[Verdict.UNAVAILABLE] else SAME


def _range_to_replay(options: Options) -> tuple[AuditLog, int, int]:
    name = options["entry"]
    if name is None or name.isdigit():
        log = export.find_log_by_name(options["log"])
        first, last = (options["first"], options["last"]) if name is None else (int(name), int(name))
        return log, *export.resolve_range(Scope(log.log_id, first, last))
    try:
        entry = AuditEntry.objects.filter(entry_id=UUID(name)).first()
    except ValueError:
        entry = None
    if entry is None or entry.seq is None:
        raise CommandError(f"There is no entry {name}.", returncode=USAGE)
    return AuditLog.objects.get(log_id=entry.log_id), entry.seq, entry.seq


def _decision_line(decision: Replayed) -> str:
    changes = [f"+{code} ({severity})" for code, severity in decision.gained]
    changes += [f"-{code} ({severity})" for code, severity in decision.lost]
    outcome = decision.outcome_before
    if decision.outcome_now and decision.outcome_now != outcome:
        outcome = f"{outcome} -> {decision.outcome_now}"
    parts = filter(None, [outcome, ", ".join(changes), decision.detail])
    return ": ".join(filter(None, [f"entry {decision.seq}", decision.verdict.value, "; ".join(parts)]))


def _summary_json(summary: Summary) -> str:
    document = {
        "counts": {verdict.value: summary.counts[verdict] for verdict in Verdict},
        "outcomes": {f"{before} -> {now}": count for (before, now), count in sorted(summary.outcomes.items())},
        "gained": {f"{code} ({severity})": count for (code, severity), count in sorted(summary.gained.items())},
        "lost": {f"{code} ({severity})": count for (code, severity), count in sorted(summary.lost.items())},
    }
    return json.dumps(document)


def _summary_lines(summary: Summary) -> list[str]:
    counts = ", ".join(f"{summary.counts[verdict]:,} {verdict.value}" for verdict in Verdict)
    lines = [f"{summary.counts.total():,} decisions: {counts}"]
    lines += [f"  outcome {before} -> {now}: {count:,}" for (before, now), count in sorted(summary.outcomes.items())]
    for sign, findings in (("+", summary.gained), ("-", summary.lost)):
        lines += [f"  {sign}{code} ({severity}): {count:,}" for (code, severity), count in sorted(findings.items())]
    return lines


REPLAY = Verb(
    "Ask the rule book again what it was asked, and compare byte for byte; with --profile, show what another profile "
    "would change. Reads the log and profile files, no patient and no prescription. "
    "Exit 0: every decision is the same; 1: one differs; 2: usage; 3: one could not be asked again.",
    _add_replay_arguments,
    _replay,
    {DispensaryError: USAGE},
)
