"""The standalone verifier: what it finds, where, in which words, and with which exit status."""

import copy
import datetime as dt
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from dispensary.audit.evidence import bundle, verify
from dispensary.audit.log import canonical
from dispensary.audit.sealing import notes
from tests.dispensary.audit.logs import BEGAN, LOG_ID, SIGNER, THIEF, WITNESSES, Log, seal_again
from tests.dispensary.audit.signing import RETENTION, SIGNERS, statement

KEYS = [verify.Key.parse(str(SIGNER.verifier))]


class Desk:
    """An auditor's desk: a key on paper, checkpoints and receipts in a drawer."""

    def __init__(self, folder: Path, as_lines: bool) -> None:
        self.folder, self.as_lines = folder, as_lines
        self.count = 0

    def file(self, text: str) -> Path:
        self.count += 1
        path = self.folder / f"held-{self.count}"
        path.write_text(text)
        return path

    def check(
        self,
        log: Log | Path,
        *,
        held_notes: list[str] | None = None,
        receipts: dict[int, str] | None = None,
        policy: int = 0,
        strict: bool = False,
        entries: list[bundle.Entry] | None = None,
        first: int = 1,
        heartbeat: float | None = None,
    ) -> verify.Report:
        self.count += 1
        path = (
            log
            if isinstance(log, Path)
            else log.export(self.folder / f"bundle-{self.count}", entries, first=first, as_lines=self.as_lines)
        )
        rows = "".join(f"{seq},{leaf}\n" for seq, leaf in (receipts or {}).items())
        return verify.verify_bundle(
            path,
            keys=KEYS,
            witnesses=[verify.Key.parse(str(witness.verifier)) for witness in WITNESSES] if policy else [],
            need=policy,
            retention=RETENTION,
            held_checkpoints=[self.file(text) for text in held_notes or []],
            receipts=self.file(f"seq,leaf\n{rows}") if receipts else None,
            strict=strict,
            heartbeat_hours=heartbeat,
        )


@pytest.fixture(params=["records", "lines"])
def desk(tmp_path: Path, request: pytest.FixtureRequest) -> Desk:
    """A desk that is given bundles of format 2 (records) or 1 (lines)."""
    return Desk(tmp_path, as_lines=request.param == "lines")


@pytest.fixture(scope="module")
def pristine() -> Log:
    return Log.of(60, every=10)


@pytest.fixture
def log(pristine: Log) -> Log:
    return copy.deepcopy(pristine)


def places(report: verify.Report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.position) for finding in report.findings]


def test_an_intact_log_verifies(desk, log):
    report = desk.check(log)
    assert (report.exit, report.findings, report.covered, report.checkpoints) == (0, [], 60, 6)
    assert list(report.lines())[-1] == "VERIFIED. Every entry is as it was written and signed."


def test_an_empty_log_verifies(desk):
    log = Log()
    log.seal()
    assert desk.check(log).exit == 0


def test_zip_and_folder_say_the_same(desk, log, tmp_path):
    assert desk.check(log.export(tmp_path / "bundle.zip")).as_json() == desk.check(log).as_json()


# What the log alone shows.


@pytest.mark.parametrize("column", ["actor", "patient_ref", "station"])
def test_a_changed_column_is_a_modified_entry_there(desk, log, column):
    log.rows[36].columns[column] = "user:9"
    report = desk.check(log)
    assert (report.exit, places(report)) == (1, [("ENTRY_MODIFIED", "37")])
    assert report.findings[0].sentence().startswith("Entry 37 was changed after it was written")


def test_a_column_set_to_null_is_a_modified_entry(desk, log):
    log.rows[36].columns["patient_ref"] = None
    assert places(desk.check(log)) == [("ENTRY_MODIFIED", "37")]


def test_a_changed_time_is_a_modified_entry_and_a_clock_that_ran_backwards(desk, log):
    log.rows[36].columns["recorded_at"] -= dt.timedelta(hours=1)
    assert places(desk.check(log)) == [("ENTRY_MODIFIED", "37"), ("CLOCK_BACKWARDS", "37")]


