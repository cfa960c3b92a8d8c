"""The patient's page for staff: facts that the rules read, orders and supplies."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from django import forms
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.views.decorators.http import require_http_methods, require_safe

from baclofen_rules.facts import FACTS, Condition, Fact, Indication, Kind
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import Therapy
from dispensary import policies
from dispensary.actions import patients
from dispensary.assessment import therapy_of
from dispensary.counter.access import at_counter
from dispensary.counter.decisions import course_words
from dispensary.counter.forms import StyledForm
from dispensary.counter.identities import group_namesakes
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.timeline import MOST_SHOWN, dose_line_of, list_happenings
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError
from dispensary.handover import order_number
from dispensary.loading import read_record
from dispensary.models import Patient, Sex, WorkKind, WorkState
from dispensary.templatetags.counter import day

YES_NO = (("", "Not known"), ("yes", "Yes"), ("no", "No"))
_CHOICE_OF = {True: "yes", False: "no", None: ""}
DAYS = {Kind.BIRTH_DATE, Kind.DAY}
LISTS = ("conditions", "medicines", "allergies")
"""The facts that are lists, in the order of the page."""


def condition_choices() -> list[tuple[str, str]]:
    """Return the conditions as choices of a field."""
    return [(condition.value, condition.label) for condition in Condition]


class YesNoField(forms.TypedChoiceField):
    """Yes, no, or not known."""

    def __init__(self, label: str) -> None:
        super().__init__(
            label=label,
            choices=YES_NO,
            required=False,
            coerce=lambda v: {"yes": True, "no": False}[v],
            empty_value=None,
            widget=forms.Select,
        )


def short_field(fact: Fact) -> forms.Field:
    """Return the form field of a fact that is no list."""
    if fact.kind is Kind.FLAG:
        return YesNoField(fact.question)
    if fact.kind is Kind.SEX:
        return forms.ChoiceField(label=fact.question, choices=Sex.choices, required=False)
    if fact.kind is Kind.INDICATION:
        choices = [("", "Not known"), *((indication.value, indication.label) for indication in Indication)]
        return forms.ChoiceField(label=fact.question, choices=choices, required=False)
    errors = {"invalid": f"Type the {fact.words} as {fact.to_type}"}
    if fact.kind in DAYS:
        widget = forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
        return forms.DateField(label=fact.question, required=False, widget=widget, error_messages=errors)
    return forms.DecimalField(
        label=fact.question,
        required=False,
        min_value=fact.least,
        max_value=fact.most,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        error_messages=errors,
    )


class FactsForm(StyledForm):
    """The facts that the rules read about a patient. Empty means not known."""

    conditions_known = YesNoField("Asked about conditions")
    conditions = forms.MultipleChoiceField(
        label=FACTS["conditions"].question,
        choices=condition_choices(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    medicines_known = YesNoField("Asked about other medicines")
    medicines = forms.CharField(
        label=FACTS["medicines"].question,
        required=False,
        help_text="One a line; the ATC code behind a comma if known: tizanidine, M03BX02",
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=4000,
    )
    allergies_known = YesNoField("Asked about allergies")
    allergies = forms.CharField(
        label=FACTS["allergies"].question,
        required=False,
        help_text="One a line",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    @property
    def short_fields(self) -> list[forms.BoundField]:
        """Return the fields that are shown side by side."""
        return [field for field in self.visible_fields() if field not in self.long_fields]

    @property
    def long_fields(self) -> list[forms.BoundField]:
        """Conditions, medicines and allergies, each after whether somebody asked."""
        return [self[f"{name}{end}"] for name in LISTS for end in ("_known", "")]

    def facts(self) -> dict[str, Any]:
        """Return the facts as in the case format; None for unknown ones."""
        facts = {name: self.cleaned_data[name] for name in FACTS}
        facts["sex"] = None if facts["sex"] in ("", Sex.UNKNOWN) else facts["sex"]
        facts["indication"] = facts["indication"] or None
        for name in (fact.name for fact in FACTS.values() if fact.kind in DAYS):
            facts[name] = facts[name].isoformat() if facts[name] else None
        facts["conditions"] = self._asked("conditions", list(facts["conditions"]))
        facts["medicines"] = self._asked("medicines", [read_medicine(line) for line in read_lines(facts["medicines"])])
        facts["allergies"] = self._asked("allergies", read_lines(facts["allergies"]))
        return facts

    def _asked(self, name: str, values: list[Any]) -> list[Any] | None:
        """Return the list; an empty one is only "none" when somebody asked, else None."""
        return values if values or self.cleaned_data[f"{name}_known"] else None


FactsForm.base_fields |= {fact.name: short_field(fact) for fact in FACTS.values() if fact.name not in LISTS}


def read_lines(text: str) -> list[str]:
    """Return the lines of a text that are not empty."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_medicine(line: str) -> dict[str, str]:
    """Read `tizanidine, M03BX02` as a medicine of the case format."""
    name, _, atc = line.partition(",")
    return {"name": name.strip(), **({"atc": atc.strip().upper()} if atc.strip() else {})}


