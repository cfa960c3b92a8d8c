"""Access and edits at the review desk: who looked at whose record, and which changes of facts silenced a finding."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dispensary import policies
from dispensary.actions import log_review
from dispensary.actions.log_review import EditFile
from dispensary.audit import Event
from dispensary.audit.checks.looks import Look
from dispensary.counter.access import at_counter
from dispensary.counter.audit_desk import ClosedPeriodForm, query_with_period
from dispensary.counter.log_lines import ShownLine, show_line
from dispensary.counter.log_quality import read_staff_names
from dispensary.counter.log_standing import read_standing
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.review_desk import parse_day
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.models import Patient
from dispensary.text import rule_title

PERIOD = timedelta(days=90)
"""The period of the edits where none is chosen."""


@dataclass(frozen=True, slots=True)
class LookRow:
    """A look with the names of both; `work` is what explains it, in words, "" where nothing was found."""

    look: Look
    name: str
    patient: Patient | None
    work: str
    has_one_family_name: bool


@require_safe
@at_counter(policies.may_read_log)
def access(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the looks of a day, yesterday unless another is chosen: first those without a reason that was found."""
    chosen = parse_day(request.GET.get("day", ""), visit)
    looks = log_review.list_looks(pharmacy=visit.pharmacy, day=chosen, by=visit.by, now=visit.now)
    names = read_staff_names(visit)
    patients = Patient.objects.filter(pharmacy=visit.pharmacy).in_bulk({look.patient for look in looks})
    rows = [make_row(look, names.get(look.actor, look.actor), patients.get(look.patient)) for look in looks]
    context = {
        "day": chosen,
        "before": chosen - timedelta(days=1),
        "after": chosen + timedelta(days=1) if chosen < visit.today else None,
        "groups": [
            ("No reason found by the program", [row for row in rows if not row.look.is_explained]),
            ("With a reason", [row for row in rows if row.look.is_explained]),
        ],
        "number": len(rows),
        "standing": read_standing(visit),
    }
    return render_page(request, visit, "audit_access.html", context)


def make_row(look: Look, name: str, patient: Patient | None) -> LookRow:
    """Return a look as a row; a family name is compared with every part of the name of who looked."""
    work = Event(look.work).label if look.work else ""  # type: ignore[call-arg]  # looks a member up, its sentence is known
    is_same = patient is not None and patient.family_name.casefold() in name.casefold().split()
    return LookRow(
        look, name, patient, work or ("The patient had an open order" if look.has_open_order else ""), is_same
    )


@dataclass(frozen=True, slots=True)
class EditRow:
    """A silenced finding as a row: its rule in words, and the change of facts with what it changed."""

    file: EditFile
    rule: str
    change: ShownLine
    patient: Patient | None


@require_safe
@at_counter(policies.may_read_log)
def edits(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List the findings that a change of facts silenced within a day before a hand-over."""
    form = ClosedPeriodForm(query_with_period(request, visit.today - PERIOD, visit.today), visit=visit)
    errors: list[ErrorLine] = form_error_lines(form) if not form.is_valid() else []
    files: list[EditFile] = []
    rows: list[EditRow] = []
    if not errors:
        try:
            files = log_review.list_edits(pharmacy=visit.pharmacy, **form.cleaned_data, by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, {"since": "id_since"})
    patients = Patient.objects.filter(pharmacy=visit.pharmacy).in_bulk({uuid.UUID(file.edit.patient) for file in files})
    for file in files:
        patient = patients.get(uuid.UUID(file.edit.patient))
        rows.append(EditRow(file, rule_title(file.edit.rule), show_line(file.change, patient), patient))
    standing = read_standing(visit, [line for file in files for line in (file.change, file.handover)])
    context = {"form": form, "rows": rows, "standing": standing}
    return render_page(request, visit, "audit_edits.html", context, errors=errors, status=422 if errors else 200)
