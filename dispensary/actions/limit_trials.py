"""Trials of another limit: recorded decisions of some days are asked twice, with the profile as it is and with one number changed.

A worker does it, in slices of less than a minute: each goes on where the one before stopped. The live profile is not touched: what comes out says what would have been found, not what people would then
have done.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q

from baclofen_rules import Profile
from dispensary import audit, policies
from dispensary.actions.limits import lines_of
from dispensary.actors import Actor
from dispensary.assessment import assess_document, profile_of
from dispensary.audit import Event
from dispensary.audit.evidence import export
from dispensary.audit.evidence.bundle import Entry
from dispensary.audit.log import reader
from dispensary.errors import Conflict, DispensaryError, InvalidInput, Problem
from dispensary.models import LimitTrial, Pharmacy
from dispensary.profiles import LimitLine, with_value

CHUNK = 2000
"""Entries that are read in one transaction; after each the page says how far it is, and a slice may end."""
MOST_CASES = 200
"""Decisions that the result names; the others are counted."""
ABANDONED = timedelta(minutes=5)
"""A trial of which nothing was heard for so long is gone on with: its worker is gone."""
MOST_DAYS = 366


def changeable_lines(pharmacy: Pharmacy, on: date) -> list[LimitLine]:
    """Return the lines of the pharmacy's profile that are in force and hold one number."""
    in_force: dict[tuple[str, str], LimitLine] = {}
    for line in lines_of(pharmacy, on):
        newest = in_force.get((line.place, line.ages))
        if line.since <= on and (newest is None or newest.since < line.since):
            in_force[line.place, line.ages] = line
    return [line for line in in_force.values() if line.value.replace(".", "", 1).isdecimal()]


def _find_line(pharmacy: Pharmacy, digest: str, on: date) -> LimitLine | None:
    return next((line for line in changeable_lines(pharmacy, on) if line.digest == digest), None)


@transaction.atomic
def request_trial(
    *, pharmacy: Pharmacy, line: str, value: Decimal, since: date, until: date, by: Actor, now: datetime
) -> LimitTrial:
    """Ask for a trial of `value` in a line of the profile (its digest) over the days from `since` to `until`.

    Raises InvalidInput for a line, number or period that cannot be, and Conflict while an earlier trial is open.
    """
    policies.require(policies.may_read_log(by), by, "try a limit on recorded decisions", "an auditor or manager")
    policies.require_same_pharmacy(by, pharmacy.pk)
    today = pharmacy.local_day(now)
    chosen = _find_line(pharmacy, line, today)
    if chosen is None:
        raise InvalidInput(
            "This is no number of the pharmacy's profile.",
            Problem("line", "another", "a number of the profile", "Load the page again."),
        )
    with_value(profile_of(pharmacy, today), chosen, value)
    if not since <= until <= today or (until - since).days >= MOST_DAYS:
        raise InvalidInput(
            "These days cannot be tried.",
            Problem("since", f"{since} to {until}", f"at most {MOST_DAYS} days up to today, the first before the last"),
        )
    try:
        with transaction.atomic():
            trial = LimitTrial.objects.create(
                pharmacy=pharmacy, requested_by=by.display or by.name, requested_at=now, line=line, place=chosen.place,
                ages=chosen.ages, unit=chosen.unit, value_before=chosen.value, value=value, since=since, until=until,
            )  # fmt: skip
    except IntegrityError as error:
        raise Conflict("Another limit is being tried; wait until it is finished.") from error
    audit.record(
        Event.TRIAL_REQUESTED, pharmacy=pharmacy, by=by, now=now, subject=trial,
        body={
            "place": chosen.place, "ages": chosen.ages or None, "from": chosen.value, "to": value, "since": since,
            "until": until,
        },
    )  # fmt: skip
    return trial


def run_next(read_clock: Callable[[], datetime], is_over: Callable[[], bool] = lambda: False) -> bool:
    """Go on with the oldest trial that waits; return whether it was finished.

    It may take minutes: the clock is read as it goes on, and once `is_over` says so the rest is left to the next call.
    """
    now = read_clock()
    with transaction.atomic():
        waiting = LimitTrial.objects.filter(Q(seen_at=None) | Q(seen_at__lt=now - ABANDONED), finished_at=None)
        rows = waiting.select_for_update(skip_locked=True, of=("self",)).select_related("pharmacy")
        trial = rows.order_by("requested_at").first()
        if trial is None:
            return False
        LimitTrial.objects.filter(pk=trial.pk).update(seen_at=now)
    try:
        totals = _run(trial, read_clock, is_over)
        if totals is None:
            return False
        result = totals.as_json()
    except DispensaryError as error:
        result = {"trouble": error.detail}
    with transaction.atomic():
        LimitTrial.objects.filter(pk=trial.pk).update(finished_at=read_clock(), result=result)
        audit.record(
            Event.DECISIONS_REPLAYED, pharmacy=trial.pharmacy, by=Actor.system("desk", trial.pharmacy_id),
            now=read_clock(), subject=trial, body=_log_form(result),
        )  # fmt: skip
    return True


