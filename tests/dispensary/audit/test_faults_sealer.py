"""The sealer killed at every step and at every system call, and two sealers at once: never two truths about one size.

After each kill everything that was ever signed is collected, from the sealer's memory and from the database.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import uuid4

import pytest

from dispensary.audit.log.links import leaves
from dispensary.audit.sealing import sealer as sealer_module
from dispensary.audit.sealing import state as state_module
from dispensary.audit.sealing.merkle import root
from dispensary.audit.sealing.notes import open_checkpoint
from tests.dispensary.audit.own import LONG, OwnSite, own_site
from tests.waiting import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

WATCHED = {sealer_module.__file__, state_module.__file__}

ONE_ROUND = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "deploy.settings_test"
import django; django.setup()
import psycopg
from pathlib import Path
from dispensary.audit.sealing.keys import read_keys
from dispensary.audit.log.database import open_logs
from dispensary.audit.sealing.sealer import Sealer
from dispensary.audit.sealing.state import StateFolder
url, key, folder, pharmacy = sys.argv[1:]
with psycopg.connect(url, autocommit=True) as connection:
    sealer = Sealer(connection, read_keys(Path(key)), StateFolder(Path(folder)))
    sealer.seal(next(log for log in open_logs(connection) if str(log.pharmacy) == pharmacy))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[OwnSite]:
    with own_site() as site:
        yield site


@pytest.fixture
def site(server: OwnSite) -> OwnSite:
    server.pharmacies = [uuid4()]
    server.dispense()
    return server


class Signed:
    """Every note that ever existed, by size."""

    def __init__(self, site: OwnSite) -> None:
        self.site = site
        self.roots: dict[int, bytes] = {}
        with site.connect() as connection:
            self.log = site.log(connection)

    def collect(self) -> None:
        """Look at the sealer's memory and at the database; two roots of one size end the test."""
        with self.site.connect() as connection:
            rows = connection.execute("SELECT note FROM audit.checkpoint WHERE log_id = %s", [self.log.log_id])
            notes = [note for (note,) in rows.fetchall()]
        for file in (self.site.folder / "state").glob(f"{self.log.log_id}.*"):
            try:
                notes.append(json.loads(file.read_text())["note"])
            except FileNotFoundError:
                continue  # a sealer at work has just put it in its place
            except ValueError:
                assert file.suffix == ".new", "a torn file may lie beside the memory, never in its place"
        key = self.site.key.named(self.log.origin).verifier
        for note in filter(None, notes):
            checkpoint = open_checkpoint(note, [key])
            assert self.roots.setdefault(checkpoint.size, checkpoint.root) == checkpoint.root

    def fit(self) -> None:
        """Every signed state is a beginning of the log as it is at the end."""
        with self.site.connect() as connection:
            for size, signed in self.roots.items():
                assert signed == root(leaves(connection, self.log.log_id, upto=size))


def seal_and_die(site: OwnSite, step: int) -> bool:
    """One round in a child that is killed before its n-th line of the sealer's own code; whether it got to that line."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert killed or os.waitstatus_to_exitcode(status) == 0
        return killed
    try:
        left = step

        def count_lines(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in WATCHED:
                return None
            if event == "line":
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return count_lines

        with site.sealer() as sealer:
            log = site.log(sealer.connection)
            sys.settrace(count_lines)
            sealer.seal(log)
        os._exit(0)
    except BaseException:
        os._exit(3)


def test_killed_at_any_line_it_never_signs_two_truths(site: OwnSite) -> None:
    signed, step, sizes = Signed(site), 1, 1
    while True:
        site.dispense(2)
        sizes += 2
        if not seal_and_die(site, step):
            break
        signed.collect()
        if step % 2:  # one death in two is followed by another
            again = wait_until(
                site.seal, 30
            )  # until the dead one's backend has seen that nobody listens and let go of the log
            assert again.size == sizes
            signed.collect()
        step += 1 if LONG else 4
    assert step > 60, "the sealer's lines were not seen"
    signed.collect()
    signed.fit()
    assert len(signed.roots) > 20
    assert site.report().findings == []


CALLS = ("fsync", "rename", "write", "sendto", "recvfrom") if LONG else ("rename",)


def may_trace() -> bool:
    """Return whether strace is here and may watch a process on this machine."""
    return (
        shutil.which("strace") is not None
        and not subprocess.run(
            ["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, check=False
        ).returncode
    )


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_any_system_call_it_never_signs_two_truths(site: OwnSite, call: str) -> None:
    if not may_trace():
        pytest.skip("killing at a system call needs strace, and the right to use it (Debian: strace)")
    signed, number = Signed(site), 1
    (site.folder / "state").mkdir(exist_ok=True)
    while True:
        site.dispense(2)
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}",
             sys.executable, "-c", ONE_ROUND, site.url("sealer"), str(site.folder / "keys" / "key"),
             str(site.folder / "state"), str(site.pharmacy)],
            cwd=Path(__file__).parents[3], capture_output=True, text=True, check=False,
        )  # fmt: skip
        signed.collect()
        if done.returncode == 0:
            break
        assert done.returncode in (-signal.SIGKILL, 128 + signal.SIGKILL), done.stderr
        number += 1
    assert number > 1, f"the sealer did not call {call}"
    signed.fit()
    assert site.report().findings == []


def test_two_sealers_at_once_sign_one_history(site: OwnSite) -> None:
    """Two processes started by mistake, with one memory; and a third on another machine, with none."""
    signed, stop = Signed(site), threading.Event()
    troubles: list[BaseException] = []

    def seal() -> None:
        try:
            with site.sealer() as sealer:
                while not stop.is_set():
                    sealer.seal(signed.log)
        except BaseException as trouble:
            troubles.append(trouble)

    sealers = [threading.Thread(target=seal) for _ in range(2)]
    for thread in sealers:
        thread.start()
    for _ in range(60 if LONG else 15):
        site.dispense(5)
        signed.collect()
    stop.set()
    for thread in sealers:
        thread.join()
    assert troubles == []
    site.seal()
    signed.collect()
    signed.fit()
    assert site.report().findings == []
    with site.sealer() as third:
        third.states = state_module.StateFolder(site.folder / "elsewhere")
        site.dispense(1)
        with pytest.raises(state_module.StateTrouble, match="knows of none"):
            third.seal(signed.log)
