"""A chart of bars, drawn on the server: a count for each hour or name, and the usual range behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

WIDTH, HEIGHT = 640, 200
ROW = 48
LEFT, RIGHT, TOP, BOTTOM = 36, 8, 12, 26
MOST_LABELS = 12
"""Names under the bars; of more every second, third ... is written, the table has all."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One count; `usual` is the range in which it usually lies."""

    name: str
    count: int
    usual: tuple[int, int] | None = None

    @property
    def usual_words(self) -> str:
        """The usual range in words; empty where it is not known."""
        if self.usual is None:
            return ""
        least, most = self.usual
        return str(least) if least == most else f"{least} to {most}"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in the picture's units."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Data of a picture, with its words; `id` names it on the page."""

    id: str
    title: str
    of: str
    """The heading of the names, such as: Hour."""
    bars: Sequence[Bar]

    @property
    def width(self) -> int:
        return WIDTH

    @property
    def height(self) -> int:
        return HEIGHT

    @property
    def description(self) -> str:
        """Every count in one sentence."""
        counts = ", ".join(f"{bar.name}: {bar.count}" for bar in self.bars)
        return f"{counts or 'nothing'}."

    @property
    def has_usual(self) -> bool:
        return any(bar.usual is not None for bar in self.bars)

    @property
    def _most(self) -> int:
        return max([4, *(max(bar.count, bar.usual[1] if bar.usual else 0) for bar in self.bars)])


class RowChart(Chart):
    """Bars that lie: for long names, each written above its bar."""

    @property
    def height(self) -> int:
        return ROW * len(self.bars)

    @property
    def rows(self) -> list[tuple[Box, int, str]]:
        """Return for each bar its box, the height of its name, and the name with the count."""
        longest = WIDTH - 2 * RIGHT
        return [
            (
                Box(RIGHT, ROW * index + 28, max(2, round(longest * bar.count / self._most)), 14),
                ROW * index + 22,
                f"{bar.name}: {bar.count}",
            )
            for index, bar in enumerate(self.bars)
        ]


class BarChart(Chart):
    """Bars that stand side by side: for hours."""

    left = LEFT
    right = WIDTH - RIGHT
    floor = HEIGHT - BOTTOM

    @property
    def grid(self) -> list[tuple[int, int]]:
        """Return the heights of the grid's lines with their counts: whole numbers, at most five."""
        step = ceil(self._most / 4)
        return [(self._y(count), count) for count in range(0, self._most + 1, step)]

    @property
    def columns(self) -> list[tuple[Box, Box | None, int, str]]:
        """Return for each bar its box, that of its usual range, the middle, and its name where it is written."""
        slot = (WIDTH - LEFT - RIGHT) / max(1, len(self.bars))
        every = ceil(len(self.bars) / MOST_LABELS)
        columns = []
        for index, bar in enumerate(self.bars):
            x, wide = round(LEFT + index * slot + slot * 0.15), max(2, round(slot * 0.7))
            usual = None
            if bar.usual is not None:
                least, most = bar.usual
                usual = Box(x - 2, self._y(most) - 1, wide + 4, max(2, self._y(least) - self._y(most) + 2))
            top = self._y(bar.count)
            name = bar.name if index % every == 0 else ""
            columns.append((Box(x, top, wide, self.floor - top), usual, round(x + wide / 2), name))
        return columns

    def _y(self, count: int) -> int:
        return round(self.floor - (self.floor - TOP) * count / self._most)
