"""Whatever is written, the answer is a reading or a question; and a slip of the pen never keeps its old meaning."""

import re
import time
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baclofen_rules.directions import Question, Reading, read_directions
from tests.examples import examples
from tests.tables import check_rows

from .test_corpus import CORPUS, ENGLISH, groups, read

WORDS = sorted(
    {word for group in CORPUS for kind in ("read", "ask") for text in group.get(kind, {}) for word in text.split()}
)
NO_MEANING = {
    "take", "please", "to", "be", "taken", "sig", "rx", "by", "mouth", "orally", "po", "p.o.", "baclofen", "lioresal",
    "with", "or", "after", "food", "pc", "p.c.", "of", "a", "an", "the", "in", "at", "and", "for", "x", "×", "then", "&",
    "first", "thereafter", "dose", "dose,", "down", "continue", "doses", "divided", "equal", "equally", "up", "most", "only",
    "ongoing", "until", "review", "long", "term", "on", "each", "per", "before", "from", "followed", "every", "increase",
    "increasing", "reduce", "and/or", "spasticity", "spasms", "needed", "required", "going", "times", "once", "(2)", "(two)", "p.o", "p.c",
}  # fmt: skip
"""Words that may go, or come twice, without changing what is taken: each stands beside another that says it too."""

TABLETS = {"tab", "tabs", "tablet", "tablets", "tablet(s)", "tab(s)", "pill", "½"}
"""Words that may go: a count below five with a frequency counts tablets."""
MARKS = {
    "",
    "-",
    "+",
    "(pain)",
    "->",
    "\u2192",
    "—",
    "uhr",
    "tgl",
    "tägl",
    "p.m",
    "a.m",
    "evening",
    "bedtime",
    "bedtime)",
    "pauta",
    "dosierung",
    "directions",
    "dose",
}
"""Marks and words that may come twice."""
SAYS_THE_SAME = {"10 mg at bedtime", "30 mg at night", "10 mg, 5 mg and 10 mg", "half of a tablet bd"}
"""Texts that are left when a word went which another word says too."""
TELLS_NOTHING = re.compile(
    r"(?i)(?:with )?(?<![0-9])[0-9] refills?(?:\(s\))?|refills?:? [0-9]|[0-9]+:[0-9]+|[0-9]{4}h?|[0-9]+ ?[ap]\.?m|\.0|[0-9]+ ?h(?:[0-9]+|eures)?\b|[0-9]+ Uhr|[0-9]{2}\.[0-9]{2}\b|mg 1 tds|(?<![0-9])1 comprimido y medio|(?:,|et) 1 (?:midday|au|à)|, 1 por|y 1 por|, 1 con la comida|, 1 a pranzo|e 1 a cena|alle [0-9]+|(?:Review in|Kontrolle in|contrôle dans|revisión en) [0-9]+|(?:um|à|las) [0-9]+(?:, [0-9]+)* (?:und|et|y)|las [0-9]+"
)
"""The hour of a clock time (the reading keeps how often, not when) and a nought behind the point."""


def plain_word(word: str) -> str:
    return unicodedata.normalize("NFKC", word).lower().strip(".,;:")


def content_of(reading: Reading | Question) -> object:
    if isinstance(reading, Question):
        return None
    return reading.regimen, reading.as_needed, reading.max_mg_per_day, reading.quantity


@given(st.text(max_size=200))
@example("")
@example("\x00")
@example("\ud800")
@example("10 mg\u202e tid")
@examples(400)
def test_any_text_is_a_reading_or_a_question(text: str) -> None:
    answer = read_directions(text, strength_mg=10)
    assert isinstance(answer, Reading | Question)
    assert answer.text == text
    assert answer.to_json()["format"] == "baclofen-directions/1"


@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join), st.sampled_from([None, Decimal(10)]))
@examples(1500)
def test_any_muddle_of_prescribers_words_is_a_reading_or_a_question(text: str, strength: Decimal | None) -> None:
    answer = read_directions(text, strength_mg=strength, od_means_once_daily=True)
    if isinstance(answer, Reading):
        assert content_of(read_directions(answer.sentence)) == content_of(answer._replace(quantity=None))
    else:
        assert answer.ask


def slips(pieces: list[str], at: int) -> tuple[list[str], list[str]]:
    """Return the text with the piece at ``at`` dropped, and with it written twice."""
    return pieces[:at] + pieces[at + 1 :], [*pieces[: at + 1], *pieces[at:]]


@pytest.mark.parametrize("group", groups("read"))
def test_a_figure_dropped_or_doubled_never_keeps_the_old_meaning(group: dict[str, Any]) -> None:
    def check(text: str) -> None:
        telling = TELLS_NOTHING.sub(lambda part: " " * len(part[0]), text)
        meaning = content_of(read(text, group))
        for match in re.finditer(r"[0-9]", telling):
            for slip in slips(list(text), match.start()):
                assert content_of(read("".join(slip), group)) != meaning, "".join(slip)

    check_rows(check, ((text,) for text in group["read"]))


@pytest.mark.parametrize("group", [group for group in groups("read") if group.values[0] in ENGLISH])
def test_a_word_dropped_never_keeps_the_old_meaning(group: dict[str, Any]) -> None:
    def check(text: str) -> None:
        meaning = content_of(read(text, group))
        words = text.split()
        for at, word in enumerate(words):
            dropped, _ = slips(words, at)
            slip = " ".join(dropped)
            if plain_word(word) not in NO_MEANING | TABLETS and slip not in SAYS_THE_SAME:
                assert content_of(read(slip, group)) != meaning, (word, slip)

    check_rows(check, ((text,) for text in group["read"]))


@pytest.mark.parametrize("group", groups("read"))
def test_a_word_doubled_never_keeps_the_old_meaning(group: dict[str, Any]) -> None:
    def check(text: str) -> None:
        meaning = content_of(read(text, group))
        words = text.split()
        for at, word in enumerate(words):
            _, doubled = slips(words, at)
            slip = " ".join(doubled)
            if plain_word(word) not in NO_MEANING | MARKS:
                assert content_of(read(slip, group)) != meaning, (word, slip)

    check_rows(check, ((text,) for text in group["read"]))


@pytest.mark.parametrize(
    "text",
    [
        "10 mg tid " * 200_000,
        "1" * 2_000_000,
        "\x00" * 2_000_000,
        "\u202e" * 2_000_000,
        "(" * 2_000_000,
        "99999.99 mg nocte for 1 day, reduce by 99999.98 mg/day every day then stop",
        "99999 mg tid for 1 day, reduce by 1 mg/day every day then stop",
        "and " * 250,
        "0" * 1000,
        "1 " * 500,
        "every " * 160,
        "10 mg tid for 999 weeks",
    ],
    ids=lambda text: text[:20].encode("unicode_escape").decode(),
)
def test_an_absurd_text_is_asked_about_at_once(text: str) -> None:
    read_directions("10 mg tid")
    began = time.perf_counter()
    answer = read_directions(text)
    assert isinstance(answer, Question)
    assert time.perf_counter() - began < 1
