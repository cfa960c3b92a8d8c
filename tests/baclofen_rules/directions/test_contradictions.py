"""The kind of doubt about a text that cannot be read: it decides whether phases beside it may be handed over with an answer."""

import time
import tomllib
from pathlib import Path

import pytest

from baclofen_rules.directions import Question, Why, read_directions

TEXTS = tomllib.loads((Path(__file__).parent / "contradictions.toml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in TEXTS.items() for text in texts])
def test_a_text_that_cannot_be_read_has_its_kind(kind: str, text: str) -> None:
    question = read_directions(text, strength_mg=10)
    assert isinstance(question, Question), question.sentence
    assert (question.why, question.about in text) == (Why(kind), True)


def test_every_kind_has_texts() -> None:
    assert set(TEXTS) >= {"forbids", "route", "other-medicine", "form", "unit", "rhythm", "not-understood"}


@pytest.mark.parametrize(
    "text",
    [
        "10 mg tid as told " * 60 + "STOP baclofen",
        "10 mg\u200b tid. STOP baclofen",
        "STOP\n\n baclofen",
        "\u2757STOP\u2757 baclofen",
    ],
    ids=["too long to be read", "an invisible mark", "two lines", "signs around it"],
)
def test_a_word_that_forbids_is_seen_in_a_text_that_is_not_read_at_all(text: str) -> None:
    question = read_directions(text)
    assert isinstance(question, Question)
    assert question.why is Why.FORBIDS
    assert question.about.startswith("STOP")


def test_a_contradiction_is_found_in_a_long_text_without_a_long_search() -> None:
    read_directions("10 mg tid, see letter")
    for piece in ("1", "1 ", "every ", "a week ", "reduce 1 ", "not to ", "do not ", "mon ", "1,", "stop not "):
        times = []
        for turn in range(3):  # the least of three: what else runs on the machine slows one of them
            text = piece * ((2000 - turn) // len(piece)) + "." * turn  # another text each time, since readings are kept
            began = time.process_time()
            read_directions(text)
            times.append(time.process_time() - began)
        assert min(times) < 0.25, (
            piece
        )  # the bar of a tenth is for a quiet machine; a search that grows with the square takes seconds
