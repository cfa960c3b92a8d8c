"""The audit log: what its callers need to write and read entries.

>>> from dispensary.audit import Event, record            # doctest: +SKIP
>>> record(Event.DISPENSED, pharmacy=pharmacy, by=actor, now=now, subject=dispense, body={"quantity": Decimal(84)})
"""

from dispensary.audit.log.events import Event, Outcome
from dispensary.audit.log.reader import Line, NotLinked, Receipt, history, lines, reading, receipt, sentence
from dispensary.audit.log.writer import (
    SITE,
    VERSION,
    AuditMisuse,
    Prepared,
    Subject,
    open_log,
    origin_of,
    prepare,
    record,
    record_all,
    retrying,
    subject_of,
)

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
    "lines",
    "open_log",
    "origin_of",
    "prepare",
    "reading",
    "receipt",
    "record",
    "record_all",
    "retrying",
    "sentence",
    "subject_of",
]
