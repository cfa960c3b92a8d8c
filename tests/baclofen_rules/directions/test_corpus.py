"""Every text of the written corpus is read as it says, or asked about where it says."""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules.directions import Question, Reading, read_directions, vocabularies
from baclofen_rules.medicines import own_medicine, words
from tests.tables import check_rows, read_table


def read_corpus(name: str) -> list[dict[str, Any]]:
    """The groups of a file of texts and what they mean."""
    keys = {"title", "read", "ask", "strength_mg", "od_means_once_daily"}
    groups: list[dict[str, Any]] = read_table(Path(__file__).parent / name, "group", keys, required={"title"})["group"]
    return groups


ENGLISH = read_corpus("corpus.toml")
CORPUS = [
    *ENGLISH,
    *read_corpus("systems.toml"),
    *read_corpus("wordings.toml"),
    *read_corpus("languages.toml"),
    *read_corpus("unseen.toml"),
]


VOCABULARY_FILES = sorted(Path(vocabularies.__file__).parent.glob("*.py"))


def groups(kind: str) -> list[Any]:
    """The groups that have texts of a kind, as parameters of a test."""
    return [pytest.param(group, id=group["title"]) for group in CORPUS if group.get(kind)]


def read(text: str, group: dict[str, Any]) -> Reading | Question:
    return read_directions(
        text, strength_mg=group.get("strength_mg"), od_means_once_daily=group.get("od_means_once_daily")
    )


def meaning_of(reading: Reading) -> str:
    """A reading in the words of the corpus."""
    parts = []
    for phase in reading.phases:
        doses = " + ".join(f"{dose:f}" for dose in phase.doses)
        parts.append(doses if phase.days is None else f"{doses} for {phase.days} days")
    if reading.then_stop:
        parts.append("stop")
    if reading.then_stop is False and reading.phases[-1].days is not None:
        parts.append("continues")
    if reading.as_needed:
        parts.append("when needed")
    if reading.max_mg_per_day is not None:
        parts.append(f"at most {reading.max_mg_per_day} mg")
    if reading.quantity is not None:
        parts.append(f"{reading.quantity} tablets")
    return "; ".join(parts)


@pytest.mark.parametrize("group", groups("read"))
def test_it_is_read_as_the_corpus_says(group: dict[str, Any]) -> None:
    def check(text: str, meaning: str) -> None:
        reading = read(text, group)
        assert isinstance(reading, Reading), f"asked about {reading.about!r}: {reading.ask}"
        assert meaning_of(reading) == meaning

    check_rows(check, group["read"].items())


@pytest.mark.parametrize("group", groups("read"))
def test_what_was_read_is_said_back_and_reads_as_the_same(group: dict[str, Any]) -> None:
    def check(text: str) -> None:
        reading = read(text, group)
        assert isinstance(reading, Reading)
        again = read_directions(reading.sentence)
        assert isinstance(again, Reading), again
        assert (again.regimen, again.as_needed, again.max_mg_per_day) == (
            reading.regimen,
            reading.as_needed,
            reading.max_mg_per_day,
        )

    check_rows(check, ((text,) for text in group["read"]))


@pytest.mark.parametrize("group", groups("ask"))
def test_it_is_asked_about_where_the_corpus_says(group: dict[str, Any]) -> None:
    def check(text: str, about: str) -> None:
        question = read(text, group)
        assert isinstance(question, Question), f"read as {question.sentence}"
        assert question.about == about
        assert question.ask.endswith("?") or question.ask.endswith(".")

    check_rows(check, group["ask"].items())


def test_every_question_is_worded_as_the_list_says() -> None:
    """The question about each text of the corpus; ``questions.txt`` has the wordings, with N for every figure."""
    questions = [read(text, group) for group in CORPUS for text in group.get("ask", {})]
    wordings = {
        re.sub(r"[0-9]+(?:[.,][0-9]+)?", "N", question.ask) for question in questions if isinstance(question, Question)
    }
    assert sorted(wordings) == (Path(__file__).parent / "questions.txt").read_text(encoding="utf-8").splitlines()