def test_a_changed_body_is_told_apart_from_a_changed_header(desk, log):
    log.rows[36].body = log.rows[36].body.replace("84", "24")
    report = desk.check(log)
    assert places(report) == [("BODY_MODIFIED", "37")]
    finding_sentence = report.findings[0].sentence()
    assert finding_sentence.startswith(
        "The details of entry 37 were changed after they were written: those of dispense.completed, "
    )


def test_a_removed_body_is_missing(desk, log):
    log.rows[36].body = log.rows[36].salt = None
    assert places(desk.check(log)) == [("BODY_MISSING", "37")]


def erasure(ranges: list[Any], *, basis: str = "x", **signed: Any) -> dict[str, Any]:
    note = statement("audit.erased", LOG_ID, ranges, **signed)
    return {"authority": note, "ranges": ranges, "count": 1, "basis": basis}


def retirement(last: int, *, first: int = 1, keep_days: int = 2190, **signed: Any) -> dict[str, Any]:
    """The first entries, all written on 2 November 2026; said to be six years older."""
    before = dt.datetime(2020, 11, 1, tzinfo=dt.UTC)
    note = statement("audit.retired", LOG_ID, [[first, last]], before=before, keep_days=keep_days, **signed)
    return {"authority": note, "first": first, "last": last, "basis": "kept 6 years"}


ONE_KEY_TWICE = [SIGNERS[0], SIGNERS[0].named("retention.example/ben")]
STRANGERS = [THIEF.named("retention.example/ann"), SIGNERS[1]]


@pytest.mark.parametrize(
    ("body", "doubt"),
    [
        ({"ranges": [[37, 37]], "basis": "x"}, "nobody signed for it"),
        (erasure([[37, 37]], signers=SIGNERS[:1]), "two people must"),
        (erasure([[37, 37]], signers=[]), "is not"),
        (erasure([[37, 37]], signers=ONE_KEY_TWICE), "two people must"),
        (erasure([[37, 37]], signers=STRANGERS), "two people must"),
        (erasure([[36, 36]]) | {"ranges": [[37, 37]]}, "something else"),
        ({**retirement(37), "ranges": [[37, 37]]}, "something else"),
        (erasure([[37, 37]]) | {"authority": "x"}, "not a signed note"),
        (erasure([[37, 37]]) | {"authority": 7}, "nobody signed for it"),
    ],
)
def test_an_erasure_that_two_people_did_not_sign_is_the_logs_own_word(desk, log, body, doubt):
    log.rows[36].body = log.rows[36].salt = None
    log.write(body, action="audit.erased")
    log.seal()
    report = desk.check(log)
    assert (report.exit, places(report), report.authorised) == (3, [("OWN_WORD", "37")], [])
    assert "authorised by the log's own word only" in report.findings[0].sentence()
    assert doubt in report.findings[0].sentence()


@pytest.mark.parametrize(
    ("body", "doubt"),
    [
        ({"first": 1, "last": 20, "basis": "x"}, "nobody signed for it"),
        (retirement(20, first=20), "not the beginning"),
        (retirement(20, keep_days=3000), "younger than the 3,000 days"),
        (retirement(20, keep_days=0), "younger"),
    ],
)
def test_a_retirement_is_a_prefix_older_than_the_period_that_was_signed(desk, log, body, doubt):
    first = body["first"]
    for row in log.rows[first - 1 : 20]:
        row.columns = row.salt = row.body = None
    log.write(body, action="audit.retired")
    log.seal()
    report = desk.check(log)
    assert (report.exit, [finding.kind for finding in report.findings]) == (3, ["OWN_WORD"])
    assert doubt in report.findings[0].sentence()


def test_without_a_retention_key_nothing_is_authorised(desk, log):
    log.rows[36].body = log.rows[36].salt = None
    log.write(erasure([[37, 37]]), action="audit.erased")
    log.seal()
    report = verify.verify_bundle(log.export(desk.folder / "bundle", as_lines=desk.as_lines), keys=KEYS)
    assert (report.exit, places(report)) == (3, [("OWN_WORD", "37")])
    assert "no retention key was given" in report.findings[0].sentence()


