"""The log watched from outside, on real processes: a sealer, a witness, a web server, and the one file that an outsider has."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from deploy.demo.attacks import Attack, unguarded
from deploy.environment import ROOT
from dispensary.audit.evidence import tiles, verify
from dispensary.audit.log.database import all_logs, raw_connection
from dispensary.audit.sealing import cosigning, service
from dispensary.models import Pharmacy
from tests.dispensary.audit.logs import SIGNER, WITNESSES
from tests.site import Database, Site

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"])


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class Outside:
    """A folder of one site elsewhere: its witness (a process), its key files, its copy of `verify.py`."""

    def __init__(self, folder: Path, log_vkeys: Path) -> None:
        self.folder, self.log_vkeys = folder, log_vkeys
        folder.mkdir()
        (folder / "verify.py").write_bytes(Path(verify.__file__).read_bytes())
        made = self.verify("--new-witness-key", "witness-key", "--name", "head-office.example")
        assert made.returncode == 0, made.stderr
        (folder / "witness-vkey").write_text(made.stdout)
        self.witness = subprocess.Popen(
            [
                sys.executable, str(ROOT / "manage.py"), "audit", "cosign", "serve", "--listen", "127.0.0.1:0",
                "--key", str(folder / "witness-key"), "--log-vkey", str(log_vkeys), "--memory", str(folder / "memory"),
            ],
            cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.witness.stdout is not None
        line = self.witness.stdout.readline()
        self.url = f"http://127.0.0.1:{re.findall('[0-9]+', line)[-1]}"

    def verify(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-I", "-S", "verify.py", *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def watch(self, url: str) -> tuple[int, str]:
        """Status and words of a look at every log whose key is known here; the alarms go into a file."""
        done = self.verify(
            "--watch", f"{url}/{{log}}", "--state", "seen", "--vkey", str(self.log_vkeys), "--witness-vkey", "witness-vkey",
            "--policy", "1", "--alert", f"{sys.executable} -c 'import sys; open(\"alarm\", \"w\").write(sys.stdin.read())'",
        )  # fmt: skip
        assert not done.stderr
        return done.returncode, done.stdout

    def stop(self) -> None:
        self.witness.terminate()
        assert self.witness.wait(20) == 0


@pytest.fixture
def site_run(
    sealed: Pharmacy, site: Site, own_key: Path, tmp_path: Path
) -> Iterator[tuple[Outside, Callable[..., subprocess.CompletedProcess[str]], str]]:
    """The site outside, a way to run the site's commands, and the address at which its logs are published."""
    (tmp_path / "published").mkdir()
    (tmp_path / "log-vkeys").write_text(
        "".join(
            f"{service.make_sealer().keys[0].named(row.origin).verifier}\n"
            for row in all_logs(raw_connection("sealer"), sealed.pk)
        )
    )
    outside = Outside(tmp_path / "outside", tmp_path / "log-vkeys")
    run = partial(
        site.manage, "audit",
        AUDIT_KEY_FILE=str(own_key), AUDIT_WITNESS_URL=outside.url,
        AUDIT_WITNESS_VKEYS=str(outside.folder / "witness-vkey"), AUDIT_TILES_FOLDER=str(tmp_path / "published"),
    )  # fmt: skip

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "published"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield outside, run, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
    if outside.witness.poll() is None:
        outside.stop()


@contextmanager
def others_closed(database: Database, log_id: UUID) -> Iterator[None]:
    """Close the logs that other tests left open, which this witness does not know."""
    with database.connect("superuser") as connection, unguarded(connection):
        closed = connection.execute(
            "UPDATE audit.log SET closed_at = now() WHERE closed_at IS NULL AND log_id <> %s RETURNING log_id", [log_id]
        ).fetchall()
    yield
    with database.connect("superuser") as connection, unguarded(connection):
        connection.execute(
            "UPDATE audit.log SET closed_at = NULL WHERE log_id = ANY(%s)", [[other for (other,) in closed]]
        )


