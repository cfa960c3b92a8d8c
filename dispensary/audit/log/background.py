"""Work in a thread beside the sealing: one run at a time, and what fails is tried again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import connections

log = logging.getLogger(__name__)


class BackgroundRunner:
    """Runs work in a thread of its own, so that sealing goes on meanwhile."""

    def __init__(self, name: str, work: Callable[[], None], failure: str) -> None:
        """`name` of the thread; `failure`: what is written into the log of the program where the work raises."""
        self.name, self.work, self.failure = name, work, failure
        self.thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether work that was begun is not finished."""
        return self.thread is not None and self.thread.is_alive()

    def start(self) -> None:
        """Begin the work."""
        self.thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self.thread.start()

    def wait(self) -> None:
        """Wait until what was begun is finished."""
        if self.thread is not None:
            self.thread.join()

    def _run(self) -> None:
        try:
            self.work()
        except Exception:
            log.exception(self.failure)
        finally:
            connections.close_all()
