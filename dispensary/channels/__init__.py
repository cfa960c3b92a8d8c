"""Channels that send messages to patients, one file a channel; `DISPENSARY["channels"]` maps a medium to one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured

from dispensary.channels.base import (
    STOP_KEY,
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
    "STOP_KEY",
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
    """Return the channel of that name, with the site's options. A dotted name is a site's own module.

    Raises ImproperlyConfigured where there is no such file, the library that it needs is not installed or an option is missing.
    """
    module_name = name if "." in name else f"dispensary.channels.{name}"
    try:
        channel_class = import_module(module_name).CHANNEL
    except (ImportError, AttributeError) as error:
        raise ImproperlyConfigured(f"DISPENSARY['channels'] names {name!r}, which cannot be used: {error}") from error
    try:
        channel: Channel = channel_class(conf().channel_options.get(name, {}))
    except KeyError as error:
        raise ImproperlyConfigured(f"DISPENSARY['channel_options'][{name!r}] lacks {error}") from error
    except TypeError as error:
        raise ImproperlyConfigured(f"The channel {name!r} cannot be made: {error}") from error
    return channel


def channels_in_use() -> Mapping[str, Channel]:
    """Return the channel of each medium. A medium without a channel sends no messages."""
    return {medium: channel_named(name) for medium, name in conf().channels.items()}
