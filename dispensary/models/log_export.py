"""Long exports of the log's answers, prepared by a worker, for some days behind a link."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from dispensary.models.keys import uuid7
from dispensary.models.pharmacy import Pharmacy


class LogExport(models.Model):
    """A request to prepare a table of answers or of records, with how far it is. What was exported is an entry of the log."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    pharmacy = models.ForeignKey(Pharmacy, on_delete=models.CASCADE, related_name="+")
    requested_by = models.CharField(max_length=120)
    requested_at = models.DateTimeField()
    filters = models.JSONField(help_text=_("names and values of the filters, times in ISO 8601"))
    sentence = models.CharField(max_length=500, help_text=_("the filters in words"))
    purpose = models.CharField(max_length=250)
    seen_at = models.DateTimeField(null=True, blank=True, help_text=_("when the worker last said so"))
    cursor = models.CharField(max_length=200, blank=True, help_text=_("the place after which it goes on"))
    reached = models.DateTimeField(null=True, blank=True, help_text=_("how far back in time it is"))
    rows = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-requested_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["pharmacy"], condition=models.Q(finished_at__isnull=True), name="log_export_one_open"
            ),
        ]

    def __str__(self) -> str:
        return f"Export of {self.pharmacy_id}, {self.rows} rows"

    @property
    def table(self) -> str:
        """The name of the table: "answers", or that of a kind of records, which stands beside the filters."""
        return str(self.filters.get("table", "answers"))


class LogExportPart(models.Model):
    """A piece of an export's table, in order."""

    export = models.ForeignKey(LogExport, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["export", "number"], name="log_export_part_once"),
        ]

    def __str__(self) -> str:
        return f"Part {self.number} of {self.export_id}"
