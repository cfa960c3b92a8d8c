"""Makes the test vectors of the format. A released vector never changes; new ones are added.

Write them with ``python -m tests.dispensary.audit.evidence.make_vectors`` after adding some.
"""

import copy
import datetime as dt
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dispensary.audit.evidence import bundle
from dispensary.audit.log import canonical
from dispensary.audit.sealing import merkle, notes
from tests.dispensary.audit.logs import BEGAN, LOG_ID, SIGNER, WITNESSES, Log, line_of
from tests.dispensary.audit.signing import SIGNERS, statement

FOLDER = Path(__file__).parent / "vectors"

CANONICAL: dict[str, Any] = {
    "empty object": {},
    "keys in order of UTF-16 code units": {"\U00010000": 1, "\ue000": 2, "b": 3, "a": 4, "é": 5},
    "control characters": "\x01\x08\t\n\x0b\f\r\x1f\x7f",
    "quote and backslash": 'say "5 mg" \\ day',
    "separators and astral characters are not escaped": "\u2028\u2029\U0001f48a",
    "largest whole numbers": [2**53 - 1, -(2**53 - 1), 0],
    "nesting": {"b": [True, False, {"z": [], "a": {}}], "a": ""},
}
REFUSED = {
    "a float": "[1.5]",
    "a whole number with an exponent": "[1e2]",
    "minus zero": "[-0]",
    "beyond 2^53": "[9007199254740992]",
    "null": "[null]",
    "a key twice": '{"a":1,"a":1}',
    "keys out of order": '{"b":1,"a":2}',
    "a space": '{"a": 1}',
    "a needless escape": '["\\u0041"]',
    "an upper-case escape": '["\\u001F"]',
    "a lone surrogate": '["\\ud800"]',
    "NUL": '["\\u0000"]',
}
FULL: dict[str, Any] = {
    "action": "override.signed",
    "actor": "user:42",
    "actor_role": "pharmacist",
    "body_kind": 1,
    "corrects_seq": 3,
    "db_role": "dispensary_app",
    "drug_code": "M03BX01",
    "engine": "1.0.0",
    "entry_id": uuid.UUID("0190f5f6-1111-7111-8111-111111111111"),
    "log_id": LOG_ID,
    "occurred_at": dt.datetime(2026, 3, 29, 1, 59, 59, 999999, tzinfo=dt.UTC),
    "outcome": "success",
    "patient_ref": "0190f5f6-2222-7222-8222-222222222222",
    "reason_code": "prescriber-consulted",
    "recorded_at": dt.datetime(2026, 3, 29, 2, 0, 0, 1, tzinfo=dt.UTC),
    "request_id": "0190f5f6-3333-7333-8333-333333333333",
    "rule_codes": ["daily-maximum", "renal"],
    "ruleset": bytes(range(32)),
    "second_actor": "user:43",
    "station": 'counter "2" \\ Zoë 💊',
    "subject_id": "0190f5f6-4444-7444-8444-444444444444",
    "subject_type": "override",
    "txid": 2**53 - 1,
    "v": 1,
}
OPTIONAL = ("corrects_seq", "drug_code", "engine", "patient_ref", "reason_code", "request_id", "rule_codes", "ruleset",
            "second_actor", "station")  # fmt: skip


def vectors() -> dict[str, Any]:
    """File name -> content."""
    made = {"canonical": _canonical(), "entry": _entry(), "tree": _tree(), "note": _note()}
    bundles = {"bundle": _bundle(line_of), "bundle-2": _bundle(bundle.Entry.record)}
    return {**made, **bundles, "proof": _proof()}


def _canonical() -> dict[str, Any]:
    same = [
        {"name": name, "value": value, "canonical": canonical.canonical(value)} for name, value in CANONICAL.items()
    ]
    return {"same": same, "refused": [{"name": name, "text": text} for name, text in REFUSED.items()]}


