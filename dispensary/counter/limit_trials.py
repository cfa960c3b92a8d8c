"""Trials of another limit at the desk: ask for one, see how far it is, read what would have been found."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dispensary import policies
from dispensary.actions import limit_trials
from dispensary.counter.access import at_counter
from dispensary.counter.audit_desk import ClosedPeriodForm
from dispensary.counter.log_lines import limit_value, place_title
from dispensary.counter.log_standing import read_standing
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.models import LimitTrial
from dispensary.text import rule_title

PERIOD = timedelta(days=90)
MOST_LISTED = 20


class TrialForm(ClosedPeriodForm):
    """A number of the profile, another in its place, and the days whose decisions are asked again."""

    line = forms.ChoiceField(label="Limit")
    value = forms.DecimalField(
        label="Number to try",
        max_digits=12,
        decimal_places=4,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "class": "nhsuk-input--width-5", "autocomplete": "off"}),
    )
    field_order = ("line", "value", "since", "until")

    def __init__(self, *args: Any, visit: Visit, **kwargs: Any) -> None:
        super().__init__(*args, visit=visit, **kwargs)
        cast("forms.ChoiceField", self.fields["line"]).choices = [
            (
                line.digest,
                f"{place_title(line.place)}{f', {line.ages}' if line.ages else ''}: {limit_value(line.value, line.unit)}",
            )
            for line in limit_trials.changeable_lines(visit.pharmacy, visit.today)
        ]


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_read_log)
def trials(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the trials, newest first; ask for one."""
    start = {"since": (visit.today - PERIOD).isoformat(), "until": visit.today.isoformat()}
    form = TrialForm(request.POST or None, initial=start, visit=visit)
    errors: list[ErrorLine] = []
    if request.method == "POST":
        errors = form_error_lines(form) if not form.is_valid() else []
        if not errors:
            try:
                trial = limit_trials.request_trial(
                    pharmacy=visit.pharmacy, **form.cleaned_data, by=visit.by, now=visit.now
                )
            except DispensaryError as error:
                errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
            else:
                messages.success(request, "The decisions of these days are asked again. This page says how far it is.")
                return redirect("counter:audit-trial", trial.pk)
    newest = LimitTrial.objects.filter(pharmacy=visit.pharmacy)[:MOST_LISTED]
    rows = [(place_title(row.place), row) for row in newest]
    context = {"form": form, "rows": rows, "standing": read_standing(visit)}
    return render_page(request, visit, "audit_trials.html", context, errors=errors, status=422 if errors else 200)


@require_safe
@at_counter(policies.may_read_log)
def trial(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show a trial: how far it is, or its result."""
    row = LimitTrial.objects.filter(pharmacy=visit.pharmacy, pk=pk).first()
    if row is None:
        raise Http404("There is no such trial here.")
    result = row.result
    context = {
        "title": place_title(row.place),
        "trial": row,
        "result": result,
        "rules": [(rule_title(code), severity, *numbers) for code, severity, *numbers in result.get("rules", ())],
        "outcomes": [outcome for outcome in result.get("outcomes", ()) if outcome[0] != outcome[1]],
        "cases": [
            case | {"gained": _findings(case["gained"]), "lost": _findings(case["lost"])}
            for case in result.get("cases", ())
        ],
        "is_altered": row.finished_at is not None and not limit_trials.is_as_logged(row),
        "standing": read_standing(visit),
    }
    return render_page(request, visit, "audit_trial.html", context)


def _findings(pairs: list[list[str]]) -> str:
    """Return findings as words: `Daily maximum (override)`."""
    return ", ".join(f"{rule_title(code)} ({severity})" for code, severity in pairs)
