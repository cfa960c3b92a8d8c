"""One patient's messages: addresses, consent for each medium, language and time zone, and coming messages."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dispensary import policies, reminders
from dispensary.actions import carers, consent, patients
from dispensary.counter.access import at_counter
from dispensary.counter.forms import StyledForm
from dispensary.counter.pages import ErrorLine, error_lines, form_error_lines, render_page
from dispensary.counter.visit import Visit
from dispensary.errors import DispensaryError, NotFound
from dispensary.models import (
    Carer,
    CarerRelation,
    Consent,
    ConsentAnswer,
    ConsentSource,
    ContactPoint,
    DetailLevel,
    Language,
    Medium,
    Patient,
)
from dispensary.models.contacts import GUARDIANS
from dispensary.reminders import reach

CARER_TARGETS = {
    "address": "id_carer-address",
    "name": "id_carer-name",
    "relation": "id_carer-relation_0",
    "takes_texts": "id_carer-takes_texts",
}
TARGETS = {"address": "id_new-address", "takes_texts": "id_new-takes_texts", "time_zone": "id_time_zone"}


class AddressForm(StyledForm):
    """A new address."""

    medium = forms.ChoiceField(
        label="What kind of address",
        widget=forms.RadioSelect,
        error_messages={"required": "Say whether it is an e-mail address or a telephone number"},
    )
    address = forms.CharField(
        label="E-mail address, or telephone number with its country",
        max_length=250,
        help_text="Such as name@example.org or +44 7700 900123",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Type the address"},
    )
    takes_texts = forms.BooleanField(label="It is a landline, and the patient says that texts reach it", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        medium = cast("forms.ChoiceField", self.fields["medium"])
        medium.choices = [(medium.value, medium.label) for medium in reach.media_offered() if medium != Medium.PUSH]


class CarerForm(AddressForm):
    """A carer with an address."""

    name = forms.CharField(
        label="Name",
        max_length=120,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        error_messages={"required": "Type the name"},
    )
    relation = forms.ChoiceField(
        label="What they are to the patient",
        choices=CarerRelation.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Say what they are to the patient"},
    )
    language = forms.ChoiceField(label="Language of their messages", choices=Language.choices)


class PreferencesForm(StyledForm):
    """Language and time zone of the messages."""

    language = forms.ChoiceField(label="Language of the messages", choices=Language.choices)
    time_zone = forms.CharField(
        label="Time zone",
        max_length=64,
        required=False,
        help_text="Such as Europe/Madrid. Empty: the pharmacy's. What is owed moves with it.",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    version = forms.IntegerField(widget=forms.HiddenInput)


@require_http_methods(["GET", "POST"])
@at_counter(policies.may_send_reminders)
def explain(request: HttpRequest, visit: Visit, pk: uuid.UUID) -> HttpResponse:
    """Explain why the patient gets messages or not, list the coming ones, and change addresses, consent and preferences."""
    patient = visit.fetch(Patient.objects.select_related("pharmacy"), pk)
    do = request.POST.get("do", "")
    adding = AddressForm(request.POST if do == "add" else None, prefix="new")
    adding_carer = CarerForm(
        request.POST if do == "add-carer" else None, prefix="carer", initial={"language": patient.language}
    )
    initial = {"language": patient.language, "time_zone": patient.time_zone, "version": patient.version}
    preferences = PreferencesForm(request.POST if do == "preferences" else None, initial=initial)
    asked = {"add": adding, "add-carer": adding_carer, "preferences": preferences}
    errors: list[ErrorLine] = []
    is_landline = "new-takes_texts" in request.POST
    if request.method == "POST":
        try:
            done = _change(request, visit, patient, asked)
        except DispensaryError as error:
            errors = error_lines(error, CARER_TARGETS if do == "add-carer" else TARGETS)
            is_landline = any(problem.field == "takes_texts" for problem in error.problems)
        else:
            if done:
                messages.success(request, done)
                return redirect("counter:explain", pk)
            errors = form_error_lines(asked[do])
    else:
        patients.record_opening(patient=patient, by=visit.by, now=visit.now)
    prefetch_related_objects([patient], "carers", Prefetch("consents", Consent.objects.select_related("event")))
    addresses = reach.addresses_of(patient)
    usable = [address.point for address in addresses if address.is_usable]
    each_message = usable[:1] + [point for point in usable[1:] if point.carer and point.carer.relation in GUARDIANS]
    readers = list(dict.fromkeys(point.carer.name if point.carer else "the patient" for point in each_message))
    context = {
        "patient": patient,
        "sentences": reminders.explain(patient=patient, addresses=addresses, now=visit.now),
        "coming": reminders.coming_to(patient=patient, addresses=addresses, now=visit.now),
        "reached": bool(usable),
        "first_readers": readers if len({point.carer_id for point in usable}) > 1 else [],
        "addresses": [address for address in addresses if not address.point.carer_id],
        "answers": _describe_answers(patient),
        "adding": adding,
        "carers": [
            (carer, [address for address in addresses if address.point.carer_id == carer.pk])
            for carer in patient.carers.all()
            if carer.ended_at is None
        ],
        "adding_carer": adding_carer,
        "is_landline": is_landline,
        "preferences": preferences,
        "may_change": policies.may_receive(visit.by),
    }
    return render_page(request, visit, "explain.html", context, errors=errors, status=422 if errors else 200)


def _change(request: HttpRequest, visit: Visit, patient: Patient, asked: Mapping[str, StyledForm]) -> str:
    """Do what was asked and return a sentence on it; "" when a form is invalid."""
    do = request.POST.get("do", "")
    if do in asked:
        return _FORM_ACTIONS[do](visit, patient, asked[do]) if asked[do].is_valid() else ""
    if do in {"yes", "no"}:
        return _answer(request, visit, patient, ConsentAnswer(do))
    if do in _ADDRESS_ACTIONS:
        point = patient.contact_points.filter(pk=_id_in(request, "contact"), retired_at__isnull=True).first()  # type: ignore[misc]  # None finds no row
        if point is None:
            raise NotFound("This address is no longer there. Load the page again.")
        return _ADDRESS_ACTIONS[do](point, visit)
    if do in _CARER_ACTIONS:
        row = patient.carers.filter(pk=_id_in(request, "carer"), ended_at=None).first()  # type: ignore[misc]  # None finds no row
        if row is None:
            raise NotFound("This person is no longer there. Load the page again.")
        return _CARER_ACTIONS[do](row, visit)
    raise NotFound("There is nothing of this kind to change.")


def _add(visit: Visit, patient: Patient, form: AddressForm) -> str:
    data = form.cleaned_data
    consent.add_contact(
        patient=patient,
        medium=Medium(data["medium"]),
        address=data["address"],
        takes_texts=data["takes_texts"],
        by=visit.by,
        now=visit.now,
    )
    return "The address is recorded. It is used once the patient says yes."


def _add_carer(visit: Visit, patient: Patient, form: CarerForm) -> str:
    data = form.cleaned_data
    carers.add_carer(
        patient=patient,
        name=data["name"],
        relation=CarerRelation(data["relation"]),
        language=Language(data["language"]),
        medium=Medium(data["medium"]),
        address=data["address"],
        takes_texts=data["takes_texts"],
        by=visit.by,
        now=visit.now,
    )
    return f"{data['name']} is recorded, and gets messages after a yes of their own."


def _set_preferences(visit: Visit, patient: Patient, form: PreferencesForm) -> str:
    data = form.cleaned_data
    patients.update_facts(
        patient=patient,
        changes={},
        language=data["language"],
        time_zone=data["time_zone"],
        version=data["version"],
        by=visit.by,
        now=visit.now,
    )
    return "Saved. What is owed leaves in this language and at this place's times."


_FORM_ACTIONS: dict[str, Callable[[Visit, Patient, Any], str]] = {
    "add": _add,
    "add-carer": _add_carer,
    "preferences": _set_preferences,
}


def _answer(request: HttpRequest, visit: Visit, patient: Patient, answer: ConsentAnswer) -> str:
    value = request.POST.get("medium", "")
    if value not in Medium.values:
        raise NotFound("There is no such way to send a message.")
    medium = Medium(value)
    consent.record_answer(
        patient=patient, medium=medium, answer=answer, source=ConsentSource.COUNTER, by=visit.by, now=visit.now
    )
    return f"{medium.label}: the patient said {answer.label.lower()}."


def _retire(point: ContactPoint, visit: Visit) -> str:
    consent.retire_contact(contact=point, by=visit.by, now=visit.now)
    return "The address is used no more."


def _wrong(point: ContactPoint, visit: Visit) -> str:
    consent.report_wrong_person(contact=point, by=visit.by, now=visit.now)
    return "Nothing more is sent to this address."


def _renew_link(point: ContactPoint, visit: Visit) -> str:
    consent.renew_page_link(contact=point, by=visit.by, now=visit.now)
    return "The links sent to this address open nothing any more. The next message carries a new one."


def _detail(level: DetailLevel) -> Callable[[ContactPoint, Visit], str]:
    def choose(point: ContactPoint, visit: Visit) -> str:
        consent.choose_detail(contact=point, detail_level=level, by=visit.by, now=visit.now)
        plain = level is DetailLevel.PLAIN
        return f"Messages to this address {'no longer name' if plain else 'name'} the medicine and the dose."

    return choose


_ADDRESS_ACTIONS: dict[str, Callable[[ContactPoint, Visit], str]] = {
    "retire": _retire,
    "wrong": _wrong,
    "renew-link": _renew_link,
    "detailed": _detail(DetailLevel.DETAILED),
    "plain": _detail(DetailLevel.PLAIN),
}


def _answer_carer(answer: ConsentAnswer) -> Callable[[Carer, Visit], str]:
    def record(carer: Carer, visit: Visit) -> str:
        carers.answer_carer(carer=carer, answer=answer, source=ConsentSource.COUNTER, by=visit.by, now=visit.now)
        return f"{carer.name} said {answer.label.lower()}."

    return record


def _end_carer(carer: Carer, visit: Visit) -> str:
    carers.end_carer(carer=carer, by=visit.by, now=visit.now)
    return f"{carer.name} gets no more messages."


_CARER_ACTIONS: dict[str, Callable[[Carer, Visit], str]] = {
    "carer-yes": _answer_carer(ConsentAnswer.YES),
    "carer-no": _answer_carer(ConsentAnswer.NO),
    "carer-end": _end_carer,
}


def _id_in(request: HttpRequest, field: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.POST.get(field, ""))
    except ValueError:
        return None


def _describe_answers(patient: Patient) -> list[dict[str, Any]]:
    answers, offered = {answer.medium: answer for answer in patient.consents.all()}, reach.media_offered()
    tones = {ConsentAnswer.YES: "ready", ConsentAnswer.NO: "done"}
    return [
        {
            "medium": medium,
            "answer": answers.get(medium),
            "words": ConsentAnswer(answers[medium].answer).label
            if medium in answers
            else ConsentAnswer.NOT_ASKED.label,
            "tone": tones[ConsentAnswer(answers[medium].answer)] if medium in answers else "unknown",
        }
        for medium in Medium
        if medium in offered or medium in answers
    ]