def test_an_erased_body_is_an_authorised_gap(desk, log):
    log.rows[36].body = log.rows[36].salt = None
    log.write(erasure([[37, 37]], basis="court order 12"), action="audit.erased")
    log.seal()
    report = desk.check(log)
    assert report.exit == 0
    assert "Authorised: details erased 37, by entry 61 (court order 12)" in list(report.lines())


def test_an_erasure_authorises_only_what_it_names_and_only_before_itself(desk, log):
    for number in (36, 37, 38, 61):
        if number < 60:
            log.rows[number].body = log.rows[number].salt = None
    log.write(erasure([[37, 38], [61, 62], ["x", 1], [5]]), action="audit.erased")
    row = log.write()
    row.salt = row.body = None
    log.seal()
    report = desk.check(log)
    assert places(report) == [("BODY_MISSING", "39, 62")]
    assert [(authorised.first, authorised.last, authorised.by) for authorised in report.authorised] == [(37, 38, 61)]


def test_a_forged_erasure_authorises_nothing(desk, log):
    log.rows[36].body = log.rows[36].salt = None
    log.rows[49].columns["action"] = "audit.erased"
    log.rows[49].body = '{"basis":"x","ranges":[[37,37]]}'
    assert places(desk.check(log)) == [("BODY_MISSING", "37"), ("BODY_MODIFIED", "50"), ("ENTRY_MODIFIED", "50")]


def test_a_removed_entry_whose_link_is_left_is_missing(desk, log):
    log.rows[36].columns = log.rows[36].salt = log.rows[36].body = None
    assert places(desk.check(log)) == [("ENTRY_MISSING", "37")]


def test_retired_entries_are_an_authorised_gap(desk, log):
    for row in log.rows[:20]:
        row.columns = row.salt = row.body = None
    log.write(retirement(20), action="audit.retired")
    log.seal()
    report = desk.check(log)
    assert report.exit == 0
    assert "Authorised: entries retired 1-20, by entry 61 (kept 6 years)" in list(report.lines())


def test_a_removed_entry_with_its_link_is_a_gap(desk, log):
    entries = [entry for entry in log.entries() if entry.seq != 37]
    report = desk.check(log, entries=entries)
    assert places(report)[0] == ("GAP", "37")
    assert report.findings[0].follows == {"ROOT_MISMATCH": 3}
    assert report.exit == 1


def test_after_a_gap_the_next_entry_is_not_blamed(desk, log):
    """A live export builds the header of 38 with the last leaf it knows, 36's: that follows from the gap."""
    del log.rows[36]
    entries = [
        bundle.Entry(seq + (seq > 36), row.leaf, verify_header(log, seq, seq + (seq > 36)), row.salt, row.body)
        for seq, row in enumerate(log.rows, 1)
    ]
    report = desk.check(log, entries=entries)
    assert [kind for kind, _ in places(report) if kind != "UNSEALED"] == ["GAP"]


def verify_header(log: Log, place: int, seq: int) -> str:
    from dispensary.audit.log import canonical

    return canonical.header(log.rows[place - 1].columns, seq=seq, prev=log.prev(place))


def test_a_forged_entry_put_in_between_is_one_finding_with_its_consequences(desk, log):
    forged = copy.deepcopy(log.rows[35])
    log.rows.insert(36, forged)
    forged.columns |= {"entry_id": uuid.uuid4(), "subject_id": "forged"}
    forged.leaf = log.leaf(37)
    report = desk.check(log)
    assert places(report)[0] == ("ENTRY_MODIFIED", "38-61")
    assert report.findings[0].follows == {"ROOT_MISMATCH": 3}
    assert [finding.kind for finding in report.findings if finding.status == verify.TAMPERED] == ["ENTRY_MODIFIED"]


def test_two_exchanged_entries_are_found_at_the_first(desk, log):
    leaves = log.rows[36].leaf, log.rows[37].leaf
    log.rows[36], log.rows[37] = log.rows[37], log.rows[36]
    log.rows[36].leaf, log.rows[37].leaf = leaves
    assert places(desk.check(log))[0] == ("ENTRY_MODIFIED", "37-38")


