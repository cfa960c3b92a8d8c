"""Words: one TOML file a language, a closed set of variables, two variants.

``plain`` names no medicine, no dose and no condition, so that a glance at a locked screen tells nothing. ``detailed``
does, and is used only where the patient chose it. The subject of an e-mail says only whether a call is urgent.

In a text that runs from right to left, a telephone number of several groups would be shown with its groups in reverse, and a
Latin name at the start would turn the whole text around: each value of the other direction is isolated (Unicode annex 9).
"""

from __future__ import annotations

import hashlib
import re
import string
import tomllib
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from django.utils import dateformat, translation

from baclofen_rules.text import format_amount
from dispensary.channels import STOP_KEY
from dispensary.emergency_numbers import emergency_number
from dispensary.models.answers import Answer
from dispensary.models.contacts import Medium
from dispensary.models.pharmacy import SharedNames
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.segments import fold_for_texts
from dispensary.text import tablets_key

_FOLDER = Path(__file__).parent / "languages"
LANGUAGES = tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))
DEFAULT_LANGUAGE = "en"
RIGHT_TO_LEFT = frozenset({"ar"})
PLAIN_VARIABLES = frozenset({"sender", "phone", "date", "after_hours", "emergency"})
DETAILED_VARIABLES = PLAIN_VARIABLES | {"medicine", "before", "after", "tablets", "strength"}
_ASKS_TO_CALL = frozenset(
    {
        ReminderKind.REFILL_AGAIN,
        ReminderKind.RUN_OUT,
        ReminderKind.MISSED_COLLECTION,
        ReminderKind.STEP_CHECK,
        ReminderKind.AFTER_END,
        ReminderKind.PAPERS_CHANGED,
    }
)
"""Kinds that ask the reader to call at once, and so say whom while the pharmacy is closed."""
_URGENT = frozenset({ReminderKind.RUN_OUT, ReminderKind.MISSED_COLLECTION, ReminderKind.PAPERS_CHANGED})
"""Kinds whose subject in an e-mail asks for a call."""
_HALF = Decimal("0.5")
_OPENING = re.compile(r"^\{sender\}\s?: (?P<first>.)")
_LETTERS = "ABCDEFGH"
_FROM_THE_RIGHT = "\u200f"
_LEFT_TO_RIGHT, _AS_IT_BEGINS, _END = "\u2066", "\u2068", "\u2069"
_TYPEWRITTEN = str.maketrans(
    {**dict.fromkeys("\u2018\u2019\u02bc", "'"), **dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb", '"'),
     **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014", "-"), **dict.fromkeys("\u00a0\u2009\u202f", " "), "\u2026": "..."}
)  # fmt: skip
"""One of these in a name would turn a whole text message into UCS-2 and more than double its price."""


class WayOut(StrEnum):
    """The way to end the messages; the key of its sentence in the words."""

    REPLY = "reply"
    LINK = "link"
    CALL = "call"
    KEYPAD = "keypad"
    CHAT = "chat"


_WRITTEN = frozenset({WayOut.REPLY, WayOut.CHAT})


@dataclass(frozen=True, slots=True)
class Text:
    """A text to send: ``subject`` for e-mail, ``body`` without its opt-out line, the language and the words' version.

    ``offer`` says which replies are understood; empty where none are, or replies are not read.
    """

    subject: str
    body: str
    offer: str
    opt_out: str
    language: str
    version: str
    places: tuple[tuple[str, str], ...] = ()
    """The places of the kind's template with what stands there, where it is sent as one; the link's is empty."""


@cache
def words_in(language: str) -> dict[str, Any]:
    """All words of a language, as in its file. Not to be changed."""
    with (_FOLDER / f"{language}.toml").open("rb") as file:
        return tomllib.load(file)


@cache
def version_of(language: str) -> str:
    """The first 12 hex digits of the SHA-256 of the language's file, so that a text can be traced to its wording."""
    return hashlib.sha256((_FOLDER / f"{language}.toml").read_bytes()).hexdigest()[:12]


def language_for(preferred: str, fallback: str = DEFAULT_LANGUAGE) -> str:
    """The language we can write: the wanted one, then without its region, then the pharmacy's, then English."""
    for tag in (preferred, fallback, DEFAULT_LANGUAGE):
        base = tag.replace("_", "-").lower().split("-")[0]
        if base in LANGUAGES:
            return base
    return DEFAULT_LANGUAGE


def guess_language(text: str) -> str:
    """Return the language that the letters of a text tell, Arabic alone among ours; "" where they tell none."""
    return "ar" if any(unicodedata.bidirectional(sign) == "AL" for sign in text) else ""


def say_date(day: date, language: str, *, is_short: bool = False) -> str:
    """A date with its weekday, as people of that language say it; `is_short` as they write it in a text message."""
    words = words_in(language)
    date_format = words["short_date_format" if is_short else "date_format"]
    with translation.override(language):
        if day.day == 1:  # "samedi 1er août"
            first = "".join(f"\\{letter}" for letter in words["first_of_month"])
            date_format = date_format.replace("j", first, 1)
        return dateformat.format(day, date_format)


def medicine_in(language: str) -> str:
    """The medicine's common name."""
    return str(words_in(language)["medicine"])


def say_number(number: Decimal, language: str) -> str:
    """Return an amount with the decimal sign of the language: ``12.5``, ``12,5``."""
    return format_amount(number).replace(".", words_in(language)["decimal_sign"])


def say_tablets(doses: tuple[Decimal, ...], strength: Decimal, language: str, times: Sequence[str] = ()) -> str | None:
    """The day's doses in tablets, halves in words, after their ``times`` where those are known for all of them.

    ``None`` where a dose is not a whole number of half tablets.
    """
    counts = [dose / strength for dose in doses]
    if not counts or any(count % _HALF or count <= 0 for count in counts):
        return None
    words, hours = words_in(language)["tablets"], words_in(language)["hours"]
    amounts = [str(words[tablets_key(count)]).format(n=int(count)) for count in counts]
    if len(times) != len(amounts):
        return str(words["join"]).join(amounts)
    return ", ".join(f"{hours.get(time, time)} {amount}" for time, amount in zip(times, amounts, strict=True))


def write(
    kind: ReminderKind,
    language: str,
    *,
    detailed: bool,
    values: Mapping[str, str],
    way_out: WayOut = WayOut.REPLY,
    typewritten: bool = True,
    letter: str = "",
    brief: bool = False,
) -> Text:
    """Fill the words of one kind, ``typewritten`` for a text message; ``letter`` says who of several patients replies.

    A ``brief`` text asks for no questions, and one with an empty sender begins without it: the other texts of a digest say
    both. Raises ``KeyError`` for a variable that is missing.
    """
    words = words_in(language)
    entry = words[kind.value]
    allowed = DETAILED_VARIABLES if detailed else PLAIN_VARIABLES
    variables = {name: " ".join(value.split()) for name, value in values.items() if name in allowed}
    if typewritten:
        variables = {name: fold_for_texts(value.translate(_TYPEWRITTEN)) for name, value in variables.items()}
    body = entry["detailed" if detailed and _can_fill(entry["detailed"], variables) else "plain"]
    if "phone" in variables and not variables["phone"]:
        body = _without_phone(body, words["questions"])
    if brief:
        body = body.replace(f" {words['questions']}", "")
    if not variables["sender"]:
        body = _OPENING.sub(lambda opening: opening["first"].upper(), body)
    if kind in _ASKS_TO_CALL and variables.get("after_hours"):
        body = f"{body} {words['closed']}"
    return Text(
        subject=words["subject_urgent" if kind in _URGENT else "subject"].format(sender=variables["sender"]),
        body=_fill(body, language, variables),
        offer=_write_offer(words, kind, way_out, letter),
        opt_out=words["opt_out"][way_out],
        language=language,
        version=version_of(language),
        places=tuple((name, variables.get(name, "")) for name in template_of(kind, language)[1])
        if way_out is WayOut.CHAT
        else (),
    )


LINK = "link"
"""The place of a template at which the address of the patient's page stands."""


@cache
def template_of(kind: ReminderKind, language: str) -> tuple[str, tuple[str, ...]]:
    """Return the words of a kind as a template to have approved, with numbered places, and what stands at each.

    A template may neither begin nor end with a place, names no medicine, and offers no letters.
    """
    words = words_in(language)
    plain = _OPENING.sub(lambda opening: opening["first"].upper(), words[kind.value]["plain"])
    offer = words["offers"].get(kind.value, "").format(letter="")
    text = " ".join(filter(None, (f"{words['subject']}.", plain, offer, f"{{{LINK}}}", words["opt_out"]["chat"])))
    names = tuple(dict.fromkeys(name for _text, name, _spec, _conversion in string.Formatter().parse(text) if name))
    return text.format(**{name: f"{{{{{number}}}}}" for number, name in enumerate(names, 1)}), names


def _write_offer(words: Mapping[str, Any], kind: ReminderKind, way_out: WayOut, letter: str) -> str:
    """Return which replies or keys are understood; a key names nobody of several patients."""
    if way_out is WayOut.KEYPAD:
        return str(words["keys"].get(kind.value, ""))
    return str(words["offers"].get(kind.value, "")).format(letter=letter) if way_out in _WRITTEN else ""


def key_answers(
    kind: ReminderKind, language: str, *, sender: str, phone: str, everything: bool = True
) -> dict[str, str]:
    """Return the keys that a call of a kind takes, each with what is said when it is pressed; `everything` as at a STOP."""
    words = words_in(language)
    page, values = words["patient_page"], {"sender": sender}
    answers = {
        Answer.ORDER: _fill(words["asked"], language, values),
        Answer.CALL: page["done_call"],
        Answer.CHANGED: page["done_well"],
        Answer.NOT_CHANGED: page["done_call"],
        Answer.HOW: page["done_call"],
        Answer.WELL: page["done_well"],
        Answer.UNWELL: red_flag_answer(language, sender, phone, emergency_number(phone)),
    }
    keys = {str(number): answers[answer] for number, answer in enumerate(Answer, 1) if kind in answer.kinds}
    stopped = words["stopped"] if everything else f"{words['stopped_medium'][Medium.VOICE]} {words['others_go_on']}"
    return keys | {STOP_KEY: _fill(stopped, language, values)}


def is_urgent(kind: ReminderKind) -> bool:
    """Say whether the subject of a message of this kind asks for a call."""
    return kind in _URGENT


def _without_phone(body: str, questions: str) -> str:
    """For a pharmacy that has recorded no number: "call us now", and no sentence that ends in nothing."""
    return body.replace(f" {questions}", "").replace(" : {phone}", "").replace(": {phone}", "")


def name_reader(sender: str, language: str, given_name: str, family_name: str, names: SharedNames) -> str:
    """Return the sender with whom a message is for, where several patients read at one address: "City Pharmacy for A.C."."""
    name = short_name(given_name, family_name, names)
    return str(words_in(language)["for_whom"]).format(sender=sender, name=name)


def short_name(given_name: str, family_name: str, names: SharedNames) -> str:
    """Return initials or, where the pharmacy chose that, the first name."""
    name = given_name if names is SharedNames.FIRST_NAME and given_name else ""
    return name or "".join(f"{part[0]}." for part in (given_name, family_name) if part)


def letter_of(rank: int) -> str:
    """Return the letter by which replies name one of several patients at an address, by rank from 0; "" for one too many."""
    return _LETTERS[rank] if rank < len(_LETTERS) else ""


def stop_confirmation(
    language: str, sender: str, medium: Medium | None = None, media_on: Collection[Medium] = ()
) -> str:
    """The single message that answers a STOP: of every medium or, with a `medium`, of that one, and by which others messages go on."""
    words = words_in(language)
    stopped = words["stopped"] if medium is None else words["stopped_medium"][medium]
    values = {"sender": fold_for_texts(sender.translate(_TYPEWRITTEN))}
    if media_on:
        stopped = f"{stopped} {words['go_on']}"
        values["media"] = fold_for_texts(", ".join(words["patient_page"][other] for other in media_on))
    return _fill(stopped, language, values)


def start_confirmation(language: str, sender: str, way_out: WayOut) -> str:
    """The single message that answers a START: messages go on, and how to end them."""
    words = words_in(language)
    return f"{_fill(words['started'], language, {'sender': fold_for_texts(sender.translate(_TYPEWRITTEN))})} {words['opt_out'][way_out]}"


def request_answer(language: str, sender: str) -> str:
    """The single message that answers a request for the next supply."""
    return _fill(words_in(language)["asked"], language, {"sender": fold_for_texts(sender.translate(_TYPEWRITTEN))})


def who_answer(language: str, sender: str, people: str) -> str:
    """The single message that asks which of several patients at one number a reply is about."""
    values = {"sender": fold_for_texts(sender.translate(_TYPEWRITTEN)), "people": fold_for_texts(people)}
    return _fill(words_in(language)["for_which"], language, values)


def red_flag_answer(language: str, sender: str, phone: str, emergency: str) -> str:
    """The single message that answers a reply that cannot wait; it does not say that anybody has read it."""
    return _say_whom_to_call("red_flag", language, sender, phone, emergency)


def free_text_answer(language: str, sender: str, phone: str, emergency: str) -> str:
    """The single message that answers a reply which a person must read: it waits, and whom to call meanwhile."""
    return _say_whom_to_call("free_text", language, sender, phone, emergency)


def _say_whom_to_call(name: str, language: str, sender: str, phone: str, emergency: str) -> str:
    """Fill the words of a name, or those without a number to call for a pharmacy that has recorded none."""
    words = words_in(language)[name if phone else f"{name}_without_phone"]
    values = {"sender": fold_for_texts(sender.translate(_TYPEWRITTEN)), "phone": phone, "emergency": emergency}
    return _fill(words, language, values)


def nobody_reads_answer(language: str, emergency: str) -> str:
    """The single message that answers a number on no record where several pharmacies share ours."""
    return _fill(words_in(language)["nobody_reads"], language, {"emergency": emergency})


def stop_page(language: str) -> dict[str, str]:
    """The words of the page behind the opt-out link."""
    return dict(words_in(language)["page"])


def _fill(body: str, language: str, variables: Mapping[str, str]) -> str:
    """The words with their values, so marked that names and numbers are read in their own direction."""
    from_right = language in RIGHT_TO_LEFT
    isolated = {name: _isolated(name, value, from_right) for name, value in variables.items()}
    return (_FROM_THE_RIGHT if from_right else "") + body.format(**isolated)


def _isolated(name: str, value: str, from_right: bool) -> str:
    if name in {"phone", "after_hours", "emergency"}:
        return f"{_LEFT_TO_RIGHT}{value}{_END}" if from_right else value
    if name == "sender" and (from_right or any(unicodedata.bidirectional(sign) in {"R", "AL"} for sign in value)):
        return f"{_AS_IT_BEGINS}{value}{_END}"
    return value


def patient_page(language: str) -> dict[str, str]:
    """The words of the patient's page; `link` is the line that leads to it. Not to be changed."""
    words: dict[str, str] = words_in(language)["patient_page"]
    return words


def _can_fill(body: str, variables: Mapping[str, str]) -> bool:
    return variables_of(body) <= variables.keys()


def variables_of(body: str) -> set[str]:
    """The variables a text asks for."""
    return {name for _, name, _, _ in string.Formatter().parse(body) if name}
