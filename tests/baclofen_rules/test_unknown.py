"""Nothing unknown passes silently: taking a fact away never loses a finding without a word."""

from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules import Case, InvalidCase, explain, load_profile, review
from baclofen_rules.rules import all_rules
from tests.baclofen_rules.cases import case_of
from tests.examples import examples

PROFILES = [load_profile(name) for name in ("lioresal", "us-label", "uk-smpc")]

DOSES = st.sampled_from(["0.5", "1", "2.5", "5", "7.5", "10", "12.5", "15", "20", "25", "35", "40", "60", "100"])
DAY = st.lists(DOSES, min_size=1, max_size=5).map("+".join)
PHASES = st.lists(st.tuples(DAY, st.integers(1, 30)), min_size=1, max_size=4).flatmap(
    lambda made: st.booleans().map(
        lambda is_open: [
            f"{day}" if is_open and index == len(made) - 1 else f"{day} for {days} days"
            for index, (day, days) in enumerate(made)
        ]
    )
)
FILLS = st.lists(
    st.tuples(DAY, st.integers(0, 130), st.integers(1, 90), st.sampled_from(["", ", concurrent"])).map(
        lambda fill: f"{fill[0]}, {fill[1]} days ago, for {fill[2]} days{fill[3]}"
    ),
    max_size=3,
)
MEDICINES = st.lists(
    st.sampled_from(
        [
            {"name": "morphine"},
            {"atc": "N05BA01"},
            {"name": "Zorblaxin"},
            {"name": "ibuprofen", "atc": "A02BC01"},
            {"name": "Lioresal"},
            {"name": "Gablofen"},
            {"name": "Fleqsuvy"},
            {"name": "quetiapine", "atc": "N05AH04"},
            {"atc": "N02"},
            {"name": "paracetamol"},
        ]
    ),
    max_size=3,
)
CONDITIONS = st.lists(
    st.sampled_from(["epilepsy", "peptic-ulcer", "liver-disease", "stroke", {"system": "snomed", "code": "84757009"}]),
    max_size=2,
)
PATIENTS = st.fixed_dictionaries(
    {
        "age_years": st.sampled_from([0, 3, 4, 7, 8, 11, 12, 17, 18, 45, 64, 65, 90]),
        "sex": st.sampled_from(["female", "male", "other"]),
        "weight_kg": st.sampled_from([5, 15, 20, 32, 33, 50, 70, 120]),
        "egfr": st.sampled_from([5, 14, 15, 29, 30, 59, 60, 95]),
        "dialysis": st.booleans(),
        "pregnant": st.booleans(),
        "breastfeeding": st.booleans(),
        "allergies": st.lists(st.sampled_from(["baclofen", "wheat", "penicillin"]), max_size=2),
        "conditions": CONDITIONS,
        "medicines": MEDICINES,
        "alcohol_use": st.booleans(),
        "drives": st.booleans(),
        "intrathecal_pump": st.booleans(),
    }
)
ORDERS = st.fixed_dictionaries(
    {
        "strength_mg": st.sampled_from([5, 10, 15, 20, 25, 30]),
        "brand": st.sampled_from(["Lioresal", "Baclofen Mylan"]),
        "route": st.sampled_from(["oral", "oral", "oral", "oral", "oral", "intrathecal", "rectal"]),
        "then_stop": st.booleans(),
        "written_on": st.sampled_from(["2026-11-20", "2026-04-01", "2025-01-01"]),
        "directions": st.sampled_from([None, None, "5 mg tid", "10 mg tid for 28 days", "as directed"]),
    },
    optional={"quantity": st.sampled_from([1, 42, 84, 200])},
)
PICK = {"strength_mg": 25, "medicine": "Amitriptyline 25 mg", "form": "capsule", "expires_on": "2026-10-31"}
CASES = st.fixed_dictionaries(
    {"takes": PHASES, "had": FILLS, "patient": PATIENTS, "prescription": ORDERS},
    optional={"case": st.sampled_from([{"picked": PICK}, {"action": "discontinue"}])},
).map(case_of)

