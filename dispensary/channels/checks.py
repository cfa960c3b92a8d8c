"""Django system checks of the settings `channels`, `channel_options` and `public_url`."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature

from django.core.checks import CheckMessage, Error, Warning
from django.core.exceptions import ImproperlyConfigured

from dispensary.channels import AfterCrash, Channel, channel_named
from dispensary.conf import conf
from dispensary.models.contacts import Medium


def check_channels() -> list[CheckMessage]:
    """Return an error for each channel in the settings that cannot be made or is for an unknown medium, and for wrong terms."""
    try:
        channels = conf().channels
    except ImproperlyConfigured as error:
        return [Error(str(error), id="dispensary.E003")]
    messages: list[CheckMessage] = [
        Error(
            f"DISPENSARY['channels'] names the medium {medium!r}; there are: {', '.join(Medium)}", id="dispensary.E004"
        )
        for medium in channels
        if medium not in Medium
    ]
    messages += [
        Error(f"DISPENSARY['channels'] names {name!r} for {medium!r}; {gap}", id="dispensary.E004")
        for medium, name in channels.items()
        if medium in Medium
        for gap in _find_other_media(name, medium)
    ]
    if Medium.PUSH in channels and not conf().public_url.startswith("https://"):
        messages.append(
            Error(
                "DISPENSARY['channels'] has a channel for notifications, and ['public_url'] is not HTTPS",
                hint="A browser takes notifications of a page in HTTPS alone, and they open it.",
                id="dispensary.E004",
            )
        )
    for name in sorted({*channels.values(), *filter(None, [conf().letter_channel])}):
        try:
            gaps = [
                f"The channel {name!r} {gap}" for gap in _find_gaps(channel_named(name), channels.get("sms") == name)
            ]
        except ImproperlyConfigured as error:
            gaps = [str(error)]
        hint = "Nothing leaves by any channel until this is right: see SETTINGS.md and base.py in dispensary/channels."
        messages += [Error(gap, hint=hint, id="dispensary.E005") for gap in gaps]
    messages += [
        Error(
            f"DISPENSARY['receipt_hours'] has {name!r}: {hours!r}; expected a channel in use and 1 to 47 hours",
            id="dispensary.E004",
        )
        for name, hours in conf().receipt_hours.items()
        if name not in channels.values() or not isinstance(hours, int) or not 1 <= hours <= 47
    ]
    return messages


def _find_other_media(name: str, medium: str) -> Iterator[str]:
    """Yield what a channel carries instead of the medium that it is meant for."""
    try:
        channel = channel_named(name)
    except ImproperlyConfigured:  # reported by E005
        return
    if isinstance(channel, Channel) and medium not in channel.media:
        yield f"it carries {' and '.join(channel.media)}"


def _find_gaps(channel: Channel, is_for_texts: bool) -> Iterator[str]:
    """Yield what a channel lacks of what it promises."""
    kind = type(channel)
    if not isinstance(channel, Channel):
        yield "is no subclass of dispensary.channels.Channel"
        return
    if not isinstance(getattr(channel, "name", None), str) or not channel.name:
        yield "has no name"
    try:
        signature(channel.send).bind(object())
    except TypeError:
        yield "has a send() that does not take a message alone"
    if channel.after_crash is AfterCrash.LOOK_UP and kind.look_up is Channel.look_up:
        yield "says that its provider can be asked after a crash and has no look_up()"
    if channel.can_fetch_receipt and kind.fetch_receipt is Channel.fetch_receipt:
        yield "says that receipts can be fetched and has no fetch_receipt()"
    is_own = not kind.__module__.startswith("dispensary.")
    if is_own and is_for_texts and channel.takes_replies and kind.read_webhook is Channel.read_webhook:
        yield 'has no read_webhook(), so that no "STOP" would arrive: write one, or set takes_replies = False'
    if channel.timeout.total_seconds() >= conf().reminder_lease:
        yield f"takes {channel.timeout.total_seconds():.0f} s for a message; expected less than the {conf().reminder_lease} s of reminder_lease"


def check_public_address() -> list[CheckMessage]:
    """Return a warning where e-mails carry no one-click unsubscribe, which needs a public HTTPS address."""
    if "email" not in conf().channels or conf().public_url.startswith("https://"):
        return []
    reason = "DISPENSARY['public_url'] is not set" if not conf().public_url else "DISPENSARY['public_url'] is not HTTPS"
    hint = "Set it to the address at which patients reach the site: mail programs offer one-click unsubscribe over HTTPS only."
    return [Warning(f"{reason}: letters carry no one-click unsubscribe.", hint=hint, id="dispensary.W004")]
