"""Peer review at the desk: samples of overrides, and one sample to be judged. The signer is named when the reader has judged."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions import peer_review
from dispensary.actions.peer_review import FEWEST, MOST, Judgement, Sample, Sampled, Verdict
from dispensary.counter.access import at_counter
from dispensary.counter.audit_desk import ClosedPeriodForm
from dispensary.counter.log_standing import read_standing
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.review_desk import AnswerRow, answer_rows
from dispensary.counter.visit import Visit
from dispensary.errors import Conflict, DispensaryError

USUAL = 20
"""Overrides of a sample where no number is chosen."""
PERIOD = timedelta(days=30)
QUESTIONS = {
    "finding_right": "Was the finding right for this patient?",
    "answer_fitting": "Was the answer fitting?",
}
VERDICTS = [("yes", "Yes"), ("no", "No"), ("unknown", "Cannot tell")]


class SampleForm(ClosedPeriodForm):
    """The period and the size of a new sample."""

    number = forms.IntegerField(label="How many", min_value=FEWEST, max_value=MOST)


@dataclass(frozen=True, slots=True)
class SampleRow:
    """A sample in the list: its key, when and by whom it was drawn, the days it is of and its size."""

    key: str
    at: Any
    name: str
    since: str
    until: str
    size: int


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_read_log)
def samples(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the samples, newest first; draw a new one."""
    yesterday = visit.today - timedelta(days=1)
    start = {"since": (yesterday - PERIOD).isoformat(), "until": yesterday.isoformat(), "number": USUAL}
    form = SampleForm(request.POST if request.method == "POST" else start, visit=visit)
    errors: list[ErrorLine] = []
    if request.method == "POST":
        errors = form_error_lines(form) if not form.is_valid() else []
        if not errors:
            try:
                key = peer_review.draw_sample(pharmacy=visit.pharmacy, **form.cleaned_data, by=visit.by, now=visit.now)
            except DispensaryError as error:
                errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
            else:
                return redirect("counter:audit-sample", key)
    lines = peer_review.list_samples(pharmacy=visit.pharmacy, by=visit.by)
    rows = [
        SampleRow(
            key=line.entry.subject_id,
            at=line.entry.recorded_at,
            name=(line.body or {}).get("by", line.entry.actor),
            since=(line.body or {}).get("since", ""),
            until=(line.body or {}).get("until", ""),
            size=len((line.body or {}).get("overrides", ())),
        )
        for line in lines
    ]
    context = {"form": form, "rows": rows, "standing": read_standing(visit, lines)}
    return render_page(request, visit, "audit_samples.html", context, errors=errors, status=422 if errors else 200)


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """An override of a sample as the page shows it; `chosen` and `words` are what was typed."""

    number: int
    sampled: Sampled
    answer: AnswerRow
    questions: list[tuple[str, str, list[tuple[str, str, bool]]]]
    """Name and words of each question, with its verdicts: value, words, and whether it was chosen."""
    chosen: str = ""
    words: str = ""

    @property
    def is_open(self) -> bool:
        return not self.sampled.is_own and not self.sampled.is_judged_by_reader


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_read_log)
def sample(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show a sample and take the judgement on one of its overrides."""
    errors: list[ErrorLine] = []
    status = 200
    entry = request.POST.get("entry", "")
    if request.method == "POST":
        if request.POST.get("judgement") not in list(Judgement):
            errors, status = [ErrorLine("Choose: agreed, or to discuss", f"agreed-{entry}")], 422
        else:
            try:
                peer_review.judge_override(
                    pharmacy=visit.pharmacy, sample=str(pk), entry=uuid.UUID(entry),
                    judgement=Judgement(request.POST["judgement"]), words=request.POST.get("words", ""),
                    **{name: Verdict(request.POST[name]) for name in QUESTIONS if request.POST.get(name)},
                    by=visit.by, now=visit.now,
                )  # fmt: skip
            except DispensaryError as error:
                errors = error_lines(error, {"words": f"words-{entry}"})
                status = 409 if isinstance(error, Conflict) else 422
            except ValueError:
                errors, status = [ErrorLine("This is no override of the sample, or no answer that is offered")], 422
            else:
                messages.success(request, "The judgement stands in the log.")
                return redirect("counter:audit-sample", pk)
    opened = peer_review.open_sample(pharmacy=visit.pharmacy, sample=str(pk), by=visit.by, now=visit.now)
    rows = _rows(opened, entry, request.POST)
    context = {
        "sample": opened,
        "body": opened.drawn.body or {},
        "rows": rows,
        "judged": sum(bool(row.sampled.judged) for row in rows),
        "discussed": sum(any(judged.judgement is Judgement.DISCUSS for judged in row.sampled.judged) for row in rows),
        "standing": read_standing(visit, [*opened.lines, *(row.sampled.line for row in rows)]),
    }
    return render_page(request, visit, "audit_sample.html", context, errors=errors, status=status)


def _rows(opened: Sample, entry: str, typed: Mapping[str, str]) -> list[JudgedRow]:
    """Return the rows in the order of the draw; what was typed stands in the row of `entry`."""
    rows = []
    answers = answer_rows([sampled.line for sampled in opened.overrides])
    for number, (sampled, answer) in enumerate(zip(opened.overrides, answers, strict=True), start=1):
        of_row = typed if str(sampled.line.entry.entry_id) == entry else {}
        questions = [
            (name, question, [(value, words, of_row.get(name) == value) for value, words in VERDICTS])
            for name, question in QUESTIONS.items()
        ]
        rows.append(JudgedRow(number, sampled, answer, questions, of_row.get("judgement", ""), of_row.get("words", "")))
    return rows
