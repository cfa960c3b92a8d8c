#!/usr/bin/env python3
"""Check an exported audit log against a key that you hold.

One file, Python 3.9 or newer, nothing to install.
    python3 verify.py BUNDLE --vkey FILE [--checkpoint FILE ...] [--witness-vkey FILE] [--policy 2-of-3]
                             [--retention-vkey FILE]
                             [--receipts CSV] [--successor BUNDLE ...] [--strict] [--json]
    python3 verify.py --watch URL --state FILE --vkey FILE [--token FILE] [--alert COMMAND] [--witness-key FILE]
    python3 verify.py --new-witness-key FILE --name NAME

BUNDLE is the zip file or folder that the pharmacy gave you, or the proof of a single entry or of two
checkpoints (a .json file). The key (vkey) and the checkpoints come from *your* files:
a key inside the bundle is never used, because whoever can change the bundle can change that key too. For the same
reason run a copy of this file that you did not take from the bundle you are checking.

Exit status: 0 everything covered by a trusted checkpoint verifies (authorised gaps are listed); 1 evidence of
tampering or of a fork; 2 wrong usage, unreadable or malformed input; 3 nothing wrong was found, but something is
incomplete (an unsealed tail, a witness policy that is not met, a clock that ran backwards).

This file shares no code with the program that writes the log, on purpose: a mistake in one is not repeated in the
other. The format is described in dispensary/audit/FORMAT.md.
"""

from __future__ import annotations

import argparse
import array
import base64
import binascii
import contextlib
import csv
import datetime as dt
import hashlib
import io
import itertools
import json
import os
import re
import shlex
import stat
import struct
import subprocess
import sys
import unicodedata
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Callable

VERSION = "1"
BUNDLE_FORMAT = "dispensary-audit-bundle/"
PROOF_FORMAT = "dispensary-audit-proof/1"
CONSISTENCY_FORMAT = "dispensary-audit-consistency/1"
OK, TAMPERED, UNREADABLE, INCOMPLETE = 0, 1, 2, 3
AUTHORITY_FORMAT = "dispensary-audit-authority/1"
ERASED, RETIRED = "audit.erased", "audit.retired"

MAX_INTEGER = 2**53 - 1
MAX_HEADER = 2**16 - 1
MAX_LINE = 16 * 2**20
MAX_NOTE = 2**20
MAX_MANIFEST = 16 * 2**20
MAX_FILES = 100_000
MAX_RATIO = 200
CLOCK_TOLERANCE = 300
HEARTBEAT_HOURS = 26
SHOWN_RUNS = 8

# Class -> (exit status it alone causes, sentence). {who} is "Entry 7" or "Entries 7 to 9"; {was} and {its} follow it.
CLASSES = {
    "ENTRY_MODIFIED": (TAMPERED, "{who} {was} changed after {they} {was} written"),
    "BODY_MODIFIED": (TAMPERED, "The details of {whose} {were} changed after they were written"),
    "BODY_MISSING": (TAMPERED, "The details of {whose} {are} gone, and no erasure in the log authorises it"),
    "ENTRY_MISSING": (
        TAMPERED,
        "{who} {was} removed; only the fingerprint is left, and nothing in the log authorises it",
    ),
    "GAP": (TAMPERED, "{who} {was} removed from the middle of the log"),
    "DUP_OR_REORDER": (TAMPERED, "{who} {was} moved or repeated: entries do not stand in the order they were written"),
    "CHAIN_BREAK": (TAMPERED, "{who} {does} not follow from the entry before: history was replaced there"),
    "WRONG_LOG": (TAMPERED, "{who} {was} taken from another log"),
    "NOT_CANONICAL": (TAMPERED, "{who} {was} not written by this log's software: the text is not in its one form"),
    "ROOT_MISMATCH": (TAMPERED, "The entries no longer give the root that was signed: history was rewritten {between}"),
    "FORK": (
        TAMPERED,
        "Two histories were signed: this one is not the one of the checkpoint you hold; they part {between}",
    ),
    "EQUIVOCATION": (TAMPERED, "Two different checkpoints were signed for the same {size} entries"),
    "CKPT_BAD_SIG": (TAMPERED, "A stored checkpoint was changed, or was not signed by the key you gave"),
    "TRUNCATED": (TAMPERED, "{who} {was} cut off the end of the log: a signed checkpoint still covers {them}"),
    "RECEIPT_MISSING": (TAMPERED, "{who} {was} removed: a printed receipt exists, the log ends before it"),
    "RECEIPT_MISMATCH": (TAMPERED, "{who} {is_} not what the printed receipt says"),
    "MALFORMED": (UNREADABLE, "Part of the bundle cannot be read"),
    "OWN_WORD": (INCOMPLETE, "What is gone of {whose} is authorised by the log's own word only"),
    "UNSEALED": (INCOMPLETE, "{who} {is_} not covered by a checkpoint that you can trust"),
    "UNWITNESSED": (INCOMPLETE, "The witness policy is not met"),
    "CLOCK_BACKWARDS": (INCOMPLETE, "The time of {whose} cannot be relied on: the clock ran backwards"),
    "CLOCK_AHEAD": (INCOMPLETE, "The time of {whose} lies in the future of this machine's clock"),
    "STALE": (INCOMPLETE, "The log was silent for longer than it promises"),
    "UNCHECKED": (INCOMPLETE, "Something you asked for could not be checked with this bundle"),
}


class Malformed(ValueError):
    """Input that cannot be read as what it claims to be; no statement about tampering."""


# --- canonical JSON --------------------------------------------------------------------------------------------------


