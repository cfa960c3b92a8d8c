"""Nobody knows how the kidneys work.

Finds: without an eGFR and without dialysis an acknowledgement from 65 years, below that information. For who goes on as
before it is information too, where the eGFR was asked for and is not known, until it is to be asked for again.
Errs: on the side of asking: with an unknown age it asks as from 65 years.
Source: the Beers criteria on baclofen and kidneys.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.continuing import was_asked
from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount


@dataclass(frozen=True, slots=True)
class Limits:
    from_years: Decimal = number("years", 40, 100, words="age from which unknown kidneys are asked for")


def check(t: Terms, limits: Limits) -> Answer:
    if t.patient.egfr is not None or t.patient.dialysis:
        return CLEAR
    older = t.age is None or t.age >= limits.from_years
    is_answered = t.goes_on and was_asked(t.patient, "egfr", t.case.on, t.limits)
    return (Found(Severity.ACKNOWLEDGE if older and not is_answered else Severity.INFORMATION, _describe, t, limits),)


def _describe(t: Terms, limits: Limits) -> Words:
    years, least = None if t.age is None else format_amount(t.age), format_amount(limits.from_years)
    who = "age not known" if years is None else f"{years} years old"
    return Words(
        f"No eGFR is recorded ({who}); baclofen is cleared by the kidneys",
        f"eGFR: not recorded; dialysis: not recorded as yes; {who}; from {least} years it wants an acknowledgement.",
        observed={"egfr": None, "age_years": years},
        limit={"age_years": least},
        dur=Dur.LAB_TEST_NEEDED,
        detected_issue=DetectedIssue.LAB,
    )


def explain(t: Terms, limits: Limits) -> str:
    return "An eGFR or dialysis is recorded."


RULE = Rule(
    code="renal-unknown",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("2", "5", "9"),
    terms=("ask_again_after_days",),
    why_continuing="asked for and not known: information until it is asked for again",
    clears=("An eGFR in the patient\u2019s record",),
)