def test_a_log_is_cosigned_published_watched_and_its_second_history_refused_everywhere(
    site_run: tuple[Outside, Callable[..., subprocess.CompletedProcess[str]], str],
    sealed: Pharmacy, write: Callable[..., UUID], database: Database,
) -> None:  # fmt: skip
    outside, run, url = site_run
    status, text = outside.watch(url)
    assert (status, "SILENT" in text or "GONE" in text) == (verify.INCOMPLETE, True)  # nothing is published yet
    assert "GONE" in (outside.folder / "alarm").read_text()

    done = run("seal", "--once", "--pharmacy", str(sealed.pk))
    assert done.returncode == 0, done.stderr
    status, text = outside.watch(url)
    assert (status, "13 entries, seen for the first time" in text) == (verify.OK, True), text
    for _ in range(5):
        write(sealed)
    assert run("seal", "--once", "--pharmacy", str(sealed.pk)).returncode == 0
    status, text = outside.watch(url)
    assert (status, "continues the 13" in text) == (verify.OK, True), text

    row = all_logs(raw_connection("sealer"), sealed.pk)[0]
    with others_closed(database, row.log_id):
        assert "nothing was asked" in run("cosign", "ask").stdout
        with database.connect("superuser") as connection, unguarded(connection):
            connection.execute("DELETE FROM audit.cosignature WHERE log_id = %s", [row.log_id])
        asked = run("cosign", "ask")
    assert (asked.returncode, f"vouches for the first 18 entries of {row.origin}" in asked.stdout) == (0, True), asked

    # The key is stolen, the past rewritten and signed.
    with database.connect("superuser") as connection, unguarded(connection):
        attack = Attack(connection, row.log_id)
        attack.set_entry(3, "actor = 'user:66'")
        attack.relink(3)
        attack.append(sealed.pk, 4)
        attack.sign(service.make_sealer().keys[0].named(row.origin), row.origin, 18, 22)
    asked = run("cosign", "ask")
    assert (asked.returncode, "status 422" in asked.stderr and row.origin in asked.stderr) == (1, True), asked.stderr
    published = outside.folder.parent / "published" / str(sealed.pk)
    refused = run("tiles", str(published.parent))  # goes on from 18 entries, and finds that it cannot
    assert (refused.returncode, "does not give the root" in refused.stderr) == (1, True), refused.stderr
    shutil.rmtree(published)  # the thief publishes it whole
    assert tiles.write_tiles(raw_connection("sealer"), row, published) == 22
    (outside.folder / "alarm").unlink()
    status, text = outside.watch(url)
    assert (status, "FORK" in text) == (verify.TAMPERED, True), text
    assert "FORK" in (outside.folder / "alarm").read_text()
    assert (outside.folder / "seen" / f"{sealed.pk}.json.22.other").exists()

    outside.stop()
    silent = run("cosign", "ask")
    assert (silent.returncode, "does not answer" in silent.stderr) == (3, True), silent.stderr


def test_a_watcher_countersigns_what_it_saw_and_that_note_is_evidence_against_a_bundle(
    site_run: tuple[Outside, Callable[..., subprocess.CompletedProcess[str]], str], sealed: Pharmacy
) -> None:
    outside, run, url = site_run
    assert run("seal", "--once", "--pharmacy", str(sealed.pk)).returncode == 0
    look = ("--watch", f"{url}/{sealed.pk}", "--state", "mine", "--vkey", str(outside.log_vkeys))
    (outside.folder / "own-vkey").write_text(
        outside.verify("--new-witness-key", "own-key", "--name", "auditor.example").stdout
    )
    assert outside.verify(*look, "--witness-key", "own-key").returncode == verify.OK
    keys = [verify.Key.parse(line) for line in outside.log_vkeys.read_text().split()]
    mine = [verify.Key.parse((outside.folder / "own-vkey").read_text().strip())]
    cosigned = (outside.folder / "mine.checkpoint").read_bytes()
    assert [name for name, _ in verify.open_checkpoint(cosigned, "kept", True, keys, mine).witnesses] == [
        "auditor.example"
    ]
    bundle = outside.folder / "bundle.zip"
    assert run("export", str(bundle), "--log", str(sealed.pk), "--quiet").returncode == 0
    checked = outside.verify(
        "bundle.zip", "--vkey", str(outside.log_vkeys), "--checkpoint", "mine.checkpoint", "--witness-vkey", "own-vkey"
    )
    assert "1 of them yours" in checked.stdout
    again = outside.verify("--new-witness-key", "own-key", "--name", "auditor.example")
    assert (again.returncode, "cannot be written" in again.stderr) == (verify.UNREADABLE, True)


@pytest.mark.parametrize(
    ("url", "keys", "word"),
    [
        ("https://witness.example", None, "belong together"),
        ("", "type 4", "belong together"),
        ("http://witness.example", "type 4", "expected https"),
        ("ftp://127.0.0.1", "type 4", "expected https"),
        ("https://witness.example", "missing", "cannot be read"),
        ("https://witness.example", "type 1", "keys of a witness"),
        ("https://witness.example/prefix/", "type 4", ""),
        ("http://127.0.0.1:8467", "type 4", ""),
    ],
)
def test_the_settings_of_a_witness_are_checked(
    settings: Any, tmp_path: Path, url: str, keys: str | None, word: str
) -> None:
    path = tmp_path / "vkeys"
    if keys not in (None, "missing"):
        path.write_text(f"# of the witness\n{(WITNESSES[0] if keys == 'type 4' else SIGNER).verifier}\n")
    settings.DISPENSARY = {
        **settings.DISPENSARY, "audit_witness_url": url, "audit_witness_vkeys": path if keys else None,
    }  # fmt: skip
    messages = [str(message.msg) for message in run_checks() if message.id == "dispensary.E009"]
    if word:
        with pytest.raises(ImproperlyConfigured, match=word):
            cosigning.remote_witness()
        assert [word in message for message in messages] == [True]
    else:
        remote = cosigning.remote_witness()
        assert remote is not None
        assert (remote.url, messages) == (url.rstrip("/"), [])
