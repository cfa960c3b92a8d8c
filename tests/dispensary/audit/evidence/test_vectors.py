"""The vectors are a promise: the writer, the verifier and a third party's libraries all give them."""

import datetime as dt
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from dispensary.audit.evidence import verify
from dispensary.audit.log import canonical
from dispensary.audit.sealing import merkle, notes
from tests.dispensary.audit.evidence import make_vectors
from tests.dispensary.audit.logs import seal_again


def read(name: str) -> Any:
    return json.loads((make_vectors.FOLDER / f"{name}.json").read_text(encoding="ascii"))


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("name", ["canonical", "entry", "tree", "note", "bundle", "bundle-2", "proof"])
def test_the_program_still_makes_the_vectors_that_were_published(name):
    made = make_vectors.text_of(make_vectors.vectors()[name])
    assert (make_vectors.FOLDER / f"{name}.json").read_text(encoding="ascii") == made


@pytest.mark.parametrize("case", named(read("canonical")["same"]))
def test_canonical_vectors(case):
    assert canonical.canonical(case["value"]) == rfc8785.dumps(case["value"]).decode() == case["canonical"]
    assert verify.read_canonical(case["canonical"]) == case["value"]


@pytest.mark.parametrize("case", named(read("canonical")["refused"]))
def test_refused_vectors(case):
    if case["name"] == "NUL":  # the writer and the database refuse it; a verifier need not
        with pytest.raises(canonical.NotCanonical):
            canonical.canonical(json.loads(case["text"]))
    else:
        with pytest.raises(verify.Malformed):
            verify.read_canonical(case["text"])


TYPES: dict[str, Any] = {
    "occurred_at": dt.datetime.fromisoformat,
    "recorded_at": dt.datetime.fromisoformat,
    "entry_id": uuid.UUID,
    "log_id": uuid.UUID,
    "body_commit": bytes.fromhex,
    "ruleset": bytes.fromhex,
}


@pytest.mark.parametrize("case", named(read("entry")["entries"]))
def test_entry_vectors(case):
    columns = {name: TYPES.get(name, lambda value: value)(value) for name, value in case["columns"].items()}
    header = canonical.header(columns, seq=case["seq"], prev=bytes.fromhex(case["prev"]))
    assert header == case["header"]
    assert rfc8785.dumps(json.loads(header)).decode() == header
    assert hashlib.sha256(b"\x00" + header.encode()).hexdigest() == case["leaf"]


def test_commitment_and_genesis_vectors():
    vectors = read("entry")
    body = vectors["body"]
    raw = b"\x02" + bytes.fromhex(body["salt"]) + body["body"].encode()
    assert hashlib.sha256(raw).hexdigest() == body["commitment"]
    for case in vectors["genesis"]:
        raw = b"audit/genesis/v1\n" + case["log"].encode() + b"\n" + case["predecessor"].encode()
        assert hashlib.sha256(raw).hexdigest() == case["genesis"]


def test_tree_vectors():
    vectors = read("tree")
    leaves = [bytes.fromhex(digest) for digest in vectors["leaves"]]
    edge = verify.Edge()
    for size, root in enumerate(vectors["roots"]):
        assert edge.root().hex() == root
        if size < len(leaves):
            edge.append(leaves[size])
    roots = [bytes.fromhex(digest) for digest in vectors["roots"]]
    for case in vectors["inclusion"]:
        proof = [bytes.fromhex(digest) for digest in case["proof"]]
        leaf = leaves[case["index"]]
        assert merkle.verify_inclusion(leaf, case["index"], case["size"], proof, roots[case["size"]])
    for case in vectors["consistency"]:
        proof = [bytes.fromhex(digest) for digest in case["proof"]]
        old, new = case["old"], case["new"]
        assert merkle.verify_consistency(old, new, roots[old], roots[new], proof)


def test_note_vectors():
    vectors = read("note")
    keys = [notes.VerifierKey.parse(vectors["vkey"]), notes.VerifierKey.parse(vectors["witness_vkey"])]
    assert notes.open_checkpoint(vectors["note"], keys).text == vectors["checkpoint"]
    _, signatures = notes.open_note(vectors["cosigned_note"], keys)
    assert signatures[keys[1]].cosigned_at.timestamp() == vectors["witness_time"]
    log_key, witness_key = (verify.Key.parse(vectors[name]) for name in ("vkey", "witness_vkey"))
    opened = verify.open_checkpoint(vectors["cosigned_note"].encode(), "vector", True, [log_key], [witness_key])
    assert opened.witnesses == ((witness_key.name, vectors["witness_time"]),)


@pytest.mark.parametrize("form", ["bundle", "bundle-2"])
@pytest.mark.parametrize("name", [case["name"] for case in read("bundle")["cases"]])
def test_bundle_vectors(name, form, tmp_path: Path):
    vectors = read(form)
    (case,) = (case for case in vectors["cases"] if case["name"] == name)
    if form == "bundle":
        entries, last = {"entries.jsonl": case["entries.jsonl"].encode()}, case["entries.jsonl"].count("\n")
    else:
        entries, last = {"entries.bin": bytes.fromhex(case["entries.bin"])}, case["last"]
    files = {**entries, **{name: text.encode() for name, text in vectors["notes"].items()}}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    manifest = {**vectors["manifest"], "files": {path: {} for path in files}, "last": last}
    (tmp_path / "manifest.json").write_text(canonical.canonical(manifest), encoding="utf-8")
    seal_again(tmp_path)
    keys = [verify.Key.parse(vectors["vkey"])]
    retention = [verify.Key.parse(vkey) for vkey in vectors["retention_vkeys"]]
    report = verify.verify_bundle(tmp_path, keys=keys, retention=retention)
    assert report.exit == case["exit"]
    assert [[finding.kind, finding.position] for finding in report.findings] == case["findings"]
    if case["name"] == "untouched":
        alone = verify.verify_bundle(tmp_path, keys=keys)
        assert (alone.exit, [(finding.kind, finding.position) for finding in alone.findings]) == (
            3,
            [("OWN_WORD", "3")],
        )


@pytest.mark.parametrize("case", named(read("proof")["cases"]))
def test_proof_vectors(case, tmp_path: Path):
    (tmp_path / "proof.json").write_text(case["proof.json"], encoding="utf-8", newline="\n")
    report = verify.verify_proof(tmp_path / "proof.json", keys=[verify.Key.parse(read("proof")["vkey"])])
    assert (report.exit, [finding.kind for finding in report.findings]) == (case["exit"], case["findings"])
