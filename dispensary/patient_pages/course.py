"""What a patient takes, as the patient's page says it: today, the next change, day by day, and how long the tablets last.

Read from the therapy; no dose is computed here. The medicine, its strength and mg are named only where the patient chose that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from django.utils import dateformat, translation
from django.utils.text import capfirst

from baclofen_rules.therapy import Day, Therapy
from dispensary.documents.words import hour_in_words, mg, short_day
from dispensary.reminders.texts import medicine_in, patient_page, say_date, say_tablets

MOST_DAYS = 366
"""Days that the page lists from today on."""
_DAY = timedelta(days=1)
_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class DoseLine:
    """One dose of a day, in words and as whole and half tablets to draw."""

    time: str
    """The time of day in words; empty where not all of them are known."""
    words: str
    whole: range
    has_half: bool


@dataclass(frozen=True, slots=True)
class DayLine:
    """One day of the list."""

    on: date
    words: str
    """The day as it is said."""
    doses: tuple[DoseLine, ...]
    notice: str
    """What stands there instead of doses, or beside them; empty where nothing does."""
    is_change: bool


@dataclass(frozen=True, slots=True)
class PatientCourse:
    """A therapy in the words of the page."""

    today: DayLine
    next_change: DayLine | None
    lasts: tuple[str, ...]
    months: tuple[tuple[str, tuple[DayLine, ...]], ...]
    """The days from today to the last with tablets, by month."""
    is_out: bool
    """No tablets for today, by our count."""
    needs_more: bool
    """The tablets end before the treatment does."""


@dataclass(frozen=True, slots=True)
class Wording:
    """The choices of a patient and a pharmacy about how the page says what is taken."""

    language: str
    names_medicine: bool
    usual_times: Mapping[int, Sequence[str]]
    """Times of day by the number of doses, where an order says none."""


def describe_course(therapy: Therapy, wording: Wording) -> PatientCourse:
    """Return what the page says of a therapy."""
    language, today = wording.language, therapy.today
    words = patient_page(language)
    last_on = _last_on(therapy)
    days = list(_list_days(therapy, last_on, wording)) if last_on is not None else []
    now = therapy.day(today)
    changes = therapy.announced_changes(after=today)
    change = _describe_day(therapy, changes[0], wording) if changes else None
    months: dict[str, list[DayLine]] = {}
    with translation.override(language):
        for line in days:
            months.setdefault(capfirst(dateformat.format(line.on, words["month_format"])), []).append(line)
    return PatientCourse(
        today=_describe_day(therapy, today, wording),
        next_change=change,
        lasts=tuple(_describe_supply(therapy, language, words)),
        months=tuple((month, tuple(lines)) for month, lines in months.items()),
        is_out=bool(now.uncovered),
        needs_more=any(thread.more_needed for thread in therapy.threads),
    )


def _last_on(therapy: Therapy) -> date | None:
    """Return the last day to list: the last with tablets of a fixed dose; None where there is none from today on."""
    ends = [thread.first_uncovered or thread.ends_on for thread in therapy.threads if not thread.as_needed]
    last_on = max((end - _DAY for end in ends if end is not None), default=None)
    if last_on is None or last_on < therapy.today:
        return None
    return min(last_on, therapy.today + MOST_DAYS * _DAY)


def _list_days(therapy: Therapy, last_on: date, wording: Wording) -> Iterator[DayLine]:
    changes = set(therapy.changes(after=therapy.today))
    for stretch in therapy.stretches(therapy.today, last_on):
        doses, notice = _describe_doses(stretch.day, wording)
        for number in range((stretch.last_on - stretch.first_on).days + 1):
            on = stretch.first_on + number * _DAY
            yield DayLine(on, short_day(on, wording.language), doses, notice, on in changes)


def _describe_day(therapy: Therapy, on: date, wording: Wording) -> DayLine:
    doses, notice = _describe_doses(therapy.day(on), wording)
    return DayLine(on, say_date(on, wording.language), doses, notice, is_change=False)


def _describe_doses(day: Day, wording: Wording) -> tuple[tuple[DoseLine, ...], str]:
    """Return the doses of a day, and what must be said instead of them or beside them."""
    language, names_medicine = wording.language, wording.names_medicine
    words = patient_page(language)
    if day.mg is None:
        return (), words["unsure"]
    fixed = day.fixed_doses_at(wording.usual_times)
    if any(dose.strength_mg is None or (dose.mg / dose.strength_mg) % _HALF for dose in fixed):
        return (), words["unsure"]
    has_times = all(dose.time for dose in fixed)
    names_strength = names_medicine or len({dose.strength_mg for dose in fixed}) > 1
    lines = []
    for dose in fixed:
        assert dose.strength_mg is not None
        count = dose.mg / dose.strength_mg
        tablets = str(say_tablets((dose.mg,), dose.strength_mg, language))
        if names_strength:
            name = f"{medicine_in(language)} " if names_medicine else ""
            tablets = words["of_kind"].format(tablets=tablets, name=f"{name}{mg(dose.strength_mg, language)}")
        hour = hour_in_words(dose.time or "", language) if has_times else ""
        lines.append(DoseLine(hour, tablets, range(int(count)), bool(count % 1)))
    notices = []
    if day.uncovered:
        notices.append(words["none_left"])
    elif any(dose.as_needed for dose in day.doses):
        notices.append(words["as_needed"])
    elif not lines:
        notices.append(words["take_none"])
    return tuple(lines), " ".join(notices)


def _describe_supply(therapy: Therapy, language: str, words: dict[str, Any]) -> Iterator[str]:
    """Yield until when the tablets last, when to ask for more, and the last day of a plan that ends."""
    fixed = [thread for thread in therapy.threads if not thread.as_needed and thread.first_uncovered is not None]
    first = min(fixed, key=lambda thread: thread.first_uncovered or date.max, default=None)
    if first is not None and first.first_uncovered is not None and first.first_uncovered > therapy.today:
        yield words["lasts"].format(day=say_date(first.first_uncovered - _DAY, language))
        if first.refill_due_on is not None:
            due_on = max(first.refill_due_on, therapy.today)
            yield words["order_by"].format(day=say_date(due_on, language))
    if therapy.last_day is not None and therapy.last_day >= therapy.today:
        yield words["last_day"].format(day=say_date(therapy.last_day, language))
