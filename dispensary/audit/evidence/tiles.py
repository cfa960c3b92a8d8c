"""A log as static files that others can watch: checkpoint, hash tiles and entry bundles of c2sp.org/tlog-tiles.

Full files never change, so that they may be cached for ever; partial ones stand beside them until the full one is there. Entries are
headers: the details, which may be erased, are not published. Headers name members of staff and patients by number: a log that
anybody may read is written without entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

from psycopg import Connection

from dispensary.audit.evidence import verify
from dispensary.audit.log.canonical import NotCanonical
from dispensary.audit.log.database import LogRow
from dispensary.audit.log.links import linked_entries
from dispensary.audit.sealing import notes
from dispensary.audit.sealing.merkle import leaf_hash, root
from dispensary.errors import Conflict

WIDTH = 256
_NEWEST = """
    SELECT c.size, c.note || coalesce((SELECT string_agg(rtrim(s.line, E'\\n') || E'\\n', '' ORDER BY s.witness)
               FROM audit.cosignature s WHERE s.log_id = c.log_id AND s.size = c.size), '')
    FROM audit.checkpoint c
    WHERE c.log_id = %(log)s AND c.size >= %(before)s
      AND c.created_at >= (SELECT max(created_at) FROM audit.checkpoint WHERE log_id = %(log)s) - interval '1 hour'
    ORDER BY EXISTS (SELECT FROM audit.cosignature s WHERE s.log_id = c.log_id AND s.size = c.size
                     AND s.witness = ANY (%(witnesses)s)) DESC, c.size DESC LIMIT 1"""
"""The newest checkpoint that a witness signed, unless that is an hour behind the newest one."""

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


def folder_name(origin: str) -> str:
    """Return the name of a log's folder: the last part of its origin."""
    return origin.rpartition("/")[2]


def write_tiles(
    connection: Connection[Any],
    log: LogRow,
    folder: Path,
    *,
    with_entries: bool = True,
    witnesses: Iterable[str] = (),
) -> int:
    """Write what the newest checkpoint covers into a folder, the checkpoint last; return its size, 0 without one.

    Goes on from the checkpoint that is there. The hashes are computed from the columns. Raises Conflict when entries are
    missing or do not give the root that was signed: then no hash tile and no checkpoint is written.
    """
    published = _read_published(folder / "checkpoint")
    before = published.size if published else 0
    row = connection.execute(_NEWEST, {"log": log.log_id, "before": before, "witnesses": list(witnesses)}).fetchone()
    if row is None and before:
        raise Conflict(f"{log.origin} was published with {before} entries, and no checkpoint covers as many.")
    size, note = row or (0, "")
    if size == 0:
        return 0
    if before < size:
        leaves = []
        for index, bundle in enumerate(_read_bundles(connection, log, folder, before, size), start=before // WIDTH):
            leaves += [digest for _, digest in bundle]
            if with_entries:
                content = b"".join(len(header).to_bytes(2, "big") + header for header, _ in bundle)
                _write(folder / tile_path("entries", index, len(bundle)), content)
        if (present := before // WIDTH * WIDTH + len(leaves)) < size:
            raise Conflict(f"{log.origin} has {present} entries, and {size} were signed; nothing was published.")
        files = _hash_tiles(folder, before, leaves)

        def read(path: str) -> bytes:
            return files[path] if path in files else (folder / path).read_bytes()

        for checkpoint in (notes.Checkpoint.parse(notes.split(note)[0]), published):
            if checkpoint and verify.root_from_tiles(read, checkpoint.size, size) != checkpoint.root:
                raise Conflict(
                    f"{log.origin} does not give the root that was signed for {checkpoint.size} entries; nothing was published."
                )
        for path, content in files.items():
            _write(folder / path, content)
    _write(folder / "checkpoint", note.encode())
    return int(size)


def _read_published(path: Path) -> notes.Checkpoint | None:
    """Return the checkpoint that was published last, None without one."""
    try:
        return notes.Checkpoint.parse(notes.split(path.read_text(encoding="utf-8"))[0])
    except (FileNotFoundError, notes.BadNote):
        return None


def _read_bundles(
    connection: Connection[Any], log: LogRow, folder: Path, before: int, size: int
) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield header and leaf of the entries of each bundle, from that of entry `before` on."""
    first = before // WIDTH
    prev = _read_hashes(folder / tile_path("0", first - 1, WIDTH))[-1] if first else log.genesis
    rows = linked_entries(connection, log.log_id, after=first * WIDTH, bodies=False)
    for batch in _batches(islice(rows, size - first * WIDTH), WIDTH):
        bundle = []
        for row in batch:
            try:
                header = (
                    row.header(prev) if row.is_in_log is not None else b""
                )  # one that was retired is known by its leaf only
            except NotCanonical as error:
                raise Conflict(f"{log.origin}: entry {row.seq} is not as it was written ({error}).") from error
            prev = leaf_hash(header) if header else row.leaf
            bundle.append((header, prev))
        yield bundle


def _hash_tiles(folder: Path, before: int, hashes: list[bytes]) -> dict[str, bytes]:
    """Return the tiles of all levels that a growth changes, by path, from the leaves of the last tiles of level 0 on.

    A full tile is one hash of the next level; what stands before the new hashes in a tile is read from the folder.
    """
    files: dict[str, bytes] = {}
    level, start = 0, before // WIDTH
    while hashes:
        rows = list(_batches(hashes, WIDTH))
        for index, tile in enumerate(rows, start=start):
            files[tile_path(str(level), index, len(tile))] = b"".join(tile)
        level, first_full = level + 1, start
        start = first_full // WIDTH
        width = first_full % WIDTH
        earlier = _read_hashes(folder / tile_path(str(level), start, width)) if width else []
        fresh = [root(tile) for tile in rows if len(tile) == WIDTH]
        hashes = earlier + fresh if fresh else []
    return files


def _batches(items: Iterable[T], count: int) -> Iterator[list[T]]:
    stream = iter(items)
    while batch := list(islice(stream, count)):
        yield batch


def _read_hashes(path: Path) -> list[bytes]:
    content = path.read_bytes()
    return [content[at : at + 32] for at in range(0, len(content), 32)]


def _write(path: Path, content: bytes) -> None:
    """Write a file in one step where its content is new; a full tile replaces its partial ones.

    A web server may read what is made here, whatever the umask of the sealer's process: who may is said by the folder above.
    """
    if path.exists() and path.read_bytes() == content:
        return
    for folder in [folder for folder in reversed(path.parents) if not folder.exists()]:
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content)
    fresh.chmod(0o644)
    fresh.replace(path)
    if path.parent.suffix != ".p":
        rmtree(path.with_name(f"{path.name}.p"), ignore_errors=True)
