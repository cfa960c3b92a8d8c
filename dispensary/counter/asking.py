"""Facts that a review needs and nobody knows: asked on the check page, stored with their day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.datastructures import MultiValueDict

from baclofen_rules.facts import FACTS, LISTS, Fact, Kind, Sex
from dispensary.actions import patients
from dispensary.counter.forms import StyledForm
from dispensary.counter.pages import ErrorLine
from dispensary.counter.patients import condition_choices, read_lines, read_medicine, short_field
from dispensary.counter.visit import Visit
from dispensary.models import Patient

PREFIX = "fact"
UNKNOWN = "unknown"
NOT_KNOWN = (UNKNOWN, "Not known")
NONE = "none"
DAY_OF = {fact.day_of: fact.name for fact in FACTS.values() if fact.day_of}
HELP = {
    Kind.MEDICINES: "One a line; the ATC code behind a comma if known: tizanidine, M03BX02",
    Kind.TEXTS: "One a line",
}


@dataclass(frozen=True, slots=True)
class Ask:
    """One fact on the page with its fields."""

    name: str
    label: str
    field: forms.BoundField
    """The answer, or of a list whether there is anything to list."""
    items: forms.BoundField | None
    """What is listed; None for a fact that is no list."""
    unknown: forms.BoundField | None
    """The tick "not known" of a fact that is typed."""
    day: forms.BoundField | None
    """The day on which it was measured."""

    @property
    def has_choices(self) -> bool:
        return isinstance(self.field.field, forms.ChoiceField)


class AskForm(StyledForm):
    """The facts that are missing; each is answered, or said to be not known."""

    def __init__(self, missing: Mapping[str, Sequence[str]], data: Mapping[str, list[str]] | None = None) -> None:
        """Make the fields of `missing`: names of facts with the codes of the rules that wait for them."""
        self.missing = missing
        self.typed = MultiValueDict(data or {})
        super().__init__(None if data is None else self.typed, prefix=PREFIX)
        for name in missing:
            self._add_fields(FACTS[name])
        self.style_fields()

    def _add_fields(self, fact: Fact) -> None:
        required = {"required": f"Ask: {fact.question}? Choose “Not known” if nobody knows"}
        if fact.kind in LISTS:
            choices = [(NONE, "None"), ("some", "These"), NOT_KNOWN]
            self.fields[fact.name] = forms.ChoiceField(
                label=fact.question, choices=choices, widget=forms.RadioSelect, error_messages=required
            )
            self.fields[f"{fact.name}_items"] = self._items_field(fact)
        elif fact.kind in {Kind.FLAG, Kind.SEX}:
            choices = [("yes", "Yes"), ("no", "No")]
            if fact.kind is Kind.SEX:
                choices = [(sex.value, sex.name.capitalize()) for sex in (Sex.FEMALE, Sex.MALE, Sex.OTHER)]
            self.fields[fact.name] = forms.ChoiceField(
                label=fact.question, choices=[*choices, NOT_KNOWN], widget=forms.RadioSelect, error_messages=required
            )
        else:
            self.fields[fact.name] = short_field(fact)
            if fact.name in DAY_OF:
                self.fields[DAY_OF[fact.name]] = short_field(FACTS[DAY_OF[fact.name]])
            self.fields[f"{fact.name}_{UNKNOWN}"] = forms.BooleanField(label="Not known", required=False)

    def _items_field(self, fact: Fact) -> forms.Field:
        if fact.kind is Kind.CONDITIONS:
            return forms.MultipleChoiceField(
                label="Which", choices=condition_choices(), required=False, widget=forms.CheckboxSelectMultiple
            )
        return forms.CharField(
            label="Which",
            required=False,
            max_length=4000,
            help_text=HELP[fact.kind],
            widget=forms.Textarea(attrs={"rows": 2}),
        )

    def clean(self) -> dict[str, Any]:
        for name in self.missing:
            value, fact = self.cleaned_data.get(name), FACTS[name]
            if fact.kind in LISTS and value == "some" and not self.cleaned_data.get(f"{name}_items"):
                self.add_error(name, f"Type which {fact.words} there are, or choose “None”")
            elif value is None and name not in self.errors and not self.cleaned_data.get(f"{name}_{UNKNOWN}"):
                self.add_error(name, f"Type the {fact.words}, or tick “Not known”")
        return self.cleaned_data

    def asks(self) -> list[Ask]:
        """Return what is asked, in the order of the declarations."""
        return [
            Ask(
                name,
                FACTS[name].question,
                self[name],
                self[f"{name}_items"] if FACTS[name].kind in LISTS else None,
                self[f"{name}_{UNKNOWN}"] if f"{name}_{UNKNOWN}" in self.fields else None,
                self[DAY_OF[name]] if name in DAY_OF else None,
            )
            for name in self.missing
        ]

    def error_lines(self, *, needs_all: bool) -> list[ErrorLine]:
        """Return what is wrong with the answers; without `needs_all` nothing about questions that nobody touched."""
        lines = []
        for name, errors in self.errors.items():
            field = self[name]
            if needs_all or any(self.typed.getlist(field.html_name)):
                target = f"{field.auto_id}_0" if isinstance(field.field, forms.ChoiceField) else field.id_for_label
                lines += [ErrorLine(str(words), target) for words in errors]
        return lines

    def answers(self) -> tuple[dict[str, Any], set[str]]:
        """Return what was answered so far, as the case format has it, and the names of what nobody knows."""
        facts: dict[str, Any] = {}
        not_known = set()
        for name in self.missing.keys() - self.errors.keys():
            value, fact = self.cleaned_data[name], FACTS[name]
            if value == UNKNOWN or self.cleaned_data.get(f"{name}_{UNKNOWN}"):
                not_known.add(name)
            elif fact.kind in LISTS:
                facts[name] = self._read_items(fact) if value == "some" else []
            elif fact.kind is Kind.FLAG:
                facts[name] = value == "yes"
            else:
                facts[name] = value.isoformat() if fact.kind is Kind.BIRTH_DATE else value
                measured_on = self.cleaned_data.get(DAY_OF.get(name, ""))
                if measured_on:
                    facts[DAY_OF[name]] = measured_on.isoformat()
        return facts, not_known

    def _read_items(self, fact: Fact) -> list[Any]:
        items = self.cleaned_data[f"{fact.name}_items"]
        if fact.kind is Kind.CONDITIONS:
            return list(items)
        lines = read_lines(items)
        return [read_medicine(line) for line in lines] if fact.kind is Kind.MEDICINES else lines


def save_answers(form: AskForm, patient: Patient, visit: Visit) -> None:
    """Store what was answered, each fact with its day."""
    facts, unknown = form.answers()
    if facts or unknown:
        patients.update_facts(patient=patient, changes=facts, not_known=unknown, by=visit.by, now=visit.now)


def typed_answers(fields: Iterable[tuple[str, list[str]]]) -> dict[str, list[str]]:
    """Return the answers among the fields of a page, cut to what a person may have typed."""
    return {name: [value[:4000] for value in values[:50]] for name, values in fields if name.startswith(f"{PREFIX}-")}
