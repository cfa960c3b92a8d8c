"""Text, structured dose and quantity are three witnesses of one course: where they differ, this says which two agree.

Finds, with the arithmetic: a stop when the dose or how often it is taken differs between text and structure, line by line and
together, or when no dose can be read from either; by the profile, when only the length or the end differs, when the order says
"when needed", when the quantity alone stands apart, and when the days that it is expected to last do not fit. Faults of the course itself: a gap, an overlap, a rise inside a taper, a course of
several doses that is to be repeated, and an open end where a stop was meant.
A text that cannot be read beside structured phases asks for an override; it is a stop where it forbids, or names another
medicine, route, form or unit, or a rhythm other than daily.
Errs: on the side of asking. No text beside phases is one witness less, not a missing fact.
Source: published examples of structured prescriptions whose text, dose and quantity disagree; the severities are design.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain

from baclofen_rules.case import Order
from baclofen_rules.courses import count_tablets, find_changes, is_taper, write_course, write_quantity, write_tablets
from baclofen_rules.directions import CONTRADICTIONS, Question, Reading, Why
from baclofen_rules.findings import Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.profiles.limits import number, severity
from baclofen_rules.regimen import Phase, Regimen, find_difference
from baclofen_rules.rule import EVERY_MEDICINE, Rule
from baclofen_rules.supply import tablets_needed
from baclofen_rules.terms import PHASES_FACT, QUANTITY_FACT, STOP_FACT, STRENGTH_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import LONGEST_QUOTE, clip, count_days, format_doses

REPEATS_FACT = "prescription.repeats"
_UNREAD = {
    Why.FORBIDS: "forbid something",
    Why.ROUTE: "name another route",
    Why.OTHER_MEDICINE: "name another medicine",
    Why.FORM: "name another form",
    Why.UNIT: "name another unit",
    Why.RHYTHM: "are not for every day",
}


@dataclass(frozen=True, slots=True)
class Limits:
    length_differs: Severity = severity(words="how severe: the words say another length than the phases")
    end_differs: Severity = severity(words="how severe: the words say another end than the phases")
    as_needed: Severity = severity(words='how severe: the words say "as needed", the phases do not')
    quantity_apart: Severity = severity(words="how severe: the words say another quantity than the order")
    quantity_tolerance: Decimal = number("fraction", 0, 0.5, words="part by which a quantity in the words may differ")
    duration_differs: Severity = severity(words="how severe: the words say another duration than the order")
    duration_factor: Decimal = number("times", 1, 10, words="times by which a duration in the words may differ")
    gap: Severity = severity(words="how severe: days between two phases without a dose")
    overlap: Severity = severity(words="how severe: two phases on the same days")
    rise_in_taper: Severity = severity(words="how severe: a rise inside a taper")
    repeat_of_course: Severity = severity(words="how severe: repeats of a course that changes")
    open_end: Severity = severity(words="how severe: a last phase without an end after others")


def check(t: Terms, limits: Limits) -> Answer:
    order = t.order
    if order is None:
        return ()
    lacking = (Missing((STOP_FACT,)),) if t.may_stop and _end_matters(order) else ()
    compared = (
        (*_witnesses(written, limits), *_lines(written, limits), *_duration(written, part.regimen, limits))
        for part in (t.products if order.has_own_words else (t,))
        if (written := part.order) is not None
    )
    return (*chain.from_iterable(compared), *_faults(order, t.regimen, limits), *lacking)


def _end_matters(order: Order) -> bool:
    """Return whether it would make a difference to know if the phases, which have an end, then stop."""
    reading, structured = order.reading, order.structured
    if structured is None:
        return False
    if isinstance(reading, Reading) and (reading.then_stop or (reading.then_stop is False and reading.phases[-1].days)):
        return True
    rises = {before < after for _, before, after in find_changes(structured)}
    return len(rises) == 2  # up as well as down


# ---- the three witnesses


def _witnesses(order: Order, limits: Limits) -> Iterator[Found | Missing]:
    reading, structured = order.reading, order.structured
    if isinstance(reading, Question):
        questions = [line.reading for line in order.lines if isinstance(line.reading, Question)] or [reading]
        for question in dict.fromkeys(questions):
            yield from _unread(question, structured, limits)
    elif structured is None and reading is None:
        yield _stop(
            "Nothing says what dose is to be taken: no phases and no directions",
            "Neither structured phases nor directions are given; a dose cannot be assumed.",
            {},
        )
    elif reading is not None and structured is not None:
        yield from _compared(order, reading, structured, limits)
    elif reading is not None:
        yield Missing((PHASES_FACT,))
    if order.regimen is None or not order.as_needed:
        return
    if not order.is_counted:
        yield _as_needed(order, order.regimen.phases[0], limits)
    elif isinstance(reading, Reading) and not reading.as_needed:
        yield _found(
            limits.as_needed,
            "The structure says that it is taken only when needed, the directions do not",
            f"Directions: {reading.sentence} The structure: as needed, at most {format_doses(order.regimen.phases[0])}.",
            {"differs": "need"},
        )


def _lines(order: Order, limits: Limits) -> Iterator[Found]:
    """Compare the words of each line with its own doses, then the tablets of all words with those of all doses."""
    for number_, line in enumerate(order.lines, start=1):
        if not isinstance(line.reading, Reading):
            continue
        words = f"Line {number_}: '{clip(line.directions or '', LONGEST_QUOTE)}'"
        structured = None if line.phase is None else Regimen((line.phase,))
        kind = None if structured is None else find_difference(line.reading.regimen, structured)
        if structured is not None and kind in ("dose", "length"):
            written, ordered = write_course(line.reading.regimen), write_course(structured)
            yield _found(
                Severity.STOP if kind == "dose" else limits.length_differs,
                f"Line {number_}: the {kind} of its directions differs from that of its structure",
                f"{words}, read as {written}. Its structure: {ordered}.",
                {"line": str(number_), "directions": written, "phases": ordered, "differs": kind},
            )
        if line.reading.as_needed and not order.as_needed:
            yield _found(
                limits.as_needed,
                f"Line {number_}: its directions say that it is taken only when needed, the order does not",
                f"{words}. The rules count its doses as taken every day.",
                {"line": str(number_), "differs": "need"},
            )
        if line.reading.then_stop and line.sequence < order.lines[-1].sequence:
            yield _found(
                limits.end_differs,
                f"Line {number_}: its directions end the course, and another line follows",
                f"{words}. Line {len(order.lines)} follows: '{clip(order.lines[-1].directions or '', LONGEST_QUOTE)}'.",
                {"line": str(number_), "differs": "end"},
            )
    yield from _sums(order)


def _sums(order: Order) -> Iterator[Found]:
    """Compare the tablets of all lines where their words leave in doubt only how often a dose is taken."""
    totals = [line.total_mg for line in order.lines if line.total_mg is not None]
    structured, strength_mg = order.structured, order.strength_mg
    if not totals or len(totals) != len(order.lines) or structured is None or strength_mg is None:
        return
    if structured.total_days is None or not isinstance(order.reading, Question):
        return
    written, ordered = sum(totals, Decimal(0)) / strength_mg, tablets_needed(structured, strength_mg)
    if ordered is not None and written != ordered:
        yield _stop(
            f"The directions come to {format_amount(round(written, 4))} tablets, the structure to {format_amount(round(ordered, 4))}",
            f"In all {format_amount(round(written, 4))} tablets by the directions, {format_amount(round(ordered, 4))} by the"
            f" structure ({write_course(structured)}). Quantity: {write_quantity(order)}.",
            {"directions": format_amount(round(written, 4)), "phases": format_amount(round(ordered, 4))},
        )


def _unread(question: Question, structured: Regimen | None, limits: Limits) -> Iterator[Found | Missing]:
    about, ask = clip(question.about), question.ask
    if question.why in (Why.GAP, Why.OVERLAP):
        level = limits.gap if question.why is Why.GAP else limits.overlap
        word = "leave days out" if question.why is Why.GAP else "name a day twice"
        yield _found(
            Severity.STOP if structured is None else level,
            f"The directions {word} at '{about}'",
            f"Directions: '{about}'. {ask}",
            {"about": about, "ask": ask},
        )
    elif structured is None:
        yield _stop(
            f"The directions cannot be read for certain: '{about}'",
            f"Directions: '{about}'. {ask} No structured dose is given either.",
            {"about": about, "ask": ask},
        )
    elif question.why is Why.NO_STRENGTH:
        yield Missing((STRENGTH_FACT,))
    else:
        yield _found(
            Severity.STOP if question.why in CONTRADICTIONS else Severity.OVERRIDE,
            f"The directions {_UNREAD.get(question.why, 'cannot be read for certain')}: '{about}'",
            f"Directions: '{clip(question.text, LONGEST_QUOTE)}'. About '{about}': {ask} Phases: {write_course(structured)}.",
            {"about": about, "ask": ask},
        )


def _compared(order: Order, reading: Reading, structured: Regimen, limits: Limits) -> Iterator[Found | Missing]:
    text = reading.regimen
    kind = find_difference(text, structured)
    if kind is None:
        yield from _quantity_apart(order, text, structured, limits)
        return
    words, level = {
        "dose": ("dose", Severity.STOP),
        "length": ("length", limits.length_differs),
        "end": ("end", limits.end_differs),
    }[kind]
    written, ordered = write_course(text), write_course(structured)
    yield _found(
        level,
        f"The {words} of the directions differs from that of the phases: {_agreement(order, text, structured, limits)}",
        f"Directions: {written}{write_tablets(text, order)}. Phases: {ordered}{write_tablets(structured, order)}. Quantity: {write_quantity(order)}.",
        {"directions": written, "phases": ordered, "differs": words},
        dur=Dur.MISSING_INFORMATION,
    )


def _agreement(order: Order, text: Regimen, structured: Regimen, limits: Limits) -> str:
    """Which two of the three agree, as far as the quantity can tell, with the days that it is to last where no end is named."""
    with_text, with_phases = (_fits(order, regimen, limits) for regimen in (text, structured))
    days = order.expected_days if None in (text.total_days, structured.total_days) else None
    quantity = "the quantity" if days is None else f"the quantity for {count_days(days)}"
    if with_text is None and with_phases is None:
        return f"{quantity} does not decide"
    if with_text and not with_phases:
        return f"{quantity} agrees with the directions"
    if with_phases and not with_text:
        return f"{quantity} agrees with the phases"
    return f"{quantity} agrees with both" if with_text else f"{quantity} agrees with neither"


def _quantity_apart(order: Order, text: Regimen, structured: Regimen, limits: Limits) -> Iterator[Found | Missing]:
    course = structured if structured.total_days is not None else text
    if course.total_days is None:
        return
    lacking = {QUANTITY_FACT: order.quantity, STRENGTH_FACT: order.strength_mg}
    if order.quantity is None or order.strength_mg is None:
        yield Missing(tuple(fact for fact, value in lacking.items() if value is None))
        return
    if _fits(order, course, limits):
        return
    needed = count_tablets(course, order.strength_mg, course.total_days) or Decimal(0)
    yield _found(
        limits.quantity_apart,
        f"Directions and phases agree on {format_amount(needed)} tablets; the quantity of {format_amount(order.quantity)} stands alone",
        f"{write_course(course)} = {format_amount(needed)} tablets of {format_amount(order.strength_mg)} mg; ordered: {format_amount(order.quantity)}.",
        {"tablets": format_amount(order.quantity)},
        limit={"tablets": format_amount(needed)},
        dur=Dur.INSUFFICIENT_QUANTITY if order.quantity < needed else Dur.EXCESSIVE_QUANTITY,
        issue=DetectedIssue.FULFILMENT,
    )


def _fits(order: Order, regimen: Regimen, limits: Limits) -> bool | None:
    """Return whether the quantity is what the course needs, or the days that it is to last; None where that is not known."""
    needed = count_tablets(regimen, order.strength_mg, regimen.total_days or order.expected_days)
    if order.quantity is None or needed is None:
        return None
    return abs(order.quantity - needed) <= needed * limits.quantity_tolerance


def _as_needed(order: Order, phase: Phase, limits: Limits) -> Found:
    written = f"Directions: {order.reading.sentence} " if isinstance(order.reading, Reading) else ""
    return _found(
        limits.as_needed,
        f"Taken only when needed: {format_amount(phase.mg_per_day)} mg is the most of a day, not what is taken every day",
        f"{written}The rules look at {format_doses(phase)} as if it were taken every day.",
        {"mg_per_day": format_amount(phase.mg_per_day)},
    )


def _duration(order: Order, regimen: Regimen | None, limits: Limits) -> Iterator[Found]:
    """Compare the days that the quantity is to last with the course, or with the tablets of a day where it has no end."""
    expected, total = order.expected_days, None if regimen is None else regimen.total_days
    needed = None if regimen is None else count_tablets(regimen, order.strength_mg, expected)
    if regimen is None or expected is None or order.as_needed:
        return
    level = limits.duration_differs
    apart = needed is not None and order.quantity is not None and order.quantity != needed
    if total is not None:
        if expected in (total, Decimal(total) / (1 + (order.repeats or 0))) or (expected < total and not apart):
            return
        summary = f"The quantity is to last {count_days(expected)}, the course {count_days(total)}"
    elif needed is None or order.quantity is None or _fits(order, regimen, limits):
        return
    else:
        if needed / limits.duration_factor < order.quantity < needed * limits.duration_factor:
            level = limits.quantity_apart
        per_day = f"{format_amount(round(order.quantity / expected, 2))} a day"
        summary = f"{write_quantity(order)} for {count_days(expected)} are {per_day}; the doses of that time need {format_amount(needed)}"
    lasts = "until further notice" if total is None else count_days(total)
    yield _found(
        level,
        summary,
        f"Quantity: {write_quantity(order)}, expected to last {count_days(expected)}; the course lasts {lasts}. Doses: {write_course(regimen)}{write_tablets(regimen, order)}.",
        {"days": str(expected), "tablets": write_quantity(order)},
        limit={"days": str(total)} if total else {"tablets": format_amount(needed)} if needed else {},
        issue=DetectedIssue.FULFILMENT,
    )


# ---- faults of the course itself


def _faults(order: Order, regimen: Regimen | None, limits: Limits) -> Iterator[Found | Missing]:
    if regimen is None or _is_plain(order, regimen):
        return
    yield from _misplaced(order, limits)
    changes = find_changes(regimen)
    if regimen.then_stop and regimen.total_days is None:
        last = format_doses(regimen.phases[-1])
        yield _found(
            limits.open_end,
            "The medicine is to stop, but the last phase has no end: on which day does it stop?",
            f"Phase {len(regimen.phases)}: {last}, without a number of days, and then a stop.",
            {"phase": str(len(regimen.phases))},
        )
    rises = [change for change in changes if change[1] < change[2]]
    if rises and is_taper(regimen, changes):
        at, before, after = rises[0]
        yield _found(
            limits.rise_in_taper,
            f"The dose rises from {format_amount(before)} to {format_amount(after)} mg a day inside a taper",
            f"Phase {at} to phase {at + 1}: {format_amount(before)} to {format_amount(after)} mg a day, in a course that goes down.",
            {"from_mg_per_day": format_amount(before), "mg_per_day": format_amount(after)},
        )
    if order.repeats is None and changes and not order.is_counted:
        yield Missing((REPEATS_FACT,))
    if order.repeats and changes and not order.is_counted:
        first, final = (format_amount(regimen.phases[at].mg_per_day) for at in (0, -1))
        yield _found(
            limits.repeat_of_course,
            f"Repeating this course would go from {final} mg a day back to {first} mg a day",
            f"Phase 1: {first} mg a day; phase {len(regimen.phases)}: {final} mg a day; repeats: {order.repeats}.",
            {"repeats": str(order.repeats), "from_mg_per_day": final, "mg_per_day": first},
        )


def _is_plain(order: Order, regimen: Regimen) -> bool:
    """A single phase that goes on and is not said to begin on another day: nothing about it can be at fault."""
    return len(regimen.phases) == 1 and not regimen.then_stop and order.starts in ((), (None,))


def _misplaced(order: Order, limits: Limits) -> Iterator[Found]:
    """Phases that are said to begin on another day than the day after the phase before them."""
    next_day: int | None = 1
    for number_, (phase, start) in enumerate(zip(order.phases or (), order.starts, strict=True), start=1):
        if start is not None and next_day is not None and start != next_day:
            late = start > next_day
            days = abs(start - next_day)
            word = "left out" if late else "named twice"
            count = f"{count_days(days)} {'is' if days == 1 else 'are'}"
            yield _found(
                limits.gap if late else limits.overlap,
                f"{count} {word} before phase {number_}: it begins on day {start}, not on day {next_day}",
                f"The phases before it last until day {next_day - 1}; phase {number_} is said to begin on day {start}.",
                {"day": str(start), "phase": str(number_)},
                limit={"day": str(next_day)},
            )
        begins = start if start is not None else next_day
        next_day = None if phase.days is None or begins is None else begins + phase.days


# ---- words


def _stop(summary: str, detail: str, observed: dict[str, str]) -> Found:
    return _found(Severity.STOP, summary, detail, observed)


def _found(
    level: Severity,
    summary: str,
    detail: str,
    observed: dict[str, str],
    *,
    limit: dict[str, str] | None = None,
    dur: Dur = Dur.MISSING_INFORMATION,
    issue: DetectedIssue = DetectedIssue.DOSE,
) -> Found:
    words = Words(summary, detail, observed, limit or {}, dur, issue)
    return Found(level, lambda: words)


def explain(t: Terms, limits: Limits) -> str:
    order = t.order
    if order is None or order.reading is None:
        return "No directions text; the structured phases follow one another without fault."
    if not isinstance(order.reading, Reading):
        return f"The directions could not be read: {order.reading.ask}"
    if order.structured is None:
        return f"Only the directions say what is taken: {order.reading.sentence}"
    return f"Directions and phases agree: {order.reading.sentence}"


RULE = Rule(
    code="directions",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    answers=("5",),
    clears=("A corrected order, whose words, doses, days and quantity agree",),
)