FACTS = [
    *(f"patient.{fact}" for fact in PATIENTS.wrapped_strategy.mapping),
    "prescription.medicine",
    "prescription.strength_mg",
    "prescription.brand",
    "prescription.route",
    "prescription.form",
    "prescription.written_on",
    "prescription.quantity",
    "prescription.then_stop",
    "prescription.phases",
    "picked",
    "picked.strength_mg",
    "picked.medicine",
    "picked.expires_on",
    "history",
]
SAME_FACT = {"patient.age_years": "patient.birth_date"}
MEASURED = ("patient.weight_kg", "patient.egfr")
WAITS_FOR_THE_SCAN = ("medicine", "form", "pack-expiry")
"""Rules that look at the pack, once there is one; until then the rule ``pick`` says that none was scanned."""
QUIET = examples(40)


def without(case, path):
    bare = deepcopy(case)
    *way, last = path.split(".")
    at = bare
    for step in way:
        at = at[step]
    at[last] = None
    return bare


def is_there(case, path):
    at = case
    for step in path.split("."):
        if at is None or step not in at:
            return False
        at = at[step]
    return at is not None


GROUPS = {rule.code: rule.group for rule in all_rules() if rule.group}


def lacking_of(code, lacking):
    """Return the facts that a rule reports as lacking: under its own code, or under that of its group."""
    return (*lacking.get(code, ()), *lacking.get(GROUPS.get(code, ""), ()))


@pytest.mark.parametrize("fact", FACTS)
@QUIET
@given(case=CASES, unknown=st.sets(st.sampled_from(FACTS), max_size=2))
def test_taking_a_fact_away_never_loses_a_finding_silently(fact, case, unknown):
    for other in sorted(unknown - {fact}):
        if is_there(case, other):
            case = without(case, other)
    if not is_there(case, fact):
        return
    phases = (case["prescription"] or {}).get("phases")
    if fact == "prescription.then_stop" and phases and phases[-1]["days"] is None:
        return  # an open end with no word of a stop goes on: that is what the case format means by it
    if fact == "prescription.phases" and case["prescription"]["directions"] is not None:
        return  # the directions stand in for them, and are another dose
    try:
        full, bare = Case.from_json(case), Case.from_json(without(case, fact))
    except InvalidCase:
        return  # refused out loud
    named = SAME_FACT.get(fact, fact)
    for profile in PROFILES:
        before, after = review(full, profile), review(bare, profile)
        still = {finding.code for finding in after.findings}
        lacking = {rule.code: rule.missing for rule in after.not_assessed}
        for finding in before.findings:
            if finding.code == "implausible-fact" and fact in MEASURED:
                continue  # what was implausible is gone
            if finding.code not in still:
                code = "pick" if fact == "picked" and finding.code in WAITS_FOR_THE_SCAN else finding.code
                asked = [f"patient.{name}" for name, value in finding.observed.items() if value is None]
                names = (named, *asked)  # what was said to be unknown is asked
                assert any(missing.startswith(names) for missing in lacking_of(code, lacking)), finding.code


def test_an_explanation_without_history_says_that_it_is_not_known():
    case = Case.from_json(
        {
            "format": "baclofen-case/1",
            "on": "2026-11-22",
            "action": "dispense",
            "prescription": {"strength_mg": 10, "phases": [{"dose": 5, "unit": "mg", "times_per_day": 3, "days": 28}]},
        }
    )
    for profile in PROFILES:
        assert not [explained for explained in explain(case, profile) if "None" in explained.words]


@examples(150)
@given(case=CASES, facts=st.sets(st.sampled_from(FACTS), max_size=6))
def test_a_review_is_always_well_formed(case, facts):
    for fact in sorted(facts):
        if is_there(case, fact):
            case = without(case, fact)
    try:
        asked = Case.from_json(case)
    except InvalidCase:
        return
    for profile in PROFILES:
        answer = review(asked, profile)
        assert answer == review(Case.from_json(asked.to_json()), profile)
        worst = max((finding.severity.rank for finding in answer.findings), default=0)
        assert str(answer.outcome) == ("pass", "acknowledge", "override", "stop")[worst]
        codes = [finding.code for finding in answer.findings]
        assert len(set(codes)) == len(codes)
        for finding in answer.findings:
            assert len(finding.summary) < 140, finding.summary
            assert finding.detail.endswith("."), finding.detail
            assert "None" not in finding.summary + finding.detail
            assert finding.sources
        for explained in explain(asked, profile):
            assert explained.words.endswith((".", "?")), explained
            assert "None" not in explained.words, explained
        for rule in answer.not_assessed:
            assert rule.missing
            assert len(set(rule.missing)) == len(rule.missing)
        if answer.course is not None and answer.course.run_out_on is not None:
            assert answer.course.run_out_on >= asked.on
