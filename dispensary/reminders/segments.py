"""Segments of a text message (3GPP TS 23.038 and 23.040).

160 septets fit one message and 153 each part of a longer one, as long as every character is in the GSM 7-bit alphabet;
one character outside it turns the whole message into UCS-2, with 70 and 67 code units.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("^{}\\[~]|€\f")


@dataclass(frozen=True, slots=True)
class Segments:
    """``count`` messages in ``alphabet`` (``GSM-7`` or ``UCS-2``), ``units`` septets or code units in all."""

    count: int
    alphabet: str
    units: int


def count_segments(text: str) -> Segments:
    """Count the segments of one text. A character of two units is never split over two segments."""
    if all(character in _BASIC or character in _EXTENDED for character in text):
        return _parts([2 if character in _EXTENDED else 1 for character in text], "GSM-7", 160, 153)
    return _parts([2 if ord(character) > 0xFFFF else 1 for character in text], "UCS-2", 70, 67)


def fold_for_texts(text: str) -> str:
    """Return a text with the plain letter for each accented one that would turn a whole message into UCS-2: "sabado"."""
    return "".join(letter if letter in _BASIC else _plain_letter(letter) for letter in text)


def _plain_letter(letter: str) -> str:
    base = unicodedata.normalize("NFKD", letter)[0]
    return base if base in _BASIC else letter


def _parts(widths: list[int], alphabet: str, single: int, part: int) -> Segments:
    units = sum(widths)
    if units <= single:
        return Segments(1, alphabet, units)
    count, room = 1, part
    for width in widths:
        if width > room:
            count, room = count + 1, part
        room -= width
    return Segments(count, alphabet, units)
