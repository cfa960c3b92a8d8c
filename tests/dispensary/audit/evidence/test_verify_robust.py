"""The verifier against damaged, hostile and absurd bundles: an answer each time, never a false "verified"."""

import datetime as dt
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dispensary.audit.evidence import verify
from dispensary.audit.log import canonical
from tests.dispensary.audit.logs import SIGNER, WITNESSES, Log, seal_again
from tests.dispensary.audit.own import LONG
from tests.dispensary.audit.signing import RETENTION, SIGNERS, statement

pytestmark = pytest.mark.slow

KEYS = [verify.Key.parse(str(SIGNER.verifier))]
MUTATIONS = 50_000 if LONG else 1500
"""Mutations that each of the two tests of evidence tries: 100,000 in the long form."""
AROUND = MUTATIONS // 5 if LONG else MUTATIONS
"""The same for what is around the evidence: the manifest, the zip file."""

MODULE = Path(verify.__file__)


def write_bundle(path: Path, *, as_lines: bool) -> Path:
    """Write a log of ten entries with an erasure."""
    log = Log.of(9, every=4)
    log.rows[2].body = log.rows[2].salt = None
    signed = {"authority": statement("audit.erased", log.log_id, [[3, 3]]), "ranges": [[3, 3]], "basis": "x"}
    log.write({**signed, "note": 'é \U0001f48a \\ " \x07'}, action="audit.erased")
    log.seal()
    return log.export(path, as_lines=as_lines)


@pytest.fixture(scope="module", params=["records", "lines"])
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    return write_bundle(tmp_path_factory.mktemp("robust") / "bundle", as_lines=request.param == "lines")


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "lines", as_lines=True)


@pytest.fixture
def records(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "records", as_lines=False)


def entries_file(folder: Path) -> Path:
    """The file of a bundle that holds the entries."""
    (path,) = folder.glob("entries.*")
    return path


@pytest.fixture(scope="module")
def packed(folder: Path) -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix != ".py":
                archive.write(file, str(file.relative_to(folder)))
        archive.write(folder / "README.txt", "verify.py")
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    del manifest["files"]["verify.py"]
    rewrite(path, {"manifest.json": canonical.canonical(manifest).encode() + b"\n"})
    return path


def rewrite(path: Path, changed: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()} | changed
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in content.items():
            archive.writestr(name, raw)


def status(path: Path) -> int:
    """The exit status; any exception but Malformed is a failure of the verifier."""
    try:
        return verify.verify_bundle(path, keys=KEYS, retention=RETENTION).exit
    except verify.Malformed:
        return verify.UNREADABLE


def evidence(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.stem == "entries" or path.suffix == ".note"
    }


def flip(raw: bytearray, dice: random.Random) -> None:
    raw[dice.randrange(len(raw))] ^= 1 << dice.randrange(8)


def replace(raw: bytearray, dice: random.Random) -> None:
    raw[dice.randrange(len(raw))] = dice.choice(b'0123456789abcdef"\\{}[],:\n\r\x00\xff -+e.')


def delete(raw: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(raw))
    del raw[start : start + dice.choice((1, 1, 2, 50))]


def insert(raw: bytearray, dice: random.Random) -> None:
    raw[dice.randrange(len(raw)) : 0] = dice.choice(
        (b" ", b"\n", b"0", b'"', b"\\u0000", b"\xc3", b"null", b"[" * 3000)
    )


def repeat(raw: bytearray, dice: random.Random) -> None:
    start = dice.randrange(len(raw))
    raw[start:start] = raw[start : start + dice.choice((1, 10, 200))]


def exchange_lines(raw: bytearray, dice: random.Random) -> None:
    lines = raw.split(b"\n")
    first, other = dice.randrange(len(lines)), dice.randrange(len(lines))
    lines[first], lines[other] = lines[other], lines[first]
    raw[:] = b"\n".join(lines)


def exchange_bytes(raw: bytearray, dice: random.Random) -> None:
    first, other = dice.randrange(len(raw)), dice.randrange(len(raw))
    raw[first], raw[other] = raw[other], raw[first]


