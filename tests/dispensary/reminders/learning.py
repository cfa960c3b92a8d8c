"""Learn the weights of `dispensary.reminders.urgency` from the replies in this folder: logistic regression by AdaGrad.

After the replies have changed: `REWRITE_WEIGHTS=1 pytest tests/dispensary/reminders/test_red_flags.py -k teach`.
"""

from __future__ import annotations

import random
from array import array
from math import exp, sqrt
from pathlib import Path

from dispensary.reminders import urgency
from dispensary.reminders.urgency import BUCKETS, STEP, read_features

WEIGHTS = Path(urgency.__file__).with_suffix(".bin")
_ROUNDS = 8
_RATE = 0.2
_DECAY = 5e-4


def replies(name: str) -> list[tuple[str, str]]:
    """Return pairs of language and message of a file in this folder."""
    lines = (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines()
    return [(language, text) for language, _tab, text in (line.partition("\t") for line in lines)]


def learn(urgent: list[str], ordinary: list[str]) -> bytes:
    """Return one signed byte for each bucket; urgent and ordinary messages weigh the same in sum."""
    examples = [(list(read_features(text)), 1.0, 1.0) for text in urgent]
    examples += [(list(read_features(text)), 0.0, len(urgent) / len(ordinary)) for text in ordinary]
    weights, squares = [0.0] * BUCKETS, [1e-8] * BUCKETS
    order = random.Random(1)
    for _ in range(_ROUNDS):
        order.shuffle(examples)
        for features, target, share in examples:
            odds = sum(weights[bucket] * value for bucket, value in features)
            error = (1 / (1 + exp(-odds)) - target) * share
            for bucket, value in features:
                slope = error * value + _DECAY * weights[bucket]
                squares[bucket] += slope * slope
                weights[bucket] -= _RATE * slope / sqrt(squares[bucket])
    return array("b", (max(-127, min(127, round(weight / STEP))) for weight in weights)).tobytes()
