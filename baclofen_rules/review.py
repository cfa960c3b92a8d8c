"""A review: every rule applied to one case, and one answer made of the findings."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any, Final, NamedTuple

from baclofen_rules.case import Action, Case
from baclofen_rules.continuing import Covering, ease_answered, ease_covered, gravest
from baclofen_rules.directions import Question, Why
from baclofen_rules.extensions import rules_digest
from baclofen_rules.findings import Answer, Citation, Finding, Found, NotAssessed, Outcome, Severity
from baclofen_rules.gathering import gather_answered
from baclofen_rules.planning.suggest import ANSWERED, suggest_taper
from baclofen_rules.profiles import Profile
from baclofen_rules.regimen import Phase
from baclofen_rules.rule import OnContinuing
from baclofen_rules.rulebook import BoundRule, rulebook
from baclofen_rules.supply import run_out_on, tablets_per_dose
from baclofen_rules.terms import PHASES_FACT, ROUTE_FACT, STRENGTH_FACT, Terms
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER, Due, OrderRelation, Therapy

FORMAT: Final = "baclofen-review/1"
RULES_VERSION: Final = "1.7.0"
"""Changes with every change of what a rule finds."""


class CoursePhase(NamedTuple):
    """A phase with its place in the course and the tablets of each dose; ``to_day`` None is an open end."""

    from_day: int
    to_day: int | None
    mg_per_day: Decimal
    strength_mg: Decimal | None
    tablets: tuple[Decimal, ...]
    """Tablets of each dose in the order of the day; one value where all doses are the same."""

    def to_json(self) -> dict[str, Any]:
        strength = None if self.strength_mg is None else format_amount(self.strength_mg)
        return {
            "from_day": self.from_day,
            "to_day": self.to_day,
            "mg_per_day": format_amount(self.mg_per_day),
            "tablets": [
                {"strength_mg": strength, "per_dose": format_amount(round(count, 4))} for count in self.tablets
            ],
        }


class Course(NamedTuple):
    """Tablets, days, and the first day not covered of a prescription; of the second case format, of this hand-over."""

    phases: tuple[CoursePhase, ...]
    tablets_needed: Decimal | None
    """None for an open end or an unknown strength."""
    days_supply: int | None
    """Whole days the quantity lasts; None where neither course nor quantity says."""
    run_out_on: date | None
    starts_on: date | None = None
    """The first day that the hand-over is for, of the second case format."""

    def to_json(self) -> dict[str, Any]:
        starts_on = {} if self.starts_on is None else {"starts_on": self.starts_on.isoformat()}
        return starts_on | {
            "phases": [phase.to_json() for phase in self.phases],
            "tablets_needed": None if self.tablets_needed is None else format_amount(round(self.tablets_needed, 4)),
            "days_supply": self.days_supply,
            "run_out_on": None if self.run_out_on is None else self.run_out_on.isoformat(),
        }


class ReviewedTherapy(NamedTuple):
    """The therapy of the patient today, and how the order in question stands to it, before any answer."""

    therapy: Therapy
    relation: OrderRelation | None
    due: Due | None
    after: Therapy | None
    """The therapy after the hand-over; None where its tablets or doses are not known."""

    def to_json(self) -> dict[str, Any]:
        day = self.therapy.day(self.therapy.today)
        relation, due = self.relation, self.due
        return {
            "mg": _amount(day.mg),
            "low": _amount(day.low),
            "high": _amount(day.high),
            "running": list(day.running),
            "relation": None if relation is None else str(relation.relation),
            "how": None if relation is None or relation.how is None else str(relation.how),
            "to": [] if relation is None else list(relation.to),
            "uncovered_on": None if relation is None else _day(relation.uncovered_on),
            "due_on": None if due is None else _day(due.due_on),
            "earliest_on": None if due is None else _day(due.earliest_on),
            "state": None if due is None else str(due.state),
        }


def _amount(amount: Decimal | None) -> str | None:
    return None if amount is None else format_amount(amount)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


class Review(NamedTuple):
    """The answer to one case: same case, profile and version give the same bytes of JSON."""

    outcome: Outcome
    findings: tuple[Finding, ...]
    """By severity, gravest first, then by code."""
    not_assessed: tuple[NotAssessed, ...]
    """Rules that lacked a fact, by code. They do not change the outcome, but want one acknowledgement."""
    course: Course | None
    """None for a stop order, and where no dose can be believed."""
    profile_name: str
    profile_digest: str
    in_force_on: date
    rules_version: str
    """With the digest of the packages that bring further rules, where there are any."""
    standing: ReviewedTherapy | None = None
    """Of a case of the second format."""

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "outcome": str(self.outcome),
            "profile": {
                "name": self.profile_name,
                "digest": self.profile_digest,
                "in_force_on": self.in_force_on.isoformat(),
            },
            "rules_version": self.rules_version,
            "findings": [finding.to_json() for finding in self.findings],
            "not_assessed": [rule.to_json() for rule in self.not_assessed],
            "course": None if self.course is None else self.course.to_json(),
        } | ({} if self.standing is None else {"therapy": self.standing.to_json()})


class Explained(NamedTuple):
    """The state of one rule: ``found``, ``clear``, ``not assessed``, ``switched off`` or ``not asked``, and why."""

    code: str
    state: str
    words: str
    sources: tuple[Citation, ...]

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "state": self.state,
            "words": self.words,
            "sources": [source.to_json() for source in self.sources],
        }


def review(case: Case, profile: Profile) -> Review:
    """Apply every rule to a case. Raises InvalidProfile when the profile has no numbers for the day, or is of another medicine."""
    in_force_on = profile.on or case.on
    book = rulebook(profile, in_force_on)
    terms = Terms(case, book.terms, book.habits)
    findings: list[Finding] = []
    lacking: dict[str, list[str]] = {}
    is_stop = case.action is Action.DISCONTINUE
    no_dose = not terms.phases and not is_stop
    doubted: list[str] = []
    asked = book.rules_for(case)
    covered: dict[str, Covering] = {}
    for bound in asked:
        rule = bound.rule
        if (no_dose and rule.needs_dose) or (rule.on_continuing is OnContinuing.SILENT and terms.goes_on):
            continue
        answer = (
            _check_products(bound, terms)
            if terms.products and rule.is_about_product
            else rule.check(terms, bound.limits)
        )
        if answer:
            finding = _merge_answer(answer, bound, terms, lacking)
            if finding is not None:
                findings.append(finding)
                covered.update(dict.fromkeys(rule.covers, Covering(rule.code, gravest(answer))))
                if rule.ends_review:
                    return _closed(finding, terms, profile, in_force_on)
                if rule.switches_off:
                    doubted.append(_unbelievable_fact(rule.code))
                    no_dose = True
    if no_dose:
        for bound in asked:
            if bound.rule.needs_dose:
                lacking[bound.rule.code] = doubted or _facts_for_dose(terms)
    if covered:
        findings = [ease_covered(finding, covered.get(finding.code)) for finding in findings]
    findings = gather_answered(findings, asked, terms)
    if not doubted and any(finding.code in ANSWERED for finding in findings):
        findings = _suggest_taper(findings, terms, profile)
    if len(findings) > 1:
        findings.sort(key=lambda finding: (-finding.severity.rank, finding.code))
    return Review(
        outcome=_outcome(findings),
        findings=tuple(findings),
        not_assessed=tuple([NotAssessed(code, tuple(dict.fromkeys(lacking[code]))) for code in sorted(lacking)]),
        course=None if no_dose or is_stop else _course(terms),
        profile_name=profile.name,
        profile_digest=profile.digest,
        in_force_on=in_force_on,
        rules_version=_rules_version(),
        standing=_standing(terms),
    )


@cache
def _rules_version() -> str:
    digest = rules_digest()
    return f"{RULES_VERSION}+{digest}" if digest else RULES_VERSION


def _closed(finding: Finding, terms: Terms, profile: Profile, in_force_on: date) -> Review:
    """Return the review of an order that may not be handed over: one finding, and no course."""
    return Review(
        outcome=_outcome([finding]),
        findings=(finding,),
        not_assessed=(),
        course=None,
        profile_name=profile.name,
        profile_digest=profile.digest,
        in_force_on=in_force_on,
        rules_version=_rules_version(),
        standing=_standing(terms),
    )


def _check_products(bound: BoundRule[Any], terms: Terms) -> Answer:
    """Apply a rule about tablets to each product of the order."""
    return tuple(part for product in terms.products for part in bound.rule.check(product, bound.limits))


def _standing(terms: Terms) -> ReviewedTherapy | None:
    if terms.therapy is None:
        return None
    ask = terms.case.ask
    due = None if ask is None or ask.order is None else terms.therapy.due(ask.order)
    return ReviewedTherapy(terms.therapy, terms.relation, due, terms.after)


def explain(case: Case, profile: Profile) -> tuple[Explained, ...]:
    """Return for every rule the facts it read, its limit and its answer; by code."""
    reviewed = review(case, profile)
    book = rulebook(profile, profile.on or case.on)
    terms = Terms(case, book.terms, book.habits)
    findings = {finding.code: finding for finding in reversed(reviewed.findings)}
    lacking = {rule.code: rule.missing for rule in reviewed.not_assessed}
    explained = []
    bound_rules = {bound.rule.code: bound for rules in book.rules.values() for bound in rules}
    for code, bound in bound_rules.items():
        missing = lacking.get(code) or lacking.get(bound.rule.group)
        if case.action not in bound.rule.actions:
            words = f"This rule speaks about the action {' or '.join(bound.rule.actions)}."
            state = "not asked"
        elif bound.rule.needs_record and case.record is None:
            state, words = "not asked", "This rule reads orders and supplies, which this format does not have."
        elif code in findings:
            state, words = "found", findings[code].detail
        elif missing is not None:
            state, words = "not assessed", _describe_lacking(missing, terms)
        else:
            state, words = "clear", bound.rule.explain(terms, bound.limits)
        explained.append(Explained(code, state, words, bound.sources))
    return tuple(sorted(explained, key=lambda rule: rule.code))


def _facts_for_dose(terms: Terms) -> list[str]:
    """Return the lacking facts where there is no dose: the phases, and the strength where the directions count in tablets."""
    reading = None if terms.order is None else terms.order.reading
    in_tablets = isinstance(reading, Question) and reading.why is Why.NO_STRENGTH
    return [PHASES_FACT, STRENGTH_FACT] if in_tablets else [PHASES_FACT]


def _describe_lacking(missing: Sequence[str], terms: Terms) -> str:
    """Describe what a rule lacks: facts to ask for, or a number that the profile does not have at this age."""
    facts = [fact for fact in missing if not fact.startswith("profile.")]
    names = [fact.rpartition(".")[2] for fact in missing if fact.startswith("profile.")]
    words = [f"Not known: {', '.join(facts)}."] if facts else []
    words += [f"The profile has no {name} {terms.age_words}: ask the prescriber what holds." for name in names]
    return " ".join(words)


def _merge_answer(answer: Answer, bound: BoundRule[Any], terms: Terms, lacking: dict[str, list[str]]) -> Finding | None:
    """Return one finding, as grave as the gravest; lacking facts are added to ``lacking``."""
    findings: list[Found] = []
    for part in answer:
        if isinstance(part, Found):
            findings.append(part)
        else:
            lacking.setdefault(bound.rule.group or bound.rule.code, []).extend(part.facts)
    if not findings:
        return None
    finding = Finding(bound.rule.code, gravest(findings), tuple(findings), bound.sources)
    return finding if any(part.asks_each_time for part in findings) else ease_answered(finding, bound.rule, terms)


def _suggest_taper(findings: list[Finding], terms: Terms, profile: Profile) -> list[Finding]:
    """The findings about stopping and reducing, with one taper that the rules accept; planned once, when one is read."""

    @cache
    def taper() -> Mapping[str, Any] | None:
        return suggest_taper(terms, profile)

    return [finding.suggesting(taper) if finding.code in ANSWERED else finding for finding in findings]


def _unbelievable_fact(code: str) -> str:
    """Return the fact that makes the dose unbelievable."""
    return ROUTE_FACT if code == "route" else PHASES_FACT


def _outcome(findings: Sequence[Finding]) -> Outcome:
    """The highest severity; findings come gravest first."""
    if not findings or findings[0].severity is Severity.INFORMATION:
        return Outcome.PASS
    return Outcome(findings[0].severity)


def _course(terms: Terms) -> Course:
    if terms.after is not None:
        return _course_of_hand_over(terms, terms.after)
    order, phases = terms.order, terms.phases
    strength = None if order is None else order.strength_mg
    placed, first = [], 1
    for phase in phases:
        last = None if phase.days is None else first + phase.days - 1
        tablets = () if strength is None else _tablets(phase, strength)
        placed.append(CoursePhase(first, last, phase.mg_per_day, strength, tablets))
        first = first if last is None else last + 1
    days = terms.supply_days
    carried = terms.left_days if terms.is_continuing and terms.previous_mg == terms.first_mg else 0
    return Course(
        phases=tuple(placed),
        tablets_needed=None if terms.is_open else terms.needed_tablets,
        days_supply=days,
        run_out_on=None if days is None else run_out_on(terms.case.on, days, carried),
    )


def _course_of_hand_over(terms: Terms, after: Therapy) -> Course:
    """Return the days of the hand-over in question, from where its course stands."""
    days = after.supply(HAND_OVER)
    placed = []
    for stretch in after.label(HAND_OVER):
        first = (stretch.first_on - days.starts_on).days + 1
        last = None if stretch.last_on is None else (stretch.last_on - days.starts_on).days + 1
        tablets = stretch.dose.tablets() or ()
        for strength, counts in zip(stretch.dose.strengths, tablets, strict=bool(tablets)):
            even = counts[:1] if len(set(counts)) == 1 else counts
            placed.append(CoursePhase(first, last, stretch.dose.phase.mg, strength, even))
    return Course(
        phases=tuple(placed),
        tablets_needed=None if terms.is_open else terms.needed_tablets,
        days_supply=days.days,
        run_out_on=days.run_out_on,
        starts_on=days.starts_on,
    )


def _tablets(phase: Phase, strength: Decimal) -> tuple[Decimal, ...]:
    doses = phase.doses[:1] if phase.is_even else phase.doses
    return tuple(tablets_per_dose(dose, strength) for dose in doses)
