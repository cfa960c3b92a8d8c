"""Another record may be of the same patient.

Finds: information while another record of the pharmacy has the patient's name and birth date, or number written otherwise, and
no person has said whether it is of the same patient.
Errs: on the side of handing over: the question stands on the page, but a namesake delays nobody's tablets. What the other record
holds, supplies and facts, is not counted.
Source: design.
"""

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.terms import Terms


def check(t: Terms, limits: NoLimits) -> Answer:
    count = 0 if t.case.record is None else t.case.record.potential_duplicates
    return (Found(Severity.INFORMATION, _describe, count),) if count else CLEAR


def _describe(count: int) -> Words:
    records, have = ("Another record", "has") if count == 1 else (f"{count} other records", "have")
    return Words(
        f"{records} may be of the same patient.",
        f"{records} {have} this name and birth date, or this number written otherwise. Supplies, medicines and facts recorded "
        "there are not counted here. Say for each whether it is the same patient or another one.",
        observed={"records": str(count)},
        limit={"records": "0"},
        dur=Dur.MISSING_INFORMATION,
        detected_issue=DetectedIssue.DUPLICATE_INGREDIENT,
    )


def explain(t: Terms, limits: NoLimits) -> str:
    return "No other record waits for the answer whether it is of the same patient."


RULE = Rule(
    code="potential-duplicate",
    limits=NoLimits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=EVERY_MEDICINE,
    needs_record=True,
    answers=("14",),
    clears=("An answer to whether the two records are of one person",),
)
