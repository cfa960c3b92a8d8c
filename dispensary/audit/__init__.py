"""The audit log: who did what to which patient's medicine, in the same transaction, and evident when altered.

>>> from dispensary.audit import Event, record            # doctest: +SKIP
>>> record(Event.DISPENSED, pharmacy=pharmacy, by=actor, now=now, subject=dispense, body={"quantity": Decimal(84)})
"""

from dispensary.audit.events import Event, Outcome
from dispensary.audit.reader import Line, NotLinked, Receipt, history, lines, reading, receipt, sentence
from dispensary.audit.writer import (
    SITE,
    AuditMisuse,
    Prepared,
    Subject,
    is_transient,
    open_log,
    origin_of,
    prepared,
    record,
    record_all,
    retrying,
    subject_of,
)

VERSION = "1"
"""Of the writer; stands in the posture entries. The format's own version is `v` in each header."""

__all__ = [
    "SITE",
    "VERSION",
    "AuditMisuse",
    "Event",
    "Line",
    "NotLinked",
    "Outcome",
    "Prepared",
    "Receipt",
    "Subject",
    "history",
    "is_transient",
    "lines",
    "open_log",
    "origin_of",
    "prepared",
    "reading",
    "receipt",
    "record",
    "record_all",
    "retrying",
    "sentence",
    "subject_of",
]
