"""Questions about text that could not be read: the part that was not understood, and a question that settles it."""

import re
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from .doubt import Doubt
from .tokens import Kind, Token

DOSES_OR_STEPS = "Are these one day's doses in order, or steps one after the other?"
_NUMBER = r"(?:[0-9]+(?:[.,][0-9]+)?|half|one|two|three|four|five|six|seven|eight|nine|ten)"
_UNIT = r"(?:\s?(?:mgs?|tab(?:let)?s?)\b)?"
_TAGLICH = r"\s?(?:tgl|taglich|taeglich|(?:am|pro) tag)\b"
_A_DAY = rf"\s?(?:daily|(?:a|per|each|every) day|par jour|al dia|al giorno)\b|(?:\s?[0-9.]+\s?\w+\.?)?{_TAGLICH}"
"""Words behind "3x" that say that it is so many times a day; in German also with the dose before them."""


class Hint(NamedTuple):
    """A known way of writing that is never read, and what settles it."""

    pattern: str
    ask: str

    def find(self, plain: str, start: int, end: int) -> Iterator[re.Match[str]]:
        """Return its places between two others; the pattern is compiled when the first question is asked."""
        return _compiled(self.pattern).finditer(plain, start, end)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


HINTS = (
    Hint(rf"^\s*(?:take\s)?{_NUMBER}\s?times\b.*", "What dose each time?"),
    Hint(r"\b[0-9]\s?-\s?1/2\b\s?\w*", "One and a half, or from one to a half?"),
    Hint(
        rf"\b[0-9]+\s?x\s?[0-9.]+\s?mgs?\b(?!{_TAGLICH})",
        "That many tablets at one time, or that many doses a day?",
    ),
    Hint(r"\b[0-9]+[oil]+\b|\b[oil]+[0-9]+\b", "A letter stands among the figures: which number is meant?"),
    Hint(
        r"\bwean\w*\b.*|\btaper\w*\s(?:over|off|slowly|gradually|down\b).*|\b(?:slowly|gradually)\b",
        "By how much, how often, and down to what dose?",
    ),
    Hint(
        r"\buntil\s(?:finished|gone|complete\w*|it is finished|they are gone)\b",
        "And then: stop, or a new prescription?",
    ),
    Hint(r"\bup to (?:\w+ )?(?:times|x)?.*(?:day|daily)\b", "Only when needed, or this often every day?"),
    Hint(
        r"\bas directed\b|\bas before\b|\bmdu\b|\buse as instructed\b|\bas per .*",
        "What dose, and how many times a day?",
    ),
    Hint(rf"{_NUMBER}\s?kg\b", "Which dose in milligrams?"),
    Hint(
        r"[0-9]+(?:\s?-\s?[0-9]+){2,}\b(?:\s?mg|\s?tab\w*)?",
        "Do these stand for morning, midday and night? Write out each dose.",
    ),
    Hint(
        r"[0-9]+(?:\.[0-9]+){2,}|[0-9]+(?:,[0-9]+){2,}|[0-9]+(?:\s?/\s?[0-9]+){2,}",
        "Is this one number or several doses?",
    ),
    Hint(r"\bod\b|\bo\.d\.?", 'Does "od" mean once a day here?'),
    Hint(r"\bq\.?\s?d\b\.?", "Once a day, or four times a day?"),
    Hint(
        r"\b(?:langsam|ausschleich\w*|einschleich\w*|progressi\w*|poco a poco|gradual\w*|a scalare|pauta descendente)\b.*",
        "By how much, how often, and down to what dose?",
    ),
    Hint(
        r"\b(?:selon|segun|secondo|laut|lt|gemass|wie bisher|wie besprochen|comme|como|nach plan|n\.? anw|dj)\b.*",
        "What dose, and how many times a day?",
    ),
    Hint(r"\b(?:[0-9]{1,2}|une?|uno|eine?n?)?\s?(?:mois|mes|meses|monate?|mesi|mese)\b", "How many days is that?"),
    Hint(
        rf"\b(?:once |twice |{_NUMBER} times )?(?:a|per|each|every|/)\s?week\b|\bonce weekly\b|\btwice weekly\b|\bweekly\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b",
        "Taken each day, or on some days of the week only?",
    ),
    Hint(rf"\b(?:for |x )?(?:{_NUMBER}|a)?\s?(?:/12|months?|mths?)\b|\b[0-9]{{1,2}}/12\b", "How many days is that?"),
    Hint(
        rf"(?<!day )(?<!days )(?<!week )(?<!weeks )(?P<low>{_NUMBER}){_UNIT}\s?(?:-|to|or|ou|o|oder|bis)\s?(?P<high>{_NUMBER}){_UNIT}",
        "{low} or {high}: which is meant?",
    ),
    Hint(r"(?<![0-9])\.[0-9]+\s?\w*", "Is a figure missing before the point?"),
    Hint(
        r"[0-9]+,[0-9]{3}\b\s?\w*|[0-9]+\.[0-9]{3,}\b\s?\w*",
        "Is the mark a decimal point? Write the number without it.",
    ),
    Hint(r"[0-9]+\s?/\s?[0-9]+(?:\s\w+)?", "Is this a part of a tablet, a number of days, or a choice?"),
    Hint(
        rf"\bx\s?[0-9]+\b(?!\s?(?:d|w|n|/)|(?:\s?\w+\.?)?{_TAGLICH})|\b[0-9]+\s?x\b(?!\s?/|{_A_DAY})",
        "How many times a day, or for how many days?",
    ),
    Hint(r"\bstat\b|\bonce only\b|\bsingle dose\b|\bloading\b", "Is this one dose only, and what follows it?"),
    Hint(
        r"\b(?:do not|don't|never|avoid|not)\b.*",
        "Is this advice, or does it change what is taken? What dose is to be taken, and when?",
    ),
    Hint(r"\bmax\w*\b.*|\bup to\b.*", "At most how much: which dose, how many times a day?"),
    Hint(
        r"\bif\b.*|\bunless\b.*|\bmay\b.*|\bcan be\b.*|\bconsider\b.*|\btitrat\w*\b.*|\badjust\w*\b.*",
        "What exactly is to be taken, each day?",
    ),
)
_NEAR = 14
"""How far from where reading stopped a known doubt may stand and still explain it, in characters."""
LONGEST_QUOTE = 60
WINDOW = 80
"""Characters around where reading stopped in which known doubts are looked for: a long text costs no more than a short."""
_NUMBERS = frozenset({Kind.NUMBER, Kind.ARTICLE, Kind.PART})
_EXPECTED = {
    "unit": "Milligrams or tablets?",
    "often": "How many times a day? This part is not understood.",
    "dose": "What dose each time?",
}


