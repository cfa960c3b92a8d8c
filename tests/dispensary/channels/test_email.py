"""E-mail against a real SMTP server: what each of its moods means for the message."""

import time
import uuid

import pytest

from dispensary.channels import Accepted, Fault, Message, Refused, Unknown
from dispensary.channels.email import Email
from tests.dispensary.channels.servers import black_hole, cuts_in_mid_data, mail_server, scripted

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


PAGE = {"page_words": "What we will send you:", "page_url": "https://pharmacy.example/m/xyz"}


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


def test_a_letter_bears_the_pharmacys_name_and_is_answered_to_the_pharmacy(server, channel):
    channel.send(message(sender="Farmàcia, Harbour", reply_to="desk@harbour.example"))
    channel.send(message())
    letter, other = server.taken
    assert letter["From"].addresses[0].display_name == "Farmàcia, Harbour"
    assert letter["From"].addresses[0].addr_spec == "reminders@pharmacy.example"
    assert letter["Reply-To"] == "desk@harbour.example" and other["Reply-To"] is None


def test_the_line_to_the_patients_page_stands_between_the_words_and_the_way_out(server, channel):
    channel.send(message(**PAGE))
    words = server.taken[0].get_body(("plain",)).get_content()
    assert words.index("please call us") < words.index("/m/xyz") < words.index("/u/abc")


@pytest.mark.parametrize(("language", "direction"), [("en", "ltr"), ("ar", "rtl")])
def test_a_letter_with_a_page_has_a_second_part_with_one_button(server, channel, language, direction):
    channel.send(message(**PAGE, language=language, sender="<b>City</b> Pharmacy", body="Call us: <script>."))
    letter = server.taken[0]
    html = letter.get_body(("html",)).get_content()
    assert f'lang="{language}" dir="{direction}"' in html and "&lt;script&gt;" in html and "<script" not in html
    assert html.count("display:inline-block") == 1 and 'href="https://pharmacy.example/m/xyz"' in html
    assert "<img" not in html and "src=" not in html, "nothing is fetched when it is read"
    assert letter["Content-Transfer-Encoding"] in {None, "7bit"}


def test_a_letter_without_a_page_is_plain(server, channel):
    channel.send(message())
    assert server.taken[0].get_content_type() == "text/plain"


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


# --- what a server says about us, and not about the patient ---


@pytest.mark.parametrize(
    ("answers", "answer"),
    [
        ({"greeting": "554 5.7.1 Your network is blocked"}, Refused(Fault.MISCONFIGURED, LATER)),
        ({"greeting": "421 4.3.2 Too many connections"}, Refused(Fault.BUSY, LATER)),
        ({"greeting": None}, Refused(Fault.UNREACHABLE, LATER)),
        ({"EHLO": "502 no", "HELO": "550 Who are you?"}, Refused(Fault.MISCONFIGURED, LATER)),
        ({"MAIL": "530 5.7.0 Authentication required"}, Refused(Fault.MISCONFIGURED, LATER)),
        ({"MAIL": "550 5.7.1 Sender address rejected"}, Refused(Fault.MISCONFIGURED, LATER)),
        ({"MAIL": "451 4.7.1 Greylisted"}, Refused(Fault.BUSY, LATER)),
        ({"RCPT": "550 5.7.1 Relaying denied"}, Refused(Fault.MISCONFIGURED, LATER)),
        ({"RCPT": "554 5.7.1 Client host blocked"}, Refused(Fault.MISCONFIGURED, LATER)),
        ({"RCPT": "550 5.1.1 No such user"}, Refused(Fault.BAD_ADDRESS, NEVER)),
        ({"RCPT": "550 No such user"}, Refused(Fault.BAD_ADDRESS, NEVER)),
        ({"RCPT": "552 5.2.2 Mailbox full"}, Refused(Fault.REJECTED, NEVER)),
        ({"RCPT": "452 4.2.2 Mailbox full"}, Refused(Fault.BUSY, LATER)),
        ({"DATA": "451 Not now"}, Refused(Fault.BUSY, LATER)),
        ({"DATA": "554 No"}, Refused(Fault.REJECTED, NEVER)),
        ({"DATA": None}, Refused(Fault.UNREACHABLE, LATER)),
        ({"words": "554 5.7.1 Looks like spam"}, Refused(Fault.REJECTED, NEVER)),
        ({"words": "452 4.3.1 Out of storage"}, Refused(Fault.BUSY, LATER)),
        ({"words": None}, Unknown()),
    ],
)  # fmt: skip
def test_what_is_refused_before_a_patient_is_named_is_set_right_by_us_and_sent_again(
    settings, channel, answers, answer
):
    with scripted(answers) as server:
        use(settings, server.port)
        assert channel.send(message()) == answer


