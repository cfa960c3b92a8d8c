"""What a site must have right before anything leaves: said at deployment, since a channel that cannot be made stops every message."""

from __future__ import annotations

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from dispensary.channels import channel_named
from dispensary.conf import conf

_MEDIA = ("email", "sms")


def check_channels() -> list[CheckMessage]:
    """Every channel that the settings name can be made, and serves a medium that exists."""
    try:
        named = conf().channels
    except ImproperlyConfigured as error:
        return [Error(str(error), id="dispensary.E003")]
    wrong: list[CheckMessage] = [
        Error(
            f"DISPENSARY['channels'] names the medium {medium!r}; there are: {', '.join(_MEDIA)}", id="dispensary.E004"
        )
        for medium in named
        if medium not in _MEDIA
    ]
    for name in sorted(set(named.values())):
        try:
            channel_named(name)
        except ImproperlyConfigured as error:
            hint = "Nothing leaves by any channel until this is right: dispensary/channels/README.md has its options."
            wrong.append(Error(str(error), hint=hint, id="dispensary.E005"))
    return wrong


def check_public_address() -> list[CheckMessage]:
    """A letter carries one-click unsubscribe only where patients reach the site over HTTPS."""
    if "email" not in conf().channels or conf().public_url.startswith("https://"):
        return []
    told = "DISPENSARY['public_url'] is not set" if not conf().public_url else "DISPENSARY['public_url'] is not HTTPS"
    hint = "Set it to the address at which patients reach the site: mail programs offer one-click unsubscribe over HTTPS only."
    return [Warning(f"{told}: letters carry no one-click unsubscribe.", hint=hint, id="dispensary.W004")]
