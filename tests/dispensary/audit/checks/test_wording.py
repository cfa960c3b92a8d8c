"""Words of answers that are to be read: empty, repeated, complaining."""

from dataclasses import replace
from uuid import UUID

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings

from dispensary.audit.checks.wording import Answer, is_empty, normalise, sort_words
from dispensary.conf import conf
from dispensary.models import Mitigation


@pytest.mark.parametrize(
    ("words", "empty"),
    [
        ("ok", True),
        ("okx", False),
        ("N/A", True),
        ("...", True),
        ("-", True),
        ("12", True),
        ("OK.", True),
        ("See notes", True),
        ("See notes of 3 Nov", False),
        ("Consulted prescriber", True),
        ("Consulted prescriber, Dr Ames", False),
        ("Provided patient education", False),
        ("не", True),
        ("нет", False),
    ],
)
def test_words_say_nothing(words: str, empty: bool) -> None:
    assert is_empty(words, Mitigation.CONSULTED_PRESCRIBER) is empty


def test_words_are_compared_without_case_digits_and_punctuation() -> None:
    assert normalise("Dr. AMES agreed (3 Nov)") == normalise("dr ames agreed 14 nov") == "dr ames agreed nov"


def answer(words: str, patient: int, signer: str = "user:1", rule: str = "renal") -> Answer:
    return Answer(rule, Mitigation.MONITORING, words, signer, UUID(int=patient))


@pytest.mark.parametrize(
    ("answers", "listed"),
    [
        ([answer("Will monitor", 1), answer("Will monitor", 2)], 0),
        ([answer("Will monitor", 1), answer("will monitor!", 2), answer("Will monitor", 3)], 3),
        ([answer("Will monitor", 1), answer("Will monitor", 1), answer("Will monitor", 2)], 0),
        ([answer("Will monitor", 1), answer("Will monitor", 2), answer("Will monitor", 3, "user:2")], 0),
        ([answer("noted", 1)], 1),
    ],
    ids=["two patients", "three patients", "one patient twice", "two signers", "empty"],
)
def test_words_are_repeated_by_one_signer_for_three_patients(answers: list[Answer], listed: int) -> None:
    assert sort_words(answers).listed == listed
    assert sort_words(answers).number == len(answers)


def test_complaints_are_counted_by_rule() -> None:
    answers = [
        answer("This is wrong: she takes 40 mg", 1),
        answer("Wrongly timed", 2),
        answer("Error of the book", 3, rule="early-refill"),
    ]
    assert sort_words(answers).complaints == {"early-refill": 1, "renal": 1}
    with override_settings(DISPENSARY=settings.DISPENSARY | {"complaint_words": ("Stimmt nicht!",)}):
        assert sort_words(answers).complaints == {}
        assert sort_words([replace(answers[0], words="Das stimmt  nicht.")]).complaints == {answers[0].rule: 1}


@pytest.mark.parametrize("words", ["wrong", ("wrong", "?!"), ("",)])
def test_a_list_of_complaints_without_words_is_refused(words: object) -> None:
    with (
        override_settings(DISPENSARY={"complaint_words": words}),
        pytest.raises(ImproperlyConfigured, match="complaint_words"),
    ):
        conf()