def cut(raw: bytearray, dice: random.Random) -> None:
    del raw[dice.randrange(len(raw)) :]


CHANGES: list[Callable[[bytearray, random.Random], None]] = [
    flip, flip, flip, replace, replace, delete, insert, repeat, exchange_lines, exchange_bytes, cut,
]  # fmt: skip


def test_the_untouched_bundles_verify(folder, packed):
    assert status(folder) == status(packed) == 0


@pytest.mark.faults
@pytest.mark.parametrize("resealed", [False, True], ids=["damaged", "with a manifest brought up to date"])
def test_no_changed_byte_of_evidence_verifies(folder, tmp_path, resealed):
    dice = random.Random(f"mutate {resealed}")
    original = evidence(folder)
    copy = shutil.copytree(folder, tmp_path / "copy")
    manifest = (folder / "manifest.json").read_bytes()
    for number in range(MUTATIONS):
        name = dice.choice([*original, entries_file(folder).name, entries_file(folder).name])
        raw = bytearray(original[name])
        for _ in range(dice.choice((1, 1, 1, 2, 5))):
            if raw:
                dice.choice(CHANGES)(raw, dice)
        (copy / name).write_bytes(raw)
        if resealed:
            seal_again(copy)
        if bytes(raw) != original[name]:
            assert status(copy) != 0, f"mutation {number} of {name} verified: {bytes(raw)!r}"
        (copy / name).write_bytes(original[name])
        (copy / "manifest.json").write_bytes(manifest)


@pytest.mark.faults
def test_no_changed_manifest_changes_what_verifies(folder, tmp_path):
    dice = random.Random("manifest")
    copy = shutil.copytree(folder, tmp_path / "copy")
    original = (folder / "manifest.json").read_bytes()
    manifest = json.loads(original)
    for _ in range(AROUND):
        raw = bytearray(original)
        dice.choice(CHANGES)(raw, dice)
        (copy / "manifest.json").write_bytes(raw)
        if status(copy) == 0:
            now = json.loads(raw)
            same = {key: now[key] for key in ("format", "origin", "log", "first", "last")}
            assert same == {key: manifest[key] for key in same}
            name = entries_file(folder).name
            assert manifest["files"][name].items() <= now["files"][name].items()


@pytest.mark.faults
def test_a_mutated_zip_verifies_only_when_it_still_holds_the_same_evidence(folder, packed, tmp_path):
    dice = random.Random("zip")
    original, raw_zip = evidence(folder), packed.read_bytes()
    path = tmp_path / "mutated.zip"
    for _ in range(AROUND):
        raw = bytearray(raw_zip)
        dice.choice(CHANGES)(raw, dice)
        path.write_bytes(raw)
        if status(path) == 0:
            with zipfile.ZipFile(path) as archive:
                assert {name: archive.read(name) for name in original} == original


def check_unreadable(folder: Path, change: Callable[[bytes], bytes], message: str) -> None:
    """Change the entries of a bundle; the report says in these words that it cannot be read, and not that it was tampered with."""
    path = entries_file(folder)
    path.write_bytes(change(path.read_bytes()))
    seal_again(folder)
    report = verify.verify_bundle(folder, keys=KEYS, retention=RETENTION)
    assert report.exit == verify.UNREADABLE
    assert message in " ".join(report.lines())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.replace(b"\n", b"\r\n"), "CRLF"),
        (lambda raw: raw[:-1], "cut off"),
        (lambda raw: raw + b"\n", "not an entry"),
        (lambda raw: raw + b'{"seq":11}\n', "not an entry"),
        (lambda raw: b"\xef\xbb\xbf" + raw, "not an entry"),
        (lambda raw: raw.replace(b'{"body"', b'{"body":"","body"', 1), "canonical"),
    ],
    ids=["CRLF", "no final newline", "an empty line", "half an entry", "a byte order mark", "a key twice"],
)
def test_a_bundle_that_was_converted_on_the_way_is_unreadable_not_tampered(lines, change, message):
    check_unreadable(lines, change, message)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda raw: raw.replace(b"\n", b"\r\n"), "converted on the way"),
        (lambda raw: raw[:-1], "cut off"),
        (lambda raw: raw + b"\n", "cut off"),
        (lambda raw: raw + raw[:50], "cut off"),
        (lambda raw: b"\xef\xbb\xbf" + raw, "not a record"),
        (lambda raw: raw[:11] + b"\xff" + raw[12:], "converted on the way"),
        (lambda raw: raw[:8] + b"\xff" + raw[9:], "longer than"),
        (lambda raw: raw[:13] + b"\x70" + raw[14:], "cut off"),
    ],
    ids=["CRLF", "no end", "a line", "half a head", "a byte order mark", "a length", "a length of 4 GB", "of 7 MB"],
)
def test_records_that_were_converted_on_the_way_are_unreadable_not_tampered(records, change, message):
    check_unreadable(records, change, message)


