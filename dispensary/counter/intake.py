"""The patient of a new prescription: found, or registered."""

from __future__ import annotations

import secrets
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dispensary import policies
from dispensary.actions import patients
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm
from dispensary.counter.identities import TYPED
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, InvalidInput
from dispensary.models import Patient, Sex
from dispensary.search import find_patients

MOST_SHOWN = 20


class PersonForm(StyledForm):
    """A person who is not recorded yet."""

    family_name = forms.CharField(
        label="Family name",
        max_length=120,
        widget=forms.TextInput(attrs=TYPED),
        error_messages={"required": "Type the family name"},
    )
    given_name = forms.CharField(
        label="Given names",
        max_length=120,
        widget=forms.TextInput(attrs=TYPED),
        error_messages={"required": "Type the given names"},
    )
    birth_date = forms.DateField(
        label="Date of birth",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        error_messages={"required": "Type the date of birth", "invalid": "Type the date of birth as a date"},
    )
    sex = forms.ChoiceField(
        label="Sex",
        choices=[("", "Not known"), *((sex.value, sex.label) for sex in (Sex.FEMALE, Sex.MALE, Sex.OTHER))],
        required=False,
    )
    identifier = forms.CharField(
        label="Number",
        max_length=64,
        required=False,
        help_text="Empty: we give one",
        widget=forms.TextInput(attrs=TYPED),
    )


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_receive)
def intake(request: HttpRequest, visit: Visit) -> HttpResponse:
    """Find the patient of a new prescription, or register them. Names are posted, so that none is in an address."""
    words = request.POST.get("q", "").strip()[:200]
    person = PersonForm(request.POST if "register" in request.POST else None, initial=read_name(words))
    context: dict[str, Any] = {"q": words, "person": person}
    errors: list[ErrorLine] = []
    if words:
        try:
            hits = list(find_patients(visit.pharmacy, words)[: MOST_SHOWN + 1])
        except InvalidInput as error:
            errors = error_lines(error, {"words": "q"})
        else:
            patients.record_search(pharmacy=visit.pharmacy, words=words, count=len(hits), by=visit.by, now=visit.now)
            context |= {"searched": True, "hits": hits[:MOST_SHOWN], "has_more": len(hits) > MOST_SHOWN}
            if not hits:
                empty = next(name for name in person.fields if not person.initial.get(name))
                person.fields[empty].widget.attrs["data-focus"] = ""
    elif person.is_valid():
        namesakes = [] if "other" in request.POST else find_namesakes(visit, person.cleaned_data)
        if not namesakes:
            try:
                return redirect("counter:new-order", register(visit, person.cleaned_data).pk)
            except DispensaryError as error:
                errors = error_lines(error, {f"patient.{name}": f"id_{name}" for name in person.fields})
        context["namesakes"] = namesakes
    elif person.is_bound:
        errors = form_error_lines(person)
    return render_page(request, visit, "intake.html", context, errors=errors, status=422 if errors else 200)


def read_name(words: str) -> dict[str, str]:
    """Return what was searched for as the names of a new person: `Okafor, Ada` or `Ada Okafor`."""
    if any(character.isdigit() for character in words):
        return {}
    family_name, comma, given_name = words.partition(",")
    if not comma:
        given_name, _, family_name = words.rpartition(" ")
    return {"family_name": family_name.strip(), "given_name": given_name.strip()}


def find_namesakes(visit: Visit, person: dict[str, Any]) -> list[Patient]:
    """Return recorded people of the same name and birth date, or the same number."""
    texts = [f"{person['family_name']} {person['given_name']} {person['birth_date']}", person["identifier"]]
    return list(
        {record.pk: record for text in texts if text for record in find_patients(visit.pharmacy, text)}.values()
    )


def register(visit: Visit, person: dict[str, Any]) -> Patient:
    """Register a person as typed; namesakes were shown and are of other people."""
    return patients.register(
        pharmacy=visit.pharmacy,
        identifier=person["identifier"] or f"P{secrets.randbelow(10**9):09}",
        family_name=person["family_name"],
        given_name=person["given_name"],
        facts={"birth_date": person["birth_date"].isoformat()} | ({"sex": person["sex"]} if person["sex"] else {}),
        other_than=[record.pk for record in find_namesakes(visit, person)],
        by=visit.by,
        now=visit.now,
    )
