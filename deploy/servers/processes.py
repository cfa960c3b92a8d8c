"""Starting and stopping real server processes so that none of them outlives us."""

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import psutil

LOCALHOST = "127.0.0.1"
BARE_ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
_FIRST_PORT, _LENT_OUT = 20_000, 32_768
_PR_SET_PDEATHSIG = 1


class ServerError(Exception):
    """A server could not be had. The message is one or two sentences for the person at the terminal: what happened, what to do."""


def free_port(preferred: int | None = None) -> int:
    """Return `preferred` if it is free, else another free port.

    The system lends ports from 32768 up to outgoing connections. One of those could be lent to somebody while a server that lives
    there is down for a second, and the server could not come back to the address that everybody knows: so we look below.
    """
    below = (_FIRST_PORT + secrets.randbelow(_LENT_OUT - _FIRST_PORT) for _ in range(50))
    for port in (*((preferred,) if preferred else ()), *below, 0):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOCALHOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServerError(f"No free port on {LOCALHOST}. Close some programs and try again.")


def server_user() -> pwd.struct_passwd | None:
    """Return the user to run a server as: `nobody` for root, since PostgreSQL refuses root; None for the current user."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise ServerError(
            "PostgreSQL does not run as root, and this machine has no user `nobody` to run it as. "
            "Run as an ordinary user, or set DATABASE_URL to a server of yours."
        ) from None


def identity_of(user: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return the arguments with which `subprocess` runs a program as `user`: none for the current user."""
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def open_to_others(path: Path) -> bool:
    """Say whether another user may walk down to `path` and read it."""
    path = path.resolve()
    return all(folder.stat().st_mode & 0o001 for folder in path.parents) and bool(path.stat().st_mode & 0o004)


def place_for(name: str, folder: Path) -> Path:
    """Return the folder for `name`'s files: `folder / name`, or one in the temporary folder where its user cannot walk down to that.

    The second is for root in a private home. It is named after `folder`, so that the next start finds it again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if server_user() is None or open_to_others(folder):
        return folder / name
    digest = sha256(str(folder.resolve()).encode()).hexdigest()[:12]
    elsewhere = Path(tempfile.gettempdir()) / f"dispensary-{digest}"
    elsewhere.mkdir(mode=0o755, exist_ok=True)
    if elsewhere.is_symlink() or elsewhere.stat().st_uid != os.geteuid():
        raise ServerError(f"{elsewhere} belongs to somebody else. Remove it and try again.")
    return elsewhere / name


def remove(name: str, folder: Path) -> None:
    """Delete what `place_for` gave, wherever that is."""
    place = place_for(name, folder)
    shutil.rmtree(place, ignore_errors=True)
    if place.parent != folder and not any(place.parent.iterdir()):
        place.parent.rmdir()


def _die_with_parent() -> None:
    """Ask Linux to end this child when its parent is gone, even by `kill -9`."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Server:
    """One child process with a log file, in a session of its own: Ctrl-C reaches us, and we stop it in our order."""

    def __init__(self, title: str, log: Path) -> None:
        self.title = title
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def launch(
        self,
        command: Sequence[str | Path],
        user: pwd.struct_passwd | None = None,
        environment: Mapping[str, str] | None = None,
        folder: Path = Path("/"),
    ) -> None:
        """Start `command` in `folder` as `user` (None: as ourselves) with its output in the log file.

        `environment` None means a bare one: a database server has no business with our secrets.

        Raises:
            ServerError: the program is missing or may not be run.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self.log.open("wb") as output:
                self.process = subprocess.Popen(
                    [str(part) for part in command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    env=BARE_ENVIRONMENT if environment is None else environment,
                    start_new_session=True,
                    preexec_fn=_die_with_parent,  # noqa: PLW1509  (we start servers before any thread)
                    **identity_of(user),
                )
        except OSError as error:
            raise ServerError(
                f"{self.title} does not start: {error.strerror} ({command[0]}). Run `make clean` and try again."
            ) from error

    @property
    def running(self) -> bool:
        """Return True while the process runs."""
        return self.process is not None and self.process.poll() is None

    def last_words(self, lines: int = 4) -> str:
        """Return the last lines of the log, for a message to a person."""
        try:
            text = self.log.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return "(no log)"
        return "\n".join(text.strip().splitlines()[-lines:]) or "(empty log)"

    def end(self, how: signal.Signals = signal.SIGTERM, patience: float = 15) -> None:
        """Send `how`, wait up to `patience` seconds, then kill. Does nothing when it is gone already."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()
        self.process = None


def end_leftover(pid: int, marker: str, patience: float = 10) -> bool:
    """End the process `pid` if its command line mentions `marker`: a server that an earlier, half-killed run left behind.

    Returns whether there was one.
    """
    try:
        process = psutil.Process(pid)
        if not any(marker in part for part in process.cmdline()):
            return False
        process.send_signal(signal.SIGINT)
        try:
            process.wait(patience)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(patience)
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied as error:
        raise ServerError(
            f"Process {pid} still uses {marker} and belongs to another user. Stop it and try again."
        ) from error
    return True
