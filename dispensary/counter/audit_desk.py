"""Pages of the audit log: search, one entry, its proof. Each reading of the log is recorded in it."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, cast
from urllib.parse import urlencode

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dispensary import audit, policies
from dispensary.actions import logbook
from dispensary.audit import Event, Line, Outcome
from dispensary.audit.evidence import proof
from dispensary.audit.log import reader
from dispensary.audit.log.search import TEXT_WINDOW, Filters
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm
from dispensary.counter.log_lines import find_patient_row, show_line
from dispensary.counter.log_standing import read_standing
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.models import StaffMember

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
"""A day of a search is between these: no log is older, and a day beyond them has no moment in every time zone."""
TEXT_PERIOD = TEXT_WINDOW - timedelta(days=2)
"""Days from the first to the last day of a search for words: one less for the whole of the last day, one for a change of the clock."""
OF_A_LOG = [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]


class PeriodForm(StyledForm):
    """A period of days of the pharmacy, both included."""

    since = forms.DateField(
        label="From",
        required=False,
        validators=OF_A_LOG,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )
    until = forms.DateField(
        label="To",
        required=False,
        validators=OF_A_LOG,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
    )

    def __init__(self, *args: Any, visit: Visit, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.visit = visit

    def period(self) -> tuple[datetime | None, datetime | None]:
        """Return the first moment of the period and the first after it, in UTC; None where it is open."""
        since, until = self.cleaned_data["since"], self.cleaned_data["until"]
        edges = (since, until + timedelta(days=1) if until else None)
        begin, end = (datetime.combine(on, time.min, self.visit.zone).astimezone(UTC) if on else None for on in edges)
        return begin, end


class ClosedPeriodForm(PeriodForm):
    """A period whose first and last day are said."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("since", "until"):
            self.fields[name].required = True


def query_with_period(request: HttpRequest, since: date, until: date) -> dict[str, Any]:
    """Return what an address says that is not empty, with these days where it says none."""
    filled_in = {name: value for name, value in request.GET.items() if value}
    return {"since": since.isoformat(), "until": until.isoformat()} | filled_in


def staff_choices(visit: Visit) -> list[tuple[str, str]]:
    """Return the staff of the pharmacy as the log names them, with their names, to choose one or anybody."""
    staff = StaffMember.objects.filter(pharmacy=visit.pharmacy)
    return [("", "Anybody"), *((member.actor().name, member.display_name) for member in staff)]


class FilterForm(PeriodForm):
    """Filters of the search. A GET form, so that its address can be mailed; it names people by number only."""

    action = forms.ChoiceField(
        label="What", required=False, choices=[("", "Anything"), *((event.value, event.label) for event in Event)]
    )
    actor = forms.ChoiceField(label="Who", required=False)
    rule = forms.CharField(
        label="Rule", required=False, max_length=64, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    outcome = forms.ChoiceField(
        label="Outcome", required=False, choices=[("", "Any"), *((o.value, o.value.capitalize()) for o in Outcome)]
    )
    patient = forms.UUIDField(
        label="Patient, by id", required=False, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, visit: Visit, **kwargs: Any) -> None:
        super().__init__(*args, visit=visit, **kwargs)
        cast("forms.ChoiceField", self.fields["actor"]).choices = staff_choices(visit)

    def filters(self) -> Filters:
        """Return the filters of the search; days are those of the pharmacy."""
        data = self.cleaned_data
        since, until = self.period()
        return Filters(
            since=since,
            until=until,
            actions=(data["action"],) if data["action"] else (),
            outcome=data["outcome"],
            actor=data["actor"],
            rule=data["rule"],
            patient=str(data["patient"] or ""),
        )


@require_safe
@at_counter(policies.may_read_log)
def audit_desk(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List entries of the pharmacy's log, newest first, by page."""
    form = FilterForm(request.GET, visit=visit)
    errors, lines, further, count = form_error_lines(form) if not form.is_valid() else [], [], "", None
    if not errors:
        try:
            cursor = request.GET.get("cursor", "")
            result = logbook.search(
                filters=form.filters(), by=[visit.by], now=visit.now, cursor=cursor, counted=not cursor
            )
        except DispensaryError as error:
            errors = error_lines(error, {name: f"id_{name}" for name in form.fields})
        else:
            lines = reader.recheck(audit.lines(result.page.entries, visit.pharmacy))
            count = result.count
            further = next_page_address(request, result.page.next)
    context = {
        "form": form,
        "lines": lines,
        "count": count,
        "further": further,
        "standing": read_standing(visit, lines),
    }
    return render_page(request, visit, "audit.html", context, errors=errors, status=422 if errors else 200)


def next_page_address(request: HttpRequest, cursor: str) -> str:
    """Return the address of the next page with the same filters; "" after the last."""
    if not cursor:
        return ""
    filters = {name: value for name, value in request.GET.items() if name != "cursor" and value}
    return f"?{urlencode(filters | {'cursor': cursor})}"


@require_safe
@at_counter(policies.may_read_log)
def audit_entry(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show one entry with its body as it is hashed."""
    (line,) = reader.recheck([logbook.open_entry(entry_id=pk, by=[visit.by], now=visit.now)])
    patient = find_patient_row(visit, line.entry.patient_ref)
    order = (line.body or {}).get("prescription")
    if line.entry.subject_type == "prescription":
        order = line.entry.subject_id
    context = {
        "line": line,
        "shown": show_line(line, patient),
        "entry": line.entry,
        "patient": patient,
        "override": find_override(line),
        "order": order if isinstance(order, str) else None,
        "body": None if line.body is None else [(name, format_value(value)) for name, value in line.body.items()],
    }
    return render_page(request, visit, "audit_entry.html", context)


def find_override(line: Line) -> str:
    """Return the id of the override that an entry signs; "" for every other entry."""
    if line.entry.action == Event.OVERRIDE_SIGNED.value:
        return line.entry.subject_id
    is_second = line.entry.action in {Event.OVERRIDE_SECONDED.value, Event.OVERRIDE_ALONE.value}
    return str((line.body or {}).get("answer", "")) if is_second else ""


@require_safe
@at_counter(policies.may_read_log)
def audit_proof(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Return the entry with its proof as a file for `verify.py`."""
    proven = logbook.prove(entry_id=pk, by=[visit.by], now=visit.now)
    headers = {"Content-Disposition": f'attachment; filename="entry-{proven.seq}-proof.json"'}
    return HttpResponse(
        proof.prove(proven.log, proven.seq, proven.size), content_type="application/json", headers=headers
    )


def format_value(value: Any) -> str:
    """Return a value of a body as text; JSON inside a text is indented."""
    content: Any = value
    if isinstance(value, str) and value[:1] in "{[":
        try:
            content = json.loads(value)
        except ValueError:
            return value
    if content is None or isinstance(content, str):
        return content or "nothing"
    return json.dumps(content, indent=2, ensure_ascii=False)
