"""Learn the weights of `dispensary.reminders.red_flags` from the replies beside this file: logistic regression by AdaGrad.

After replies or concepts have changed: `REWRITE_WEIGHTS=1 pytest tests/dispensary/reminders/test_red_flags.py -k teach`. How
well messages of each writer are judged by what the others teach: `pytest tests/dispensary/reminders/test_red_flags.py -k writer`.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterable
from math import exp, sqrt
from pathlib import Path
from typing import NamedTuple

from dispensary.reminders import red_flags
from dispensary.reminders.red_flags import BUCKETS, STEP, read_features

WEIGHTS = Path(red_flags.__file__).with_suffix(".bin")
WRITERS = sorted((Path(__file__).parent / "replies").glob("*.tsv"))
"""The replies of each writer: language, u for urgent or o for ordinary, message. The second to the fourth knew nothing of the
concepts and of other replies."""
_ROUNDS = 8
_RATE = 0.2
_DECAY = 2e-3


class Reply(NamedTuple):
    """A message of a patient, with whether it cannot wait."""

    language: str
    is_urgent: bool
    text: str


def read_replies(writers: Iterable[Path] = WRITERS) -> list[Reply]:
    """Return the replies of some writers."""
    lines = [line.split("\t") for path in writers for line in path.read_text(encoding="utf-8").splitlines()]
    return [Reply(language, kind == "u", text) for language, kind, text in lines]


def learn(replies: list[Reply]) -> bytes:
    """Return one signed byte for each bucket; urgent and ordinary messages weigh the same in sum."""
    urgent = sum(reply.is_urgent for reply in replies)
    share = urgent / (len(replies) - urgent)
    examples = [
        (list(read_features(reply.text)), float(reply.is_urgent), 1.0 if reply.is_urgent else share)
        for reply in replies
    ]
    weights, squares = [0.0] * BUCKETS, [1e-8] * BUCKETS
    order = random.Random(1)
    for _ in range(_ROUNDS):
        order.shuffle(examples)
        for features, target, weight in examples:
            odds = sum(weights[bucket] * value for bucket, value in features)
            error = (1 / (1 + exp(-odds)) - target) * weight
            for bucket, value in features:
                slope = error * value + _DECAY * weights[bucket]
                squares[bucket] += slope * slope
                weights[bucket] -= _RATE * slope / sqrt(squares[bucket])
    return array("b", (max(-127, min(127, round(weight / STEP))) for weight in weights)).tobytes()
