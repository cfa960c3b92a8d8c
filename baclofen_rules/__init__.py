"""The rule book: what is safe about dispensing oral baclofen, and why.

A case is one dispense-time question, a profile a named set of cited numbers, a review the answer:

>>> from baclofen_rules import Case, load_profile, review
>>> case = Case.from_json({
...     "format": "baclofen-case/1", "on": "2026-11-22", "action": "dispense",
...     "patient": {"age_years": 45, "egfr": 95, "dialysis": False, "pregnant": False, "breastfeeding": False,
...                 "allergies": [], "conditions": [], "medicines": [], "alcohol_use": False, "drives": False,
...                 "intrathecal_pump": False},
...     "prescription": {"written_on": "2026-11-20", "route": "oral", "form": "tablet", "strength_mg": 10, "quantity": 315,
...                      "phases": [{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 30}], "then_stop": False},
...     "picked": {"strength_mg": 10},
...     "history": [{"dispensed_on": "2026-10-23", "dose": 35, "times_per_day": 3, "days_supply": 30,
...                  "relation": "same-course"}]})
>>> answer = review(case, load_profile("lioresal"))
>>> answer.outcome
<Outcome.OVERRIDE: 'override'>
>>> answer.findings[0].summary
'105 mg a day is above the 100 mg daily maximum'
>>> answer.course.run_out_on
datetime.date(2026, 12, 22)

Nothing unknown passes silently: a rule that lacks a fact says so.

>>> stranger = Case.from_json(case.to_json() | {"patient": {"age_years": 45}})
>>> [rule.missing for rule in review(stranger, load_profile("lioresal")).not_assessed if rule.code == "renal"]
[('patient.egfr', 'patient.dialysis')]
"""

from baclofen_rules.case import Action, Case, InvalidCase
from baclofen_rules.directions import Question, Reading, read_directions
from baclofen_rules.findings import Finding, NotAssessed, Outcome, Severity
from baclofen_rules.planning import CannotPlan, Plan, plan_taper, plan_titration
from baclofen_rules.profiles import InvalidProfile, Profile
from baclofen_rules.regimen import Phase, Regimen, Unit
from baclofen_rules.review import RULES_VERSION, Course, Review, explain, review
from baclofen_rules.rule import Rule
from baclofen_rules.rulebook import list_profiles, load_profile
from baclofen_rules.rules import all_rules, rule_by_code
from baclofen_rules.sentences import say_directions

__all__ = [
    "RULES_VERSION",
    "Action",
    "CannotPlan",
    "Case",
    "Course",
    "Finding",
    "InvalidCase",
    "InvalidProfile",
    "NotAssessed",
    "Outcome",
    "Phase",
    "Plan",
    "Profile",
    "Question",
    "Reading",
    "Regimen",
    "Review",
    "Rule",
    "Severity",
    "Unit",
    "all_rules",
    "explain",
    "list_profiles",
    "load_profile",
    "plan_taper",
    "plan_titration",
    "read_directions",
    "review",
    "rule_by_code",
    "say_directions",
]
