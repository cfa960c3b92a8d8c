"""Counts after a fault: what was acknowledged beside the rows and the log, and what was due beside what the sink got."""

from __future__ import annotations

import json
import math
import subprocess
import time
import uuid
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field

from tests.cluster.counters import Acknowledged
from tests.cluster.site import ClusterSite

SETTLED = "60 seconds"
"""A reminder that was due before that is sent: a lease is 30 s, a tick 2 s."""
PARKED = 9


@dataclass
class Verdict:
    """What a fault left; everything but the gap and the counts must be nothing."""

    acknowledged: int
    lost: int  # acknowledged, and no row
    doubled: int  # orders with two dispenses
    unrecorded: int  # difference of dispenses and their lines in the log
    reminders: int  # due, and settled
    reminders_lost: int
    reminders_doubled: int
    reminders_parked: int
    tick_age: float  # seconds; infinite before the first tick
    log: int  # exit status of `audit verify`
    log_words: str = field(default="", repr=False)


def judge(site: ClusterSite, acknowledged: list[Acknowledged]) -> Verdict:
    """Count everything so far. The counters may go on meanwhile."""
    sent = Counter(json.loads(line)["key"] for line in _lines(site))
    with site.connect() as connection:
        ids = [done.dispense for done in acknowledged]
        [rows] = connection.execute(
            "SELECT count(*) FROM dispensary_dispense WHERE id = ANY(%s::uuid[])", [ids]
        ).fetchone()
        [doubled] = connection.execute(
            "SELECT count(*) FROM (SELECT FROM dispensary_dispense GROUP BY prescription_id HAVING count(*) > 1) AS twice"
        ).fetchone()
        [unrecorded] = connection.execute(
            "SELECT (SELECT count(*) FROM dispensary_dispense) - (SELECT count(*) FROM audit.line WHERE action = 'dispense.completed')"
        ).fetchone()
        due = connection.execute(
            f"SELECT public_id, state FROM dispensary_reminder WHERE due_at < clock_timestamp() - interval '{SETTLED}'"
        ).fetchall()
        [tick_age] = connection.execute(
            "SELECT extract(epoch FROM clock_timestamp() - max(at)) FROM dispensary_enginecounter WHERE name = 'tick'"
        ).fetchone()
    keys = {str(uuid.uuid5(public_id, "email:1")): state for public_id, state in due}
    verified = _verify(site)
    return Verdict(
        acknowledged=len(ids),
        lost=len(ids) - rows,
        doubled=doubled,
        unrecorded=unrecorded,
        reminders=len(keys),
        reminders_lost=sum(not sent[key] and state != PARKED for key, state in keys.items()),
        reminders_doubled=sum(count - 1 for count in sent.values()),
        reminders_parked=sum(state == PARKED for state in keys.values()),
        tick_age=math.inf if tick_age is None else round(float(tick_age), 1),
        log=verified.returncode,
        log_words=verified.stdout + verified.stderr,
    )


def _lines(site: ClusterSite) -> list[str]:
    with suppress(FileNotFoundError):
        return [line for line in site.sent_file.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return []


def _verify(site: ClusterSite) -> subprocess.CompletedProcess[str]:
    """Verify the log until it is good; what was written in the last moments is signed a moment later."""
    deadline = time.monotonic() + 120
    while True:
        verified = site.manage("audit", "verify", check=False)
        if verified.returncode in (0, 1) or time.monotonic() > deadline:
            return verified
        time.sleep(3)