def _log_form(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result as its entry has it: of the cases the SHA-256."""
    cases = json.dumps(result.get("cases"), sort_keys=True).encode()
    return {name: result[name] for name in result if name != "cases"} | {"cases_sha256": sha256(cases).hexdigest()}


def is_as_logged(trial: LimitTrial) -> bool:
    """Return whether an entry that fits its hash has the result of a finished trial."""
    result = _log_form(trial.result)
    return reader.has_entry(trial, Event.DECISIONS_REPLAYED, result, pharmacy=trial.pharmacy_id)


@dataclass
class Totals:
    """The counts of a trial; `gained` and `lost` by (rule, severity), `outcomes` by (before, after)."""

    decisions: int = 0
    unavailable: int = 0
    orders: set[str] = field(default_factory=set)
    gained: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    different: int = 0
    cases: list[dict[str, Any]] = field(default_factory=list)

    def add(self, entry: Entry, header: Mapping[str, Any], base: Profile, changed: Profile) -> None:
        """Ask one recorded decision with both profiles."""
        try:
            body = json.loads(entry.body or "")
            document = json.loads(body["case"], parse_float=Decimal)
            on = date.fromisoformat(document["on"])
            before, after = (assess_document(document, profile, on).review for profile in (base, changed))
        except (KeyError, TypeError, ValueError, DispensaryError):
            self.unavailable += 1
            return
        self.decisions += 1
        self.outcomes[before.outcome.value, after.outcome.value] += 1
        found_before, found_after = (
            Counter((finding.code, finding.severity.value) for finding in answer.findings) for answer in (before, after)
        )
        gained, lost = found_after - found_before, found_before - found_after
        if not gained and not lost and before.outcome == after.outcome:
            return
        self.different += 1
        self.orders.add(body["prescription"])
        self.gained.update(gained)
        self.lost.update(lost)
        if len(self.cases) < MOST_CASES:
            self.cases.append(
                {
                    "entry": header["id"], "seq": entry.seq, "order": body["prescription"],
                    "gained": sorted(gained.elements()), "lost": sorted(lost.elements()),
                }
            )  # fmt: skip

    def as_state(self) -> dict[str, Any]:
        """Return the counts so far as JSON, for `from_state`."""
        counters = {
            name: [[*key, n] for key, n in getattr(self, name).items()] for name in ("gained", "lost", "outcomes")
        }
        numbers = {name: getattr(self, name) for name in ("decisions", "unavailable", "different", "cases")}
        return numbers | counters | {"orders": sorted(self.orders)}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Totals:
        """Return the counts of an unfinished trial; of one that was not begun all are zero."""
        if not state:
            return cls()
        counters = {
            name: Counter({(first, second): n for first, second, n in state[name]})
            for name in ("gained", "lost", "outcomes")
        }
        return cls(**{**state, **counters, "orders": set(state["orders"])})

    def as_json(self) -> dict[str, Any]:
        """Return the result as it is kept with the request."""
        return {
            "decisions": self.decisions,
            "different": self.different,
            "unavailable": self.unavailable,
            "orders": len(self.orders),
            "outcomes": [[*pair, number] for pair, number in sorted(self.outcomes.items())],
            "rules": [
                [*rule, self.gained[rule], self.lost[rule]] for rule in sorted(self.gained.keys() | self.lost.keys())
            ],
            "cases": self.cases,
        }


def _run(trial: LimitTrial, read_clock: Callable[[], datetime], is_over: Callable[[], bool]) -> Totals | None:
    """Ask the decisions that are left, chunk by chunk; None where some are left when `is_over` says so."""
    pharmacy = trial.pharmacy
    asked_on = pharmacy.local_day(trial.requested_at)
    line = _find_line(pharmacy, trial.line, asked_on)
    if line is None:
        raise InvalidInput("The pharmacy's profile has changed since; ask again.")
    base = profile_of(pharmacy, asked_on)
    changed = with_value(base, line, trial.value)
    period = pharmacy.span_of(trial.since, trial.until)
    log = export.find_log_of_period(pharmacy.pk, *period)
    if not trial.last:
        scope = export.find_period(log.log_id, *period)
        trial.reached, trial.last = scope.first - 1, scope.last or 0
    totals = Totals.from_state(trial.result)
    while trial.reached < trial.last:
        if is_over():
            LimitTrial.objects.filter(pk=trial.pk).update(seen_at=None)
            return None
        edge = min(trial.reached + CHUNK, trial.last)
        with export.snapshot(log):
            chunk = list(export.lines(log, trial.reached + 1, edge))
        for entry in chunk:
            header = json.loads(entry.header) if entry.header else {}
            if header.get("action") == Event.REVIEW_RECORDED.value:
                totals.add(entry, header, base, changed)
        trial.reached = edge
        LimitTrial.objects.filter(pk=trial.pk).update(
            reached=edge, last=trial.last, result=totals.as_state(), seen_at=read_clock()
        )  # fmt: skip
    return totals
