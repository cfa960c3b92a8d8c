"""Words: one TOML file a language, a closed set of variables, two variants.

``plain`` names no medicine, no dose and no condition, so that a glance at a locked screen tells nothing. ``detailed``
does, and is used only where the patient chose it. The subject of an e-mail is the same for every kind, always.
"""

from __future__ import annotations

import hashlib
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import dateformat, translation

from dispensary.reminding.kinds import Kind

_FOLDER = Path(__file__).parent / "words"
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
DEFAULT_LANGUAGE = "en"
RIGHT_TO_LEFT = frozenset({"ar"})
PLAIN_VARIABLES = frozenset({"sender", "phone", "date"})
DETAILED_VARIABLES = PLAIN_VARIABLES | {"medicine", "before", "after", "tablets", "strength"}
_WHOLE = Decimal(1)
_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True)
class Text:
    """What is sent: ``subject`` for e-mail, ``body`` without its opt-out line, the language and the words' version."""

    subject: str
    body: str
    opt_out: str
    language: str
    version: str

    @property
    def right_to_left(self) -> bool:
        return self.language in RIGHT_TO_LEFT


@cache
def _words(language: str) -> dict[str, Any]:
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def version_of(language: str) -> str:
    """The first 12 hex digits of the SHA-256 of the language's file, so that a text can be traced to its wording."""
    return hashlib.sha256((_FOLDER / f"{language}.toml").read_bytes()).hexdigest()[:12]


def language_for(wanted: str, fallback: str = DEFAULT_LANGUAGE) -> str:
    """The language we can write: the wanted one, then without its region, then the pharmacy's, then English."""
    for tag in (wanted, fallback, DEFAULT_LANGUAGE):
        base = tag.replace("_", "-").lower().split("-")[0]
        if base in LANGUAGES:
            return base
    return DEFAULT_LANGUAGE


def say_date(day: date, language: str) -> str:
    """A date with its weekday, as people of that language say it."""
    with translation.override(language):
        return dateformat.format(day, _words(language)["date_format"])


def medicine_in(language: str) -> str:
    """The medicine's common name."""
    return str(_words(language)["medicine"])


def say_number(number: Decimal) -> str:
    """No trailing zero, no exponent: ``5``, ``12.5``."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def say_tablets(doses: tuple[Decimal, ...], strength: Decimal, language: str) -> str | None:
    """The day's doses in tablets, halves in words; ``None`` where a dose is not a whole number of half tablets."""
    counts = [dose / strength for dose in doses]
    if not counts or any(count % _HALF or count <= 0 for count in counts):
        return None
    words = _words(language)["tablets"]
    return words["join"].join(_tablet_words(count, words) for count in counts)


def _tablet_words(count: Decimal, words: Mapping[str, str]) -> str:
    whole, rest = divmod(count, _WHOLE)
    key = {0: "none", 1: "one", 2: "two"}.get(int(whole), "few" if whole <= 10 else "many")
    return words[f"{key}_half" if rest else key].format(n=int(whole))


def write(kind: Kind, language: str, *, detailed: bool, values: Mapping[str, str], medium: str = "sms") -> Text:
    """Fill the words of one kind. Raises ``KeyError`` when a variable that the words use is missing."""
    words = _words(language)
    entry = words[kind.value]
    allowed = DETAILED_VARIABLES if detailed else PLAIN_VARIABLES
    given = {name: " ".join(value.split()) for name, value in values.items() if name in allowed}
    body = entry["detailed" if detailed and _can_fill(entry["detailed"], given) else "plain"]
    return Text(
        subject=words["subject"].format(sender=given["sender"]),
        body=body.format(**given),
        opt_out=words["opt_out"][medium],
        language=language,
        version=version_of(language),
    )


def stop_confirmation(language: str, sender: str) -> str:
    """The single message that answers a STOP."""
    return str(_words(language)["stopped"]).format(sender=sender)


def stop_page(language: str) -> dict[str, str]:
    """The words of the page behind the opt-out link."""
    return dict(_words(language)["page"])


def _can_fill(body: str, given: Mapping[str, str]) -> bool:
    return variables_of(body) <= given.keys()


def variables_of(body: str) -> set[str]:
    """The variables a text asks for."""
    return {name for _, name, _, _ in string.Formatter().parse(body) if name}


@cache
def _stop_words() -> frozenset[str]:
    return frozenset(word.casefold() for language in LANGUAGES for word in _words(language)["stop_words"])


def is_stop(reply: str) -> bool:
    """Is this reply a request to stop? The first word decides, in any of our languages and letter cases."""
    first = reply.strip().casefold().split(maxsplit=1)[:1]
    return bool(first) and first[0].strip(".,!?;:'\"«»¡¿()[]،؟") in _stop_words()
