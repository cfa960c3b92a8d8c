"""Nobody is told to reply STOP where no reply arrives."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from dispensary.channels.gateway import Gateway
from dispensary.channels.govuk_notify import GovukNotify
from dispensary.channels.nhs_notify import NhsNotify
from dispensary.channels.twilio import Twilio
from dispensary.channels.vonage import Vonage
from tests.dispensary.channels.providers import private_key
from tests.dispensary.channels.test_nhs_notify import options_at

KEY = private_key()
LONG = "a-secret-of-more-than-twenty-characters"
GATEWAY = {"url": "http://127.0.0.1:1/", "secret": "s"}
TWILIO = {
    "account_sid": "AC1",
    "auth_token": "t",
    "from": "+447700900000",
    "webhook_url": "https://p.example/hooks/twilio",
}
VONAGE = {"application_id": "a", "private_key": KEY[1], "from": "447700900000", "signature_secret": LONG}
NOTIFY = {"api_key": f"key-{'0' * 8}-0000-0000-0000-{'0' * 12}-{'1' * 8}-1111-1111-1111-{'1' * 12}", "template_id": "t",
          "callback_token": LONG}  # fmt: skip


@pytest.mark.parametrize(
    ("made", "options"), [(Gateway, GATEWAY), (Twilio, TWILIO), (Vonage, VONAGE), (GovukNotify, NOTIFY)]
)
def test_a_channel_whose_calls_can_be_believed_takes_replies_until_the_site_says_no(made, options):
    assert made(options).takes_replies
    assert not made({**options, "takes_replies": False}).takes_replies


@pytest.mark.parametrize(
    ("made", "options"),
    [
        (Gateway, {**GATEWAY, "secret": ""}),
        (Gateway, {**GATEWAY, "sender": "CityPharm"}),
        (Twilio, {**TWILIO, "from": "CityPharm"}),
        (Twilio, {**TWILIO, "webhook_url": "", "answers_stop": False}),
        (Vonage, {**VONAGE, "from": "CityPharm"}),
        (Vonage, {**VONAGE, "signature_secret": "short"}),
        (GovukNotify, {**NOTIFY, "callback_token": "short"}),
        (NhsNotify, options_at("http://127.0.0.1:1", KEY)),
    ],
)
def test_a_name_as_sender_or_a_call_that_nobody_believes_takes_none(made, options):
    assert not made(options).takes_replies


def test_twilio_that_hears_a_stop_itself_needs_no_webhook_for_it():
    assert Twilio({**TWILIO, "webhook_url": ""}).takes_replies


def test_a_service_of_several_numbers_is_taken_to_have_one_that_hears():
    assert Twilio({**TWILIO, "from": "", "messaging_service_sid": "MG1"}).takes_replies


def test_the_sites_own_sentence_wins_in_its_language_only():
    channel = Gateway({**GATEWAY, "opt_out": {"fr": "Pour finir, appelez le 01."}})
    assert (
        channel.opt_out_line("fr", "ours") == "Pour finir, appelez le 01."
        and channel.opt_out_line("ar", "ours") == "ours"
    )


def test_a_sentence_without_its_language_is_refused_when_the_channel_is_made():
    with pytest.raises(ImproperlyConfigured, match="a sentence for each language"):
        Gateway({**GATEWAY, "opt_out": "Ring us."})
