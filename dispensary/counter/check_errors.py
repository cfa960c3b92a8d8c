"""Errors of the check page: what is wrong with a pack, a choice or a hand-over, in words and with the field."""

from __future__ import annotations

from dispensary import policies
from dispensary.actions.refusals import Refused
from dispensary.actors import Actor
from dispensary.counter.check_view import anchor_of
from dispensary.counter.choices import Choices, may_acknowledge
from dispensary.counter.forms import PackForm
from dispensary.counter.pages import ErrorLine, capitalize, end_sentence, form_error_lines
from dispensary.counter.reviewing import Line, Reviewed
from dispensary.counter.visit import Visit
from dispensary.errors import Problem
from dispensary.questions import Question

CHANGED = "The findings have changed since you opened this page. Look at them again."
NOT_SCANNED = "The packs scanned hold fewer tablets: scan the others, or press again if all are of the same lot."
NOTHING_LIFTS = "No reason lifts this: correct the prescription, the pack or the patient's record."
TARGETS = {
    "quantity": "id_quantity",
    "pack.gtin": "id_scan",
    "pack.expiry": "id_expiry",
    "pack.lot": "id_lot",
    "decisions": "choices",
    "no_label": "id_no_label",
}


def pack_error_lines(form: PackForm, line: Line, *, is_only: bool) -> list[ErrorLine]:
    """Return the errors of one strength; a missing pack points at the scan field, and names its strength beside others."""
    lines = form_error_lines(form)
    missing = None if is_only else ErrorLine(f"Scan the pack of {line.ordered}", "id_scan")
    return [
        (missing or ErrorLine(error.words, "id_scan")) if error.target.endswith("gtin") else error for error in lines
    ]


def to_scan_error(line: Line, *, is_only: bool) -> ErrorLine:
    """Return the error of a strength of which no pack in the bag was scanned to check it; `is_only` where it has one strength."""
    pack = "the pack" if is_only else f"the pack of {line.ordered}"
    return ErrorLine(f"Scan {pack} in the bag, to check it", "id_scan")


def choice_error_line(choices: Choices, by: Actor) -> ErrorLine:
    """Return the error of a choice that was not made, or that has no reason yet."""
    if choices.is_open and choices.is_for_pharmacist and not policies.may_override(by):
        return ErrorLine(f"{choices.question} A pharmacist decides this.", "choices")
    if choices.is_open:
        return ErrorLine(f"{choices.question} Choose one.", "choices")
    return ErrorLine("Your choice needs a pharmacist's reason and signature.", "choices")


def finding_error(question: Question, words: str) -> ErrorLine:
    """Return an error that points at a finding: its summary, and in `words` what it needs as a sentence."""
    return ErrorLine(f"{end_sentence(question.summary)} {words}", anchor_of(question))


def refusal_lines(refused: Refused, visit: Visit) -> list[ErrorLine]:
    """Return a line for each unanswered finding, with its anchor, or for each other reason, with its field."""
    if not refused.unanswered:
        return [
            ErrorLine(f"{problem.given}. {problem.next or f'{capitalize(problem.expected)}.'}", target_of(problem))
            for problem in refused.problems
        ]
    return [
        finding_error(question, needed_words(problem, question, visit.by))
        for problem, question in zip(refused.problems, refused.unanswered, strict=True)
    ]


def add_stops(errors: list[ErrorLine], reviewed: Reviewed, *, is_one_lot: bool) -> list[ErrorLine]:
    """Return errors with the stops before them: what else is missing helps nothing until those are gone.

    Without either, tablets beyond the packs scanned are an error, unless they are of the same lot.
    """
    stops = [
        finding_error(question, NOTHING_LIFTS)
        for question in reviewed.assessment.questions()
        if question.severity == "stop"
    ]
    if errors:
        return [*stops, *errors]
    if stops or is_one_lot or not any(line.needs_more for line in reviewed.lines):
        return []
    return [ErrorLine(NOT_SCANNED, "id_scan")]


def needed_words(problem: Problem, question: Question, by: Actor) -> str:
    """Return what an unanswered finding needs, as a sentence."""
    if question.is_for_pharmacist and not may_acknowledge(question, by):
        return "A pharmacist has to acknowledge this."
    if question.severity == "acknowledge":
        return "Tick that you have seen it."
    if question.severity == "stop":
        return NOTHING_LIFTS
    return f"{capitalize(problem.expected)} is needed."


def target_of(problem: Problem) -> str:
    """Return the id of the field that a problem is about; empty where it is about none."""
    return TARGETS.get(problem.field, "")
