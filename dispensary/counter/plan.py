"""A proposed taper or titration: wishes, the plan, the request to the prescriber, and the new order when it is agreed."""

from __future__ import annotations

import uuid
from decimal import Decimal

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import patients, plans
from dispensary.actions.plans import OPEN_DAYS, Goal, PlanWishes
from dispensary.counter.access import at_counter
from dispensary.counter.check_view import keep_together, select_prescriptions
from dispensary.counter.forms import StyledForm
from dispensary.counter.identities import TYPED
from dispensary.counter.new_order import stocked_strengths
from dispensary.counter.pages import error_lines, form_error_lines, render_page
from dispensary.counter.printing import respond_with
from dispensary.counter.visit import Visit
from dispensary.documents.words import mg
from dispensary.errors import DispensaryError
from dispensary.handover import order_number
from dispensary.models import Prescription
from dispensary.models.prescription import OPEN_STATUSES

NUMBER = {"inputmode": "decimal", "autocomplete": "off", "class": "nhsuk-input--width-4"}
GOALS = (
    (Goal.NOTHING.value, "Down to nothing"),
    (Goal.LOWER.value, "Down to a lower dose"),
    (Goal.ORDERED.value, "Up to the dose of this prescription"),
)
TARGETS = {
    "last dose": "id_last_mg_per_day",
    "days": "id_days",
    "step": "id_step_mg",
    "strengths": "id_strengths_mg_0",
    "target": "id_goal_0",
    "goal": "id_goal_0",
}


class PlanForm(StyledForm):
    """Wishes for a plan."""

    goal = forms.ChoiceField(label="Where it leads", choices=GOALS, widget=forms.RadioSelect)
    last_mg_per_day = forms.DecimalField(
        label="Lower dose, mg a day", required=False, min_value=Decimal(1), widget=forms.TextInput(attrs=NUMBER)
    )
    days = forms.IntegerField(
        label="Days in all",
        required=False,
        min_value=1,
        max_value=366,
        help_text="Empty: as the profile plans",
        widget=forms.TextInput(attrs=NUMBER),
    )
    step_mg = forms.DecimalField(
        label="Largest step, mg a day",
        required=False,
        min_value=Decimal("0.5"),
        help_text="Empty: as the rules allow",
        widget=forms.TextInput(attrs=NUMBER),
    )
    interval_days = forms.IntegerField(
        label="Fewest days at a dose", required=False, min_value=1, max_value=90, widget=forms.TextInput(attrs=NUMBER)
    )
    strengths_mg = forms.TypedMultipleChoiceField(
        label="Tablets in stock",
        coerce=Decimal,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one strength that is in stock"},
    )
    whole_tablets = forms.BooleanField(label="Whole tablets only", required=False)

    def __init__(self, *args: object, strengths: list[Decimal], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        choices = [(format_amount(strength), f"{mg(strength)} tablets") for strength in strengths]
        self.fields["strengths_mg"].choices = choices  # type: ignore[attr-defined]  # a choice field

    @property
    def wishes(self) -> PlanWishes:
        """Return the wishes of a form that is valid."""
        data = self.cleaned_data
        return PlanWishes(
            Goal(data["goal"]),
            data["strengths_mg"],
            last_mg_per_day=data["last_mg_per_day"],
            days=data["days"],
            step_mg=data["step_mg"],
            interval_days=data["interval_days"] or 1,
            whole_tablets=data["whole_tablets"],
        )


class AgreementForm(StyledForm):
    """The prescriber who agreed to a plan."""

    agreed_with = forms.CharField(
        label="Agreed with",
        max_length=120,
        widget=forms.TextInput(attrs=TYPED),
        error_messages={"required": "Say who at the prescriber agreed"},
    )
    agreed = forms.CharField(
        label="How and when, in your words",
        max_length=250,
        widget=forms.Textarea(attrs={"rows": 2}),
        error_messages={"required": "Say how and when it was agreed"},
    )
    sentence = forms.CharField(widget=forms.HiddenInput)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def plan(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show a plan for the wishes of the address; posted, take it as the new order that the prescriber agreed to."""
    prescription = visit.fetch(select_prescriptions(), pk)
    form = make_form(request, prescription)
    errors = form_error_lines(form)
    proposal = None
    if form.is_valid():
        try:
            proposal = plans.propose(prescription, form.wishes, on=visit.today)
        except DispensaryError as error:
            errors = error_lines(error, TARGETS)
    if request.method == "GET":
        patients.record_opening(patient=prescription.patient, by=visit.by, now=visit.now)
    agreement = AgreementForm(request.POST if request.method == "POST" else None)
    if proposal is not None and agreement.is_bound:
        errors = form_error_lines(agreement)
        if agreement.is_valid():
            try:
                received = plans.take_plan(
                    prescription=prescription, wishes=form.wishes, **agreement.cleaned_data, by=visit.by, now=visit.now
                )
            except DispensaryError as error:
                errors = error_lines(error, {"agreed_with": "id_agreed_with", "agreed": "id_agreed"})
            else:
                return redirect("counter:check", received.prescription.pk)
    context = {
        "prescription": prescription,
        "patient": prescription.patient,
        "number": order_number(prescription),
        "form": form,
        "agreement": agreement,
        "proposal": proposal,
        "sentence": keep_together(proposal.plan.sentence) if proposal else "",
        "phases": plans.describe_phases(proposal) if proposal else [],
        "now_words": plans.describe_now(proposal) if proposal else "",
        "open_days": OPEN_DAYS,
        "query": request.GET.urlencode(),
        "replaces_it": prescription.status in OPEN_STATUSES,
        "may_take": policies.may_override(visit.by),
    }
    return render_page(request, visit, "plan.html", context, errors=errors, status=422 if errors else 200)


@require_safe
@at_counter(policies.may_receive)
def plan_pdf(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Print the request to the prescriber, one page."""
    prescription = visit.fetch(select_prescriptions(), pk)
    form = make_form(request, prescription)
    if not form.is_valid():
        return redirect("counter:plan", pk)
    content = plans.print_request(prescription=prescription, wishes=form.wishes, by=visit.by, now=visit.now)
    return respond_with(content, f"{order_number(prescription)}-request.pdf")


def make_form(request: HttpRequest, prescription: Prescription) -> PlanForm:
    """Return the form with the wishes of the address; without any, those that the prescription suggests."""
    strengths = stocked_strengths()
    if request.GET:
        return PlanForm(request.GET, strengths=strengths)
    own = [strength for strength in strengths if strength == prescription.strength_mg] or strengths
    initial = {"goal": Goal.NOTHING.value, "strengths_mg": [format_amount(strength) for strength in own]}
    return PlanForm(strengths=strengths, initial=initial)
