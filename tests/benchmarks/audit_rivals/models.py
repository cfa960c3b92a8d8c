"""Four tables of a dispense (order, stock, patient, hand-over), made once for each way of keeping a history.

`none` keeps none; `plain` inserts one row of JSON; `ours` calls `audit.record()`; the other three are what people use today,
each as its manual says to use it. Rows are about as wide as this log's: a few hundred bytes, the hand-over with the
frozen case a kilobyte.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pghistory
from auditlog.registry import auditlog
from django.db import models
from simple_history.models import HistoricalRecords

LABEL = "audit_rivals"


def _fields(kind: str) -> dict[str, models.Field[Any, Any]]:
    fields: dict[str, dict[str, models.Field[Any, Any]]] = {
        "Order": {
            "status": models.CharField(max_length=16, default="active"),
            "remaining": models.DecimalField(max_digits=9, decimal_places=2, default=10_000),
            "directions": models.CharField(max_length=200, default="10 mg three times a day for 28 days, with food"),
            "phases": models.TextField(default='[{"days":28,"doses":["10","10","10"],"unit":"mg"}]' * 2),
            "changed_at": models.DateTimeField(),
        },
        "Stock": {
            "gtin": models.CharField(max_length=14),
            "lot": models.CharField(max_length=20, default="A1B2"),
            "quantity": models.DecimalField(max_digits=12, decimal_places=2, default=1_000_000),
        },
        "Patient": {
            "name": models.CharField(max_length=120, default="Jo O'Hara"),
            "facts": models.TextField(
                default='{"allergies":[],"conditions":["epilepsy"],"egfr":"95","medicines":[]}' * 2
            ),
            "last_supply": models.DateField(null=True),
            "supplies": models.PositiveIntegerField(default=0),
        },
        "HandOver": {
            "order_number": models.IntegerField(),
            "quantity": models.DecimalField(max_digits=9, decimal_places=2),
            "lot": models.CharField(max_length=20),
            "by": models.CharField(max_length=60),
            "case": models.TextField(help_text="what was asked of the rules and what they answered"),
            "at": models.DateTimeField(),
        },
    }
    return fields[kind]


def _tables(name: str) -> SimpleNamespace:
    made = {}
    for kind in ("Order", "Stock", "Patient", "HandOver"):
        members: dict[str, Any] = {
            **_fields(kind),
            "Meta": type("Meta", (), {"app_label": LABEL}),
            "__module__": __name__,
        }
        if name == "simple":
            members["history"] = HistoricalRecords()
        model = type(f"{name.title()}{kind}", (models.Model,), members)
        if name == "pghistory":
            model = pghistory.track(pghistory.InsertEvent(), pghistory.UpdateEvent())(model)
        if name == "auditlog":
            auditlog.register(model)
        globals()[model.__name__] = made[kind] = model
    return SimpleNamespace(**made)


class PlainLine(models.Model):
    """The least that could be called an audit line: one row, changeable by anybody."""

    action = models.CharField(max_length=64)
    actor = models.CharField(max_length=64)
    subject = models.CharField(max_length=64)
    at = models.DateTimeField()
    body = models.JSONField()

    class Meta:
        app_label = LABEL

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"


VARIANTS = ("none", "plain", "ours", "pghistory", "auditlog", "simple")
TABLES = {name: _tables(name) for name in VARIANTS}
