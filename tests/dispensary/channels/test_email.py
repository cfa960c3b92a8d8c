"""E-mail against a real SMTP server: what each of its moods means for the message."""

import time
import uuid

import pytest

from dispensary.channels import Accepted, Fault, Message, Refused, Unknown
from dispensary.channels.email import Email
from tests.dispensary.channels.servers import black_hole, cuts_in_mid_data, mail_server

LATER, NEVER = False, True


def message(**more):
    values = {
        "key": uuid.uuid4(),
        "to": "ann@example.org",
        "sender": "City Pharmacy",
        "subject": "A message from City Pharmacy",
        "body": "City Pharmacy: please call us.",
        "opt_out": "To stop these messages:",
        "stop_url": "https://pharmacy.example/u/abc",
    }
    return Message(**{**values, **more})


@pytest.fixture
def server(settings):
    with mail_server() as running:
        use(settings, running.port)
        yield running


def use(settings, port):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = "127.0.0.1", port, 1
    settings.EMAIL_USE_TLS = False


@pytest.fixture
def channel():
    made = Email({"seconds": 2, "from_email": "City Pharmacy <reminders@pharmacy.example>"})
    yield made
    made.close()


def test_a_kind_server_takes_it_with_its_headers(server, channel):
    sent = message()
    assert channel.send(sent) == Accepted()
    letter = server.taken[0]
    assert letter["Message-ID"] == f"<{sent.key}@pharmacy.example>"
    assert letter["List-Unsubscribe"] == "<https://pharmacy.example/u/abc>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert "https://pharmacy.example/u/abc" in letter.get_content()


def test_the_line_to_the_patients_page_stands_between_the_words_and_the_way_out(server, channel):
    channel.send(message(page="What we will send you: https://pharmacy.example/m/xyz"))
    words = server.taken[0].get_content()
    assert words.index("please call us") < words.index("/m/xyz") < words.index("/u/abc")


def test_without_a_page_of_ours_a_mail_says_how_else_to_end_it(server, channel):
    channel.send(message(stop_url="", opt_out="To end these messages, call us."))
    letter = server.taken[0]
    assert "List-Unsubscribe" not in letter and "List-Unsubscribe-Post" not in letter
    assert letter.get_content().rstrip().endswith("To end these messages, call us.")


def test_one_click_is_promised_over_https_only(server, channel):
    channel.send(message(stop_url="http://127.0.0.1:8000/u/abc"))
    assert server.taken[0]["List-Unsubscribe"] == "<http://127.0.0.1:8000/u/abc>"
    assert "List-Unsubscribe-Post" not in server.taken[0]


def test_both_headers_of_one_click_leave_in_one_piece_for_the_signature_that_covers_them(server, channel):
    channel.send(message(stop_url="https://pharmacy.example/u/" + "a" * 90))
    raw = server.seen[0].decode()
    head = raw.partition("\r\n\r\n")[0].replace("\r\n ", " ")
    lines = [line for line in head.split("\r\n") if line.startswith("List-Unsubscribe")]
    assert len(lines) == 2 and lines[1] == "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    assert lines[0].split() == ["List-Unsubscribe:", f"<https://pharmacy.example/u/{'a' * 90}>"]


def test_the_connection_is_kept_between_messages(server, channel):
    for _ in range(5):
        assert channel.send(message()) == Accepted()
    assert server.logins == 1 and len(server.taken) == 5


def test_arabic_arrives_as_it_was_written(server, channel):
    channel.send(message(subject="رسالة من الصيدلية", body="اتصل بنا اليوم", language="ar"))
    # A long encoded word may be folded before its first letter (RFC 5322 2.2.3); that blank is not part of the subject.
    assert (
        server.taken[0]["Subject"].lstrip() == "رسالة من الصيدلية" and "اتصل بنا اليوم" in server.taken[0].get_content()
    )


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        ("no-such-user", Refused(Fault.BAD_ADDRESS, NEVER)),
        ("greylist", Refused(Fault.BUSY, LATER)),
        ("busy", Refused(Fault.BUSY, LATER)),
        ("spam", Refused(Fault.REJECTED, NEVER)),
        ("drop-at-rcpt", Refused(Fault.UNREACHABLE, LATER)),
        ("drop-after-data", Unknown()),
        ("take-and-drop", Unknown()),
    ],
)
def test_each_mood_of_the_server_has_its_answer(server, channel, mood, answer):
    server.mood = mood
    assert channel.send(message()) == answer


@pytest.mark.parametrize("mood", ["greylist", "no-such-user", "drop-at-rcpt", "drop-after-data"])
def test_after_a_bad_one_the_next_message_still_goes(server, channel, mood):
    server.mood = mood
    channel.send(message())
    server.mood = "kind"
    assert channel.send(message()) == Accepted()


def test_silence_after_the_words_leaves_us_in_doubt_and_ends_in_time(server, channel):
    server.mood, began = "silent-after-data", time.monotonic()
    assert channel.send(message()) == Unknown()
    assert time.monotonic() - began < channel.timeout.total_seconds()


def test_silence_before_the_words_is_tried_again(server, channel):
    server.mood = "slow-rcpt"
    assert channel.send(message()) == Refused(Fault.UNREACHABLE, LATER)


def test_a_slow_but_kind_server_is_waited_for(server, channel):
    server.mood = "delay"
    assert channel.send(message()) == Accepted()


def test_a_line_cut_in_mid_data_leaves_us_in_doubt(settings, channel):
    with cuts_in_mid_data() as port:
        use(settings, port)
        assert channel.send(message(body="x" * 2_000_000)) == Unknown()


def test_nobody_listening_is_tried_again(settings, channel):
    use(settings, 1)
    assert channel.send(message()) == Refused(Fault.UNREACHABLE, LATER)


def test_a_server_that_never_answers_is_given_up_in_time(settings, channel):
    with black_hole() as port:
        use(settings, port)
        began = time.monotonic()
        assert channel.send(message()) == Refused(Fault.UNREACHABLE, LATER)
        assert time.monotonic() - began < channel.timeout.total_seconds()


def test_an_address_that_would_start_a_header_is_no_message(server, channel):
    answer = channel.send(message(to="ann@example.org\nBcc: all@example.org"))
    assert answer == Refused(Fault.REJECTED, NEVER) and not server.taken
