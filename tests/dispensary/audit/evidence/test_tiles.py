"""A log as static files, watched from outside over HTTP by the one file that an outsider has."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from deploy.demo.attacks import Attack, unguarded
from dispensary.audit.evidence import tiles, verify
from dispensary.audit.log.database import all_logs, raw_connection
from dispensary.audit.sealing import merkle, service
from dispensary.models import Pharmacy
from tests.dispensary import make
from tests.dispensary.audit.logs import SIGNER, Log
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer"])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def published(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    folder = tmp_path / "published"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("total", [1, 2, 255, 256, 257, 700, 66_000])
def test_the_root_of_every_older_size_comes_out_of_the_tiles(total: int) -> None:
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(total)]
    files = tiles._hash_tiles(Path("nowhere"), 0, leaves)
    for size in {1, total, total // 2 or 1, max(total - 1, 1), min(256, total), min(300, total)}:
        assert verify.root_from_tiles(files.__getitem__, size, total) == merkle.root(leaves[:size])


def test_a_folder_that_grows_holds_the_same_tiles_as_one_written_at_once(tmp_path: Path) -> None:
    leaves = [merkle.leaf_hash(str(number).encode()) for number in range(66_100)]
    before = 0
    for size in (1, 2, 255, 256, 257, 512, 700, 65_535, 65_536, 65_700, 66_100):
        first = before // tiles.WIDTH * tiles.WIDTH
        for path, content in tiles._hash_tiles(tmp_path, before, leaves[first:size]).items():
            tiles._write(tmp_path / path, content)
        whole = tiles._hash_tiles(Path("nowhere"), 0, leaves[:size])
        assert {path for path, content in whole.items() if (tmp_path / path).read_bytes() != content} == set()
        before = size
    assert not list(tmp_path.glob("tile/0/000.p"))


def test_an_entry_bundle_gives_the_leaves_of_its_tile(sealed: Pharmacy, tmp_path: Path) -> None:
    connection = raw_connection("sealer")
    log = all_logs(connection, sealed.pk)[0]
    assert tiles.write_tiles(connection, log, tmp_path / "hashes", with_entries=False) == 13
    assert [path.name for path in (tmp_path / "hashes" / "tile").iterdir()] == ["0"]
    assert tiles.write_tiles(connection, log, tmp_path) == 13
    bundle, leaves = (tmp_path / "tile/entries/000.p/13").read_bytes(), []
    while bundle:
        length = int.from_bytes(bundle[:2], "big")
        leaves.append(merkle.leaf_hash(bundle[2 : 2 + length]))
        bundle = bundle[2 + length :]
    assert b"".join(leaves) == (tmp_path / "tile/0/000.p/13").read_bytes()


def test_a_published_log_is_watched_as_it_grows_and_alarms_when_it_does_not_go_on(
    sealed: Pharmacy, write: Callable[..., UUID], database: Database, published: tuple[Path, str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    folder, url = published
    sealer = raw_connection("sealer")
    row = all_logs(sealer, sealed.pk)[0]
    vkey, state = tmp_path / "vkey", tmp_path / "seen"
    vkey.write_text(f"{service.make_sealer().keys[0].named(row.origin).verifier}\n")

    def look() -> tuple[int, str]:
        status = verify.main(["--watch", f"{url}/log", "--state", str(state), "--vkey", str(vkey)])
        return status, capsys.readouterr().out

    assert look()[0] == verify.INCOMPLETE  # nothing is published yet
    tiles.write_tiles(sealer, row, folder / "log")
    assert (look()[0], "seen for the first time" in look()[1]) == (verify.OK, False)
    for _ in range(260):
        write(sealed)
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=sealed.pk)
    assert tiles.write_tiles(sealer, row, folder / "log") == 273
    status, text = look()
    assert (status, "continues the 13 that were seen" in text) == (verify.OK, True)

    stored_state, newest = state.read_bytes(), (folder / "log" / "checkpoint").read_bytes()
    tile = folder / "log" / "tile/1/000.p/1"
    whole = tile.read_bytes()
    tile.write_bytes(b"\0" * 32 + whole[32:])
    assert "ROOT_MISMATCH" in look()[1]
    tile.write_bytes(whole)

    older = Log.of(3)
    (folder / "log" / "checkpoint").write_text(older.seal())
    assert (look()[0], "CKPT_BAD_SIG" in look()[1]) == (verify.TAMPERED, True)
    with database.connect("sealer") as connection:
        (first,) = connection.execute(
            "SELECT note FROM audit.checkpoint WHERE log_id = %s ORDER BY size LIMIT 1", [row.log_id]
        ).fetchone() or ("",)
    (folder / "log" / "checkpoint").write_text(first)
    assert "TRUNCATED" in look()[1]
    (folder / "log" / "checkpoint").write_bytes(newest)
    assert (look()[0], state.read_bytes()) == (verify.OK, stored_state)

    fetch = verify.fetch_from(f"{url}/log")
    keys = verify.read_keys(vkey, 1)
    later = timezone.now() + timedelta(hours=27)
    assert "STALE" in verify.watch(fetch, state, keys=keys, now=later)[1]

    with database.connect("superuser") as connection, unguarded(connection):
        attack = Attack(connection, row.log_id)
        attack.set_entry(270, "actor = 'user:66'")
        attack.relink(270)
    with pytest.raises(CommandError, match=f"{sealed.pk} does not give the root"):
        call_command("audit", "tiles", str(tmp_path / "elsewhere"), stdout=StringIO())


def test_a_log_that_lost_entries_is_not_published_and_holds_up_no_other(
    sealed: Pharmacy, database: Database, tmp_path: Path
) -> None:
    other = make.pharmacy("Hill Pharmacy")
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=other.pk)
    row = all_logs(raw_connection("sealer"), sealed.pk)[0]
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, row.log_id).cut(13)
    with pytest.raises(CommandError, match=f"{sealed.pk} has 12 entries, and 13 were signed; nothing was published"):
        call_command("audit", "tiles", str(tmp_path), stdout=StringIO())
    assert not (tmp_path / str(sealed.pk) / "checkpoint").exists()
    assert (tmp_path / str(other.pk) / "checkpoint").exists()


def test_a_forked_log_is_told_from_one_that_grew(sealed: Pharmacy, published: tuple[Path, str], tmp_path: Path) -> None:
    """The key was stolen and another history signed, published whole: whoever saw the first one knows."""
    state, key = tmp_path / "seen", service.make_sealer().keys[0]
    for seed, size in ((1, 6), (2, 9)):
        log = Log.of(size, seed=seed)
        files = {"checkpoint": log.seal(signer=key).encode()}
        for index, tile in enumerate(tiles._batches([row.leaf for row in log.rows], tiles.WIDTH)):
            files[tiles.tile_path("0", index, len(tile))] = b"".join(tile)
        keys = [verify.Key.parse(str(key.named(log.origin).verifier))]
        status, text = verify.watch(files.__getitem__, state, keys=keys, now=timezone.now())
    assert (status, "FORK" in text) == (verify.TAMPERED, True)


def test_a_web_server_can_read_what_a_process_with_a_strict_umask_wrote(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        tiles._write(tmp_path / "log/tile/0/000.p/5", b"content")
    finally:
        os.umask(before)
    made = [path.stat().st_mode & 0o777 for path in sorted((tmp_path / "log").rglob("*"))]
    assert made == [0o755, 0o755, 0o755, 0o644]


class Guarded(Quiet):
    """Files for those who have the token; the folder `moved` is said to be elsewhere."""

    def do_GET(self) -> None:
        if self.path.startswith("/moved/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/moved"))
            self.end_headers()
        elif self.headers["Authorization"] != "Bearer only-for-watchers":
            self.send_error(401)
        else:
            super().do_GET()


def test_a_watcher_sends_the_token_and_follows_nobody_elsewhere(tmp_path: Path) -> None:
    log, folder = Log.of(5), tmp_path / "published"
    for path, content in {
        **tiles._hash_tiles(folder, 0, [row.leaf for row in log.rows]),
        "checkpoint": log.seal().encode(),
    }.items():
        tiles._write(folder / path, content)
    keys = [verify.Key.parse(str(SIGNER.verifier))]
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Guarded, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"

        def look(url: str, token: str) -> tuple[int, str]:
            return verify.watch(verify.fetch_from(url, token), tmp_path / "seen", keys=keys, now=timezone.now())

        assert look(url, "only-for-watchers")[0] == verify.OK
        for place, token, code in (
            (url, "", "401"),
            (url, "another", "401"),
            (f"{url}/moved", "only-for-watchers", "302"),
        ):
            status, text = look(place, token)
            assert (status, "SILENT" in text and code in text) == (verify.INCOMPLETE, True), text
        (folder / "checkpoint").unlink()
        status, text = look(url, "only-for-watchers")
        assert (status, "GONE" in text and "5 entries were seen" in text) == (verify.INCOMPLETE, True), text
        server.shutdown()
    with pytest.raises(verify.Malformed, match="begins with http"):
        verify.fetch_from("file:///etc/passwd")
