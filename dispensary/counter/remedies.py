"""The remedy of each finding: what would clear it, computed from its limit, or why nothing can and what answers it then."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from math import ceil
from string import Formatter

from baclofen_rules.findings import Finding
from dispensary.assessment import Question
from dispensary.counter.finding_words import UNITS, format_quantity
from dispensary.documents.words import long_day
from dispensary.templatetags.counter import dates

_CORRECTED_RECORD = "A corrected record, where {} is recorded wrongly"
_ANSWERED_BELOW = "A choice above the main button of how this order stands to what the patient takes"
_AT_MOST = "At most {mg_per_day}"

REMEDIES: dict[str, tuple[str, ...]] = {
    "abrupt-stop": ("A taper first, down to {mg_per_day} or less",),
    "alcohol": (_CORRECTED_RECORD.format("the use of alcohol"),),
    "allergy": (_CORRECTED_RECORD.format("the allergy"),),
    "anaesthesia": (_CORRECTED_RECORD.format("the planned anaesthesia") + " or is over",),
    "as-needed-beside": (_ANSWERED_BELOW,),
    "benefit-review": ("Less than {mg_per_day}",),
    "ceiling": (_AT_MOST,),
    "condition": (_CORRECTED_RECORD.format("the condition"),),
    "contradiction": ("A corrected record: the facts cannot all hold",),
    "course-goes-on": ("An order that says what follows after {days}",),
    "course-interrupted": (_ANSWERED_BELOW,),
    "cover-gap": ("A start before the old tablets end, or more of the old tablets",),
    "daily-maximum": (_AT_MOST,),
    "days-supply": ("Tablets for at most {days}",),
    "depressant-count": ("Fewer than {medicines_below} sedating medicines on the patient\u2019s list",),
    "directions": ("A corrected order, whose words, doses, days and quantity agree",),
    "dose-change": (_ANSWERED_BELOW,),
    "dose-per-weight": ("{mg_per_day} or less, which is {mg_per_kg_per_day}",),
    "driving": (_CORRECTED_RECORD.format("driving"),),
    "duplicate-supply": ("The other baclofen stopped, or taken off the patient\u2019s list where it has ended",),
    "emergency-supply": ("An order of the prescriber",),
    "fall-risk": (_CORRECTED_RECORD.format("a medicine or a condition"),),
    "form": ("An order for tablets",),
    "hepatic": (_CORRECTED_RECORD.format("the liver disease"),),
    "implausible-fact": ("A corrected value in the patient\u2019s record",),
    "indication": ("Spasticity as the indication in the patient\u2019s record, where that is what it is for",),
    "interaction-unclassified": ("The medicine on the patient\u2019s list by a name or ATC code that is known here",),
    "intrathecal-pump": (_CORRECTED_RECORD.format("the pump"),),
    "lactation": (_CORRECTED_RECORD.format("breastfeeding") + " or has ended",),
    "measurable-dose": ("Doses of whole or half tablets: multiples of {smallest_mg}, or tablets of another strength",),
    "medicine": ("An order for baclofen",),
    "opioid-breathing": (_CORRECTED_RECORD.format("a medicine or a condition"),),
    "order-status": ("An order that is active",),
    "order-twice": ("One of the two orders cancelled",),
    "other-strength": (_ANSWERED_BELOW,),
    "outdated-order": (_ANSWERED_BELOW,),
    "pack-expiry": ("A pack that expires on {expires_on} or later",),
    "peptic-ulcer": (_CORRECTED_RECORD.format("the condition"),),
    "pick": ("A pack of {strength_mg}",),
    "potential-duplicate": ("An answer to whether the two records are of one person",),
    "pregnancy": (_CORRECTED_RECORD.format("the pregnancy") + " or has ended",),
    "prescription-expiry": ("A new prescription: this one was valid until {valid_until}",),
    "quantity": ("{tablets}, or directions that fit the quantity", "From {least} to {most}", "{least} or more"),
    "renal": (
        "An eGFR measured in the last {days}",
        "A corrected eGFR or dialysis, where it is recorded wrongly; a dose below {mg_per_day} makes it milder",
    ),
    "renal-unknown": ("An eGFR in the patient\u2019s record",),
    "restart": ("{mg_per_day} or less on the first days",),
    "route": ("An order to be taken by mouth",),
    "single-dose": ("At most {dose_mg}",),
    "single-dose-rise": ("Doses as before, of {dose_mg} or little more",),
    "starting-dose": ("At most {mg_per_day} to start with",),
    "strength": ("An order for tablets of {strengths_mg}", "An order that names the strength of its tablets"),
    "supply-relation": (_ANSWERED_BELOW,),
    "tablet-weight": ("A weight of {weight_kg} or more in the patient\u2019s record, where that is right",),
    "taper-duration": ("A taper that lasts {days} or more",),
    "taper-interval": ("{days} or more between two steps",),
    "taper-step": ("Steps of at most {mg_per_day}",),
    "tenfold": ("Less than {times} as much",),
    "titration-interval": ("{days} or more between two rises",),
    "titration-step": ("Rises of at most {mg_per_day}",),
    "two-strengths": (_ANSWERED_BELOW,),
    "unit": ("An order in mg",),
    "usual-range": ("{low_mg_per_day} to {high_mg_per_day}",),
    "wheat-starch": ("A brand without wheat starch",),
}
"""Templates of what clears a finding, with the names of its limit; the first of which the limit has every name is said."""
STANDING = {
    "age": "the age stays as it is",
    "late-refill": "the days without tablets have passed",
    "leftover-supply": "the old tablets are at home",
    "older-adult": "the age stays as it is",
    "starts-late": "the planned day has passed",
}
"""Findings that no correction clears, with the reason."""
_ANSWERS = {
    "override": "a pharmacist\u2019s override with a reason",
    "acknowledge": "a tick at the hand-over",
}


def what_clears(question: Question, on: date) -> str:
    """Return what would clear a finding in one sentence, or why nothing does and what answers it; empty for information."""
    finding = question.finding
    if finding is None or question.severity == "information":
        return ""
    answer = _ANSWERS.get(question.severity, "")
    remedy = _find_remedy(finding, on)
    if remedy:
        return f"{remedy[:1].upper()}{remedy[1:]}{f', or {answer}' if answer else ''}."
    reason = STANDING.get(finding.code, "it follows from what is ordered and recorded")
    return f"Nothing: {reason}. {f'It is answered by {answer}' if answer else 'Ask the prescriber for another order'}."


def _find_remedy(finding: Finding, on: date) -> str:
    first_day = _clears_on(finding, on)
    if first_day is not None:
        return f"On or after {long_day(first_day)}" if first_day > on else ""
    if finding.code == "age" and finding.limit.get("ages") is None:
        return "The date of birth in the patient\u2019s record"
    if finding.code == "frequency":
        side = "At most" if int(finding.observed["doses_per_day"]) > int(finding.limit["doses_per_day"]) else "At least"
        return f"{side} {format_quantity('doses_per_day', finding.limit['doses_per_day'])}"
    if finding.code.startswith("interaction-") and finding.code not in REMEDIES:
        return "The other medicine stopped, and taken off the patient\u2019s list"
    if "least" in finding.limit and finding.limit["least"] == finding.limit.get("most"):
        return _format_bare("least", finding.limit["least"])
    for template in REMEDIES.get(finding.code, ()):
        names = {name for _, name, _, _ in Formatter().parse(template) if name}
        if names <= {name for name, value in finding.limit.items() if value not in (None, "")}:
            return template.format_map({name: _format_bare(name, finding.limit[name]) for name in names})
    return ""


def _format_bare(name: str, value: object) -> str:
    """Return a quantity with its unit and without the word before it: `14 tablets`, not `at least 14 tablets`."""
    if isinstance(value, list):
        return " or ".join(format_quantity("mg", item) for item in value)
    bare = {"least": "tablets", "most": "tablets", "low_mg_per_day": "mg_per_day", "high_mg_per_day": "mg_per_day"}
    name = {"smallest_mg": "mg", **bare}.get(name, name)
    return format_quantity(name, value) if name in UNITS else dates(str(value))


def _clears_on(finding: Finding, on: date) -> date | None:
    """Return the day from which a finding about time is no longer made; None for others."""
    limit, observed = finding.limit, finding.observed
    if "due_on" in limit:
        return date.fromisoformat(limit["due_on"]) - timedelta(days=int(limit.get("days_early", 0)))
    if "starts_on" in limit and finding.code != "cover-gap":
        return date.fromisoformat(limit["starts_on"])
    if "used_percent" in limit:
        supplied, left = int(observed["days_supply"]), int(observed["days_left"])
        return on + timedelta(days=ceil(Decimal(limit["used_percent"]) * supplied / 100) - (supplied - left))
    if "days_left" in limit and "days_left" in observed:
        return on + timedelta(days=int(observed["days_left"]) - int(limit["days_left"]))
    return None
