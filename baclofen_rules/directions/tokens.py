"""Words of directions by their meaning: what a text says in one language, before its order is looked at.

A vocabulary is closed. A word that it does not hold becomes a token of the kind UNKNOWN, and whatever reads the tokens asks
about it. Phrases are matched longest first: "every day" is not "every" and "day".
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum, auto
from functools import cache, cached_property
from itertools import product
from typing import Any, NamedTuple


class Kind(StrEnum):
    """The meaning of a word or phrase."""

    NUMBER = auto()
    """Value: a Decimal; figures keep their spelling in the text."""
    ARTICLE = auto()
    """ "a" in "a tablet", "for a week": one."""
    PART = auto()
    """ "half", "1/4"; value: a Decimal below 1."""
    AND_PART = auto()
    """ "and a half" behind a count or a unit; value: a Decimal below 1."""
    MG = auto()
    TABLET = auto()
    TIMES = auto()
    X = auto()
    PER_DAY = auto()
    """ "a day": a frequency behind a count, otherwise perhaps the total of the day."""
    DAILY = auto()
    """Value: 1 where each day is named ("every day"), which tells only that no day is left out."""
    DAY = auto()
    """One "day" or "d": a length behind a number, "a day" behind "x"."""
    DAYS = auto()
    """Value: days of one (1, 7, 14)."""
    ONCE = auto()
    """ "once", "twice"; value: the count."""
    OFTEN = auto()
    """ "tds"; value: times a day."""
    OD = auto()
    EVERY = auto()
    HOURS = auto()
    HOURLY = auto()
    PERIODIC = auto()
    """ "weekly"; value: days."""
    SLOT = auto()
    """A time of day in words; value: the hour it is sorted by."""
    TIME = auto()
    """A clock time; value: minutes after midnight."""
    AT = auto()
    OCLOCK = auto()
    MEALS = auto()
    PRN = auto()
    REASON = auto()
    UP_TO = auto()
    MAX = auto()
    MAX_DAILY = auto()
    DOSES = auto()
    INTO = auto()
    DIVIDED = auto()
    THEN = auto()
    THEREAFTER = auto()
    CHANGE = auto()
    """Value: +1 up, -1 down, 0 where the words contradict each other."""
    TO = auto()
    BY = auto()
    UNTIL = auto()
    ZERO = auto()
    DAILY_DOSE = auto()
    EACH_DOSE = auto()
    THE_DOSE = auto()
    FOR = auto()
    FIRST = auto()
    FROM = auto()
    ONWARDS = auto()
    AFTER = auto()
    STOP = auto()
    CONTINUES = auto()
    HEADING = auto()
    """ "taper:" in front of several phases."""
    OPEN_END = auto()
    UNTIL_FINISHED = auto()
    START = auto()
    """Value: 1 where it begins a course ("start with"), None where it only stands before a dose ("dose:")."""
    AND = auto()
    OF = auto()
    TOTAL = auto()
    BRAND = auto()
    NOISE = auto()
    TO_BE_TAKEN = auto()
    SCHEME = auto()
    """ "1-0-1"; value: the places as text."""
    LENGTH = auto()
    """ "3/7"; value: days."""
    MARK = auto()
    """ "(", ")", "=", "/", "-", "+"; value: the mark."""
    UNKNOWN = auto()
    """Value: a question where the reader knows one, otherwise an empty text."""
    END = auto()


class Token(NamedTuple):
    """One word or phrase, its place in the plain text, and the marks and blanks that stand before it."""

    kind: Kind
    value: Any
    start: int
    end: int
    text: str
    before: str = ""
    """Commas, points, semicolons and colons before it."""

    @property
    def is_figure(self) -> bool:
        """Return whether it begins with a figure, and not with a letter."""
        return self.text[:1].isdigit()


OWN_NAMES = "OWN_NAMES"
"""Stands in phrases for the names of the medicine that directions are about."""
Trie = dict[str | None, Any]
_PHRASE_PART = re.compile(r"\[([^\]]*)\]|(?<![a-z])\(([^)]*)\)|((?:[^\[\]()]|(?<=[a-z])\([a-z]+\))+)")


@dataclass(frozen=True)
class Vocabulary:
    """The words of one language.

    ``words`` are phrases by kind, or by kind and value, separated by commas: "[in|at] [the] morning" stands for the phrase
    with and without what is in brackets, "(day|days)" for one of them.
    """

    language: str
    words: Mapping[Kind | tuple[Kind, Any], str]
    decimal_comma: bool = True
    """Whether a comma is a decimal mark also behind a number that may be a dose of its own."""
    counts_before_dose: bool = False
    """Whether "3x1 daily" is one, three times a day; otherwise it may be three at one time."""
    changes_by: bool = False
    """Whether "increase 5 mg" without a word between them is "by 5 mg"."""
    verb_is_last: bool = False
    """Whether "by 5 mg increase" is "increase by 5 mg"."""
    part_behind_unit: bool = False
    """Whether "1 tablet 1/2" is one and a half; otherwise it may be two doses."""
    clock_hours: bool = True
    """Whether "at 8" is a clock time."""
    at_hour: Kind | None = None
    """The kind of the word that means "at" before a clock time and something else elsewhere ("um 8 Uhr", "à 8h")."""
    unclear_lengths: frozenset[str] = frozenset()
    """Words of numbers that may mean a week or a fortnight before "days" ("huit jours")."""
    needs_company: frozenset[str] = frozenset()
    """Words that are a time of day beside another one only ("mañana" alone may be tomorrow)."""
    clash: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
    """Last words of times of day that mean another hour elsewhere, and those beside which it matters."""
    night_in_capitals: str = ""
    """A word that means every night where it ends a text in capitals ("10 mg ON"), and may be cut short otherwise."""
    foreign: str = ""
    """A pattern of letters or words that the language never writes: "à 8h" is no Spanish, though every word of it is one without its accent."""
    advice: str = ""
    """A pattern of whole clauses that change nothing of what is taken."""

    def naming(self, names: Iterable[str]) -> "Vocabulary":
        """Return the vocabulary with the names of a medicine in the places that stand for them."""
        choice = "|".join(names)
        written = {meaning: phrases.replace(OWN_NAMES, choice) for meaning, phrases in self.words.items()}
        return replace(self, words=written, advice=self.advice.replace(OWN_NAMES, choice))

    @cached_property
    def atoms(self) -> frozenset[str]:
        """Every figure, word and mark of its phrases."""
        return frozenset(_ATOM.findall(" ".join(self.words.values())))

    def has_foreign(self, text: str) -> bool:
        """Return whether a text as it was written has a letter that the language never writes."""
        return bool(self.foreign) and not text.isascii() and re.search(self.foreign, text.lower()) is not None

    @cached_property
    def words_of_advice(self) -> frozenset[str]:
        """Every word of its advice: without one of them there is none in a text."""
        return frozenset(re.findall("[a-z]+", self.advice))

    @cached_property
    def trie(self) -> Trie:
        """Its phrases, atom by atom; under None, the kind and value of a phrase that ends there."""
        root: Trie = {}
        for key, phrases in self.words.items():
            meaning = key if isinstance(key, tuple) else (key, None)
            for phrase in phrases.split(","):
                for spelling in _spellings(phrase):
                    node = root
                    for atom in _ATOM.findall(spelling):
                        node = node.setdefault(atom, {})
                    node[None] = meaning
        return root


def _spellings(phrase: str) -> Iterator[str]:
    """Return each spelling of a phrase with optional and alternative parts."""
    parts = []
    for optional, choice, plain in _PHRASE_PART.findall(phrase):
        parts.append(["", *optional.split("|")] if optional else choice.split("|") if choice else [plain])
    for words in product(*parts):
        yield " ".join("".join(words).split())


class Atom(NamedTuple):
    """A figure, a word or a mark, and where it stands."""

    text: str
    start: int
    end: int


_ATOM = re.compile(
    r"[0-9]+(?:[.,/](?!24\s?(?:h|std|stunden|ore)\w*\b)[0-9]+)*|[a-z]+(?:'[a-z]+)*(?:\((?:s|n|en|es)\)|/e(?![a-z]))?|->|[^\sa-z0-9]"
)


def split_atoms(text: str) -> list[Atom]:
    """Figures, words and marks; single letters with points between them are one word ("t.i.d.", "t. i. d.")."""
    atoms: list[Atom] = []
    gap: int | None = None
    for match in _ATOM.finditer(text):
        atom = Atom(match[0], match.start(), match.end())
        if len(atom.text) == 1 and atom.text.isalpha() and len(atoms) > 1 and atoms[-1].text == ".":
            before, point = atoms[-2], atoms[-1]
            wide = atom.start - point.end
            next_letter = text[atom.end : atom.end + 1]
            if (
                (len(before.text) == 1 or gap is not None)
                and before.text.isalpha()
                and point.start == before.end
                and wide <= 1
                and gap in (None, wide)
                and not next_letter.isalnum()
                and not (wide and text[atom.end + 1 : atom.end + 2].isalpha())
            ):
                gap = wide
                atoms[-2:] = [Atom(before.text + atom.text, before.start, atom.end)]
                continue
        if atom.text != ".":
            gap = None
        atoms.append(atom)
    return atoms


_CLOCK = re.compile(
    r"(?P<hour>1[0-2]|0?[1-9])(?:[:.](?P<minute>[0-5][0-9]))?\s?(?P<half>[ap])(?:m|\.m\.?)(?![a-z0-9])"
    r"|(?P<hour_24>[01]?[0-9]|2[0-3])[:](?P<minute_24>[0-5][0-9])(?:\s?(?:h|hrs|hours|uhr)(?![a-z0-9]))?(?![0-9:])"
    r"|(?P<hour_h>[01][0-9]|2[0-3])(?P<minute_h>[0-5][0-9])\s?(?:h|hrs|hours|uhr)(?![a-z0-9])"
    r"|(?P<hour_uhr>[01]?[0-9]|2[0-3])\.(?P<minute_uhr>[0-5][0-9])\s?uhr(?![a-z0-9])"
    r"|12\s?(?P<noon>noon|midday)(?![a-z0-9])"
)
_PLACE = r"(?:[0-9]+\s[0-9]+/[0-9]+|[0-9]+/[0-9]+|[0-9]+(?:[.,][0-9]+)?)"
_SCHEME = re.compile(rf"{_PLACE}(?:\s?-\s?{_PLACE}){{2,}}(?![0-9/]|-[0-9])")
PARTS = {"1/2": Decimal("0.5"), "1/4": Decimal("0.25"), "3/4": Decimal("0.75")}
_DAYS_IN = {"7": 1, "52": 7}
TO_BE_TAKEN = "~"
"""Stands before a token behind "to be taken": a number there does not belong to the one before it."""
PAUSES = frozenset(",;:.|")
MISSING_BEFORE = "Is a figure missing before the point?"
ONE_NUMBER = "Is this one number or several doses?"
NOON = "Noon or midnight?"


def tokenise(plain: str, atoms: list[Atom], vocabulary: Vocabulary) -> list[Token]:
    """Return the tokens of plain text in one language, with END at the end; noise and advice are left out."""
    tokens = _Lexer(plain, atoms, vocabulary, None).read()
    if any(
        token.kind is Kind.REASON or (token.kind is Kind.UNKNOWN and token.text in vocabulary.words_of_advice)
        for token in tokens
    ):
        return _Lexer(plain, atoms, vocabulary, _advice(vocabulary.advice)).read()
    return tokens


@cache
def _advice(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{pattern})(?![a-z0-9])")


class _Lexer:
    def __init__(self, plain: str, atoms: list[Atom], vocabulary: Vocabulary, advice: re.Pattern[str] | None) -> None:
        self.plain = plain
        self.atoms = atoms
        self.vocabulary = vocabulary
        self.advice = advice

    def read(self) -> list[Token]:
        tokens: list[Token] = []
        before = ""
        at = 0
        while at < len(self.atoms):
            if self._is_pause(at):
                before += self.atoms[at].text
                at += 1
                continue
            token, at = self._token(at)
            if token.kind is Kind.TO_BE_TAKEN:
                before += TO_BE_TAKEN
            elif token.kind is not Kind.NOISE:
                tokens.append(token._replace(before=before))
                before = ""
        return [*tokens, Token(Kind.END, None, len(self.plain), len(self.plain), "", before)]

    def _is_pause(self, at: int) -> bool:
        """Return whether a mark only separates: a comma or point, or a dash between blanks that joins no figures."""
        atom = self.atoms[at]
        if atom.text in PAUSES:
            return True
        if (
            atom.text != "-"
            or self.plain[atom.start - 1 : atom.start].strip()
            or self.plain[atom.end : atom.end + 1].strip()
        ):
            return False
        around = [self.atoms[place].text for place in (at - 1, at + 1) if 0 <= place < len(self.atoms)]
        return not (len(around) == 2 and all(text[0].isdigit() for text in around))

    def _token(self, at: int) -> tuple[Token, int]:
        atom = self.atoms[at]
        if atom.text[0].isdigit():
            return self._figure(at)
        if self.advice is not None and (match := self.advice.match(self.plain, atom.start)) is not None:
            end = at + 1
            while end < len(self.atoms) and self.atoms[end].start < match.end():
                end += 1
            return self._made(Kind.NOISE, None, at, end)
        if (phrase := self._longest_phrase(at)) is not None:
            kind, value, end = phrase
            return self._made(kind, value, at, end)
        if atom.text == "->":
            return self._made(Kind.THEN, None, at, at + 1)
        if atom.text in "()=/-+":
            return self._made(Kind.MARK, atom.text, at, at + 1)
        return self._made(Kind.UNKNOWN, "", at, at + 1)

    def _longest_phrase(self, at: int) -> tuple[Kind, Any, int] | None:
        """Kind and value of the longest phrase that begins at an atom, and where it ends."""
        longest = None
        node = self.vocabulary.trie
        for place in range(at, len(self.atoms)):
            if (following := node.get(self.atoms[place].text)) is None:
                break
            node = following
            if None in node:
                longest = (*node[None], place + 1)
        return longest

    def _made(self, kind: Kind, value: Any, at: int, end: int) -> tuple[Token, int]:
        start, stop = self.atoms[at].start, self.atoms[end - 1].end
        return Token(kind, value, start, stop, self.plain[start:stop]), end

    def _figure(self, at: int) -> tuple[Token, int]:
        """A number, a part, a length like 3/7, a clock time or a scheme; a question for what may be two things."""
        for pattern, kind in ((_SCHEME, Kind.SCHEME), (_CLOCK, Kind.TIME)):
            if (match := pattern.match(self.plain, self.atoms[at].start)) is None:
                continue
            end = at + 1
            while end < len(self.atoms) and self.atoms[end].start < match.end():
                end += 1
            if self.atoms[end - 1].end != match.end() and kind is Kind.SCHEME:
                continue
            if kind is Kind.SCHEME:
                return self._made(kind, [place.strip() for place in match[0].split("-")], at, end)
            if match["hour"] == "12" and not match["noon"]:
                return self._made(Kind.UNKNOWN, NOON, at, end)
            return self._made(kind, _minutes(match), at, end)
        return self._number(at)

    def _number(self, at: int) -> tuple[Token, int]:
        atom = self.atoms[at]
        mark = self.plain[atom.start - 1 : atom.start]
        if mark == "." or (mark == "," and not re.match(r"[a-z)]", self.plain[atom.start - 2 : atom.start - 1])):
            return self._made(Kind.UNKNOWN, MISSING_BEFORE, at, at + 1)
        text = atom.text
        if "/" in text:
            whole, _, under = text.partition("/")
            if text in PARTS:
                return self._made(Kind.PART, PARTS[text], at, at + 1)
            if under in _DAYS_IN and whole.isdigit() and len(whole) < 3:
                return self._made(Kind.LENGTH, int(whole) * _DAYS_IN[under], at, at + 1)
            return self._made(Kind.UNKNOWN, "", at, at + 1)
        if not re.fullmatch(r"[0-9]{1,5}(?:[.,][0-9]{1,2})?", text):
            return self._made(Kind.UNKNOWN, "", at, at + 1)
        return self._made(Kind.NUMBER, Decimal(text.replace(",", ".")), at, at + 1)


def _minutes(match: re.Match[str]) -> int:
    """Minutes after midnight of a clock time."""
    if match["noon"]:
        return 12 * 60
    if match["half"]:
        return (int(match["hour"]) % 12 + 12 * (match["half"] == "p")) * 60 + int(match["minute"] or 0)
    style = next(style for style in ("24", "h", "uhr") if match[f"hour_{style}"])
    return int(match[f"hour_{style}"]) * 60 + int(match[f"minute_{style}"])
