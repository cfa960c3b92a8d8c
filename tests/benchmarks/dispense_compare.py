"""Receive, look and dispense beside a bare view and beside django-simple-history: `make bench-dispense`.

All ways go through the same WSGI application, middleware and token, on one durable server, interleaved round by round. CPU is that
of the web process and of its database process. A statement is what the application sends, without BEGIN and COMMIT.
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import pstats
import random
import re
import statistics
import string
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings_dispense"

from tests.benchmarks.audit_bars import Bar, at_most, cpu_of_backend, server  # isort: skip  # first of ours: it sets Django up
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import connection, reset_queries
from django.utils import timezone

from dispensary.actions import patients, tokens
from dispensary.models import Patient, Prescriber, Prescription, StaffMember, StaffRole
from tests.benchmarks.dispense_rivals.models import PeerOrder, PeerPatient, PeerPrescriber
from tests.dispensary import make

STEPS = ("receive", "look", "dispense")
WAYS = ("bare", "ours", "peer")
DIRECTIONS = "5 mg three times a day for 28 days"


@dataclass
class Cost:
    """The cost of one step of one way, a mean in each round."""

    python_us: list[float] = field(default_factory=list)
    database_us: list[float] = field(default_factory=list)
    requests_us: list[float] = field(default_factory=list)
    """Of each request, both together."""
    statements: int = 0
    calls: int = 0
    """Calls of functions in Python: a count that no other load of the machine changes."""

    @property
    def least_us(self) -> float:
        """The cost that a tenth of the requests stays below: the nearest to a quiet machine that a loaded one shows."""
        return statistics.quantiles(self.requests_us, n=10)[0]


class Client:
    """A counter that sends JSON straight into the WSGI application, as a web server would."""

    def __init__(self, token: str) -> None:
        self.application = WSGIHandler()
        self.token = token
        self.keys = 0

    def prepare(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        """Return the environment of a request, made outside of what is measured."""
        text = b"" if body is None else json.dumps(body).encode()
        self.keys += 1
        return {
            "REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": "", "SCRIPT_NAME": "",
            "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(text)), "wsgi.input": io.BytesIO(text),
            "wsgi.url_scheme": "http", "wsgi.version": (1, 0), "wsgi.errors": io.StringIO(), "wsgi.multithread": True,
            "wsgi.multiprocess": True, "wsgi.run_once": False, "HTTP_HOST": "localhost",
            "HTTP_AUTHORIZATION": f"Token {self.token}", "HTTP_IDEMPOTENCY_KEY": f"bench-{self.keys}",
        }  # fmt: skip

    def send(self, environment: dict[str, Any]) -> bytes:
        """Send a prepared request; return the body of its answer."""
        status: list[str] = []
        answer = self.application(environment, lambda line, headers, error=None: status.append(line))
        content = b"".join(answer)
        answer.close()
        if not status[0].startswith("2"):
            raise SystemExit(f"{environment['PATH_INFO']}: {status[0]} {content[:500]!r}")
        return content


class Counter:
    """The same whole dispense, in each way."""

    def __init__(self, member: StaffMember, client: Client, supplies: int) -> None:
        self.member, self.client, self.supplies = member, client, supplies
        self.prescriber: Prescriber = make.prescriber(member.pharmacy, timezone.now())
        self.peer_prescriber = PeerPrescriber.objects.create(name="Dr Grace Mwangi")
        self.shows = False
        self.profilers: dict[str, cProfile.Profile] = {}
        """By step; a step without one is not profiled."""
        self.expiry = (timezone.now() + timedelta(days=700)).date().isoformat()

    def costs_of(self, way: str) -> dict[str, tuple[int, int, int]]:
        """Do one whole dispense; return nanoseconds of Python and of PostgreSQL, and statements, of each step."""
        ways = {"bare": self._bare, "ours": self._ours, "peer": self._peer}
        return ways[way]()

    def _bare(self) -> dict[str, tuple[int, int, int]]:
        order = self._peer_order()
        body = {"quantity": "42", "lot": "A1"}
        return {"dispense": self._measure("POST", f"/bare/{order.pk}/", body)[0]}

    def _peer_order(self) -> PeerOrder:
        phases = [{"doses": [5, 5, 5], "days": 28}]
        return PeerOrder.objects.create(
            patient=self._peer_patient(), prescriber=self.peer_prescriber, directions=DIRECTIONS, strength_mg=10, quantity=42, phases=phases
        )  # fmt: skip

    def _peer_patient(self) -> PeerPatient:
        facts = {name: str(value) for name, value in make.KNOWN_FACTS.items()}
        return PeerPatient.objects.create(family_name="Okafor", given_name="Ada", birth_date="1981-05-02", facts=facts)

    def _peer(self) -> dict[str, tuple[int, int, int]]:
        order = {
            "patient": str(self._peer_patient().pk), "prescriber": str(self.peer_prescriber.pk), "directions": DIRECTIONS,
            "strength_mg": "10", "quantity": "42", "phases": [{"doses": [5, 5, 5], "days": 28}],
        }  # fmt: skip
        pack = {"quantity": "42", "gtin": make.TEN_MG, "lot": "A1", "expiry": self.expiry}
        return self._go("/peer/orders/", order, lambda answer: answer["id"], "/peer/orders/{}/", lambda _: pack)

    def _ours(self) -> dict[str, tuple[int, int, int]]:
        patient = self._patient()
        written_on = (timezone.now() - timedelta(days=1)).date().isoformat()
        order = {
            "patient": {"id": str(patient.pk)},
            "prescriber": {"id": str(self.prescriber.pk)},
            "case": {"format": "baclofen-case/1", "prescription": make.CLEAN_ORDER | {"written_on": written_on}},
        }

        def build(order_id: str) -> dict[str, Any]:
            newest = Prescription.objects.get(pk=order_id).reviews.latest("reviewed_at")
            codes = list(newest.findings.filter(severity="acknowledge").values_list("code", flat=True))
            pack = {"gtin": make.TEN_MG, "lot": "A1", "expiry": self.expiry}
            return {"quantity": "42", "pack": pack, "acknowledged": codes}

        place = "/api/v1/prescriptions/"
        return self._go(place, order, lambda answer: answer["prescription"]["id"], place + "{}/", build)

    def _patient(self) -> Patient:
        now = timezone.now()
        # Nobody has a namesake here: each of those would be a finding.
        name = "".join(random.Random(self.client.keys).choices(string.ascii_lowercase, k=12)).title()
        patient = make.patient(self.member.pharmacy, now=now, family_name=name)
        if self.supplies:
            earlier = [
                {
                    "dispensed_on": (now - timedelta(days=28 * ago)).date().isoformat(), "dose": 5, "times_per_day": 3,
                    "strength_mg": 10, "days_supply": 28, "relation": "same-course",
                    "dose_since": (now - timedelta(days=400)).date().isoformat(),
                }
                for ago in range(1, self.supplies + 1)
            ]  # fmt: skip
            patients.record_history(patient=patient, supplies=earlier, by=self.member.actor(), now=now)
        return patient

    def _go(
        self,
        orders: str,
        order: dict[str, Any],
        pick: Callable[[Any], str],
        place: str,
        build: Callable[[str], dict[str, Any]],
    ) -> dict[str, tuple[int, int, int]]:
        received, answer = self._measure("POST", orders, order)
        order_id = pick(json.loads(answer))
        looked, _ = self._measure("GET", place.format(order_id), None)
        dispensed, _ = self._measure("POST", place.format(order_id) + "dispenses/", build(order_id))
        return {"receive": received, "look": looked, "dispense": dispensed}

    def _measure(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[tuple[int, int, int], bytes]:
        environment = self.client.prepare(method, path, body)
        reset_queries()
        database, python = cpu_of_backend(), time.thread_time_ns()
        profiler = self.profilers.get(step_of(method, path))
        if profiler:
            profiler.enable()
        answer = self.client.send(environment)
        if profiler:
            profiler.disable()
        spent = time.thread_time_ns() - python
        # Django knows no text of a statement whose values are bound by the server: the log's, and those of reminders.
        logged = [entry["sql"] or "(bound by the server)" for entry in connection.queries_log]
        statements = [statement for statement in logged if statement not in ("BEGIN", "COMMIT")]
        if self.shows:
            print(f"\n{method} {path}", *(f"{n}. {shorten(sql)}" for n, sql in enumerate(statements, 1)), sep="\n")
        return (spent, cpu_of_backend() - database, len(statements)), answer


def step_of(method: str, path: str) -> str:
    """Return the step that a request is."""
    if method == "GET":
        return "look"
    return "dispense" if "/bare/" in path or path.endswith("dispenses/") else "receive"


def shorten(statement: str) -> str:
    """Return a statement in one line, without the columns that a model lists."""
    line = " ".join(statement.split())
    return re.sub(r"SELECT (\"\w+\"\.\"\w+\"(, )?){4,}", "SELECT ... ", line)[:300]


def count_statements(counter: Counter) -> dict[tuple[str, str], int]:
    """Count the statements of each step, apart from the measured rounds: logging them costs."""
    request_started.disconnect(reset_queries)  # what `_measure` sent before its request is not counted
    connection.force_debug_cursor = True
    counts = {(way, step): cost[2] for way in WAYS for step, cost in counter.costs_of(way).items()}
    connection.force_debug_cursor = False
    return counts


def count_calls(counter: Counter, way: str, step: str) -> int:
    """Count the calls of functions of one request of a step."""
    counter.profilers = {step: cProfile.Profile(time.thread_time)}
    counter.costs_of(way)
    calls = pstats.Stats(counter.profilers.pop(step)).total_calls  # type: ignore[attr-defined]  # the stubs lack it
    return int(calls)


def profile(counter: Counter, count: int) -> None:
    """Print the functions that our requests spend most in, their callees included."""
    for _ in range(5):
        counter.costs_of("ours")
    counter.profilers = {step: cProfile.Profile(time.thread_time) for step in STEPS}
    for _ in range(count):
        counter.costs_of("ours")
    for step, profiler in counter.profilers.items():
        print(f"\n{step}, {count} times")
        pstats.Stats(profiler).sort_stats("cumulative").print_stats("dispensary|rest_framework|django|psycopg", 60)


def measure(counter: Counter, rounds: int, count: int) -> dict[tuple[str, str], Cost]:
    """Measure all ways in turns; a round is `count` whole dispenses of each."""
    for way in WAYS:
        for _ in range(10):
            counter.costs_of(way)
    costs: dict[tuple[str, str], Cost] = {}
    dice = random.Random(1)
    for _ in range(rounds):
        for way in dice.sample(WAYS, len(WAYS)):
            spent = [counter.costs_of(way) for _ in range(count)]
            for step in spent[0]:
                cost = costs.setdefault((way, step), Cost())
                cost.python_us.append(statistics.mean(round_times[step][0] for round_times in spent) / 1000)
                cost.database_us.append(statistics.mean(round_times[step][1] for round_times in spent) / 1000)
                cost.requests_us += [sum(round_times[step][:2]) / 1000 for round_times in spent]
    for key, statements in count_statements(counter).items():
        costs[key].statements, costs[key].calls = statements, count_calls(counter, *key)
    return costs


def total(cost: Cost) -> list[float]:
    return [python + database for python, database in zip(cost.python_us, cost.database_us, strict=True)]


def ratios(cost: Cost, other: Cost) -> list[float]:
    return sorted(mine / theirs for mine, theirs in zip(total(cost), total(other), strict=True))


def table(costs: dict[tuple[str, str], Cost]) -> list[str]:
    lines = [
        "| step | way | Python | PostgreSQL | statements | calls | to the bare view (spread) | of the least tenths |",
        "|---|---|---|---|---|---|---|---|",
    ]
    bare = costs["bare", "dispense"]
    for step in STEPS:
        for way in WAYS:
            if cost := costs.get((way, step)):
                of_bare = ratios(cost, bare)
                lines.append(
                    f"| {step} | {way} | {statistics.median(cost.python_us) / 1000:.1f} ms | "
                    f"{statistics.median(cost.database_us) / 1000:.1f} ms | {cost.statements} | {cost.calls:,} | "
                    f"{statistics.median(of_bare):.2f} ({of_bare[0]:.2f} to {of_bare[-1]:.2f}) | "
                    f"{cost.least_us / bare.least_us:.2f} |"
                )
    return lines


def bars(costs: dict[tuple[str, str], Cost]) -> list[Bar]:
    bare = costs["bare", "dispense"]
    limits = {"dispense": 2.5, "receive": 3.0, "look": 1.5}
    ours = {step: costs["ours", step] for step in STEPS}
    return [
        *(
            at_most(f"CPU of {step} / of the bare view", limit, statistics.median(ratios(ours[step], bare)))
            for step, limit in limits.items()
        ),
        at_most(
            "CPU of dispense / of the peer's", 1, statistics.median(ratios(ours["dispense"], costs["peer", "dispense"]))
        ),
        at_most("statements of a dispense", 15, ours["dispense"].statements),
        at_most("statements of all three", 40, sum(cost.statements for cost in ours.values())),
    ]


def main() -> None:
    """Print the table and the bars. The exit status says only whether the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--count", type=int, default=15, help="whole dispenses a way and round")
    parser.add_argument("--show", action="store_true", help="print the statements of ours, and measure nothing")
    parser.add_argument("--profile", action="store_true", help="print where the Python of our dispenses goes")
    parser.add_argument("--supplies", type=int, default=0, help="earlier supplies of each patient")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dispensary-bench-") as name, server(Path(name)):
        Path(name).chmod(0o755)
        make.products()
        member = make.staff(make.pharmacy(now=timezone.now()), StaffRole.PHARMACIST, now=timezone.now())
        token = tokens.issue(user=member.user, now=timezone.now())
        counter = Counter(member, Client(token), options.supplies)
        if options.show:
            counter.costs_of("ours")
            counter.shows = True
            count_statements(counter)
            return
        if options.profile:
            profile(counter, options.count)
            return
        costs = measure(counter, options.rounds, options.count)
    print("\n".join(table(costs)))
    print("\n| bar | demand | measured | holds |\n|---|---|---|---|")
    print("\n".join(bar.line() for bar in bars(costs)))


if __name__ == "__main__":
    main()