@pytest.mark.parametrize(
    "answers",
    [
        {"EHLO": "250 mx"},  # no STARTTLS where we insist on it
        {"EHLO": "250-mx\r\n250 STARTTLS", "STARTTLS": "454 4.7.0 TLS not available"},
        {"EHLO": "250-mx\r\n250 STARTTLS", "STARTTLS": "220 go\r\n250 no TLS at all"},
        {"EHLO": "250-mx\r\n250 STARTTLS", "STARTTLS": None},
    ],
)
def test_without_the_encryption_that_we_insist_on_nothing_is_said(settings, channel, answers):
    with scripted(answers) as server:
        use(settings, server.port)
        settings.EMAIL_USE_TLS = True
        answer = channel.send(message())
    assert isinstance(answer, Refused) and not answer.permanent
    assert not [command for command in server.heard if command.upper().startswith(("MAIL", "RCPT", "AUTH", "DATA"))]


def test_a_certificate_that_nobody_signed_is_ours_to_set_right(settings, channel):
    with mail_server(certificate=True) as server:
        use(settings, server.port)
        settings.EMAIL_USE_TLS = True
        assert channel.send(message()) == Refused(Fault.MISCONFIGURED, LATER) and not server.taken


@pytest.mark.parametrize("reply", ["535 5.7.8 Bad credentials", "534 5.7.9 Too weak", "454 4.7.0 Try later"])
def test_a_sign_in_that_fails_costs_no_patients_address(settings, channel, reply):
    with scripted({"EHLO": "250-mx\r\n250 AUTH PLAIN", "AUTH": reply}) as server:
        use(settings, server.port)
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "user", "wrong"
        answer = channel.send(message())
    assert isinstance(answer, Refused) and not answer.permanent and answer.fault in {Fault.MISCONFIGURED, Fault.BUSY}


def test_a_server_that_is_slow_at_every_step_does_not_hold_us_beyond_our_time(settings, channel):
    """A lease outlives a send by the channel's own time limit: greeting, sign-in and all must fit into it."""
    with scripted(slowly=0.7) as server:
        use(settings, server.port)
        settings.EMAIL_TIMEOUT = 10
        began = time.monotonic()
        assert channel.send(message()) == Refused(Fault.UNREACHABLE, LATER)
        assert time.monotonic() - began < 2 + 2 + 1  # its seconds, those for QUIT, and what the machine needs


# --- the letter ---


def test_no_byte_of_a_letter_needs_a_server_that_knows_eight_bits(settings, channel):
    with scripted({"EHLO": "250 mx"}) as server:
        use(settings, server.port)
        assert channel.send(message(subject="رسالة", body="اتصل بنا ✓ naïve", language="ar")) == Accepted()
    [letter] = server.letters
    assert letter.isascii() and b"quoted-printable" in letter
    assert max(len(line) for line in letter.split(b"\r\n")) <= 998
    assert not [command for command in server.heard if "8BITMIME" in command or "SMTPUTF8" in command]


def test_a_domain_in_any_script_is_written_as_the_mail_system_knows_it(settings, channel):
    with scripted() as server:
        use(settings, server.port)
        assert channel.send(message(to="ann@exämple.org")) == Accepted()
    assert "RCPT TO:<ann@xn--exmple-cua.org>" in [command.replace("rcpt", "RCPT") for command in server.heard]


def test_a_mailbox_outside_ascii_is_refused_and_not_written_to_another_one(server, channel):
    assert channel.send(message(to="jörg@example.org")) == Refused(Fault.BAD_ADDRESS, NEVER)
    assert not server.taken


def test_the_number_of_a_letter_is_that_of_the_intent_however_often_it_is_sent(server, channel):
    first = message()
    channel.send(first)
    channel.close()
    channel.send(first)
    assert len({letter["Message-ID"] for letter in server.taken}) == 1


def test_a_letter_is_plain_text_and_nothing_else(server, channel):
    channel.send(message())
    assert server.taken[0].get_content_type() == "text/plain" and not server.taken[0].is_multipart()


@pytest.mark.parametrize("field", ["subject", "to"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_break_starts_no_header(server, channel, field, end):
    answer = channel.send(message(**{field: f"ann@example.org{end}Bcc: all@example.org"}))
    assert isinstance(answer, Refused) and answer.permanent and not server.taken
