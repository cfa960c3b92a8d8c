"""Go's own note and tree code (golang.org/x/mod/sumdb) accepts what we sign, and agrees with our tree."""

import json
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dispensary.audit.evidence import tiles
from dispensary.audit.sealing import merkle, notes
from dispensary.audit.sealing.witnesses import Witness, WitnessServer
from tests.dispensary.audit.logs import BEGAN, ORIGIN, SIGNER, WITNESSES, Log

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


CLIENT = r"""
package main

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func get(url string) []byte {
	answer, err := http.Get(url)
	must(err)
	defer answer.Body.Close()
	if answer.StatusCode != 200 {
		must(fmt.Errorf("%s: %s", url, answer.Status))
	}
	content, err := io.ReadAll(answer.Body)
	must(err)
	return content
}

type tiles struct{ url string }

func (t tiles) Height() int { return 8 }

// c2sp.org/tlog-tiles leaves out the height that sumdb puts into a path.
func (t tiles) ReadTiles(wanted []tlog.Tile) (out [][]byte, err error) {
	for _, tile := range wanted {
		out = append(out, get(t.url+"/"+strings.Replace(tile.Path(), "tile/8/", "tile/", 1)))
	}
	return out, nil
}

func (t tiles) SaveTiles([]tlog.Tile, [][]byte) {}

// Arguments: address of a log, its vkey, address of a witness, the size that the witness has seen.
func main() {
	url, witness := os.Args[1], os.Args[3]
	old, err := strconv.ParseInt(os.Args[4], 10, 64)
	must(err)
	verifier, err := note.NewVerifier(os.Args[2])
	must(err)
	raw := get(url + "/checkpoint")
	opened, err := note.Open(raw, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	root, err := tlog.ParseHash(lines[2])
	must(err)
	hashes := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, tiles{url})
	for n := int64(0); n*256 < size; n++ {
		width := size - n*256
		if width > 256 {
			width = 256
		}
		path := tlog.Tile{H: 8, L: 0, N: n, W: int(width)}.Path()
		bundle := get(url + "/" + strings.Replace(path, "tile/8/0/", "tile/entries/", 1))
		for i := n * 256; i < n*256+width; i++ {
			length := int(bundle[0])<<8 | int(bundle[1])
			proof, err := tlog.ProveRecord(size, i, hashes)
			must(err)
			must(tlog.CheckRecord(proof, size, root, i, tlog.RecordHash(bundle[2:2+length])))
			bundle = bundle[2+length:]
		}
		if len(bundle) != 0 {
			must(fmt.Errorf("bundle %d is longer than its entries", n))
		}
	}
	var request strings.Builder
	fmt.Fprintf(&request, "old %d\n", old)
	if old > 0 {
		proof, err := tlog.ProveTree(size, old, hashes)
		must(err)
		for _, h := range proof {
			fmt.Fprintln(&request, base64.StdEncoding.EncodeToString(h[:]))
		}
	}
	fmt.Fprintf(&request, "\n%s", raw)
	answer, err := http.Post(witness+"/add-checkpoint", "text/plain", strings.NewReader(request.String()))
	must(err)
	line, err := io.ReadAll(answer.Body)
	must(err)
	fmt.Println(size, answer.StatusCode)
	fmt.Print(string(line))
}
"""


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program above, compiled against the library as Debian ships it."""
    return build(PROGRAM, tmp_path_factory.mktemp("go"))


def build(source: str, folder: Path) -> Path:
    if shutil.which("go") is None or not (SOURCES / "golang.org/x/mod/sumdb").is_dir():
        pytest.skip("Go and its sumdb library are not installed (Debian: golang-go golang-golang-x-mod-dev)")
    (folder / "main.go").write_text(source)
    environment = {
        "PATH": "/usr/bin:/bin:/usr/local/bin",
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",  # a program without C's library, which the moved clock of `make test-dates` would freeze
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


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_a_go_client_reads_our_tiles_and_has_its_proof_cosigned_by_our_witness(tmp_path: Path) -> None:
    """Every entry is proved by the public library from the files that we serve, and the consistency that it computes is believed."""
    client = build(CLIENT, tmp_path)
    log, published = Log.of(700), tmp_path / "published"
    witness = Witness(WITNESSES[0], tmp_path / "memory")
    files = partial(Quiet, directory=str(published))
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), files) as web,
        WitnessServer(("127.0.0.1", 0), witness, [SIGNER.verifier], lambda: BEGAN) as cosigner,
    ):
        for server in (web, cosigner):
            threading.Thread(target=server.serve_forever, daemon=True).start()
        before = 0
        for size in (13, 256, 700):
            first = before // tiles.WIDTH
            leaves = [row.leaf for row in log.rows[first * tiles.WIDTH : size]]
            contents = tiles._hash_tiles(published, before, leaves)
            for index, seqs in enumerate(
                tiles._batches(range(first * tiles.WIDTH + 1, size + 1), tiles.WIDTH), start=first
            ):
                headers = [(log.header(seq) or "").encode() for seq in seqs]
                bundle = b"".join(len(header).to_bytes(2, "big") + header for header in headers)
                contents[tiles.tile_path("entries", index, len(seqs))] = bundle
            for path, content in {**contents, "checkpoint": log.seal(size).encode()}.items():
                tiles._write(published / path, content)
            urls = [f"http://127.0.0.1:{server.server_port}" for server in (web, cosigner)]
            command = [client, urls[0], str(SIGNER.verifier), urls[1], str(before)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
            answer, line = done.stdout.split("\n", 1)
            assert answer == f"{size} 200"
            assert WITNESSES[0].verifier in notes.open_note(log.notes[size] + line, [WITNESSES[0].verifier])[1]
            before = size
        for server in (web, cosigner):
            server.shutdown()
