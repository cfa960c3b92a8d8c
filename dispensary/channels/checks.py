"""Django system checks of the settings `channels`, `channel_options` and `public_url`."""

from __future__ import annotations

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from dispensary.channels import channel_named
from dispensary.conf import conf

_MEDIA = ("email", "sms")


def check_channels() -> list[CheckMessage]:
    """Return an error for each channel in the settings that cannot be made or is for an unknown medium, and for wrong terms."""
    try:
        channels = conf().channels
    except ImproperlyConfigured as error:
        return [Error(str(error), id="dispensary.E003")]
    messages: list[CheckMessage] = [
        Error(
            f"DISPENSARY['channels'] names the medium {medium!r}; there are: {', '.join(_MEDIA)}", id="dispensary.E004"
        )
        for medium in channels
        if medium not in _MEDIA
    ]
    for name in sorted(set(channels.values())):
        try:
            channel_named(name)
        except ImproperlyConfigured as error:
            hint = "Nothing leaves by any channel until this is right: dispensary/channels/SETTINGS.md has its options."
            messages.append(Error(str(error), hint=hint, id="dispensary.E005"))
    messages += [
        Error(
            f"DISPENSARY['receipt_hours'] has {name!r}: {hours!r}; expected a channel in use and 1 to 47 hours",
            id="dispensary.E004",
        )
        for name, hours in conf().receipt_hours.items()
        if name not in channels.values() or not isinstance(hours, int) or not 1 <= hours <= 47
    ]
    return messages


def check_public_address() -> list[CheckMessage]:
    """Return a warning where e-mails carry no one-click unsubscribe, which needs a public HTTPS address."""
    if "email" not in conf().channels or conf().public_url.startswith("https://"):
        return []
    reason = "DISPENSARY['public_url'] is not set" if not conf().public_url else "DISPENSARY['public_url'] is not HTTPS"
    hint = "Set it to the address at which patients reach the site: mail programs offer one-click unsubscribe over HTTPS only."
    return [Warning(f"{reason}: letters carry no one-click unsubscribe.", hint=hint, id="dispensary.W004")]
