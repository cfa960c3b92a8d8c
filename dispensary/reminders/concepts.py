"""Concepts of a message's words, the same in every language that we write: "hallucinating", "alucina" and "bihalwes" are one.

A word may be misspelt by a letter, joined to an Arabic article, or be Arabic in Latin letters. Pure.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path

from dispensary.reminders.replies import spell_plainly

_ONE_SLIP = 6
"""Letters of a listed word from which one letter may be missing, too many or another."""
_LEAST_CONSONANTS = 3
_BEFORE_WORD = re.compile(r"(?:[وف]?(?:ال|لل)|[وفبلس])(?=\w{2})")
"""Arabic letters written together with the word after them: and, so, the, with, for, will."""
_ELISION = re.compile(r"\b(qu|[cdjlmnst])'")
_TOKEN = re.compile("\\w+|[\U0001f600-\U0001f64f\U0001f900-\U0001f9ff]")
_LATIN_ARABIC = re.compile(
    r"[a-z][23567][a-z]|\b[2357][a-z]{3}|[a-z]{2}[2357]\b|\b(?:mish|mesh|msh|mn|mafi|mafish|shu|wallah)\b"
)
"""Arabic written with Latin letters: a digit stands for a letter that Latin lacks."""
_CONSONANTS = dict(zip("بتثجحخدذرزسشصضطظعغفكلمنه", "bttjhKddrzsSsdtz3Gfklmnh", strict=True))
_LATIN_PAIRS = {"kh": "K", "sh": "S", "ch": "S", "gh": "G", "th": "t", "dh": "d"}
_LATIN_CONSONANTS = str.maketrans("57689gpvc", "KhtGsjbfk")
_UNWRITTEN = re.compile(r"[aeiouwy2q]")
_ARABIC = re.compile("[\u0600-\u06ff]")


def spell_consonants(word: str) -> str:
    """Return the consonants of a plainly spelt word, the same for Arabic in its own letters and in Latin ones."""
    if _ARABIC.search(word):
        letters = "".join(_CONSONANTS.get(letter, "") for letter in word)
    else:
        for pair, consonant in _LATIN_PAIRS.items():
            word = word.replace(pair, consonant)
        letters = _UNWRITTEN.sub("", word.translate(_LATIN_CONSONANTS))
    letters = re.sub(r"(.)\1+", r"\1", letters)
    return letters[:-1] if len(letters) > 2 and letters.endswith("h") else letters


def read_concepts(message: str) -> list[frozenset[str]]:
    """Return the concepts of each word of a message."""
    spelling = _ELISION.sub(r"\1 ", spell_plainly(message)).replace("'", "")
    words, is_latin_arabic = _TOKEN.findall(spelling), bool(_LATIN_ARABIC.search(spelling))
    concepts = [_concepts_of(word, is_latin_arabic) for word in words]
    for at, word in enumerate(words):
        for phrase, is_beginning, name in _lexicon().phrases.get(word, ()):
            neighbours = " ".join(words[at : at + len(phrase.split())])
            if neighbours == phrase or (is_beginning and neighbours.startswith(phrase)):
                concepts[at] |= {name}
    return concepts


@dataclass(slots=True)
class _Lexicon:
    """Listed words with the concepts that they name."""

    words: dict[str, set[str]] = field(default_factory=dict)
    beginnings: dict[str, set[str]] = field(default_factory=dict)
    misspelt: dict[str, set[str]] = field(default_factory=dict)
    """Words and beginnings without one of their letters."""
    consonants: dict[str, set[str]] = field(default_factory=dict)
    """Arabic words and beginnings by their consonants."""
    phrases: dict[str, list[tuple[str, bool, str]]] = field(default_factory=dict)
    """Words beside each other by the first, with whether the last is a beginning, and their concept."""

    def add(self, text: str, name: str) -> None:
        """Add a word, a beginning "shak*", or words beside each other "ran_out"."""
        letters = spell_plainly(text).replace("'", "").strip("*")
        if "_" in letters:
            phrase = letters.replace("_", " ")
            self.phrases.setdefault(phrase.split()[0], []).append((phrase, text.endswith("*"), name))
            return
        (self.beginnings if text.endswith("*") else self.words).setdefault(letters, set()).add(name)
        if len(letters) >= _ONE_SLIP:
            for at in range(1, len(letters)):
                self.misspelt.setdefault(letters[:at] + letters[at + 1 :], set()).add(name)
        if _ARABIC.search(letters) and len(consonants := spell_consonants(letters)) >= _LEAST_CONSONANTS:
            self.consonants.setdefault(consonants, set()).add(name)


@cache
def _lexicon() -> _Lexicon:
    lexicon = _Lexicon()
    for name, words in tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")).items():
        for word in words.split():
            lexicon.add(word, name)
    return lexicon


@lru_cache(maxsize=10_000)
def _concepts_of(word: str, is_latin_arabic: bool) -> frozenset[str]:
    lexicon, names = _lexicon(), set[str]()
    for spelling in {word, _BEFORE_WORD.sub("", word, count=1)}:
        names |= lexicon.words.get(spelling, set())
        for length in range(2, len(spelling) + 1):
            names |= lexicon.beginnings.get(spelling[:length], set())
    if not names and len(word) >= _ONE_SLIP - 1:
        for spelling in {word, *(word[:at] + word[at + 1 :] for at in range(1, len(word)))}:
            names |= lexicon.misspelt.get(spelling, set()) | lexicon.words.get(spelling, set())
    if is_latin_arabic:
        names |= lexicon.consonants.get(spell_consonants(word), set())
    return frozenset(names)
