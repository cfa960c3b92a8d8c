"""The number of the ambulance, by country."""

from __future__ import annotations

import tomllib
from contextlib import suppress
from functools import cache
from pathlib import Path

import phonenumbers

from dispensary.conf import conf

_GSM_EMERGENCY = "112"
"""Answered from a mobile telephone nearly everywhere (3GPP TS 22.101)."""


@cache
def _read_numbers() -> dict[str, str]:
    numbers = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
    return {region: number for number, regions in numbers.items() for region in regions}


def emergency_number(phone: str) -> str:
    """Return the number of the country of a pharmacy's telephone, or where it names none of that of the setting."""
    region: str | None = conf().phone_region
    if phone:
        with suppress(phonenumbers.NumberParseException):
            region = phonenumbers.region_code_for_number(phonenumbers.parse(phone, region)) or region
    return _read_numbers().get(region or "", _GSM_EMERGENCY)
