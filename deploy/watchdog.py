"""The end of a worker to which nothing comes any more, so that what keeps it running starts it anew.

After a failover of the broker a worker can wait for ever in a read without a limit while it looks alive (seen with kombu 5.7.0). Beat sends
something to each queue at least every 30 seconds, and a task ends after 90.
"""

import logging
import os
import signal
import threading
import time
from typing import Any

from celery.signals import task_received, worker_ready

log = logging.getLogger("deploy.watchdog")
GRACE_SECONDS = 30  # for the message in hand; a worker that hangs in a read does not hear of its end


class Watchdog:
    """The time since the last message of a worker, with a limit; all times in seconds of one clock."""

    def __init__(self, limit: float, now: float) -> None:
        self.limit = limit
        self.last = now

    def note(self, now: float) -> None:
        """Take note of a message."""
        self.last = now

    def left(self, now: float) -> float:
        """Return how long nothing may come from now on; 0 or less where the limit is reached."""
        return self.last + self.limit - now

    def watch(self) -> None:
        """Wait until nothing has come for too long, then end this process: softly, and a little later in any case."""
        while (left := self.left(time.monotonic())) > 0:
            time.sleep(left)
        log.error("nothing came for %d s: this worker ends, to be started anew", self.limit)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)


@worker_ready.connect
def start_watching(**_: Any) -> None:
    """Watch this worker from the moment that it is ready; `WATCHDOG_SECONDS` 0 turns that off."""
    limit = float(os.environ.get("WATCHDOG_SECONDS", "180"))
    if not limit:
        return
    watchdog = Watchdog(limit, time.monotonic())
    task_received.connect(lambda **_: watchdog.note(time.monotonic()), weak=False)
    threading.Thread(target=watchdog.watch, daemon=True, name="watchdog").start()
