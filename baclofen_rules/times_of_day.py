"""Times of the day at which a dose is taken: parts of the day and clock times, as a phase names them."""

_PARTS = {"morning": {0}, "midday": {1}, "evening": {2}, "bedtime": {2}}
_LAST_HOURS = ((3, {2}), (10, {0}), (11, {0, 1}), (14, {1}), (16, {1, 2}), (24, {2}))
"""The parts of the day in which a clock time may lie, by the last hour of each stretch."""
_WORDS = {"morning": "in the morning", "midday": "at midday", "evening": "in the evening"}


def parts_of_day(time: str) -> set[int]:
    """Return the parts of the day in which a named time or a clock time HH:MM may lie: 0 morning, 1 midday, 2 evening and night."""
    if time in _PARTS:
        return _PARTS[time]
    return next(parts for last, parts in _LAST_HOURS if int(time[:2]) <= last)


def write_time(time: str) -> str:
    """Return a time as a sentence has it: "in the morning", "at 08:00"."""
    return _WORDS.get(time, f"at {time}")