def test_exchanged_lines_are_a_reorder_and_no_gap(desk, log):
    entries = log.entries()
    entries[36], entries[37] = entries[37], entries[36]
    report = desk.check(log, entries=entries)
    assert ("DUP_OR_REORDER", "37") in places(report)
    assert "GAP" not in dict(places(report))


def test_a_repeated_line_is_a_duplicate(desk, log):
    entries = log.entries()
    report = desk.check(log, entries=[*entries[:37], entries[36], *entries[37:]])
    assert places(report) == [("DUP_OR_REORDER", "37")]


def test_a_rewritten_tail_without_the_key_is_between_two_checkpoints(desk, log):
    log.rows[36].columns["actor"] = "user:9"
    log.relink(37)
    report = desk.check(log)
    assert places(report)[0] == ("ROOT_MISMATCH", "(30, 40]")
    assert report.findings[0].follows == {"ROOT_MISMATCH": 2}
    assert "rewritten after entry 30 and not later than entry 40" in report.findings[0].sentence()


def test_an_altered_leaf_is_told_from_an_altered_entry(desk, log):
    log.rows[36].leaf = bytes(32)
    report = desk.check(log)
    assert [kind for kind, _ in places(report)] == ["ENTRY_MODIFIED"]
    assert places(report) == [("ENTRY_MODIFIED", "37")]
    assert "checkpoint 40 bears out the entry as it stands" in report.findings[0].sentence()


def test_a_chain_that_was_grafted_is_a_break(desk, log):
    other = Log.of(60, every=10, seed=2)
    entries = log.entries()[:36] + other.entries()[36:]
    assert places(desk.check(log, entries=entries))[0] == ("CHAIN_BREAK", "37")


def test_an_entry_of_another_log_is_told(desk, log):
    other = Log.of(60, log_id=uuid.UUID(int=7))
    entries = log.entries()
    entries[36] = other.entries()[36]
    assert places(desk.check(log, entries=entries))[0][0:2] in {("WRONG_LOG", "37"), ("CHAIN_BREAK", "38")}
    assert ("WRONG_LOG", "37") in places(desk.check(log, entries=entries))


def test_a_header_in_another_spelling_was_never_written_by_us(desk, log):
    entries = log.entries()
    header = entries[59].header.replace(",", ", ")
    import hashlib

    entries[59] = bundle.Entry(
        60, hashlib.sha256(b"\x00" + header.encode()).digest(), header, entries[59].salt, entries[59].body
    )
    assert places(desk.check(log, entries=entries))[0] == ("NOT_CANONICAL", "60")


def test_two_places_of_one_kind_are_one_finding(desk, log):
    for place in (4, 5, 40):
        log.rows[place].columns["actor"] = "user:9"
    report = desk.check(log)
    assert places(report) == [("ENTRY_MODIFIED", "5-6, 41")]
    assert report.findings[0].count == 3
    assert "3 entries (5-6, 41) were changed" in report.findings[0].sentence()


def test_a_new_log_after_a_fork_holds_the_old_ones_last_note(desk, log):
    new = Log.of(5, every=5, log_id=uuid.uuid4(), predecessor=log.notes[60])
    assert desk.check(new).exit == 0
    new.predecessor = log.notes[50]
    assert places(desk.check(new, entries=new.entries()))[0] == ("ENTRY_MODIFIED", "1")


# Checkpoints.


def test_an_edited_checkpoint_has_a_bad_signature(desk, log):
    log.notes[40] = log.notes[40].replace("\n40\n", "\n41\n")
    report = desk.check(log)
    assert places(report) == [("CKPT_BAD_SIG", "41")]
    assert report.exit == 1


def test_a_checkpoint_by_another_key_of_the_same_name_is_not_believed(desk, log):
    log.seal(60, signer=THIEF)
    assert ("CKPT_BAD_SIG", "60") in places(desk.check(log))


def test_a_cut_off_tail_is_missed_by_the_later_checkpoint(desk, log):
    del log.rows[54:]
    report = desk.check(log)
    assert places(report)[0] == ("TRUNCATED", "55-60")
    assert "Entries 55 to 60 were cut off the end of the log" in report.findings[0].sentence()


