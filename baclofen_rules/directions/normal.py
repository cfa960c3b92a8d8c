"""One normalisation of directions, before anything is read.

Case, accents, fullwidth letters, kinds of space and dash, fractions and the multiplication sign come down to plain
lower-case ASCII. What is not a way of writing the same thing (an invisible mark, a superscript, another alphabet) is not
folded into something that looks right: it is reported, and the pharmacist is asked.
"""

import unicodedata
from dataclasses import dataclass

_FRACTIONS = {"½": "1/2", "¼": "1/4", "¾": "3/4"}
_SAME_AS = {
    "\t": " ",
    "\n": " ",
    "\r": " ",
    "\u00a0": " ",
    "\u2007": " ",
    "\u2009": " ",
    "\u202f": " ",
    "\u3000": " ",
    "\u2010": "-",
    "\u2011": "-",
    "\u2012": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u2212": "-",
    "\u2018": "'",
    "\u2019": "'",
    "\u2044": "/",
    "\u2192": "->",
    "\u00d7": "x",
    "\u00df": "ss",
    "µ": "u",
    "μ": "u",
}
_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0308\u030a\u030c\u0327")
"""Accents that stand behind their letter. A stroke through a character may mean that it was crossed out: refused."""
_ORDINALS = frozenset("\u00b0\u00ba\u00aa")
"""Signs that make an ordinal of a figure ("4° giorno"); elsewhere they are refused."""
_FULLWIDTH = {chr(0xFF01 + offset): chr(0x21 + offset) for offset in range(94)}


@dataclass(frozen=True, slots=True)
class Normal:
    """Text in plain lower-case ASCII, and for every character its place in what was written."""

    text: str
    places: tuple[int, ...]

    def place(self, at: int) -> int:
        """Return the place of character ``at`` of the plain text in the written text."""
        return self.places[at] if at < len(self.places) else (self.places[-1] + 1 if self.places else 0)

    def written(self, original: str, start: int, end: int) -> str:
        """Return the written text of ``start`` to ``end`` in the plain text."""
        if end <= start:
            return ""
        return original[self.place(start) : self.place(end - 1) + 1].strip()


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A character that has no plain form, and where it stands."""

    at: int
    character: str

    @property
    def name(self) -> str:
        """Return a name for it: the character itself where it can be seen, with its number and name."""
        code = f"U+{ord(self.character):04X}"
        name = unicodedata.name(self.character, "control character")
        return f"{self.character} ({code} {name})" if self.character.isprintable() else f"{code} {name}"


def normalise(text: str) -> Normal | Unreadable:
    """The plain form of ``text``, or the first character that has none."""
    if text.isascii() and "\x7f" not in text:
        lowered = text.lower().translate(_SPACES)
        if lowered.isprintable():
            return Normal(lowered, tuple(range(len(lowered))))
    plain: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text):
        piece = "." if character in _ORDINALS and plain and plain[-1].isdigit() else _plain(character)
        if piece is None:
            return Unreadable(at, character)
        if not piece and not (plain and plain[-1].isalpha()):
            return Unreadable(at, character)
        if character in _FRACTIONS and plain and plain[-1].isdigit():
            piece = " " + piece
        plain.extend(piece)
        places.extend([at] * len(piece))
    return Normal("".join(plain), tuple(places))


def fold(text: str) -> Normal:
    """The plain words of any text: one blank stands for whatever has no plain form and for marks that are no part of a word."""
    plain: list[str] = []
    places: list[int] = []
    for at, character in enumerate(text):
        piece = _plain(character)
        if piece is None or piece in _MARKS:
            piece = " "
        if piece == " " and (not plain or plain[-1] == " "):
            continue
        plain.extend(piece)
        places.extend([at] * len(piece))
    return Normal("".join(plain), tuple(places))


_MARKS = frozenset('!"#$()*<=>?@[\\]^_`{|}~')
_SPACES = str.maketrans("\t\n\r", "   ")


def _plain(character: str) -> str | None:
    """The plain form of one character; "" for an accent that stands alone behind its letter; None if it has none."""
    character = _FULLWIDTH.get(character, character)
    if " " <= character <= "~":
        return character.lower()
    if character in _FRACTIONS:
        return _FRACTIONS[character]
    if character in _SAME_AS:
        return _SAME_AS[character]
    if character in _ACCENTS:
        return ""
    letter = unicodedata.normalize("NFD", character)[0]
    return letter.lower() if letter.isascii() and letter.isalpha() else None
