"""GOV.UK Notify's letters: address lines, heading and words in one call; errors about addresses; no callbacks."""

import pytest

from dispensary.channels import Accepted, BadSignature, Fault, Refused
from dispensary.channels.govuk_notify_letters import GovukNotifyLetters
from tests.dispensary.channels.providers import Notify, message, running

ADDRESS = "Ann Canary\n12 Mill Lane\nOxford\nOX1 2AB"


def channel_at(url):
    options = {"api_key": Notify.API_KEY, "template_id": Notify.TEMPLATE, "base_url": url, "read": 1}
    return GovukNotifyLetters(options)


@pytest.fixture
def notify():
    with running(Notify()) as provider:
        yield provider


@pytest.fixture
def channel(notify):
    made = channel_at(notify.url)
    yield made
    made.close()


def test_a_letter_is_one_call_with_its_address_by_lines(notify, channel):
    letter = message(to=ADDRESS, subject="Please call us", opt_out="")
    answer = channel.send(letter)
    [(number, payload)] = notify.taken.items()
    assert answer == Accepted(number) and len(notify.calls) == 1
    assert payload["reference"] == str(letter.key)
    assert payload["personalisation"] == {
        "address_line_1": "Ann Canary",
        "address_line_2": "12 Mill Lane",
        "address_line_3": "Oxford",
        "address_line_4": "OX1 2AB",
        "heading": "Please call us",
        "message": letter.text,
    }


@pytest.mark.parametrize(
    ("mood", "answer"),
    [
        ("no-place", Refused(Fault.BAD_ADDRESS, True)),
        ("no-letters", Refused(Fault.MISCONFIGURED, False)),
    ],
)
def test_errors_tell_a_wrong_address_from_a_wrong_service(notify, channel, mood, answer):
    notify.mood = mood
    assert channel.send(message(to=ADDRESS)) == answer


def test_a_lost_answer_is_looked_up_among_letters(notify, channel):
    letter = message(to=ADDRESS)
    accepted = channel.send(letter)
    assert channel.look_up(letter.key) == accepted
    assert "template_type=letter" in notify.calls[-1][1]


def test_no_call_about_letters_is_believed(channel):
    assert not channel.takes_replies and not channel.can_fetch_receipt
    with pytest.raises(BadSignature):
        channel.read_webhook({}, b"{}", 0)