def test_entries_that_cannot_be_read_do_not_hide_tampering(lines):
    raw = (lines / "entries.jsonl").read_bytes().split(b"\n")
    raw[1] = b"?"
    raw[6] = raw[6].replace(b"pharmacist", b"technician")
    (lines / "entries.jsonl").write_bytes(b"\n".join(raw))
    report = verify.verify_bundle(lines, keys=KEYS, retention=RETENTION)
    assert report.exit == verify.TAMPERED
    assert {finding.kind: finding.first for finding in report.findings}["ENTRY_MODIFIED"] == 7


@pytest.mark.parametrize("length", [bytes(4), b"\x00\x00\x01\x00", b"\x00\x70\x00\x00", b"\xff" * 4])
@pytest.mark.parametrize("read_bytes", [100, 1 << 20])
def test_a_length_that_was_changed_does_not_hide_tampering_behind_it(records, monkeypatch, length, read_bytes):
    monkeypatch.setattr(verify, "READ_BYTES", read_bytes)
    raw = (records / "entries.bin").read_bytes()
    second = raw.index(b"\n" + (2).to_bytes(8, "big")) + 1
    changed = raw[: second + 12] + length + raw[second + 16 :]
    place = changed.index(b"\n" + (7).to_bytes(8, "big"))
    changed = changed[:place] + changed[place:].replace(b"pharmacist", b"technician", 1)
    (records / "entries.bin").write_bytes(changed)
    report = verify.verify_bundle(records, keys=KEYS, retention=RETENTION)
    found_at = {finding.kind: finding.position for finding in report.findings}
    assert report.exit == verify.TAMPERED
    assert (found_at["MALFORMED"], found_at["ENTRY_MODIFIED"]) == ("2", "7")


# Bombs and lies.


