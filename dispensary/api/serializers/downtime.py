"""The downtime form."""

from __future__ import annotations

from rest_framework import serializers

from dispensary.actions.downtime import MOST_DAYS, USUAL_DAYS
from dispensary.api.serializers.audit import Query
from dispensary.documents import Paper


class DowntimeQuery(Query):
    """The days and the paper of a form."""

    days = serializers.IntegerField(
        min_value=1, max_value=MOST_DAYS, default=USUAL_DAYS, help_text="patients due within so many days"
    )
    paper = serializers.ChoiceField([paper.value for paper in Paper], default=Paper.A4.value)
