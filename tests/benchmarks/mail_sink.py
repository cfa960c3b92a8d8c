"""A mail server of its own process that takes everything and counts it: `python -m tests.benchmarks.mail_sink PORT_FILE TAKEN_FILE`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller

from deploy.servers import free_port


class Counting:
    """Appends a line for each message, as it says 250."""

    def __init__(self, file: Path):
        self.descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        os.write(self.descriptor, b"taken\n")
        return "250 OK"


def main() -> None:
    """Serve until told to stop."""
    controller = Controller(Counting(Path(sys.argv[2])), hostname="127.0.0.1", port=free_port())
    controller.start()
    Path(sys.argv[1]).write_text(str(controller.port))
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    controller.stop()


if __name__ == "__main__":
    main()
