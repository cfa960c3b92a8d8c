"""Messages that cannot wait: words of withdrawal, overdose, self-harm or an empty box, in the languages that we write.

Whatever language a patient has chosen, the words of all languages are looked for: who is ill writes in the nearest one. A
word more is a call that was not needed; a word less is a patient who is not called.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from rapidfuzz.distance import OSA

from dispensary.reminders.replies import is_of_the_lists, spell_plainly
from dispensary.reminders.urgency import weigh

_MOST_BETWEEN = 2
"""Other words between two words of a phrase."""
_SPAN = 10
"""Words of a message within which the concepts of a combination stand, in any order."""
_ONE_SLIP, _TWO_SLIPS = 6, 9
"""Letters from which a word may be misspelt by a letter (one more, one less, another, two exchanged), and by two; shorter
words only by two letters exchanged, and the beginning of a word from one letter more on."""
_PREFIX = re.compile(r"(?:[وف]?(?:ال|لل)|[وفبلس])(?=\w{3})")
"""Arabic letters written together with the word after them: and, so, the, with, for, will."""
_ELISION = re.compile(r"\b(qu|[a-z])'")
"""A French word before its apostrophe ("j'ai"); that of "can't" is left out."""
_PHRASE_ODDS = 2.0
"""Log odds of a phrase [D]; in messages that nobody had seen it was some ten times as frequent in urgent ones."""
_BESIDE = 3
"""Words at either side of a phrase that tell what it is about."""
_LIMIT = 0.3
"""Log odds above which a message cannot wait [D]: about one of twenty ordinary messages that nobody had seen is above."""
_NUMBER = "#"
_LEAST_NUMBER = 3
_CLAUSE_SIGN = re.compile(r"[.,;:!?\n\u060c\u061b\u061f]")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a phrase, with whether letters may stand before and after it."""

    letters: str
    begins_anywhere: bool
    ends_anywhere: bool

    def fits(self, word: str) -> bool:
        """Say whether a word of a message is this one, give or take its slips."""
        if self.letters == _NUMBER:
            return int(word[:9]) >= _LEAST_NUMBER if word.isdecimal() else word in _vocabulary().numbers
        if self.begins_anywhere:
            return self.letters in word
        size = len(self.letters) - self.ends_anywhere
        slips = (size >= _ONE_SLIP) + (size >= _TWO_SLIPS)
        if self.ends_anywhere:
            lengths = range(len(self.letters) - slips, len(self.letters) + slips + 1)
            return any(_is_near(word[:length], self.letters, slips) for length in lengths)
        return _is_near(word, self.letters, slips)


def _is_near(word: str, letters: str, slips: int) -> bool:
    if word == letters:
        return True
    if not word or word.isdecimal() or word[0] != letters[0]:
        return False
    if slips:
        return OSA.distance(word, letters, score_cutoff=slips) <= slips
    return len(letters) >= 4 and sorted(word) == sorted(letters) and OSA.distance(word, letters, score_cutoff=1) <= 1