def initial_of(patient: Patient) -> dict[str, Any]:
    """Return the form's values for a patient."""
    initial = {name: getattr(patient, name) for name in (*FACTS, "version")}
    for fact in FACTS.values():
        if fact.kind is Kind.FLAG:
            initial[fact.name] = _CHOICE_OF[initial[fact.name]]
        elif fact.kind is Kind.AMOUNT and initial[fact.name] is not None:
            initial[fact.name] = format_amount(initial[fact.name])
    initial |= {f"{name}_known": "" if getattr(patient, name) is None else "yes" for name in LISTS}
    initial["conditions"] = [c for c in patient.conditions or [] if isinstance(c, str)]
    initial["medicines"] = "\n".join(medicine_words(m) for m in patient.medicines or [])
    initial["allergies"] = "\n".join(str(a) for a in patient.allergies or [])
    return initial


def medicine_words(medicine: dict[str, Any]) -> str:
    """`tizanidine, M03BX02`."""
    return ", ".join(str(medicine[k]) for k in ("name", "atc") if medicine.get(k))


def rows_of(patient: Patient) -> list[tuple[str, str, date | None]]:
    """Return label, words and day of every fact but the birth date, which stands in the page's head.

    The day is that from which the fact stands in the record, or on which it was asked and not known.
    """
    names = [name for name in FACTS if name not in ("birth_date", *LISTS)]
    days = {name: date.fromisoformat(on) for name, on in patient.recorded_on.items()}
    return [(FACTS[name].label, _fact_words(FACTS[name], patient), days.get(name)) for name in (*names, *LISTS)]


def _fact_words(fact: Fact, patient: Patient) -> str:
    value = getattr(patient, fact.name)
    if fact.kind is Kind.SEX:
        return patient.get_sex_display()
    if fact.kind is Kind.FLAG:
        return dict(YES_NO)[_CHOICE_OF[value]]
    if value in (None, ""):
        return "Not known"
    if fact.kind is Kind.INDICATION:
        return Indication(value).label
    if fact.kind is Kind.AMOUNT:
        return f"{format_amount(value)} {fact.unit}"
    if fact.kind is Kind.DAY:
        return day(value)
    if fact.kind is Kind.MEDICINES:
        return format_html_join("", "{}<br>", [(medicine_words(m),) for m in value]) or "None"
    return ", ".join(_condition_words(c) if fact.kind is Kind.CONDITIONS else str(c) for c in value) or "None"


def _condition_words(condition: str | dict[str, str]) -> str:
    if isinstance(condition, dict):
        return condition.get("code", "")
    return Condition(condition).label if condition in set(Condition) else condition


@require_safe
@at_counter()
def show_patient(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Show facts, orders and supplies of one patient; opening the page is recorded."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy", "joined_to"), pk)
    patients.record_opening(patient=patient, by=visit.by, now=visit.now)
    read_record(patient.pk, patient)
    prefetch_related_objects([patient], "work")
    therapy = therapy_of(patient, visit.today)
    happenings = list_happenings(patient)
    outdated = [w for w in patient.work.all() if w.kind == WorkKind.PAPERS_OUTDATED and w.state != WorkState.RESOLVED]
    newest = sorted(patient.prescriptions.all(), key=lambda order: order.received_at, reverse=True)
    context = {
        "patient": patient,
        "day": therapy.day(visit.today),
        "outdated": min(outdated, key=lambda item: item.due_by, default=None),
        "taken": list_taken(patient, therapy),
        "may_decide": policies.may_override(visit.by),
        "may_stop": policies.may_end(visit.by),
        "facts": rows_of(patient),
        "orders": [(order, order_number(order)) for order in newest[:20]],
        "line": dose_line_of(therapy),
        "timeline": happenings[:MOST_SHOWN],
        "is_cut": len(happenings) > MOST_SHOWN,
        "namesakes": group_namesakes(patient),
        "former": patient.former_identities.all(),
        "joined": patient.joined_records.all(),
        "may_receive": policies.may_receive(visit.by),
        "may_change": policies.may_receive(visit.by) and patient.joined_to is None,
    }
    return render_page(request, visit, "patient.html", context)


def list_taken(patient: Patient, therapy: Therapy) -> list[tuple[str, bool, str, str]]:
    """Return what is taken in words, whether it comes from elsewhere, and the addresses at which it is stopped and planned anew.

    What comes from elsewhere has no order that a plan could take the place of: its second address is empty.
    """
    orders = {str(order.pk) for order in patient.prescriptions.all()}
    taken = []
    for thread in therapy.threads:
        course = therapy.course(thread.last_course)
        is_recorded = course.source not in orders
        stop, plan = (
            (reverse("counter:stop-recorded", args=[patient.pk, course.source]), "")
            if is_recorded
            else (reverse("counter:stop", args=[course.source]), reverse("counter:plan", args=[course.source]))
        )
        taken.append((course_words(course), is_recorded, stop, plan))
    return taken


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def change_facts(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Change facts; the old and the new value are recorded."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    form = FactsForm(request.POST) if request.method == "POST" else FactsForm(initial=initial_of(patient))
    errors: list[ErrorLine] = []
    if form.is_valid():
        try:
            version = form.cleaned_data["version"]
            coded = [condition for condition in patient.conditions or [] if isinstance(condition, dict)]
            facts = form.facts()
            facts["conditions"] = [*(facts["conditions"] or []), *coded] if coded else facts["conditions"]
            patients.update_facts(patient=patient, changes=facts, version=version, by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, {f"patient.{name}": f"id_{name}" for name in form.fields})
        else:
            return redirect("counter:patient", pk)
    elif form.is_bound:
        errors = form_error_lines(form)
    return render_page(
        request, visit, "facts.html", {"patient": patient, "form": form}, errors=errors, status=422 if errors else 200
    )
