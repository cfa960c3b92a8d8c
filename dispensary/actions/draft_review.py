"""The review of an order that is not taken in: another system asks about it while it is written or verified."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from baclofen_rules.facts import FACTS
from dispensary.answered import answered_document
from dispensary.assessment import CASE_FORMAT, Assessment, assess_document, facts_for_the_rules, profile_of
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Patient, Pharmacy
from dispensary.record import record_document
from dispensary.rows import select_rows

_DRAFT = "draft"
"""The id of an order that is not taken in."""
_FACT = re.compile(r"patient\.(\w+)")
"""The path of a fact in a case."""


def assess_draft(
    order: Mapping[str, Any],
    *,
    pharmacy: Pharmacy,
    on: date,
    facts: Mapping[str, Any],
    supplies: Sequence[Mapping[str, Any]] | None = None,
    patient: Patient | None = None,
) -> tuple[Assessment | None, list[Problem]]:
    """Review an order that is not taken in, in the words of the case format; nothing is stored.

    `facts` are the sender's and stand before those on record of `patient`, one of the pharmacy's, where it is known.
    `supplies`, as a case has them, count where the pharmacy has handed over nothing; None is an unknown history.
    A fact that cannot be read is not known. Returns what could not be read beside the assessment: None where that is the order.
    """
    record: dict[str, Any] = {"orders": [], "supplies": None if supplies is None else list(supplies), "decisions": []}
    recorded: dict[str, Any] = {}
    if patient is not None:
        rows = select_rows(patient, on)
        recorded = facts_for_the_rules(patient, on) | {"died_on": patient.died_on and patient.died_on.isoformat()}
        if rows.dispenses or rows.prior_supplies or rows.orders:
            record = record_document(rows, on) | {"answered": answered_document(rows)}
    product = {name: order.get(name) for name in ("strength_mg", "brand", "quantity", "phases")}
    fields = ("medicine", "form", "route", "written_on", "starts_on", "group", "as_needed", "then_stop", "repeats",
              "interval_days", "directions", "expected_days", "lines")  # fmt: skip
    draft = {name: order[name] for name in fields if name in order}
    draft |= {"id": _DRAFT, "status": "active", "products": [product]}
    document = {
        "format": CASE_FORMAT,
        "on": on.isoformat(),
        "action": "dispense",
        **record,
        "ask": {"order": _DRAFT},
    }
    document["orders"] = [*record["orders"], draft]
    stated = {name: value for name, value in facts.items() if value is not None}
    problems: list[Problem] = []
    while True:
        try:
            return assess_document(document | {"patient": recorded | stated}, profile_of(pharmacy, on), on), problems
        except InvalidInput as error:
            problems += error.problems
            named = {match[1] for problem in error.problems if (match := _FACT.match(problem.field))}
            unread = {*named, *(FACTS[name].day_of for name in named & FACTS.keys())} & stated.keys()
            if not unread:
                return None, problems
            stated = {name: value for name, value in stated.items() if name not in unread}
