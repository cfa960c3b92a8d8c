"""A regimen said in one sentence reads back as the same regimen."""

from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from baclofen_rules.directions import LONGEST_TEXT, Reading, read_directions
from baclofen_rules.regimen import Phase, Regimen, Unit
from baclofen_rules.sentences import PHRASES, say_directions
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


@pytest.mark.parametrize("language", PHRASES)
@given(regimen=courses)
@examples(150)
def test_any_regimen_in_milligrams_reads_back_as_itself(language: str, regimen: Regimen) -> None:
    sentence = say_directions(regimen, language=language)
    assume(len(sentence) <= LONGEST_TEXT)
    reading = read_directions(sentence)
    assert isinstance(reading, Reading), reading
    assert same(regimen, reading.regimen)
    assert say_directions(reading.regimen, language=language) == sentence


@pytest.mark.parametrize("language", PHRASES)
@given(dose=amounts, times=st.integers(1, 12), more=st.integers(0, 50) | st.none(), days=lengths | st.none())
@examples(80)
def test_a_course_taken_when_needed_reads_back_with_its_most(
    language: str, dose: Decimal, times: int, more: int | None, days: int | None
) -> None:
    most = None if more is None else dose * times + more
    regimen = Regimen((Phase((dose,) * times, days),), None if days else False)
    reading = read_directions(say_directions(regimen, as_needed=True, max_mg_per_day=most, language=language))
    assert isinstance(reading, Reading), reading
    assert (reading.regimen, reading.as_needed, reading.max_mg_per_day) == (regimen, True, most)


@pytest.mark.parametrize("language", PHRASES)
@given(regimen=courses, more=st.integers(0, 50))
@examples(80)
def test_the_most_of_a_day_reads_back_for_any_course(language: str, regimen: Regimen, more: int) -> None:
    most = regimen.highest_mg_per_day + more
    sentence = say_directions(regimen, max_mg_per_day=most, language=language)
    assume(len(sentence) <= LONGEST_TEXT)
    reading = read_directions(sentence)
    assert isinstance(reading, Reading), reading
    assert same(regimen, reading.regimen)
    assert reading.max_mg_per_day == most


def test_a_sentence_in_each_language() -> None:
    regimen = Regimen((Phase((Decimal("2.5"),) * 3, 3), Phase((Decimal(5), Decimal(10)), 14)), True)
    assert {language: say_directions(regimen, language=language) for language in PHRASES} == {
        "en": "Take 2.5 mg three times a day for 3 days, then 2 doses a day (5 mg, 10 mg) for 14 days, then stop.",
        "de": "2,5 mg dreimal täglich für 3 Tage, dann 2 Einzeldosen am Tag (5 mg, 10 mg) für 14 Tage, dann absetzen.",
        "fr": "Prendre 2,5 mg 3 fois par jour pendant 3 jours, puis 2 prises par jour (5 mg, 10 mg) pendant 14 jours, puis arrêt.",
        "es": "Tomar 2,5 mg 3 veces al día durante 3 días, luego 2 tomas al día (5 mg, 10 mg) durante 14 días, luego suspender.",
        "it": "Prendere 2,5 mg 3 volte al giorno per 3 giorni, poi 2 dosi al giorno (5 mg, 10 mg) per 14 giorni, poi stop.",
    }


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
