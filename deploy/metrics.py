"""Numbers that live in the database, given at each scrape: how the audit log is kept.

Everything else is counted where it happens; these are asked for, so that any web process gives the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

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
    """Age of the newest checkpoint that is anchored outside, and entries that no checkpoint covers yet, for each log."""

    def describe(self) -> Iterator[Metric]:
        """The names, without asking the database: registering must not need one."""
        yield from (self._ages({}), self._unsealed({}), self._waiting({}))

    def collect(self) -> Iterator[Metric]:
        """Ask; a database that does not answer gives no numbers, which an alert on absence catches."""
        try:
            connection.ensure_connection()
            ages_by_origin = {
                origin: age.total_seconds()
                for origin, age in anchor_ages(connection.connection, timezone.now()).items()
            }
            unsealed = dict(connection.connection.execute(_UNSEALED).fetchall())
            now = timezone.now()
            waiting = {origin: (now - since).total_seconds() for origin, since in unsigned_since().items()}
        except DatabaseError:
            return
        yield self._ages(ages_by_origin)
        yield self._unsealed(unsealed)
        yield self._waiting(waiting)

    @staticmethod
    def _waiting(values: dict[str, float]) -> Metric:
        metric = GaugeMetricFamily(
            "dispensary_audit_unsealed_seconds",
            "How long the oldest entry has waited for a checkpoint.",
            labels=["log"],
        )
        for origin, seconds in values.items():
            metric.add_metric([origin], seconds)
        return metric

    @staticmethod
    def _ages(values: dict[str, float]) -> Metric:
        metric = GaugeMetricFamily(
            "dispensary_audit_anchor_age_seconds",
            "Age of the newest checkpoint that is anchored outside.",
            labels=["log"],
        )
        for origin, seconds in values.items():
            metric.add_metric([origin], seconds)
        return metric

    @staticmethod
    def _unsealed(values: dict[str, int]) -> Metric:
        metric = GaugeMetricFamily(
            "dispensary_audit_unsealed_entries", "Entries that no signed checkpoint covers yet.", labels=["log"]
        )
        for origin, count in values.items():
            metric.add_metric([origin], count)
        return metric


@cache
def register() -> None:
    """Add the numbers to the process's registry, once."""
    REGISTRY.register(AuditCollector())
