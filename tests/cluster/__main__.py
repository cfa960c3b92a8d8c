"""The failover matrix of a whole site on this machine: `make test-cluster` (ROWS="postgres vanish").

Exit status 0: nothing was lost or doubled in any row, the log is whole, and no gap is longer than its bar. 1: not so. 0 with one line as well
where a program is missing, since nothing was tried then.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
import threading
import time
from typing import Any

import requests

from deploy.environment import RUN_DIR
from deploy.servers.processes import place_for
from tests.cluster.counters import Load
from tests.cluster.faults import FAULTS, Fault
from tests.cluster.hosts import WEB_HOSTS, Hosts, enter_own_network
from tests.cluster.programs import Missing, collect
from tests.cluster.site import ClusterSite, make_folder
from tests.cluster.verdict import judge
from tests.waiting import wait_until

COUNTERS = 3
REMINDERS, REMINDER_SECONDS = 120, 15  # half an hour: longer than all faults, also on a busy machine
CALM_SECONDS = 6
BACK_SECONDS = 300  # for a member that was away to be a standby again; a busy machine takes minutes for it
LONGEST_TICK_AGE = 30
HEADINGS = ("fault", "gap, s", "bar, s", "calm, s", "acknowledged", "lost", "doubled", "reminders due/lost/doubled/parked",
            "answers", "last tick, s", "log", "load")  # fmt: skip


def main() -> int:
    """Start the site, let every fault happen to it, and print a line for each."""
    parser = argparse.ArgumentParser(prog="make test-cluster")
    parser.add_argument("rows", nargs="*", metavar="ROW", help=", ".join(fault.name for fault in FAULTS))
    parser.add_argument("--keep", action="store_true", help="leave the folder with the logs")
    arguments = parser.parse_args()
    unknown = set(arguments.rows) - {fault.name for fault in FAULTS}
    if unknown:
        parser.error(
            f"no such row: {', '.join(sorted(unknown))}. Expected: {', '.join(fault.name for fault in FAULTS)}"
        )
    try:
        programs = collect(place_for("cluster-programs", RUN_DIR))
    except Missing as missing:
        print(f"NOT RUN, a program is missing: {missing}")
        return 0
    enter_own_network()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that everything is stopped
    hosts = Hosts()
    site = ClusterSite(make_folder(), hosts, programs)
    try:
        return _run(site, [fault for fault in FAULTS if not arguments.rows or fault.name in arguments.rows])
    except AssertionError as error:
        print(f"NOT FINISHED: {error}")
        return 1
    finally:
        site.stop()
        if arguments.keep:
            print(f"Logs: {site.folder}")
        else:
            shutil.rmtree(site.folder, ignore_errors=True)


def _run(site: ClusterSite, faults: list[Fault]) -> int:
    began = time.monotonic()
    for step in (site.start_database_hosts, site.prepare_application, site.start_application):
        step()
        print(f"{step.__name__.replace('_', ' ')}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    threading.Thread(target=site.supervise, daemon=True).start()
    load = Load([site.web_address(host) for host in WEB_HOSTS], _populate(site))
    load.start()
    print(f"people: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    wait_until(
        lambda: len(load.acknowledged) > 2 * COUNTERS,
        120,
        lambda: f"{load.answers} {load.trouble}\n{site.last_words()}",
    )
    print(
        f"Five hosts, {'namespaces' if site.hosts.has_network else 'loopback'}; first dispenses after {time.monotonic() - began:.0f} s."
    )
    print(f"| {' | '.join(HEADINGS)} |\n|{'---|' * len(HEADINGS)}", flush=True)
    is_good = True
    for fault in faults:
        if fault.needs_network and not site.hosts.has_network:
            print(f"| {fault.title} | not run: needs root, for network namespaces |", flush=True)
            continue
        try:
            is_good &= _try(site, load, fault)
        except (AssertionError, requests.RequestException) as error:
            is_good = False
            print(f"| {fault.title} | NOT FINISHED |\n    {error}", flush=True)
    load.stop()
    return 0 if is_good else 1


def _try(site: ClusterSite, load: Load, fault: Fault) -> bool:
    """Let one fault happen, print its line, and return whether all is as it must be."""
    wait_until(site.is_whole, BACK_SECONDS, site.last_words)
    load.answers.clear()
    load.trouble.clear()
    calm = time.monotonic()
    time.sleep(CALM_SECONDS)
    began = time.monotonic()
    undo = fault.cause(site)
    time.sleep(fault.seconds)
    undo()
    wait_until(site.is_whole, BACK_SECONDS, site.last_words)
    time.sleep(CALM_SECONDS)
    gap = load.longest_gap(began, time.monotonic())
    answers = dict(load.answers)
    verdict = judge(site, list(load.acknowledged))
    cells = (
        fault.title, f"{gap:.1f}", f"{fault.bar:g}", f"{load.longest_gap(calm, began):.1f}", verdict.acknowledged, verdict.lost,
        verdict.doubled, f"{verdict.reminders}/{verdict.reminders_lost}/{verdict.reminders_doubled}/{verdict.reminders_parked}",
        ", ".join(f"{name} x{count}" for name, count in sorted(answers.items())), verdict.tick_age,
        "verified" if verdict.log == 0 else f"exit {verdict.log}", f"{os.getloadavg()[0]:.1f}",
    )  # fmt: skip
    print(f"| {' | '.join(map(str, cells))} |", flush=True)
    complaints = list(load.trouble)
    if verdict.log:
        complaints.append(verdict.log_words)
    if answers.get("500"):
        complaints.append("answers 500")
    for complaint in complaints:
        print(f"    {complaint}", flush=True)
    whole = not (verdict.lost or verdict.doubled or verdict.unrecorded or verdict.reminders_lost)
    return whole and not complaints and gap <= fault.bar and verdict.tick_age < LONGEST_TICK_AGE


def _populate(site: ClusterSite) -> dict[str, Any]:
    """Make the people in a process of the application; return what the counters need."""
    statement = (
        "import json; from tests.cluster.population import populate; "
        f"print(json.dumps(populate({COUNTERS}, {REMINDERS}, {REMINDER_SECONDS}), default=str))"
    )
    people: dict[str, Any] = json.loads(site.manage("shell", "--no-imports", "--command", statement).stdout)
    return people


if __name__ == "__main__":
    sys.exit(main())
