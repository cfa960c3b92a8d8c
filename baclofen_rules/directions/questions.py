"""Questions about text that could not be read: the part that was not understood, and a question that settles it."""

import re
from typing import NamedTuple

from lark import UnexpectedInput, UnexpectedToken

from .doubt import Doubt, Why

_NUMBER = r"(?:[0-9]+(?:[.,][0-9]+)?|half|one|two|three|four|five|six|seven|eight|nine|ten)"
_UNIT = r"(?:\s?(?:mgs?|tab(?:let)?s?)\b)?"


class Hint(NamedTuple):
    """A known way of writing that is never read, and what settles it."""

    pattern: re.Pattern[str]
    ask: str


def _hint(pattern: str, ask: str) -> Hint:
    return Hint(re.compile(pattern), ask)


HINTS = (
    _hint(rf"^\s*(?:take\s)?{_NUMBER}\s?times\b.*", "What dose each time?"),
    _hint(r"\b[0-9]\s?-\s?1/2\b\s?\w*", "One and a half, or from one to a half?"),
    _hint(r"\b[0-9]+\s?x\s?[0-9.]+\s?mgs?\b", "That many tablets at one time, or that many doses a day?"),
    _hint(r"\b[0-9]+[oil]+\b|\b[oil]+[0-9]+\b", "A letter stands among the figures: which number is meant?"),
    _hint(
        r"\bwean\w*\b.*|\btaper\w*\s(?:over|off|slowly|gradually|down\b).*|\b(?:slowly|gradually)\b",
        "By how much, how often, and down to what dose?",
    ),
    _hint(
        r"\buntil\s(?:finished|gone|complete\w*|it is finished|they are gone)\b",
        "And then: stop, or a new prescription?",
    ),
    _hint(r"\bup to (?:\w+ )?(?:times|x)?.*(?:day|daily)\b", "Only when needed, or this often every day?"),
    _hint(
        r"\bas directed\b|\bas before\b|\bmdu\b|\buse as instructed\b|\bas per .*",
        "What dose, and how many times a day?",
    ),
    _hint(rf"{_NUMBER}\s?kg\b", "Which dose in milligrams?"),
    _hint(
        r"[0-9]+(?:\s?-\s?[0-9]+){2,}\b(?:\s?mg|\s?tab\w*)?",
        "Do these stand for morning, midday and night? Write out each dose.",
    ),
    _hint(
        r"[0-9]+(?:\.[0-9]+){2,}|[0-9]+(?:,[0-9]+){2,}|[0-9]+(?:\s?/\s?[0-9]+){2,}",
        "Is this one number or several doses?",
    ),
    _hint(r"\bod\b|\bo\.d\.?", 'Does "od" mean once a day here?'),
    _hint(r"\bq\.?\s?d\b\.?", "Once a day, or four times a day?"),
    _hint(
        rf"\b(?:once |twice |{_NUMBER} times )?(?:a|per|each|every|/)\s?week\b|\bonce weekly\b|\btwice weekly\b|\bweekly\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b",
        "Taken each day, or on some days of the week only?",
    ),
    _hint(rf"\b(?:for |x )?(?:{_NUMBER}|a)?\s?(?:/12|months?|mths?)\b|\b[0-9]{{1,2}}/12\b", "How many days is that?"),
    _hint(
        rf"(?<!day )(?<!days )(?<!week )(?<!weeks )(?P<low>{_NUMBER}){_UNIT}\s?(?:-|to|or)\s?(?P<high>{_NUMBER}){_UNIT}",
        "{low} or {high}: which is meant?",
    ),
    _hint(r"(?<![0-9])\.[0-9]+\s?\w*", "Is a figure missing before the point?"),
    _hint(
        r"[0-9]+,[0-9]{3}\b\s?\w*|[0-9]+\.[0-9]{3,}\b\s?\w*",
        "Is the mark a decimal point? Write the number without it.",
    ),
    _hint(r"[0-9]+\s?/\s?[0-9]+(?:\s\w+)?", "Is this a part of a tablet, a number of days, or a choice?"),
    _hint(
        r"\bx\s?[0-9]+\b(?!\s?(?:d|w|n|/))|\b[0-9]+\s?x\b(?!\s?/)",
        "How many times a day, or for how many days?",
    ),
    _hint(r"\bstat\b|\bonce only\b|\bsingle dose\b|\bloading\b", "Is this one dose only, and what follows it?"),
    _hint(
        r"\b(?:do not|don't|never|avoid|not)\b.*",
        "Is this advice, or does it change what is taken? What dose is to be taken, and when?",
    ),
    _hint(r"\bmax\w*\b.*|\bup to\b.*", "At most how much: which dose, how many times a day?"),
    _hint(
        r"\bif\b.*|\bunless\b.*|\bmay\b.*|\bcan be\b.*|\bconsider\b.*|\btitrat\w*\b.*|\badjust\w*\b.*",
        "What exactly is to be taken, each day?",
    ),
    _hint(rf"{_NUMBER}\s?times\b|\bonce\b|\btwice\b", "How often in a day?"),
)
_OFTEN = {"THREE_DAILY", "COUNT_A_DAY"}
_UNITS = {"_MG", "_TABLET"}
_FREQUENCIES = {"COUNT_A_DAY", "DAILY", "TWICE_DAILY", "THREE_DAILY", "FOUR_DAILY", "EVERY_HOURS", "OD"}
_NUMBERS = {"_AND", "NUMBER", "WORD", "MIXED", "FRACTION", "HALF", "QUARTER", "THREE_QUARTERS"}
_NEAR = 14
"""How far from where reading stopped a known doubt may stand and still explain it, in characters."""
LONGEST_QUOTE = 60
WINDOW = 80
"""Characters around where reading stopped in which known doubts are looked for: a long text costs no more than a short."""


