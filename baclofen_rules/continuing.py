"""Findings that were answered before: how mild they are where a patient goes on as before, and where a graver one asks the same."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

from baclofen_rules.facts import FACTS, LISTS, PatientFacts
from baclofen_rules.findings import Finding, Found, Missing, Severity
from baclofen_rules.rule import OnContinuing, Rule
from baclofen_rules.shared_limits import SharedLimits
from baclofen_rules.terms import Terms


def ease_answered(finding: Finding, rule: Rule[Any], terms: Terms) -> Finding:
    """Return a finding as mild as its rule has it for a patient who goes on as before, where it was answered before.

    An override is asked for again after the days for which an answer holds; what is only one step milder is seen again at shorter
    intervals. Without a list of answers a finding is one step
    milder where its facts have stood in the record since before the last supply: it was answered then.
    """
    if not terms.goes_on or finding.severity is Severity.INFORMATION:
        return finding
    if rule.on_continuing is OnContinuing.TOLD:
        return finding.at_most(Severity.INFORMATION, "The dose does not rise; asked when it does.")
    if rule.on_continuing not in (OnContinuing.INFORMATION, OnContinuing.MILDER):
        return finding
    case, facts = terms.case, rule.rests_on
    if case.answered is None:
        latest = terms.latest
        recorded = terms.patient.recorded_on or {}
        is_answered = latest is not None and all(recorded.get(fact, date.max) < latest.dispensed_on for fact in facts)
        return finding.at_most(finding.severity.milder, "") if is_answered else finding
    answered_on = _last_answered(finding, terms)
    if answered_on is not None and not stands_since(answered_on, facts, terms):
        answered_on = None
    when = f"Answered on {answered_on}"
    if answered_on is None:
        answered_on = _last_answered_no_milder(finding, terms)
        when = f"Answered on {answered_on}, when it was no milder"
    if answered_on is None or not _takes_no_more_than(answered_on, terms):
        return finding
    milder = Severity.INFORMATION if rule.on_continuing is OnContinuing.INFORMATION else finding.severity.milder
    limits = terms.limits
    is_grave = finding.code in (limits.two_signatures or ())
    holds_days = limits.grave_override_holds_days if is_grave else limits.override_holds_days
    again_on = answered_on + timedelta(days=int(holds_days))
    if finding.severity is not Severity.OVERRIDE:
        return finding.at_most(milder, f"{when}.")
    if again_on <= case.on:
        return finding
    eased = finding.at_most(milder, f"{when}; asked again from {again_on}.")
    seen_on = _last_answered(eased, terms) or answered_on
    see_again_on = seen_on + timedelta(days=int(limits.see_again_after_days))
    if milder is Severity.INFORMATION or see_again_on <= case.on:
        return eased
    return finding.at_most(
        Severity.INFORMATION, f"Seen on {seen_on}; asked for again from {min(see_again_on, again_on)}."
    )


def _last_answered(finding: Finding, terms: Terms) -> date | None:
    """Return the last day on which exactly this finding was answered."""
    fingerprint = finding.fingerprint
    return max((answer.on for answer in terms.case.answered or () if answer.fingerprint == fingerprint), default=None)


def _last_answered_no_milder(finding: Finding, terms: Terms) -> date | None:
    """Return the last day on which a finding of the rule was answered that was as grave, and on values that were no better."""
    return max(
        (
            answer.on
            for answer in terms.case.answered or ()
            if answer.code == finding.code and answer.severity is not None and answer.observed is not None
            if answer.severity.rank >= finding.severity.rank and finding.is_no_worse_than(answer.observed)
        ),
        default=None,
    )


def _takes_no_more_than(day: date, terms: Terms) -> bool:
    """Return whether no more is taken than on the evening of a day."""
    taken = None if terms.therapy is None else terms.therapy.day(day).high
    return taken is None or terms.total_mg <= taken


def stands_since(day: date, facts: tuple[str, ...], terms: Terms) -> bool:
    """Return whether no fact is known to have changed after a day.

    Lists may change: what of them a finding names is part of the finding.
    """
    recorded = terms.patient.recorded_on or {}
    return all(recorded[fact] <= day for fact in facts if fact in recorded and FACTS[fact].kind not in LISTS)


def gravest(answer: Iterable[Found | Missing]) -> Severity:
    """Return the gravest severity of the findings of an answer, which has one at least."""
    return max([part.severity for part in answer if isinstance(part, Found)], key=attrgetter("rank"))


class Covering(NamedTuple):
    """A finding that speaks for others too, as grave as it was before any answer."""

    code: str
    severity: Severity


def ease_covered(finding: Finding, by: Covering | None) -> Finding:
    """Return a finding as information where a graver one is about the same: one answer is enough for both."""
    if by is None or not Severity.INFORMATION.rank < finding.severity.rank < by.severity.rank:
        return finding
    return finding.at_most(Severity.INFORMATION, f"Counted in {by.code}.")


def was_asked(patient: PatientFacts, fact: str, on: date, limits: SharedLimits) -> bool:
    """Return whether a fact was asked for, is not known, and need not be asked for again on a day."""
    asked_on = (patient.recorded_on or {}).get(fact)
    if asked_on is None or getattr(patient, fact) is not None:
        return False
    days: Decimal = getattr(limits, FACTS[fact].ask_again)
    return (on - asked_on).days < days