_Phrase = tuple[frozenset[_Word], ...]
"""Places in their order, each with the words that fit there."""
_Message = Sequence[frozenset[_Word]]
"""The words of the vocabulary that each word of a message is."""


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The phrases of all languages."""

    symptoms: tuple[_Phrase, ...]
    urgent: tuple[_Phrase, ...]
    combinations: tuple[_Phrase, ...]
    """Concepts that are urgent together: each a place with the words of all languages."""
    ordinary: tuple[_Phrase, ...]
    numbers: frozenset[str]
    """Number words from `_LEAST_NUMBER` on."""
    denials: frozenset[str]
    between_denial_and_symptom: frozenset[str]


def is_red_flag(message: str) -> bool:
    """Say whether a message cannot wait: for a phrase of the lists, its likeness to messages that could not, or both together.

    A phrase is wrong in one ordinary message in twenty, and finds nothing that nobody thought of.
    """
    if is_of_the_lists(message):
        return False
    words, place = find_phrase(message)
    odds = weigh(message)
    if place is not None:  # a phrase is weighed with the words beside it: a long message may say much that is ordinary
        start, end = place
        beside = " ".join(words[max(start - _BESIDE, 0) : end + _BESIDE])
        odds = max(odds, weigh(beside)) + _PHRASE_ODDS
    return odds > _LIMIT


def find_phrase(message: str) -> tuple[list[str], tuple[int, int] | None]:
    """Return the words of a message, and the place of its first phrase of the lists; None where there is none."""
    words, clause_starts = _words(message)
    vocabulary = _vocabulary()
    left = [_vocabulary_words_of(word) for word in words]
    barriers = clause_starts | {at for at, word in enumerate(words) if word in vocabulary.denials}
    for phrase in vocabulary.ordinary:
        while place := _find(phrase, left, barriers=barriers):
            left[place[0] : place[1]] = [frozenset()] * (place[1] - place[0])
    for phrase in vocabulary.urgent:
        if place := _find(phrase, left):
            return words, place
    for find, phrases in ((_find_together, vocabulary.combinations), (_find, vocabulary.symptoms)):
        for phrase in phrases:
            start = 0
            while place := find(phrase, left, start):
                if not _is_denied(words[: place[0]], vocabulary):
                    return words, place
                start = place[0] + 1
    return words, None


def _is_denied(before: Sequence[str], vocabulary: _Vocabulary) -> bool:
    """Say whether what stands before a symptom denies it: "no", or "has not had any"."""
    for word in reversed(before):
        if word in vocabulary.denials:
            return True
        if word not in vocabulary.between_denial_and_symptom:
            return False
    return False


def _words(text: str) -> tuple[list[str], frozenset[int]]:
    """Return the words of a message, and the positions at which a clause begins."""
    words: list[str] = []
    clause_starts = set()
    spelling = _ELISION.sub(r"\1 ", spell_plainly(text)).replace("'", "")
    for part in _CLAUSE_SIGN.split(spelling):
        clause_starts.add(len(words))
        words += re.findall(r"\w+(?:&\w+)?", part)
    return words, frozenset(clause_starts)


@lru_cache(maxsize=10_000)
def _vocabulary_words_of(word: str) -> frozenset[_Word]:
    spellings = {word, _PREFIX.sub("", word, count=1)} if _PREFIX.match(word) else {word}
    return frozenset(choice for choice in _all_words() if any(choice.fits(spelling) for spelling in spellings))


@cache
def _all_words() -> frozenset[_Word]:
    vocabulary = _vocabulary()
    phrases = (*vocabulary.symptoms, *vocabulary.urgent, *vocabulary.combinations, *vocabulary.ordinary)
    return frozenset(word for phrase in phrases for place in phrase for word in place)


@cache
def _vocabulary() -> _Vocabulary:
    content = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    denials = content.pop("denials")
    concepts = {name: _read_phrase(words)[0] for name, words in content.pop("concepts").items()}
    combinations = content.pop("combinations")["rows"]
    numbers = frozenset(spell_plainly(content.pop("numbers")["words"]).split("|"))

    def phrases(kind: str) -> tuple[_Phrase, ...]:
        return tuple(_read_phrase(text) for language in content.values() for text in language[kind])

    return _Vocabulary(
        phrases("symptoms"),
        phrases("urgent"),
        tuple(tuple(concepts[name] for name in row.split()) for row in combinations),
        phrases("ordinary"),
        numbers,
        frozenset(spell_plainly(denials["words"]).split("|")),
        frozenset(spell_plainly(denials["between"]).split("|")),
    )


def _read_phrase(text: str) -> _Phrase:
    return tuple(frozenset(_read_word(word) for word in place.split("|")) for place in text.split())


def _read_word(text: str) -> _Word:
    return _Word(spell_plainly(text.strip("*")), begins_anywhere=text.startswith("*"), ends_anywhere=text.endswith("*"))


def _find(
    phrase: _Phrase, words: _Message, start: int = 0, *, barriers: frozenset[int] = frozenset()
) -> tuple[int, int] | None:
    """Return the first place of a phrase in the words of a message: its first word, and the word after its last.

    A word at one of the `barriers` is not passed over.
    """
    for first in range(start, len(words)):
        if not phrase[0].isdisjoint(words[first]):
            end = _follow(phrase[1:], words, first + 1, barriers)
            if end is not None:
                return first, end
    return None


def _find_together(
    combination: _Phrase, words: _Message, start: int = 0, chosen: tuple[int, ...] = ()
) -> tuple[int, int] | None:
    """Return the first span from `start` in which each concept of a combination has a word of its own, in any order; else None.

    Only words that may share the span of those `chosen` are looked at: in a long message all choices would be too many.
    """
    if not combination:
        return min(chosen), max(chosen) + 1
    first, end = (max(chosen) - _SPAN + 1, min(chosen) + _SPAN) if chosen else (start, len(words))
    for at in range(max(first, start), min(end, len(words))):
        if at not in chosen and not combination[0].isdisjoint(words[at]):
            place = _find_together(combination[1:], words, start, (*chosen, at))
            if place is not None:
                return place
    return None


def _follow(places: _Phrase, words: _Message, start: int, barriers: frozenset[int]) -> int | None:
    if not places:
        return start
    for at in range(start, min(start + _MOST_BETWEEN + 1, len(words))):
        if not places[0].isdisjoint(words[at]):
            end = _follow(places[1:], words, at + 1, barriers)
            if end is not None:
                return end
        if at in barriers:
            break
    return None