def doubt_about(plain: str, unexpected: UnexpectedInput) -> Doubt:
    """The doubt behind a text that the grammar does not cover."""
    if isinstance(unexpected, UnexpectedToken) and unexpected.token.type == "$END":
        return _hinted(plain, len(plain), len(plain)) or _unfinished(plain, set(unexpected.accepts))
    start = unexpected.pos_in_stream or 0
    if isinstance(unexpected, UnexpectedToken):
        end = unexpected.token.end_pos or start
        kind, expected = unexpected.token.type, set(unexpected.accepts)
    else:
        end = start + 1
        kind, expected = "", set(getattr(unexpected, "allowed", None) or ())
    begin, stop = _widened(plain, start, end)
    if kind == "CHANGE" and "STOP" in expected:
        return Doubt(begin, stop, "For how many days, before this change?", Why.OPEN_END)
    return _hinted(plain, start, end) or _explained(plain, start, (begin, stop), kind, expected)


def _explained(plain: str, start: int, where: tuple[int, int], kind: str, expected: set[str]) -> Doubt:
    """The doubt told from what could have stood here."""
    begin, end = where
    if "STOP" in expected and kind in _NUMBERS:
        return Doubt(begin, begin + LONGEST_QUOTE, "In addition to what stands before it, or afterwards?")
    if expected == {"_TABLET"}:
        return Doubt(_words_before(plain, start, 3), start, "Is the number written twice?")
    if expected >= _UNITS:
        before = re.search(rf"{_NUMBER}\s*$", plain[max(0, start - WINDOW) : start])
        number_at = max(0, start - WINDOW) + before.start() if before else begin
        return Doubt(number_at, end, "Milligrams or tablets?")
    if kind in _FREQUENCIES and "NUMBER" in expected:
        return Doubt(begin, end, "What dose each time?")
    if kind in _UNITS:
        return Doubt(_words_before(plain, start, 1), end, "How much is meant?")
    if expected >= _OFTEN:
        return Doubt(begin, end, "How many times a day? This part is not understood.")
    return Doubt(begin, end, "What does this mean? Write it in other words.")


def _words_before(plain: str, start: int, words: int) -> int:
    """Return the beginning of the ``words`` words before a place."""
    words_before = list(re.finditer(r"\S+", plain[:start]))
    return words_before[-words].start() if len(words_before) >= words else 0


def _hinted(plain: str, start: int, end: int) -> Doubt | None:
    """The known doubt that explains why reading stopped: the one over that place, else the nearest close to it."""
    doubts: list[tuple[int, int, Doubt]] = []
    for rank, hint in enumerate(HINTS):
        for match in hint.pattern.finditer(plain, max(0, start - WINDOW), end + WINDOW):
            distance = max(match.start() - end, start - match.end(), 0)
            if match[0].strip() and distance <= _NEAR:
                quote_end = min(match.end(), match.start() + LONGEST_QUOTE)
                doubts.append(
                    (distance > 1, rank, Doubt(match.start(), quote_end, hint.ask.format(**match.groupdict())))
                )
    return min(doubts, key=lambda item: item[:2])[2] if doubts else None


def _unfinished(plain: str, expected: set[str]) -> Doubt:
    """The text ends before it says what is needed."""
    start, end = _last_words(plain)
    if expected >= _UNITS:
        return Doubt(start, end, "Milligrams or tablets, and how many times a day?")
    if expected >= _OFTEN:
        return Doubt(start, end, "How many times a day?")
    if "NUMBER" in expected:
        return Doubt(start, end, "What dose, and how many times a day?")
    return Doubt(start, end, "What follows? The directions seem to be cut short.")


def _last_words(plain: str) -> tuple[int, int]:
    words = [match.span() for match in re.finditer(r"\S+", plain)]
    return (words[max(0, len(words) - 4)][0], words[-1][1]) if words else (0, 0)


def _widened(plain: str, start: int, end: int) -> tuple[int, int]:
    """Whole words around a place; a little word takes the next ones with it."""
    while start > 0 and not plain[start - 1].isspace():
        start -= 1
    match = re.compile(r"(?:(?:at|for|and|on|by|to|over|a|the|in|of|x)\b\s*)?\S*(?:(?<=\d)\s*\S+)?").match(plain, start)
    end = max(end, match.end() if match else end)
    return start, min(end, start + LONGEST_QUOTE)
