"""Word to the staff, not to patients: that work waits, through whatever apprise speaks. Numbers only, nobody's name."""

from __future__ import annotations

from collections.abc import Iterable


def tell_staff(addresses: Iterable[str], title: str, body: str) -> bool:
    """Send one notice to every apprise address. False when there is none, none took it, or apprise is not installed."""
    wanted = list(addresses)
    if not wanted:
        return False
    try:
        import apprise
    except ModuleNotFoundError:
        return False
    crowd = apprise.Apprise()
    for address in wanted:
        crowd.add(address)
    return bool(crowd.notify(title=title, body=body))
