"""The export bundle: the log as files that ``verify.py`` checks (FORMAT.md, 5).

Entries are streamed, so memory does not grow with the log. A bundle is a zip file, or a folder that can be continued
where an interrupted export stopped.
"""

import datetime as dt
import hashlib
import io
import struct
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from dispensary.audit.log.canonical import canonical

FORMAT = "dispensary-audit-bundle/2"
ENTRIES = "entries.bin"
MANIFEST = "manifest.json"
MAX_CHECKPOINTS = 1000
_CHUNK = 1 << 16
_HEAD = struct.Struct(">QII32s32s")
"""The head of a record: number, lengths of header and body, leaf, salt (zeros without a body)."""
_VERIFIER = Path(__file__).with_name("verify.py")
_READ_ME = """This is an export of an audit log.

  entries.bin     one entry after the other: number, lengths, leaf, salt, then header and body as text
  checkpoints/    what the log signed about itself: how many entries, and the root of their tree
  vkeys.txt       the key it claims to be signed with. Do NOT check against this one: use the key in your own records
  manifest.json   what this bundle holds; not signed, everything in it is compared
  verify.py       the checker. Use a copy that you got from elsewhere, for the same reason

To check (Python 3.9 or newer, nothing to install):

  python3 verify.py THIS_BUNDLE --vkey your-key-file --checkpoint a-checkpoint-that-you-hold

It answers in sentences. Exit status 0: verified; 1: tampered; 2: unreadable; 3: nothing wrong, but incomplete.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the bundle.

    ``header`` is None where the entry is gone, ``salt`` and ``body`` where it was erased.
    """

    seq: int
    leaf: bytes
    header: str | None = None
    salt: bytes | None = None
    body: str | None = None

    def record(self) -> bytes:
        """Return the record of a bundle: head, header, body, newline."""
        header = b"" if self.header is None else self.header.encode()
        salt, body = (b"", b"") if self.salt is None or self.body is None else (self.salt, self.body.encode())
        head = _HEAD.pack(self.seq, len(header), len(body), self.leaf, salt)
        return b"".join((head, header, body, b"\n"))

    def as_json(self) -> dict[str, Any]:
        """Return the object that stands in a proof."""
        document: dict[str, Any] = {"leaf": self.leaf.hex(), "seq": self.seq}
        if self.header is not None:
            document["header"] = self.header
        if self.salt is not None and self.body is not None:
            document |= {"salt": self.salt.hex(), "body": self.body}
        return document


@dataclass(frozen=True, slots=True)
class Start:
    """The start of a range after entry 1: the leaf before it and the tree's edge."""

    leaf: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A log and a range of its entries; ``last`` is ``first - 1`` for an empty range."""

    origin: str
    log_id: UUID
    first: int
    last: int
    predecessor: str = ""
    start: Start | None = None


@dataclass(slots=True)
class Bundle:
    """The content of a bundle. ``entries`` is read once.

    ``checkpoints`` are notes by size, cosignatures included.
    """

    range: Range
    entries: Iterable[Entry]
    checkpoints: Sequence[tuple[int, str]]
    made_at: dt.datetime
    tool: str
    vkeys: Sequence[str] = ()
    checkpoints_in_all: int = 0
    files: dict[str, dict[str, Any]] = field(default_factory=dict)

    def parts(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Yield name and content of each file but the manifest, in the order of writing."""
        yield "README.txt", [_READ_ME.encode()]
        yield "verify.py", [_VERIFIER.read_bytes()]
        yield "vkeys.txt", ["".join(f"{vkey}\n" for vkey in self.vkeys).encode()]
        for size, note in self.checkpoints:
            yield f"checkpoints/{size:012d}.note", [note.encode()]
        yield ENTRIES, (entry.record() for entry in self.entries)

    def manifest(self) -> bytes:
        """Return the manifest; all files must have been written and counted."""
        document: dict[str, Any] = {
            "format": FORMAT,
            "origin": self.range.origin,
            "log": str(self.range.log_id),
            "first": self.range.first,
            "last": self.range.last,
            "checkpoints": {"kept": len(self.checkpoints), "of": max(self.checkpoints_in_all, len(self.checkpoints))},
            "files": self.files,
            "made": self.made_at.astimezone(dt.UTC).isoformat(timespec="seconds"),
            "tool": self.tool,
        }
        if self.range.predecessor:
            document["predecessor"] = self.range.predecessor
        if self.range.start:
            hashes = [subtree.hex() for subtree in self.range.start.hashes]
            document["start"] = {"leaf": self.range.start.leaf.hex(), "hashes": hashes}
        return canonical(document).encode() + b"\n"


