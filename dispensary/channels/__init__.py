"""How a reminder leaves. A channel is one file here; `DISPENSARY["channels"]` says which one serves which medium."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured

from dispensary.channels.base import (
    Accepted,
    AfterCrash,
    Answer,
    BadPayload,
    BadSignature,
    Channel,
    Fault,
    Message,
    Receipt,
    ReceiptStatus,
    Refused,
    Reply,
    Unknown,
)
from dispensary.conf import conf

__all__ = [
    "Accepted",
    "AfterCrash",
    "Answer",
    "BadPayload",
    "BadSignature",
    "Channel",
    "Fault",
    "Message",
    "Receipt",
    "ReceiptStatus",
    "Refused",
    "Reply",
    "Unknown",
    "channel_named",
    "channels_in_use",
]


def channel_named(name: str) -> Channel:
    """The channel of that name, with the site's options. A dotted name is a site's own module.

    Raises ImproperlyConfigured where there is no such file, the library that it needs is not installed or an option is missing.
    """
    module_name = name if "." in name else f"dispensary.channels.{name}"
    try:
        made = import_module(module_name).CHANNEL
    except (ModuleNotFoundError, AttributeError) as error:
        raise ImproperlyConfigured(f"DISPENSARY['channels'] names {name!r}, which cannot be used: {error}") from error
    try:
        channel: Channel = made(conf().channel_options.get(name, {}))
    except KeyError as error:
        raise ImproperlyConfigured(f"DISPENSARY['channel_options'][{name!r}] lacks {error}") from error
    return channel


def channels_in_use() -> Mapping[str, Channel]:
    """For each medium the channel that serves it. A medium without one sends nothing."""
    return {medium: channel_named(name) for medium, name in conf().channels.items()}
