"""Signed notes and checkpoints in the formats of C2SP.

A note is text, an empty line, and signature lines (c2sp.org/signed-note). A checkpoint is a note whose text has three
lines: origin, size, root (c2sp.org/tlog-checkpoint). A cosignature is a witness's signature with its time on the same
text (c2sp.org/tlog-cosignature, Ed25519). Keys are written the way Go's ``sumdb/note`` writes them.
"""

import base64
import binascii
import dataclasses
import datetime as dt
import hashlib
import re
import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

MAX_NOTE_BYTES = 1 << 20
MAX_SIGNATURES = 100
_SIGNATURE_PREFIX = "\N{EM DASH} "
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class BadNote(ValueError):
    """A note, key or checkpoint that is malformed, or whose signature does not hold."""


class KeyKind(IntEnum):
    """The signature type byte of C2SP."""

    NOTE = 0x01
    COSIGNATURE = 0x04


@dataclasses.dataclass(frozen=True, slots=True)
class VerifierKey:
    """A signer's name and public key; its text form (vkey) is what an auditor keeps."""

    name: str
    kind: KeyKind
    public: bytes

    @classmethod
    def parse(cls, vkey: str) -> Self:
        """Read ``name+keyid+base64(kind || public key)``."""
        name, key_id, encoded = _key_parts(vkey.strip(), 3)
        kind, public = _key_material(encoded)
        key = cls(name, kind, public)
        if key.key_id.hex() != key_id:
            raise BadNote(f"the key id of {name} does not belong to its key")
        return key

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256(name || newline || kind || public key)."""
        return hashlib.sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    def holds(self, text: str, signature: bytes) -> bool:
        """Return whether the signature (without key id) is this key's on the text."""
        message = text.encode()
        if self.kind is KeyKind.COSIGNATURE:
            if len(signature) != 72:
                return False
            (seconds,) = struct.unpack(">Q", signature[:8])
            message, signature = _cosigned(text, seconds), signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclasses.dataclass(frozen=True, slots=True)
