"""The lower half of the grammar made into one day's doses in milligrams."""

import re
from decimal import Decimal
from typing import NamedTuple

from lark import Token, Tree

from baclofen_rules.text import format_amount

from .doubt import Doubt, Why

Node = Tree[Token]

WORDS = {
    "a": 1,
    "an": 1,
    "one": 1,
    "two": 2,
    "three": 3,
    "four": 4,
    "five": 5,
    "six": 6,
    "seven": 7,
    "eight": 8,
    "nine": 9,
    "ten": 10,
    "twelve": 12,
    "fourteen": 14,
    "fifteen": 15,
    "twenty": 20,
    "twenty-one": 21,
    "twenty-five": 25,
    "twenty five": 25,
    "twenty-eight": 28,
    "thirty": 30,
}
_COUNTED = re.compile(
    r"\b(?:" + "|".join(sorted((word for word in WORDS if len(word) > 2), key=len, reverse=True)) + r")\b"
)
_PARTS = {
    "HALF": Decimal("0.5"),
    "QUARTER": Decimal("0.25"),
    "THREE_QUARTERS": Decimal("0.75"),
    "1/2": Decimal("0.5"),
    "1/4": Decimal("0.25"),
    "3/4": Decimal("0.75"),
}
_OFTEN = {"DAILY": 1, "OD": 1, "TWICE_DAILY": 2, "THREE_DAILY": 3, "FOUR_DAILY": 4}
_SAID_OFTEN = {"once": 1, "twice": 2, "thrice": 3}
_SLOTS = {"MORNING": 8, "MIDDAY": 12, "AFTERNOON": 15, "EVENING": 18, "NIGHT": 22}
MOST_TIMES_A_DAY = 12
"""More often than this is not believed. Twelve is every two hours."""
HOURS_A_DAY = 24
LARGEST_DAILY_MG = Decimal(20)
"""The largest amount that "daily" alone gives as one dose: the US label's 80 mg a day are 20 mg four times. Above it, ask."""
_JOINED = re.compile(r"[,;&/+]|\band\b")
_PREPOSITION = re.compile(r"(?:in|at|with|on|each|every|before|after|going)\b")
CENT = Decimal("0.01")


class Day(NamedTuple):
    """One day's doses in milligrams, in the order they are taken, and where they were written."""

    doses: tuple[Decimal, ...]
    start: int
    end: int
    by_the_clock: bool = False
    as_needed: bool = False
    most_mg: Decimal | None = None

    @property
    def mg(self) -> Decimal:
        """The day's sum."""
        return sum(self.doses, Decimal(0))


def span(node: Node | Token) -> tuple[int, int]:
    """Return start and end of ``node`` in the text; 0 and 0 without positions."""
    if isinstance(node, Token):
        return node.start_pos or 0, node.end_pos or 0
    meta = node.meta
    return (0, 0) if meta.empty else (meta.start_pos, meta.end_pos)


def count(text: str) -> int:
    """The whole number written in ``text``, in digits or as a word."""
    digits = re.search(r"[0-9]+", text)
    if digits:
        return int(digits[0])
    word = _COUNTED.search(text)
    assert word is not None
    return WORDS[word[0]]


