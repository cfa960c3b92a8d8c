"""Names and words as people type them, made safe to store, show and print."""

from __future__ import annotations

import re
import unicodedata

from dispensary.errors import InvalidInput, Problem

# Embeddings, overrides and isolates: they can make "10 mg" read as "mg 01" on a label. The plain marks (LRM, RLM) may stay.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_APOSTROPHES = re.compile("[\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02c8\u0060\u00b4\u2032\ua78c\uff07]")
_HYPHENS = re.compile("[\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d]")
_MARKS_OF_I = re.compile("i\u0307|\u0131")


def comparable_name(name: str) -> str:
    """Return the one form in which names are compared; it is never stored or shown.

    Composition, case (Turkish dotted and dotless i and sharp s included), kinds of apostrophe and hyphen, repeated blanks
    and invisible characters make no difference. Accents do: they tell people apart.
    """
    text = _HYPHENS.sub("-", _APOSTROPHES.sub("'", name))
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(unicodedata.normalize("NFC", _MARKS_OF_I.sub("i", folded)).split())


def clean_line(value: object, field: str, *, longest: int, required: bool = True) -> str:
    """Return one line of text: NFC, outer blanks gone. Raises `InvalidInput` on control or reordering characters, or too long."""
    return _clean(value, field, longest, required, allowed_controls="")


def clean_words(value: object, field: str, *, longest: int, required: bool = True) -> str:
    """Return several lines of text; otherwise as `clean_line`."""
    return _clean(value, field, longest, required, allowed_controls="\n\t")


def _clean(value: object, field: str, longest: int, required: bool, allowed_controls: str) -> str:
    if not isinstance(value, str):
        raise InvalidInput(f"{field} is not text.", Problem(field, type(value).__name__, "text"))
    text = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
    if required and not text:
        raise InvalidInput(f"{field} is empty.", Problem(field, "nothing", "at least one character"))
    if len(text) > longest:
        raise InvalidInput(
            f"{field} is too long.", Problem(field, f"{len(text)} characters", f"at most {longest} characters")
        )
    for character in text:
        if character in _REORDERING or (
            unicodedata.category(character) in {"Cc", "Cs"} and character not in allowed_controls
        ):
            picture = f"U+{ord(character):04X}, an invisible character"
            raise InvalidInput(
                f"{field} holds {picture}.",
                Problem(field, picture, "letters, digits and punctuation", "Type it again by hand."),
            )
    return text
