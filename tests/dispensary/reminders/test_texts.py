"""The words, in every language: nothing revealed, nothing missing, known in length."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest

from dispensary.channels import STOP_KEY
from dispensary.models.reminders import ReminderKind
from dispensary.reminders.replies import is_stop
from dispensary.reminders.segments import count_segments
from dispensary.reminders.texts import (
    DETAILED_VARIABLES,
    LANGUAGES,
    LINK,
    PLAIN_VARIABLES,
    WayOut,
    key_answers,
    language_for,
    request_answer,
    say_date,
    say_number,
    say_tablets,
    stop_confirmation,
    template_of,
    variables_of,
    who_answer,
    words_in,
    write,
)

EVERY = [(language, kind) for language in LANGUAGES for kind in ReminderKind]
VALUES = {
    "sender": "City Pharmacy",
    "phone": "020 7946 0999",
    "medicine": "CANARYBACLOFEN",
    "before": "31415",
    "after": "27182",
    "tablets": "CANARYTABLETS",
    "strength": "16180",
    "emergency": "999",
}
CANARIES = ["CANARY", "31415", "27182", "16180"]
TELLING = ["baclofen", "lioresal", "mg", "ملغ", "dose", "dosis", "tablet", "comprim", "spas", "withdrawal"]


def text(kind, language, *, detailed, day=date(2026, 12, 3), **more):
    ways = {name: more.pop(name) for name in ("way_out", "typewritten", "letter") if name in more}
    values = {**VALUES, "date": say_date(day, language), **more}
    return write(kind, language, detailed=detailed, values=values, **ways)


def test_there_are_four_languages():
    assert LANGUAGES == ("ar", "en", "es", "fr")


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_the_plain_text_and_every_subject_name_no_medicine_dose_or_condition(language, kind):
    written = text(kind, language, detailed=False)
    subject = text(kind, language, detailed=True).subject
    for words in (written.subject, written.body, subject):
        assert not [canary for canary in CANARIES if canary in words]
        assert not [word for word in TELLING if word in words.casefold()]


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_every_text_names_the_sender_and_a_number_to_call(language, kind):
    for detailed in (True, False):
        written = text(kind, language, detailed=detailed)
        assert "City Pharmacy" in written.body and "020 7946 0999" in written.body


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_the_texts_ask_only_for_known_variables(language, kind):
    entry = words_in(language)[kind.value]
    assert variables_of(entry["plain"]) <= PLAIN_VARIABLES
    assert variables_of(entry["detailed"]) <= DETAILED_VARIABLES


@pytest.mark.parametrize(("language", "kind"), EVERY)
@pytest.mark.parametrize("way_out", [WayOut.REPLY, WayOut.CALL])
def test_a_plain_text_message_fits_one_segment_and_in_arabic_three(language, kind, way_out):
    written = text(kind, language, detailed=False, way_out=way_out, day=date(2026, 9, 23))  # as long as a date gets
    counted = count_segments(f"{written.body} {written.opt_out}")
    most, alphabet = (3, "UCS-2") if language == "ar" else (1, "GSM-7")
    assert counted.count <= most and counted.alphabet == alphabet


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_with_its_link_and_the_replies_it_takes_a_plain_text_message_fits_two_segments_and_in_arabic_four(
    language, kind
):
    written = text(kind, language, detailed=False, day=date(2026, 9, 23), letter="B")
    link = "https://rx.harbour.example/m/AbCdEfGhIjKl"
    counted = count_segments(" ".join(filter(None, (written.body, written.offer, link, written.opt_out))))
    most, alphabet = (4, "UCS-2") if language == "ar" else (2, "GSM-7")
    assert counted.count <= most and counted.alphabet == alphabet


@pytest.mark.parametrize(
    ("sender", "site", "in_two"),
    [
        (
            "Prairie Pharmacy",
            "https://rx.prairiepharmacy.example",
            {
                "refill_due",
                "refill_again",
                "run_out",
                "dose_change",
                "change_day",
                "step_check",
                "after_end",
                "supply_short",
                "papers_changed",
            },
        ),
        ("Prairie Rx", "https://prairie.example", {"step_check", "after_end"}),
        ("Prairie", "https://prr.example", {"after_end"}),
    ],
)
def test_in_the_united_states_a_short_name_and_address_bring_texts_to_one_segment(sender, site, in_two):
    """With link, replies and the way to end them, on a Wednesday in September."""
    more_than_one = set()
    for kind in ReminderKind:
        day = say_date(date(2026, 9, 23), "en", is_short=True)
        written = text(kind, "en", detailed=False, sender=sender, phone="555-010-0199", emergency="911", date=day)
        whole = " ".join(filter(None, (written.body, written.offer, f"{site}/m/AbCdEfGhIjKl", written.opt_out)))
        if count_segments(whole).count > 1:
            more_than_one.add(kind.value)
    assert more_than_one == in_two


@pytest.mark.parametrize("language", ["en", "es", "fr"])
def test_the_answers_to_requests_cost_no_more_for_their_accents(language):
    for answer in (request_answer(language, "City Pharmacy"), who_answer(language, "City Pharmacy", "A A.C., B B.C.")):
        counted = count_segments(answer)
        assert (counted.count, counted.alphabet) == (1, "GSM-7")


@pytest.mark.parametrize("language", LANGUAGES)
def test_replies_are_offered_only_where_they_are_read(language):
    for kind in ReminderKind:
        assert not text(kind, language, detailed=False, way_out=WayOut.CALL).offer
    offers = {kind for kind in ReminderKind if text(kind, language, detailed=False).offer}
    assert offers == {
        ReminderKind.REFILL_DUE, ReminderKind.REFILL_AGAIN, ReminderKind.CHANGE_DAY, ReminderKind.STEP_CHECK, ReminderKind.AFTER_END,
    }  # fmt: skip


@pytest.mark.parametrize(("language", "kind"), [pair for pair in EVERY if pair[0] != "ar"])
def test_no_accent_and_no_quotation_mark_of_ours_doubles_the_price_of_a_detailed_one(language, kind):
    params = {"medicine": words_in(language)["medicine"], "tablets": say_tablets((Decimal(15),), Decimal(10), language)}
    written = text(kind, language, detailed=True, **params)
    assert count_segments(f"{written.body} {written.opt_out}").alphabet == "GSM-7"


@pytest.mark.parametrize(
    "name", ["St Mary\u2019s Pharmacy", "\u201cCity\u201d Pharmacy \u2013 North", "City\u00a0Pharmacy\u2026"]
)
def test_a_printers_sign_in_a_pharmacys_name_does_not_double_the_price(name):
    assert count_segments(text(ReminderKind.RUN_OUT, "en", detailed=False, sender=name).body).alphabet == "GSM-7"
    assert (
        name in text(ReminderKind.RUN_OUT, "en", detailed=False, sender=name, typewritten=False).body
        or "\u00a0" in name
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_way_out_says_only_what_can_be_done(language):
    reply, link, call, keypad, chat = (
        text(ReminderKind.RUN_OUT, language, detailed=False, way_out=way).opt_out for way in WayOut
    )
    stop = {"ar": "توقف", "en": "STOP", "es": "BAJA", "fr": "ARRET"}[language]
    assert stop in reply and is_stop(stop) and link.endswith(":")
    assert stop not in call and stop not in link and stop not in keypad and STOP_KEY in keypad
    assert stop in chat


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_a_template_keeps_to_the_rules_of_whatsapp_and_says_what_the_plain_text_says(language, kind):
    template, names = template_of(kind, language)
    assert not template.startswith("{{") and not template.endswith("}}") and "}} {{" not in template
    assert len(template) < 1024 and not [word for word in TELLING if word in template.casefold()]
    assert re.findall(r"\{\{(\d+)\}\}", template.replace("{{1}}", "", template.count("{{1}}") - 1)) == [
        str(number) for number, _name in enumerate(names, 1)
    ]
    written = text(kind, language, detailed=False, way_out=WayOut.CHAT, typewritten=False)
    assert dict(written.places).keys() == set(names) and {"sender", LINK} <= set(names)
    assert all(words for name, words in written.places if name != LINK)


@pytest.mark.parametrize(("language", "kind"), EVERY)
def test_a_call_offers_exactly_the_keys_that_it_answers_and_names_no_medicine(language, kind):
    offer = text(kind, language, detailed=False, way_out=WayOut.KEYPAD).offer
    keys = key_answers(kind, language, sender="City Pharmacy", phone="020 7946 0999")
    assert set(re.findall(r"\d", offer)) | {STOP_KEY} == set(keys)
    assert not [word for word in TELLING if word in offer.casefold()] and all(keys.values())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("detailed", [False, True])
def test_what_asks_to_call_at_once_says_whom_while_the_pharmacy_is_closed(language, detailed):
    urgent = {
        ReminderKind.REFILL_AGAIN,
        ReminderKind.RUN_OUT,
        ReminderKind.MISSED_COLLECTION,
        ReminderKind.STEP_CHECK,
        ReminderKind.AFTER_END,
        ReminderKind.PAPERS_CHANGED,
    }
    named = {kind for kind in ReminderKind if "111" in text(kind, language, detailed=detailed, after_hours="111").body}
    assert named == urgent
    assert "after" not in text(ReminderKind.RUN_OUT, language, detailed=detailed).body


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_subject_of_a_letter_says_only_whether_a_call_is_urgent(language):
    subjects = {kind: text(kind, language, detailed=True).subject for kind in ReminderKind}
    kinds = (ReminderKind.RUN_OUT, ReminderKind.MISSED_COLLECTION, ReminderKind.PAPERS_CHANGED)
    urgent = {subjects[kind] for kind in kinds}
    assert len(urgent) == 1 and len(set(subjects.values())) == 2
    assert all("City Pharmacy" in subject for subject in subjects.values())


def test_no_text_is_wrong_when_it_is_read_a_day_late():
    """A run-out call may wait for the end of quiet hours, or for a provider: it names its day and never says "today, ..."."""
    for language, phrase in {"ar": "لهذا اليوم", "en": "today,", "es": "hoy,", "fr": "aujourd'hui,"}.items():
        for detailed in (True, False):
            assert phrase not in text(ReminderKind.RUN_OUT, language, detailed=detailed).body


@pytest.mark.parametrize(
    ("day", "language", "expected_words"),
    [
        (date(2026, 12, 3), "en", "Thursday 3 December"),
        (date(2026, 8, 1), "en", "Saturday 1 August"),
        (date(2026, 8, 1), "es", "sábado 1 de agosto"),
        (date(2026, 8, 1), "fr", "samedi 1er août"),
        (date(2026, 8, 11), "fr", "mardi 11 août"),
        (date(2026, 12, 3), "ar", "الخميس 3 ديسمبر"),
    ],
)
def test_a_date_carries_its_weekday_as_it_is_said(day, language, expected_words):
    assert say_date(day, language) == expected_words


@pytest.mark.parametrize(
    ("day", "language", "expected_words"),
    [
        (date(2026, 12, 3), "en", "Thu 3 Dec"),
        (date(2026, 8, 1), "es", "sáb 1 ago"),
        (date(2026, 8, 1), "fr", "samedi 1er août"),
        (date(2026, 12, 3), "ar", "الخميس 3 ديسمبر"),
    ],
)
def test_a_date_is_short_in_a_text_message_where_that_is_clear(day, language, expected_words):
    assert say_date(day, language, is_short=True) == expected_words


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_speaks_of_a_plan_or_a_delivery(language):
    odd = {
        "ar": "خطت|صرف|وصفتك",
        "en": r"\bplan\b|next step",
        "es": r"\bplan\b|entrega|receta",
        "fr": r"\bplan\b|attendu le|étape",
    }[language]
    for kind in ReminderKind:
        assert not re.search(odd, text(kind, language, detailed=False).body), kind


@pytest.mark.parametrize("language", ["en", "es", "fr"])
@pytest.mark.parametrize("kind", ReminderKind)
def test_no_day_of_the_year_makes_a_plain_text_message_longer(language, kind):
    days = (date(2026, 1, 1) + timedelta(days=n) for n in range(365))
    assert {count_segments(text(kind, language, detailed=False, day=day).body).alphabet for day in days} == {"GSM-7"}


def test_in_french_a_day_has_its_article():
    undated = {kind for kind in ReminderKind if "{date}" not in words_in("fr")[kind.value]["plain"]}
    assert undated == {
        ReminderKind.READY,
        ReminderKind.OWING_READY,
        ReminderKind.PRESCRIBER_ASKED,
        ReminderKind.SUPPLY_SHORT,
    }
    for kind in set(ReminderKind) - undated:
        for detailed in (True, False):
            assert " le jeudi" in (body := text(kind, "fr", detailed=detailed).body) or "du jeudi" in body


@pytest.mark.parametrize("kind", ReminderKind)
def test_arabic_keeps_a_telephone_number_and_a_latin_name_in_their_own_direction(kind):
    for detailed in (True, False):
        body = text(kind, "ar", detailed=detailed).body
        assert body.startswith("\u200f\u2068City Pharmacy\u2069") and "\u2066020 7946 0999\u2069" in body
    assert "\u2068City Pharmacy\u2069" in stop_confirmation("ar", "City Pharmacy")


def test_an_arabic_name_does_not_turn_an_english_text_around():
    assert text(ReminderKind.RUN_OUT, "en", detailed=False, sender="صيدلية المدينة").body.startswith(
        "\u2068صيدلية المدينة\u2069: by"
    )
    assert "\u2068" not in text(ReminderKind.RUN_OUT, "en", detailed=False).body


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_change_of_dose_in_detail_tells_old_dose_new_dose_and_tablets(language):
    body = text(ReminderKind.DOSE_CHANGE, language, detailed=True).body
    assert all(detail in body for detail in ("31415", "27182", "CANARYTABLETS", "16180"))


def test_a_detailed_text_without_its_facts_falls_back_to_the_plain_one():
    values = {"sender": "City Pharmacy", "phone": "1", "date": "today"}
    assert write(ReminderKind.DOSE_CHANGE, "en", detailed=True, values=values).body.startswith(
        "City Pharmacy: your medicine changes"
    )


def test_a_line_break_in_a_value_cannot_start_a_header():
    values = {**VALUES, "sender": "City\r\nBcc: all@example.org", "date": "today"}
    assert "\n" not in write(ReminderKind.RUN_OUT, "en", detailed=False, values=values).subject


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_key_that_english_has(language):
    def keys(table, prefix=""):
        return {
            f"{prefix}{key}"
            for key, value in table.items()
            for key in ([key] if not isinstance(value, dict) else keys(value, f"{key}."))
        }

    assert keys(words_in(language)) == keys(words_in("en"))


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
def test_halves_are_said_inwords_in(mg, words):
    assert say_tablets((Decimal(mg),), Decimal(10), "en") == words


def test_arabic_counts_tablets_with_its_own_plurals():
    phrases = [say_tablets((Decimal(mg),), Decimal(10), "ar") for mg in (5, 10, 20, 30, 110)]
    assert phrases == ["نصف قرص", "قرص واحد", "قرصان", "3 أقراص", "11 قرصا"]


def test_a_dose_that_no_half_tablet_makes_is_not_put_into_tablets():
    assert say_tablets((Decimal("7.5"),), Decimal(10), "en") is None
    assert say_tablets((), Decimal(10), "en") is None


def test_half_a_milligram_has_the_decimal_sign_of_the_language():
    numbers = {language: say_number(Decimal("12.50"), language) for language in LANGUAGES}
    assert numbers == {"ar": "12.5", "en": "12.5", "es": "12,5", "fr": "12,5"}


@pytest.mark.parametrize(
    ("asked_language", "fallback", "language"),
    [("fr-CA", "en", "fr"), ("es_MX", "en", "es"), ("de", "fr", "fr"), ("de", "pl", "en"), ("", "ar", "ar")],
)
def test_the_language_falls_back_from_region_to_language_to_the_pharmacys(asked_language, fallback, language):
    assert language_for(asked_language, fallback) == language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ReminderKind)
@pytest.mark.parametrize("detailed", [False, True])
def test_a_pharmacy_without_a_number_sends_no_sentence_that_ends_in_nothing(language, kind, detailed):
    values = {
        "sender": "City Pharmacy", "phone": "", "date": "6 December", "medicine": "baclofen", "before": "30",
        "after": "25", "tablets": "2 tablets", "strength": "10", "emergency": "999",
    }  # fmt: skip
    body = write(kind, language, detailed=detailed, values=values).body
    assert not re.search(r"[:،؟]\s*[.\u2069]|\s\.|: *$", body), body
    assert re.search(r"\w[.)\u2069]*\.$", body), body