class DoseReader:
    """Turns the doses of one text into milligrams, for one tablet strength and one meaning of "od"."""

    def __init__(self, text: str, strength_mg: Decimal | None, od_means_once_daily: bool | None) -> None:
        self.text = text
        self.strength_mg = strength_mg
        self.stated_mg: Decimal | None = None
        """The strength that the text itself states."""
        self.od_means_once_daily = od_means_once_daily

    # ---- numbers

    def number(self, node: Node) -> Decimal:
        """The value of a ``number``; a zero, a thousands comma or a lost point is a doubt."""
        if node.data == "mixed":
            whole, part = str(node.children[0]).split()
            return Decimal(whole) + _PARTS[part]
        values = [self._digits(child) if child.type == "NUMBER" else Decimal(WORDS[child]) for child in _tokens(node)]
        parts = [_part(child) for child in node.children if isinstance(child, Tree)]
        if node.data == "said_twice":
            if values[0] != values[1]:
                raise Doubt(*span(node), f"{values[0]} or {values[1]}? The figure and the word differ.")
            return values[0]
        return sum(values + parts, Decimal(0))

    @staticmethod
    def _digits(token: Token) -> Decimal:
        whole, _, rest = token.replace(",", ".").partition(".")
        if len(whole) > 1 and whole.startswith("0"):
            raise Doubt(*span(token), f"Is {token} missing a decimal point?")
        if "," in token and int(whole) and int(whole) % 5 == 0:
            raise Doubt(*span(token), f"{whole}.{rest}, or {whole} and then {rest}?")
        value = Decimal(f"{whole}.{rest}" if rest else whole)
        if not value:
            raise Doubt(*span(token), "The number is nought. How much is meant?")
        return value

    # ---- one dose

    def state_strength(self, node: Node) -> None:
        """Take the strength from "Baclofen 10 mg tablets: ..."; a doubt where it is not the one asked about."""
        self._agree(self.number(_trees(node)[0]), span(node))

    def _agree(self, stated: Decimal, where: tuple[int, int]) -> None:
        known = self.strength_mg if self.strength_mg is not None else self.stated_mg
        if known is not None and known != stated:
            raise Doubt(*where, f"The tablets are {known} mg, the directions say {stated} mg. Which is right?")
        self.stated_mg = stated

    def dose(self, node: Node) -> Decimal:
        """One dose in milligrams."""
        numbers = [self.number(child) for child in _trees(node)]
        if node.data == "mg":
            return numbers[0]
        if node.data == "tablets":
            return self._tablets(numbers[0], node)
        if node.data == "tablets_of":
            self._agree(numbers[1], span(node))
            return numbers[0] * numbers[1]
        tablets, mg = numbers if node.data == "tablets_in_mg" else reversed(numbers)
        strength = self.strength_mg if self.strength_mg is not None else self.stated_mg
        if strength is None:
            if tablets != 1:
                raise Doubt(
                    *span(node), f"Is each tablet {format_amount(mg)} mg, or all of them together?", Why.NO_STRENGTH
                )
            self.stated_mg = mg
        elif tablets * strength != mg:
            raise Doubt(
                *span(node),
                f"{format_amount(tablets)} x {format_amount(strength)} mg is not {format_amount(mg)} mg. Which is meant?",
            )
        return mg

    def _tablets(self, tablets: Decimal, node: Node) -> Decimal:
        strength = self.strength_mg if self.strength_mg is not None else self.stated_mg
        if strength is None:
            raise Doubt(*span(node), "Of which strength? Give the strength of the tablet in mg.", Why.NO_STRENGTH)
        return tablets * strength

    # ---- how often

    def times(self, token: Token) -> int:
        """Return the number of times a day."""
        if token.type == "OD" and not self.od_means_once_daily:
            raise Doubt(*span(token), 'Does "od" mean once a day here?')
        if token.type in _OFTEN:
            return _OFTEN[token.type]
        if re.fullmatch(r"(?!once|twice|thrice)(?:[0-9]+|[a-z]{3,})\s+daily", token):
            raise Doubt(*span(token), "That many tablets, or that many times a day?")
        if token.type == "EVERY_HOURS":
            return self._every(token)
        times_in_words = next((times for word, times in _SAID_OFTEN.items() if token.startswith(word)), None)
        times = times_in_words if times_in_words is not None else count(token)
        if not 1 <= times <= MOST_TIMES_A_DAY:
            raise Doubt(*span(token), "How many times a day?")
        return times

    @staticmethod
    def _every(token: Token) -> int:
        hours = count(token)
        if hours < HOURS_A_DAY // MOST_TIMES_A_DAY or hours > HOURS_A_DAY or HOURS_A_DAY % hours:
            raise Doubt(*span(token), f"{token.capitalize()}: how many times in a day is that?")
        return HOURS_A_DAY // hours

    # ---- one day

    def day(self, node: Node) -> Day:
        """One day's doses, from any ``dosing``."""
        kind = str(node.data)
        day: Day = getattr(self, f"_{kind}")(node)
        return day

    def _even(self, node: Node) -> Day:
        dose, often = node.children
        return Day(self._doses(_tree(dose), _token(often)), *span(node))

    def _doses(self, node: Node, often: Token) -> tuple[Decimal, ...]:
        """The same dose as often as said; a doubt where "daily" alone may go with the day's total."""
        dose = self.dose(node)
        one_tablet = node.data.startswith("tablets") and self.number(_trees(node)[0]) <= 1
        if often.type == "DAILY" and dose > LARGEST_DAILY_MG and not one_tablet:
            raise Doubt(span(node)[0], span(often)[1], "In how many doses a day?")
        return (dose,) * self.times(often)

    def _even_at(self, node: Node) -> Day:
        dose, often, *slots = node.children
        times = self.times(_token(often))
        minutes = self._times_of_day([_token(slot) for slot in slots])
        if len(minutes) != times:
            raise Doubt(*span(node), f"{times} times a day, and {len(minutes)} named: which is right?")
        if _token(often).type == "EVERY_HOURS" and not _fit(sorted(minutes), exactly=_token(slots[0]).type == "TIME"):
            raise Doubt(*span(node), f"{_token(often).capitalize()}, or at the times named? They do not fit.")
        return Day((self.dose(_tree(dose)),) * times, *span(node))

    def _timed(self, node: Node) -> Day:
        doses: list[Decimal] = []
        slots: list[Token] = []
        before: Node | Token | None = None
        for child in node.children:
            if isinstance(child, Tree):
                last = self.dose(child)
            else:
                if isinstance(before, Token) and self._may_be_one_moment(before, child):
                    raise Doubt(span(slots[0])[0], span(child)[1], "Is this one moment, or two doses a day?")
                slots.append(child)
                doses.append(last)
            before = child
        return self._in_order(doses, slots, node)

    def _may_be_one_moment(self, before: Token, slot: Token) -> bool:
        """Return whether two times of day of one dose may name one moment: "in the evening at bedtime", "once at night, before bed"."""
        if "TIME" in (before.type, slot.type):
            return False
        start, end = span(before)
        once = self.text[:start].rstrip().endswith("once")
        return once or (not _JOINED.search(self.text, end, span(slot)[0]) and bool(_PREPOSITION.match(slot)))

    def _timed_first(self, node: Node) -> Day:
        return self._in_order([self.dose(child) for child in _trees(node)], _tokens(node), node)

    def _in_order(self, doses: list[Decimal], slots: list[Token], node: Node) -> Day:
        ordered = sorted(zip(self._times_of_day(slots), doses, strict=True))
        return Day(tuple(dose for _, dose in ordered), *span(node), by_the_clock=True)

    @staticmethod
    def _times_of_day(slots: list[Token]) -> list[int]:
        """Minutes after midnight of times of day; a doubt where one is named twice, or clock and words are mixed."""
        where = (span(slots[0])[0], span(slots[-1])[1])
        if len({slot.type == "TIME" for slot in slots}) > 1:
            raise Doubt(*where, "Clock times or times of day? Write all of them in the same way.")
        minutes = [_minutes(slot) if slot.type == "TIME" else _SLOTS[slot.type] * 60 for slot in slots]
        if len(set(minutes)) != len(minutes):
            raise Doubt(*where, "The same time of day is named twice. How many doses a day?")
        return minutes

    def _several(self, node: Node) -> Day:
        doses = tuple(self.dose(child) for child in _trees(node))
        said_a_day = any(token.type in ("DAILY", "PER_DAY") for token in _tokens(node))
        if not said_a_day and doses in (tuple(sorted(set(doses))), tuple(sorted(set(doses), reverse=True))):
            raise Doubt(*span(node), "Are these one day's doses in order, or steps one after the other?")
        return Day(doses, *span(node))

    def _numbered(self, node: Node) -> Day:
        doses = tuple(self.dose(child) for child in _trees(node))
        if count(_tokens(node)[0]) != len(doses):
            raise Doubt(*span(node), f"{count(_tokens(node)[0])} doses a day, and {len(doses)} listed: which is right?")
        return Day(doses, *span(node))

    def _shared(self, node: Node) -> Day:
        total, token = self.dose(_trees(node)[0]), _tokens(node)[-1]
        times = count(token) if token.type == "IN_DOSES" else self.times(token)
        if not 1 <= times <= MOST_TIMES_A_DAY:
            raise Doubt(*span(token), "In how many doses a day?")
        dose = (total / times).quantize(CENT)
        if dose * times != total:
            raise Doubt(
                *span(node), f"{format_amount(total)} mg does not divide into {times} equal doses. How much each time?"
            )
        return Day((dose.normalize(),) * times, *span(node))

    def _total(self, node: Node) -> Day:
        dose = _trees(node)[0]
        if dose.data == "mg" or self.number(_trees(dose)[0]) > 1:
            raise Doubt(*span(node), "In how many doses a day?")
        return Day((self.dose(dose),), *span(node))

    def _needed(self, node: Node) -> Day:
        dose, often, *most = node.children
        day = Day(self._doses(_tree(dose), _token(often)), *span(node), as_needed=True)
        if not most:
            return day
        most_mg = self.dose(_trees(_tree(most[0]))[0])
        if most_mg != day.mg:
            said = f"{len(day.doses)} x {format_amount(day.doses[0])} mg = {format_amount(day.mg)} mg"
            raise Doubt(*span(most[0]), f"{said}, and at most {format_amount(most_mg)} mg a day: which is right?")
        return day._replace(most_mg=most_mg)


