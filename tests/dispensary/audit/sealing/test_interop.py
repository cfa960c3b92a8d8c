"""Go's own note and tree code (golang.org/x/mod/sumdb) accepts what we sign, and agrees with our tree."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from dispensary.audit.sealing import merkle, notes
from tests.dispensary.audit.logs import ORIGIN, SIGNER, Log

SOURCES = Path("/usr/share/gocode/src")
"""Where Debian's golang-golang-x-mod-dev puts the library."""

PROGRAM = r"""
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type task struct {
	Vkey, Skey string
	Notes, Bad []string
	Texts      []string
	Leaves     []string
	Sizes      []int64
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

type memory []tlog.Hash

func (m memory) ReadHashes(at []int64) ([]tlog.Hash, error) {
	var out []tlog.Hash
	for _, i := range at {
		out = append(out, m[i])
	}
	return out, nil
}

func main() {
	var t task
	must(json.NewDecoder(os.Stdin).Decode(&t))
	verifier, err := note.NewVerifier(t.Vkey)
	must(err)
	keys := note.VerifierList(verifier)
	for i, n := range t.Notes {
		opened, err := note.Open([]byte(n), keys)
		must(err)
		if opened.Text != t.Texts[i] {
			must(fmt.Errorf("note %d: text differs", i))
		}
	}
	for i, n := range t.Bad {
		if _, err := note.Open([]byte(n), keys); err == nil {
			must(fmt.Errorf("bad note %d was accepted", i))
		}
	}
	signer, err := note.NewSigner(t.Skey)
	must(err)
	var signed []string
	for _, text := range t.Texts {
		n, err := note.Sign(&note.Note{Text: text}, signer)
		must(err)
		signed = append(signed, string(n))
	}
	var hashes memory
	for i, leaf := range t.Leaves {
		data, err := base64.StdEncoding.DecodeString(leaf)
		must(err)
		more, err := tlog.StoredHashes(int64(i), data, hashes)
		must(err)
		hashes = append(hashes, more...)
	}
	var roots []string
	proofs := map[string][]string{}
	last := int64(len(t.Leaves))
	for _, size := range t.Sizes {
		root, err := tlog.TreeHash(size, hashes)
		must(err)
		roots = append(roots, base64.StdEncoding.EncodeToString(root[:]))
		tree, err := tlog.ProveTree(last, size, hashes)
		must(err)
		record, err := tlog.ProveRecord(last, size-1, hashes)
		must(err)
		for _, h := range tree {
			key := fmt.Sprintf("tree %d", size)
			proofs[key] = append(proofs[key], base64.StdEncoding.EncodeToString(h[:]))
		}
		for _, h := range record {
			key := fmt.Sprintf("record %d", size)
			proofs[key] = append(proofs[key], base64.StdEncoding.EncodeToString(h[:]))
		}
	}
	out, err := json.Marshal(map[string]any{"signed": signed, "roots": roots, "proofs": proofs})
	must(err)
	fmt.Println(strings.TrimSpace(string(out)))
}
"""


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program above, compiled against the library as Debian ships it."""
    if shutil.which("go") is None or not (SOURCES / "golang.org/x/mod/sumdb").is_dir():
        pytest.skip("Go and its sumdb library are not installed (Debian: golang-go golang-golang-x-mod-dev)")
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(PROGRAM)
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "GO111MODULE": "off",
        "GOPATH": f"{folder / 'go'}:{SOURCES.parent}",
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "-p=1",
        "HOME": str(folder),
    }
    subprocess.run(["go", "build", "-o", "interop", "main.go"], cwd=folder, env=environment, check=True)
    return folder / "interop"


@pytest.fixture(scope="module")
def log() -> Log:
    return Log.of(1000, every=100)


def encoded(hashes: list[bytes]) -> list[str]:
    import base64

    return [base64.b64encode(digest).decode() for digest in hashes]


def test_go_accepts_our_notes_and_agrees_on_roots_proofs_and_signatures(go, log):
    sizes = [1, 2, 3, 7, 64, 100, 513, 999, 1000]
    notes = list(log.notes.values())
    texts = [log.checkpoint(size).text for size in log.notes]
    leaves = [row.leaf for row in log.rows]
    headers = [b"" if log.header(seq) is None else log.header(seq).encode() for seq in range(1, 1001)]
    task = {
        "Vkey": str(SIGNER.verifier),
        "Skey": SIGNER.export(),
        "Notes": notes,
        "Texts": texts,
        "Bad": [notes[0].replace("\n100\n", "\n101\n"), notes[0].replace(ORIGIN, ORIGIN + "x"), notes[0][:-2] + "\n"],
        "Leaves": encoded(headers),
        "Sizes": sizes,
    }
    done = subprocess.run([go], input=json.dumps(task), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert report["signed"] == notes, "Go's signature on the same text is ours, byte for byte"
    assert report["roots"] == encoded([merkle.root(leaves[:size]) for size in sizes])
    for size in sizes:
        assert report["proofs"].get(f"tree {size}", []) == encoded(merkle.consistency_proof(leaves, size))
        assert report["proofs"].get(f"record {size}", []) == encoded(merkle.inclusion_proof(leaves, size - 1))


def test_our_reader_accepts_what_go_signed(go, log):
    text = log.checkpoint(7).text
    task = {"Vkey": str(SIGNER.verifier), "Skey": SIGNER.export(), "Texts": [text], "Notes": [log.seal(7)]}
    done = subprocess.run([go], input=json.dumps(task), capture_output=True, text=True, check=True)
    (signed,) = json.loads(done.stdout)["signed"]
    assert notes.open_checkpoint(signed, [SIGNER.verifier]) == log.checkpoint(7)