def run(*arguments: object, memory_mb: int = 0) -> subprocess.CompletedProcess[str]:
    """Run the file on its own: no site packages, so that it is really the standard library alone."""

    def limit() -> None:
        if memory_mb:
            resource.setrlimit(resource.RLIMIT_AS, (memory_mb << 20, memory_mb << 20))

    command = [sys.executable, "-I", "-S", str(MODULE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, check=False, timeout=120)


@pytest.fixture(scope="module")
def vkey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "vkey"
    path.write_text(f"# the log's key, from the pharmacy's file\n{SIGNER.verifier}\n")
    return path


@pytest.mark.parametrize("name", ["entries", "manifest.json", "checkpoints/000000000004.note"])
def test_a_zip_bomb_is_refused_in_little_memory(folder, packed, tmp_path, vkey, name):
    name = entries_file(folder).name if name == "entries" else name
    bomb = shutil.copy(packed, tmp_path / "bomb.zip")
    with zipfile.ZipFile(packed) as archive:
        content = {member_name: archive.read(member_name) for member_name in archive.namelist() if member_name != name}
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        for member_name, raw in content.items():
            archive.writestr(member_name, raw)
        with archive.open(name, "w", force_zip64=True) as member:
            for _ in range(300):
                member.write(bytes(1 << 20))
    done = run(bomb, "--vkey", vkey, memory_mb=300)
    assert (done.returncode, done.stdout) == (2, "")
    assert "zip bomb" in done.stderr


def test_a_line_of_a_gigabyte_is_refused_in_little_memory(lines, vkey):
    with (lines / "entries.jsonl").open("ab") as file:
        file.truncate(1 << 30)
    done = run(lines, "--vkey", vkey, memory_mb=300)
    assert done.returncode == 2
    assert "longer than" in done.stderr


@pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "checkpoints/../../outside", ".hidden", "a/b/c", ""])
def test_no_file_outside_the_bundle_is_read(folder, tmp_path, name):
    copy = shutil.copytree(folder, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["files"][name] = {"bytes": 1, "sha256": "0" * 64}
    (copy / "manifest.json").write_bytes(canonical.canonical(manifest).encode() + b"\n")
    with pytest.raises(verify.Malformed, match="not a file name"):
        verify.verify_bundle(copy, keys=KEYS, retention=RETENTION)


def test_links_and_pipes_are_not_followed(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "copy")
    path = entries_file(copy)
    path.unlink()
    path.symlink_to(entries_file(folder))
    with pytest.raises(verify.Malformed, match="not a plain file"):
        verify.verify_bundle(copy, keys=KEYS, retention=RETENTION)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(verify.Malformed, match="not a plain file"):
        verify.verify_bundle(copy, keys=KEYS, retention=RETENTION)


def test_one_name_twice_in_a_zip_is_refused(folder, packed, tmp_path):
    path = shutil.copy(packed, tmp_path / "twice.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(entries_file(folder).name, b"")
    with pytest.raises(verify.Malformed, match="one name twice"):
        verify.verify_bundle(path, keys=KEYS, retention=RETENTION)


def test_a_file_that_is_no_zip_is_unreadable(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(verify.Malformed, match="neither a folder nor a zip"):
        verify.verify_bundle(tmp_path / "x.zip", keys=KEYS, retention=RETENTION)


# The command.


@pytest.fixture(scope="module")
def retention(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("retention") / "vkeys"
    path.write_text("".join(f"{signer.verifier}\n" for signer in SIGNERS))
    return path


def test_the_file_alone_verifies_a_bundle_with_the_standard_library(packed, vkey, retention):
    done = run(packed, "--vkey", vkey, "--retention-vkey", retention)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("VERIFIED. Every entry is as it was written and signed.\n")


def test_the_copy_inside_the_bundle_is_this_file(folder):
    assert (folder / "verify.py").read_bytes() == MODULE.read_bytes()


def test_json_and_exit_status_agree(folder, tmp_path, vkey):
    copy = shutil.copytree(folder, tmp_path / "copy")
    raw = entries_file(copy).read_bytes()
    entries_file(copy).write_bytes(raw.replace(b"counter 2", b"counter 3", 1))
    done = run(copy, "--vkey", vkey, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == report["exit"] == 1
    assert (report["findings"][0]["class"], report["findings"][0]["position"]) == ("ENTRY_MODIFIED", "1")


def test_all_evidence_can_be_given_on_the_command_line(folder, tmp_path, vkey):
    log = Log.of(5)
    held_path = tmp_path / "held"
    held_path.write_text(log.seal(witnesses=2))
    witnesses = tmp_path / "witnesses"
    witnesses.write_text("\n".join(str(witness.verifier) for witness in WITNESSES))
    receipts = tmp_path / "receipts.csv"
    receipts.write_text(f"seq,leaf\r\n3,{log.rows[2].leaf.hex()[:16]}\r\n")
    options = ["--vkey", vkey, "--checkpoint", held_path, "--witness-vkey", witnesses, "--receipts", receipts]
    bundle = log.export(tmp_path / "bundle.zip")
    assert run(bundle, *options, "--policy", "2-of-3", "--strict").returncode == 0
    assert run(bundle, *options, "--policy", "3-of-3", "--strict").returncode == 0, "a held checkpoint is trusted"
    done = run(bundle, *options, "--policy", "4")
    assert done.returncode == 2
    assert "more witnesses" in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--vkey", "no-such-file"],
        ["--vkey", "{bundle}"],
        ["--vkey", "{vkey}", "--policy", "many"],
        ["--vkey", "{vkey}", "--policy", "1"],
        ["--vkey", "{vkey}", "--witness-vkey", "{vkey}"],
        ["--vkey", "{vkey}", "--receipts", "{vkey}"],
        ["--vkey", "{vkey}", "--checkpoint", "{vkey}"],
    ],
)
def test_wrong_usage_is_2_and_says_why_without_a_traceback(folder, vkey, options):
    done = run(folder, *(option.format(bundle=folder, vkey=vkey) for option in options))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_bundle_cannot_steer_the_terminal(tmp_path, vkey):
    log = Log.of(2)
    log.rows[0].columns["action"] = "x\x1b[2J\x07"
    log.seal()
    done = run(log.export(tmp_path / "b"), "--vkey", vkey)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout


def other_pythons() -> list[Path]:
    """Interpreters of other versions on the path or kept by pyenv, one of each version that the verifier supports."""
    folders = [Path(search_path) for search_path in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
    by_version: dict[str, Path] = {}
    for version in ("3.9", "3.10", "3.12", "3.13", "3.14"):
        for folder in folders:
            python = folder / f"python{version}"
            if (
                python.is_file()
                and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode == 0
            ):
                by_version.setdefault(version, python)
    return list(by_version.values())


def test_it_runs_on_other_pythons(packed, vkey, retention):
    pythons = other_pythons()
    if not pythons:
        pytest.skip("this machine has only the Python that runs the tests")
    for python in pythons:
        command = [python, "-I", "-S", MODULE, packed, "--vkey", vkey, "--retention-vkey", retention]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), python


def test_memory_does_not_grow_with_the_log(tmp_path, vkey):
    """Peak memory with 20,000 entries is within a few megabytes of that with 1,000."""
    peaks = []
    for count in (1_000, 20_000):
        path = Log.of(count, every=count // 4).export(tmp_path / f"{count}.zip")
        script = (
            "import re, runpy, sys\n"
            "sys.argv = sys.argv[1:]\n"
            "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
            "except SystemExit as end:\n"
            "    print(end.code, re.search(r'VmHWM:\\s+([0-9]+)', open('/proc/self/status').read())[1])\n"
        )
        command = [sys.executable, "-I", "-S", "-c", script, str(MODULE), str(path), "--vkey", str(vkey)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        code, peak = done.stdout.splitlines()[-1].split()
        assert code == "0"
        peaks.append(int(peak))
    assert peaks[1] - peaks[0] < 8 << 10


# Blemishes that were accusations, or nothing.


@pytest.mark.parametrize("at", [0, 4, 9])
@pytest.mark.parametrize("garbage", [b"", b"?", b"\xff\xfe"])
def test_a_line_that_is_no_entry_is_unreadable_not_a_moved_entry(lines, at, garbage):
    raw = (lines / "entries.jsonl").read_bytes().split(b"\n")
    raw.insert(at, garbage)
    (lines / "entries.jsonl").write_bytes(b"\n".join(raw))
    seal_again(lines)
    report = verify.verify_bundle(lines, keys=KEYS, retention=RETENTION)
    assert (report.exit, [finding.kind for finding in report.findings if finding.status == 1]) == (
        verify.UNREADABLE,
        [],
    )


def test_a_bundle_in_which_nothing_was_signed_is_not_verified(tmp_path):
    log = Log()
    report = verify.verify_bundle(log.export(tmp_path / "empty"), keys=KEYS)
    assert (report.exit, [finding.kind for finding in report.findings]) == (verify.INCOMPLETE, ["UNCHECKED"])
    log.seal()
    assert verify.verify_bundle(log.export(tmp_path / "signed"), keys=KEYS).exit == verify.OK


def test_an_entry_from_the_future_is_said_so(tmp_path):
    log = Log.of(3)
    ahead = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
    log.write(recorded_at=ahead)
    log.seal()
    report = verify.verify_bundle(log.export(tmp_path / "ahead"), keys=KEYS)
    assert (report.exit, [(finding.kind, finding.position) for finding in report.findings]) == (
        3,
        [("CLOCK_AHEAD", "4")],
    )
