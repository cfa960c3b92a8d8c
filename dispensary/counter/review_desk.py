"""Review desk: overrides of a period, a patient's file, an order's file, a day. Each reading of the log is recorded in it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from baclofen_rules.rules import all_rules
from dispensary import audit, policies
from dispensary.actions import log_review, logbook
from dispensary.assessment import rules_of_two
from dispensary.audit import Line
from dispensary.audit.checks.counts import QUICK
from dispensary.audit.evidence.answers import ELSEWHERE, EVENTS, severity_of
from dispensary.audit.log import reader
from dispensary.audit.log.search import Filters
from dispensary.counter.access import at_counter
from dispensary.counter.audit_desk import (
    FIRST_DAY,
    LAST_DAY,
    TEXT_PERIOD,
    PeriodForm,
    next_page_address,
    query_with_period,
    staff_choices,
)
from dispensary.counter.log_lines import (
    ShownLine,
    find_patient_row,
    reason_words,
    show_line,
)
from dispensary.counter.log_standing import read_standing
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.handover import order_number
from dispensary.models import Mitigation, Override, OverrideState, Patient, StaffMember
from dispensary.text import format_amounts, rule_title

PERIOD = timedelta(days=90)
"""The period of the list where none is chosen."""


class OverridesForm(PeriodForm):
    """Filters of the overrides. A GET form; a patient stands in the address by id."""

    severity = forms.ChoiceField(
        label="Severity",
        required=False,
        choices=[
            ("", "Overrides"),
            ("acknowledge", "Acknowledgements"),
            ("both", "Both"),
            (ELSEWHERE, "Reported by another system"),
        ],
    )
    rule = forms.ChoiceField(
        label="Rule",
        required=False,
        choices=lambda: [("", "Any"), *((rule.code, rule_title(rule.code)) for rule in all_rules())],
    )
    actor = forms.ChoiceField(label="Signed by", required=False)
    reason = forms.ChoiceField(label="Reason", required=False, choices=[("", "Any"), *Mitigation.choices])
    then = forms.ChoiceField(label="Then", required=False, choices=[("", "Any"), *OverrideState.choices])
    words = forms.CharField(
        label="Words in it", required=False, max_length=200, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    only = forms.ChoiceField(
        label="Only",
        required=False,
        choices=[
            ("", "Any"),
            ("unseconded", "No second signature where one is needed"),
            ("quick", f"Signed in under {QUICK} seconds"),
        ],
    )
    patient = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, visit: Visit, **kwargs: Any) -> None:
        super().__init__(*args, visit=visit, **kwargs)
        cast("forms.ChoiceField", self.fields["actor"]).choices = staff_choices(visit)

    def filters(self) -> Filters:
        """Return the filters of the search; without a first day, that of the last `PERIOD`."""
        data = self.cleaned_data
        since, until = self.period()
        return Filters(
            since=since,
            until=until,
            actions=EVENTS[data["severity"] or "override"],
            reason=data["reason"],
            actor=data["actor"],
            rule=data["rule"],
            patient=str(data["patient"] or ""),
            text=data["words"],
            states=(data["then"],) if data["then"] else (),
            unseconded=self._rules_of_two() if data["only"] == "unseconded" else (),
            under_seconds=QUICK if data["only"] == "quick" else 0,
        )

    def _rules_of_two(self) -> tuple[str, ...]:
        """Return the rules that need a second signature today; a name that no rule has where none does."""
        return tuple(sorted(rules_of_two(self.visit.pharmacy, self.visit.today))) or ("",)


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """An override or acknowledgement as a row of the list; `outcome` is what came of it."""

    shown_line: ShownLine
    patient: Patient | None
    severity: str
    rule: str
    observed: str
    limit: str
    reason: str
    override: Override | None

    @property
    def line(self) -> Line:
        return self.shown_line.line

    @property
    def body(self) -> Mapping[str, Any]:
        """The signed body; nothing of an entry that does not fit its hash."""
        return {} if self.line.doubt else self.line.body or {}


@require_safe
@at_counter(policies.may_read_log)
def overrides(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the overrides of a period, newest first, by page."""
    first_day = visit.today - (TEXT_PERIOD if request.GET.get("words") else PERIOD)
    query = query_with_period(request, first_day, visit.today)
    form = OverridesForm(query, visit=visit)
    errors, rows, further, count = form_error_lines(form) if not form.is_valid() else [], [], "", None
    if not errors:
        try:
            cursor = request.GET.get("cursor", "")
            result = logbook.search(
                filters=form.filters(), by=[visit.by], now=visit.now, cursor=cursor, counted=not cursor
            )
        except DispensaryError as error:
            targets = {name: f"id_{name}" for name in form.fields} | {"text": "id_words"}
            errors = error_lines(error, targets)
        else:
            rows = answer_rows(reader.recheck(audit.lines(result.page.entries, visit.pharmacy)))
            count = result.count
            further = next_page_address(request, result.page.next)
    patient = find_patient_row(visit, form.cleaned_data.get("patient"))
    context = {
        "form": form, "rows": rows, "count": count, "further": further, "standing": read_standing(visit, [row.line for row in rows]),
        "patient": patient, "query": urlencode({name: value for name, value in query.items() if name != "cursor"}),
    }  # fmt: skip
    return render_page(request, visit, "audit_overrides.html", context, errors=errors, status=422 if errors else 200)


