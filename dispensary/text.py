"""Names and words as people type them, made safe to store, show and print."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dispensary.errors import InvalidInput, Problem

# Embeddings, overrides and isolates: they can make "10 mg" read as "mg 01" on a label. The plain marks (LRM, RLM) may stay.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_APOSTROPHES = re.compile("[\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02c8\u0060\u00b4\u2032\ua78c\uff07]")
_HYPHENS = re.compile("[\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d]")
_MARKS_OF_I = re.compile("i\u0307|\u0131")
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŋ": "n", "ə": "e"}
)
_TRANSCRIBED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ø": "oe", "å": "aa"})
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af\U00020000-\U0003ffff]")
"""Letters of Chinese, Japanese and Korean, in which a whole name is typed without a blank."""
_ACCENTED_SCRIPTS = re.compile("LATIN|GREEK|CYRILLIC|ARABIC|HEBREW")
"""Scripts whose marks are left out in other records of a name; in others a mark is another letter or vowel."""
LONGEST_KEY = 200
MOST_WORDS = 12


def rule_title(code: str) -> str:
    """Return a rule's code as words: `Daily maximum`."""
    return code.replace("-", " ").capitalize()


def comparable_name(name: str) -> str:
    """Return the one form in which names are compared; it is never stored or shown.

    Composition, case (Turkish dotted and dotless i and sharp s included), kinds of apostrophe and hyphen, repeated blanks
    and invisible characters make no difference. Accents do; `plain_spellings` leaves them out.
    """
    text = _HYPHENS.sub("-", _APOSTROPHES.sub("'", name))
    text = "".join(character for character in text if unicodedata.category(character) != "Cf")
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(unicodedata.normalize("NFC", _MARKS_OF_I.sub("i", folded)).split())


def fold_name(name: str) -> str:
    """Return a name as it is searched for: words of plain lower-case letters with one blank between them.

    Beside what `comparable_name` ignores, accents, apostrophes and other punctuation make no difference.
    """
    return _fold(comparable_name(name).replace("'", ""))


def _fold(name: str) -> str:
    """Return compared text without marks; what is neither a letter nor a digit becomes a blank."""
    letters = (c for c in unicodedata.normalize("NFKD", name) if unicodedata.category(c) != "Mn")
    plain = unicodedata.normalize("NFC", "".join(letters)).translate(_PLAIN_LETTERS)
    return " ".join("".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in plain).split())


def plain_spellings(name: str) -> set[str]:
    """Return the forms in which other records may have a name: without accents, apostrophes and hyphens, as nothing or as a blank.

    An umlaut is a plain letter or two.
    """
    return {
        " ".join(_without_accents(form).split())
        for spelling in _unmarked(name, "-'")
        for form in _transcribed(spelling)
    }


def _without_accents(name: str) -> str:
    letters: list[str] = []
    base = ""
    for character in unicodedata.normalize("NFKD", name):
        is_mark = unicodedata.category(character) == "Mn"
        base = base if is_mark else character
        if not is_mark or not _ACCENTED_SCRIPTS.match(unicodedata.name(base, "")):
            letters.append(character)
    return unicodedata.normalize("NFC", "".join(letters)).translate(_PLAIN_LETTERS)


def _unmarked(name: str, marks: str) -> set[str]:
    """Return the compared name with each of the marks as nothing and as a blank."""
    spellings = {comparable_name(name)}
    for mark in marks:
        spellings = {spelling.replace(mark, put) for spelling in spellings for put in ("", " ")}
    return spellings


def _transcribed(name: str) -> set[str]:
    return {name, name.translate(_TRANSCRIBED)}


def name_keys(family_name: str, given_name: str) -> set[str]:
    """Return the keys under which a person is searched for: their folded names, beginning at each word in turn.

    Hyphens and apostrophes may be typed as nothing or as a blank, umlauts as two letters, and a Chinese, Japanese or Korean
    name in one piece.
    """
    name = comparable_name(f"{family_name} {given_name}")
    spellings = {name.replace("'", ""), name.replace("'", " "), name.replace("'", "").replace("-", "")}
    folded = {_fold(form) for spelling in spellings for form in _transcribed(spelling)}
    if _UNSPACED.search(name):
        folded |= {spelling.replace(" ", "") for spelling in folded}
    keys = set()
    for words in (spelling.split() for spelling in folded):
        for start in range(min(len(words), MOST_WORDS)):
            keys.add(" ".join(words[start:] + words[:start])[:LONGEST_KEY])
    return keys


def number_key(number: str) -> str:
    """Return the key under which a number is searched for: its letters and digits behind a sign that no name has."""
    return f"#{_fold(comparable_name(number)).replace(' ', '')}"[:LONGEST_KEY]


def clean_line(value: object, field: str, *, longest: int, required: bool = True) -> str:
    """Return one line of text: NFC, outer blanks gone. Raises `InvalidInput` on control or reordering characters, or too long."""
    return _clean(value, field, longest, required, allowed_controls="")


def clean_words(value: object, field: str, *, longest: int, required: bool = True) -> str:
    """Return several lines of text; otherwise as `clean_line`."""
    return _clean(value, field, longest, required, allowed_controls="\n\t\u2028\u2029")


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
            unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} and character not in allowed_controls
        ):
            picture = f"U+{ord(character):04X}, an invisible character"
            raise InvalidInput(
                f"{field} holds {picture}.",
                Problem(field, picture, "letters, digits and punctuation", "Type it again by hand."),
            )
    return text


def format_amounts(amounts: Mapping[str, Any]) -> str:
    """Return the numbers of a finding or limit: `105 mg a day; age: 54`."""
    return "; ".join(
        f"{join_values(value)} mg a day" if name == "mg_per_day" else f"{name.replace('_', ' ')}: {join_values(value)}"
        for name, value in amounts.items()
    )


def join_values(value: Any) -> str:
    """Return a value as text, a list with commas."""
    return ", ".join(map(join_values, value)) if isinstance(value, list) else str(value)


def tablets_key(tablets: Decimal) -> str:
    """Return the key of the words for a count in whole and half tablets in a table of languages: 1.5 -> "one_half", 3 -> "few"."""
    whole, rest = divmod(tablets, 1)
    key = {0: "none", 1: "one", 2: "two"}.get(int(whole), "few" if whole <= 10 else "many")
    return f"{key}_half" if rest else key
