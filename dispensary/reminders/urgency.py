"""Log odds that a message cannot wait, by a linear model of its letters and words.

A phrase list finds what somebody thought of; this finds what resembles it. The weights, one byte for each of `BUCKETS`
hashes of features, are learnt by `tests/dispensary/reminders/learning.py` from the replies beside it. Pure.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from math import sqrt
from pathlib import Path
from zlib import crc32

from dispensary.reminders.replies import spell_plainly

BUCKETS = 1 << 16
STEP = 1 / 20
"""The log odds of one unit of a stored weight."""
_WEIGHTS = Path(__file__).with_suffix(".bin")
_LETTERS = range(2, 6)
"""Lengths of the runs of letters that are features, the blanks around a word included."""
_LEAST = 3
"""Words from which a sentence is also weighed alone: much that is ordinary hides little that is not."""
_LONG = 12
"""Words of a message from which that holds for each clause, too."""
_SENTENCE_END = re.compile(r"[.!?\n\u061f\u06d4]+")
_CLAUSE_END = re.compile(r"[.,;:!?\n\u060c\u061b\u061f\u06d4]+")
_WORD = re.compile(r"\w+")


def weigh(message: str) -> float:
    """Return the log odds that a message cannot wait, or those of its most urgent part if they are higher."""
    end = _CLAUSE_END if len(_WORD.findall(message)) >= _LONG else _SENTENCE_END
    parts = {message, *(part for part in end.split(message) if len(_WORD.findall(part)) >= _LEAST)}
    return max(sum(_weights()[bucket] * value for bucket, value in read_features(part)) * STEP for part in parts)


def read_features(message: str) -> Iterator[tuple[int, float]]:
    """Yield the features of a message as bucket and value: its runs of letters, its words and its pairs of words."""
    words = _WORD.findall(spell_plainly(message))
    runs = {
        f" {word} "[start : start + length]
        for word in words
        for length in _LETTERS
        for start in range(max(1, len(word) + 3 - length))
    }
    pairs = {*words, *(f"{first} {second}" for first, second in pairwise(words))}
    yield crc32(b"always") % BUCKETS, 1.0
    for kind, features in ((b"run", runs), (b"word", pairs)):
        value = 1 / sqrt(len(features) or 1)
        for feature in sorted(features):
            yield crc32(feature.encode(), crc32(kind)) % BUCKETS, value


@cache
def _weights() -> array[int]:
    return array("b", _WEIGHTS.read_bytes())
