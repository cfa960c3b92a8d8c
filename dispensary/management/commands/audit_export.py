"""Export a log to a file or folder, as evidence, spreadsheet or FHIR; goes on where an interrupted export stopped."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from argparse import ArgumentParser
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from dispensary.actions import logbook
from dispensary.actions.logbook import Export, Shape
from dispensary.actors import Actor
from dispensary.audit.evidence import bundle, export
from dispensary.audit.evidence.export import Scope
from dispensary.errors import DispensaryError

BATCH = 2000


class Command(BaseCommand):
    """Exit status 0: written; 1: it could not be written, the same command goes on; 2: usage."""

    help = (
        "Export a pharmacy's audit log. OUT.zip or a folder: the evidence bundle; OUT.csv: a spreadsheet; OUT.ndjson: "
        "FHIR R4 AuditEvent. Interrupted, the same command goes on. The export is itself recorded in the log."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which log, how much of it, where to."""
        parser.add_argument("out", type=Path, help="OUT.zip, OUT.csv, OUT.ndjson or the name of a folder")
        parser.add_argument("--log", help="origin or id of the log; may be left out where there is only one")
        parser.add_argument("--from", dest="first", type=int, default=1, help="first entry (default 1)")
        parser.add_argument("--to", dest="last", type=int, help="last entry (default: the newest)")
        parser.add_argument("--reason", default="", help="why, for the record")
        parser.add_argument("--quiet", action="store_true", help="no progress on stderr")

    def handle(self, *args: Any, **options: Any) -> None:
        """Record the export, then write it."""
        out: Path = options["out"]
        self.quiet: bool = options["quiet"] or not sys.stderr.isatty()
        if out.exists() and not (out.is_dir() and _state(out).exists()):
            raise CommandError(f"{out} exists already; name another file or remove it.", returncode=2)
        try:
            made = self._begin(out, options)
            {Shape.BUNDLE: self._bundle, Shape.CSV: self._rows, Shape.FHIR: self._rows}[made.shape](made, out)
        except DispensaryError as error:
            told = " ".join([error.detail, *(problem.sentence() for problem in error.problems)])
            raise CommandError(told, returncode=2) from error
        except OSError as error:
            raise CommandError(f"{out} cannot be written: {error.strerror}. Run the command again to go on.") from error
        self.stdout.write(f"{out}: entries {made.scope.first} to {made.scope.last} of {made.log.origin}")

    def _begin(self, out: Path, options: dict[str, Any]) -> Export:
        """Allow and record the export; one that was interrupted keeps the range it began with."""
        shape = {".csv": Shape.CSV, ".ndjson": Shape.FHIR}.get(out.suffix, Shape.BUNDLE)
        log = export.named_log(options["log"])
        scope = Scope(log.log_id, options["first"], options["last"])
        state = _state(out)
        if state.exists():
            before = json.loads(state.read_text(encoding="utf-8"))
            if before["log"] != str(log.log_id) or before["first"] != scope.first:
                raise CommandError(f"{state} belongs to another export; remove it to begin anew.", returncode=2)
            scope = Scope(log.log_id, before["first"], before["last"])
        by = Actor.system("export", log.pharmacy)
        now = timezone.now()
        made = logbook.export(scope=scope, shape=shape, by=by, now=now, reason=options["reason"])
        if not state.exists():
            _save(
                state,
                {"log": str(log.log_id), "first": made.scope.first, "last": made.scope.last, "seq": 0, "bytes": 0},
            )
        return made

    def _bundle(self, made: Export, out: Path) -> None:
        """A folder; for a zip file a folder beside it that is packed and removed at the end."""
        folder = out.with_name(out.name + ".part") if out.suffix == ".zip" else out
        reached = bundle.resume_after(folder)
        with export.snapshot(made.log):
            content = export.make_bundle(
                made.log, made.scope, now=timezone.now(), resume_after=reached, progress=self._progress
            )
            bundle.into_folder(content, folder)
        if folder != out:
            _pack(folder, out)
            shutil.rmtree(folder)
        _state(out).unlink()

    def _rows(self, made: Export, out: Path) -> None:
        """CSV or NDJSON, appended batch by batch; after each batch the place is noted."""
        state, part = _state(out), out.with_name(out.name + ".part")
        reached = json.loads(state.read_text(encoding="utf-8"))
        with part.open("ab") as file, export.snapshot(made.log):
            file.truncate(reached["bytes"])
            first = max(made.scope.first, reached["seq"] + 1)
            entries = export.lines(made.log, first, made.scope.last or 0, progress=self._progress)
            heading = made.shape is Shape.CSV and reached["bytes"] == 0
            while (batch := list(islice(entries, BATCH))) or heading:
                file.writelines(_encoded(made, iter(batch), heading=heading))
                file.flush()
                os.fsync(file.fileno())
                heading = False
                reached |= {"seq": batch[-1].seq if batch else 0, "bytes": file.tell()}
                _save(state, reached)
        part.replace(out)
        state.unlink()

    def _progress(self, reached: int, last: int) -> None:
        if not self.quiet:
            self.stderr.write(f"\r{reached:,} of {last:,} entries", ending="\n" if reached == last else "")
            self.stderr.flush()


def _encoded(made: Export, entries: Iterator[bundle.Entry], *, heading: bool) -> Iterator[bytes]:
    if made.shape is Shape.CSV:
        return export.as_csv(entries, heading=heading)
    return export.as_fhir(made.log.origin, entries)


def _state(out: Path) -> Path:
    return out.with_name(f".{out.name}.export")


def _save(state: Path, told: dict[str, Any]) -> None:
    fresh = state.with_name(state.name + ".new")
    fresh.write_text(json.dumps(told), encoding="utf-8")
    fresh.replace(state)


def _pack(folder: Path, out: Path) -> None:
    fresh = out.with_name(out.name + ".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, str(path.relative_to(folder)))
    fresh.replace(out)
