"""The words, in every language: nothing revealed, nothing missing, known in length."""

from datetime import date
from decimal import Decimal

import pytest

from dispensary.reminding import LANGUAGES, Kind, count_segments, is_stop, language_for, write
from dispensary.reminding.words import (
    DETAILED_VARIABLES,
    PLAIN_VARIABLES,
    _words,
    say_date,
    say_number,
    say_tablets,
    variables_of,
)

EVERY = [(language, kind) for language in LANGUAGES for kind in Kind]
VALUES = {
    "sender": "City Pharmacy",
    "phone": "020 7946 0999",
    "medicine": "CANARYBACLOFEN",
    "before": "31415",
    "after": "27182",
    "tablets": "CANARYTABLETS",
    "strength": "16180",
}
CANARIES = ["CANARY", "31415", "27182", "16180"]
TELLING = ["baclofen", "lioresal", "mg", "ملغ", "dose", "dosis", "tablet", "comprim", "spas", "withdrawal"]


def text(kind, language, *, detailed, medium="sms"):
    values = {**VALUES, "date": say_date(date(2026, 12, 3), language)}
    return write(kind, language, detailed=detailed, values=values, medium=medium)


def test_there_are_four_languages():
    assert LANGUAGES == ("ar", "en", "es", "fr")


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_the_plain_text_and_every_subject_name_no_medicine_dose_or_condition(language, kind):
    written = text(kind, language, detailed=False)
    subject = text(kind, language, detailed=True).subject
    for told in (written.subject, written.body, subject):
        assert not [canary for canary in CANARIES if canary in told]
        assert not [word for word in TELLING if word in told.casefold()]


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_every_text_names_the_sender_and_a_number_to_call(language, kind):
    for detailed in (True, False):
        written = text(kind, language, detailed=detailed)
        assert "City Pharmacy" in written.body and "020 7946 0999" in written.body


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_the_texts_ask_only_for_known_variables(language, kind):
    entry = _words(language)[kind.value]
    assert variables_of(entry["plain"]) <= PLAIN_VARIABLES
    assert variables_of(entry["detailed"]) <= DETAILED_VARIABLES


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_a_plain_text_message_fits_one_segment_in_english_and_three_elsewhere(language, kind):
    written = text(kind, language, detailed=False)
    whole = f"{written.body} {written.opt_out}"
    assert count_segments(whole).count <= (1 if language == "en" else 3), whole


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_change_of_dose_in_detail_tells_old_dose_new_dose_and_tablets(language):
    body = text(Kind.DOSE_CHANGE, language, detailed=True).body
    assert all(told in body for told in ("31415", "27182", "CANARYTABLETS", "16180"))


def test_a_detailed_text_without_its_facts_falls_back_to_the_plain_one():
    values = {"sender": "City Pharmacy", "phone": "1", "date": "today"}
    assert write(Kind.DOSE_CHANGE, "en", detailed=True, values=values).body.startswith("City Pharmacy: your plan moves")


def test_a_line_break_in_a_value_cannot_start_a_header():
    values = {**VALUES, "sender": "City\r\nBcc: all@example.org", "date": "today"}
    assert "\n" not in write(Kind.RUN_OUT, "en", detailed=False, values=values).subject


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_key_that_english_has(language):
    def keys(table, prefix=""):
        return {
            f"{prefix}{key}"
            for key, value in table.items()
            for key in ([key] if not isinstance(value, dict) else keys(value, f"{key}."))
        }

    assert keys(_words(language)) == keys(_words("en"))


@pytest.mark.parametrize(
    ("mg", "words"),
    [
        ("5", "half a tablet"),
        ("10", "1 tablet"),
        ("15", "1 and a half tablets"),
        ("20", "2 tablets"),
        ("35", "3 and a half tablets"),
    ],
)
def test_halves_are_said_in_words(mg, words):
    assert say_tablets((Decimal(mg),), Decimal(10), "en") == words


def test_arabic_counts_tablets_with_its_own_plurals():
    said = [say_tablets((Decimal(mg),), Decimal(10), "ar") for mg in (5, 10, 20, 30, 110)]
    assert said == ["نصف قرص", "قرص واحد", "قرصان", "3 أقراص", "11 قرصا"]


def test_a_dose_that_no_half_tablet_makes_is_not_put_into_tablets():
    assert say_tablets((Decimal("7.5"),), Decimal(10), "en") is None
    assert say_tablets((), Decimal(10), "en") is None


@pytest.mark.parametrize(("given", "said"), [("5.00", "5"), ("12.50", "12.5"), ("100", "100"), ("1E+2", "100")])
def test_numbers_carry_no_trailing_zero(given, said):
    assert say_number(Decimal(given)) == said


@pytest.mark.parametrize(
    "reply",
    ["STOP", " stop. ", "Stop sending me these", "BAJA", "Arrêt", "ARRET", "توقف", "unsubscribe", "“stop”".strip("“”")],
)
def test_a_reply_that_begins_with_a_stop_word_stops(reply):
    assert is_stop(reply)


@pytest.mark.parametrize("reply", ["", "   ", "please do not stop", "stopping by tomorrow", "yes", "\u202e"])
def test_other_replies_do_not_stop(reply):
    assert not is_stop(reply)


@pytest.mark.parametrize(
    ("wanted", "fallback", "language"),
    [("fr-CA", "en", "fr"), ("es_MX", "en", "es"), ("de", "fr", "fr"), ("de", "pl", "en"), ("", "ar", "ar")],
)
def test_the_language_falls_back_from_region_to_language_to_the_pharmacys(wanted, fallback, language):
    assert language_for(wanted, fallback) == language
