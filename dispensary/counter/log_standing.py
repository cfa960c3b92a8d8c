"""The state of a pharmacy's log in one sentence, as the pages about the log show it at their top."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dispensary.audit import Event, Line, Outcome
from dispensary.audit.log import reader
from dispensary.counter.visit import Visit

CHECK_MAX_AGE = timedelta(hours=26)
"""A log is verified each night; after this time its last verification says nothing about today."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A state (`stop`, `acknowledge`, `ready`), its sentence, and the time that the sentence ends with."""

    tone: str
    words: str
    at: datetime | None = None


def read_standing(visit: Visit, lines: Iterable[Line] = ()) -> Standing:
    """Return whether the pharmacy's log is signed, was verified, and was compared with the tables, the worst first.

    `lines` are shown on the page: one that does not fit its hash is worse than all that earlier checks say.
    """
    if any(line.doubt for line in lines):
        return Standing(
            "stop", "This log was altered: a line on this page does not fit its hash. Have the log verified."
        )
    waiting = min(reader.unsigned_since(visit.pharmacy.pk).values(), default=None)
    if waiting and visit.now - waiting > reader.UNSIGNED_TOO_LONG:
        return Standing("stop", "The log is not being signed. The oldest entry has waited since", waiting)
    verified, compared = reader.last_check(visit.pharmacy.pk), reader.last_comparison()
    failures = {
        verified: "The last verification found interference with this log,",
        compared: "The last comparison found rows or database objects that are not what the log and this release say,",
    }
    for check, words in failures.items():
        if check and (check.action == Event.INTERFERENCE.value or check.outcome == Outcome.FAILURE.value):
            return Standing("stop", words, check.recorded_at)
    if verified is None:
        return Standing("acknowledge", "This log has not been verified yet.")
    if visit.now - verified.recorded_at > CHECK_MAX_AGE:
        return Standing("stop", "This log was not verified for more than 26 hours: last", verified.recorded_at)
    if compared is None or visit.now - compared.recorded_at > CHECK_MAX_AGE:
        words = "This log is whole, but was not compared with the tables for more than 26 hours"
        return Standing(
            "acknowledge", f"{words}: last" if compared else f"{words}.", compared.recorded_at if compared else None
        )
    if compared.reason_code == reader.NOT_MEASURED:
        words = (
            "This log was whole when it was last verified; its functions and guards were compared with nothing, "
            "since this release does not know this version of PostgreSQL,"
        )
        return Standing("acknowledge", words, compared.recorded_at)
    return Standing("ready", "This log was whole when it was last verified,", verified.recorded_at)
