"""Statements that details may be erased or old entries retired, signed by two people outside the application.

A statement is a note (FORMAT.md, 8): its form, one line of canonical JSON, an empty line, signatures. The keys of those who
may sign are in files that no server reads; their public halves are in the setting `audit_retention_vkeys` and with every auditor.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dispensary.audit.evidence import verify
from dispensary.audit.log.canonical import canonical, plain
from dispensary.audit.log.database import LogRow
from dispensary.audit.sealing import notes
from dispensary.conf import conf
from dispensary.errors import InvalidInput, Problem

Ranges = list[list[int]]


def retention_keys() -> list[verify.Key]:
    """Return the public keys of those who may authorise here; none where no setting names them. Raises verify.Malformed."""
    path = conf().audit_retention_vkeys
    return verify.read_keys(Path(path), 1) if path else []


def group_ranges(seqs: Sequence[int]) -> Ranges:
    """Return numbers as ranges, in order.

    >>> group_ranges([7, 3, 4, 5])
    [[3, 5], [7, 7]]
    """
    ranges: Ranges = []
    for seq in sorted(set(seqs)):
        if ranges and ranges[-1][1] == seq - 1:
            ranges[-1][1] = seq
        else:
            ranges.append([seq, seq])
    return ranges


def write_statement(action: str, logs: Sequence[tuple[LogRow, Ranges]], *, now: dt.datetime, **facts: Any) -> str:
    """Return the note of a statement that nobody has signed yet.

    `facts` are its other keys: basis, by, second, and what a retirement needs.
    """
    document = {
        **facts,
        "action": action,
        "logs": [{"log": log.log_id, "ranges": ranges} for log, ranges in logs],
        "made": now,
        "origins": [log.origin for log, _ in logs],
    }
    return f"{verify.AUTHORITY_FORMAT}\n{canonical(plain(document))}\n\n"


def add_signature(note: str, key: notes.SignerKey) -> str:
    """Return the note with one more signature, by `key`. Raises BadNote."""
    return note + key.sign(note.rpartition("\n\n")[0] + "\n")


def open_statement(note: str, action: str) -> Mapping[str, Any]:
    """Return a statement that two people signed with this site's retention keys.

    Raises InvalidInput for one that does not authorise, or says another action.
    """
    try:
        keys = retention_keys()
        statement = verify.open_authority(note, keys)
        if statement["action"] != action:
            raise verify.Malformed(f"it says {statement['action']}, not {action}")
        for part in statement["logs"]:
            why = verify.doubt_authority(note, keys, action=action, log=part["log"], ranges=part["ranges"])
            if why:
                raise verify.Malformed(why)
    except (verify.Malformed, verify.BadSignature, KeyError, TypeError) as error:
        raise InvalidInput(
            f"This is not authorised: {error}.",
            Problem(
                "authority", str(error), "a statement with two signatures", "Let two people run `audit authorise sign`."
            ),
        ) from error
    return statement
