"""The medicine, form and strength of an order, from its codes, ingredients and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dispensary.actions.order_terms import ATC
from dispensary.api.fhir.elements import Inquiry, as_object, as_objects, as_text, check_elements, read_codings
from dispensary.api.fhir.units import SNOMED, Measure, read_quantity

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
# Oral tablets; the strength that each code stands for (RxNav). No code is known for 25 mg: it has no US product.
_RXNORM = {"430902": Decimal(5), "197391": Decimal(10), "2679605": Decimal(15), "197392": Decimal(20)}
_INGREDIENT = {(RXNORM, "1292"), (ATC, "M03BX01"), (SNOMED, "387342009")}
# A comma before three digits may part thousands: such a number is no strength.
_STRENGTH = re.compile(
    r"(?<![\d.,])(\d{1,4}(?:\.\d{1,3}|,\d{1,2})?)\s*(mg|milligrams?)\b(?!\s*/\s*\d*\s*ml)", re.IGNORECASE
)
_FORMS = {
    "injection": ("inject", "intrathecal", "ampoule", "infusion"),
    "oral solution": ("solution", "suspension", "liquid", "syrup", "/ml", "mg/5", "granule"),
    "tablet": ("tablet", " tab"),
}


@dataclass(frozen=True, slots=True)
class Medicine:
    """A baclofen product as ordered. `strength_mg` is None and `form` "" where the order does not say."""

    strength_mg: Decimal | None
    form: str
    brand: str | None
    stated: dict[str, Any]
    """Name and codes as sent, in the form of the order's `medicine`."""


def read_medicine(
    concept: Mapping[str, Any], medication: Mapping[str, Any] | None, path: str, inquiry: Inquiry
) -> Medicine | None:
    """Read a medicationCodeableConcept, or the Medication that was referred to. Anything but baclofen is asked back."""
    if medication is not None:
        check_elements(
            medication,
            path,
            inquiry,
            ["code", "form", "ingredient"],
            ["identifier", "status", "manufacturer", "amount", "batch"],
        )
        concept = as_object(medication.get("code"), f"{path}.code", inquiry)
    coded = read_codings(concept, path, inquiry)
    words = [as_text(concept.get("text"), f"{path}.text", inquiry), *(display for *_, display in coded)]
    ingredients = as_objects((medication or {}).get("ingredient"), f"{path}.ingredient", inquiry)
    words += [name for where, item in ingredients for name in _read_ingredient_words(item, where, inquiry)]
    name = " ".join(filter(None, words))
    if not _is_baclofen(coded, name, path, inquiry):
        return None
    if len(ingredients) > 1:
        inquiry.ask(f"{path}.ingredient", f"{len(ingredients)} ingredients", "baclofen alone")
    form_words = _read_form_words(medication, path, inquiry)
    strengths = _read_strengths(coded, words, ingredients, inquiry)
    if len(strengths) > 1:
        strengths_text = " and ".join(f"{strength:f} mg" for strength in sorted(strengths))
        inquiry.ask(path, f"strengths that differ: {strengths_text}", "one strength")
        return None
    brand = "Lioresal" if "lioresal" in name.lower() else None
    form = _find_form(f"{name} {form_words}", coded)
    return Medicine(next(iter(strengths), None), form, brand, _render_stated(concept, coded, name, inquiry))


def _render_stated(
    concept: Mapping[str, Any], coded: list[tuple[str, str, str]], name: str, inquiry: Inquiry
) -> dict[str, Any]:
    codes = [
        {part: text[:255] for part, text in zip(("system", "code", "display"), coding, strict=True) if text}
        for coding in coded
    ]
    words = as_text(concept.get("text"), "text", inquiry) or name
    return {"name": words[:500] or None, "codes": [code for code in codes if code][:50]}


def _is_baclofen(coded: list[tuple[str, str, str]], name: str, path: str, inquiry: Inquiry) -> bool:
    has_known_code = any(
        (system, code) in _INGREDIENT or (system == RXNORM and code in _RXNORM) for system, code, _ in coded
    )
    has_known_name = any(word in name.lower() for word in ("baclofen", "lioresal"))
    if any(system == ATC and code != "M03BX01" for system, code, _ in coded):
        inquiry.ask(path, "the ATC code of another medicine", "M03BX01, baclofen")
        return False
    if name.strip() and not has_known_name:
        inquiry.ask(path, "the name of another medicine", "baclofen", "Only oral baclofen is dispensed here.")
        return False
    if not has_known_code and not has_known_name:
        inquiry.ask(path, "no name and no known code", "baclofen, by name or by a code of RxNorm, ATC or SNOMED CT")
        return False
    for system, code, _ in coded:
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
    inquiry: Inquiry,
) -> set[Decimal]:
    strengths = {_RXNORM[code] for system, code, _ in coded if system == RXNORM and code in _RXNORM}
    strengths |= {Decimal(match[1].replace(",", ".")) for text in words for match in _STRENGTH.finditer(text)}
    for path, item in ingredients:
        ratio = as_object(item.get("strength"), f"{path}.strength", inquiry)
        if ratio:
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


def _read_form_words(medication: Mapping[str, Any] | None, path: str, inquiry: Inquiry) -> str:
    concept = as_object((medication or {}).get("form"), f"{path}.form", inquiry)
    coded = read_codings(concept, f"{path}.form", inquiry)
    tablets = " tablet" if any(code in {"385055001", "732936001"} for _, code, _ in coded) else ""
    return (
        " ".join([as_text(concept.get("text"), f"{path}.form.text", inquiry), *(display for *_, display in coded)])
        + tablets
    )


def _find_form(words: str, coded: list[tuple[str, str, str]]) -> str:
    low = words.lower()
    form_name = next((form for form, signs in _FORMS.items() if any(sign in low for sign in signs)), "")
    return form_name or ("tablet" if any(system == RXNORM and code in _RXNORM for system, code, _ in coded) else "")
