"""A regimen said in one sentence reads back as the same regimen."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from baclofen_rules.directions import LONGEST_TEXT, Reading, read_directions
from baclofen_rules.regimen import Phase, Regimen, Unit
from baclofen_rules.sentences import say_directions
from tests.examples import examples

amounts = st.integers(1, 99_999).map(lambda hundredths: Decimal(hundredths) / 100)
doses = st.lists(amounts, min_size=1, max_size=12).map(tuple) | st.builds(
    lambda dose, times: (dose,) * times, amounts, st.integers(1, 12)
)
lengths = st.integers(1, 60)
bounded = st.builds(Phase, doses, lengths)
courses = st.builds(
    lambda before, last, then_stop: Regimen((*before, last), then_stop),
    st.lists(bounded, max_size=3),
    st.builds(Phase, doses, lengths | st.none()),
    st.sampled_from([True, False, None]),
)


def same(source: Regimen, read: Regimen) -> bool:
    """An open end of which nobody said anything goes on: the one thing that the words cannot tell apart."""
    goes_on = source.total_days is None and source.then_stop is None
    return read.phases == source.phases and read.then_stop == (False if goes_on else source.then_stop)


@given(courses)
@examples(300)
def test_any_regimen_in_milligrams_reads_back_as_itself(regimen: Regimen) -> None:
    sentence = say_directions(regimen)
    assume(len(sentence) <= LONGEST_TEXT)
    reading = read_directions(sentence)
    assert isinstance(reading, Reading), reading
    assert same(regimen, reading.regimen)
    assert reading.sentence == sentence


@given(amounts, st.integers(1, 12), st.booleans(), lengths | st.none())
@examples(100)
def test_a_course_taken_when_needed_reads_back_with_its_most(
    dose: Decimal, times: int, limited: bool, days: int | None
) -> None:
    most = dose * times if limited else None
    regimen = Regimen((Phase((dose,) * times, days),), None if days else False)
    reading = read_directions(say_directions(regimen, as_needed=True, max_mg_per_day=most))
    assert isinstance(reading, Reading), reading
    assert (reading.regimen, reading.as_needed, reading.max_mg_per_day) == (regimen, True, most)


@pytest.mark.parametrize(
    ("regimen", "sentence"),
    [
        (Regimen((Phase((Decimal(10),) * 3, None),), False), "Take 10 mg three times a day."),
        (Regimen((Phase((Decimal("2.5"),), 1),), True), "Take 2.5 mg once a day for 1 day, then stop."),
        (
            Regimen((Phase((Decimal(5),) * 3, 3), Phase((Decimal(10), Decimal(5), Decimal(10)), None))),
            "Take 5 mg three times a day for 3 days, then 3 doses a day (10 mg, 5 mg, 10 mg).",
        ),
        (
            Regimen((Phase((Decimal(10),), 7),), False),
            "Take 10 mg once a day for 7 days, then continue with a new prescription.",
        ),
        (Regimen((Phase((Decimal(10),), None),), True), "Take 10 mg once a day until finished, then stop."),
        (Regimen((Phase((Decimal(50),), None, Unit.MICROGRAM),)), "Take 50 micrograms once a day."),
    ],
)
def test_sentences_are_plain_english(regimen: Regimen, sentence: str) -> None:
    assert say_directions(regimen) == sentence


def test_a_sentence_in_micrograms_is_said_but_asked_about() -> None:
    sentence = say_directions(Regimen((Phase((Decimal(50),), None, Unit.MICROGRAM),)))
    question = read_directions(sentence)
    assert question.to_json()["question"]["about"] == "50 micrograms"
