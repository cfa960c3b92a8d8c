"""What is owed to a patient, when, and in which words: pure arithmetic and text, no database and no clock.

>>> from datetime import date, time
>>> from zoneinfo import ZoneInfo
>>> from dispensary.reminding import Facts, Timing, plan
>>> facts = Facts(handed_over_on=date(2026, 11, 22), run_out_on=date(2026, 12, 20))
>>> [(p.kind.value, p.local_date.isoformat()) for p in plan(facts, date(2026, 11, 22), ZoneInfo("Europe/London"))]
... # doctest: +NORMALIZE_WHITESPACE
[('refill_due', '2026-12-13'), ('refill_again', '2026-12-18'), ('run_out', '2026-12-20'),
 ('missed_collection', '2026-12-22')]
"""

from dispensary.reminding.backoff import retry_after
from dispensary.reminding.kinds import Kind
from dispensary.reminding.plan import DoseChange, Facts, Planned, Timing, plan
from dispensary.reminding.quiet import CAUTIOUS, QuietHours, next_allowed, place, prev_allowed, resolve
from dispensary.reminding.segments import Segments, count_segments
from dispensary.reminding.words import LANGUAGES, Text, WayOut, is_stop, language_for, says_more, write

__all__ = [
    "CAUTIOUS",
    "LANGUAGES",
    "DoseChange",
    "Facts",
    "Kind",
    "Planned",
    "QuietHours",
    "Segments",
    "Text",
    "Timing",
    "WayOut",
    "count_segments",
    "is_stop",
    "language_for",
    "next_allowed",
    "place",
    "plan",
    "prev_allowed",
    "resolve",
    "retry_after",
    "says_more",
    "write",
]
