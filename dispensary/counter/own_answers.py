"""A pharmacist's own overrides as counts, beside those of the whole pharmacy; nobody else is named."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from dispensary import policies
from dispensary.actions import log_review
from dispensary.counter.access import at_counter
from dispensary.counter.audit_desk import ClosedPeriodForm, query_with_period
from dispensary.counter.log_quality import PERIOD, describe_commonest
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.shares import Share, count_interval
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError


@require_safe
@at_counter(policies.may_read_own_answers)
def own_answers(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Show the reader's counts of a period."""
    yesterday = visit.today - timedelta(days=1)
    form = ClosedPeriodForm(query_with_period(request, yesterday - PERIOD, yesterday), visit=visit)
    errors = form_error_lines(form) if not form.is_valid() else []
    context: dict[str, Any] = {"form": form}
    if not errors:
        try:
            counts = log_review.read_own_counts(
                pharmacy=visit.pharmacy, **form.cleaned_data, by=visit.by, now=visit.now
            )
        except DispensaryError as error:
            errors = error_lines(error, {"since": "id_since"})
        else:
            context |= {
                "days": counts.days,
                "rows": [
                    (
                        name,
                        cell.answered,
                        count_interval(cell.answered),
                        describe_commonest(cell.reasons),
                        Share(cell.quick, cell.timed),
                    )
                    for name, cell in (("You", counts.own), ("Everybody together", counts.everybody))
                ],
            }
    return render_page(request, visit, "own_answers.html", context, errors=errors, status=422 if errors else 200)
