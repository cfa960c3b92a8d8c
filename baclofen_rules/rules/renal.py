"""The kidneys cannot clear this dose.

Finds, by eGFR and the highest daily dose, with other supplies that run today:
dialysis or eGFR below 15: up to 5 mg an override, above a stop;
15 to under 30: up to 5 mg an acknowledgement, above an override, from 20 mg a stop;
30 to under 60: under 20 mg an acknowledgement, from 20 mg an override; from 60 nothing. Where an older patient begins or rises, also
under 20 mg an override.
A stop is only for a new start, a restart or a rise; for a continuing patient whose dose does not rise it is an override.
An eGFR that is older than the profile's limit is asked about; where it is not below 60 it is information for who goes on as
before. An answer for kidneys from 30 holds for the same eGFR until it is too old, and for a new one that is not below it; below 30 and
on dialysis each supply asks.
Errs: on the side of asking: with an unknown eGFR or an unknown dialysis it says so. An eGFR without a day counts as one of today.
Source: nephrology papers and the British texts; the stops are stricter than any label.
"""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from baclofen_rules.findings import CLEAR, Answer, DetectedIssue, Dur, Facts, Found, Missing, Severity, Words
from baclofen_rules.medicines import BACLOFEN
from baclofen_rules.profiles.limits import number
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.terms import Terms
from baclofen_rules.text import format_amount, read_amount
from baclofen_rules.words import GUARD

EGFR_FACT = "patient.egfr"
DIALYSIS_FACT = "patient.dialysis"


@dataclass(frozen=True, slots=True)
class Limits:
    failure_below_egfr: Decimal = number("mL/min/1.73m2", 1, 120, words="kidney failure, below this eGFR")
    severe_below_egfr: Decimal = number("mL/min/1.73m2", 1, 120, words="severely reduced kidneys, below this eGFR")
    moderate_below_egfr: Decimal = number("mL/min/1.73m2", 1, 120, words="moderately reduced kidneys, below this eGFR")
    low_dose_mg_per_day: Decimal = number("mg/day", 1, 100, words="daily dose that counts as low")
    """The most that failing or severely impaired kidneys are thought to bear."""
    high_dose_mg_per_day: Decimal = number("mg/day", 1, 100, words="daily dose that counts as high")
    """From here encephalopathy was seen more often."""
    older_from_years: Decimal = number("years", 40, 100, words="age from which a new start on dialysis is graver")
    """From here no dose is begun or raised with impaired kidneys without a pharmacist."""
    oldest_egfr_days: Decimal = number("days", 1, 3650, words="days after which an eGFR is too old")
    """The days for which an eGFR is taken for the present one."""


def check(t: Terms, limits: Limits) -> Answer:
    egfr, dialysis = t.patient.egfr, t.patient.dialysis
    lacking: Answer = CLEAR
    if dialysis is None and (egfr is None or egfr >= limits.failure_below_egfr):
        lacking = (Missing((DIALYSIS_FACT,) if egfr is not None else (EGFR_FACT, DIALYSIS_FACT)),)
    elif egfr is None and not dialysis:
        lacking = (Missing((EGFR_FACT,)),)
    old = () if dialysis else _find_old(t, limits)
    judged = _judged(egfr, dialysis, t.total_mg, limits)
    if judged is None:
        return (*old, *lacking)
    severity, limit = judged
    is_older = t.age is not None and t.age >= limits.older_from_years
    if severity is Severity.ACKNOWLEDGE and is_older and not t.goes_on:
        severity = Severity.OVERRIDE
    guarded = t.is_guarded and severity is Severity.STOP
    finding = Found(Severity.OVERRIDE if guarded else severity, _describe, t, limit, guarded, limits)
    if dialysis or egfr is None or egfr < limits.severe_below_egfr:
        finding.asks_each_time = True
    elif not old:
        finding.is_no_worse_than = partial(_is_no_worse_than, t, limits, egfr)
    return (finding, *old, *lacking)


def _is_no_worse_than(t: Terms, limits: Limits, egfr: Decimal, answered: Facts) -> bool:
    """Say whether the eGFR is in the band and not below one that was answered, at a dose that is not above that of then."""
    before, daily_mg = (read_amount(str(answered.get(name))) for name in ("egfr", "mg_per_day"))
    if before is None or daily_mg is None or answered.get("dialysis") != t.patient.dialysis:
        return False
    return limits.severe_below_egfr <= before <= egfr and t.total_mg <= daily_mg


