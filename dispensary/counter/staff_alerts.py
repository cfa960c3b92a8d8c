"""Alerts of the staff: those that nobody has answered, and who is told of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions import alert_contacts, staff_alerts
from dispensary.conf import conf
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, NotFound
from dispensary.models import AlertContact, AlertKind, AlertRank, Medium, SecondSignature, StaffAlert


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An open alert, with the page that shows what it is about, "" where this person may not open it."""

    alert: StaffAlert
    page: str


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_answer_alerts)
def alerts(request: HttpRequest, visit: Visit, pk: UUID | None = None) -> HttpResponse:
    """List open alerts and those of the last week; answer the one that the address names."""
    errors: list[ErrorLine] = []
    words = request.POST.get("words", "")
    if request.method == "POST" and pk is not None:
        try:
            staff_alerts.answer(alert_id=pk, words=words, by=visit.by, now=visit.now)
        except NotFound:
            raise
        except DispensaryError as error:
            errors = error_lines(error, {"words": f"words-{pk}"})
        else:
            messages.success(request, "The alert is answered. Nobody else is told of it.")
            return redirect("counter:alerts")
    waiting, answered = staff_alerts.list_alerts(visit.pharmacy, visit.now)
    context = {
        "waiting": [ShownAlert(alert, _page(visit, alert)) for alert in waiting],
        "answered": answered,
        "contacts": AlertContact.objects.filter(pharmacy=visit.pharmacy).select_related("member"),
        "may_name": policies.may_change_settings(visit.by),
        "refused": pk,
        "typed_words": words,
    }
    return render_page(request, visit, "alerts.html", context, errors=errors, status=422 if errors else 200)


def _page(visit: Visit, alert: StaffAlert) -> str:
    """Return the address of the page that shows what an alert is about."""
    reads_log = policies.may_read_log(visit.by)
    if alert.kind == AlertKind.RED_FLAG:
        return reverse("counter:at-risk") if policies.may_send_reminders(visit.by) else ""
    if alert.kind == AlertKind.VERIFICATION:
        return reverse("counter:audit-checks") if reads_log else ""
    if alert.kind == AlertKind.UNSIGNED_DAY:
        return f"{reverse('counter:audit-day')}?day={alert.subject_id}" if reads_log else ""
    if alert.kind == AlertKind.SETTINGS:
        return reverse("counter:settings") if policies.may_change_settings(visit.by) else ""
    second = SecondSignature.objects.select_related("override").get(pk=alert.subject_id)
    page = "counter:audit-order" if reads_log else "counter:check"
    return reverse(page, args=[second.override.prescription_id])


class ContactForm(StyledForm):
    """A person who is told of alerts, and how."""

    member = forms.ChoiceField(label="Person", required=False)
    medium = forms.ChoiceField(label="Told by", required=False)
    address = forms.CharField(label="Address or number", max_length=254, required=False)

    def __init__(self, data: Any, *, visit: Visit, rank: AlertRank, contact: AlertContact | None) -> None:
        initial = {"member": contact.member_id, "medium": contact.medium, "address": contact.address} if contact else {}
        super().__init__(data, prefix=rank.name.lower(), initial=initial)
        self.rank = rank
        people = staff_alerts.possible_answerers(visit.pharmacy)
        labels = dict(Medium.choices)
        cast("forms.ChoiceField", self.fields["member"]).choices = [
            ("", "Nobody"), *((str(member.pk), str(member)) for member in people)
        ]  # fmt: skip
        cast("forms.ChoiceField", self.fields["medium"]).choices = [
            (name, labels.get(name, name)) for name in conf().free_text_channels
        ]


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_change_settings)
def contacts(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Name the person and the deputy who are told of alerts."""
    current = {
        contact.rank: contact
        for contact in AlertContact.objects.filter(pharmacy=visit.pharmacy).select_related("member")
    }
    data = request.POST if request.method == "POST" else None
    contact_forms = [ContactForm(data, visit=visit, rank=rank, contact=current.get(rank)) for rank in AlertRank]
    errors = [line for form in contact_forms for line in form_error_lines(form)]
    if data is not None and not errors:
        chosen = {
            form.rank: alert_contacts.Chosen(int(fields["member"]), fields["medium"], fields["address"])
            for form in contact_forms
            if (fields := form.cleaned_data)["member"]
        }
        try:
            alert_contacts.name_contacts(pharmacy=visit.pharmacy, chosen=chosen, by=visit.by, now=visit.now)
        except DispensaryError as error:
            targets = {
                f"{form.prefix}.{name}": form[name].id_for_label for form in contact_forms for name in form.fields
            }
            errors = error_lines(error, targets)
        else:
            messages.success(request, "Saved. Try the way with a test message on the settings page.")
            return redirect("counter:alert-contacts")
    sections = [(form.rank.label, form) for form in contact_forms]
    context = {"sections": sections, "minutes": staff_alerts.DEPUTY_AFTER.seconds // 60}
    return render_page(request, visit, "alert_contacts.html", context, errors=errors, status=422 if errors else 200)
