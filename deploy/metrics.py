"""Prometheus metrics of the audit log, read from the database at each scrape.

Other metrics are counted by the process in which they happen; these are the same from any web process.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache, partial

from django.db import DatabaseError, connection
from django.utils import timezone
from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from dispensary.audit.log.reader import unsigned_since
from dispensary.audit.sealing.anchors import anchor_ages

_UNSEALED = """
    SELECT g.origin, coalesce((SELECT max(seq) FROM audit.link l WHERE l.log_id = g.log_id), 0)
                   - coalesce((SELECT max(size) FROM audit.checkpoint c WHERE c.log_id = g.log_id), 0)
    FROM audit.log g WHERE g.closed_at IS NULL ORDER BY g.origin"""


class AuditCollector(Collector):
    """Gauges of each audit log: age of its newest outside anchor, entries without a checkpoint, and the oldest such entry's wait."""

    def describe(self) -> Iterator[Metric]:
        """Yield the gauges without values: registering must not need a database."""
        yield from (_anchor_ages({}), _unsealed_entries({}), _unsealed_seconds({}))

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; none where the database does not answer, which an alert on absence catches."""
        try:
            connection.ensure_connection()
            now = timezone.now()
            ages = {origin: age.total_seconds() for origin, age in anchor_ages(connection.connection, now).items()}
            unsealed = dict(connection.connection.execute(_UNSEALED).fetchall())
            waits = {origin: (now - since).total_seconds() for origin, since in unsigned_since().items()}
        except DatabaseError:
            return
        yield _anchor_ages(ages)
        yield _unsealed_entries(unsealed)
        yield _unsealed_seconds(waits)


def _gauge(name: str, text: str, values: Mapping[str, float]) -> Metric:
    """Return a gauge with one value for each log, by its origin."""
    gauge = GaugeMetricFamily(name, text, labels=["log"])
    for origin, value in values.items():
        gauge.add_metric([origin], value)
    return gauge


_anchor_ages = partial(
    _gauge, "dispensary_audit_anchor_age_seconds", "Age of the newest checkpoint that is anchored outside."
)
_unsealed_entries = partial(
    _gauge, "dispensary_audit_unsealed_entries", "Entries that no signed checkpoint covers yet."
)
_unsealed_seconds = partial(
    _gauge, "dispensary_audit_unsealed_seconds", "How long the oldest entry has waited for a checkpoint."
)


@cache
def register() -> None:
    """Add the collector to the process's registry, once."""
    REGISTRY.register(AuditCollector())
