"""The number of examples of a property: all of them in `make test`, the first tenth in `make check`."""

import os
from typing import Any

from hypothesis import settings

PERCENT = int(os.environ.get("EXAMPLES_PERCENT", "100"))
FEWEST = 5


def examples(count: int, **more: Any) -> settings:
    """Return Hypothesis's settings for `count` examples, or for the share of them that is wanted."""
    return settings(max_examples=max(FEWEST, count * PERCENT // 100), **more)


def examples_at_random(fixed: int, at_random: int) -> settings:
    """Return Hypothesis's settings for a few examples, the same in every run, and for many in `make test-random`."""
    return examples(fixed) if settings.default.derandomize else settings(max_examples=at_random)
