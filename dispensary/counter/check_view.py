"""View model of the check page: computed course, dose line, findings."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from baclofen_rules.facts import FACTS
from baclofen_rules.regimen import Phase as RulePhase
from baclofen_rules.regimen import Regimen, Unit
from baclofen_rules.sentences import say_directions
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER
from dispensary.assessment import Assessment
from dispensary.counter.asking import AskForm
from dispensary.counter.dose_line import DoseLine, Span
from dispensary.counter.finding_words import describe_fact, describe_proposal, describe_source, format_quantities
from dispensary.counter.remedies import what_clears
from dispensary.documents.words import NB, describe_doses, mg
from dispensary.models import UNUSED_STATES, FindingSeverity, Override, Prescription
from dispensary.models.review import Reviewed
from dispensary.questions import NOT_ASSESSED, Question, ask_unassessed

HALF = Decimal("0.5")
MOST_IN_A_COLUMN = 3
"""Findings that fit beside the course."""
LOOK_BACK = timedelta(days=182)
"""How far back the picture of the doses goes."""
GROUPS = (
    ("stop", "stop", "Stop", "Cannot be dispensed as it is. Nothing overrides a stop."),
    ("override", "override", "Override", "Needs a pharmacist's reason and signature."),
    ("acknowledge", "acknowledge", "Acknowledge", ""),
    ("information", "information", "Information", "For you to know."),
)


@dataclass(frozen=True, slots=True)
class CourseRow:
    """One phase as computed from the order."""

    number: int
    first_on: date
    last_on: date | None
    dose: str
    """mg taken at one time; several where the doses of a day differ."""
    tablets_per_dose: str
    times: int
    mg_per_day: Decimal
    tablets: Decimal | None
    cumulative: Decimal | None
    now: bool
    as_needed: bool
    """Taken only when needed: times and mg are the most of a day."""


@dataclass(frozen=True, slots=True)
class ShownFinding:
    """A finding, or all that could not be assessed, in the words of the page."""

    question: Question
    anchor: str
    observed: str
    limit: str
    clears: str
    sources: Sequence[str]
    answered_by: Override | None
    proposal: str = ""
    """The rule book's proposal, in words."""
    missing: Sequence[tuple[str, str]] = ()

    @property
    def is_open(self) -> bool:
        return self.answered_by is None and self.question.severity != "information"


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one severity."""

    tone: str
    title: str
    hint: str
    findings: list[ShownFinding]


@dataclass(frozen=True, slots=True)
class CheckView:
    """Course, dose line and findings of one order on one day."""

    course: list[CourseRow]
    line: DoseLine | None
    days_supply: int | None
    run_out_on: date | None
    tablets_needed: Decimal | None
    groups: list[Group]
    asking: AskForm
    """What is asked about the patient before the hand-over."""
    not_known: list[tuple[str, date]]
    """Facts that were asked and are not known, with the day."""
    is_taken_to_go_on: bool
    """The order repeats the dose that is taken and does not say what follows its days."""

    @property
    def findings(self) -> list[ShownFinding]:
        return [finding for group in self.groups for finding in group.findings]

    @property
    def has_many_findings(self) -> bool:
        """Say whether findings and questions fill more than a narrow column."""
        closed = [finding for finding in self.findings if finding.question.severity == "information"]
        return len(self.findings) - len(closed) + len(self.asking.missing) > MOST_IN_A_COLUMN

    @property
    def is_blocked(self) -> bool:
        return bool(self.unanswered("stop"))

    def unanswered(self, severity: str) -> list[ShownFinding]:
        """Return the findings of a severity without an answer."""
        return [finding for finding in self.findings if finding.is_open and finding.question.severity == severity]


def select_prescriptions() -> Any:
    """Return orders with the rows that the page shows."""
    return Prescription.objects.select_related("patient__pharmacy", "prescriber", "pharmacy").prefetch_related("phases")


def build_check_view(
    prescription: Prescription,
    assessment: Assessment,
    *,
    strength_mg: Decimal | None = None,
    answers: Mapping[str, list[str]] | None = None,
) -> CheckView:
    """Return the view model of one order; `strength_mg` is the scanned pack's, else the order's.

    `answers` are what was typed about the patient and is not stored yet.
    """
    course = assessment.review.course
    rows = course_rows(assessment, strength_mg or prescription.strength_mg)
    run_out_on = None if course is None else course.run_out_on
    needed = None if course is None or course.tablets_needed is None else round(course.tablets_needed, 4)
    return CheckView(
        course=rows,
        line=dose_line(prescription, rows, assessment, run_out_on),
        days_supply=None if course is None else course.days_supply,
        run_out_on=run_out_on,
        tablets_needed=needed,
        groups=group_findings(assessment, open_answers(prescription)),
        asking=AskForm(assessment.facts_to_ask(), answers or None),
        not_known=[
            (FACTS[name].words, asked_on)
            for name, asked_on in (assessment.case.patient.recorded_on or {}).items()
            if f"patient.{name}" in assessment.asked
        ],
        is_taken_to_go_on=assessment.is_taken_to_go_on,
    )


def course_rows(assessment: Assessment, strength_mg: Decimal | None) -> list[CourseRow]:
    """Return the days of the hand-over in question with their sums and tablets; empty where they could not be read.

    `strength_mg` is the pack's, for an order of one strength.
    """
    after = assessment.after_hand_over()
    if after is None:
        return []
    today, plan = assessment.on, assessment.plan
    rows: list[CourseRow] = []
    total: Decimal | None = Decimal(0)
    for stretch in after.label(HAND_OVER):
        phase, strengths = stretch.dose.phase, stretch.dose.strengths
        strengths = (strength_mg,) if len(strengths) == 1 else strengths
        ends = after.supply(HAND_OVER).run_out_on if stretch.last_on is None else stretch.last_on + timedelta(days=1)
        amounts = [
            (dose, None if strength is None else dose / strength)
            for doses, strength in zip(phase.doses, strengths, strict=True)
            for dose in doses
        ]
        counts = [count for _, count in amounts if count is not None]
        is_counted = bool(counts) and len(counts) == len(amounts) and ends > stretch.first_on
        tablets = sum(counts, Decimal(0)) * (ends - stretch.first_on).days if is_counted else None
        total = total + tablets if total is not None and tablets is not None else None
        rows.append(
            CourseRow(
                plan.phases.index(phase) + 1,
                stretch.first_on,
                None if phase.days is None and not plan.then_stop else stretch.last_on,
                describe_doses([dose for dose, _ in amounts], mg),
                describe_doses(counts, describe_tablets) if is_counted or counts else "",
                len(amounts),
                phase.mg,
                tablets,
                total,
                stretch.first_on <= today < ends,
                stretch.dose.as_needed,
            )
        )
    return rows


def dose_line(
    prescription: Prescription, rows: Sequence[CourseRow], assessment: Assessment, run_out: date | None
) -> DoseLine | None:
    """Return the course and up to three stretches before it on one axis; None without a course."""
    course = []
    for row in rows:
        ends = (
            row.last_on + timedelta(days=1)
            if row.last_on
            else max(run_out or row.first_on, row.first_on + timedelta(days=1))
        )
        course.append(Span(row.first_on, ends, row.mg_per_day))
    if not course:
        return None
    starts = course[0].starts
    before = assessment.therapy.stretches(assessment.on - LOOK_BACK, starts - timedelta(days=1))
    past = [Span(s.first_on, s.last_on + timedelta(days=1), s.day.mg) for s in before if s.day.mg]
    return DoseLine(assessment.on, course, past[-3:], _maximum(assessment), bool(prescription.then_stop))


def _maximum(assessment: Assessment) -> Decimal | None:
    for finding in assessment.review.findings:
        if finding.code == "daily-maximum" and "mg_per_day" in finding.limit:
            return Decimal(finding.limit["mg_per_day"])
    return None


def course_phases(prescription: Prescription) -> tuple[RulePhase, ...]:
    """Return the phases of an order as the rules have them."""
    return tuple(RulePhase(tuple(row.doses), row.days, Unit(row.unit)) for row in prescription.phases.all())


def course_sentence(prescription: Prescription) -> str:
    """Return the course in one sentence; empty where the order could not be read."""
    phases = course_phases(prescription)
    if not phases:
        return ""
    regimen, most = Regimen(phases, prescription.then_stop), prescription.max_mg_per_day
    if prescription.as_needed and (len(phases) > 1 or not phases[0].is_even):
        return f"When needed, at most: {keep_together(say_directions(regimen, max_mg_per_day=most))}"
    return keep_together(say_directions(regimen, as_needed=prescription.as_needed, max_mg_per_day=most))


def keep_together(sentence: str) -> str:
    """Return a sentence in which no line breaks between a number and its unit."""
    return re.sub(r"(\d) (mg|micrograms?|days?)\b", rf"\1{NB}\2", sentence)


def describe_tablets(count: Decimal) -> str:
    """Return the tablets of a dose: `1½`."""
    if count % HALF:
        return f"{format_amount(count.quantize(Decimal('0.001')))} (cannot be measured)"
    whole = int(count)
    return f"{whole or ''}{'½' if count % 1 else ''}"


def open_answers(subject: Reviewed) -> dict[str, Override]:
    """Return the answers that no hand-over has used, by the fingerprint of their finding."""
    return {answer.fingerprint: answer for answer in subject.overrides.all() if answer.state in UNUSED_STATES}


def without_answers(prescription: Prescription, ticked: list[str]) -> tuple[str, ...]:
    """Return the ticked fingerprints that have no signed answer yet."""
    answered = open_answers(prescription)
    return tuple(fingerprint for fingerprint in ticked if fingerprint not in answered)


def group_findings(assessment: Assessment, answers: Mapping[str, Override]) -> list[Group]:
    """Return the groups that are not empty: by severity, worst first, then what could not be assessed.

    A proposal that several findings make stands at the first of them.
    """
    questions = assessment.questions()
    first_with = {
        describe_proposal(question.finding.suggestion or {}): question
        for question in reversed(questions)
        if question.finding
    }
    groups = []
    for severity, tone, title, hint in GROUPS:
        findings = [
            _show_finding(question, answers, is_proposing=question in first_with.values(), on=assessment.on)
            for question in questions
            if question.severity == severity and question.code != NOT_ASSESSED
        ]
        groups.append(Group(tone, title, hint or _describe_who_ticks(findings), findings))
    rules = assessment.missing_beside_facts()
    if rules:
        missing = [(rule.code, ", ".join(describe_fact(f) for f in rule.missing)) for rule in rules]
        hint = "Something is missing. Find it out, or tick that you hand over without knowing."
        unknown = [_show_finding(ask_unassessed(rules), answers, missing, on=assessment.on)]
        groups.append(Group("unknown", "Could not be assessed", hint, unknown))
    return [group for group in groups if group.findings]


def _describe_who_ticks(findings: Sequence[ShownFinding]) -> str:
    are_for_pharmacist = {finding.question.is_for_pharmacist for finding in findings}
    if are_for_pharmacist == {True}:
        return "Needs one tick from a pharmacist."
    if True in are_for_pharmacist:
        return "Needs one tick: from a pharmacist where it says so, otherwise from whoever hands over."
    return "Needs one tick from whoever hands over."


def anchor_of(question: Question) -> str:
    """Return the id of a finding on the page."""
    return f"finding-{question.fingerprint[:12]}"


def _show_finding(
    question: Question,
    answers: Mapping[str, Override],
    missing: Sequence[tuple[str, str]] = (),
    *,
    is_proposing: bool = False,
    on: date,
) -> ShownFinding:
    finding = question.finding
    return ShownFinding(
        question,
        anchor_of(question),
        format_quantities(finding.observed) if finding else "",
        format_quantities(finding.limit) if finding else "",
        what_clears(question, on) if not missing else "",
        [describe_source(source) for source in finding.sources] if finding else [],
        answers.get(question.fingerprint),
        describe_proposal(finding.suggestion or {}) if finding and is_proposing else "",
        missing,
    )


def past_overrides(prescription: Prescription) -> list[Override]:
    """Return the last five answers for this patient, on any order."""
    answers = [row for order in prescription.patient.prescriptions.all() for row in order.overrides.all()]
    signed = [row for row in answers if row.severity == FindingSeverity.OVERRIDE]
    return sorted(signed, key=lambda row: row.signed_at, reverse=True)[:5]