def _entry() -> dict[str, Any]:
    salt, body = bytes(range(100, 132)), canonical.canonical({"by": "Ann Example", "words": "é ≥ 5 mg"})
    genesis = canonical.genesis(LOG_ID)
    least = {key: value for key, value in FULL.items() if key not in OPTIONAL}
    commit = canonical.body_commitment(salt, body)
    cases = []
    for name, columns, seq, prev in (
        ("every column", FULL, 7, bytes(range(32))),
        ("only what must be there", least, 1, genesis),
        ("empty is not null", least | {"station": "", "rule_codes": []}, 2, bytes(32)),
        (
            "the first moment that can be written",
            least | {"occurred_at": dt.datetime(1900, 1, 1, tzinfo=dt.UTC)},
            3,
            bytes(32),
        ),
    ):
        header = canonical.header({**columns, "body_commit": commit}, seq=seq, prev=prev)
        plain_columns = canonical.plain({**columns, "body_commit": commit})
        case = {"name": name, "columns": plain_columns, "seq": seq, "prev": prev.hex(), "header": header}
        cases.append({**case, "leaf": canonical.leaf(header).hex()})
    predecessor = notes.sign_checkpoint(notes.Checkpoint(SIGNER.name, 7, bytes(32)), SIGNER)
    return {
        "body": {"salt": salt.hex(), "body": body, "commitment": commit.hex()},
        "genesis": [
            {"log": str(LOG_ID), "predecessor": "", "genesis": genesis.hex()},
            {"log": str(LOG_ID), "predecessor": predecessor, "genesis": canonical.genesis(LOG_ID, predecessor).hex()},
        ],
        "entries": cases,
    }


def _tree() -> dict[str, Any]:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(11)]
    inclusion = [
        {
            "index": index,
            "size": size,
            "proof": [digest.hex() for digest in merkle.inclusion_proof(leaves[:size], index)],
        }
        for size, index in ((1, 0), (2, 1), (7, 6), (8, 0), (11, 4), (11, 10))
    ]
    consistency = [
        {"old": old, "new": new, "proof": [digest.hex() for digest in merkle.consistency_proof(leaves[:new], old)]}
        for old, new in ((1, 1), (1, 2), (4, 8), (3, 7), (8, 11), (6, 11))
    ]
    return {
        "leaves": [digest.hex() for digest in leaves],
        "roots": [merkle.root(leaves[:size]).hex() for size in range(12)],
        "inclusion": inclusion,
        "consistency": consistency,
    }


def _note() -> dict[str, Any]:
    checkpoint = notes.Checkpoint(SIGNER.name, 20852163, bytes(range(32)))
    signed = notes.sign_checkpoint(checkpoint, SIGNER)
    line = WITNESSES[0].cosign(checkpoint.text, BEGAN)
    return {
        "seed": SIGNER.seed.hex(),
        "vkey": str(SIGNER.verifier),
        "checkpoint": checkpoint.text,
        "note": signed,
        "witness_seed": WITNESSES[0].seed.hex(),
        "witness_vkey": str(WITNESSES[0].verifier),
        "witness_time": int(BEGAN.timestamp()),
        "cosigned_note": notes.add_signature(signed, line),
    }


