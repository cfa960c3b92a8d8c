"""Whole dispenses at counters that do not wait for each other, beside django-simple-history: `make bench-load`.

A whole dispense is three requests: an order comes in, is looked at, is handed over. They begin at random moments of a given rate, whether
or not those before have ended, and their times count from that moment. Two worker processes of gunicorn serve both ways; the clients are
on the same machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import tempfile
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings_dispense"

from tests.benchmarks.audit_bars import Bar, at_most, percentile, server  # isort: skip  # first of ours: it sets Django up
from django.utils import timezone

from dispensary.actions import tokens
from dispensary.models import StaffMember, StaffRole
from tests.benchmarks.cds_calls import serving
from tests.benchmarks.dispense_compare import DIRECTIONS, STEPS
from tests.benchmarks.dispense_rivals.models import PeerPatient, PeerPrescriber
from tests.dispensary import make

COUNTERS, EVERY = 8, 5.0
"""Counters, and the seconds from one whole dispense of each to its next."""
RATES = (2, 4, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32)
"""Whole dispenses a second."""
WAYS = ("ours", "peer")
SECONDS_OF_A_RATE = 8

Times = dict[str, float]


class Load:
    """Both ways of a whole dispense over HTTP, each for a patient of its own."""

    def __init__(self, member: StaffMember, address: str) -> None:
        self.member, self.address = member, address.removeprefix("http://")
        self.token = tokens.issue(user=member.user, now=timezone.now())
        self.prescriber = make.prescriber(member.pharmacy, timezone.now())
        self.peer_prescriber = PeerPrescriber.objects.create(name="Dr Grace Mwangi")
        self.dice = random.Random(1)

    def prepare(self, way: str, count: int) -> list[dict[str, Any]]:
        """Return the orders of so many new patients."""
        return [self._order(way) for _ in range(count)]

    def _order(self, way: str) -> dict[str, Any]:
        phases = [{"doses": [5, 5, 5], "days": 28}]
        if way == "peer":
            facts = {name: str(value) for name, value in make.KNOWN_FACTS.items()}
            person = PeerPatient.objects.create(
                family_name="Okafor", given_name="Ada", birth_date="1981-05-02", facts=facts
            )
            terms = {"directions": DIRECTIONS, "strength_mg": "10", "quantity": "42", "phases": phases}
            return {"patient": str(person.pk), "prescriber": str(self.peer_prescriber.pk), **terms}
        now = timezone.now()
        # Nobody has a namesake here: each of those would be a finding.
        name = "".join(self.dice.choices("abcdefghijklmnopqrstuvwxyz", k=12)).title()
        patient = make.patient(self.member.pharmacy, now=now, family_name=name)
        prescription = make.CLEAN_ORDER | {"written_on": (now - timedelta(days=1)).date().isoformat()}
        return {
            "patient": {"id": str(patient.pk)},
            "prescriber": {"id": str(self.prescriber.pk)},
            "case": {"format": "baclofen-case/1", "prescription": prescription},
        }

    def run(self, way: str, orders: Sequence[dict[str, Any]], rate: float) -> list[Times]:
        """Begin whole dispenses at random moments, `rate` a second; return the milliseconds of each and of its steps."""
        dice, moment, moments = random.Random(2), 0.0, []
        for _ in orders:
            moment += dice.expovariate(rate)
            moments.append(moment)
        begin = time.monotonic() + 0.2
        with ThreadPoolExecutor(max_workers=64) as pool:
            return list(
                pool.map(lambda pair: self._whole(way, pair[0], begin + pair[1]), zip(orders, moments, strict=True))
            )

    def _whole(self, way: str, order: dict[str, Any], moment: float) -> Times:
        time.sleep(max(moment - time.monotonic(), 0))
        place = "/api/v1/prescriptions/" if way == "ours" else "/peer/orders/"
        pack = {"gtin": make.TEN_MG, "lot": "A1", "expiry": (date.today() + timedelta(days=700)).isoformat()}
        times, started = {}, moment
        received = self._send("POST", place, order)
        times["receive"], started = (time.monotonic() - started) * 1000, time.monotonic()
        hand_over: dict[str, Any] = {"quantity": "42", **pack}
        key = received.get("id")
        if way == "ours":
            key = received["prescription"]["id"]
            codes = [row["code"] for row in received["review"]["findings"] if row["severity"] == "acknowledge"]
            hand_over = {"quantity": "42", "pack": pack, "acknowledged": codes}
        self._send("GET", f"{place}{key}/", None)
        times["look"], started = (time.monotonic() - started) * 1000, time.monotonic()
        self._send("POST", f"{place}{key}/dispenses/", hand_over)
        times["dispense"] = (time.monotonic() - started) * 1000
        times["whole"] = sum(times.values())
        return times

    def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        link = http.client.HTTPConnection(self.address, timeout=60)
        headers = {"Authorization": f"Token {self.token}", "Content-Type": "application/json"}
        text = None if body is None else json.dumps(body, default=str)
        link.request(method, path, text, headers | {"Idempotency-Key": str(uuid.uuid4())})
        answer = link.getresponse()
        content = answer.read()
        link.close()
        if answer.status not in (200, 201):
            raise SystemExit(f"{method} {path}: {answer.status} {content[:300]!r}")
        return json.loads(content)


def find_greatest_rate(load: Load, way: str, limit: float) -> Iterator[tuple[float, float]]:
    """Raise the rate until the p99 of a dispense, the third request, is above the limit in ms; yield each rate with its p99."""
    for rate in RATES:
        orders = load.prepare(way, round(rate * SECONDS_OF_A_RATE))
        slowest = percentile([times["dispense"] for times in load.run(way, orders, rate)], 99)
        yield rate, slowest
        if slowest > limit:
            return


def main() -> None:
    """Print the times at the counters and the greatest rates. The exit status says only whether the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=40, help="of the load of the counters, each way")
    parser.add_argument("--limit", type=float, default=250, help="ms of the p99 at the greatest rate")
    options = parser.parse_args()
    results: dict[str, list[Times]] = {}
    rates: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory(prefix="dispensary-bench-") as name, server(Path(name)) as database:
        Path(name).chmod(0o755)
        make.products()
        member = make.staff(make.pharmacy(now=timezone.now()), StaffRole.PHARMACIST, now=timezone.now())
        with serving(database, DJANGO_SETTINGS_MODULE="tests.benchmarks.settings_load") as address:
            load, before = Load(member, address), os.getloadavg()[0]
            rate = COUNTERS / EVERY
            for way in WAYS:
                load.run(way, load.prepare(way, 24), 6)  # the workers load what they need, and prepare their statements
                results[way] = load.run(way, load.prepare(way, round(options.seconds * rate)), rate)
            for way in WAYS:
                rates[way] = list(find_greatest_rate(load, way, options.limit))
    print(
        f"{COUNTERS} counters, a whole dispense every {EVERY:g} s each, {options.seconds} s; load before {before:.1f}\n"
    )
    print("| way | step | p50 | p99 |\n|---|---|---|---|")
    for way, times in results.items():
        for step in (*STEPS, "whole"):
            values = [row[step] for row in times]
            print(f"| {way} | {step} | {percentile(values, 50):.0f} ms | {percentile(values, 99):.0f} ms |")
    print("\n| way | whole dispenses a second: p99 of the hand-over | greatest |\n|---|---|---|")
    for way, pairs in rates.items():
        rates_within = [rate for rate, slowest in pairs if slowest <= options.limit]
        print(
            f"| {way} | {', '.join(f'{rate:g}: {slowest:.0f} ms' for rate, slowest in pairs)} | {max(rates_within, default=0):g} |"
        )
    hand_overs = [times["dispense"] for times in results["ours"]]
    bars: list[Bar] = [
        at_most("p50 of a hand-over", 35, percentile(hand_overs, 50), " ms"),
        at_most("p99 of a hand-over", 120, percentile(hand_overs, 99), " ms"),
    ]
    print("\n| bar | demand | measured | holds |\n|---|---|---|---|")
    print("\n".join(bar.line() for bar in bars))


if __name__ == "__main__":
    main()
