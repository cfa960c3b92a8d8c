"""Replies: what ends the messages, what begins them again, and what can wait for hours."""

import pytest

from dispensary.reminders.red_flags import is_red_flag
from dispensary.reminders.replies import is_ordinary, is_start, is_stop, says_more
from tests.dispensary.reminders.learning import read_replies


@pytest.mark.parametrize(
    "reply",
    [
        "STOP",
        " stop. ",
        "Stop sending me these",
        "BAJA",
        "Arrêt",
        "ARRET",
        "توقف",
        "unsubscribe",
        "\u201cstop\u201d",
        "Stop!please",
        "ARRE\u0302T",
        "ÉFIN"[1:],
        "\u200fتوقف\u200f",
        "تَوَقَّف",
        "توقـف",
        "ايقاف",
        "إيقاف",
        "الغاء",
        "ＳＴＯＰ",
        "\n\tstop\n",
        "... stop",
        "Opt out",
        "OPT-OUT",
        "optout",
        "Désabonner",
        "DESABONNER",
        "stopall",
        "- Quit -",
    ],
)
def test_a_reply_that_is_a_stop_phrase_stops_and_nobody_need_read_it(reply):
    assert is_stop(reply) and not says_more(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Please stop",
        "stop pls",
        "STOP ALL",
        "Stop stop STOP!!!",
        "STOP. Stop. Thank you",
        "Stop, thanks",
        "Please, stop.",
        "no more texts",
        "No more messages please!",
        "DON\u2019T TEXT ME",
        "dont text me again",
        "Take me off your list",
        "ne menvoyez plus de messages",
        "STOP \U0001f6d1",
        "\U0001f64f Please stop \U0001f64f",
        "\u2018STOP\u2019",
        "\u00abSTOP\u00bb",
        "STOP/ARRET",
        "End",
        "Cancel",
        "FIN.",
        "Arrêtez les messages svp",
        "S\u2019il vous plaît, arrêtez",
        "je ne veux plus de sms, merci",
        "No quiero más mensajes",
        "¡Basta! Gracias",
        "por favor no me envíen mas mensajes",
        "darme de baja",
        "أوقفوا الرسائل من فضلكم",
        "لا أريد رسائل، شكراً",
        "الغاء الاشتراك",
    ],
)
def test_politeness_repetition_and_marks_leave_a_stop_phrase_what_it_is(reply):
    assert is_stop(reply) and not says_more(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   ",
        "please do not stop",
        "stopping by tomorrow",
        "yes",
        "\u202e",
        "opt",
        "out",
        "opt in",
        "non-stop",
        "!?",
        "please",
        "END of my tablets, none left",
        "End of the week is fine, thanks",
        "Cancel my appointment on Tuesday",
        "Cancel that, I meant I need MORE tablets",
        "I had to stop baclofen suddenly",
        "Stop taking baclofen? Is it ok?",
        "Stop?",
        "Stop the baclofen",
        "QUIT smoking advice please",
        "no more tablets",
        "No more",
        "opt out and call me",
        "Stop I have none left",
        "Stopped yesterday, shaking",
        "\u201cSTOP\u201d said my doctor",
        "Fin de semana puedo pasar?",
        "Alto dolor, no puedo caminar",
        "Parar el dolor?",
        "Baja presión desde ayer",
        "¿Parar?",
        "Pare de tomar las pastillas",
        "Suspender el baclofeno?",
        "Annuler mon rendez-vous svp",
        "Fin de la boîte, plus de comprimés",
        "J\u2019ai dû arrêter le baclofène",
        "Arrêter le traitement ?",
        "plus de messages",
        "توقف عن تناول الدواء؟",
        "إلغاء موعدي",
        "توقف قلبي",
        "قف؟",
    ],
)
def test_a_reply_about_something_else_is_left_to_a_person(reply):
    assert not is_stop(reply) and not says_more(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "stop, I have none left",
        "STOP. I have none left",
        "Stop - none left",
        "Stop: I am shaking",
        "STOP (wrong number)",
        "STOP\nMary Jones",
        "Please stop. Call me?",
        "Arrêt : je tremble",
        "Arrêtez les messages, je n\u2019ai plus de comprimés",
        "BAJA, no me quedan pastillas",
        "Basta! estoy temblando",
        "توقف، لم يبق عندي دواء",
    ],
)
def test_what_is_said_behind_a_stop_phrase_is_read_by_a_person_too(reply):
    assert is_stop(reply) and says_more(reply)


@pytest.mark.parametrize(
    "reply", ["START", "start.", "UNSTOP", "Please resume", "Alta", "REANUDAR", "Reprendre svp", "ابدأ"]
)
def test_a_start_phrase_asks_for_the_messages_again(reply):
    assert is_start(reply) and not is_stop(reply) and not says_more(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Start of the week is fine",
        "Can I start again?",
        "start baclofen tomorrow",
        "Alta presión",
        "don't start",
        "yes",
        "",
    ],
)
def test_a_reply_that_only_begins_like_a_start_is_left_to_a_person(reply):
    assert not is_start(reply)


def test_what_is_said_behind_a_start_phrase_is_read_by_a_person_too():
    assert is_start("Start. I have a new number") and says_more("Start. I have a new number")


@pytest.mark.parametrize(
    "reply",
    ["YES please", "ok, thanks", "Collected. Thank you!", "sí, gracias", "D’accord, merci", "تمام شكرا", "\U0001f44d"],
)
def test_a_yes_or_a_thank_you_is_ordinary(reply):
    assert is_ordinary(reply)


@pytest.mark.parametrize(
    "reply", ["yes but I feel odd", "Ok?", "No", "collected?", "thanks, I feel sick", "3", "no gracias"]
)
def test_what_says_anything_else_is_not(reply):
    assert not is_ordinary(reply)


def test_nothing_that_cannot_wait_is_ordinary():
    assert [reply for reply in read_replies() if reply.is_urgent and is_ordinary(reply.text)] == []
    assert not is_red_flag("ok, thanks")
