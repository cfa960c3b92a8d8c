"""The list of what patients read holds each text as it is, so that a native reader judges what is sent."""

import os

from tests.dispensary.reading import LANGUAGES, LIST, read_judgements, read_texts, write_list


def test_the_list_of_texts_is_that_of_the_language_files():
    content = LIST.read_text(encoding="utf-8") if LIST.exists() else ""
    if os.environ.get("REWRITE_READING"):
        LIST.write_text(write_list(read_judgements(content)), encoding="utf-8")
        content = LIST.read_text(encoding="utf-8")
    assert content == write_list(read_judgements(content))
    assert {place.language for place, _text in read_judgements(content)} == set(LANGUAGES)
    assert len(read_judgements(content)) == len(read_texts())


def test_a_text_that_changes_loses_its_judgement_and_another_keeps_it():
    content = LIST.read_text(encoding="utf-8")
    (place, text), *others = read_judgements(content)
    given = {(place, text): ("clear", "Ana, 1 December 2026: good"), (others[0][0], "other words"): ("clear", "good")}
    judgements = read_judgements(write_list(given))
    assert judgements[place, text] == ("clear", "Ana, 1 December 2026: good")
    assert judgements[others[0]] == ("", "")
