"""Prometheus metrics of the reminder engine, read from the database at each scrape, the same from every process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.db import Error
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dispensary.reminders import health
from dispensary.reminders.planning import tzdb_version


class ReminderCollector(Collector):
    """State of the reminder engine. No label names a patient or a pharmacy."""

    def describe(self) -> Iterator[Metric]:
        """Return nothing: at registration the database may not be reachable."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        try:
            state = health.engine_state()
        except Error:
            yield GaugeMetricFamily("dispensary_reminders_readable", "1 when the database answers", value=0)
            return
        yield GaugeMetricFamily("dispensary_reminders_readable", "1 when the database answers", value=1)
        yield from _gauges(state)
        yield from _counters(state.counters)
        work = GaugeMetricFamily("dispensary_work_open", "Work that waits for a person", labels=["kind"])
        oldest = GaugeMetricFamily("dispensary_work_oldest_seconds", "Age of the oldest of it", labels=["kind"])
        for kind, count, age in state.work:
            work.add_metric([kind], count)
            oldest.add_metric([kind], age)
        yield work
        yield oldest
        resting = GaugeMetricFamily(
            "dispensary_channel_resting", "1 while a provider that is down is left alone", labels=["channel"]
        )
        for name in state.resting:
            resting.add_metric([name], 1)
        yield resting
        zones = GaugeMetricFamily("dispensary_tzdb_info", "Version of the time zone data", labels=["version"])
        zones.add_metric([tzdb_version()], 1)
        yield zones


def _counters(counts: Iterable[tuple[str, int]]) -> Iterator[Metric]:
    """Turn the engine's counters into metrics; a name like "answer twilio accepted" carries its labels."""
    events = CounterMetricFamily("dispensary_reminders_events", "What the engine has done", labels=["event"])
    set_aside = CounterMetricFamily(
        "dispensary_reminders_set_aside", "Claimed and not sent: to wait, or for good", labels=["reason"]
    )
    answers = CounterMetricFamily(
        "dispensary_channel_answers", "What providers answered to one attempt", labels=["channel", "answer"]
    )
    seconds = CounterMetricFamily(
        "dispensary_channel_answer_seconds", "How long providers took over all these answers", labels=["channel"]
    )
    opt_outs = CounterMetricFamily("dispensary_optouts", "Patients who said no to a medium, by way", labels=["source"])
    for name, count in counts:
        prefix, *labels = name.split(" ")
        if prefix == "aside":
            set_aside.add_metric(labels, count)
        elif prefix == "answer":
            answers.add_metric(labels, count)
        elif prefix == "answer-us":
            seconds.add_metric(labels, count / 1_000_000)
        elif prefix == "optout":
            opt_outs.add_metric(labels, count)
        else:
            events.add_metric([name], count)
    yield from (events, set_aside, answers, seconds, opt_outs)


def _gauges(state: health.EngineState) -> Iterator[Metric]:
    """Yield the gauges of the engine's state; `deploy/alerts.yml` has their limits."""
    tick_age = float("inf") if state.tick_age is None else state.tick_age
    for name, description, value in (
        ("dispensary_reminders_tick_age_seconds", "Since the last tick", tick_age),
        ("dispensary_reminders_oldest_due_seconds", "How long the oldest has been due", state.oldest_due or 0),
        ("dispensary_reminders_due", "Due and not yet taken", state.due),
        ("dispensary_reminders_held", "In the hands of a worker", state.held),
        ("dispensary_reminders_held_too_long", "Held beyond the lease", state.held_too_long),
        (
            "dispensary_reminders_plans_behind",
            "Therapies counted and planned on an earlier day or with settings that have changed since",
            state.plans_behind,
        ),
        ("dispensary_inbound_events_waiting", "Receipts and replies not yet acted on", state.events_waiting),
    ):
        yield GaugeMetricFamily(name, description, value=value)