def test_a_cut_off_tail_without_its_checkpoints_shows_nothing(desk, log):
    del log.rows[50:]
    del log.notes[60]
    assert desk.check(log).exit == 0


def test_a_cut_off_tail_shows_by_the_checkpoint_that_the_auditor_holds(desk, log):
    held_note = log.notes.pop(60)
    del log.rows[50:]
    assert places(desk.check(log, held_notes=[held_note])) == [("TRUNCATED", "51-60")]


def test_a_rewrite_without_the_key_shows_by_a_held_checkpoint(desk, log):
    held_note = log.notes[40]
    log.rows[36].columns["actor"] = "user:9"
    log.relink(37)
    for size in (40, 50, 60):
        del log.notes[size]
    assert places(desk.check(log, held_notes=[held_note]))[0] == ("ROOT_MISMATCH", "(30, 40]")


def test_a_rewrite_with_the_stolen_key_is_a_fork_by_a_held_checkpoint(desk, log):
    held_notes = [log.notes[20], log.notes[40]]
    log.rows[36].columns["actor"] = "user:9"
    log.relink(37)
    for size in (40, 50, 60):
        log.seal(size)
    report = desk.check(log, held_notes=held_notes)
    assert (report.exit, places(report)) == (1, [("FORK", "(20, 40]")])
    assert report.findings[0].sentence().startswith("Two histories were signed")
    assert desk.check(log).exit == 0, "without evidence held elsewhere a stolen key is not seen"


def test_a_restored_backup_that_went_on_is_a_fork(desk, log):
    held_note = log.notes[60]
    del log.rows[45:]
    for size in (50, 60):
        del log.notes[size]
    log.seed = 2
    for _ in range(20):
        log.write()
    log.seal()
    assert places(desk.check(log, held_notes=[held_note])) == [("FORK", "(0, 60]")]


def test_two_checkpoints_for_one_size_in_the_bundle_are_equivocation(desk, log, tmp_path):
    folder = log.export(tmp_path / "b")
    other = Log.of(60, seed=2)
    extra = folder / "checkpoints" / "other.note"
    extra.write_text(other.seal(40))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["checkpoints/other.note"] = {}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    seal_again(folder)
    assert places(desk.check(folder)) == [("EQUIVOCATION", "40")]


def test_an_unsealed_tail_is_incomplete_not_wrong(desk, log):
    log.write()
    report = desk.check(log)
    assert (report.exit, places(report)) == (3, [("UNSEALED", "61")])
    assert report.findings[0].sentence() == "Entry 61 is not covered by a checkpoint that you can trust."


def test_a_log_without_any_checkpoint_is_incomplete(desk):
    report = desk.check(Log.of(3))
    assert (report.exit, places(report)) == (3, [("UNSEALED", "1-3")])


def test_a_held_checkpoint_of_another_log_or_key_is_not_accepted(desk, log):
    other = Log.of(3, origin="pharmacy.example/two")
    for held_note in (other.seal(), Log.of(3).seal(signer=THIEF), "no note"):
        with pytest.raises(verify.Malformed):
            desk.check(log, held_notes=[held_note])


# Witnesses, receipts, clocks, ranges.


def test_a_witness_policy_is_met_by_enough_cosignatures(desk, log):
    log.seal(60, witnesses=2)
    assert desk.check(log, policy=2).exit == 0
    report = desk.check(log, policy=3)
    assert (report.exit, places(report)) == (3, [("UNSEALED", "1-60"), ("UNWITNESSED", "60")])


def test_a_forged_cosignature_is_a_bad_signature(desk, log):
    signed = log.seal(60, witnesses=1)
    good = notes.split(signed)[1][1].signature
    line = signed.splitlines()[-1]
    other = WITNESSES[0].cosign(log.checkpoint(50).text, BEGAN).strip()
    assert good
    log.notes[60] = signed.replace(line, other)
    assert ("CKPT_BAD_SIG", "60") in places(desk.check(log, policy=1))


def test_an_entry_recorded_after_its_witness_saw_it_has_a_wrong_time(desk, log):
    log.rows[59].columns["recorded_at"] = BEGAN + dt.timedelta(days=9)
    log.relink(60)
    log.seal(60, witnesses=1)
    assert ("CLOCK_BACKWARDS", "60") in places(desk.check(log, policy=1))


