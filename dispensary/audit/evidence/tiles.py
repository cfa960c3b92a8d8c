"""A log as static files that anybody can watch: checkpoint, hash tiles and entry bundles of C2SP tlog-tiles.

Files that are full never change, so that they may be cached for ever; partial ones are added beside them. Entries are headers: the
details, which may be erased, are not published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TypeVar

from django.db import DEFAULT_DB_ALIAS, connections

from dispensary.audit.evidence import export
from dispensary.audit.sealing import notes
from dispensary.audit.sealing.merkle import root
from dispensary.errors import Conflict
from dispensary.models.audit import AuditLog

WIDTH = 256

T = TypeVar("T")


def tile_path(level: str, index: int, width: int) -> str:
    """Return the path of a tile: the index in threes of digits, all but the last after an "x".

    >>> tile_path("0", 1234067, 256)
    'tile/0/x001/x234/067'
    >>> tile_path("entries", 5, 17)
    'tile/entries/005.p/17'
    """
    digits = f"{index:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    return f"tile/{level}/{name}" + (f".p/{width}" if width < WIDTH else "")


def write_tiles(log: AuditLog, folder: Path, *, using: str = DEFAULT_DB_ALIAS) -> int:
    """Write what the newest checkpoint covers into a folder, the checkpoint last; return its size, 0 without one.

    What is there already is not written again. Raises Conflict when the entries do not give the root that was signed.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT size, note FROM audit.checkpoint WHERE log_id = %s ORDER BY size DESC LIMIT 1", [log.log_id]
        )
        size, note = cursor.fetchone() or (0, "")
    if size == 0:
        return 0
    done = 0
    while (folder / tile_path("entries", done, WIDTH)).exists():
        done += 1
    hashes = [digest for index in range(done) for digest in _read_hashes(folder / tile_path("0", index, WIDTH))]
    with export.snapshot(log, using=using):
        entries = export.lines(log, done * WIDTH + 1, size, using=using)
        for index, bundle in enumerate(_batches(entries, WIDTH), start=done):
            headers = [(entry.header or "").encode() for entry in bundle]
            content = b"".join(len(header).to_bytes(2, "big") + header for header in headers)
            _write(folder / tile_path("entries", index, len(bundle)), content)
            hashes += [entry.leaf for entry in bundle]
    if root(hashes) != notes.Checkpoint.parse(notes.split(note)[0]).root:
        raise Conflict(
            f"{log.origin} does not give the root that was signed for {size} entries; nothing was published."
        )
    for level, row in enumerate(_levels(hashes)):
        for index, tile in enumerate(_batches(row, WIDTH)):
            _write(folder / tile_path(str(level), index, len(tile)), b"".join(tile))
    _write(folder / "checkpoint", note.encode())
    return int(size)


def _levels(hashes: list[bytes]) -> Iterator[list[bytes]]:
    """Yield the hashes of each level of tiles, from the leaves up: a full tile is one hash of the next."""
    while hashes:
        yield hashes
        hashes = [root(tile) for tile in _batches(hashes, WIDTH) if len(tile) == WIDTH]


def _batches(items: Iterable[T], count: int) -> Iterator[list[T]]:
    stream = iter(items)
    while batch := list(islice(stream, count)):
        yield batch


def _read_hashes(path: Path) -> list[bytes]:
    content = path.read_bytes()
    return [content[at : at + 32] for at in range(0, len(content), 32)]


def _write(path: Path, content: bytes) -> None:
    if path.exists() and path.name != "checkpoint":
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.replace(path)
