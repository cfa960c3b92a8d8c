"""Words for the parts of a finding: quantities with their units, sources, missing facts and proposals."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from baclofen_rules.facts import FACTS
from baclofen_rules.findings import Citation
from baclofen_rules.terms import HISTORY_FACT, PHASES_FACT, QUANTITY_FACT, STOP_FACT, STRENGTH_FACT
from dispensary.documents.words import NB
from dispensary.templatetags.counter import dates

UNITS = {
    "mg_per_day": ("", "mg a day"),
    "from_mg_per_day": ("from ", "mg a day"),
    "low_mg_per_day": ("at least ", "mg a day"),
    "high_mg_per_day": ("at most ", "mg a day"),
    "together_mg_per_day": ("", "mg a day together"),
    "start_mg_per_day": ("start ", "mg a day"),
    "dose_mg": ("", "mg a dose"),
    "smallest_mg": ("at least ", "mg"),
    "gap_days": ("", "days without tablets"),
    "doses_per_day": ("", "doses a day"),
    "times": ("", "times"),
    "months": ("", "months"),
    "mg": ("", "mg"),
    "mg_per_dose": ("", "mg a dose"),
    "strength_mg": ("", "mg tablets"),
    "days": ("", "days"),
    "days_left": ("", "days left"),
    "tablets": ("", "tablets"),
    "least": ("at least ", "tablets"),
    "most": ("at most ", "tablets"),
    "times_per_day": ("", "times a day"),
    "age_years": ("", "years old"),
    "weight_kg": ("", "kg"),
    "mg_per_kg_per_day": ("", "mg/kg a day"),
    "egfr": ("eGFR ", "mL/min/1.73 m²"),
    "days_supply": ("supply for ", "days"),
    "used_percent": ("", "% used"),
    "days_early": ("", "days early"),
    "medicines_below": ("fewer than ", "medicines"),
    "orders": ("", "orders"),
    "repeats": ("", "repeats"),
    "day": ("day ", ""),
    "phase": ("phase ", ""),
    "on": ("today ", ""),
    "since": ("since ", ""),
    "starts_on": ("starts ", ""),
    "due_on": ("due ", ""),
    "written_on": ("written ", ""),
    "valid_until": ("valid until ", ""),
    "expires_on": ("expires ", ""),
}
"""Words before and unit behind each quantity of a finding."""
_IN_THE_DETAIL = frozenset({"about", "ask", "differs"})
"""Words of a finding that its detail says in a sentence."""


def describe_proposal(suggestion: Mapping[str, Any]) -> str:
    """`Take 15 mg three times a day for 3 days, ..., then stop. 27 tablets of 10 mg.`"""
    if "taper" in suggestion:
        packs = " and ".join(
            f"{t['quantity']} tablets of {t['strength_mg']}{NB}mg" for t in suggestion["taper"]["tablets"]
        )
        return f"{suggestion['taper']['sentence']} {packs}."
    return f"{suggestion['quantity']} tablets." if "quantity" in suggestion else ""


def format_quantities(values: Mapping[str, Any]) -> str:
    if "least" in values and values["least"] == values.get("most"):
        values = {"tablets" if name == "most" else name: value for name, value in values.items() if name != "least"}
    return ", ".join(filter(None, (format_quantity(name, value) for name, value in values.items())))


def format_quantity(name: str, value: Any) -> str:
    """Return one quantity of a finding with its unit; "" for a list or words, which the finding's detail spells out."""
    if isinstance(value, list | dict) or name in _IN_THE_DETAIL:
        return ""
    is_fact = value is None or isinstance(value, bool)
    text = {True: "yes", False: "no", None: "not known"}[value] if is_fact else dates(value)
    before, unit = UNITS.get(name, (f"{name.replace('_', ' ')}: ", ""))
    unit = re.sub(r"^(day|tablet|year|time|month|dose|order|repeat)s", r"\1", unit) if text == "1" else unit
    return f"{before}{text}{NB}{unit}" if unit and value is not None else f"{before}{text}"


def describe_source(source: Citation) -> str:
    where = f", {source.where}" if source.where else ""
    return f"[{source.mark}] {source.title}{where}"


_FACTS_OF_ORDERS = {
    "picked.expires_on": "the expiry date of the pack (scan its square code, or type the date)",
    STOP_FACT: "whether the medicine goes on after the days of the order",
    PHASES_FACT: "a second statement of the doses (they were read from the words alone: compare the words with the computed course)",
    "prescription.written_on": "the day on which the prescription was written",
    STRENGTH_FACT: "the strength of the tablets",
    QUANTITY_FACT: "the number of tablets ordered",
    "prescription.repeats": "how many repeats the prescription allows",
    "prescription.brand": "the brand of the pack",
    HISTORY_FACT: "what the patient was supplied before",
}


def describe_fact(path: str) -> str:
    """`patient.egfr` -> `eGFR`, `patient.weight_kg` -> `weight`."""
    if path in _FACTS_OF_ORDERS:
        return _FACTS_OF_ORDERS[path]
    if path.startswith("picked"):
        return "the pack in hand (scan it)"
    name = path.rsplit(".", 1)[-1]
    if path.startswith("profile."):
        limit = {"max_mg_per_day": "daily maximum"}.get(name, name.replace("_", " "))
        return f"a {limit} for this age (the profile has none: ask the prescriber which holds)"
    return FACTS[name].words if name in FACTS else name.replace("_", " ")