def test_receipts_find_what_no_checkpoint_can(desk, log):
    receipts = {12: log.rows[11].leaf.hex()[:16], 59: log.rows[58].leaf.hex()[:8]}
    assert desk.check(log, receipts=receipts).receipts == 2
    del log.rows[55:]
    del log.notes[60]
    report = desk.check(log, receipts=receipts)
    assert ("RECEIPT_MISSING", "59") in places(report)
    log.rows[11].columns["actor"] = "user:9"
    log.relink(12)
    assert ("RECEIPT_MISMATCH", "12") in places(desk.check(log, receipts=receipts))


def test_the_order_of_commits_may_differ_from_the_clock_by_minutes(desk, log):
    log.rows[59].columns["recorded_at"] -= dt.timedelta(seconds=330)
    log.relink(60)
    log.seal(60)
    assert desk.check(log).exit == 0
    log.rows[59].columns["recorded_at"] -= dt.timedelta(seconds=1)
    log.relink(60)
    log.seal(60)
    report = desk.check(log)
    assert (report.exit, places(report)) == (3, [("CLOCK_BACKWARDS", "60")])


def test_a_silence_longer_than_the_heartbeat_is_told_when_asked(desk, log):
    log.write(recorded_at=BEGAN + dt.timedelta(hours=40))
    log.seal()
    assert desk.check(log).exit == 0
    assert places(desk.check(log, heartbeat=26)) == [("STALE", "61")]


def test_a_part_of_the_log_is_checked_from_its_start(desk, log):
    report = desk.check(log, first=34)
    assert (report.exit, report.first, report.covered, report.entries) == (0, 34, 60, 27)
    assert ("UNCHECKED", "20") in places(desk.check(log, first=34, held_notes=[log.notes[20]]))


def test_a_part_of_the_log_with_another_past_does_not_verify(desk, log):
    other = Log.of(60, seed=2)
    other.rows[33:] = log.rows[33:]
    other.notes = {size: text for size, text in log.notes.items() if size > 33}
    assert desk.check(other, first=34, entries=log.entries(34)).exit == 1


def test_strict_asks_for_evidence_of_ones_own(desk, log):
    report = desk.check(log, strict=True)
    assert (report.exit, places(report)) == (3, [("UNCHECKED", "60")])
    assert desk.check(log, strict=True, held_notes=[log.notes[60]]).exit == 0


def test_an_id_that_was_used_twice_is_told_when_asked(desk, log):
    """By somebody who could write entries past the database: every hash fits, and one thing seems to have happened twice."""
    log.rows[40].columns["entry_id"] = log.rows[6].columns["entry_id"]
    log.relink(41)
    for size in list(log.notes):
        log.seal(size)
    held_notes = [log.notes[60]]
    assert desk.check(log, held_notes=held_notes).exit == 0
    report = desk.check(log, strict=True, held_notes=held_notes)
    assert (report.exit, places(report)) == (1, [("DUP_OR_REORDER", "41")])
    assert "entries 7 and 41 have one id" in report.findings[0].sentence()


def test_a_signature_that_stands_there_twice_was_put_there_by_somebody_else(desk, log):
    signed = log.notes[60]
    log.notes[60] = signed + signed[signed.index("\u2014 ") :]
    assert places(desk.check(log))[0] == ("CKPT_BAD_SIG", "60")


# The key.


def test_the_key_in_the_bundle_is_never_used(desk, log):
    """A thief re-signs everything with a key of his own and puts that key into the bundle."""
    for size in list(log.notes):
        log.seal(size, signer=THIEF)
    report = desk.check(log)
    assert report.exit == 1
    assert ("CKPT_BAD_SIG", "10, 20, 30, 40, 50, 60") in places(report)


def test_a_bundle_that_claims_another_origin_is_not_checked_with_our_key(desk, log):
    log.origin = "pharmacy.example/two"
    with pytest.raises(verify.Malformed, match="the keys you gave are for"):
        desk.check(log)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 63), st.integers(0, 7))
