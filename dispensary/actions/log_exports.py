"""Exports of the log for people: answers as a table for an inspector. Each is an entry."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions.export_sentences import describe_answers
from dispensary.actors import Actor
from dispensary.audit import Event, Line, Subject
from dispensary.audit.evidence import answers
from dispensary.audit.log import reader
from dispensary.audit.log import search as searching
from dispensary.audit.log.search import Filters
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Pharmacy

_DOING, _WHO = "export the audit log", "an auditor or manager"
MOST_ROWS = 5000
"""Entries that one file holds; more are asked for by parts."""


@transaction.atomic
def export_answers(*, pharmacy: Pharmacy, filters: Filters, purpose: str, by: Actor, now: datetime) -> bytes:
    """Return the answers that fit as a zip file with a CSV and its dictionary.

    Raises InvalidInput for more than `MOST_ROWS`.
    """
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    rows = answers.make_rows(reader.recheck(_read_all(filters, by)), pharmacy)
    content, digest = answers.write_zip(rows, sentence=describe_answers(filters, pharmacy), now=now)
    body = {
        "shape": "answers", "filters": filters.as_body(), "rows": len(rows), "columns": answers.TABLE.version, "sha256": digest,
        "reason": purpose or None,
    }  # fmt: skip
    subject = Subject("log", str(pharmacy.pk))
    audit.record(Event.LOG_EXPORTED, pharmacy=pharmacy, by=by, now=now, subject=subject, body=body)
    return content


def is_long(filters: Filters, by: Actor) -> bool:
    """Return whether more entries fit than one request exports."""
    return searching.count([by.pharmacy_id], filters).value > MOST_ROWS


def _read_all(filters: Filters, by: Actor) -> Iterator[Line]:
    """Yield the entries that fit with their bodies, newest first. Raises InvalidInput for more than `MOST_ROWS`."""
    number = searching.count([by.pharmacy_id], filters).value
    if number > MOST_ROWS:
        raise InvalidInput(
            f"These are more than {MOST_ROWS:,} entries.",
            Problem("since", "a period with too many", "a shorter period", "Export it in parts."),
        )
    cursor = ""
    while True:
        page = searching.search([by.pharmacy_id], filters, cursor=cursor, limit=searching.MAX_PAGE)
        yield from audit.lines(page.entries, by.pharmacy_id)
        if not page.next:
            return
        cursor = page.next