def _bundle(write_entry: Callable[[bundle.Entry], bytes]) -> dict[str, Any]:
    """A whole small bundle, and what a verifier says of it after each change."""
    log = Log.of(8, every=4)
    log.rows[2].body = log.rows[2].salt = None
    note = statement("audit.erased", log.log_id, [[3, 3]], basis="court order 12")
    signed = {"authority": note, "ranges": [[3, 3]], "count": 1, "basis": "court order 12"}
    log.write(signed, action="audit.erased")
    log.seal(witnesses=1)
    changes = []
    for name, exit_status, findings, change in (
        ("untouched", 0, [], lambda log: None),
        ("a column", 1, [["ENTRY_MODIFIED", "5"]], lambda log: log.rows[4].columns.update(actor="user:9")),
        ("a body", 1, [["BODY_MODIFIED", "5"]], lambda log: setattr(log.rows[4], "body", "{}")),
        ("an erasure not authorised", 1, [["BODY_MISSING", "5"]], _forget),
        ("a rewritten tail", 1, [["ROOT_MISMATCH", "(4, 8]"], ["UNSEALED", "5-9"]], _rewrite),
        (
            "a cut tail",
            1,
            [["BODY_MISSING", "3"], ["TRUNCATED", "8-9"], ["UNSEALED", "5-7"]],
            lambda log: log.rows.__delitem__(slice(7, None)),
        ),
        ("an unsealed entry", 3, [["UNSEALED", "10"]], lambda log: log.write()),
    ):
        broken = copy.deepcopy(log)
        change(broken)
        made = b"".join(write_entry(entry) for entry in broken.entries())
        by_format = {"entries.bin": made.hex(), "last": len(broken.rows)}
        content = {"entries.jsonl": made.decode()} if write_entry is line_of else by_format
        changes.append({"name": name, "exit": exit_status, "findings": findings, **content})
    notes = {f"checkpoints/{size:012d}.note": text for size, text in log.notes.items()}
    described = bundle.Bundle(log.bundle().range, [], sorted(log.notes.items()), BEGAN, "test vectors")
    manifest = json.loads(described.manifest())
    del manifest["files"]
    manifest["format"] = "dispensary-audit-bundle/1" if write_entry is line_of else bundle.FORMAT
    retention = [str(signer.verifier) for signer in SIGNERS]
    return {
        "vkey": str(SIGNER.verifier), "retention_vkeys": retention, "manifest": manifest, "notes": notes, "cases": changes,
    }  # fmt: skip


def proof_of(log: Log, seq: int, size: int) -> dict[str, Any]:
    """The proof of one entry against the checkpoint of that size, made from the description in README.md."""
    leaves = [row.leaf for row in log.rows[:size]]
    return {
        "checkpoint": log.notes[size],
        "entry": log.entries()[seq - 1].as_json(),
        "format": "dispensary-audit-proof/1",
        "log": str(log.log_id),
        "origin": log.origin,
        "path": [digest.hex() for digest in merkle.inclusion_proof(leaves, seq - 1)],
    }


def _proof() -> dict[str, Any]:
    """Proofs of an entry in different trees, and what a verifier says of changed ones."""
    log = Log.of(11, every=4)
    cases = [
        (f"entry {seq} of {size}", 0, list[str](), proof_of(log, seq, size))
        for seq, size in ((1, 4), (4, 4), (6, 8), (11, 11))
    ]
    whole = proof_of(log, 6, 8)
    cases += [
        ("another entry", 1, ["ROOT_MISMATCH"], whole | {"entry": proof_of(log, 5, 8)["entry"]}),
        ("a hash too few", 1, ["ROOT_MISMATCH"], whole | {"path": whole["path"][:-1]}),
        ("changed details", 1, ["BODY_MODIFIED"], whole | {"entry": whole["entry"] | {"body": "{}"}}),
        (
            "without its details",
            3,
            ["UNCHECKED"],
            whole | {"entry": {k: whole["entry"][k] for k in ("header", "leaf", "seq")}},
        ),
    ]
    case_vectors = [
        {"name": name, "exit": status, "findings": findings, "proof.json": canonical.canonical(proof) + "\n"}
        for name, status, findings, proof in cases
    ]
    return {"vkey": str(SIGNER.verifier), "cases": case_vectors}


def _forget(log: Log) -> None:
    log.rows[4].body = log.rows[4].salt = None


def _rewrite(log: Log) -> None:
    log.rows[4].columns["actor"] = "user:9"
    log.relink(5)


def text_of(content: Any) -> str:
    """A vector file's text."""
    return json.dumps(content, indent=1, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, content in vectors().items():
        (FOLDER / f"{name}.json").write_text(text_of(content), encoding="ascii")