def test_the_built_in_ed25519_agrees_with_the_library(seed, message, byte, bit):
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    signature = key.sign(message)
    assert verify.pure_ed25519(public, signature, message)
    assert not verify.pure_ed25519(public, signature, message + b"x")
    broken = bytearray(signature)
    broken[byte] ^= 1 << bit
    assert not verify.pure_ed25519(public, bytes(broken), message)


@pytest.mark.parametrize(
    ("public", "signature"),
    [(bytes(31), bytes(64)), (bytes(32), bytes(63)), (b"\xff" * 32, bytes(64)), (bytes(32), b"\xff" * 64)],
)
def test_the_built_in_ed25519_refuses_what_is_out_of_range(public, signature):
    assert not verify.pure_ed25519(public, signature, b"")


# RFC 8032, section 7.1: secret keys are not needed to check.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
]


@pytest.mark.parametrize(("public", "message", "signature"), RFC_8032)
def test_the_built_in_ed25519_gives_the_answers_of_rfc_8032(public, message, signature):
    assert verify.pure_ed25519(*(bytes.fromhex(part) for part in (public, signature, message)))


@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "é", "seq", "z"]), st.text(max_size=3) | st.integers(-(2**54), 2**54) | st.booleans()
    ),
    st.data(),
)
def test_the_quick_look_at_a_header_never_passes_what_a_close_look_refuses(fields, data):
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"), sort_keys=data.draw(st.booleans()))
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.sampled_from(["", "", " ", "\t", "-", "0", '"a":1,', "\\u0041"])) + text[at:]
    try:
        parsed = json.loads(text)
    except ValueError:
        return
    if verify._is_plainly_canonical(text, parsed):
        assert verify.read_canonical(text) == parsed


def test_a_header_that_is_read_the_short_way_is_canonical_and_says_the_same():
    from tests.dispensary.audit.evidence.make_vectors import FULL

    whole = {**FULL, "body_commit": bytes(32), "station": "Zoë 💊", "ruleset": bytes(32), "txid": 1}
    for columns in (whole, *({**whole, name: None} for name in whole)):
        header = canonical.header(columns, seq=7, prev=bytes(32))
        usual = verify._USUAL_HEADER.fullmatch(header)
        fields = verify.read_canonical(header)
        assert usual is None or {name: str(fields[name]) for name in usual.groupdict()} == usual.groupdict()
        assert verify.Check._fields(header.encode()) in (None, fields)
    header = canonical.header(whole, seq=7, prev=bytes(32))
    assert verify._USUAL_HEADER.fullmatch(header)
    for broken in (
        header + " ",
        header.replace(",", ", ", 1),
        header.replace('"seq":7', '"seq":07'),
        header[:-1] + ',"v":1}',
    ):
        assert verify._USUAL_HEADER.fullmatch(broken) is None
        assert verify.Check._fields(broken.encode()) is None


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"station": 'counter "2" \\ Zoë 💊'},
        {"station": "Zoë 💊"},
        {"v": 2},
        {"log_id": uuid.UUID(int=7)},
        {"recorded_at": dt.datetime(2025, 1, 1, tzinfo=dt.UTC)},
        {"recorded_at": dt.datetime(2999, 1, 1, tzinfo=dt.UTC)},
        {"action": "audit.erased"},
        {"subject_id": "x" * 70_000},
    ],
    ids=lambda columns: ", ".join(columns) or "untouched",
)
@pytest.mark.parametrize("relinked", [True, False], ids=["written so", "changed"])
def test_the_short_way_to_check_an_entry_says_what_the_long_way_says(desk, log, monkeypatch, columns, relinked):
    """What is written so by whoever holds the writer, and what is changed afterwards: the same report by both ways."""
    monkeypatch.setattr("dispensary.audit.log.canonical.MAX_HEADER_BYTES", 2**20)
    log.rows[29].columns |= columns
    if relinked:
        log.relink(30)
        for size in (30, 40, 50, 60):
            log.seal(size)
    short = desk.check(log).as_json()
    monkeypatch.setattr(verify.Check, "_take_usual", lambda *_: False)
    assert desk.check(log).as_json() == short
