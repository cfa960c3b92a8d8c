"""Several other medicines that slow the nervous system.

Finds: an override where as many of them stand on the list as the profile says for the age. Which classes count, medicines/classes.toml says;
baclofen itself is not counted.
Errs: on the side of asking: a name and a code that disagree may count twice; an unknown list of medicines is not assessed.
Source: the Beers criteria speak against three or more from 65 years, baclofen among them; below that the number is a design default.
"""

from dataclasses import dataclass
from decimal import Decimal

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN, depressant_codes, names_of_classes
from baclofen_rules.profiles.limits import Bands, by_age
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.terms import MEDICINES_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.words import clip


@dataclass(frozen=True, slots=True)
class Limits:
    asked_from: Bands[Decimal] = by_age(
        "medicines", 1, 20, none=False, words="number of other such medicines from which it is an override"
    )


def check(t: Terms, limits: Limits) -> Answer:
    if t.interacting is None:
        return (Missing((MEDICINES_FACT,)),)
    names = names_of_classes(t.interacting, depressant_codes())
    least = limits.asked_from.verdict(lambda number: len(names) >= number, t.age)
    if least is None:
        return CLEAR
    if isinstance(least, Missing):
        return (least,)
    return (Found(Severity.OVERRIDE, _describe, names, least),)


def _describe(names: tuple[str, ...], least: Decimal) -> Words:
    clipped_names = [clip(name) for name in names]
    return Words(
        f"{len(names)} other medicines that slow the nervous system: sleepiness, falls and slow breathing add up",
        f"Beside baclofen: {', '.join(clipped_names)}. Asked about from {format_amount(least)}. Ask which of them can be left out or lowered.",
        observed={"medicines": clipped_names},
        limit={"medicines_below": format_amount(least)},
        dur=Dur.ADDITIVE_TOXICITY,
        detected_issue=DetectedIssue.DRUG,
    )


def explain(t: Terms, limits: Limits) -> str:
    names = names_of_classes(t.interacting or {}, depressant_codes())
    return f"{len(names)} others that slow the nervous system; asked about from: {limits.asked_from}."


RULE = Rule(
    code="depressant-count",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("1", "2", "5", "9", "10"),
    on_continuing=OnContinuing.INFORMATION,
    covers=depressant_codes(),
    rests_on=("medicines",),
    group="interaction-*",
    clears=("Fewer than {medicines_below} sedating medicines on the patient\u2019s list",),
)
