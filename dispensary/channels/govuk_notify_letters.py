"""Letters through GOV.UK Notify, printed and posted by it (the extra `govuk-notify`).

The Notify letter template holds two placeholders, `((heading))` and `((message))`. An address has 3 to 7 lines, the last of
them a postcode or a country (https://docs.notifications.service.gov.uk/python.html#send-a-letter). Notify sends no
callbacks about letters: what is printed is seen at Notify, under our reference.
"""

from __future__ import annotations

from typing import Any

from dispensary.channels.base import Channel, Message
from dispensary.channels.govuk_notify import GovukNotify


class GovukNotifyLetters(GovukNotify):
    """Options: `api_key` of a live service, `template_id`; `base_url` and `read` as for text messages."""

    name = "govuk_notify_letters"
    template_type = "letter"
    can_fetch_receipt = False
    takes_replies = False
    read_webhook = Channel.read_webhook

    def hand_over(self, message: Message) -> Any:
        lines = {f"address_line_{number}": line for number, line in enumerate(message.to.splitlines(), start=1)}
        words = {"heading": message.subject, "message": message.text}
        return self._client.send_letter_notification(
            self.options["template_id"], personalisation={**lines, **words}, reference=str(message.key)
        )


CHANNEL = GovukNotifyLetters
