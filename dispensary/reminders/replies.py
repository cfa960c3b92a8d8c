"""Replies of patients: what ends the messages, what begins them again, and what is plainly ordinary. Pure; closed lists.

A list is looked for in all languages, whatever language the patient has chosen.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache

from dispensary.models.answers import Answer
from dispensary.reminders.texts import LANGUAGES, words_in

_ARABIC = str.maketrans({"ة": "ه", "ى": "ي", "ؤ": "و", "ئ": "ي", "ء": None})  # noqa: RUF001  (letters that people exchange)
_STRETCH = "\u0640"  # draws an Arabic word out
_ANSWER = re.compile(r"(?P<before>[a-h])?\s*(?P<number>\d)\s*(?P<after>[a-h])?\s*[.!)]?")
_ANSWERS = tuple(Answer)
CLAUSE_END = re.compile(r"(?<=[?\u061f])|[.,;:!|()/\n\r\u060c\u061b\u3001\u3002]|\u2014|\s[-\u2013]+\s")


def fold(text: str) -> str:
    """One spelling for case, accents, hamza, vowel signs, wide letters and invisible marks."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    return "".join(sign for sign in apart if sign != _STRETCH and unicodedata.category(sign) not in {"Mn", "Cf"})


def spell_plainly(text: str) -> str:
    """Fold, with one apostrophe and one letter for each group of Arabic letters that people exchange."""
    return re.sub("[\u2018\u2019\u02bc\u00b4`]", "'", fold(text)).translate(_ARABIC)


def _phrase(clause: str) -> str:
    """The words of a folded clause with one blank between them; a word said several times in a row is one, "don't" is "dont"."""
    words = re.findall(r"\w+(?:-\w+)*", re.sub(r"['`\u2018\u2019\u02bc]", "", clause))
    return " ".join(word for at, word in enumerate(words) if not at or word != words[at - 1])


@cache
def _phrases(name: str) -> frozenset[str]:
    return frozenset(_phrase(fold(phrase)) for language in LANGUAGES for phrase in words_in(language)[name])


@cache
def _polite_words() -> re.Pattern[str]:
    phrases = _phrases("polite_words")
    either = "|".join(sorted(phrases, key=len, reverse=True))
    return re.compile(rf"^(?:{either})(?: |$)|(?:^| )(?:{either})$")


@lru_cache(maxsize=1)
def _clauses(reply: str) -> tuple[str, ...]:
    """The clauses of a reply without politeness at either end; a question keeps its mark and so is no phrase of the list.

    The last reply is remembered, because each question about it asks for them.
    """
    clauses = []
    for clause in CLAUSE_END.split(fold(reply)):
        phrase = _phrase(clause)
        while phrase != (shorter := _polite_words().sub("", phrase)):
            phrase = shorter
        if phrase:
            clauses.append(f"{phrase}?" if re.search(r"[?\u061f]", clause) else phrase)
    return tuple(clauses)


def is_stop(reply: str) -> bool:
    """Return whether a reply asks to end the messages: a stop phrase of any language is all of it or its whole first clause."""
    return _begins_with(reply, "stop_phrases")


def is_start(reply: str) -> bool:
    """Return whether a reply asks for the messages again, by the same measure."""
    return _begins_with(reply, "start_phrases")


def _begins_with(reply: str, name: str) -> bool:
    return bool(clauses := _clauses(reply)) and clauses[0] in _phrases(name)


def says_more(reply: str) -> bool:
    """Return whether a person must read a reply that ends the messages or begins them, because something else follows."""
    lists = [name for name in ("stop_phrases", "start_phrases") if _begins_with(reply, name)]
    return bool(lists) and not _phrases(lists[0]).issuperset(_clauses(reply))


def is_ordinary(reply: str) -> bool:
    """Return whether a reply says nothing but yes, thanks or "collected": every clause is of the list, so it may wait hours."""
    return _phrases("ordinary_phrases").issuperset(_clauses(reply))


def is_of_the_lists(reply: str) -> bool:
    """Return whether a reply says nothing but what the closed lists hold, and so nothing of how somebody is."""
    lists = ("stop_phrases", "start_phrases", "ordinary_phrases")
    return frozenset().union(*map(_phrases, lists)).issuperset(_clauses(reply))


def read_answer(reply: str) -> tuple[Answer, str] | None:
    """Return the numbered answer that is all of a reply, and the letter of its patient or ""; None where it is none."""
    parts = _ANSWER.fullmatch(fold(reply).strip())
    if parts is None or not 1 <= int(parts["number"]) <= len(_ANSWERS):
        return None
    return _ANSWERS[int(parts["number"]) - 1], (parts["before"] or parts["after"] or "").upper()