def _whole_number(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise ValueError("a whole number beyond 2^53")
    return int(text)


def _refuse(text: str) -> Any:
    raise ValueError(f"a number that is not whole: {text[:20]}")


_decode = json.JSONDecoder(parse_int=_whole_number, parse_float=_refuse, parse_constant=_refuse).decode
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def read_canonical(text: str) -> Any:
    """Return the value of RFC 8785 text.

    Raises Malformed for any other spelling of it.
    """
    try:
        value = _decode(text)
        spelled = _encode(value)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON as this log writes it: {error}") from error
    if spelled != text or not _is_ordered(value):
        raise Malformed("JSON, but not in canonical form")
    return value


def _is_ordered(value: Any) -> bool:
    if isinstance(value, dict):
        keys = list(value)
        by_unit = sorted(keys) if "".join(keys).isascii() else sorted(keys, key=lambda key: key.encode("utf-16-be"))
        return keys == by_unit and all(map(_is_ordered, value.values()))
    if isinstance(value, list):
        return all(map(_is_ordered, value))
    return value is not None


def _hex(value: Any, size: int) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(f"[0-9a-f]{{{2 * size}}}", value):
        raise Malformed(f"expected {2 * size} lower-case hexadecimal digits")
    return bytes.fromhex(value)


def _unbase64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise Malformed("not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise Malformed("base64 in another than its one spelling")
    return raw


# --- the tree of RFC 9162 --------------------------------------------------------------------------------------------


class Edge:
    """The right edge of a Merkle tree: takes leaves, gives the root."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        if len(hashes) != bin(size).count("1"):
            raise Malformed("the start of the range has the wrong number of hashes")
        self.size, self.hashes = size, list(hashes)

    def append(self, leaf: bytes) -> None:
        level = self.size
        while level & 1:
            leaf = hashlib.sha256(b"\x01" + self.hashes.pop() + leaf).digest()
            level >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        if not self.hashes:
            return hashlib.sha256(b"").digest()
        root = self.hashes[-1]
        for left in self.hashes[-2::-1]:
            root = hashlib.sha256(b"\x01" + left + root).digest()
        return root


# --- Ed25519 (RFC 8032), used when the package `cryptography` is not installed ---------------------------------------

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_M1 = pow(2, (_P - 1) // 4, _P)


def _add(p: Any, q: Any) -> Any:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _unpack(raw: bytes) -> Any:
    y = int.from_bytes(raw, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _SQRT_M1 % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _pack(point: Any) -> bytes:
    inverse: int = pow(point[2], _P - 2, _P)
    x: int = point[0] * inverse % _P
    y: int = point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _unpack((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def pure_ed25519(public: bytes, signature: bytes, message: bytes) -> bool:
    """Return whether the signature holds; standard library only."""
    if len(public) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    key = _unpack(public)
    if key is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % _L
    minus_key = (_P - key[0], key[1], 1, (_P - key[3]) % _P)
    return _pack(_multiply_base(s, k, minus_key)) == signature[:32]


def _multiply_base(s: int, k: int = 0, other: Any = None) -> Any:
    """Return s times the base point, plus k times another one."""
    both = _add(_BASE, other) if other else None
    total = (0, 1, 1, 0)
    for bit in range(max(s.bit_length(), k.bit_length()) - 1, -1, -1):
        total = _add(total, total)
        chosen = (s >> bit & 1) | (k >> bit & 1) << 1
        if chosen:
            total = _add(total, (_BASE, other, both)[chosen - 1])
    return total


def sign_ed25519(seed: bytes, message: bytes) -> tuple[bytes, bytes]:
    """Return the public key of a seed and its signature; not in constant time, for a machine of one's own."""
    digest = hashlib.sha512(seed).digest()
    secret = int.from_bytes(digest[:32], "little") & (2**254 - 8) | 2**254
    public = _pack(_multiply_base(secret))
    nonce = int.from_bytes(hashlib.sha512(digest[32:] + message).digest(), "little") % _L
    commitment = _pack(_multiply_base(nonce))
    challenge = int.from_bytes(hashlib.sha512(commitment + public + message).digest(), "little") % _L
    return public, commitment + ((nonce + challenge * secret) % _L).to_bytes(32, "little")


def _load_ed25519() -> Callable[[bytes, bytes, bytes], bool]:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return pure_ed25519

    def holds(public: bytes, signature: bytes, message: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    return holds


ed25519 = _load_ed25519()


# --- keys, notes, checkpoints (C2SP) ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Key:
    """A trusted public key: kind 1 signs the log's notes, kind 4 is a witness's."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, text: str) -> Key:
        parts = text.split("+", 2)
        if len(parts) != 3:
            raise Malformed("a vkey is name+id+key")
        raw = _unbase64(parts[2])
        if len(raw) != 33 or raw[0] not in (1, 4) or not parts[0]:
            raise Malformed("a vkey holds one type byte (1 or 4) and 32 bytes")
        key = cls(parts[0], raw[0], raw[1:])
        if key.key_id.hex() != parts[1]:
            raise Malformed("the id inside the vkey does not belong to it: it was mistyped")
        return key

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def holds(self, text: bytes, signature: bytes) -> bool:
        if self.kind == 1:
            return ed25519(self.public, signature, text)
        if len(signature) != 72:
            return False
        (seconds,) = struct.unpack(">Q", signature[:8])
        return ed25519(self.public, signature[8:], b"cosignature/v1\ntime %d\n" % seconds + text)

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}"

    def vkey(self) -> str:
        """Return the text that `parse` reads."""
        return f"{self}+{base64.b64encode(bytes([self.kind]) + self.public).decode()}"


@dataclass(frozen=True)
class Checkpoint:
    """A signed statement: the first ``size`` entries have this root.

    ``witnesses`` cosigned it at these times.
    """

    source: str
    is_held: bool
    origin: str
    size: int
    root: bytes
    witnesses: tuple[tuple[str, int], ...] = ()


def normalise_note(note: bytes) -> bytes:
    """Undo what mail programs and editors do to a note that somebody kept: CRLF line ends, a byte order mark."""
    return note.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n")


def open_checkpoint(
    note: bytes, source: str, is_held: bool, keys: Iterable[Key], witnesses: Iterable[Key]
) -> Checkpoint:
    """Read a note and check its signatures.

    Raises Malformed for its form and BadSignature for its signatures.
    """
    try:
        text = note.decode()
    except UnicodeDecodeError as error:
        raise Malformed(f"{source} is not text") from error
    body, gap, tail = text.rpartition("\n\n")
    if len(note) > MAX_NOTE or re.search("[\x00-\x09\x0b-\x1f]", text) or not gap or not tail.endswith("\n"):
        raise Malformed(f"{source} is not a signed note")
    body += "\n"
    lines = body.split("\n")
    if len(lines) != 4 or not re.fullmatch("0|[1-9][0-9]{0,15}", lines[1]):
        raise Malformed(f"{source} is not a checkpoint of three lines: origin, size, root")
    root = _unbase64(lines[2])
    if len(root) != 32:
        raise Malformed(f"{source}: a root has 32 bytes")
    log_keys = [key for key in keys if key.name == lines[0]]
    signers, cosigned = _check_signatures(body.encode(), tail[:-1].split("\n"), source, log_keys + list(witnesses))
    if not any(key.kind == 1 for key in signers):
        raise BadSignature(f"{source} is not signed by {' or '.join(map(str, log_keys)) or 'a key for ' + lines[0]}")
    return Checkpoint(source, is_held, lines[0], int(lines[1]), root, tuple(sorted(cosigned.items())))


class BadSignature(ValueError):
    """A note without a signature by a trusted key, or with one that does not hold."""


def _check_signatures(
    body: bytes, lines: list[str], source: str, keys: Sequence[Key]
) -> tuple[set[Key], dict[str, int]]:
    """Return the known keys that signed, and the times of the witnesses among them."""
    trusted = {(key.name, key.key_id): key for key in keys}
    cosigned: dict[str, int] = {}
    signers: set[Key] = set()
    for line in lines[:100]:
        name, gap, encoded = line[2:].partition(" ")
        if not line.startswith("— ") or not gap or not name:
            raise Malformed(f"{source} has a line that is not a signature")
        raw = _unbase64(encoded)
        key = trusted.get((name, raw[:4]))
        if key is None:
            continue
        if key in signers:
            raise BadSignature(f"{source}: {key} signed twice")
        signers.add(key)
        if not key.holds(body, raw[4:]):
            raise BadSignature(f"{source}: the signature of {key} does not hold")
        if key.kind == 4:
            cosigned[key.name] = struct.unpack(">Q", raw[4:12])[0]
    return signers, cosigned


def open_authority(note: str, keys: Sequence[Key]) -> dict[str, Any]:
    """Return the statement of an erasure or retirement that two people signed.

    Raises Malformed for its form, BadSignature unless two of the keys, of two names, signed it.
    """
    text, gap, tail = note.rpartition("\n\n")
    form, _, document = text.partition("\n")
    if not gap or form != AUTHORITY_FORMAT or "\n" in document or not tail.endswith("\n"):
        raise Malformed(f"the authority is not a signed note of the form {AUTHORITY_FORMAT}")
    signers, _ = _check_signatures(f"{text}\n".encode(), tail[:-1].split("\n"), "the authority", keys)
    if min(len({key.name for key in signers}), len({key.public for key in signers})) < 2:
        names = " and ".join(sorted(key.name for key in signers)) or "none"
        raise BadSignature(f"of the retention keys {names} signed it, and two people must")
    statement: dict[str, Any] = read_canonical(document)
    return statement


def doubt_authority(note: Any, keys: Sequence[Key], *, action: str, log: str, ranges: Any, recorded: str = "") -> str:
    """Return why a note does not authorise that these ranges of a log go; "" when it does.

    `recorded` is the time of the entry that carries it: what is retired must be older than the period that was signed.
    """
    if not keys:
        return "no retention key was given to check it with"
    if not isinstance(note, str):
        return "nobody signed for it"
    try:
        statement = open_authority(note, keys)
        if statement["action"] != action or {"log": log, "ranges": ranges} not in statement["logs"]:
            return "what two people signed is something else"
        if action == RETIRED:
            keeping_time = dt.timedelta(days=statement["keep_days"])
            until = _parse_time(recorded) if recorded else dt.datetime.now(dt.timezone.utc)
            if (
                [first for first, _ in ranges] != [1]
                or keeping_time.days < 1
                or _parse_time(statement["before"]) + keeping_time > until
            ):
                return f"it is not the beginning of the log, or younger than the {keeping_time.days:,} days that were signed"
    except (BadSignature, Malformed) as error:
        return str(error)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return "the statement that was signed cannot be read"
    return ""


# --- findings --------------------------------------------------------------------------------------------------------


@dataclass
class Finding:
    """All findings of one class: places, count, checkpoints around, consequences."""

    kind: str
    runs: list[list[int]] = field(default_factory=list)
    count: int = 0
    details: list[str] = field(default_factory=list)
    last_good: int | None = None
    first_bad: int | None = None
    since: str = ""
    until: str = ""
    follows: dict[str, int] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return CLASSES[self.kind][0]

    @property
    def first(self) -> int:
        return self.runs[0][0] if self.runs else 0

    @property
    def last(self) -> int:
        return self.runs[-1][1] if self.runs else 0

    @property
    def position(self) -> str:
        """``700``, ``702-2010`` or, where only an interval is known, ``(500, 750]``."""
        if self.kind in ("ROOT_MISMATCH", "FORK") and self.first_bad is not None:
            return f"({self.last_good or 0}, {self.first_bad}]"
        return ", ".join(_describe_run(run) for run in self.runs[:SHOWN_RUNS]) + (
            ", ..." if len(self.runs) > SHOWN_RUNS else ""
        )

    def sentence(self) -> str:
        """Return the finding in plain words."""
        many = self.count != 1
        entries = _describe_runs(self.runs, self.count)
        plural = {"was": "were", "does": "do", "is_": "are", "they": "they", "them": "them"}
        single = {"was": "was", "does": "does", "is_": "is", "they": "it", "them": "it"}
        sentence = CLASSES[self.kind][1].format(
            who=entries[0].upper() + entries[1:],
            whose=entries,
            were="were",
            are="are",
            size=f"{self.last:,}",
            between=f"after entry {self.last_good or 0:,} and not later than entry {self.first_bad or self.last:,}",
            **(plural if many else single),
        )
        return sentence + (": " + "; ".join(self.details[:SHOWN_RUNS]) if self.details else "") + "."

    def as_json(self) -> dict[str, Any]:
        document = {
            "class": self.kind,
            "status": self.status,
            "position": self.position,
            "first": self.first,
            "last": self.last,
            "count": self.count,
            "last_good_checkpoint": self.last_good,
            "first_bad_checkpoint": self.first_bad,
            "recorded_from": self.since,
            "recorded_to": self.until,
            "follows": self.follows,
            "sentence": self.sentence(),
        }
        return {key: value for key, value in document.items() if value not in (None, "", {})}


def _describe_run(run: Sequence[int]) -> str:
    return str(run[0]) if run[0] == run[1] else f"{run[0]}-{run[1]}"


def _describe_runs(runs: list[list[int]], count: int) -> str:
    if len(runs) == 1:
        first, last = runs[0]
        return f"entry {first:,}" if first == last else f"entries {first:,} to {last:,}"
    numbers = ", ".join(_describe_run(run) for run in runs[:SHOWN_RUNS])
    return f"{count:,} entries ({numbers}{', ...' if len(runs) > SHOWN_RUNS else ''})"


class Findings(dict[str, Finding]):
    """Class -> Finding; a class is reported once, with all its places."""

    def add(self, kind: str, first: int = 0, last: int | None = None, when: str = "", detail: str = "") -> Finding:
        finding = self.setdefault(kind, Finding(kind))
        last = first if last is None else last
        finding.count += last - first + 1
        if finding.runs and finding.runs[-1][1] + 1 == first:
            finding.runs[-1][1] = last
        elif len(finding.runs) < 100_000:
            finding.runs.append([first, last])
        if detail and detail not in finding.details and len(finding.details) < SHOWN_RUNS:
            finding.details.append(detail)
        if when:
            finding.since, finding.until = finding.since or when, when
        return finding

    def before(self, size: int, after: int) -> Finding | None:
        """Return the earliest finding that explains a wrong root at ``size``."""
        about = [
            finding
            for kind, finding in self.items()
            if kind in _EXPLAINS_ROOTS and any(first <= size and last > after for first, last in finding.runs)
        ]
        return min(about, key=lambda finding: finding.first, default=None)


_EXPLAINS_ROOTS = ("GAP", "ENTRY_MODIFIED", "DUP_OR_REORDER", "CHAIN_BREAK", "WRONG_LOG", "NOT_CANONICAL", "MALFORMED")


# --- the check -------------------------------------------------------------------------------------------------------


@dataclass
class Authorised:
    """A gap that an entry of the log, or of its successor, authorises."""

    what: str
    first: int
    last: int
    by: int
    basis: str
    log: str = ""
    """Origin of the log that says so, where it is another one: the log that continues this one."""


@dataclass(frozen=True)
class Grant:
    """A gap that one entry authorises in a log (log id; empty: the entry's own)."""

    action: str
    first: int
    last: int
    by: int
    basis: str
    log: str = ""
    origin: str = ""
    doubt: str = ""
    """Why it counts as the log's own word only; empty: two people signed for it."""


class Check:
    """One log, fed entry by entry in order; constant memory whatever the length.

    ``need`` is the number of witnesses that must have cosigned a checkpoint before it counts as trusted.
    """

    def __init__(
        self,
        *,
        origin: str,
        log: str,
        keys: Sequence[Key],
        witnesses: Sequence[Key] = (),
        need: int = 0,
        retention: Sequence[Key] = (),
        predecessor: str = "",
        first: int = 1,
        start_leaf: bytes | None = None,
        start_hashes: Sequence[bytes] = (),
        strict: bool = False,
        heartbeat_hours: float | None = None,
        granted: Iterable[Grant] = (),
    ) -> None:
        self.origin, self.log, self.keys, self.witnesses, self.need = origin, log, list(keys), list(witnesses), need
        self.retention, self.first, self.expected, self.strict = retention, first, first, strict
        self.heartbeat = dt.timedelta(hours=heartbeat_hours) if heartbeat_hours else None
        genesis = hashlib.sha256(f"audit/genesis/v1\n{log}\n{predecessor}".encode()).digest()
        self.prev: bytes | None = genesis if first == 1 else start_leaf
        self.edge = Edge(first - 1, start_hashes)
        self.alternative: Edge | None = None
        self.other_prev: bytes | None = None
        self.whole = True
        self.findings = Findings()
        self.targets: dict[int, list[Checkpoint]] = {}
        self.receipts: dict[int, list[str]] = {}
        self.good: list[Checkpoint] = []
        self.bad: list[tuple[Checkpoint, int]] = []
        self.missing: dict[str, list[list[int]]] = {"ENTRY_MISSING": [], "BODY_MISSING": []}
        self.granted: list[Grant] = list(granted)
        self.granted_to_others: list[Grant] = []
        self.ids = _Ids() if strict else None
        self.recorded = self.opened = ""
        self.is_plain = self.ids is None and self.heartbeat is None
        self.entries = self.checkpoints = self.receipts_checked = self.unreadable = self.doubtful = 0
        ahead = dt.datetime.now(dt.timezone.utc) + dt.timedelta(seconds=CLOCK_TOLERANCE)
        self.latest = ahead.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    # Evidence to check against.

    def add_checkpoint(self, note: bytes, source: str, *, is_held: bool = False) -> None:
        """Add a checkpoint. A stored one that is not properly signed is a finding.

        A held one raises Malformed.
        """
        try:
            checkpoint = open_checkpoint(note, source, is_held, self.keys, self.witnesses)
        except BadSignature as error:
            if is_held:
                raise Malformed(f"the checkpoint you hold: {error}") from error
            self.findings.add("CKPT_BAD_SIG", _read_size(note), detail=str(error))
            return
        if checkpoint.origin != self.origin:
            if is_held:
                raise Malformed(f"{source} is a checkpoint of {checkpoint.origin}, not of {self.origin}")
            self.findings.add("CKPT_BAD_SIG", checkpoint.size, detail=f"{source} is of another log")
            return
        self.checkpoints += 1
        for other in self.targets.get(checkpoint.size, ()):
            if other.root != checkpoint.root:
                self._report_two_roots(checkpoint, other)
        self.targets.setdefault(checkpoint.size, []).append(checkpoint)
        if checkpoint.size == self.first - 1:
            self._check_roots(checkpoint.size, [checkpoint])

    def add_receipt(self, seq: int, leaf_prefix: str) -> None:
        """Add a printed receipt: the entry's number and the first hex digits of its leaf."""
        self.receipts.setdefault(seq, []).append(leaf_prefix)

    def _report_two_roots(self, checkpoint: Checkpoint, other: Checkpoint) -> None:
        kind = "FORK" if checkpoint.is_held or other.is_held else "EQUIVOCATION"
        finding = self.findings.add(kind, checkpoint.size, detail=f"{checkpoint.source} and {other.source}")
        finding.first_bad = min(finding.first_bad or checkpoint.size, checkpoint.size)

    # The entries.

    def feed(
        self, seq: int, leaf: bytes, header: bytes | None = None, salt: bytes | None = None, body: bytes | None = None
    ) -> None:
        """Check the next entry; ``header``, ``salt`` and ``body`` may be gone."""
        if not self._take_usual(seq, leaf, header, salt, body) and not self._take_other(seq, leaf, header, salt, body):
            return
        if seq in self.receipts:
            self._check_receipts(seq, leaf)
        if seq in self.targets:
            self._check_roots(seq, self.targets[seq])

    def _take_usual(self, seq: int, leaf: bytes, header: bytes | None, salt: bytes | None, body: bytes | None) -> bool:
        """Check in one go an entry in which all is as expected; False: nothing was done, and `_take_other` finds out why."""
        if (
            header is None
            or salt is None
            or body is None
            or seq != self.expected
            or not self.is_plain
            or not self.whole
            or self.prev is None
            or self.other_prev is not None
            or self.alternative is not None
            or self.doubtful
            or len(salt) != 32
            or len(header) > MAX_HEADER
            or hashlib.sha256(b"\x00" + header).digest() != leaf
        ):
            return False
        usual = _match_usual_header(header)
        if usual is None:
            return False
        action, committed, log, prev, recorded, number = usual.groups()
        if (
            int(number) != seq
            or prev != self.prev.hex()
            or log != self.log
            or hashlib.sha256(b"\x02" + salt + body).hexdigest() != committed
            or action in (ERASED, RETIRED)
            or not self.recorded <= recorded <= self.latest
        ):
            return False
        self.expected, self.prev, self.recorded = seq + 1, leaf, recorded
        self.opened = self.opened or recorded
        self.entries += 1
        self.edge.append(leaf)
        return True

    def _take_other(self, seq: int, leaf: bytes, header: bytes | None, salt: bytes | None, body: bytes | None) -> bool:
        """Check any entry step by step; False: it is not in its place, and stays uncounted."""
        if self.doubtful and self.expected - self.doubtful <= seq < self.expected:
            self.expected = seq  # what could not be read before it was no entry
        if seq != self.expected and not self._is_in_place(seq):
            return False
        self.expected, self.doubtful = seq + 1, 0
        self.entries += 1
        recomputed = leaf
        if header is None:
            _extend_runs(self.missing["ENTRY_MISSING"], seq)
        else:
            recomputed = self._check_entry(seq, leaf, header, salt, body)
        self._grow(leaf, recomputed)
        return True

    def skip_unreadable(self, detail: str) -> None:
        """Record that an entry cannot be read.

        What follows cannot be tied to what came before.
        """
        self.findings.add("MALFORMED", self.expected, detail=detail)
        self.expected += 1
        self.unreadable += 1
        self.doubtful += 1
        self.whole, self.prev, self.other_prev = False, None, None

    def _is_in_place(self, seq: int) -> bool:
        if seq > self.expected:
            self.findings.add("GAP", self.expected, seq - 1)
            self.expected, self.whole, self.prev, self.other_prev = seq, False, None, None
            return True
        if "GAP" in self.findings:
            self._close_gap(self.findings["GAP"], seq)
        self.findings.add("DUP_OR_REORDER", seq)
        return False

    def _close_gap(self, gap: Finding, seq: int) -> None:
        """Remove a number from a gap: its entry comes later, so it was moved, not removed."""
        for first, last in gap.runs:
            if first <= seq <= last:
                gap.runs.remove([first, last])
                gap.runs += [part for part in ([first, seq - 1], [seq + 1, last]) if part[0] <= part[1]]
                gap.runs.sort()
                gap.count -= 1
                break
        if not gap.runs:
            del self.findings["GAP"]

    def _grow(self, leaf: bytes, recomputed: bytes) -> None:
        """Grow the tree of stored leaves, and after a disagreement that of the entries."""
        if recomputed != leaf and self.alternative is None and self.whole:
            self.alternative = Edge(self.edge.size, self.edge.hashes)
        if self.alternative is not None:
            self.alternative.append(recomputed)
        self.other_prev = recomputed if recomputed != leaf else None
        if self.whole:
            self.edge.append(leaf)
        self.prev = leaf

    def _check_entry(self, seq: int, leaf: bytes, header: bytes, salt: bytes | None, body: bytes | None) -> bytes:
        """Check one entry; return the leaf that the header gives."""
        recomputed = hashlib.sha256(b"\x00" + header).digest()
        fields = self._read_fields(header) if len(header) <= MAX_HEADER else None
        intact = recomputed == leaf
        if not intact:
            if self._only_prev_differs(header, leaf):
                recomputed, intact = leaf, True
            else:
                self._report_modified(seq, fields)
        if fields is None:
            if intact:
                self.findings.add("NOT_CANONICAL", seq)
            return recomputed
        if intact:
            self._check_place(seq, fields, header)
        self._check_clock(seq, fields["recorded"], intact=intact)
        if body is None or salt is None:
            _extend_runs(self.missing["BODY_MISSING"], seq)
        else:
            self._check_body(seq, fields, salt, body, intact=intact)
        return recomputed

    def _read_fields(self, header: bytes) -> dict[str, Any] | None:
        """Return those of the header's fields that are checked, None when it is not a header in canonical form."""
        usual = _match_usual_header(header)
        return self._fields(header) if usual is None else {**usual.groupdict(), "seq": int(usual["seq"])}

    @staticmethod
    def _fields(header: bytes) -> dict[str, Any] | None:
        """Return the header's fields, None when it is not a header in canonical form."""
        try:
            text = header.decode()
            fields = _parse(text)
            if not _is_plainly_canonical(text, fields) and not _is_canonical_header(text):
                return None
            texts = (fields["log"], fields["prev"], fields["body"], fields["action"])
            if not all(isinstance(text, str) for text in texts) or not _TIME.fullmatch(fields["recorded"]):
                return None
            dt.datetime.fromisoformat(fields["recorded"][:-1])
            return fields if type(fields["seq"]) is int and fields["v"] == 1 else None
        except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
            return None

    def _only_prev_differs(self, header: bytes, leaf: bytes) -> bool:
        """Return whether the entry is intact and only the leaf before it differs."""
        if self.prev is None:
            missing = self.findings.get("GAP") or self.findings.get("MALFORMED")
            if missing:
                missing.follows["ENTRY_MODIFIED"] = missing.follows.get("ENTRY_MODIFIED", 0) + 1
            return missing is not None
        if self.other_prev is None:
            return False
        written = header.replace(
            b'"prev":"%s"' % self.prev.hex().encode(), b'"prev":"%s"' % self.other_prev.hex().encode(), 1
        )
        return hashlib.sha256(b"\x00" + written).digest() == leaf

    def _report_modified(self, seq: int, fields: dict[str, Any] | None) -> None:
        finding = self.findings.add("ENTRY_MODIFIED", seq, when=fields["recorded"] if fields else "")
        if finding.count == 1 and fields and fields["seq"] == seq:
            finding.details = [f"it now says {fields['action']} recorded {fields['recorded']}"]

    def _check_place(self, seq: int, fields: dict[str, Any], header: bytes) -> None:
        if self.ids is not None:
            self.ids.add(header, seq)
        if fields["log"] != self.log:
            self.findings.add("WRONG_LOG", seq, when=fields["recorded"])
        elif fields["seq"] != seq:
            self.findings.add("DUP_OR_REORDER", seq, when=fields["recorded"])
        elif (
            self.prev is not None
            and fields["prev"] != self.prev.hex()
            and (self.other_prev is None or fields["prev"] != self.other_prev.hex())
        ):
            self.findings.add("CHAIN_BREAK", seq, when=fields["recorded"])

    def _check_clock(self, seq: int, recorded: str, *, intact: bool) -> None:
        if recorded < self.recorded:
            back = (_parse_time(self.recorded) - _parse_time(recorded)).total_seconds()
            if back > CLOCK_TOLERANCE:
                self.findings.add("CLOCK_BACKWARDS", seq, when=recorded, detail=f"back by {back / 60:,.0f} minutes")
                self.recorded = recorded
            return
        if self.heartbeat is not None and self.recorded and recorded[:13] != self.recorded[:13]:  # noqa: SIM102 - rare
            if _parse_time(recorded) - _parse_time(self.recorded) > self.heartbeat:
                self.findings.add("STALE", seq, detail=f"nothing between {self.recorded} and {recorded}")
        if recorded > self.latest:
            self.findings.add("CLOCK_AHEAD", seq, when=recorded)
        if intact:
            self.opened = self.opened or recorded
            self.recorded = recorded

    def _check_body(self, seq: int, fields: dict[str, Any], salt: bytes, body: bytes, *, intact: bool) -> None:
        if hashlib.sha256(b"\x02" + salt + body).hexdigest() != fields["body"] or len(salt) != 32:
            finding = self.findings.add("BODY_MODIFIED", seq, when=fields["recorded"])
            if finding.count == 1 and intact:
                finding.details = [f"those of {fields['action']}, recorded {fields['recorded']}"]
        elif self.strict or fields["action"] in (ERASED, RETIRED):
            try:
                statement = read_canonical(body.decode())
            except (Malformed, UnicodeDecodeError):
                self.findings.add("NOT_CANONICAL", seq, when=fields["recorded"])
                return
            if intact and fields["action"] in (ERASED, RETIRED):
                self._grant(seq, fields["action"], statement, fields["recorded"])

    def _grant(self, seq: int, action: str, statement: Any, recorded: str) -> None:
        """Collect the gaps that an intact entry authorises.

        Only earlier entries can be meant.
        """
        if not isinstance(statement, dict):
            return
        ranges = statement.get("ranges") if action == ERASED else [[statement.get("first"), statement.get("last")]]
        basis, log = statement.get("basis", ""), statement.get("log", self.log)
        doubt = doubt_authority(
            statement.get("authority"), self.retention, action=action, log=log, ranges=ranges, recorded=recorded
        )
        for span in ranges if isinstance(ranges, list) else ():
            a_range = isinstance(span, list) and len(span) == 2 and all(type(number) is int for number in span)
            if not a_range or not 0 < span[0] <= span[1] or not isinstance(log, str):
                continue
            grant = Grant(
                action, span[0], span[1], seq, basis if isinstance(basis, str) else "", log, self.origin, doubt
            )
            if log != self.log:
                self.granted_to_others.append(grant)
            elif span[1] < seq:
                self.granted.append(grant)

    def _check_receipts(self, seq: int, leaf: bytes) -> None:
        for prefix in self.receipts[seq]:
            self.receipts_checked += 1
            if not leaf.hex().startswith(prefix):
                self.findings.add("RECEIPT_MISMATCH", seq, when=self.recorded)

    def _check_roots(self, size: int, checkpoints: list[Checkpoint]) -> None:
        if not self.whole:
            return
        root = self.edge.root()
        if self.alternative is not None:
            if any(checkpoint.root == self.alternative.root() for checkpoint in checkpoints):
                self.edge, self.alternative = self.alternative, None
                root = self.edge.root()
                self._report_altered_leaf(size)
            elif any(checkpoint.root == root for checkpoint in checkpoints):
                self.alternative = None
        last_good = self.good[-1].size if self.good else 0
        for checkpoint in checkpoints:
            if checkpoint.root == root:
                self.good.append(checkpoint)
                self._check_witness_times(checkpoint)
            else:
                self.bad.append((checkpoint, last_good))

    def _report_altered_leaf(self, size: int) -> None:
        """Note that the signed root fits the entry, so that its stored leaf was changed."""
        finding = self.findings.get("ENTRY_MODIFIED")
        if finding:
            finding.details.append(
                f"checkpoint {size:,} bears out the entry as it stands, so its stored leaf was changed"
            )

    def _check_witness_times(self, checkpoint: Checkpoint) -> None:
        for name, seconds in checkpoint.witnesses:
            if self.recorded and seconds < 2**40:
                signed_at = _EPOCH + dt.timedelta(seconds=seconds)
                late = (_parse_time(self.recorded) - signed_at).total_seconds()
                if late > CLOCK_TOLERANCE:
                    detail = f"{name} saw it {late / 60:,.0f} minutes before it says it was recorded"
                    self.findings.add("CLOCK_BACKWARDS", checkpoint.size, detail=detail)

    # The end.

    def finish(self) -> Report:
        """Draw the conclusions that need the whole log."""
        last = self.expected - 1
        for first, second in self.ids.repeated() if self.ids else ():
            self.findings.add("DUP_OR_REORDER", second, detail=f"entries {first:,} and {second:,} have one id")
        authorised = self._settle_missing()
        self._settle_receipts(last)
        self._settle_roots(last)
        trusted = (checkpoint.size for checkpoint in self.good if self._is_trusted(checkpoint))
        covered = max(trusted, default=self.first - 1)
        if last > covered:
            detail = "" if self.targets else "there is no signed checkpoint to check against"
            self.findings.add("UNSEALED", covered + 1, last, detail=detail)
        unmet = sum(checkpoint.size > covered and not self._is_trusted(checkpoint) for checkpoint in self.good)
        if unmet:
            detail = f"{unmet} checkpoints lack {self.need} of {len(self.witnesses)} cosignatures"
            self.findings.add("UNWITNESSED", last, detail=detail)
        has_held = any(checkpoint.is_held for checkpoints in self.targets.values() for checkpoint in checkpoints)
        if self.strict and not has_held and not self.need:
            detail = "strict checking needs a checkpoint that you hold (--checkpoint) or a witness policy"
            self.findings.add("UNCHECKED", last, detail=detail)
        return Report(self, last, covered, authorised)

    def _is_trusted(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.is_held or len(checkpoint.witnesses) >= self.need

    def _settle_missing(self) -> list[Authorised]:
        authorised: list[Authorised] = []
        for kind, action, what in (("ENTRY_MISSING", RETIRED, "RETIRED"), ("BODY_MISSING", ERASED, "ERASED")):
            grants = sorted(
                (grant for grant in self.granted if grant.action == action),
                key=lambda grant: (grant.first, grant.last, grant.by),
            )
            for run in self.missing[kind]:
                for first, last, grant in _split_by_trust(run, grants):
                    where = "" if grant is None or grant.origin == self.origin else grant.origin
                    if grant and not grant.doubt:
                        authorised.append(Authorised(what, first, last, grant.by, grant.basis, where))
                    elif grant:
                        detail = f"entry {grant.by:,}{where and f' of {where}'} says so, and {grant.doubt}"
                        self.findings.add("OWN_WORD", first, last, detail=detail)
                    elif self.unreadable:  # one of those may authorise it; this bundle cannot tell
                        follows = self.findings["MALFORMED"].follows
                        follows[kind] = follows.get(kind, 0) + last - first + 1
                    else:
                        self.findings.add(kind, first, last)
        return authorised

    def _settle_receipts(self, last: int) -> None:
        for seq in sorted(self.receipts):
            if seq > last:
                self.findings.add("RECEIPT_MISSING", seq)
            elif seq < self.first:
                self.findings.add("UNCHECKED", seq, detail=f"the bundle begins after receipt {seq:,}")

    def _settle_roots(self, last: int) -> None:
        for size in sorted(self.targets):
            if size > last and self.doubtful:  # the file ends with what cannot be read: nothing is known of its end
                follows = self.findings["MALFORMED"].follows
                follows["TRUNCATED"] = follows.get("TRUNCATED", 0) + 1
            elif size > last:
                detail = f"{self.targets[size][0].source} covers {size:,} entries, the log ends at {last:,}"
                beyond = self.findings.get("TRUNCATED")
                start = beyond.last + 1 if beyond else last + 1
                self.findings.add("TRUNCATED", start, size, detail=detail)
            elif size < self.first - 1 and any(checkpoint.is_held for checkpoint in self.targets[size]):
                self.findings.add("UNCHECKED", size, detail=f"the bundle begins after checkpoint {size:,}")
        for checkpoint, last_good in self.bad:
            self._settle_bad_root(checkpoint, last_good)
        if not self.whole:
            checked = {checkpoint.size for checkpoint in self.good} | {checkpoint.size for checkpoint, _ in self.bad}
            lost = sum(self.first <= size <= last and size not in checked for size in self.targets)
            cause = self.findings.get("GAP") or self.findings.get("DUP_OR_REORDER") or self.findings.get("MALFORMED")
            if cause and lost:
                cause.follows["ROOT_MISMATCH"] = lost

    def _settle_bad_root(self, checkpoint: Checkpoint, last_good: int) -> None:
        """Report a wrong root: consequence of a known change, else fork, else rewrite."""
        size = checkpoint.size
        held_good = max((good.size for good in self.good if good.is_held and good.size < size), default=0)
        two_roots = self.findings.get("FORK") or self.findings.get("EQUIVOCATION")
        if two_roots and any(other.root != checkpoint.root for other in self.targets[size]):
            two_roots.last_good = held_good
            return
        cause = self.findings.before(size, last_good)
        if cause is not None:
            cause.follows["ROOT_MISMATCH"] = cause.follows.get("ROOT_MISMATCH", 0) + 1
            if cause.first_bad is None:
                cause.last_good, cause.first_bad = last_good, size
            return
        signed_here = any(good.size >= size for good in self.good)
        kind, last_good = ("FORK", held_good) if checkpoint.is_held and signed_here else ("ROOT_MISMATCH", last_good)
        finding = self.findings.get(kind)
        if finding is None:
            finding = self.findings.add(kind, last_good + 1, size, detail=f"first seen at {checkpoint.source}")
            finding.last_good, finding.first_bad = last_good, size
        else:
            finding.follows[kind] = finding.follows.get(kind, 0) + 1


_parse = json.JSONDecoder().decode


def _compile_usual_header() -> re.Pattern[str]:
    """Compile the pattern of a canonical header with ordinary characters only.

    A key with ? may be absent.
    """
    text, number = '"[^"]*"', "(?:0|[1-9][0-9]{0,14})"
    moment = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6}Z"
    kinds = {
        "body_kind": number,
        "corrects": number,
        "txid": number,
        "v": "1",
        "rule_codes": rf"\[(?:{text}(?:,{text})*)?\]",
    }
    kinds |= {name: f'"(?P<{name}>[^"]*)"' for name in ("action", "body", "log", "prev")}
    kinds |= {"recorded": f'"(?P<recorded>{moment})"', "seq": f"(?P<seq>{number})"}
    keys = [
        "action",
        "actor",
        "actor_role",
        "body",
        "body_kind",
        "corrects?",
        "db_role",
        "drug_code?",
        "engine?",
        "id",
        "log",
        "occurred",
        "outcome",
        "patient_ref?",
        "prev",
        "reason_code?",
        "recorded",
        "request_id?",
        "rule_codes?",
        "ruleset?",
        "second_actor?",
        "seq",
        "station?",
        "subject_id",
        "subject_type",
        "txid",
        "v",
    ]
    parts = []
    for key in keys:
        name = key.rstrip("?")
        part = ("" if name == "action" else ",") + f'"{name}":{kinds.get(name, text)}'
        parts.append(f"(?:{part})?" if key != name else part)
    return re.compile(r"\{" + "".join(parts) + r"\}")


_USUAL_HEADER = _compile_usual_header()
_ORDINARY = bytes(byte for byte in range(0x20, 0x100) if byte != 0x5C)
"""Bytes that JSON text holds as they are, the quote among them; not: controls, which are escaped, and the backslash."""


def _match_usual_header(header: bytes) -> re.Match[str] | None:
    """Return the fields of a header of the usual form that are checked.

    None for any other header, which is read slowly.
    """
    if header.translate(None, _ORDINARY):
        return None
    try:
        usual = _USUAL_HEADER.fullmatch(header.decode())
        if usual is not None:
            dt.datetime.fromisoformat(usual["recorded"][:-1])
    except ValueError:
        return None
    return usual


def _is_plainly_canonical(header: str, fields: Any) -> bool:
    """Return whether a flat header without escapes is canonical; False: not known.

    Without a backslash each text has one spelling, so what is left would show in the length: blanks between the parts,
    a key twice, minus zero. Then there are only the order of the keys and numbers too large.
    """
    if type(fields) is not dict or "\\" in header:
        return False
    keys = list(fields)
    texts = [value for value in fields.values() if type(value) is str]
    numbers = [value for value in fields.values() if type(value) is int]
    named = "".join(keys)
    length = 1 + len(named) + 4 * len(keys) + len("".join(texts)) + 2 * len(texts) + len("".join(map(str, numbers)))
    return (
        len(texts) + len(numbers) == len(keys)
        and length == len(header)
        and keys == sorted(keys)
        and named.isascii()
        and all(-MAX_INTEGER <= number <= MAX_INTEGER for number in numbers)
    )


def _is_canonical_header(header: str) -> bool:
    fields = _decode(header)
    keys = list(fields)
    return _encode(fields) == header and keys == sorted(keys) and "".join(keys).isascii() and _is_ordered(fields)


_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z", re.ASCII)


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


def _parse_time(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text[:-1] + "+00:00")


def _read_size(note: bytes) -> int:
    lines = note.split(b"\n", 2)
    return int(lines[1]) if len(lines) > 1 and re.fullmatch(rb"[0-9]{1,16}", lines[1]) else 0


def _extend_runs(runs: list[list[int]], seq: int) -> None:
    if runs and runs[-1][1] == seq - 1:
        runs[-1][1] = seq
    else:
        runs.append([seq, seq])


class _Ids:
    """The ids of all entries, in twenty-four bytes each, to find those used twice."""

    def __init__(self) -> None:
        self.shelves = [(array.array("Q"), array.array("Q"), array.array("Q")) for _ in range(256)]

    def add(self, header: bytes, seq: int) -> None:
        """Keep the id of an intact header.

        A quote inside a text is escaped, so the key is found nowhere else.
        """
        at = header.find(b',"id":"') + 7
        try:
            number = int(header[at : at + 36].replace(b"-", b""), 16)
        except ValueError:
            return  # no id as this log writes them; its form is checked elsewhere
        high, low, seqs = self.shelves[number & 255]
        high.append(number >> 64 & 2**64 - 1)
        low.append(number & 2**64 - 1)
        seqs.append(seq)

    def repeated(self) -> Iterator[tuple[int, int]]:
        """Yield pairs of entries with one id."""
        for high, low, seqs in self.shelves:
            order = sorted(range(len(seqs)), key=lambda at: (high[at], low[at], seqs[at]))
            for first, second in zip(order, order[1:]):
                if high[first] == high[second] and low[first] == low[second]:
                    yield seqs[first], seqs[second]


def _split(run: Sequence[int], grants: Sequence[Grant]) -> Iterator[tuple[int, int, Grant | None]]:
    """Cut a run of missing entries into authorised parts and others."""
    at, end = run
    for grant in grants:
        if grant.last < at or grant.first > end:
            continue
        if grant.first > at:
            yield at, grant.first - 1, None
        yield max(at, grant.first), min(end, grant.last), grant
        at = grant.last + 1
        if at > end:
            return
    if at <= end:
        yield at, end, None


def _split_by_trust(run: Sequence[int], grants: Sequence[Grant]) -> Iterator[tuple[int, int, Grant | None]]:
    """Cut a run by the grants that two people signed, and what is left by the others."""
    for first, last, grant in _split(run, [grant for grant in grants if not grant.doubt]):
        yield from (
            [(first, last, grant)] if grant else _split((first, last), [grant for grant in grants if grant.doubt])
        )


# --- the report ------------------------------------------------------------------------------------------------------


class Report:
    """The result of a check: extent, coverage, authorised gaps, findings."""

    def __init__(self, check: Check, last: int, covered: int, authorised: list[Authorised]) -> None:
        self.origin, self.first, self.last, self.covered = check.origin, check.first, last, covered
        self.entries, self.checkpoints = check.entries, check.checkpoints
        self.held_checkpoints = sum(
            checkpoint.is_held for checkpoints in check.targets.values() for checkpoint in checkpoints
        )
        self.receipts = check.receipts_checked
        self.recorded_from, self.recorded_to = check.opened, check.recorded
        self.keys = [str(key) for key in check.keys if key.name == check.origin]
        self.authorised = authorised
        self.findings = sorted(
            check.findings.values(), key=lambda finding: (finding.status, finding.first, finding.kind)
        )

    @property
    def exit(self) -> int:
        statuses = {finding.status for finding in self.findings}
        return next((status for status in (TAMPERED, UNREADABLE, INCOMPLETE) if status in statuses), OK)

    @property
    def conclusion(self) -> str:
        if self.exit == TAMPERED:
            return "TAMPERED. This log is not as it was written and signed."
        if self.exit == UNREADABLE:
            return "UNREADABLE. Nothing can be concluded; ask for the bundle again."
        if self.exit == INCOMPLETE:
            return "INCOMPLETE. Nothing wrong was found, but not everything could be vouched for."
        return "VERIFIED. Every entry is as it was written and signed."

    def as_json(self) -> dict[str, Any]:
        return {
            "tool": f"verify {VERSION}",
            "exit": self.exit,
            "conclusion": self.conclusion,
            "origin": self.origin,
            "keys": self.keys,
            "first": self.first,
            "last": self.last,
            "covered": self.covered,
            "entries": self.entries,
            "checkpoints": self.checkpoints,
            "held_checkpoints": self.held_checkpoints,
            "receipts": self.receipts,
            "recorded_from": self.recorded_from,
            "recorded_to": self.recorded_to,
            "authorised": [{k: v for k, v in vars(gap).items() if k != "log" or v} for gap in self.authorised],
            "findings": [finding.as_json() for finding in self.findings],
        }

    def lines(self) -> Iterator[str]:
        yield f"Log {self.origin}, key {', '.join(self.keys)}"
        yield (
            f"{self.entries:,} entries ({self.first:,} to {self.last:,}), recorded {self.recorded_from or '-'} to "
            f"{self.recorded_to or '-'}; {self.checkpoints:,} signed checkpoints, {self.held_checkpoints:,} of them yours; "
            f"{self.receipts:,} receipts"
        )
        for gap in self.authorised:
            what = "details erased" if gap.what == "ERASED" else "entries retired"
            basis = f" ({gap.basis})" if gap.basis else ""
            where = f" of {gap.log}" if gap.log else ""
            yield f"Authorised: {what} {_describe_run([gap.first, gap.last])}, by entry {gap.by:,}{where}{basis}"
        for finding in self.findings:
            yield ""
            yield finding.sentence()
            yield f"    {finding.kind} at {finding.position or '-'}; {finding.count:,} in all" + _describe_follows(
                finding
            )
        yield ""
        if self.exit != UNREADABLE and self.covered >= self.first and self.exit != TAMPERED:
            yield f"Entries {self.first:,} to {self.covered:,} give the root that was signed for them."
        yield self.conclusion


def _describe_follows(finding: Finding) -> str:
    text = ""
    if finding.since:
        text += f"; recorded {finding.since} to {finding.until}"
    if finding.first_bad is not None:
        text += f"; last good checkpoint {finding.last_good or 0:,}, first bad {finding.first_bad:,}"
    for kind, count in sorted(finding.follows.items()):
        text += f"; {count:,} more {kind} follow from it"
    return text


# --- the bundle ------------------------------------------------------------------------------------------------------


class Bundle:
    """A zip file or folder.

    Reads only the files it expects, never more than the limits, never outside the folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.zip: zipfile.ZipFile | None = None
        if not path.is_dir():
            try:
                self.zip = zipfile.ZipFile(path)
            except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
                raise Malformed(f"{path} is neither a folder nor a zip file ({error})") from error
            self._check_zip(self.zip)

    @staticmethod
    def _check_zip(archive: zipfile.ZipFile) -> None:
        infos = archive.infolist()
        names = [info.filename for info in infos]
        if len(names) > MAX_FILES or len(set(names)) != len(names):
            raise Malformed("the zip file has too many files, or one name twice")
        for info in infos:
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Malformed(f"{info.filename} is encrypted or packed in an unusual way")
            if info.file_size > MAX_NOTE and info.file_size > MAX_RATIO * max(info.compress_size, 1):
                raise Malformed(f"{info.filename} unpacks to {info.file_size:,} bytes: a zip bomb, not a log")

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open one file of the bundle, to be read once from its beginning."""
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)?", name):
            raise Malformed(f"{name[:80]!r} is not a file name of a bundle")
        try:
            with self._open_file(name) as source:
                yield source
        except (OSError, zipfile.BadZipFile, NotImplementedError, EOFError, zlib.error) as error:
            raise Malformed(f"{name} cannot be read: {error}") from error

    def _open_file(self, name: str) -> BinaryIO:
        if self.zip is not None:
            if name not in self.zip.NameToInfo:
                raise Malformed(f"{name} is not in the zip file")
            return io.BufferedReader(self.zip.open(name), 1 << 20)  # type: ignore[type-var]  # ZipExtFile reads raw
        path = self.path / name
        if path.is_symlink() or not stat.S_ISREG(path.stat().st_mode):
            raise Malformed(f"{name} is not a plain file")
        return path.open("rb")

    def read(self, name: str, limit: int) -> bytes:
        """Return all of a small file."""
        with self.open(name) as source:
            raw = source.read(limit + 1)
        if len(raw) > limit:
            raise Malformed(f"{name} is longer than {limit:,} bytes")
        return raw


@dataclass
class Manifest:
    """The manifest of a bundle; not trusted, all of it is compared."""

    origin: str
    log: str
    first: int
    last: int
    predecessor: str
    start_leaf: bytes | None
    start_hashes: list[bytes]
    files: dict[str, tuple[int, str]]
    entries: str
    """Name of the file with the entries, which its format decides."""

    @classmethod
    def read(cls, bundle: Bundle) -> Manifest:
        raw = bundle.read("manifest.json", MAX_MANIFEST)
        try:
            document = read_canonical(raw.decode().rstrip("\n"))
            entries = {BUNDLE_FORMAT + "1": LINES, BUNDLE_FORMAT + "2": RECORDS}.get(document["format"])
            if entries is None:
                raise Malformed(f"manifest.json does not say format {BUNDLE_FORMAT}1 or 2")
            first, last, start = document["first"], document["last"], document.get("start")
            if type(first) is not int or type(last) is not int or not 1 <= first <= last + 1:
                raise Malformed("manifest.json: first and last are not a range")
            if (first > 1) != (start is not None):
                raise Malformed("manifest.json: a range that begins later needs a start, and only that")
            texts = document["origin"], document["log"], document.get("predecessor", "")
            if not all(isinstance(text, str) for text in texts):
                raise Malformed("manifest.json: origin, log and predecessor are text")
            leaf = _hex(start["leaf"], 32) if start else None
            hashes = [_hex(subtree, 32) for subtree in start["hashes"]] if start else []
            files = {
                str(name): (int(file["bytes"]), str(file.get("sha256", ""))) for name, file in document["files"].items()
            }
            return cls(texts[0], texts[1], first, last, texts[2], leaf, hashes, files, entries)
        except (KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
            raise Malformed(f"manifest.json lacks or misspells {error}") from error


LINES, RECORDS = "entries.jsonl", "entries.bin"
"""The file of entries in format 1 and in format 2 of the bundle."""


def feed_entries(
    bundle: Bundle, name: str, check: Check, progress: Callable[[int], None] | None = None
) -> tuple[int, str]:
    """Stream the file of entries into the check; return its length and SHA-256.

    Of records there is no SHA-256: each of their bytes is checked on its own.
    """
    digest, length, due = hashlib.sha256(), 0, 50_000
    with bundle.open(name) as source:
        for part in (_feed_lines if name == LINES else _feed_records)(source, check):
            if name == LINES:
                digest.update(part)
            length += len(part)
            if progress and check.entries >= due:
                progress(check.entries)
                due += 50_000
    return length, digest.hexdigest() if name == LINES else ""


def _feed_lines(source: BinaryIO, check: Check) -> Iterator[bytes]:
    """Feed entries.jsonl, yielding the bytes that were read."""
    for number in itertools.count(1):
        line = source.readline(MAX_LINE + 1)
        if not line:
            return
        yield line
        if len(line) > MAX_LINE:
            raise Malformed(f"{LINES}: line {number:,} is longer than {MAX_LINE:,} bytes")
        try:
            entry = _parse_entry(line)
        except Malformed as error:
            _skip(check, f"{LINES}, line {number:,}: {error}")
            continue
        check.feed(*entry)


def _skip(check: Check, detail: str) -> None:
    check.skip_unreadable(detail)
    if check.unreadable > 1000:
        raise Malformed("more than a thousand entries cannot be read")


def _feed_records(source: BinaryIO, check: Check) -> Iterator[bytes]:
    """Feed entries.bin, yielding the bytes that were read.

    After a record that cannot be read it goes on at the next newline that the number of the entry after it follows.
    """
    feed, waiting, start, at, is_lost = check.feed, b"", 0, 0, False
    part = b"\n"
    while part:
        part = source.read(READ_BYTES)
        yield part
        waiting, start, at = waiting[at:] + part, start + at, 0
        end = len(waiting)
        while end - at >= _RECORD.size:
            if is_lost:
                at = waiting.find(b"\n" + check.expected.to_bytes(8, "big"), at) + 1
                if at == 0:
                    at = end - 8
                    break
                is_lost = False
                continue
            seq, header_length, body_length, leaf, salt = _RECORD.unpack_from(waiting, at)
            first = at + _RECORD.size
            middle = first + header_length
            stop = middle + body_length
            if not 0 < seq <= MAX_INTEGER or stop - at > MAX_LINE:
                trouble = f"not a record, or one longer than {MAX_LINE:,} bytes"
            elif stop >= end and part:
                break
            elif stop >= end:
                trouble = "the record is cut off"
            elif waiting[stop] != 10:
                trouble = "the record does not end where its lengths say: damaged or converted on the way"
            else:
                header = waiting[first:middle] if header_length else None
                if body_length or any(salt):
                    feed(seq, leaf, header, salt, waiting[middle:stop])
                else:
                    feed(seq, leaf, header)
                at = stop + 1
                continue
            _skip(check, f"{RECORDS}, byte {start + at:,}: {trouble}")
            is_lost, at = True, at + 1
    if at < len(waiting) and not is_lost:
        _skip(check, f"{RECORDS}: the last record is cut off")


_RECORD = struct.Struct(">QII32s32s")
"""The head of a record: number, lengths of header and body, leaf, salt."""
READ_BYTES = 1 << 20


def _parse_entry(line: bytes) -> tuple[int, bytes, bytes | None, bytes | None, bytes | None]:
    try:
        quick = _parse_whole_entry(line)
        if quick is not None:
            return quick
        if not line.endswith(b"\n"):
            raise Malformed("the last line is cut off")
        if line.endswith(b"\r\n"):
            raise Malformed("line ends were converted on the way (CRLF)")
        text = line[:-1].decode()
        document = _decode(text)
        if _encode(document) != text or list(document) != sorted(document):
            raise Malformed("not in canonical form")
        seq, leaf, header = document["seq"], document["leaf"], document.get("header")
        salt, body = document.get("salt"), document.get("body")
    except Malformed:
        raise
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError) as error:
        raise Malformed("not an entry as this log writes it: cut off or damaged") from error
    if document.keys() - _ENTRY_KEYS or type(seq) is not int or seq < 1:
        raise Malformed("not an entry: seq, leaf, header, salt, body are expected")
    if not (isinstance(header, str) or header is None) or not (isinstance(body, str) or body is None):
        raise Malformed("header and body are text")
    if (salt is None) != (body is None):
        raise Malformed("salt and body belong together")
    try:
        texts = [None if text is None else text.encode() for text in (header, body)]
    except UnicodeEncodeError as error:
        raise Malformed("text that is not Unicode") from error
    return seq, _hex(leaf, 32), texts[0], None if salt is None else _hex(salt, 32), texts[1]


_BEFORE, _BETWEEN, _LEAF, _SALT = b'{"body":"', b'","header":"', b'","leaf":"', b'","salt":"'
_NUMBER = re.compile(rb'","seq":([1-9][0-9]{0,14})\}\n')


def _parse_whole_entry(line: bytes) -> tuple[int, bytes, bytes, bytes, bytes] | None:
    """Read a complete entry in canonical form by its parts.

    None for any other line, which is read slowly.
    """
    middle, end = line.find(_BETWEEN), line.rfind(_LEAF)
    if not line.startswith(_BEFORE) or not 9 <= middle < middle + 12 <= end or line[end + 74 : end + 84] != _SALT:
        return None
    leaf, salt, number = line[end + 10 : end + 74], line[end + 84 : end + 148], _NUMBER.fullmatch(line, end + 148)
    if number is None or (leaf + salt).translate(None, b"0123456789abcdef"):
        return None
    body, header = _unescape(line[9:middle]), _unescape(line[middle + 12 : end])
    if body is None or header is None:
        return None
    return int(number[1]), binascii.unhexlify(leaf), header, binascii.unhexlify(salt), body


def _unescape(text: bytes) -> bytes | None:
    """Unescape a JSON string whose only escapes are quotes; None for any other."""
    plain = text.replace(b'\\"', b'"')
    if plain.count(b'"') != len(text) - len(plain) or plain.translate(None, _ORDINARY):
        return None
    return plain


_ENTRY_KEYS = frozenset(("body", "header", "leaf", "salt", "seq"))


def verify_bundle(
    path: Path,
    *,
    keys: Sequence[Key],
    witnesses: Sequence[Key] = (),
    need: int = 0,
    retention: Sequence[Key] = (),
    held_checkpoints: Sequence[Path] = (),
    receipts: Path | None = None,
    strict: bool = False,
    heartbeat_hours: float | None = None,
    successors: Sequence[Path] = (),
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Check a bundle against keys and checkpoints that come from elsewhere.

    Raises Malformed when it cannot be read.
    `successors` are bundles of logs that continue this one: what is missing here may be authorised there.
    """
    common: dict[str, Any] = {"keys": keys, "witnesses": witnesses, "need": need, "retention": retention}
    granted = [grant for later in successors for grant in _read_grants(later, common)]
    check = _check_bundle(
        path, granted, **common, held_checkpoints=held_checkpoints, receipts=receipts, strict=strict,
        heartbeat_hours=heartbeat_hours, progress=progress,
    )  # fmt: skip
    return check.finish()


def _read_grants(path: Path, common: dict[str, Any]) -> list[Grant]:
    """Return the gaps in other logs that a later log authorises under a checkpoint."""
    check = _check_bundle(path, **common)
    report = check.finish()
    if report.exit not in (OK, INCOMPLETE):
        raise Malformed(f"{path}, which is to authorise something here, does not verify itself: {report.conclusion}")
    return [grant for grant in check.granted_to_others if grant.by <= report.covered]


def _check_bundle(
    path: Path,
    granted: Iterable[Grant] = (),
    *,
    keys: Sequence[Key],
    witnesses: Sequence[Key] = (),
    need: int = 0,
    retention: Sequence[Key] = (),
    held_checkpoints: Sequence[Path] = (),
    receipts: Path | None = None,
    strict: bool = False,
    heartbeat_hours: float | None = None,
    progress: Callable[[int], None] | None = None,
) -> Check:
    bundle = Bundle(path)
    manifest = Manifest.read(bundle)
    _require_key(manifest.origin, keys, "the bundle")
    check = Check(
        origin=manifest.origin,
        log=manifest.log,
        keys=keys,
        witnesses=witnesses,
        need=need,
        retention=retention,
        predecessor=manifest.predecessor,
        first=manifest.first,
        start_leaf=manifest.start_leaf,
        start_hashes=manifest.start_hashes,
        strict=strict,
        heartbeat_hours=heartbeat_hours or (HEARTBEAT_HOURS if strict else None),
        granted=(grant for grant in granted if grant.log == manifest.log),
    )
    for note in held_checkpoints:
        check.add_checkpoint(normalise_note(_read(note)), str(note), is_held=True)
    for seq, prefix in _read_receipts(receipts) if receipts else ():
        check.add_receipt(seq, prefix)
    _add_stored(bundle, manifest, check)
    contents = {manifest.entries: feed_entries(bundle, manifest.entries, check, progress)}
    last = check.expected - 1
    if not check.entries and not check.good:
        check.findings.add(
            "UNCHECKED", detail="the bundle holds no entry and no checkpoint: nothing signed was checked"
        )
    if last != manifest.last:
        detail = f"manifest.json promises entries up to {manifest.last:,}, {manifest.entries} ends at {last:,}"
        check.findings.add("MALFORMED", last, detail=detail)
    _compare_files(bundle, manifest, check, contents)
    return check


def _require_key(origin: str, keys: Sequence[Key], what: str) -> None:
    if not any(key.kind == 1 and key.name == origin for key in keys):
        names = ", ".join(map(str, keys)) or "none"
        raise Malformed(f"{what} says it is the log {origin!r}; the keys you gave are for: {names}")


def _add_stored(bundle: Bundle, manifest: Manifest, check: Check) -> None:
    for name in sorted(manifest.files):
        if name.startswith("checkpoints/"):
            try:
                check.add_checkpoint(bundle.read(name, MAX_NOTE), name)
            except Malformed as error:
                check.findings.add("CKPT_BAD_SIG", detail=str(error))


def _compare_files(bundle: Bundle, manifest: Manifest, check: Check, contents: dict[str, tuple[int, str]]) -> None:
    if manifest.entries not in manifest.files:
        raise Malformed(f"manifest.json does not list {manifest.entries}")
    for name, promised in sorted(manifest.files.items()):
        if name not in contents:
            raw = bundle.read(name, MAX_MANIFEST)
            contents[name] = len(raw), hashlib.sha256(raw).hexdigest()
        if contents[name] != promised:
            detail = f"{name} is not the file that was exported (its length or SHA-256 is not the one in manifest.json)"
            check.findings.add("MALFORMED", detail=detail)


# --- the proof of one entry -------------------------------------------------------------------------------------------


class ProofReport(Report):
    """The result of checking a single entry."""

    size = 0
    summary = ""

    @property
    def conclusion(self) -> str:
        if self.exit == OK:
            return f"VERIFIED. This entry is as it was written, one of the {self.size:,} that were signed together."
        if self.exit == TAMPERED:
            return "TAMPERED. This entry, or its proof, is not as it was written and signed."
        return super().conclusion

    def lines(self) -> Iterator[str]:
        yield f"Log {self.origin}, key {', '.join(self.keys)}"
        yield f"Entry {self.first:,}: {self.summary or 'gone'}"
        for finding in self.findings:
            yield ""
            yield finding.sentence()
            yield f"    {finding.kind} at {finding.position or '-'}"
        yield ""
        yield self.conclusion


def verify_proof(
    path: Path,
    *,
    keys: Sequence[Key],
    witnesses: Sequence[Key] = (),
    need: int = 0,
    held_checkpoints: Sequence[Path] = (),
) -> ProofReport:
    """Check the proof of one entry against trusted keys. Raises Malformed."""
    proof, entry = _read_proof(path)
    _require_key(proof["origin"], keys, "the proof")
    seq, leaf, header, salt, body = entry
    check = Check(
        origin=proof["origin"], log=proof["log"], keys=keys, witnesses=witnesses, need=need, first=seq,
        start_hashes=[bytes(32)] * bin(seq - 1).count("1"),
    )  # fmt: skip
    check.prev, check.whole = None, False  # one entry: no chain, and a tree only along its path
    check.add_checkpoint(proof["checkpoint"].encode(), "the checkpoint in the proof")
    size = max(check.targets, default=0)
    for note in held_checkpoints:
        check.add_checkpoint(normalise_note(_read(note)), str(note), is_held=True)
    check.feed(seq, leaf, header, salt, body)
    if check.missing.pop("BODY_MISSING"):
        check.findings.add("UNCHECKED", seq, detail="the details are not in the proof; an export tells who erased them")
    if check.missing.pop("ENTRY_MISSING"):
        check.findings.add("UNCHECKED", seq, detail="the entry is gone; an export tells who retired it")
    root = _climb(leaf, seq - 1, size, [_hex(sibling, 32) for sibling in proof["path"]])
    for checkpoint in check.targets.get(size, ()):
        if checkpoint.root == root:
            check.good.append(checkpoint)
        elif not check.findings.keys() & {"FORK", "ENTRY_MODIFIED"}:
            check.findings.add(
                "ROOT_MISMATCH", seq, detail="the entry is not one of those that were signed"
            ).first_bad = size
    for other in sorted(check.targets.keys() - {size}):
        check.findings.add(
            "UNCHECKED",
            seq,
            detail=f"your checkpoint covers {other:,} entries, the proof's {size:,}; ask for a proof of that size",
        )
    covered = any(check._is_trusted(checkpoint) for checkpoint in check.good)
    if not covered and all(finding.status != TAMPERED for finding in check.findings.values()):
        check.findings.add("UNWITNESSED" if check.good else "UNSEALED", seq)
    report = ProofReport(check, seq, seq if covered else seq - 1, [])
    report.size = size
    report.summary = _describe_header(header or b"")
    return report


def _describe_header(header: bytes) -> str:
    try:
        fields = _parse(header.decode())
        return f"{fields['action']}, {fields['outcome']}, by {fields['actor']} ({fields['actor_role']}), recorded {fields['recorded']}"
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""


def verify_consistency(path: Path, *, keys: Sequence[Key], witnesses: Sequence[Key] = ()) -> tuple[int, str]:
    """Check the proof that one checkpoint continues another; return the exit status and a sentence. Raises Malformed."""
    proof = _read_json(path)
    try:
        texts = proof["old"], proof["new"]
        path_hashes = [_hex(sibling, 32) for sibling in proof["path"]]
        old, new = (
            open_checkpoint(text.encode(), name, False, keys, witnesses)
            for text, name in zip(texts, ("the old", "the new"))
        )
    except BadSignature as error:
        return TAMPERED, f"TAMPERED. {error}."
    except (KeyError, TypeError, AttributeError, UnicodeError) as error:
        raise Malformed(f"{path} is not the proof of two checkpoints: {error}") from error
    if old.origin == new.origin and _continues(old, new, path_hashes):
        return (
            OK,
            f"VERIFIED. The {new.size:,} entries of {new.origin} begin with the {old.size:,} that were signed before.",
        )
    return (
        TAMPERED,
        f"TAMPERED. Nothing shows that {new.size:,} entries of {new.origin} continue {old.size:,} of {old.origin}: FORK.",
    )


def _continues(old: Checkpoint, new: Checkpoint, path: Sequence[bytes]) -> bool:
    """Return whether a path proves that a tree begins with another (RFC 9162, 2.1.4.2)."""
    if old.size in (new.size, 0):
        return old.size <= new.size and not path and (old.size == 0 or old.root == new.root)
    if old.size > new.size:
        return False
    hashes = list(path)
    if old.size & (old.size - 1) == 0:
        hashes.insert(0, old.root)
    if not hashes:
        return False
    node, last = old.size - 1, new.size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if node & 1 or node == last:
            first = hashlib.sha256(b"\x01" + sibling + first).digest()
            second = hashlib.sha256(b"\x01" + sibling + second).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            second = hashlib.sha256(b"\x01" + second + sibling).digest()
        node, last = node >> 1, last >> 1
    return last == 0 and first == old.root and second == new.root


def _read_json(path: Path) -> Any:
    raw = _read(path)
    try:
        return read_canonical(raw.decode().rstrip("\n"))
    except UnicodeError as error:
        raise Malformed(f"{path} is not text") from error


def is_consistency(path: Path) -> bool:
    """Return whether this is the proof that one checkpoint continues another."""
    try:
        with path.open("rb") as source:
            return CONSISTENCY_FORMAT.encode() in source.read(100)
    except OSError:
        return False


def _read_proof(path: Path) -> tuple[dict[str, Any], tuple[int, bytes, bytes | None, bytes | None, bytes | None]]:
    try:
        with path.open("rb") as source:
            raw = source.read(MAX_LINE + 1)
        if len(raw) > MAX_LINE:
            raise Malformed(f"{path} is too long to be the proof of one entry")
        proof = read_canonical(raw.decode().rstrip("\n"))
        texts = proof["format"], proof["origin"], proof["log"], proof["checkpoint"]
        if texts[0] != PROOF_FORMAT or not all(isinstance(text, str) for text in texts) or len(proof["path"]) > 64:
            raise Malformed(f"{path} does not say format {PROOF_FORMAT}")
        line = _encode(proof["entry"]).encode() + b"\n"
    except OSError as error:
        raise Malformed(f"{path} cannot be read: {error.strerror}") from error
    except (KeyError, TypeError, UnicodeError, RecursionError) as error:
        raise Malformed(f"{path} is not the proof of an entry: {error}") from error
    return proof, _parse_entry(line)


def _climb(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """Return the root to which a path leads from a leaf (RFC 9162, 2.1.3.2).

    None for a wrong length.
    """
    node, last = index, size - 1
    if not 0 <= node <= last:
        return None
    for sibling in path:
        if last == 0:
            return None
        if node & 1 or node == last:
            leaf = hashlib.sha256(b"\x01" + sibling + leaf).digest()
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            leaf = hashlib.sha256(b"\x01" + leaf + sibling).digest()
        node, last = node >> 1, last >> 1
    return leaf if last == 0 else None


def is_proof(path: Path) -> bool:
    """Return whether this is the proof of one entry rather than a bundle."""
    try:
        with path.open("rb") as source:
            return source.read(1) == b"{"
    except OSError:
        return False


# --- watching from outside --------------------------------------------------------------------------------------------

Fetch = Callable[[str], bytes]


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirection is an error: what is watched is at the address that was given."""

    def redirect_request(self, *_: Any) -> None:
        return None


def fetch_from(url: str, token: str = "") -> Fetch:
    """Return a function that reads a file below an http(s) address, at most MAX_NOTE bytes of it.

    A partial tile that is no longer there is cut from the full one that took its place.
    """
    if not re.match("https?://", url):
        raise Malformed("the address to watch begins with http:// or https://")
    opener = urllib.request.build_opener(_NoRedirects)
    opener.addheaders = [("Authorization", f"Bearer {token}")] if token else []

    def fetch(path: str) -> bytes:
        try:
            with opener.open(f"{url.rstrip('/')}/{path}", timeout=30) as answer:
                content: bytes = answer.read(MAX_NOTE + 1)
        except urllib.error.HTTPError as error:
            whole, partial, width = path.partition(".p/")
            if error.code != 404 or not partial:
                raise
            content = fetch(whole)[: 32 * int(width)]
        if len(content) > MAX_NOTE:
            raise Malformed(f"{path} is too long")
        return content

    return fetch


def _tile_path(level: int, index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    name = "/".join([*("x" + part for part in parts[:-1]), parts[-1]])
    return f"tile/{level}/{name}" + (f".p/{width}" if width < 256 else "")


def root_from_tiles(fetch: Fetch, size: int, total: int) -> bytes:
    """Return the root of the first `size` entries from the hash tiles (C2SP tlog-tiles) of a log of `total`.

    Reads one tile for each perfect subtree. Raises Malformed for a tile that is too short.
    """
    edge, first = [], 0
    for height in range(size.bit_length() - 1, -1, -1):
        if not size >> height & 1:
            continue
        level, span = height // 8, 1 << height % 8
        at = first >> 8 * level
        tile, offset = divmod(at, 256)
        width = min(256, (total >> 8 * level) - 256 * tile)
        content = fetch(_tile_path(level, tile, width))
        if len(content) != 32 * width:
            raise Malformed(f"the tile {tile} of level {level} has {len(content)} bytes, not {32 * width}")
        row = [content[32 * number : 32 * number + 32] for number in range(offset, offset + span)]
        while len(row) > 1:
            row = [hashlib.sha256(b"\x01" + row[n] + row[n + 1]).digest() for n in range(0, len(row), 2)]
        edge.append(row[0])
        first += 1 << height
    return Edge(size, edge).root()


@dataclass(frozen=True)
class Cosigner:
    """The private key of a witness: its name and its seed of 32 bytes."""

    name: str
    seed: bytes = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Cosigner:
        """Read a file with PRIVATE+KEY+name+key id+base64(4 || seed). Raises Malformed."""
        try:
            text = _read(path).decode("ascii").strip()
        except UnicodeDecodeError as error:
            raise Malformed(f"{path} holds no private key of a witness") from error
        match = re.fullmatch(r"PRIVATE\+KEY\+([^+\s]+)\+[0-9a-f]{8}\+(.+)", text)
        material = _unbase64(match[2]) if match else b""
        if not match or len(material) != 33 or material[0] != 4:
            raise Malformed(f"{path} holds no private key of a witness")
        return cls(match[1], material[1:])

    @property
    def key(self) -> Key:
        return Key(self.name, 4, sign_ed25519(self.seed, b"")[0])

    def private_text(self) -> str:
        """Return the text of a key file."""
        material = base64.b64encode(b"\x04" + self.seed).decode()
        return f"PRIVATE+KEY+{self.name}+{self.key.key_id.hex()}+{material}"

    def cosign(self, note: bytes, now: dt.datetime) -> str:
        """Return the line of a cosignature/v1 on a checkpoint."""
        body, seconds = note.rpartition(b"\n\n")[0] + b"\n", int(now.timestamp())
        public, signature = sign_ed25519(self.seed, f"cosignature/v1\ntime {seconds}\n".encode() + body)
        raw = Key(self.name, 4, public).key_id + struct.pack(">Q", seconds) + signature
        return f"— {self.name} {base64.b64encode(raw).decode()}\n"


def make_witness_key(path: Path, name: str) -> str:
    """Write a new private key to a file that only its owner reads; return the public one. Raises Malformed."""
    if not name or "+" in name or any(char.isspace() for char in name):
        raise Malformed("give the witness a --name without spaces and plus signs, such as the address of its house")
    cosigner = Cosigner(name, os.urandom(32))
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as stream:
            stream.write(cosigner.private_text() + "\n")
    except (OSError, UnicodeEncodeError) as error:
        raise Malformed(f"{path} cannot be written: {error}") from error
    return cosigner.key.vkey()


def watch(
    fetch: Fetch,
    state: Path,
    *,
    keys: Sequence[Key],
    now: dt.datetime,
    quiet_hours: float = HEARTBEAT_HOURS,
    witnesses: Sequence[Key] = (),
    need: int = 0,
    cosigner: Cosigner | None = None,
) -> tuple[int, str]:
    """Compare a published log with what was seen of it before, and remember what is seen now, countersigned by `cosigner`.

    Return the exit status and a sentence. Raises Malformed for what is not such a log.
    """
    before = _read_json(state) if state.exists() else None
    try:
        seen = open_checkpoint(before["note"].encode(), str(state), True, keys, []) if before else None
        last_seen = _parse_time(before["seen"]) if before else now
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Malformed(f"{state} is not what was seen of this log before: {error}") from error
    when = f"; {seen.size:,} entries were seen on {before['seen']}" if seen and before else ""
    try:
        note = fetch("checkpoint")
        checkpoint = open_checkpoint(note, "its checkpoint", False, keys, witnesses)
        finding = _compare_with_seen(fetch, checkpoint, seen)
    except BadSignature as error:
        return TAMPERED, f"TAMPERED. CKPT_BAD_SIG: {error}."
    except (OSError, KeyError) as error:
        gone = isinstance(error, urllib.error.HTTPError) and error.code in (404, 410)
        return INCOMPLETE, f"INCOMPLETE. {'GONE' if gone else 'SILENT'}: the log cannot be read{when}: {error}."
    if finding:
        # The other history, signed by the log's key, is the proof; what was seen stays as it is.
        _replace(state.with_name(f"{state.name}.{checkpoint.size}.other"), note)
        return TAMPERED, f"TAMPERED. {finding}."
    if seen is None or seen.size < checkpoint.size:
        is_cosigned = cosigner is not None and f"\n— {cosigner.name} ".encode() in note
        kept = note + (cosigner.cosign(note, now).encode() if cosigner and not is_cosigned else b"")
        moment = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        _replace(state, _encode({"note": kept.decode(), "seen": moment}).encode() + b"\n")
        _replace(state.with_name(state.name + ".checkpoint"), kept)
    elif now - last_seen > dt.timedelta(hours=quiet_hours):
        return INCOMPLETE, f"INCOMPLETE. STALE: nothing was signed{when}."
    if len(checkpoint.witnesses) < need:
        return INCOMPLETE, f"INCOMPLETE. UNWITNESSED: {len(checkpoint.witnesses)} of the {need} witnesses signed."
    return OK, f"VERIFIED. {checkpoint.origin} has {checkpoint.size:,} entries" + (
        f" and continues the {seen.size:,} that were seen before." if seen else ", seen for the first time."
    )


def _compare_with_seen(fetch: Fetch, checkpoint: Checkpoint, seen: Checkpoint | None) -> str:
    """Return how a published checkpoint contradicts its tiles or what was seen before; "" where it does not."""
    if seen and seen.origin != checkpoint.origin:
        return f"WRONG_LOG: this was the log {seen.origin}; now it is {checkpoint.origin}"
    if seen and checkpoint.size < seen.size:
        return f"TRUNCATED: {seen.size:,} entries were signed, and the log shows {checkpoint.size:,}"
    if seen and checkpoint.size == seen.size and checkpoint.root != seen.root:
        return f"FORK: two roots were signed for {seen.size:,} entries"
    if root_from_tiles(fetch, checkpoint.size, checkpoint.size) != checkpoint.root:
        return f"ROOT_MISMATCH: the {checkpoint.size:,} entries do not give the root that was signed"
    if seen and root_from_tiles(fetch, seen.size, checkpoint.size) != seen.root:
        return f"FORK: these {checkpoint.size:,} entries do not continue the {seen.size:,} that were seen"
    return ""


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole and flushed, or leave what is there."""
    fresh = path.with_name(path.name + ".new")
    with fresh.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    fresh.replace(path)


def watch_logs(options: argparse.Namespace, witnesses: Sequence[Key]) -> int:
    """Watch the log at an address, or at one with {log} in it every log of the keys; print a sentence each.

    Where something is wrong, run the command of --alert with the sentences. Return the worst exit status.
    """
    keys, now = read_keys(options.vkey, 1), dt.datetime.now(dt.timezone.utc)
    cosigner = Cosigner.read(options.witness_key) if options.witness_key else None
    token = _read(options.token).decode("ascii", "replace").strip() if options.token else ""
    names = sorted({key.name for key in keys}) if "{log}" in options.watch else [""]
    if names != [""]:
        options.state.mkdir(parents=True, exist_ok=True)
    outcomes: list[tuple[int, str]] = []
    for name in names:
        part = name.rpartition("/")[2]
        state = options.state / f"{part}.json" if name else options.state
        own = [key for key in keys if not name or key.name == name]
        try:
            status, sentence = watch(
                fetch_from(options.watch.replace("{log}", part), token), state, keys=own, now=now,
                quiet_hours=options.heartbeat or HEARTBEAT_HOURS, witnesses=witnesses, need=options.policy, cosigner=cosigner,
            )  # fmt: skip
        except Malformed as error:
            status, sentence = UNREADABLE, f"UNREADABLE. Nothing can be concluded: {error}."
        outcomes.append((status, sentence if not name else f"{name}: {sentence}"))
    alarms = [sentence for status, sentence in outcomes if status]
    for status, sentence in outcomes:
        _report_sentence(status, sentence, options.json)
    if alarms and options.alert:
        _alert(options.alert, "".join(f"{_printable(sentence)}\n" for sentence in alarms))
    statuses = {status for status, _ in outcomes}
    return next((status for status in (TAMPERED, UNREADABLE, INCOMPLETE) if status in statuses), OK)


def _alert(command: str, text: str) -> None:
    """Run a command, not through a shell, with the alarms as its input."""
    try:
        done = subprocess.run(shlex.split(command), input=text, text=True, timeout=60, check=False)  # noqa: S603 - the caller's own
        trouble = f"ended with status {done.returncode}" if done.returncode else ""
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        trouble = f"could not be run ({type(error).__name__})"
    if trouble:
        print(f"The command of --alert {trouble}: nobody may have been told.", file=sys.stderr)


# --- the command -----------------------------------------------------------------------------------------------------


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as source:
            raw = source.read(MAX_NOTE + 1)
    except OSError as error:
        raise Malformed(f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > MAX_NOTE:
        raise Malformed(f"{path} is too long to be a key, checkpoint or receipt list")
    return raw


def read_keys(path: Path, kind: int) -> list[Key]:
    """Return the keys in a file, one a line.

    Empty lines and lines that begin with # are skipped.
    """
    keys = []
    try:
        text = _read(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Malformed(f"{path} is not text") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("#"):
            try:
                keys.append(Key.parse(line.strip()))
            except Malformed as error:
                raise Malformed(f"{path}, line {number}: {error}") from error
    if not keys or any(key.kind != kind for key in keys):
        raise Malformed(f"{path} must hold {'log' if kind == 1 else 'witness'} keys (type {kind}), one a line")
    return keys


def _read_receipts(path: Path) -> list[tuple[int, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(_read(path).decode("utf-8-sig"))))
        receipts = [(int(row["seq"]), row["leaf"].strip().lower()) for row in rows]
    except (KeyError, TypeError, ValueError, AttributeError, csv.Error) as error:
        raise Malformed(f"{path} is not a CSV file with the columns seq and leaf") from error
    for seq, prefix in receipts:
        if seq < 1 or not re.fullmatch("[0-9a-f]{8,64}", prefix):
            raise Malformed(f"{path}: receipt {seq} needs at least 8 hexadecimal digits of its leaf")
    return receipts


def _parse_policy(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]?)(?:-of-[1-9][0-9]?)?", text)
    if not match:
        raise argparse.ArgumentTypeError("a policy is a number of witnesses, such as 2 or 2-of-3")
    return int(match[1])


def _parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="verify.py", description="Check an exported audit log against a key that you hold."
    )
    parser.add_argument("bundle", type=Path, nargs="?", help="zip file or folder, or the proof of one entry")
    parser.add_argument(
        "--watch",
        metavar="URL",
        help="instead: a log published as tiles (C2SP tlog-tiles); {log} stands for each log of --vkey",
    )
    parser.add_argument(
        "--state", type=Path, help="with --watch: your own file with what was seen before; with {log}, a folder"
    )
    parser.add_argument("--token", type=Path, help="with --watch: file with the token that the address asks for")
    parser.add_argument(
        "--alert", metavar="COMMAND", help="with --watch: run this when something is wrong, the words on its input"
    )
    parser.add_argument(
        "--witness-key", type=Path, help="with --watch: your private key; what is seen is countersigned with it"
    )
    parser.add_argument(
        "--new-witness-key", type=Path, metavar="FILE", help="instead: make such a key, print its public half"
    )
    parser.add_argument("--name", default="", help="with --new-witness-key: the name of the witness")
    parser.add_argument("--vkey", type=Path, help="file with the log's key, from your own records")
    parser.add_argument("--witness-vkey", type=Path, help="file with the keys of witnesses, one a line")
    parser.add_argument(
        "--policy", type=_parse_policy, default=0, metavar="K-of-N", help="witnesses a checkpoint needs"
    )
    parser.add_argument(
        "--retention-vkey", type=Path, help="file with the keys of the people who may authorise erasure, one a line"
    )
    parser.add_argument("--checkpoint", type=Path, action="append", default=[], help="a checkpoint that you hold")
    parser.add_argument("--receipts", type=Path, help="CSV of printed receipts: seq,leaf")
    parser.add_argument(
        "--successor", type=Path, action="append", default=[], metavar="BUNDLE",
        help="a log that continues this one and may authorise what is missing here; its key belongs into --vkey as well",
    )  # fmt: skip
    parser.add_argument("--heartbeat", type=float, metavar="HOURS", help="report silences longer than this")
    parser.add_argument(
        "--strict", action="store_true", help="also: bodies in canonical form, no id twice, heartbeat, held evidence"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of sentences")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return the exit status."""
    with contextlib.suppress(AttributeError, ValueError):
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a terminal that cannot show a letter
    options = _parse_arguments(argv)
    try:
        witnesses = read_keys(options.witness_vkey, 4) if options.witness_vkey else []
        if options.policy > len({key.name for key in witnesses}):
            raise Malformed("the policy asks for more witnesses than --witness-vkey names")
        if options.new_witness_key:
            print(make_witness_key(options.new_witness_key, options.name))
            return OK
        if (options.watch is None) == (options.bundle is None) or (options.watch is None) != (options.state is None):
            raise Malformed("give a bundle, or --watch with --state")
        if options.vkey is None:
            raise Malformed("give --vkey, a file with the log's key from your own records")
        if options.watch:
            return watch_logs(options, witnesses)
        if is_consistency(options.bundle):
            keys = read_keys(options.vkey, 1)
            return _report_sentence(*verify_consistency(options.bundle, keys=keys, witnesses=witnesses), options.json)
        report = (
            _check_proof(options, witnesses)
            if is_proof(options.bundle)
            else verify_bundle(
                options.bundle,
                keys=read_keys(options.vkey, 1),
                witnesses=witnesses,
                need=options.policy,
                retention=read_keys(options.retention_vkey, 1) if options.retention_vkey else [],
                held_checkpoints=options.checkpoint,
                receipts=options.receipts,
                strict=options.strict,
                heartbeat_hours=options.heartbeat,
                successors=options.successor,
                progress=_progress if sys.stderr.isatty() else None,
            )
        )
    except Malformed as error:
        return _report_unreadable(str(error), as_json=options.json)
    except Exception as error:  # the promise of this file: an answer, never a traceback
        return _report_unreadable(f"{type(error).__name__}: {error}", as_json=options.json)
    if options.json:
        print(json.dumps(report.as_json(), indent=2))
    else:
        for line in report.lines():
            print(_printable(line))
    return report.exit


def _report_sentence(status: int, sentence: str, as_json: bool) -> int:
    print(_printable(json.dumps({"exit": status, "conclusion": sentence}) if as_json else sentence))
    return status


def _check_proof(options: argparse.Namespace, witnesses: Sequence[Key]) -> Report:
    if options.receipts or options.successor or options.strict or options.heartbeat:
        raise Malformed("the proof of one entry is checked with --vkey, --checkpoint, --witness-vkey and --policy only")
    keys = read_keys(options.vkey, 1)
    return verify_proof(
        options.bundle, keys=keys, witnesses=witnesses, need=options.policy, held_checkpoints=options.checkpoint
    )


def _report_unreadable(why: str, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"tool": f"verify {VERSION}", "exit": UNREADABLE, "conclusion": "UNREADABLE", "why": why}))
    else:
        print(_printable(f"UNREADABLE. Nothing can be concluded: {why}"), file=sys.stderr)
    return UNREADABLE


def _printable(line: str) -> str:
    """Replace control characters, so that a bundle cannot steer the terminal."""
    return "".join(char if unicodedata.category(char)[0] != "C" else "?" for char in line)


def _progress(count: int) -> None:
    print(f"\r{count:,} entries", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
