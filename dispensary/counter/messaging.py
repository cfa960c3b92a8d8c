"""One patient's messages: addresses, what they said about each medium, language and time zone, and everything to come."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from dispensary import policies, reminders
from dispensary.actions import consent, patients
from dispensary.counter.door import ErrorLine, Visit, at_counter, error_lines, page
from dispensary.counter.forms import Look
from dispensary.counter.session import lines_of
from dispensary.errors import DispensaryError, NotFound
from dispensary.models import (
    ConsentAnswer,
    ConsentSource,
    ContactPoint,
    DetailLevel,
    Language,
    Medium,
    Patient,
    Suppression,
)
from dispensary.reminders import reach


class AddressForm(Look):
    """A new address."""

    medium = forms.ChoiceField(
        label="What kind of address",
        choices=Medium.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Say whether it is an e-mail address or a telephone number"},
    )
    address = forms.CharField(
        label="E-mail address, or mobile number with its country",
        max_length=250,
        help_text="Such as name@example.org or +44 7700 900123",
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        error_messages={"required": "Type the address"},
    )


class MannersForm(Look):
    """In which language, and in whose time."""

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
    """Why this patient got, gets or does not get messages; and what can be changed about it."""
    patient = visit.own(Patient.objects.select_related("pharmacy"), pk)
    do = request.POST.get("do", "")
    adding = AddressForm(request.POST if do == "add" else None, prefix="new")
    now_set = {"language": patient.language, "time_zone": patient.time_zone, "version": patient.version}
    manners = MannersForm(request.POST if do == "manners" else None, initial=now_set)
    errors: list[ErrorLine] = []
    if request.method == "POST":
        try:
            told = _change(request, visit, patient, adding, manners)
        except DispensaryError as error:
            errors = error_lines(error, {"address": "id_new-address", "time_zone": "id_time_zone"})
        else:
            if told:
                messages.success(request, told)
                return redirect("counter:explain", pk)
            errors = lines_of(adding if do == "add" else manners)
    else:
        patients.opened(patient=patient, by=visit.by, now=visit.now)
    context = {
        "patient": patient,
        "sentences": reminders.explain(patient=patient, now=visit.now),
        "coming": reminders.coming_to(patient=patient, now=visit.now),
        "reached": bool(reach.usable(patient)),
        "points": _points(patient),
        "answers": _answers(patient),
        "adding": adding,
        "manners": manners,
        "may_change": policies.may_receive(visit.by),
    }
    return page(request, visit, "explain.html", context, errors=errors, status=422 if errors else 200)


def _change(request: HttpRequest, visit: Visit, patient: Patient, adding: AddressForm, manners: MannersForm) -> str:
    """Do what was asked for and say so; empty when a form is not filled in as it should be."""
    do = request.POST.get("do", "")
    if do == "add":
        return _add(visit, patient, adding) if adding.is_valid() else ""
    if do == "manners":
        return _set_manners(visit, patient, manners) if manners.is_valid() else ""
    if do in {"yes", "no"}:
        return _answer(request, visit, patient, ConsentAnswer(do))
    if do in _TO_AN_ADDRESS:
        point = patient.contact_points.filter(pk=_id(request), retired_at__isnull=True).first()
        if point is None:
            raise NotFound("This address is no longer there. Load the page again.")
        return _TO_AN_ADDRESS[do](point, visit)
    raise NotFound("There is nothing of this kind to change.")


def _add(visit: Visit, patient: Patient, form: AddressForm) -> str:
    told = form.cleaned_data
    consent.add_contact(
        patient=patient, medium=Medium(told["medium"]), address=told["address"], by=visit.by, now=visit.now
    )
    return "The address is recorded. It is used once the patient says yes."


def _set_manners(visit: Visit, patient: Patient, form: MannersForm) -> str:
    told = form.cleaned_data
    patients.update_facts(
        patient=patient,
        changes={},
        language=told["language"],
        time_zone=told["time_zone"],
        version=told["version"],
        by=visit.by,
        now=visit.now,
    )
    return "Saved. What is owed leaves in this language and at this place's times."


def _answer(request: HttpRequest, visit: Visit, patient: Patient, answer: ConsentAnswer) -> str:
    named = request.POST.get("medium", "")
    if named not in Medium.values:
        raise NotFound("There is no such way to send a message.")
    medium = Medium(named)
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


def _detail(level: DetailLevel) -> Callable[[ContactPoint, Visit], str]:
    def choose(point: ContactPoint, visit: Visit) -> str:
        consent.choose_detail(contact=point, detail_level=level, by=visit.by, now=visit.now)
        plain = level is DetailLevel.PLAIN
        return f"Messages to this address {'no longer name' if plain else 'name'} the medicine and the dose."

    return choose


_TO_AN_ADDRESS: dict[str, Callable[[ContactPoint, Visit], str]] = {
    "retire": _retire,
    "wrong": _wrong,
    "detailed": _detail(DetailLevel.DETAILED),
    "plain": _detail(DetailLevel.PLAIN),
}


def _id(request: HttpRequest) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.POST.get("contact", ""))
    except ValueError:
        return None


def _points(patient: Patient) -> list[dict[str, Any]]:
    """Each address, whether it takes messages, and if not why."""
    points = list(patient.contact_points.filter(retired_at__isnull=True))
    stops = Suppression.objects.filter(address_digest__in=[point.address_digest for point in points])
    stopped = {(stop.medium, stop.address_digest): stop.get_reason_display() for stop in stops}
    return [
        {
            "point": point,
            "detailed": point.detail_level == DetailLevel.DETAILED,
            "trouble": point.get_fault_display() or stopped.get((point.medium, point.address_digest), ""),
        }
        for point in points
    ]


def _answers(patient: Patient) -> list[dict[str, Any]]:
    said = {answer.medium: answer for answer in patient.consents.select_related("event")}
    tones = {ConsentAnswer.YES: "ready", ConsentAnswer.NO: "done"}
    return [
        {
            "medium": medium,
            "said": said.get(medium),
            "words": ConsentAnswer(said[medium].answer).label if medium in said else ConsentAnswer.NOT_ASKED.label,
            "tone": tones[ConsentAnswer(said[medium].answer)] if medium in said else "unknown",
        }
        for medium in Medium
    ]
