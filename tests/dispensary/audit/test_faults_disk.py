"""A disk that is full: under the tables, under the journal, under the sealer's memory. Loud, nothing half written, and it heals.

The small disk is a file system in memory that only these tests use, made as large as the test says.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import errors

from deploy.servers import Postgres
from dispensary.audit.sealing.state import StateFolder, StateTrouble
from tests.dispensary.audit.own import DATABASE, OwnSite, append_dispense, append_one, give_to_server, own_site

pytestmark = [pytest.mark.faults, pytest.mark.slow]


class SmallDisk:
    """A file system of so many megabytes at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def resize(self, megabytes: int) -> None:
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", str(self.path)], check=True, capture_output=True)

    def fill(self) -> Path:
        """Take all that is left."""
        path = self.path / "filler"
        with path.open("ab", buffering=0) as file:
            for piece in (b"\0" * (1 << 16), b"\0"):
                try:
                    while True:
                        file.write(piece)
                except OSError:
                    pass
        return path


@contextmanager
def small_disk(path: Path, megabytes: int) -> Iterator[SmallDisk]:
    path.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(path)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("a full disk needs a disk of the test's own, and this user may not mount one (run as root)")
    try:
        give_to_server(path)
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", str(path)], check=False, capture_output=True)


def random_body(kilobytes: int) -> str:
    return '{"x":"' + os.urandom(kilobytes * 512).hex() + '"}'


def test_full_tables_refuse_dispenses_whole_and_take_them_again_when_there_is_room(tmp_path: Path) -> None:
    with own_site(durable=True) as site, small_disk(site.folder / "small", 40) as disk:
        site.dispense(5)
        site.seal()
        with site.connect("superuser", "postgres") as admin:
            admin.execute(f"CREATE TABLESPACE small LOCATION '{disk.path}'")
            admin.execute(f"ALTER DATABASE {DATABASE} SET TABLESPACE small")
        write_count = 0
        with site.connect("app", autocommit=False) as app:
            with pytest.raises(errors.DiskFull):
                for _ in range(2000):
                    append_dispense(app, site.pharmacy)
                    append_one(app, site.pharmacy, body=random_body(400))
                    app.rollback() if write_count % 3 == 2 else app.commit()
                    write_count += 1
            app.rollback()
            with pytest.raises(errors.DiskFull):  # still full, still loud
                append_one(app, site.pharmacy, body=random_body(400))
            app.rollback()
        whole(site)
        disk.resize(200)
        site.dispense(5)
        whole(site)
        site.seal()
        report = site.report()
        assert [finding.kind for finding in report.findings] == []
        assert report.covered == report.last > 5
        disk.resize(400)  # the server's last checkpoint needs room as well
        site.server.stop()


def whole(site: OwnSite) -> None:
    """Every dispense has its entry, every entry its body and its link, in one chain."""
    site.wait_for_backends()
    with site.connect() as connection:
        counted = connection.execute(
            """SELECT (SELECT count(*) FROM public.dispense d LEFT JOIN audit.link l ON l.entry_id = d.entry WHERE l.seq IS NULL),
                      (SELECT count(*) FROM audit.entry) - (SELECT count(*) FROM audit.link),
                      (SELECT count(*) FROM audit.entry) - (SELECT count(*) FROM audit.body),
                      (SELECT max(seq) FROM audit.link) - (SELECT count(*) FROM audit.link)"""
        ).fetchone()
        assert counted == (0, 0, 0, 0)
    assert {finding.kind for finding in site.report().findings} <= {"UNSEALED"}


def test_a_full_journal_stops_the_server_and_nothing_that_was_acknowledged_is_lost(tmp_path: Path) -> None:
    disks: list[Any] = []

    def move_journal(server: Postgres, folder: Path) -> None:
        disk = small_disk(folder / "journal", 96)
        disks.append((disk, disk.__enter__()))
        for file in (server.data / "pg_wal").iterdir():
            moved = shutil.move(file, folder / "journal" / file.name)
            shutil.chown(moved, server.data.owner(), server.data.group())
        (server.data / "pg_wal").rmdir()
        (server.data / "pg_wal").symlink_to(folder / "journal")

    try:
        # A journal that may grow to a gigabyte, on a disk that has not that much.
        settings = {"max_wal_size": "1GB", "checkpoint_timeout": "1h", "archive_mode": "off"}
        with own_site(durable=True, settings=settings, before_start=move_journal) as site:
            ((_, disk),) = disks
            site.dispense(5)
            with pytest.raises(psycopg.OperationalError), site.connect("app", autocommit=False) as app:
                for _ in range(3000):
                    dispense = append_dispense(app, site.pharmacy)
                    append_one(app, site.pharmacy, body=random_body(400))
                    app.commit()
                    site.acknowledged.add(dispense)
            assert len(site.acknowledged) > 20
            site.server.stop()
            disk.resize(600)
            site.server.start()
            with site.connect() as owner:
                stored = {row[0] for row in owner.execute("SELECT id::text FROM public.dispense").fetchall()}
            assert site.acknowledged <= stored
            whole(site)
            site.dispense(5)
            site.seal()
            assert [finding.kind for finding in site.report().findings] == []
    finally:
        for disk, _ in disks:
            disk.__exit__(None, None, None)


def test_a_sealer_that_cannot_remember_does_not_sign(tmp_path: Path) -> None:
    with own_site() as site, small_disk(tmp_path / "memory", 1) as disk:
        states = StateFolder(disk.path / "state")
        with site.sealer() as sealer:
            sealer.states = states
            site.dispense(3)
            log = site.log(sealer.connection)
            assert sealer.seal(log) is not None
            before = states.load(log.log_id)
            site.dispense(3)
            filler = disk.fill()
            with pytest.raises(StateTrouble, match="No space left"):
                sealer.seal(log)
            assert states.load(log.log_id) == before
            assert newest(sealer.connection) == 3  # what is not remembered is not published
            filler.unlink()
            assert (done := sealer.seal(log)) is not None
            assert (done.size, newest(sealer.connection)) == (6, 6)
        assert [finding.kind for finding in site.report().findings] == []


def newest(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT max(size) FROM audit.checkpoint").fetchone()
    return int(row[0]) if row else 0


def test_the_small_disk_is_really_small(tmp_path: Path) -> None:
    """So that the tests above cannot pass on a disk that never fills."""
    with small_disk(tmp_path / "disk", 1) as disk:
        began = time.monotonic()
        path = disk.fill()
        assert 0 < path.stat().st_size <= 1 << 20
        assert time.monotonic() - began < 30
