"""Quantities: amounts of baclofen, numbers of tablets, numbers of days."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from baclofen_rules.medicines import words
from baclofen_rules.products import product_words
from dispensary.fhir.elements import Inquiry, as_amount, as_text, check_elements

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
    PACK = "pack"
    """As many tablets as the product's pack holds, which the amount does not say."""
    OTHER = "other"
    """Whatever else a product is counted in: millilitres, vials, capsules."""


_CODED = {
    (UCUM, "mg"): Measure.MG,
    (UCUM, "ug"): Measure.MICROGRAM,
    (UCUM, "{tbl}"): Measure.TABLET,
    (UCUM, "{tablet}"): Measure.TABLET,
    (UCUM, "{Tablet}"): Measure.TABLET,
    (UCUM, "{pill}"): Measure.TABLET,
    (UCUM, "d"): Measure.DAY,
    (UCUM, "wk"): Measure.WEEK,
    (DRUG_FORM, "TAB"): Measure.TABLET,
    (UCUM, "{Package}"): Measure.PACK,
    (UCUM, "{package}"): Measure.PACK,
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
    Measure.TABLET: {"stück", "stk", "stk."},
    Measure.DAY: {"d", "day", "days", "day(s)", "{day}", "tag", "tage", "jour", "jours", "día", "días", "dia", "dias", "giorno", "giorni"},
    Measure.WEEK: {"wk", "week", "weeks", "week(s)", "woche", "wochen", "semaine", "semaines", "semana", "semanas", "settimana", "settimane"},
    Measure.PACK: {"package", "packages", "pack", "packs", "box", "boxes", "op", "packung", "packungen", "boîte", "boîtes", "caja", "cajas", "envase",
                   "envases", "confezione", "confezioni", "scatola", "scatole"},
}  # fmt: skip
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
    by_word = _measure_of(word)
    by_code = _CODED.get((system, code)) if system else _measure_of(code)
    if may_be_other and by_word is None and by_code is None and (word or code):
        return Quantity(value, Measure.OTHER, (word or code)[:40])
    is_local = system not in ("", UCUM, SNOMED, DRUG_FORM)
    if code and by_code is None and by_word is not None and is_local and _measure_of(code) in {None, by_word}:
        inquiry.note(path, "its code is of a system that is not known here; its unit was read")
    elif code and by_code is None and not (by_word and code == "1"):
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


def _measure_of(word: str) -> Measure | None:
    """Return what a unit counts by its word, also in other languages."""
    parts = {*words(word)} - {"s"}
    if parts and parts <= product_words().tablet:
        return Measure.TABLET
    return _BY_WORD.get(word.lower())
