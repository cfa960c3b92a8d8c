"""Words for whole numbers."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from baclofen_rules.directions.tokens import Kind


def number_words(in_order: str, more: Mapping[str, int | str]) -> dict[Kind | tuple[Kind, Any], str]:
    """Words of a vocabulary for whole numbers: ``in_order`` from one upwards, "_" for a number without a word here."""
    counted = [(word, count) for count, word in enumerate(in_order.split(), start=1) if word != "_"]
    words: dict[Kind | tuple[Kind, Any], str] = {}
    for phrases, count in [*((word.replace("|", ", "), count) for word, count in counted), *more.items()]:
        key = (Kind.NUMBER, Decimal(count))
        words[key] = f"{words[key]}, {phrases}" if key in words else phrases
    return words
