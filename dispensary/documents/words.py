"""Amounts and days in words, as a patient reads them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from baclofen_rules.text import format_amount
from dispensary.documents.paper import Stretch

NB = "\u00a0"
_ONES = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def mg(value: Decimal) -> str:
    return f"{format_amount(value)}{NB}mg"


def count_in_words(tablets: Decimal) -> str:
    """Return a count in words: 1 -> "one", 0.5 -> "half", 2.5 -> "two and a half"; figures above twelve."""
    whole, half = int(tablets), tablets % 1 != 0
    words = _ONES[whole] if whole < len(_ONES) else str(whole)
    if not half:
        return words
    return f"{words} and a half" if whole else "half"


def tablets_in_words(tablets: Decimal) -> str:
    """Return the tablets of one dose in words: "HALF a tablet", "ONE tablet", "ONE AND A HALF tablets"."""
    words = count_in_words(tablets).upper()
    if tablets == Decimal("0.5"):
        return f"{words} a tablet"
    return f"{words} {'tablet' if tablets == 1 else 'tablets'}"


def times_in_words(times: int) -> str:
    if times in (1, 2):
        return ("once", "twice")[times - 1]
    return f"{_ONES[times] if times < len(_ONES) else times} times"


def how_to_take(stretch: Stretch) -> str:
    """Return one sentence without its full stop: the doses of each day of the stretch."""
    if len(set(stretch.tablets)) == 1:
        one_dose = f"{tablets_in_words(stretch.tablets[0])} ({mg(stretch.doses_mg[0])})"
        return f"Take {one_dose} {times_in_words(len(stretch.tablets))} a day"
    parts = [f"{tablets_in_words(t)} ({mg(d)})" for t, d in zip(stretch.tablets, stretch.doses_mg, strict=True)]
    return f"Each day take {', then '.join(parts)}"


def how_to_take_as_needed(stretch: Stretch) -> str:
    """Return one sentence without its full stop: one dose of a medicine as needed, and the most of a day."""
    most = sum(stretch.tablets, Decimal(0))
    limit = f"at most {tablets_in_words(most)} a day"
    if len(set(stretch.tablets)) > 1:
        return f"Take only when needed, {limit}"
    one_dose = f"{tablets_in_words(stretch.tablets[0])} ({mg(stretch.doses_mg[0])})"
    return f"Take {one_dose} when needed, {limit}"


def short_day(day: date) -> str:
    """ "Tue 24 Nov", never split over two lines."""
    return NB.join((_DAYS[day.weekday()], str(day.day), _MONTHS[day.month - 1]))


def long_day(day: date) -> str:
    """ "Tue 24 Nov 2026", never split over two lines."""
    return f"{short_day(day)}{NB}{day.year}"


def when(stretch: Stretch) -> str:
    """ "Tue 24 Nov to Thu 26 Nov", "Tue 24 Nov only", "From Tue 24 Nov"."""
    if stretch.last_on is None:
        return f"From {short_day(stretch.first_on)}"
    if stretch.last_on == stretch.first_on:
        return f"{short_day(stretch.first_on)} only"
    return f"{short_day(stretch.first_on)} to {short_day(stretch.last_on)}"
