"""Days on which a pharmacy is open, by its week and the public holidays of where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

import holidays
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

EVERY_DAY = "1234567"
_LONGEST_CLOSED = 14
"""Days in a row for which a pharmacy can be closed by its week and the holidays; more is a mistake in the settings."""


@dataclass(frozen=True, slots=True)
class OpeningDays:
    """Open weekdays as ISO numbers, "12345"; `region` as in ISO 3166, such as "GB-ENG", or empty for no holidays."""

    weekdays: str = EVERY_DAY
    region: str = ""

    def is_open(self, day: date) -> bool:
        return str(day.isoweekday()) in self.weekdays and day not in _read_holidays(self.region)

    def last_open(self, day: date) -> date:
        """Return the day itself if it is open, else the last open day before it."""
        for back in range(_LONGEST_CLOSED):
            if self.is_open(day - timedelta(days=back)):
                return day - timedelta(days=back)
        return day


@lru_cache(maxsize=64)
def _read_holidays(region: str) -> holidays.HolidayBase:
    """Return the holidays of a region, which are reckoned for a year when it is first asked about."""
    country, _dash, part = region.partition("-")
    return holidays.country_holidays(country, subdiv=part or None) if country else holidays.HolidayBase()


def validate_weekdays(days: str) -> None:
    """Refuse anything but the ISO numbers of weekdays in their order, each once, at least one."""
    if not days or days != "".join(sorted(set(days) & set(EVERY_DAY))):
        raise ValidationError(_("at least one day, as numbers from 1 (Monday) to 7, such as 123456"))


def validate_region(region: str) -> None:
    """Refuse a region whose public holidays are not known."""
    try:
        _read_holidays(region)
    except (NotImplementedError, AttributeError, KeyError) as error:
        raise ValidationError(
            _("%(name)s is no region whose holidays are known; one such as GB-ENG, US-IL, FR is"),
            params={"name": region},
        ) from error
