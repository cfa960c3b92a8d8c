"""Configuration of gunicorn, for every way to run the web server: `gunicorn -c python:deploy.web_server`.

Health is asked by whoever decides about restarts and traffic, above all when everything else waits. So it has threads of its own.
"""

import contextlib
import os
import selectors
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from gunicorn.workers.gthread import TConn, ThreadWorker

from deploy.environment import share_metrics

share_metrics()

wsgi_app = "deploy.wsgi"
bind = os.environ.get("WEB_BIND", "127.0.0.1:8000")
workers = int(os.environ.get("WEB_WORKERS", "2"))
threads = int(os.environ.get("WEB_THREADS", "8"))
worker_class = "deploy.web_server.HealthyWorker"
preload_app = True  # one copy of the code in memory
# Leaks in libraries.
max_requests = 5000
max_requests_jitter = 500
accesslog = os.devnull  # an address can carry a search word
if "RUN_DIR" in os.environ:
    pidfile = str(Path(os.environ["RUN_DIR"]) / "web.pid")


def on_starting(_server: Any) -> None:
    """Remove what processes counted that are gone; Prometheus knows that a counter may begin anew."""
    for file in Path(os.environ.get("PROMETHEUS_MULTIPROC_DIR", os.devnull)).glob("*_*.db"):
        if not psutil.pid_exists(int(file.stem.rpartition("_")[2])):
            file.unlink(missing_ok=True)


def child_exit(_server: Any, worker: Any) -> None:
    """Let the gauges of a worker end with it."""
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        from prometheus_client.multiprocess import mark_process_dead

        mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]  # prometheus_client types none of it


HEALTH_THREADS = 4
SILENT_SECONDS = 5  # a connection that asks nothing is closed


class HealthyWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """Threads for requests, and a few more for `/health/`: they answer while all the others wait for a database."""

    def init_process(self) -> None:
        """Start the threads after the fork."""
        self.health_pool = ThreadPoolExecutor(HEALTH_THREADS, "health")
        super().init_process()

    def accept(self, listener: Any) -> None:
        """Accept a connection and wait, without a thread, until it says what it wants."""
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            client, address = listener.accept()
            self.nr_conns += 1
            conn = TConn(self.cfg, client, address, listener.getsockname())
            conn.timeout = time.monotonic() + SILENT_SECONDS
            self.pending_conns.append(conn)
            self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def enqueue_req(self, conn: Any) -> None:
        """Hand a connection that can be read to a thread."""
        try:
            asks_health = b" /health/" in conn.sock.recv(16, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            asks_health = False
        answer = (self.health_pool if asks_health else self.tpool).submit(self.handle, conn)
        answer.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))
