"""Notices to staff through apprise: how much work waits, without personal data."""

from __future__ import annotations

from collections.abc import Iterable


def notify_staff(addresses: Iterable[str], title: str, body: str) -> bool:
    """Send one notice to every apprise address. Return False when none took it or apprise is not installed."""
    urls = list(addresses)
    if not urls:
        return False
    try:
        import apprise
    except ModuleNotFoundError:
        return False
    notifier = apprise.Apprise()
    for address in urls:
        notifier.add(address)
    return bool(notifier.notify(title=title, body=body))
