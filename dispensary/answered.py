"""The answers to findings that earlier hand-overs used, as the rule book's case has them."""

from __future__ import annotations

from typing import Any

from django.db.models import prefetch_related_objects

from baclofen_rules.rule import OnContinuing
from baclofen_rules.rules import all_rules
from dispensary.models import DispenseStatus, Override, OverrideState
from dispensary.rows import Rows
from dispensary.statements import list_rows

NOT_KNOWN = "not-known"
"""The code under which a pharmacist acknowledges facts that nobody knows, at a start or a rise."""
_REMEMBERED = [
    NOT_KNOWN,
    *(rule.code for rule in all_rules() if rule.on_continuing not in (OnContinuing.ASKS, OnContinuing.SILENT)),
]
"""Codes for which an earlier answer counts: at a repeat, or where a rise asks several again in one."""


def answered_document(rows: Rows) -> list[dict[str, Any]]:
    """Return the last answer to each finding that hand-overs used, of rules that read them; of cancelled ones none."""
    dispenses = [row for row in rows.dispenses if row.status != DispenseStatus.CANCELLED]
    prefetch_related_objects(dispenses, "overrides")
    answers = [
        answer
        for row in dispenses
        for answer in list_rows(row, "overrides")
        if answer.code in _REMEMBERED and answer.state == OverrideState.USED and rows.has_come(answer.signed_at)
    ]
    latest = {
        (answer.code, answer.fingerprint): answer for answer in sorted(answers, key=lambda answer: answer.signed_at)
    }
    return [_answer_document(answer, rows) for _, answer in sorted(latest.items())]


def _answer_document(answer: Override, rows: Rows) -> dict[str, Any]:
    """Return one answer with what was found, which its rule may compare with what is found now."""
    return {
        "code": answer.code,
        "fingerprint": answer.fingerprint,
        "on": rows.local_day(answer.signed_at).isoformat(),
        "severity": answer.severity,
        "observed": answer.observed,
    }
