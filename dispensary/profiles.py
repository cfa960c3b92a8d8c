"""A pharmacy's numbers: the profile that it has chosen, as in force on a day."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path

from baclofen_rules import InvalidProfile, Profile, load_profile
from dispensary.conf import conf
from dispensary.errors import InvalidInput, Problem


def profile_named(name: str, on: date) -> Profile:
    """Return a profile as in force on a day; "" is the site's default. Raises `InvalidInput` when there is none."""
    try:
        return _load(name or conf().default_profile, on, conf().profile_folder)
    except InvalidProfile as error:
        raise InvalidInput(
            f"The pharmacy's profile cannot be used: {error}",
            Problem("pharmacy.profile", name, "the name of a profile", "A manager chooses one under settings."),
        ) from error


@lru_cache(maxsize=64)
def _load(name: str, on: date, folder: Path | None) -> Profile:
    return load_profile(name, on=on, folder=folder)
