"""The answers to findings that earlier hand-overs used, as the rule book's case has them."""

from __future__ import annotations

from typing import Any

from django.db.models import prefetch_related_objects

from baclofen_rules.rule import OnContinuing
from baclofen_rules.rules import all_rules
from dispensary.models import DispenseStatus, OverrideState
from dispensary.rows import Rows

_REMEMBERED = [rule.code for rule in all_rules() if rule.on_continuing not in (OnContinuing.ASKS, OnContinuing.SILENT)]
"""Codes of the rules for which an earlier answer counts: at a repeat, or where a rise asks several again in one."""


def answered_document(rows: Rows) -> list[dict[str, Any]]:
    """Return the last answer to each finding that hand-overs used, of rules that read them; of cancelled ones none."""
    dispenses = [row for row in rows.dispenses if row.status != DispenseStatus.CANCELLED]
    prefetch_related_objects(dispenses, "overrides")
    answers = [
        answer
        for row in dispenses
        for answer in row.overrides.all()
        if answer.code in _REMEMBERED and answer.state == OverrideState.USED and rows.has_come(answer.signed_at)
    ]
    last_days: dict[tuple[str, str], str] = {}
    for answer in sorted(answers, key=lambda answer: answer.signed_at):
        last_days[answer.code, answer.fingerprint] = rows.local_day(answer.signed_at).isoformat()
    return [{"code": code, "fingerprint": mark, "on": day} for (code, mark), day in sorted(last_days.items())]
