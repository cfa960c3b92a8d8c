"""The dose line: mg a day by day, as geometry for an SVG with earlier supplies, today, course and maximum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal

from baclofen_rules.text import format_amount
from dispensary.documents.words import long_day, mg

WIDTH, NARROW, HEIGHT = 640, 280, 230
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 22, 30
NARROWEST_LABEL = 46
"""Units of the picture; a stretch narrower than this is drawn without its number (the table beside has it)."""


@dataclass(frozen=True, slots=True)
class Span:
    """A dose in mg a day from `starts` up to, but not including, `ends`."""

    starts: date
    ends: date
    mg_per_day: Decimal


@dataclass(frozen=True, slots=True)
class DoseLine:
    """Data of the picture: `past` and `course` in order of time; `maximum` in mg a day; `stops` when the course ends."""

    today: date
    course: Sequence[Span]
    past: Sequence[Span] = ()
    maximum: Decimal | None = None
    stops: bool = False

    def picture(self, width: int = WIDTH) -> Picture:
        """Return the geometry in a picture of that width. Raises ValueError without a course."""
        if not self.course:
            raise ValueError("a dose line needs a course")
        return _draw(self, width)


@dataclass(frozen=True, slots=True)
class Text:
    x: str
    y: str
    words: str
    anchor: str = "middle"


@dataclass(frozen=True, slots=True)
class Picture:
    """Paths, lines and words of the template, in the picture's units."""

    title: str
    description: str
    course_path: str
    course_area: str
    past_paths: list[str]
    gaps: list[tuple[str, str]]
    grid: list[tuple[str, Text]]
    days: list[Text]
    labels: list[Text]
    today_x: str
    today_label: Text
    maximum: tuple[str, Text] | None
    width: int
    right: int
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    height: int = HEIGHT
    left: int = LEFT
    top: int = TOP
    floor: int = HEIGHT - BOTTOM
    plot_height: int = HEIGHT - BOTTOM - TOP


def _draw(line: DoseLine, width: int) -> Picture:
    spans = [*line.past, *line.course]
    first = min([line.today, *(s.starts for s in spans)])
    last = max([line.today + timedelta(days=1), *(s.ends for s in spans)])
    highest = max([s.mg_per_day for s in spans] + ([line.maximum] if line.maximum else []))
    step = _grid_step(highest)
    top = (highest / step).to_integral_value(ROUND_CEILING) * step
    if top == highest:
        top += step / 2

    def x(day: date) -> Decimal:
        return LEFT + Decimal((day - first).days) * (width - LEFT - RIGHT) / max(1, (last - first).days)

    def y(mg_per_day: Decimal) -> Decimal:
        return (HEIGHT - BOTTOM) - mg_per_day * (HEIGHT - BOTTOM - TOP) / top

    floor = _n(Decimal(HEIGHT - BOTTOM))
    path = _steps(line.course, x, y) + (f"V{floor}" if line.stops else "")
    area = f"M{_n(x(line.course[0].starts))} {floor}V{_n(y(line.course[0].mg_per_day))}{_steps(line.course, x, y, move=False)}V{floor}Z"
    return Picture(
        title=_title(line),
        description=_description(line),
        course_path=path,
        course_area=area,
        past_paths=[_steps([s], x, y) for s in line.past],
        gaps=[(_n(x(a)), _n(x(b) - x(a))) for a, b in _gaps(line)],
        grid=[_grid_line(y, step * n) for n in range(int(top / step) + 1)],
        days=_day_words(first, last, x, width),
        width=width,
        right=width - RIGHT,
        labels=_labels(line, x, y),
        today_x=_n(x(line.today)),
        today_label=Text(_n(x(line.today) + 4), _n(Decimal(TOP - 8)), "today", "start"),
        maximum=_maximum(line.maximum, y) if line.maximum else None,
        rows=[(long_day(s.starts), long_day(s.ends - timedelta(days=1)), mg(s.mg_per_day)) for s in line.course],
    )


