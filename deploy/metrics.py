"""Prometheus metrics of the audit log, read from the database at each scrape.

Other metrics are counted by the process in which they happen; they meet in a folder that the processes share.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from django.db import DatabaseError, connection
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from dispensary.audit.log.reader import unsigned_since
from dispensary.audit.sealing.anchors import anchor_ages
from dispensary.monitoring.metrics import ReminderCollector

_UNSEALED = """
    SELECT coalesce(sum(coalesce((SELECT max(seq) FROM audit.link l WHERE l.log_id = g.log_id), 0)
                        - coalesce((SELECT max(size) FROM audit.checkpoint c WHERE c.log_id = g.log_id), 0)), 0)
    FROM audit.log g WHERE g.closed_at IS NULL"""


class AuditCollector(Collector):
    """Gauges of all audit logs together, so that their number does not grow with the pharmacies; `health/audit` names a late log."""

    def describe(self) -> Iterator[Metric]:
        """Return nothing: registering must not need a database."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; none where the database does not answer, which an alert on absence catches."""
        try:
            connection.ensure_connection()
            now = timezone.now()
            ages = [age.total_seconds() for age in anchor_ages(connection.connection, now).values()]
            (unsealed,) = connection.connection.execute(_UNSEALED).fetchone()
            waits = [(now - since).total_seconds() for since in unsigned_since().values()]
        except DatabaseError:
            return
        for name, text, value in (
            (
                "anchor_age_seconds",
                "Age of the oldest log's newest checkpoint that is anchored outside.",
                max(ages, default=0),
            ),
            ("unsealed_entries", "Entries that no signed checkpoint covers yet.", float(unsealed)),
            ("unsealed_seconds", "How long the oldest entry has waited for a checkpoint.", max(waits, default=0)),
        ):
            yield GaugeMetricFamily(f"dispensary_audit_{name}", text, value=value)


def render() -> bytes:
    """Return the metrics as text: what all processes counted that share `PROMETHEUS_MULTIPROC_DIR`, and the gauges of the database.

    Without that folder, what this process counted.
    """
    registry = CollectorRegistry()
    registry.register(AuditCollector())
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY) + generate_latest(registry)
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client types none of it
    registry.register(ReminderCollector())
    return generate_latest(registry)
