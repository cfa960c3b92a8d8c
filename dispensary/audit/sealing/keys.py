"""The key that signs checkpoints, in a file for the sealer's account only.

Each log is signed under its own name, its origin. The text that an auditor keeps (the vkey) is printed once, when the
key is made, and belongs on paper in the pharmacy's file.
"""

from __future__ import annotations

import os
from pathlib import Path

from dispensary.audit.sealing.notes import BadNote, SignerKey, VerifierKey
from dispensary.conf import conf


class KeyTrouble(Exception):
    """The signing key is missing, readable by others, or no key.

    The message says what to do.
    """


def key_file() -> Path:
    """Return the path of the key. Raises KeyTrouble when no setting names it."""
    path = conf().audit_key_file
    if path is None:
        raise KeyTrouble(
            "No signing key is set: give DISPENSARY['audit_key_file'] (AUDIT_KEY_FILE) a path outside the database that only the sealer can read."
        )
    return Path(path)


def make_key(path: Path) -> SignerKey:
    """Make a new key and write it to a file of its own, mode 600.

    Raises KeyTrouble if there is one already.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = SignerKey.generate(conf().audit_origin)
    try:
        create_key_file(path, key)
    except FileExistsError as error:
        raise KeyTrouble(f"{path} exists already; a key is replaced with --rotate, never overwritten.") from error
    return key


def create_key_file(path: Path, key: SignerKey) -> None:
    """Write a private key to a new file that only its owner can read.

    Raises FileExistsError.
    """
    _write_keys(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), [key])


def read_keys(path: Path) -> list[SignerKey]:
    """Return the keys of a file, the one in force first.

    A second line is the key that is being rotated out.
    Raises KeyTrouble.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise KeyTrouble(
            f"The signing key {path} cannot be read ({error.strerror}); make one with `manage.py audit key`."
        ) from error
    if mode & 0o077:
        raise KeyTrouble(
            f"The signing key {path} can be read by others; `chmod 600` it, and rotate it if they may have."
        )
    try:
        keys = [SignerKey.parse(line) for line in text.splitlines() if line.strip()]
    except (BadNote, ValueError) as error:
        raise KeyTrouble(f"{path} holds no signing key: {error}") from error
    if not keys:
        raise KeyTrouble(f"{path} is empty.")
    return keys


def public_keys(path: Path, origin: str) -> list[VerifierKey]:
    """Return the public keys under a log's name."""
    return [key.named(origin).verifier for key in read_keys(path)]


def rotate_key(path: Path) -> tuple[SignerKey, SignerKey]:
    """Put a new key before the old one, so that both sign from now on.

    Return old and new.
    """
    keys = read_keys(path)
    if len(keys) > 1:
        raise KeyTrouble(f"{path} holds a replaced key already; end it with --drop-old first.")
    new = SignerKey.generate(conf().audit_origin)
    _replace(path, [new, keys[0]])
    return keys[0], new


def drop_old_keys(path: Path) -> None:
    """Keep the key in force only."""
    _replace(path, read_keys(path)[:1])


def _replace(path: Path, keys: list[SignerKey]) -> None:
    fresh = path.with_name(path.name + ".new")
    _write_keys(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), keys)
    fresh.replace(path)


def _write_keys(descriptor: int, keys: list[SignerKey]) -> None:
    with os.fdopen(descriptor, "w", encoding="ascii") as stream:
        stream.write("".join(key.export() + "\n" for key in keys))
        stream.flush()
        os.fsync(stream.fileno())
