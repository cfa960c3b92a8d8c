"""Export of the log at the desk: the evidence, its views, an inspector's table."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django import forms
from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from dispensary import policies
from dispensary.actions import log_exports, logbook, long_exports
from dispensary.actions.export_sentences import RECORD_WORDS
from dispensary.actions.record_tables import RecordKind
from dispensary.audit.evidence import export
from dispensary.audit.evidence.export import KINDS, Scope, Shape
from dispensary.counter.access import at_counter
from dispensary.counter.log_lines import find_patient_row
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.review_desk import OverridesForm
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, InvalidInput, Problem

SHAPES = (
    ("answers", "Overrides as a table for an inspector (CSV with its dictionary)"),
    (Shape.BUNDLE.value, "Evidence: the bundle that verify.py checks on any machine"),
    (Shape.CSV.value, "Every entry as a spreadsheet (CSV)"),
    (Shape.JSON.value, "Every entry as JSON lines"),
    (Shape.FHIR.value, "Every entry as FHIR R4 AuditEvent"),
    *(
        (kind.value, f"{words} as a table (CSV and JSON lines with their dictionary)")
        for kind, words in RECORD_WORDS.items()
    ),
)


_NARROWING = ("severity", "rule", "actor", "reason", "then", "words", "only")
"""Filters that come from the list of overrides; they are named on the page, and not chosen there."""


class ExportForm(OverridesForm):
    """The content of an export: the filters of the overrides count for the table alone."""

    shape = forms.ChoiceField(
        label="What",
        choices=SHAPES,
        widget=forms.RadioSelect,
        error_messages={"required": "Choose what to export"},
    )
    purpose = forms.CharField(
        label="What for",
        max_length=250,
        help_text="Stands in the log: the inspection, the complaint, the request.",
        error_messages={"required": "Say what the export is for"},
    )
    field_order = ("shape", "since", "until", "purpose")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _NARROWING:
            self.fields[name].widget = forms.HiddenInput()
        if not policies.may_export_records(self.visit.by):
            self.fields["shape"].choices = [shape for shape in SHAPES if shape[0] not in RECORD_WORDS]  # type: ignore[attr-defined]  # a choice field

    def moments(self) -> tuple[datetime, datetime]:
        """Return the edges of the period. Raises InvalidInput where one is open."""
        since, until = self.period()
        if since is None or until is None:
            raise InvalidInput("Say from which day to which.", Problem("since", "no period", "a first and a last day"))
        return since, until


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_read_log)
def export_log(request: HttpRequest, visit: Visit) -> HttpResponseBase:
    """Ask what to export and for what, then send the file."""
    if request.method == "POST":
        form = ExportForm(request.POST, visit=visit)
        errors = form_error_lines(form) if not form.is_valid() else []
        if not errors:
            try:
                return _send(visit, form)
            except DispensaryError as error:
                errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
    else:
        form, errors = ExportForm(initial=_initial(request.GET, visit), visit=visit), []
    patient = find_patient_row(visit, form["patient"].value())
    context = {
        "form": form,
        "patient": patient,
        "narrowed": list(_narrowing_words(form)),
    }
    return render_page(request, visit, "audit_export.html", context, errors=errors, status=422 if errors else 200)


def _narrowing_words(form: ExportForm) -> Iterator[str]:
    """Yield the filters that came from the list, in words: `Then: withdrawn`."""
    for name in _NARROWING:
        field, value = form.fields[name], form[name].value()
        if value:
            yield f"{field.label}: {dict(getattr(field, 'choices', ())).get(value, value)}"


@require_safe
@at_counter(policies.may_read_log)
def list_exports(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show long exports: how far each is, and the link of its file while it works."""
    rows = [
        (row, row.finished_at and row.finished_at + long_exports.KEPT)
        for row in long_exports.list_exports(visit.pharmacy, visit.now)
    ]
    is_running = any(row.finished_at is None for row, _ in rows)
    return render_page(request, visit, "audit_exports.html", {"rows": rows, "is_running": is_running})


@require_safe
@at_counter(policies.may_read_log)
def export_file(request: HttpRequest, visit: Visit, pk: UUID) -> HttpResponseBase:
    """Send the file of a long export."""
    file = long_exports.open_export(export_id=pk, by=visit.by, now=visit.now)
    name = long_exports.find_export(export_id=pk, by=visit.by).table
    return FileResponse(file, as_attachment=True, filename=f"{name}-{visit.today}.zip", content_type="application/zip")


def _initial(query: QueryDict, visit: Visit) -> dict[str, Any]:
    return {"since": visit.today.replace(day=1), "until": visit.today} | {
        name: value for name, value in query.items() if value
    }


def _send(visit: Visit, form: ExportForm) -> HttpResponseBase:
    data = form.cleaned_data
    shape, purpose = data["shape"], data["purpose"]
    if shape == "answers":
        filters = form.filters()
        if log_exports.is_long(filters, visit.by):
            long_exports.request_export(
                pharmacy=visit.pharmacy, filters=filters, purpose=purpose, by=visit.by,
                now=visit.now,
            )  # fmt: skip
            return redirect("counter:audit-exports")
        content = log_exports.export_answers(
            pharmacy=visit.pharmacy, filters=filters, purpose=purpose, by=visit.by,
            now=visit.now,
        )  # fmt: skip
        return _as_file(HttpResponse(content, content_type="application/zip"), f"answers-{visit.today}.zip")
    if shape in tuple(RecordKind):
        since, until = form.period()
        records = RecordKind(shape)
        long_exports.request_records(
            kind=records, pharmacy=visit.pharmacy, since=since, until=until, purpose=purpose, by=visit.by, now=visit.now,
        )  # fmt: skip
        return redirect("counter:audit-exports")
    scope = _find_scope(visit, form)
    exported = logbook.export(scope=scope, shape=Shape(shape), by=visit.by, now=visit.now, reason=purpose)
    kind, ending = KINDS[exported.shape]
    chunks = export.stream_file(exported.log, exported.scope, exported.shape, now=visit.now)
    name = f"audit-{exported.scope.first}-{exported.scope.last}.{ending}"
    return _as_file(StreamingHttpResponse(chunks, content_type=kind), name)


def _find_scope(visit: Visit, form: ExportForm) -> Scope:
    since, until = form.moments()
    log = export.find_log_of_period(visit.pharmacy.pk, since, until)
    return export.find_period(log.log_id, since, until)


def _as_file(response: HttpResponseBase, name: str) -> HttpResponseBase:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