class _Counted:
    """A counter of bytes and their SHA-256 that passes them on; of the entries, which are hashed one by one, of bytes."""

    def __init__(self, name: str) -> None:
        self.bytes, self.digest = 0, None if name == ENTRIES else hashlib.sha256()

    def __call__(self, chunk: bytes) -> bytes:
        self.bytes += len(chunk)
        if self.digest:
            self.digest.update(chunk)
        return chunk

    def as_json(self) -> dict[str, Any]:
        return {"bytes": self.bytes, **({"sha256": self.digest.hexdigest()} if self.digest else {})}


def zip_bundle(bundle: Bundle) -> Iterator[bytes]:
    """Yield the bundle as the bytes of a zip file, a chunk at a time."""
    drain = _Drain()
    with zipfile.ZipFile(drain, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in bundle.parts():
            counted = _Counted(name)
            with archive.open(_member(name, bundle.made_at), "w", force_zip64=name == ENTRIES) as member:
                for piece in content:
                    member.write(counted(piece))
                    if drain.waiting > _CHUNK:
                        yield drain.take()
            bundle.files[name] = counted.as_json()
        archive.writestr(_member(MANIFEST, bundle.made_at), bundle.manifest())
    yield drain.take()


def write_to_folder(bundle: Bundle, folder: Path) -> None:
    """Write the bundle into a folder.

    The entries are added to those that ``resume_after`` found there.
    """
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    for name, content in bundle.parts():
        counted = _Counted(name)
        path = folder / name
        if name == ENTRIES and path.exists():
            counted.bytes = path.stat().st_size
        with path.open("ab" if name == ENTRIES else "wb") as file:
            for piece in content:
                file.write(counted(piece))
        bundle.files[name] = counted.as_json()
    (folder / MANIFEST).write_bytes(bundle.manifest())


def resume_after(folder: Path) -> int:
    """Cut off a half-written record of an interrupted export.

    Return the number of its last entry, 0 for none.
    """
    path = folder / ENTRIES
    if not path.exists():
        return 0
    reached = end = 0
    with path.open("rb+") as file:
        length = file.seek(0, io.SEEK_END)
        while end + _HEAD.size < length:
            file.seek(end)
            seq, header_length, body_length, *_ = _HEAD.unpack(file.read(_HEAD.size))
            stop = end + _HEAD.size + header_length + body_length + 1
            if stop > length:
                break
            reached, end = seq, stop
        file.truncate(end)
    return reached


def thin_sizes(sizes: Sequence[int], must: Iterable[int] = (), keep: int = MAX_CHECKPOINTS) -> list[int]:
    """Return about ``keep`` sizes: evenly spread, the last, and those in ``must``."""
    ordered = sorted(sizes)
    if len(ordered) <= keep:
        return ordered
    step = len(ordered) / keep
    spread = {ordered[min(len(ordered) - 1, int((number + 1) * step) - 1)] for number in range(keep)}
    return sorted(spread | {ordered[-1]} | (set(must) & set(ordered)))


def _member(name: str, made_at: dt.datetime) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, made_at.astimezone(dt.UTC).timetuple()[:6])
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info


class _Drain(io.RawIOBase):
    """A write-only file whose content is taken in pieces.

    It cannot seek, and zip does without.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = self.waiting = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        data = bytes(piece)
        self._pieces.append(data)
        self._written += len(data)
        self.waiting += len(data)
        return len(data)

    def tell(self) -> int:
        return self._written

    def seekable(self) -> bool:
        return False

    def take(self) -> bytes:
        taken, self._pieces, self.waiting = b"".join(self._pieces), [], 0
        return taken
