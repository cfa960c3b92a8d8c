"""Quantities: amounts of baclofen, numbers of tablets, numbers of days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from dispensary.api.fhir.elements import Inquiry, as_amount, as_text, check_elements

SNOMED = "http://snomed.info/sct"
UCUM = "http://unitsofmeasure.org"
DRUG_FORM = "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm"


class Measure(StrEnum):
    """The kind of thing that an amount counts."""

    MG = "mg"
    MICROGRAM = "microgram"
    TABLET = "tablet"
    DAY = "day"
    WEEK = "week"
    OTHER = "other"
    """Whatever else a product is counted in: millilitres, vials, capsules."""


_CODED = {
    (UCUM, "mg"): Measure.MG,
    (UCUM, "ug"): Measure.MICROGRAM,
    (UCUM, "{tbl}"): Measure.TABLET,
    (UCUM, "{tablet}"): Measure.TABLET,
    (UCUM, "{Tablet}"): Measure.TABLET,
    (UCUM, "d"): Measure.DAY,
    (UCUM, "wk"): Measure.WEEK,
    (DRUG_FORM, "TAB"): Measure.TABLET,
    (SNOMED, "258684004"): Measure.MG,
    (SNOMED, "258685003"): Measure.MICROGRAM,
    (SNOMED, "732936001"): Measure.TABLET,
    (SNOMED, "428673006"): Measure.TABLET,
    (SNOMED, "385055001"): Measure.TABLET,
    (SNOMED, "258703001"): Measure.DAY,
    (SNOMED, "258705008"): Measure.WEEK,
}
_WORDS = {
    Measure.MG: {"mg", "milligram", "milligrams", "mgs"},
    Measure.MICROGRAM: {"microgram", "micrograms", "ug", "mcg", "µg", "μg"},
    Measure.TABLET: {"tablet", "tablets", "tab", "tabs", "tablet(s)", "{tbl}", "{tablet}", "tbl"},
    Measure.DAY: {"d", "day", "days", "{day}"},
    Measure.WEEK: {"wk", "week", "weeks"},
}
_BY_WORD = {word: measure for measure, words in _WORDS.items() for word in words}


@dataclass(frozen=True, slots=True)
class Quantity:
    """An exact amount and what it counts; `measure` is None where no unit was given at all."""

    value: Decimal
    measure: Measure | None
    unit: str = ""
    """As written, where the measure is `OTHER`."""

    def days(self) -> Decimal | None:
        """Return the amount in days, if it is a length of time."""
        if self.measure is Measure.DAY:
            return self.value
        return self.value * 7 if self.measure is Measure.WEEK else None


def read_quantity(
    thing: Mapping[str, Any], path: str, inquiry: Inquiry, *, may_be_other: bool = False
) -> Quantity | None:
    """Read a FHIR Quantity. A code and a word for different units are asked back.

    So is a unit that is not known, unless the thing that is counted `may_be_other` than a tablet.
    """
    check_elements(thing, path, inquiry, ["value", "unit", "system", "code", "comparator"])
    if thing.get("comparator") is not None:
        inquiry.ask(f"{path}.comparator", "a comparator", "an exact amount")
        return None
    value = as_amount(thing.get("value"), f"{path}.value", inquiry)
    if value is None or value < 0:
        if value is not None or thing.get("value") is None:
            inquiry.ask(f"{path}.value", "nothing" if value is None else f"{value:f}", "a number from 0")
        return None
    word = as_text(thing.get("unit"), f"{path}.unit", inquiry)
    code = as_text(thing.get("code"), f"{path}.code", inquiry)
    system = as_text(thing.get("system"), f"{path}.system", inquiry)
    by_word = _BY_WORD.get(word.lower())
    by_code = _CODED.get((system, code)) if system else _BY_WORD.get(code.lower())
    if may_be_other and by_word is None and by_code is None and (word or code):
        return Quantity(value, Measure.OTHER, (word or code)[:40])
    if code and by_code is None and not (by_word and code == "1"):
        inquiry.ask(
            f"{path}.code",
            "a unit that is not known here",
            "mg, micrograms, tablets, days or weeks, in UCUM or SNOMED CT",
        )
        return None
    if word and by_word is None and by_code is None:
        inquiry.ask(f"{path}.unit", "a unit that is not known here", "mg, micrograms, tablets, days or weeks")
        return None
    if by_word and by_code and by_word is not by_code:
        inquiry.ask(path, f"{by_word.value} in words and {by_code.value} as a code", "one unit")
        return None
    return Quantity(value, by_code or by_word)
