"""A call of CDS Hooks beside a bare view, and 16 clients of one call a second: `make bench-cds`.

The CPU of both goes through the same WSGI application, middleware and token, interleaved round by round: of the web process and of its
database process. The times are those of whole HTTP requests to two worker processes of gunicorn.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings_dispense"

from tests.benchmarks.audit_bars import Bar, at_most, cpu_of_backend, percentile, server  # isort: skip  # first of ours: it sets Django up
from django.utils import timezone

from dispensary.actions import tokens
from dispensary.models import StaffMember, StaffRole
from tests.benchmarks.dispense_compare import Client
from tests.benchmarks.dispense_rivals.models import PeerOrder, PeerPatient, PeerPrescriber
from tests.dispensary import make
from tests.dispensary.api.test_cds_hooks import SIGN, call, draft
from tests.site import Database, Site

CLIENTS = 16


def body_of_call() -> dict[str, Any]:
    """A call with one order for a patient about whom everything is known, as a hospital sends it."""
    return call(draft()) | {"hookInstance": str(uuid.uuid4())}


class Caller:
    """Our call and the bare view, in one process."""

    def __init__(self, token: str) -> None:
        self.client = Client(token)
        patient = PeerPatient.objects.create(family_name="Okafor", given_name="Ada", birth_date="1981-05-02", facts={})
        prescriber = PeerPrescriber.objects.create(name="Dr Grace Mwangi")
        self.order = PeerOrder.objects.create(
            patient=patient, prescriber=prescriber, directions="5 mg", strength_mg=10, quantity=42, phases=[]
        )

    def cost_of(self, way: str) -> int:
        """Send one request; return the nanoseconds of Python and of PostgreSQL."""
        path, body = (
            (SIGN, body_of_call()) if way == "ours" else (f"/bare/{self.order.pk}/", {"quantity": "42", "lot": "A1"})
        )
        environment = self.client.prepare("POST", path, body)
        database, python = cpu_of_backend(), time.thread_time_ns()
        self.client.send(environment)
        return time.thread_time_ns() - python + cpu_of_backend() - database


def measure_ratios(caller: Caller, rounds: int, count: int) -> tuple[list[float], list[float]]:
    """Return milliseconds of our call in each round, and its ratio to the bare view."""
    ours, ratios = [], []
    for turn in range(rounds + 1):
        means = {way: statistics.mean(caller.cost_of(way) for _ in range(count)) for way in ("ours", "bare")}
        if turn:  # the first warms up
            ours.append(means["ours"] / 1e6)
            ratios.append(means["ours"] / means["bare"])
    return ours, ratios


@contextmanager
def serving(database: Database, **settings: str) -> Iterator[str]:
    """Serve the site by two worker processes; yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = Site(database, "redis://127.0.0.1:1").environment(
        HTTPS="no", DISPENSARY_RUN_DIR="/nonexistent", **settings
    )
    workers = ["--workers", "2", "--threads", "8", "--worker-class", "gthread", "--log-level", "warning"]
    command = [sys.executable, "-m", "gunicorn", "deploy.wsgi", "--bind", f"127.0.0.1:{port}", *workers]
    process = subprocess.Popen(command, env=environment)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/cds-services", timeout=5).close()
                break
            except OSError:
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait()


def measure_times(address: str, token: str, seconds: int) -> list[float]:
    """Return the milliseconds of each call of the clients, each of which begins one a second, spread over it."""
    times: list[float] = []

    def run(number: int) -> None:
        begin = time.monotonic() + number / CLIENTS
        for turn in range(seconds):
            time.sleep(max(begin + turn - time.monotonic(), 0))
            request = urllib.request.Request(
                address + SIGN, json.dumps(body_of_call(), default=str).encode(),
                {"Authorization": f"Token {token}", "Content-Type": "application/json"},
            )  # fmt: skip
            started = time.monotonic()
            with urllib.request.urlopen(request, timeout=30) as response:
                assert response.status == 200
                response.read()
            times.append((time.monotonic() - started) * 1000)

    threads = [threading.Thread(target=run, args=[number]) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times) == CLIENTS * seconds, f"{CLIENTS * seconds - len(times)} calls failed"
    return sorted(times)


def bars(ratios: list[float], times: list[float]) -> list[Bar]:
    return [
        at_most("CPU of a call / of the bare view", 2.5, ratios),
        at_most(f"p99 of {len(times)} calls of {CLIENTS} clients", 500, percentile(times, 99), " ms"),
    ]


def main() -> None:
    """Print the bars. The exit status says only whether the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=30, help="calls a way and round")
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dispensary-bench-") as name, server(Path(name)) as database:
        Path(name).chmod(0o755)
        make.products()
        member: StaffMember = make.staff(make.pharmacy(now=timezone.now()), StaffRole.TECHNICIAN, now=timezone.now())
        token = tokens.issue(user=member.user, now=timezone.now())
        ours, ratios = measure_ratios(Caller(token), options.rounds, options.count)
        with serving(database) as address:
            load = os.getloadavg()[0]
            measure_times(address, token, 3)  # the workers load what they need with their first calls
            times = measure_times(address, token, options.seconds)
    print(
        f"A call: {statistics.median(ours):.1f} ms of CPU; median of the times {statistics.median(times):.0f} ms; load before {load:.1f}"
    )
    print("\n| bar | demand | measured | holds |\n|---|---|---|---|")
    print("\n".join(bar.line() for bar in bars(ratios, times)))


if __name__ == "__main__":
    main()
