"""The patient's page for staff: the facts the rules read, and what was supplied."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_safe

from baclofen_rules.text import format_amount
from dispensary import policies
from dispensary.actions import patients
from dispensary.counter.door import ErrorLine, Visit, at_counter, error_lines, page
from dispensary.counter.forms import Look
from dispensary.counter.queue import number_of
from dispensary.counter.session import lines_of
from dispensary.errors import DispensaryError
from dispensary.models import Patient, Sex
from dispensary.supplies import history

CONDITIONS = (
    ("epilepsy", "Epilepsy"),
    ("psychotic-disorder", "Psychotic disorder"),
    ("stroke", "Stroke"),
    ("parkinsonism", "Parkinsonism"),
    ("respiratory-impairment", "Respiratory impairment"),
    ("autonomic-dysreflexia", "Autonomic dysreflexia"),
    ("suicide-risk", "Suicide risk"),
    ("substance-misuse", "Substance misuse"),
    ("hypertonic-bladder-sphincter", "Hypertonic bladder sphincter"),
    ("peptic-ulcer", "Peptic ulcer"),
    ("liver-disease", "Liver disease"),
)
KNOWN = (("", "Not known"), ("yes", "Yes"), ("no", "No"))


class Fact(forms.TypedChoiceField):
    """Yes, no, or not known, which are three different things."""

    def __init__(self, label: str) -> None:
        super().__init__(
            label=label,
            choices=KNOWN,
            required=False,
            coerce=lambda v: {"yes": True, "no": False}[v],
            empty_value=None,
            widget=forms.Select,
        )


class FactsForm(Look):
    """What the rules read about a patient. Empty means not known."""

    birth_date = forms.DateField(
        label="Date of birth",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"invalid": "Type the date of birth as a date, such as 1981-05-02"},
    )
    sex = forms.ChoiceField(label="Sex", choices=Sex.choices, required=False)
    weight_kg = forms.DecimalField(
        label="Weight in kg",
        required=False,
        min_value=0,
        max_value=650,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        error_messages={"invalid": "Type the weight as a number of kg, such as 70"},
    )
    egfr = forms.DecimalField(
        label="eGFR in mL/min/1.73 m²",
        required=False,
        min_value=0,
        max_value=300,
        widget=forms.TextInput(attrs={"inputmode": "decimal"}),
        error_messages={"invalid": "Type the eGFR as a number, such as 95"},
    )
    dialysis = Fact("On dialysis")
    pregnant = Fact("Pregnant")
    breastfeeding = Fact("Breast-feeding")
    alcohol_use = Fact("Drinks alcohol")
    drives = Fact("Drives or works machines")
    intrathecal_pump = Fact("Has an intrathecal baclofen pump")
    conditions_known = Fact("Asked about conditions")
    conditions = forms.MultipleChoiceField(
        label="Conditions", choices=CONDITIONS, required=False, widget=forms.CheckboxSelectMultiple
    )
    medicines_known = Fact("Asked about other medicines")
    medicines = forms.CharField(
        label="Other medicines",
        required=False,
        help_text="One a line; the ATC code behind a comma if known: tizanidine, M03BX02",
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=4000,
    )
    allergies_known = Fact("Asked about allergies")
    allergies = forms.CharField(
        label="Allergies",
        required=False,
        help_text="One a line",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
    )
    version = forms.IntegerField(widget=forms.HiddenInput)

    @property
    def short_fields(self) -> list[forms.BoundField]:
        """The fields that stand side by side."""
        return [field for field in self.visible_fields() if field not in self.long_fields]

    @property
    def long_fields(self) -> list[forms.BoundField]:
        """Conditions, medicines and allergies, each after whether somebody asked."""
        return [self[f"{name}{end}"] for name in ("conditions", "medicines", "allergies") for end in ("_known", "")]

    def facts(self) -> dict[str, Any]:
        """The facts in the words of the case format; None for what is not known."""
        data = self.cleaned_data
        plain = (
            "sex",
            "weight_kg",
            "egfr",
            "dialysis",
            "pregnant",
            "breastfeeding",
            "alcohol_use",
            "drives",
            "intrathecal_pump",
        )
        told: dict[str, Any] = {name: data[name] for name in plain}
        told["sex"] = None if data["sex"] in ("", "unknown") else data["sex"]
        told["birth_date"] = data["birth_date"].isoformat() if data["birth_date"] else None
        told["conditions"] = self._asked("conditions", list(data["conditions"]))
        told["medicines"] = self._asked("medicines", [_medicine(line) for line in _lines(data["medicines"])])
        told["allergies"] = self._asked("allergies", _lines(data["allergies"]))
        return told

    def _asked(self, name: str, found: list[Any]) -> list[Any] | None:
        """A list that is empty is only "none" when somebody asked."""
        return found if found or self.cleaned_data[f"{name}_known"] else None


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _medicine(line: str) -> dict[str, str]:
    name, _, atc = line.partition(",")
    return {"name": name.strip(), **({"atc": atc.strip().upper()} if atc.strip() else {})}


def initial_of(patient: Patient) -> dict[str, Any]:
    """The form as it stands for a patient."""
    yes_no = {True: "yes", False: "no", None: ""}
    initial: dict[str, Any] = {
        name: yes_no[getattr(patient, name)]
        for name in ("dialysis", "pregnant", "breastfeeding", "alcohol_use", "drives", "intrathecal_pump")
    }
    for name in ("conditions", "medicines", "allergies"):
        initial[f"{name}_known"] = "yes" if getattr(patient, name) is not None else ""
    initial |= {name: getattr(patient, name) for name in ("birth_date", "sex", "version")}
    initial |= {name: format_amount(v) for name in ("weight_kg", "egfr") if (v := getattr(patient, name)) is not None}
    initial["conditions"] = [c for c in patient.conditions or [] if isinstance(c, str)]
    initial["medicines"] = "\n".join(medicine_words(m) for m in patient.medicines or [])
    initial["allergies"] = "\n".join(str(a) for a in patient.allergies or [])
    return initial


def medicine_words(medicine: dict[str, Any]) -> str:
    """`tizanidine, M03BX02`."""
    return ", ".join(str(medicine[k]) for k in ("name", "atc") if medicine.get(k))


@require_safe
@at_counter()
def patient(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Facts, orders and supplies of one patient. Opening it is a line in the log."""
    found = visit.own(Patient.objects.select_related("pharmacy"), pk)
    patients.opened(patient=found, by=visit.by, now=visit.now)
    context = {
        "patient": found,
        "conditions": [
            dict(CONDITIONS).get(c, c) if isinstance(c, str) else c.get("code", "") for c in found.conditions or []
        ],
        "medicines": [medicine_words(m) for m in found.medicines or []],
        "orders": [(o, number_of(o)) for o in found.prescriptions.prefetch_related("phases")[:20]],
        "supplies": list(reversed(history(found, on=visit.today)))[:20],
        "dispenses": found.dispenses.select_related("prescription")[:20],
        "may_change": policies.may_receive(visit.by),
    }
    return page(request, visit, "patient.html", context)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def facts(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Change the facts; the old and the new value stand in the log."""
    found = visit.own(Patient.objects.select_related("pharmacy"), pk)
    form = FactsForm(request.POST) if request.method == "POST" else FactsForm(initial=initial_of(found))
    errors: list[ErrorLine] = []
    if form.is_valid():
        try:
            version = form.cleaned_data["version"]
            patients.update_facts(patient=found, changes=form.facts(), version=version, by=visit.by, now=visit.now)
        except DispensaryError as error:
            errors = error_lines(error, {f"patient.{name}": f"id_{name}" for name in form.fields})
        else:
            return redirect("counter:patient", pk)
    elif form.is_bound:
        errors = lines_of(form)
    return page(
        request, visit, "facts.html", {"patient": found, "form": form}, errors=errors, status=422 if errors else 200
    )
