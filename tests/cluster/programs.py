"""The programs of a cluster: PostgreSQL and Valkey of our wheels, Patroni of its lock, etcd of the machine or of Debian's package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.environment import ROOT
from deploy.servers import Postgres, ServerError
from deploy.servers.processes import open_to_others, server_user
from deploy.servers.valkey import program_of_valkey

LOCK = ROOT / "deploy" / "requirements" / "cluster.txt"


class Missing(Exception):
    """A program cannot be had; the message is one line that names it."""


@dataclass(frozen=True)
class Programs:
    """Where each program is, readable by the user that PostgreSQL runs as."""

    postgres: Path  # the folder of its binaries
    patroni: Path
    etcd: Path
    valkey: Path


def collect(folder: Path) -> Programs:
    """Find or install every program; what is installed goes below `folder`.

    Raises:
        Missing: one of them cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        postgres, valkey = Postgres(folder, "").binaries(), program_of_valkey()
    except ServerError as error:
        raise Missing(str(error)) from error
    return Programs(postgres, _patroni(folder / "patroni"), _etcd(folder / "etcd"), valkey)


def _patroni(folder: Path) -> Path:
    program = folder / "bin" / "patroni"
    lock = LOCK.read_bytes()
    installed = folder / "installed.txt"
    if program.exists() and installed.exists() and installed.read_bytes() == lock:
        return program
    _run("patroni", [_uv(), "venv", "-q", "--clear", "--python", _open_python(), folder])
    _run("patroni", [_uv(), "pip", "sync", "-q", "--require-hashes", LOCK], VIRTUAL_ENV=str(folder))
    installed.write_bytes(lock)
    return program


def _open_python() -> Path:
    """Return a Python that the servers' user may run: in a private home Patroni's start would hang without a word."""
    candidates = [Path(sys.executable), *(Path(folder) / "python3" for folder in os.environ["PATH"].split(os.pathsep))]
    for candidate in (*candidates, Path("/usr/bin/python3")):
        if candidate.exists() and (server_user() is None or open_to_others(candidate)):
            return candidate.resolve()
    raise Missing("a Python that user `nobody` may run: install python3 outside of a private home")


def _uv() -> Path:
    return Path(sys.executable).parent / "uv"


def _etcd(folder: Path) -> Path:
    if on_path := shutil.which("etcd"):
        return Path(on_path)
    program = folder / "usr" / "bin" / "etcd"
    if not program.exists():
        folder.mkdir(exist_ok=True)
        _run("etcd", ["apt-get", "-qq", "download", "etcd-server"], folder)
        [package] = folder.glob("etcd-server*.deb")
        _run("etcd", ["dpkg", "-x", package, folder])
    return program


def _run(name: str, command: list[str | Path], folder: Path | None = None, **environment: str) -> None:
    try:
        subprocess.run(
            command, cwd=folder, env={**os.environ, **environment}, check=True, capture_output=True, text=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        reason = getattr(error, "stderr", None) or str(error)
        raise Missing(f"{name}: `{Path(command[0]).name}` failed: {reason.strip().splitlines()[-1]}") from error
