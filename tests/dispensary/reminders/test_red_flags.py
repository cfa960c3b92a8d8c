"""Messages that cannot wait are found in four languages, misspelt too; ordinary ones are left to their hours."""

import os
from array import array

import pytest

from dispensary.emergency_numbers import emergency_number
from dispensary.reminders.concepts import read_concepts, spell_consonants
from dispensary.reminders.red_flags import is_red_flag
from dispensary.reminders.segments import count_segments
from dispensary.reminders.texts import LANGUAGES, free_text_answer, nobody_reads_answer, red_flag_answer
from tests.dispensary.reminders.learning import WEIGHTS, WRITERS, learn, read_replies


@pytest.mark.slow
def test_the_weights_are_those_that_the_replies_teach():
    weights = learn(read_replies())
    if os.environ.get("REWRITE_WEIGHTS"):
        WEIGHTS.write_bytes(weights)
    pairs = zip(array("b", weights), array("b", WEIGHTS.read_bytes()), strict=True)
    assert max(abs(learnt - stored) for learnt, stored in pairs) <= 1  # exp() differs in its last bit


@pytest.mark.slow
@pytest.mark.parametrize("writer", WRITERS[1:4], ids=lambda path: path.stem)
def test_messages_of_a_writer_are_found_by_what_the_others_teach(writer, monkeypatch):
    weights = array("b", learn(read_replies(path for path in WRITERS if path != writer)))
    monkeypatch.setattr("dispensary.reminders.red_flags._weights", lambda: weights)
    wrong = {True: 0, False: 0}
    replies = read_replies([writer])
    for reply in replies:
        wrong[reply.is_urgent] += is_red_flag(reply.text) != reply.is_urgent
    print(f"{writer.stem}: {wrong[True]} urgent missed, {wrong[False]} ordinary taken for urgent, of {len(replies)}")
    assert wrong[True] < 0.1 * sum(reply.is_urgent for reply in replies)
    assert wrong[False] < 0.12 * sum(not reply.is_urgent for reply in replies)


@pytest.mark.slow
def test_what_it_has_learnt_from_it_judges_rightly():
    wrong = [reply for reply in read_replies() if is_red_flag(reply.text) != reply.is_urgent]
    assert [reply for reply in wrong if reply.is_urgent] == []
    assert len(wrong) < 0.01 * len(read_replies())


@pytest.mark.parametrize(
    ("message", "concepts"),
    [
        ("he is shakinng", {"shake"}),
        ("tiemblan", {"shake"}),
        ("J'ai arrêté", {"stop"}),
        ("والحبوب", {"tablet"}),
        ("bala3", {"swallow", "took"}),
        ("ran out", {"run_out"}),
        ("ran into him", set()),
        ("", set()),
    ],
)
def test_a_word_has_its_concepts_in_every_language_misspelt_too(message, concepts):
    assert set().union(*read_concepts(message)) == concepts


@pytest.mark.parametrize(
    ("arabic", "latin"), [("عايز", "3ayez"), ("اموت", "amoot"), ("خلصوا", "khalaso"), ("بطلته", "battalto")]
)
def test_arabic_in_its_own_letters_and_in_latin_ones_has_the_same_consonants(arabic, latin):
    assert spell_consonants(arabic) == spell_consonants(latin) != ""


@pytest.mark.parametrize(
    ("message", "is_urgent"),
    [
        ("YES please. I am seeing things since yesterday", True),
        ("I have no tablets", True),
        ("can’t wake him", True),
        ("no fever, but he is confused", True),
        ("J’ai plus de comprimés", True),
        ("no me quedan pastillas", True),
        ("running out of time today", False),
        ("no tengo preguntas", False),
        ("وقفت الباكلوفين", True),
        ("I have not run out yet, see you on Friday", False),
        ("the dog is well and my tablets are here", False),
        ("", False),
        ("Y", False),
        ("STOP", False),
        ("Unstop please", False),
        ("Reanudar, gracias", False),
        ("STOP. He is strangely limp", True),
        ("?", False),
        ("Leeds", False),
        ("took 2 of them", False),
        ("took 3 of them", True),
        ("no fever and no fits", False),
        ("he is strangely limp", True),
        ("My new address is 12 Mill Road. He is limp as a doll. Will you post the next calendar to it please", True),
        (
            "I had a seizure yesterday evening while I collected my parcel, could you move my appointment to Tuesday",
            True,
        ),
        ("Bonjour, merci pour le rappel, je passerai jeudi avec ma soeur, depuis hier il délire, bonne journée", True),
        (
            "the calendar is very clear, by the way he took 2 of them this morning and I will come on Friday to collect",
            False,
        ),
        ("My new address is 12 Mill Road. The bell is broken. Will you post the next calendar to it please", False),
    ],
)
def test_a_message_cannot_wait_by_its_likeness_or_that_of_a_part(message, is_urgent):
    assert is_red_flag(message) is is_urgent


@pytest.mark.parametrize(
    ("phone", "number"),
    [
        ("020 7946 0999", "999"),
        ("+1 202 555 0143", "911"),
        ("+33 1 23 45 67 89", "15"),
        ("+49 30 123456", "112"),
        ("", "999"),
    ],
)
def test_the_emergency_number_is_that_of_the_pharmacys_country(phone, number):
    assert emergency_number(phone) == number


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_names_whom_to_call_and_claims_no_reader(language):
    words = red_flag_answer(language, "City Pharmacy", "020 7946 0999", "999")
    assert "999" in words and "020 7946 0999" in words and "City Pharmacy" in words
    counted = count_segments(words)
    assert counted.count <= (4 if language == "ar" else 2)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_to_free_text_names_whom_to_call_in_as_few_parts(language):
    words = free_text_answer(language, "City Pharmacy", "020 7946 0999", "999")
    assert all(part in words for part in ("City Pharmacy", "020 7946 0999", "999"))
    without_phone, without_reader = (
        free_text_answer(language, "City Pharmacy", "", "999"),
        nobody_reads_answer(language, "999"),
    )
    assert "  " not in without_phone and "999" in without_phone and "999" in without_reader
    assert {count_segments(text).count for text in (words, without_phone, without_reader)} <= (
        {3} if language == "ar" else {1, 2}
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_answer_of_a_pharmacy_without_a_number_ends_in_a_sentence(language):
    words = red_flag_answer(language, "City Pharmacy", "", "999")
    assert "  " not in words and words.endswith(".")
