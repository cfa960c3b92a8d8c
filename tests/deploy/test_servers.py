"""The servers we start ourselves: they come up, come back, end with us, and say in a sentence what is in the way."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis

from deploy.environment import ROOT, read_environment, write_environment
from deploy.servers import Postgres, ServerError, Valkey, free_port
from deploy.servers.processes import LOCALHOST, open_to_others, place_for, remove, server_user
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the servers' user can reach."""
    made = Path(tempfile.mkdtemp(prefix="dispensary-servers-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def postgres(folder: Path) -> Iterator[Postgres]:
    server = Postgres(folder, "pass word/%", durable=False)
    yield server
    server.stop()


def notes(server: Postgres) -> list[str]:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        return [row[0] for row in connection.execute("SELECT text FROM note")]


def write_note(server: Postgres, text: str) -> None:
    notes(server)
    with psycopg.connect(server.url()) as connection:
        connection.execute("INSERT INTO note VALUES (%s)", [text])


def test_data_survive_a_stop_and_a_crash(postgres: Postgres) -> None:
    postgres.start()
    write_note(postgres, "before the stop")
    postgres.stop()
    postgres.start()
    write_note(postgres, "before the crash")
    postgres.stop(signal.SIGKILL)
    postgres.start()
    assert notes(postgres) == ["before the stop", "before the crash"]


def test_a_server_that_repeats_its_journal_after_a_crash_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres = Postgres(folder, "x", durable=True)  # with its usual, rare checkpoints
    postgres.start()
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE long AS SELECT n, repeat('x', 200) AS text FROM generate_series(1, 1500000) n")
    postgres.stop(signal.SIGKILL)
    monkeypatch.setattr("deploy.servers.postgres._START_SECONDS", 0.5)
    postgres.start(postgres.port)
    with psycopg.connect(postgres.url()) as connection:
        assert connection.execute("SELECT count(*) FROM long").fetchone() == (1_500_000,)
    postgres.stop()


def test_nobody_gets_in_without_the_password(postgres: Postgres) -> None:
    postgres.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(postgres.url(password="guessed"))


def test_taken_port_is_left_to_whom_it_belongs(postgres: Postgres) -> None:
    with socket.create_server((LOCALHOST, 0)) as other:
        taken = other.getsockname()[1]
        postgres.start(wanted_port=taken)
        assert postgres.port != taken
        assert notes(postgres) == []


def test_server_of_an_earlier_run_is_taken_over(folder: Path, postgres: Postgres) -> None:
    earlier = Postgres(folder, postgres.password, durable=False)
    earlier.start()
    write_note(earlier, "from the earlier run")
    postgres.start()
    assert wait_until(lambda: not earlier.running, 10)
    assert notes(postgres) == ["from the earlier run"]


def test_lock_file_that_names_somebody_elses_process_is_no_obstacle(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    lock = postgres.data / "postmaster.pid"
    lock.write_text(f"{os.getppid()}\n{postgres.data}\n0\n{postgres.port}\n\n{LOCALHOST}\n0 0\nready\n")
    postgres.start()
    assert psutil.pid_exists(os.getppid())
    assert notes(postgres) == []


def test_half_made_data_folder_is_made_anew(postgres: Postgres) -> None:
    postgres.data.mkdir(parents=True)
    (postgres.data / "half").write_text("initdb was killed here")
    postgres.start()
    assert notes(postgres) == []


def test_damaged_data_folder_is_told_in_a_sentence(postgres: Postgres) -> None:
    postgres.start()
    postgres.stop()
    (postgres.data / "global" / "pg_control").unlink()
    with pytest.raises(ServerError, match=r"(?s)PostgreSQL does not start in .*make clean"):
        postgres.start()


def test_missing_wheels_are_told_in_a_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.servers.postgres.find_spec", lambda _name: None)
    monkeypatch.setattr("deploy.servers.valkey.find_spec", lambda _name: None)
    with pytest.raises(ServerError, match="set DATABASE_URL"):
        Postgres(folder, "x").start()
    with pytest.raises(ServerError, match="set REDIS_URL"):
        Valkey(folder, "x").start()


def test_server_ends_when_its_starter_is_killed(folder: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent is gone")
    starter = f"""
import sys, time
from pathlib import Path
from deploy.servers import Postgres, Valkey
folder = Path({str(folder)!r})
postgres, valkey = Postgres(folder, "x", durable=False), Valkey(folder / "valkey", "x")
postgres.start(); valkey.start()
print(postgres.process.pid, valkey.process.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", starter], stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        servers = [int(pid) for pid in process.stdout.readline().split()]
        assert all(psutil.pid_exists(pid) for pid in servers)
        process.kill()
    wait_until(lambda: not any(_runs(pid) for pid in servers), 15)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_valkey_asks_for_its_password_and_comes_back_empty(folder: Path) -> None:
    server = Valkey(folder / "valkey", "secret")
    server.start()
    try:
        redis.Redis.from_url(server.url).set("hint", "there may be work")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(host=LOCALHOST, port=server.port).ping()
        port = server.port
        server.end(signal.SIGKILL)
        server.start(wanted_port=port)
        assert server.port == port
        assert redis.Redis.from_url(server.url).get("hint") is None
    finally:
        server.stop()


def test_roots_servers_live_where_their_user_can_walk(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    place = place_for("postgres", private / "run")
    if server_user() is None:
        assert place == private / "run" / "postgres"
    else:
        assert open_to_others(place.parent)
        assert place == place_for("postgres", private / "run")
        remove("postgres", private / "run")
        assert not place.parent.exists()


def test_root_in_a_private_home_gets_a_server_too(tmp_path: Path) -> None:
    private = tmp_path / "home"
    private.mkdir(mode=0o700)
    server = Postgres(private / "run", "x", durable=False)
    try:
        server.start()
        assert notes(server) == []
    finally:
        server.stop()
        remove("postgres-binaries", private / "run")
        remove("postgres", private / "run")


def test_free_port_is_free_and_not_one_that_outgoing_connections_are_given() -> None:
    port = free_port()
    with socket.create_server((LOCALHOST, port)):
        assert port < 32_768
        assert free_port(port) != port


def test_environment_file_is_private_and_loses_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "run" / "environment"
    write_environment({"DATABASE_URL": "postgresql://from-the-file", "ONLY_HERE": "a=b"}, file)
    monkeypatch.setenv("DATABASE_URL", "postgresql://from-the-environment")
    read = read_environment(file)
    assert read["DATABASE_URL"] == "postgresql://from-the-environment"
    assert read["ONLY_HERE"] == "a=b"
    assert file.stat().st_mode & 0o077 == 0
