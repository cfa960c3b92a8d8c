"""A letter to a patient whom no message reaches, on one page with the address in the window of an envelope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dispensary.documents.paper import ENGLISH, PharmacyLines
from dispensary.documents.typesetting import typeset
from dispensary.documents.words import RIGHT_TO_LEFT, numbers_to_call, words_in


@dataclass(frozen=True, slots=True)
class Letter:
    """What a letter says, in the patient's language."""

    address: Sequence[str]
    """The lines in the window: name, street, place."""
    day: str
    text: str
    """The words of the message that did not arrive; empty where they would be out of date."""
    emergency: str
    """The number of the ambulance."""
    language: str
    pharmacy: PharmacyLines
    pharmacy_language: str = ENGLISH
    """That of the pharmacy's name and address."""


def letter_words(letter: Letter) -> tuple[str, list[str]]:
    """Return the heading of a letter and its paragraphs."""
    words, pharmacy = words_in(letter.language)["letter"], letter.pharmacy
    values = numbers_to_call(pharmacy.phone, letter.emergency) | {"pharmacy": f"\u2068{pharmacy.name}\u2069"}
    reason, *advice = (words[name].format(**values) for name in ("reason", "call", "ill", "check"))
    return words["title"].format(**values), [sentence for sentence in (reason, letter.text, *advice) if sentence]


def letter_pdf(letter: Letter, *, at: datetime | None = None) -> bytes:
    """Render a letter as a tagged PDF. It names no medicine and no dose: others may open it. Raises DoesNotFit.

    The address stands 20 mm from the left and 45 mm from the top, in 85 x 45 mm: the window of DIN 5008, form B, and within
    that of a British DL envelope (BS 4264).
    """
    title, paragraphs = letter_words(letter)
    pharmacy = letter.pharmacy
    data = {
        "title": title,
        "language": letter.language,
        "rtl": letter.language in RIGHT_TO_LEFT,
        "names_language": letter.pharmacy_language,
        "address": list(letter.address),
        "day": letter.day,
        "paragraphs": paragraphs,
        "pharmacy": pharmacy.name,
        "pharmacy_address": pharmacy.address,
        "phone": pharmacy.phone,
    }
    return typeset("letter.typ", data, at=at)