def _trees(node: Node) -> list[Node]:
    return [child for child in node.children if isinstance(child, Tree)]


def _tokens(node: Node) -> list[Token]:
    return [child for child in node.children if isinstance(child, Token)]


def _tree(child: Node | Token) -> Node:
    assert isinstance(child, Tree)
    return child


def _token(child: Node | Token) -> Token:
    assert isinstance(child, Token)
    return child


def _part(node: Node) -> Decimal:
    token = _tokens(node)[0]
    return _PARTS[token[:3]] if token.type == "FRACTION" else _PARTS[token.type]


def _fit(minutes: list[int], *, exactly: bool) -> bool:
    """Return whether sorted times lie evenly around the day; words for times of day are taken to two thirds of the interval."""
    day = HOURS_A_DAY * 60
    gaps = [(later - earlier) % day for earlier, later in zip(minutes, minutes[1:] + minutes[:1], strict=True)]
    if len(minutes) == 1:
        return True
    return max(gaps) == min(gaps) if exactly else min(gaps) * len(minutes) * 3 >= day * 2


def _minutes(token: Token) -> int:
    """Minutes after midnight of a clock time."""
    text = token.replace("at ", "").replace(".m.", "m")
    digits = re.findall(r"[0-9]+", text)
    if len(digits) == 1 and len(digits[0]) == 4:
        digits = [digits[0][:2], digits[0][2:]]
    hour, minute = int(digits[0]), int(digits[1]) if len(digits) > 1 else 0
    if text.endswith(("am", "pm")):
        hour = hour % 12 + (12 if text.endswith("pm") else 0)
    return hour * 60 + minute
