"""Downtime: the form that is printed while everything works."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dispensary.actions.downtime import MOST_DAYS, USUAL_DAYS, print_form
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm
from dispensary.counter.pages import form_error_lines, render_page
from dispensary.counter.printing import respond_with
from dispensary.counter.visit import Visit
from dispensary.documents import Paper

PAPERS = ((Paper.A4.value, "A4"), (Paper.LETTER.value, "US Letter"))


class PrintForm(StyledForm):
    """The days and the paper of the form."""

    days = forms.IntegerField(
        label="Patients who are due within so many days",
        min_value=1,
        max_value=MOST_DAYS,
        initial=USUAL_DAYS,
        widget=forms.TextInput(
            attrs={"inputmode": "numeric", "autocomplete": "off", "data-focus": "", "class": "nhsuk-input--width-4"}
        ),
        error_messages={
            "required": "Type for how many days",
            "invalid": "Type the days as a number, such as 7",
            "max_value": f"Type 1 to {MOST_DAYS} days",
            "min_value": f"Type 1 to {MOST_DAYS} days",
        },
    )
    paper = forms.ChoiceField(label="Paper", choices=PAPERS, initial=Paper.A4.value, widget=forms.RadioSelect)


@require_safe
@at_counter()
def downtime(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show what to do before, during and after a downtime."""
    return show_downtime(request, visit, PrintForm())


@require_safe
@at_counter()
def form_pdf(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Print the form; each record on it counts as read."""
    form = PrintForm(request.GET)
    if not form.is_valid():
        return show_downtime(request, visit, form)
    data = form.cleaned_data
    content = print_form(
        pharmacy=visit.pharmacy, days=data["days"], paper=Paper(data["paper"]), by=visit.by, now=visit.now
    )
    return respond_with(content, f"downtime-{visit.today}.pdf")


def show_downtime(request: HttpRequest, visit: Visit, form: PrintForm) -> HttpResponse:
    """Render the page."""
    errors = form_error_lines(form)
    context = {"form": form}
    return render_page(request, visit, "downtime.html", context, errors=errors, status=422 if errors else 200)