def explain(plain: str, token: Token, before: Token, expected: str) -> Doubt:
    """The doubt behind a word that does not fit; ``expected`` names what could have stood there."""
    if token.kind is Kind.END:
        return _hinted(plain, len(plain), len(plain)) or _unfinished(plain, expected)
    if token.kind is Kind.UNKNOWN and token.value:
        start, end = _widened(plain, token.start, token.end)
        return Doubt(start, end, token.value)
    start, end = _widened(plain, token.start, token.end)
    if (hinted := _hinted(plain, token.start, token.end)) is not None:
        return hinted
    if expected == "unit":
        return Doubt(before.start, token.end, _EXPECTED[expected])
    if token.kind in _NUMBERS and before.kind is not Kind.NUMBER:
        return Doubt(
            start, min(start + LONGEST_QUOTE, len(plain)), "In addition to what stands before it, or afterwards?"
        )
    return Doubt(start, end, _EXPECTED.get(expected, "What does this mean? Write it in other words."))


def _hinted(plain: str, start: int, end: int) -> Doubt | None:
    """The known doubt that explains why reading stopped: the one over that place, else the nearest close to it."""
    doubts: list[tuple[int, int, Doubt]] = []
    for rank, hint in enumerate(HINTS):
        for match in hint.find(plain, max(0, start - WINDOW), min(end, start + WINDOW) + WINDOW):
            distance = max(match.start() - end, start - match.end(), 0)
            if match[0].strip() and distance <= _NEAR:
                quote_end = min(match.end(), match.start() + LONGEST_QUOTE)
                doubts.append(
                    (distance > 1, rank, Doubt(match.start(), quote_end, hint.ask.format(**match.groupdict())))
                )
    return min(doubts, key=lambda item: item[:2])[2] if doubts else None


def _unfinished(plain: str, expected: str) -> Doubt:
    """The text ends before it says what is needed."""
    start, end = _last_words(plain)
    if expected == "dose":
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
