"""Messages that cannot wait: withdrawal, overdose, self-harm or an empty box, by a linear model of letters, words and concepts.

Whatever language a patient has chosen, the words of all languages count: who is ill writes in the nearest one. A message too
many is a call that was not needed; one too few is a patient who is not called. The weights, one byte for each of `BUCKETS`
hashes of features, are learnt by `tests/dispensary/reminders/learning.py` from the replies beside it. Pure.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from math import sqrt
from pathlib import Path
from zlib import crc32

from dispensary.reminders.concepts import read_concepts, spell_consonants
from dispensary.reminders.replies import CLAUSE_END, is_of_the_lists, spell_plainly

BUCKETS = 1 << 18
STEP = 1 / 20
"""The log odds of one unit of a stored weight."""
_LIMIT = 0.4
"""Log odds above which a message cannot wait [D]: one of seventeen ordinary messages of unseen writers is above."""
_WEIGHTS = Path(__file__).with_suffix(".bin")
_LETTERS = range(2, 6)
"""Lengths of the runs of letters that are features, the blanks around a word included."""
_NEAR = 7
"""Words within which two concepts are a feature together."""
_LEAST = 3
"""Words from which a sentence is also weighed alone: much that is ordinary hides little that is not."""
_LONG = 12
"""Words of a message from which that holds for each clause, too."""
_SENTENCE_END = re.compile(r"[.!?\n\u061f\u06d4]+")
_WORD = re.compile(r"\w+")


def is_red_flag(message: str) -> bool:
    """Say whether a message cannot wait: it resembles messages that could not, or a part of it does."""
    if is_of_the_lists(message):
        return False
    end = CLAUSE_END if len(_WORD.findall(message)) >= _LONG else _SENTENCE_END
    parts = {message, *(part for part in end.split(message) if len(_WORD.findall(part)) >= _LEAST)}
    return any(weigh(part, _weights()) > _LIMIT for part in parts)


def weigh(text: str, weights: Sequence[int]) -> float:
    """Return the log odds that a text cannot wait."""
    return sum(weights[bucket] * value for bucket, value in read_features(text)) * STEP


def read_features(message: str) -> Iterator[tuple[int, float]]:
    """Yield the features of a message as bucket and value.

    They are the runs of letters of its words; its words and its pairs of words, as written and by their consonants; its
    concepts and those of neighbours in their order; and its pairs of concepts near each other in any order.
    """
    words = _WORD.findall(spell_plainly(message))
    runs = {
        f" {word} "[start : start + length]
        for word in words
        for length in _LETTERS
        for start in range(max(1, len(word) + 3 - length))
    }
    consonants = [letters for word in words if (letters := spell_consonants(word))]
    concepts = read_concepts(message)
    neighbours = {f"{one}>{other}" for first, second in pairwise(concepts) for one in first for other in second}
    near = {
        " ".join(sorted((one, other)))
        for at, first in enumerate(concepts)
        for second in concepts[at + 1 : at + _NEAR]
        for one in first
        for other in second
        if one != other
    }
    yield crc32(b"always") % BUCKETS, 1.0
    for kind, features in (
        (b"run", runs),
        (b"word", _with_pairs(words)),
        (b"consonants", _with_pairs(consonants)),
        (b"concept", neighbours.union(*concepts)),
        (b"near", near),
    ):
        value = 1 / sqrt(len(features) or 1)
        for feature in sorted(features):
            yield crc32(feature.encode(), crc32(kind)) % BUCKETS, value


def _with_pairs(words: list[str]) -> set[str]:
    return {*words, *(f"{first} {second}" for first, second in pairwise(words))}


@cache
def _weights() -> array[int]:
    return array("b", _WEIGHTS.read_bytes())
