"""Amounts and days in words, as a patient reads them, in the languages of `languages/`."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from baclofen_rules.text import format_amount
from dispensary.documents.paper import ENGLISH, Stretch
from dispensary.text import tablets_key

NB = "\u00a0"
RIGHT_TO_LEFT = frozenset({"ar"})
_ISOLATED, _END = "\u2068", "\u2069"  # a name is read in its own direction (Unicode annex 9)
_FOLDER = Path(__file__).parent / "languages"
_ONES = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


@cache
def words_in(language: str) -> dict[str, Any]:
    """Return all words of a language, as in its file. Not to be changed."""
    return tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


@cache
def paper_language(tag: str) -> str:
    """Return the language in which papers can be printed for a tag such as "es-MX"; English where there is none."""
    base = tag.replace("_", "-").lower().split("-")[0]
    return base if (_FOLDER / f"{base}.toml").is_file() else ENGLISH


def say_number(value: Decimal, language: str) -> str:
    return format_amount(value).replace(".", str(words_in(language)["decimal_sign"]))


def mg(value: Decimal, language: str = ENGLISH) -> str:
    return str(words_in(language)["mg"]).format(n=say_number(value, language)).replace(" ", NB)


def describe_doses(amounts: Sequence[Decimal], format_dose: Callable[[Decimal], str]) -> str:
    """Return the doses of a day: one where all are the same, else in their order."""
    return format_dose(amounts[0]) if len(set(amounts)) == 1 else ", then ".join(format_dose(a) for a in amounts)


def count_in_words(tablets: Decimal) -> str:
    """Return a count in words: 1 -> "one", 0.5 -> "half", 2.5 -> "two and a half"; figures above twelve."""
    whole, half = int(tablets), tablets % 1 != 0
    words = _ONES[whole] if whole < len(_ONES) else str(whole)
    if not half:
        return words
    return f"{words} and a half" if whole else "half"


def tablets_in_words(tablets: Decimal, language: str = ENGLISH, *, in_figures: bool = False) -> str:
    """Return the tablets of one dose in words: "HALF a tablet", "ONE tablet", "ONE AND A HALF tablets"; or in figures."""
    if in_figures:
        return str(words_in(language)["figures"][tablets_key(tablets)]).format(n=int(tablets)).replace(" ", NB)
    if language != ENGLISH:
        return str(words_in(language)["tablets"][tablets_key(tablets)]).format(n=int(tablets))
    words = count_in_words(tablets).upper()
    if tablets == Decimal("0.5"):
        return f"{words} a tablet"
    return f"{words} {'tablet' if tablets == 1 else 'tablets'}"


def times_in_words(times: int, language: str = ENGLISH, *, in_figures: bool = False) -> str:
    """Return how often a day: "once a day", "three times a day", in figures "3 times a day"."""
    words = words_in(language)["label"]
    if times in (1, 2):
        return str(words[("once", "twice")[times - 1]])
    count = _ONES[times] if language == ENGLISH and not in_figures and times < len(_ONES) else times
    return str(words["times"]).format(n=count)


def hour_in_words(time: str, language: str = ENGLISH) -> str:
    """Return a time of day as an order says it: "morning", or its hour."""
    return str(words_in(language)["hours"].get(time, time))


def how_to_take(stretch: Stretch, language: str = ENGLISH, *, in_figures: bool = False) -> str:
    """Return one sentence without its full stop: the doses of each day, with their times where all of them are known.

    In figures each time stands with its dose ("morning 2 tablets, evening 2 tablets"), as USP <17> asks.
    """
    words = words_in(language)["label"]
    hours = [hour_in_words(time, language) for time in stretch.times]
    if len(set(stretch.tablets)) == 1 and not (in_figures and hours):
        often = times_in_words(len(stretch.tablets), language, in_figures=in_figures)
        return str(words["same_at" if hours else "same"]).format(
            **_dose(stretch, 0, language, in_figures), times=often, hours=words["and_at"].join(hours)
        )
    parts = [
        str(words["dose_at" if hours else "dose"]).format(
            **_dose(stretch, n, language, in_figures), hour=hours[n] if hours else ""
        )
        for n in range(len(stretch.tablets))
    ]
    return str(words["each_at" if hours else "each"]).format(
        doses=str(words["and_at" if hours else "then"]).join(parts)
    )


def _dose(stretch: Stretch, n: int, language: str, in_figures: bool) -> dict[str, str]:
    return {
        "dose": tablets_in_words(stretch.tablets[n], language, in_figures=in_figures),
        "mg": mg(stretch.doses_mg[n], language),
    }


def how_to_take_as_needed(stretch: Stretch, language: str = ENGLISH, *, in_figures: bool = False) -> str:
    """Return one sentence without its full stop: one dose of a medicine as needed, and the most of a day."""
    words = words_in(language)["label"]
    most = tablets_in_words(sum(stretch.tablets, Decimal(0)), language, in_figures=in_figures)
    if len(set(stretch.tablets)) > 1:
        return str(words["as_needed_uneven"]).format(most=most)
    return str(words["as_needed"]).format(**_dose(stretch, 0, language, in_figures), most=most)


def short_day(day: date, language: str = ENGLISH) -> str:
    """ "Tue 24 Nov", never split over two lines."""
    words = words_in(language)
    return NB.join((words["weekdays"][day.weekday()], str(day.day), words["months"][day.month - 1]))


def long_day(day: date, language: str = ENGLISH) -> str:
    """ "Tue 24 Nov 2026", never split over two lines."""
    return f"{short_day(day, language)}{NB}{day.year}"


def birthday(day: date) -> str:
    """ "24 Nov 1968", never split over two lines."""
    return NB.join((str(day.day), words_in(ENGLISH)["months"][day.month - 1], str(day.year)))


def when(stretch: Stretch, language: str = ENGLISH) -> str:
    """ "Tue 24 Nov to Thu 26 Nov", "Tue 24 Nov only", "From Tue 24 Nov"."""
    words = words_in(language)["label"]
    first = short_day(stretch.first_on, language)
    if stretch.last_on is None:
        return str(words["from_day"]).format(first=first)
    if stretch.last_on == stretch.first_on:
        return str(words["only"]).format(first=first)
    return str(words["span"]).format(first=first, last=short_day(stretch.last_on, language))


def name_tablets(medicine: str, strength_mg: Decimal, language: str = ENGLISH) -> str:
    """Return "Lioresal 10 mg tablets", its strength never split from its unit."""
    return str(words_in(language)["product"]).format(name=own(medicine, language), mg=mg(strength_mg, language))


def numbers_to_call(phone: str, emergency: str) -> dict[str, str]:
    """Return both numbers for the sentences that name them, read from the left in every language; a phone is never split."""
    return {"phone": f"\u2066{phone.replace(' ', NB)}{_END}", "emergency": f"\u2066{emergency}{_END}"}


def own(name: str, language: str) -> str:
    """Return a name so marked that it keeps its own direction in a text that runs the other way (Unicode annex 9)."""
    return f"{_ISOLATED}{name}{_END}" if language in RIGHT_TO_LEFT else name
