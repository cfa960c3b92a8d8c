"""WhatsApp through Twilio (the extra `twilio`): an approved template for what we begin, free text for what we answer.

WhatsApp takes a message that a business begins as an approved template alone, and free text within 24 hours of what the
reader wrote: a `Message` with a template is sent by its ContentSid, one without, such as the answer to a reply, as it stands.
https://www.twilio.com/docs/whatsapp/key-concepts, /docs/content, /docs/api/errors/63016
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from twilio.base.exceptions import TwilioRestException

from dispensary.channels.base import Message, Receipt, Reply
from dispensary.channels.twilio import Twilio

_PREFIX = "whatsapp:"


class TwilioWhatsapp(Twilio):
    """Options: `account_sid`, `auth_token`, `from`, `webhook_url`; `templates`, by language a ContentSid for each kind; `base_url`.

    `answers_stop`: True where Twilio confirms a STOP; False (default) where we do.
    """

    name = "twilio_whatsapp"
    media: ClassVar[tuple[str, ...]] = ("whatsapp",)
    needed_options: ClassVar[tuple[str, ...]] = ("account_sid", "auth_token", "from", "webhook_url", "templates")

    def __init__(self, options: Mapping[str, Any]) -> None:
        super().__init__(options)
        self.takes_replies, self.confirms_stop = True, not options.get("answers_stop", False)
        templates = options["templates"]
        if not isinstance(templates, Mapping) or not all(isinstance(sids, Mapping) for sids in templates.values()):
            raise ImproperlyConfigured(
                f"channel_options of {self.name!r}: templates is, by language, a ContentSid for each kind,"
                " such as {'en': {'run_out': 'HX...'}}"
            )

    def _create(self, message: Message) -> Any:
        return self._client.messages.create(
            to=f"{_PREFIX}{message.to}",
            from_=f"{_PREFIX}{self.options['from']}",
            status_callback=self.options["webhook_url"],
            **self._content_of(message),
        )

    def _content_of(self, message: Message) -> dict[str, str]:
        if not message.template:
            return {"body": message.text}
        content_sid = self.options["templates"].get(message.language, {}).get(message.template)
        if not content_sid:  # Twilio would refuse it: the next address is tried
            raise TwilioRestException(400, "/Messages", "no approved template")
        places = {str(number): words for number, words in enumerate(message.places, 1)}
        return {"content_sid": content_sid, "content_variables": json.dumps(places, ensure_ascii=False)}

    def _parse(self, form: Mapping[str, str]) -> list[Receipt | Reply]:
        return super()._parse({**form, "From": form.get("From", "").removeprefix(_PREFIX)})


CHANNEL = TwilioWhatsapp
