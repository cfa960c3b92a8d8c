"""Telephone calls through Twilio (the extra `twilio`): whoever answers presses a key, and only then hears the message.

An answering machine presses none: it hears from whom the call is and nothing else, and the call counts as not delivered, as
do one that nobody answers and one that ends before a key. Twilio cannot be asked by our key, and keeps no text for us: the
message travels sealed in the address that Twilio calls for a key, and is good for an hour.
https://www.twilio.com/docs/voice/api/call-resource, /voice/twiml/gather, /voice/twiml/say
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.fernet import InvalidToken
from twilio.base.exceptions import TwilioRestException
from twilio.twiml.voice_response import VoiceResponse

from dispensary.channels.base import STOP_KEY, BadSignature, Message, Receipt, ReceiptStatus, Reply
from dispensary.channels.twilio import Twilio, read_sid
from dispensary.models.sealed import seal, unseal_young

GOOD_FOR = 3600
"""Seconds for which the keys of a call are answered [D]."""
RING_SECONDS = 30
"""[D] Shorter than most mailboxes wait."""
KEY_SECONDS = 8
"""Seconds to find a key after each reading [D]; everything is read twice."""
_LONGEST = 4000
"""Characters of TwiML that Twilio takes with a call."""
_KEYS = frozenset("0123456789*#")
_ENDED = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
_VOICES = {
    "en": ("Polly.Amy", "en-GB"),
    "es": ("Polly.Lucia", "es-ES"),
    "fr": ("Polly.Lea", "fr-FR"),
    "ar": ("Polly.Zeina", "arb"),
}
_MARKS = dict.fromkeys(map(ord, "\u200e\u200f\u2066\u2067\u2068\u2069"))
"""Marks of direction, which are for the eye."""
_TELEPHONE = re.compile(r"\+?\b\d[\d\u00a0 ()-]*\d\b(?!\s*mg)")
_FOLDER = Path(__file__).parent / "languages"


class TwilioVoice(Twilio):
    """Options: `account_sid`, `auth_token`, `from`, `webhook_url`; `voices`, by language `[voice, language]` of Twilio; `base_url`."""

    name = "twilio_voice"
    media = ("voice",)
    needed_options = ("account_sid", "auth_token", "from", "webhook_url")
    answers_in_call = True

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.takes_replies, self.confirms_stop = True, False

    def _create(self, message: Message) -> Any:
        script = {
            "body": message.body,
            "end": message.opt_out,
            "language": message.language,
            "keys": dict(message.keys),
        }
        token = seal(json.dumps(script, ensure_ascii=False)).rstrip("=")
        words = _templates(_language(script))
        way_out = message.opt_out if STOP_KEY in message.keys else ""
        opening = " ".join(filter(None, (words["opening"].format(sender=message.sender), words["hear"], way_out)))
        twiml = self._ask(script, f"m={token}", opening)
        if len(twiml) > _LONGEST:
            raise TwilioRestException(400, "/Calls", f"more than {_LONGEST} characters")
        return self._client.calls.create(
            to=message.to,
            from_=self.options["from"],
            twiml=twiml,
            timeout=RING_SECONDS,
            status_callback=self.options["webhook_url"],
        )

    def _fetch(self, sid: str) -> Mapping[str, str]:
        call = self._client.calls(sid).fetch()
        return {"CallSid": call.sid, "CallStatus": call.status}

    def _parse(self, form: Mapping[str, str]) -> list[Receipt | Reply]:
        """Return that a call was not delivered, once it has ended; one that was heard has its receipt before, which holds."""
        call_sid, status = read_sid(form, "CallSid"), form.get("CallStatus", "")
        if status not in _ENDED:
            return []
        return [Receipt(f"{call_sid}:{status}", ReceiptStatus.UNDELIVERED, provider_message_id=call_sid)]

    def answer_webhook(
        self, headers: Mapping[str, str], query: str, body: bytes, now: float
    ) -> tuple[list[Receipt | Reply], str]:
        """Return what a key or the end of a call tells, and what is read out next."""
        form = self._read_form(headers, body, query)
        asked = parse_qs(query)
        token, key = "".join(asked.get("m", [])), form.get("Digits", "")
        if not token or key not in _KEYS:
            return self._parse(form), str(VoiceResponse())
        try:
            script = json.loads(unseal_young(token + "=" * (-len(token) % 4), GOOD_FOR, now))
        except InvalidToken as error:
            raise BadSignature("the call is over, or was not ours") from error
        call_sid, keys = read_sid(form, "CallSid"), script["keys"]
        if key in keys and ("heard" in asked or key == STOP_KEY):
            text = "STOP" if key == STOP_KEY else key
            reply = Reply(f"{call_sid}:{key}", form.get("To", ""), text, answers_message=call_sid)
            return [reply], self._end(script, keys[key])
        words = " ".join(filter(None, (script["body"], script["end"], _templates(_language(script))["again"])))
        heard = Receipt(f"{call_sid}:heard", ReceiptStatus.DELIVERED, provider_message_id=call_sid)
        return [heard], self._ask(script, f"m={token}&heard=1", words)

    def _ask(self, script: Mapping[str, Any], query: str, words: str) -> str:
        """Return TwiML that reads words twice and waits for a key after each."""
        response = VoiceResponse()
        for _ in range(2):
            gather = response.gather(
                num_digits=1, timeout=KEY_SECONDS, action=f"{self.options['webhook_url']}?{query}", method="POST"
            )
            self._read_out(gather, script, words)
        return str(response)

    def _end(self, script: Mapping[str, Any], words: str) -> str:
        response = VoiceResponse()
        self._read_out(response, script, words)
        return str(response)

    def _read_out(self, verb: Any, script: Mapping[str, Any], words: str) -> None:
        """Add words to be read slowly, telephone numbers digit by digit, in the language of the message."""
        voice, language = {**_VOICES, **self.options.get("voices", {})}[_language(script)]
        spoken = _TELEPHONE.sub(_spell_digits, words.translate(_MARKS))
        verb.say(voice=voice, language=language).prosody(spoken, rate="slow")


def _language(script: Mapping[str, Any]) -> str:
    return str(script["language"]) if script["language"] in _VOICES else "en"


@cache
def _templates(language: str) -> dict[str, str]:
    """Return what every call says: whose it is, how it is heard, and how again."""
    return tomllib.loads((_FOLDER / f"{language}.toml").read_text(encoding="utf-8"))


def _spell_digits(match: re.Match[str]) -> str:
    """Return a telephone number with its digits one by one; fewer than three digits as they are."""
    if sum(sign.isdigit() for sign in match[0]) < 3:
        return match[0]
    return ", ".join(" ".join(group) for group in re.findall(r"\d+", match[0]))


CHANNEL = TwilioVoice