def answer_rows(lines: Iterable[Line]) -> list[AnswerRow]:
    """Return answers with the patients they are about and what came of them."""
    listed = list(lines)
    patients = Patient.objects.in_bulk([line.entry.patient_ref for line in listed if line.entry.patient_ref])
    answers = Override.objects.select_related("dispense").in_bulk([line.entry.subject_id for line in listed])
    rows = []
    for line in listed:
        finding = (line.body or {}).get("finding", {})
        patient = patients.get(uuid.UUID(line.entry.patient_ref)) if line.entry.patient_ref else None
        rows.append(
            AnswerRow(
                shown_line=show_line(line, patient),
                patient=patient,
                severity=severity_of(line.entry.action),
                rule=rule_title(", ".join(line.entry.rule_codes or ())),
                observed=format_amounts(finding.get("observed") or {}),
                limit=format_amounts(finding.get("limit") or {}),
                reason=reason_words(line.entry.reason_code),
                override=answers.get(uuid.UUID(line.entry.subject_id)),
            )
        )
    return rows


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_read_log)
def find_patient(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Ask for a patient by name, number or birth date; what is typed is posted, so that no address holds a name."""
    words, people, errors = request.POST.get("words", "").strip(), None, []
    if request.method == "POST":
        if len(words) < 2:
            errors = [ErrorLine("Type a name, a number or a birth date", "id_words")]
        else:
            try:
                people = log_review.find_people(pharmacy=visit.pharmacy, words=words, by=visit.by, now=visit.now)
            except DispensaryError as error:
                errors = error_lines(error, {})
            else:
                if len(people) == 1:
                    return redirect("counter:audit-patient", people[0].pk)
    context = {"words": words, "people": people, "most": log_review.MOST_PEOPLE}
    return render_page(request, visit, "audit_patients.html", context, errors=errors, status=422 if errors else 200)


@require_safe
@at_counter(policies.may_read_log)
def patient_file(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show what happened to a patient or, with `looks`, who read the record."""
    looks = "looks" in request.GET
    opened = log_review.open_patient_file(
        patient_id=pk, looks=looks, cursor=request.GET.get("cursor", ""), by=visit.by, now=visit.now
    )
    context = {
        "patient": opened.patient,
        "looks": looks,
        "lines": [show_line(line, opened.patient) for line in opened.lines],
        "further": next_page_address(request, opened.next),
        "may_decide_file": policies.may_decide_file(visit.by),
        "orders": [(order, order_number(order)) for order in opened.patient.prescriptions.order_by("-received_at")],
    }
    return render_page(request, visit, "audit_patient.html", context)


@require_safe
@at_counter(policies.may_read_log)
def order_file(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show everything about an order, oldest first: what was shown, who signed, what was handed over and printed."""
    opened = log_review.open_order_file(prescription_id=pk, by=visit.by, now=visit.now)
    patient = opened.prescription.patient
    context = {
        "order": opened.prescription,
        "number": order_number(opened.prescription),
        "patient": patient,
        "lines": [show_line(line, patient) for line in opened.lines],
    }
    return render_page(request, visit, "audit_order.html", context)


@require_safe
@at_counter(policies.may_read_log)
def day(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show a day of the log as it is to be reviewed, yesterday unless another is chosen."""
    return _render_day(request, visit, request.GET.get("day", ""))


@require_POST
@at_counter(policies.may_read_log)
def sign_day(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Sign that a day was looked at."""
    text = request.POST.get("day", "")
    looked_at = [int(number) for number in request.POST.getlist("seen") if number.isdecimal() and len(number) < 19]
    try:
        log_review.sign_day(
            pharmacy=visit.pharmacy, day=parse_day(text, visit), looked_at=looked_at, words=request.POST.get("words", ""),
            by=visit.by, now=visit.now,
        )  # fmt: skip
    except DispensaryError as error:
        return _render_day(request, visit, text, errors=error_lines(error, {"words": "id_words"}))
    return redirect(f"{reverse('counter:audit-day')}?{urlencode({'day': text})}")


def _render_day(request: HttpRequest, visit: Visit, text: str, errors: Iterable[ErrorLine] = ()) -> HttpResponse:
    chosen = parse_day(text, visit)
    file = log_review.open_day(pharmacy=visit.pharmacy, day=chosen, by=visit.by, now=visit.now)
    names = {m.actor().name: m.display_name for m in StaffMember.objects.filter(pharmacy=visit.pharmacy)}
    context = {
        "file": file,
        "counts": sorted(file.counted.counts.items()),
        "total": sum(file.counted.counts.values()),
        "overrides": [(names.get(actor, actor), actor, number) for actor, number in file.counted.overrides.items()],
        "before": chosen - timedelta(days=1),
        "after": chosen + timedelta(days=1) if chosen + timedelta(days=1) < visit.today else None,
        "seen": request.POST.getlist("seen"),
        "words": request.POST.get("words", ""),
        "standing": read_standing(visit, [file.signed] if file.signed else ()),
    }
    return render_page(request, visit, "audit_day.html", context, errors=errors, status=422 if errors else 200)


def parse_day(text: str, visit: Visit) -> date:
    """Return the day of an address; yesterday where it is none of a log."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    return day if FIRST_DAY <= day <= LAST_DAY else visit.today - timedelta(days=1)
