"""Exports to files and folders that go on where an interrupted one stopped.

A state file beside the output says where.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Self

from dispensary.audit.evidence import bundle, export
from dispensary.models.audit import AuditLog

BATCH = 2000
"""Entries between two notes of the state of a CSV or FHIR export."""

Encode = Callable[[Iterator[bundle.Entry], bool], Iterator[bytes]]
"""Entries as bytes; the flag says whether a heading comes first."""


@dataclass(frozen=True, slots=True)
class State:
    """The range of an export, and the last number and file length written so far."""

    log: str
    first: int
    last: int
    seq: int = 0
    bytes: int = 0

    @classmethod
    def load(cls, out: Path) -> Self | None:
        """Return the state of an interrupted export to `out`, None where there is none."""
        path = state_file(out)
        return cls(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def write(self, out: Path) -> None:
        """Write the state in one step."""
        path = state_file(out)
        fresh = path.with_name(path.name + ".new")
        fresh.write_text(json.dumps(asdict(self)), encoding="utf-8")
        fresh.replace(path)


def state_file(out: Path) -> Path:
    """Return where the state of an export to `out` is kept while it lasts."""
    return out.with_name(f".{out.name}.export")


def is_occupied(out: Path) -> bool:
    """Return whether `out` exists and is not a folder that an interrupted export left."""
    return out.exists() and not (out.is_dir() and state_file(out).exists())


def write_bundle(log: AuditLog, out: Path, make: Callable[[int], bundle.Bundle]) -> None:
    """Write a bundle into a folder.

    For a zip file into a folder beside it, which is packed and removed at the end.
    `make` returns the bundle of the entries after a number.
    """
    folder = out.with_name(out.name + ".part") if out.suffix == ".zip" else out
    reached = bundle.resume_after(folder)
    with export.snapshot(log):
        bundle.write_to_folder(make(reached), folder)
    if folder != out:
        _pack(folder, out)
        shutil.rmtree(folder)
    state_file(out).unlink()


def write_rows(
    log: AuditLog, out: Path, state: State, encode: Encode, *, heading: bool, progress: export.Progress | None
) -> None:
    """Append to a CSV or NDJSON file in batches; save the state after each."""
    part = out.with_name(out.name + ".part")
    with part.open("ab") as file, export.snapshot(log):
        file.truncate(state.bytes)
        entries = export.lines(log, max(state.first, state.seq + 1), state.last, progress=progress)
        heading = heading and state.bytes == 0
        while (batch := list(islice(entries, BATCH))) or heading:
            file.writelines(encode(iter(batch), heading))
            file.flush()
            os.fsync(file.fileno())
            heading = False
            state = replace(state, seq=batch[-1].seq if batch else 0, bytes=file.tell())
            state.write(out)
    part.replace(out)
    state_file(out).unlink()


def _pack(folder: Path, out: Path) -> None:
    fresh = out.with_name(out.name + ".new")
    with zipfile.ZipFile(fresh, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, str(path.relative_to(folder)))
    fresh.replace(out)