def _steps(spans: Sequence[Span], x, y, *, move: bool = True) -> str:  # type: ignore[no-untyped-def]  # two local scales
    parts = [f"M{_n(x(spans[0].starts))} {_n(y(spans[0].mg_per_day))}"] if move else []
    for n, span in enumerate(spans):
        if n:
            parts.append(f"V{_n(y(span.mg_per_day))}")
        parts.append(f"H{_n(x(span.ends))}")
    return "".join(parts)


def _gaps(line: DoseLine) -> list[tuple[date, date]]:
    """Return the uncovered days: from a supply's end to the next one's start."""
    ends, gaps = None, []
    for span in [*line.past, line.course[0]]:
        if ends is not None and span.starts > ends:
            gaps.append((ends, span.starts))
        ends = span.ends if ends is None else max(ends, span.ends)
    return gaps


def _grid_step(highest: Decimal) -> Decimal:
    for step in (5, 10, 20, 25, 50, 100, 200, 500, 1000, 5000):
        if highest <= step * 5:
            return Decimal(step)
    return (highest / 5).to_integral_value(ROUND_CEILING)


def _grid_line(y, value: Decimal) -> tuple[str, Text]:  # type: ignore[no-untyped-def]  # a local scale
    at = y(value)
    return _n(at), Text(_n(Decimal(LEFT - 6)), _n(at + 4), format_amount(value), "end")


def _maximum(maximum: Decimal, y) -> tuple[str, Text]:  # type: ignore[no-untyped-def]  # a local scale
    at = y(maximum)
    return _n(at), Text(_n(Decimal(LEFT + 4)), _n(at - 5), f"maximum {mg(maximum)} a day", "start")


def _labels(line: DoseLine, x, y) -> list[Text]:  # type: ignore[no-untyped-def]  # two local scales
    labels = []
    for span in [*line.past, *line.course]:
        left, right = x(span.starts), x(span.ends)
        if right - left >= NARROWEST_LABEL:
            labels.append(Text(_n((left + right) / 2), _n(y(span.mg_per_day) - 6), mg(span.mg_per_day)))
    return labels


def _day_words(first: date, last: date, x, width: int) -> list[Text]:  # type: ignore[no-untyped-def]  # a local scale
    total = (last - first).days
    every = next(
        (n for n in (1, 2, 7, 14, 28, 56, 112, 364) if total / n <= width / 90), max(1, total // (width // 100))
    )
    days = [first + timedelta(days=n) for n in range(0, total + 1, every)]
    words = []
    for day in days:
        at = x(day)
        anchor = "start" if at < LEFT + 30 else "end" if at > width - RIGHT - 30 else "middle"
        words.append(Text(_n(at), _n(Decimal(HEIGHT - 10)), f"{day.day}\u00a0{day:%b}", anchor))
    return words


def _title(line: DoseLine) -> str:
    lowest, highest = min(s.mg_per_day for s in line.course), max(s.mg_per_day for s in line.course)
    doses = mg(highest) if lowest == highest else f"{mg(line.course[0].mg_per_day)} to {mg(line.course[-1].mg_per_day)}"
    return f"Dose line: {doses} a day{', then stop' if line.stops else ''}"


def _description(line: DoseLine) -> str:
    parts = [f"from {long_day(s.starts)} {mg(s.mg_per_day)} a day" for s in line.course]
    past = (
        f"Before: {mg(line.past[-1].mg_per_day)} a day until {long_day(line.past[-1].ends - timedelta(days=1))}. "
        if line.past
        else ""
    )
    limit = f" The maximum is {mg(line.maximum)} a day." if line.maximum else ""
    return f"{past}Course: {'; '.join(parts)}.{limit}"


def _n(value: Decimal) -> str:
    """Format picture units with at most one decimal."""
    return format_amount(value.quantize(Decimal("0.1")))