def _find_old(t: Terms, limits: Limits) -> Answer:
    """Return a finding where the eGFR is older than the limit."""
    egfr, days = t.patient.egfr, _egfr_days(t)
    if egfr is None or days is None or days <= limits.oldest_egfr_days:
        return CLEAR
    goes_on = t.goes_on and egfr >= limits.moderate_below_egfr
    return (Found(Severity.INFORMATION if goes_on else Severity.ACKNOWLEDGE, _describe_old, t, egfr, days, limits),)


def _egfr_days(t: Terms) -> int | None:
    """The days since the eGFR was measured; None where its day is not known."""
    return None if t.patient.egfr_on is None else max(0, (t.case.on - t.patient.egfr_on).days)


def _describe_old(t: Terms, measured: Decimal, days: int, limits: Limits) -> Words:
    egfr, most = format_amount(measured), format_amount(limits.oldest_egfr_days)
    return Words(
        f"The eGFR of {egfr} is {days} days old; ask for a new one",
        f"eGFR {egfr} mL/min/1.73 m2 of {t.patient.egfr_on}, {days} days ago; taken for the present one up to {most} days.",
        observed={"egfr": egfr, "days": str(days)},
        limit={"days": most},
        dur=Dur.LAB_TEST_NEEDED,
        detected_issue=DetectedIssue.LAB,
    )


def _judged(
    egfr: Decimal | None, dialysis: bool | None, day: Decimal, limits: Limits
) -> tuple[Severity, Decimal] | None:
    """The severity of a daily dose at this eGFR, and the amount it is held against; None above all bands."""
    low, high = limits.low_dose_mg_per_day, limits.high_dose_mg_per_day
    if dialysis or (egfr is not None and egfr < limits.failure_below_egfr):
        return (Severity.STOP if day > low else Severity.OVERRIDE), low
    if egfr is None or egfr >= limits.moderate_below_egfr:
        return None
    if egfr < limits.severe_below_egfr:
        if day >= high:
            return Severity.STOP, high
        return (Severity.OVERRIDE if day > low else Severity.ACKNOWLEDGE), low
    return (Severity.OVERRIDE if day >= high else Severity.ACKNOWLEDGE), high


def _describe(t: Terms, limit: Decimal, guarded: bool, limits: Limits) -> Words:
    day, most = format_amount(t.total_mg), format_amount(limit)
    other = (
        f" ({format_amount(t.highest_mg)} mg here, {format_amount(t.concurrent_mg)} mg of other supplies)"
        if t.concurrent_mg
        else ""
    )
    egfr = None if t.patient.egfr is None else format_amount(t.patient.egfr)
    kidneys = "on dialysis" if t.patient.dialysis else f"with an eGFR of {egfr}"
    guard = f" {GUARD}" if guarded else ""
    if t.patient.dialysis and not t.goes_on and t.age is not None and t.age >= limits.older_from_years:
        guard += " Of older people on dialysis 1 in 14 was in hospital within days of the start: let a second person confirm it with the kidney clinic."
    measured = "" if t.patient.egfr_on is None or egfr is None else f" of {t.patient.egfr_on}"
    return Words(
        f"{day} mg a day {kidneys}: baclofen is cleared by the kidneys; the amount to watch is {most} mg a day",
        f"Highest daily dose: {day} mg{other}; eGFR: {egfr or 'not recorded'} mL/min/1.73 m2{measured}; "
        f"dialysis: {'yes' if t.patient.dialysis else 'no' if t.patient.dialysis is False else 'not recorded'}; "
        f"amount to watch: {most} mg a day. Watch for confusion and sleepiness.{guard}",
        observed={"mg_per_day": day, "egfr": egfr, "dialysis": t.patient.dialysis},
        limit={"mg_per_day": most},
        dur=Dur.DISEASE_REPORTED if t.patient.dialysis else Dur.LAB_CONFLICT,
        detected_issue=DetectedIssue.DOSE_CONDITION,
    )


def explain(t: Terms, limits: Limits) -> str:
    egfr = "unknown" if t.patient.egfr is None else format_amount(t.patient.egfr)
    return f"eGFR {egfr}, no dialysis; looked at below {format_amount(limits.moderate_below_egfr)}."


RULE = Rule(
    code="renal",
    limits=Limits,
    check=check,
    explain=explain,
    text=__doc__,
    serves=(BACLOFEN,),
    answers=("5", "9"),
    needs_dose=True,
    on_continuing=OnContinuing.INFORMATION,
    why_continuing="while the eGFR is not below 30, not below the answered one and not too old; below 30 and on dialysis it asks at each supply",
    rests_on=("egfr", "dialysis"),
    clears=(
        "An eGFR measured in the last {days}",
        "A corrected eGFR or dialysis, where it is recorded wrongly; a dose below {mg_per_day} makes it milder",
    ),
)