def test_the_corpus_is_large_and_a_quarter_of_it_is_asked_back() -> None:
    readable, asked = (sum(len(group.get(kind, {})) for group in CORPUS) for kind in ("read", "ask"))
    assert readable + asked >= 700
    assert asked * 4 >= readable + asked


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("10 mg at bedtime", [("bedtime",)]),
        ("20 mg at bedtime, 10 mg in the morning and at midday", [("morning", "midday", "bedtime")]),
        ("10 mg at 8am, 2pm and 10pm", [("08:00", "14:00", "22:00")]),
        ("1 tablet three times a day, morning, midday and night", [("morning", "midday", "bedtime")]),
        ("1 tab morning, afternoon and night", [("morning", None, "bedtime")]),
        ("1-0-1", [("morning", "evening")]),
        ("0-0-1 tab nachts", [("bedtime",)]),
        ("1-0-1-1", [("morning", "evening", "bedtime")]),
        ("1 cp matin, midi et soir", [("morning", "midday", "evening")]),
        ("1 comprimido por la noche", [("bedtime",)]),
        ("10 mg at night for 3 days then 10 mg in the morning and at night", [("bedtime",), ("morning", "bedtime")]),
        ("30 mg a day in 3 divided doses", [None]),
        ("10 mg four times a day with meals and at bedtime", [None]),
        ("10 mg three times a day", [None]),
    ],
)
def test_the_times_of_the_doses_are_those_that_the_text_names(
    text: str, times: list[tuple[str | None, ...] | None]
) -> None:
    reading = read_directions(text, strength_mg=Decimal(10))
    assert isinstance(reading, Reading), reading.ask
    assert [phase.times for phase in reading.phases] == times


@pytest.mark.parametrize(
    ("text", "times"),
    [
        (
            "10 mg at 8am, 2pm and 10pm for 7 days, then reduce each dose by 5 mg every week until stopped",
            [("08:00", "14:00", "22:00")] * 2,
        ),
        (
            "10 mg in the morning and at night for 7 days, then reduce by 5 mg a day every week until stopped",
            [("morning", "bedtime")] * 3 + [("bedtime",)],
        ),
        (
            "10 mg in the morning and 5 mg at night for 7 days, then reduce each dose by 5 mg every week until stopped",
            [("morning", "bedtime"), None],
        ),
        (
            "10 mg in the morning and at night for 7 days, then reduce by 5 mg a day every week to 5 mg in the morning",
            [("morning", "bedtime")] * 3 + [("morning",)],
        ),
        (
            "10 mg at night for 7 days, then increase by 5 mg a day every week to 20 mg in the morning",
            [("bedtime",)] * 2 + [("morning",)],
        ),
        (
            "10 mg twice a day for 7 days, then reduce by 5 mg a day every week to 5 mg in the morning and at night",
            [None, None, ("morning", "bedtime")],
        ),
        (
            "10 mg in the morning and at night for 7 days, then reduce by 5 mg a day every week to 5 mg twice a day",
            [("morning", "bedtime")] * 3,
        ),
    ],
)
def test_steps_have_the_times_of_the_doses_that_are_left(text: str, times: list[tuple[str, ...] | None]) -> None:
    reading = read_directions(text)
    assert isinstance(reading, Reading), reading.ask
    assert [phase.times for phase in reading.phases] == times


def test_a_reading_in_the_case_format() -> None:
    reading = read_directions("5 mg tid x 3d then 10 mg tid")
    assert reading.to_json() == {
        "format": "baclofen-directions/1",
        "text": "5 mg tid x 3d then 10 mg tid",
        "phases": [
            {"doses": ["5", "5", "5"], "unit": "mg", "days": 3},
            {"doses": ["10", "10", "10"], "unit": "mg", "days": None},
        ],
        "then_stop": False,
        "as_needed": False,
        "max_mg_per_day": None,
        "sentence": "Take 5 mg three times a day for 3 days, then 10 mg three times a day.",
    }


def test_a_question_in_the_case_format_and_nothing_else() -> None:
    question = read_directions("1-2 tabs", strength_mg=Decimal(10))
    assert question.to_json() == {
        "format": "baclofen-directions/1",
        "text": "1-2 tabs",
        "question": {"about": "1-2 tabs", "ask": "1 or 2: which is meant?"},
    }


@pytest.mark.parametrize("vocabulary", VOCABULARY_FILES, ids=lambda path: path.stem)
def test_a_vocabulary_has_the_names_of_the_medicine_from_its_table(vocabulary: Path) -> None:
    written = re.sub(r"\bbaclofen_rules\b", "", vocabulary.read_text(encoding="utf-8"))
    assert own_medicine().names.isdisjoint(words(written))