class SignerKey:
    """A private key with its name.

    Its text form stays in one file that only the sealer (or the witness) reads.
    """

    name: str
    kind: KeyKind
    seed: bytes = dataclasses.field(repr=False)

    @classmethod
    def generate(cls, name: str, kind: KeyKind = KeyKind.NOTE) -> Self:
        """Return a new key; the name of a log's key is the log's origin."""
        _check_name(name)
        seed = Ed25519PrivateKey.generate().private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        return cls(name, kind, seed)

    @classmethod
    def parse(cls, skey: str) -> Self:
        """Read ``PRIVATE+KEY+name+keyid+base64(kind || seed)``."""
        private, word, name, key_id, encoded = _key_parts(skey.strip(), 5)
        if (private, word) != ("PRIVATE", "KEY"):
            raise BadNote("a private key begins with PRIVATE+KEY+")
        kind, seed = _key_material(encoded)
        key = cls(name, kind, seed)
        if key.verifier.key_id.hex() != key_id:
            raise BadNote(f"the key id of {name} does not belong to its key")
        return key

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        public = self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return VerifierKey(self.name, self.kind, public)

    def export(self) -> str:
        """The secret text form, for the key file."""
        material = base64.b64encode(bytes([self.kind]) + self.seed).decode()
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{material}"

    def named(self, name: str) -> Self:
        """Return the same secret under the name of another log."""
        _check_name(name)
        return dataclasses.replace(self, name=name)

    def sign(self, text: str) -> str:
        """The signature line on a note's text."""
        if self.kind is not KeyKind.NOTE:
            raise BadNote("a witness key cosigns, it does not sign notes")
        return self._line(self._private.sign(_checked_text(text).encode()))

    def cosign(self, text: str, at: dt.datetime) -> str:
        """Return the cosignature/v1 line on a checkpoint's text, with this time."""
        if self.kind is not KeyKind.COSIGNATURE:
            raise BadNote("a log key signs notes, it does not cosign")
        seconds = int(at.timestamp())
        Checkpoint.parse(text)
        return self._line(struct.pack(">Q", seconds) + self._private.sign(_cosigned(text, seconds)))

    @property
    def _private(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    def _line(self, signature: bytes) -> str:
        return f"{_SIGNATURE_PREFIX}{self.name} {base64.b64encode(self.verifier.key_id + signature).decode()}\n"


@dataclasses.dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, not verified yet."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def cosigned_at(self) -> dt.datetime:
        """The time inside a cosignature."""
        (seconds,) = struct.unpack(">Q", self.signature[:8])
        return dt.datetime.fromtimestamp(seconds, dt.UTC)


@dataclasses.dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first ``size`` entries of the log ``origin`` have this Merkle root."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """Three lines, the bytes that are signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text of a note.

        Extension lines are refused because this log never writes any.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:
            raise BadNote("a checkpoint has exactly three lines: origin, size, root")
        if not _SIZE.fullmatch(lines[1]):
            raise BadNote("the size of a checkpoint is a whole number without leading zeros")
        root = _unbase64(lines[2])
        if len(root) != 32:
            raise BadNote("the root of a checkpoint is 32 bytes")
        return cls(lines[0], int(lines[1]), root)


def sign_checkpoint(checkpoint: Checkpoint, *signers: SignerKey) -> str:
    """The signed note of a checkpoint."""
    return sign(checkpoint.text, *signers)


def sign(text: str, *signers: SignerKey) -> str:
    """A note: text, empty line, one signature line for each signer."""
    return _checked_text(text) + "\n" + "".join(signer.sign(text) for signer in signers)


def split(note: str) -> tuple[str, list[Signature]]:
    """Text and signature lines of a note, checked for form only."""
    if len(note.encode()) > MAX_NOTE_BYTES or _CONTROL.search(note):
        raise BadNote("a note is text below 1 MiB without control characters")
    head, gap, tail = note.rpartition("\n\n")
    if not gap or not tail.endswith("\n"):
        raise BadNote("a note is text, an empty line and signature lines, each ended by a newline")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise BadNote(f"a note has at most {MAX_SIGNATURES} signatures")
    return head + "\n", [_signature(line) for line in lines]


def open_note(note: str, keys: Iterable[VerifierKey]) -> tuple[str, dict[VerifierKey, Signature]]:
    """The text of a note and the known keys that signed it.

    Lines of unknown keys are passed over. A line of a known key that does not verify rejects the whole note, and so
    does a note that no known key signed.
    """
    text, signatures = split(note)
    trusted = {(key.name, key.key_id): key for key in keys}
    verified: dict[VerifierKey, Signature] = {}
    for signature in signatures:
        key = trusted.get((signature.name, signature.key_id))
        if key is None or key in verified:
            continue
        if not key.holds(text, signature.signature):
            raise BadNote(f"the signature of {key.name} does not hold")
        verified[key] = signature
    if not verified:
        raise BadNote("no known key signed this note")
    return text, verified


def open_checkpoint(note: str, keys: Iterable[VerifierKey]) -> Checkpoint:
    """The checkpoint of a note that one of the keys signed under the log's own name."""
    text, signatures = open_note(note, keys)
    checkpoint = Checkpoint.parse(text)
    if not any(key.kind is KeyKind.NOTE and key.name == checkpoint.origin for key in signatures):
        raise BadNote(f"no key named {checkpoint.origin} signed this checkpoint")
    return checkpoint


def add_signature(note: str, line: str) -> str:
    """The note with one more signature line (a cosignature, say)."""
    split(note)
    _signature(line.removesuffix("\n"))
    return note + line


def _cosigned(text: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{text}".encode()


def _checked_text(text: str) -> str:
    if not text.endswith("\n") or _CONTROL.search(text):
        raise BadNote("the text of a note ends with a newline and has no control characters")
    return text


def _signature(line: str) -> Signature:
    name, gap, encoded = line.removeprefix(_SIGNATURE_PREFIX).partition(" ")
    if not line.startswith(_SIGNATURE_PREFIX) or not gap:
        raise BadNote("a signature line is an em dash, a name and base64")
    _check_name(name)
    raw = _unbase64(encoded)
    if len(raw) < 5:
        raise BadNote("a signature is longer than its key id")
    return Signature(name, raw[:4], raw[4:])


def _check_name(name: str) -> None:
    if not name or "+" in name or any(char.isspace() for char in name):
        raise BadNote("a key name is not empty and has no spaces and no plus sign")


def _key_parts(text: str, count: int) -> list[str]:
    parts = text.split("+", count - 1)
    if len(parts) != count:
        raise BadNote(f"a key has {count} parts joined by plus signs")
    _check_name(parts[count - 3])
    return parts


def _key_material(encoded: str) -> tuple[KeyKind, bytes]:
    raw = _unbase64(encoded)
    if len(raw) != 33 or raw[0] not in set(KeyKind):
        raise BadNote("a key is one type byte (1 or 4) and 32 bytes")
    return KeyKind(raw[0]), raw[1:]


def _unbase64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadNote("not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise BadNote("base64 in another than its one spelling")
    return raw
