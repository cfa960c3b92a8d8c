"""The medicine, form and strength of an order, from its codes, ingredients and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from baclofen_rules.medicines import own_medicine
from baclofen_rules.products import Identity, OrderedMedicine, identify, names_tablet, other_form, read_product_name
from dispensary.fhir.elements import Inquiry, as_object, as_objects, as_text, check_elements, read_codings
from dispensary.fhir.units import SNOMED, Measure, read_quantity

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ATC = "http://www.whocc.no/atc"
# Oral tablets; the strength that each code stands for (RxNav). No code is known for 25 mg: it has no US product.
_RXNORM = {"430902": Decimal(5), "197391": Decimal(10), "2679605": Decimal(15), "197392": Decimal(20)}
_TABLET_FORMS = {(SNOMED, "385055001"), (SNOMED, "732936001")}
# A comma before three digits may part thousands: such a number is no strength.
_STRENGTH = re.compile(
    r"(?<![\d.,])(\d{1,4}(?:\.\d{1,3}|,\d{1,2})?)\s*(mg|milligrams?)\b(?!\s*/\s*\d*\s*ml)", re.IGNORECASE
)
_LONGEST_NAME, _LONGEST_FORM, _MOST_CODES = 200, 200, 20


@dataclass(frozen=True, slots=True)
class Medicine:
    """A baclofen product as ordered. `strength_mg` is None and `form` "" where the order does not say."""

    strength_mg: Decimal | None
    form: str
    brand: str | None
    stated: dict[str, Any]
    """Name and codes as sent, as the case format has them."""


def read_medicine(
    concept: Mapping[str, Any], medication: Mapping[str, Any] | None, path: str, inquiry: Inquiry
) -> Medicine | None:
    """Read a medicationCodeableConcept, or the Medication that was referred to.

    Another medicine is asked back. Baclofen in another form than a tablet is read, for the rules to stop it.
    """
    if medication is not None:
        check_elements(
            medication,
            path,
            inquiry,
            ["code", "form", "ingredient", "status"],
            ["identifier", "manufacturer", "amount", "batch"],
        )
        if medication.get("status", "active") != "active":
            inquiry.ask(f"{path}.status", "a medication that is no longer valid", "active, or no status")
        concept = as_object(medication.get("code"), f"{path}.code", inquiry)
    coded = read_codings(concept, path, inquiry)
    words = [as_text(concept.get("text"), f"{path}.text", inquiry), *(display for *_, display in coded)]
    ingredients = as_objects((medication or {}).get("ingredient"), f"{path}.ingredient", inquiry)
    words += [name for where, item in ingredients for name in _read_ingredient_words(item, where, inquiry)]
    stated = _read_stated(words, coded, path, inquiry)
    if not _is_own_medicine(stated, path, inquiry):
        return None
    if len(ingredients) > 1:
        inquiry.ask(f"{path}.ingredient", f"{len(ingredients)} ingredients", "baclofen alone")
    name = stated.name or ""
    form = _read_form(medication, path, inquiry) or _find_form(name, coded)
    strengths = _read_strengths(coded, words, ingredients, form, inquiry)
    if len(strengths) > 1:
        strengths_text = " and ".join(f"{strength:f} mg" for strength in sorted(strengths))
        inquiry.ask(path, f"strengths that differ: {strengths_text}", "one strength")
        return None
    brand = "Lioresal" if "lioresal" in name.lower() else None
    return Medicine(next(iter(strengths), None), form, brand, _render_stated(stated))


def _read_stated(words: list[str], coded: list[tuple[str, str, str]], path: str, inquiry: Inquiry) -> OrderedMedicine:
    name = " ".join(dict.fromkeys(filter(None, words)))
    if len(name) > _LONGEST_NAME or len(coded) > _MOST_CODES:
        inquiry.ask(path, f"{len(name)} characters and {len(coded)} codes", "at most 200 characters and 20 codes")
    atc = [code for system, code, _ in coded if system == ATC and code]
    if len(set(atc)) > 1:
        inquiry.ask(path, f"{len(set(atc))} ATC codes", "one")
    codes = tuple((system, code) for system, code, _ in coded if system and code and system != ATC)
    return OrderedMedicine(name or None, next(iter(atc), None), codes)


def _render_stated(medicine: OrderedMedicine) -> dict[str, Any]:
    codes = [{"system": system, "code": code} for system, code in medicine.codes]
    stated = {"name": medicine.name, "atc": medicine.atc, "codes": codes}
    return {field: value for field, value in stated.items() if value}


def _is_own_medicine(medicine: OrderedMedicine, path: str, inquiry: Inquiry) -> bool:
    if medicine == OrderedMedicine(None):
        inquiry.ask(path, "no name and no known code", "baclofen, by name or by a code of RxNorm, ATC or SNOMED CT")
        return False
    if identify(medicine, None, own_medicine())[0] is not Identity.OWN:
        what = "the name or a code" if medicine.name else "the code"
        next_step = "Only oral tablets of baclofen are dispensed here."
        inquiry.ask(path, f"{what} of another medicine", "baclofen, M03BX01, in plain tablets", next_step)
        return False
    for system, code in medicine.codes:
        if system == RXNORM and code != "1292" and code not in _RXNORM:
            inquiry.note(path, "its RxNorm code is not known here; the name was read")
    return True


def _read_ingredient_words(item: Mapping[str, Any], path: str, inquiry: Inquiry) -> list[str]:
    concept = as_object(item.get("itemCodeableConcept"), f"{path}.itemCodeableConcept", inquiry)
    return [
        as_text(concept.get("text"), path, inquiry),
        *(display for *_, display in read_codings(concept, path, inquiry)),
    ]


def _read_strengths(
    coded: list[tuple[str, str, str]],
    words: list[str],
    ingredients: list[tuple[str, Mapping[str, Any]]],
    form: str,
    inquiry: Inquiry,
) -> set[Decimal]:
    """Return the milligrams of one tablet; a liquid or an injection has none."""
    strengths = {_RXNORM[code] for system, code, _ in coded if system == RXNORM and code in _RXNORM}
    strengths |= {Decimal(match[1].replace(",", ".")) for text in words for match in _STRENGTH.finditer(text)}
    for path, item in ingredients:
        ratio = as_object(item.get("strength"), f"{path}.strength", inquiry)
        if ratio and form in ("", "tablet"):
            amount = _read_mg_per_tablet(ratio, f"{path}.strength", inquiry)
            strengths |= {amount} if amount is not None else set()
    return {Decimal(f"{strength.normalize():f}") for strength in strengths}


def _read_mg_per_tablet(ratio: Mapping[str, Any], path: str, inquiry: Inquiry) -> Decimal | None:
    check_elements(ratio, path, inquiry, ["numerator", "denominator"])
    above = read_quantity(as_object(ratio.get("numerator"), f"{path}.numerator", inquiry), f"{path}.numerator", inquiry)
    below = as_object(ratio.get("denominator"), f"{path}.denominator", inquiry)
    denominator = read_quantity(below, f"{path}.denominator", inquiry) if below else None
    if above is None or (below and denominator is None):
        return None
    if above.measure is not Measure.MG or (
        denominator and (denominator.value != 1 or denominator.measure not in {None, Measure.TABLET})
    ):
        inquiry.ask(path, "another ratio", "mg in one tablet")
        return None
    return above.value


def _read_form(medication: Mapping[str, Any] | None, path: str, inquiry: Inquiry) -> str:
    """Return the form that a Medication states: "tablet", or its words or codes as they are."""
    path = f"{path}.form"
    concept = as_object((medication or {}).get("form"), path, inquiry)
    coded = read_codings(concept, path, inquiry)
    words = [as_text(concept.get("text"), f"{path}.text", inquiry), *(display for *_, display in coded)]
    stated = ", ".join(dict.fromkeys(filter(None, words))) or ", ".join(
        "tablet" if (system, code) in _TABLET_FORMS else f"{system} {code}".strip() for system, code, _ in coded
    )
    if len(stated) > _LONGEST_FORM:
        inquiry.ask(path, f"{len(stated)} characters", f"at most {_LONGEST_FORM} characters")
    return "tablet" if stated and other_form(stated, own_medicine()) is None else stated


def _find_form(name: str, coded: list[tuple[str, str, str]]) -> str:
    """Return the form that the name tells, or a known code of a tablet; "" where neither does."""
    named_form = read_product_name(name, own_medicine()).form
    if named_form is not None:
        return named_form.kind
    is_tablet = names_tablet(name) or any(system == RXNORM and code in _RXNORM for system, code, _ in coded)
    return "tablet" if is_tablet else ""
