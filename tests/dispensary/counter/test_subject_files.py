"""Pages of a patient's file: asked for, read with each detail, released or refused by another manager."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import long_exports, patients
from dispensary.models import Patient, Pharmacy, StaffRole, SubjectRequest
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links

pytestmark = pytest.mark.django_db


@pytest.fixture
def patient(db: None) -> Patient:
    """A patient whose record a technician opened."""
    make.products()
    person = make.patient(make.pharmacy(), family_name="Zuckermandel", given_name="Ada")
    patients.record_opening(
        patient=person, by=make.staff(person.pharmacy, StaffRole.TECHNICIAN).actor(), now=make.moment()
    )
    flush_links()
    return person


def signed_in(shop: Pharmacy, role: StaffRole = StaffRole.MANAGER) -> Client:
    client = Client()
    client.force_login(make.staff(shop, role).user)
    return client


def ask(desk: Client, patient: Patient, **changes: str) -> str:
    """Have a file prepared; return the address of the request."""
    typed = {
        "received_on": patient.pharmacy.local_day(timezone.now()).isoformat(),
        "identity": "passport seen",
    } | changes
    answer = desk.post(reverse("counter:audit-file-request", args=[patient.pk]), typed)
    assert answer.status_code == 302, answer.context["errors"]
    return str(answer["Location"])


def prepare() -> None:
    flush_links()
    assert long_exports.prepare_next(timezone.now)


def test_a_file_goes_from_the_request_to_the_released_zip(patient: Patient) -> None:
    asker, second = signed_in(patient.pharmacy), signed_in(patient.pharmacy)
    page = ask(asker, patient)
    assert "It is being prepared" in second.get(page).content.decode()
    prepare()
    own = asker.get(page).content.decode()
    assert "another manager decides" in own and 'value="release"' not in own
    prepared_page = second.get(page)
    text = prepared_page.content.decode()
    assert 'value="release"' in text and "Who looked: 1" in text and "technician" in text
    number = next(line["entry"] for line in prepared_page.context["events"])
    release = {"do": "release", "sha256": prepared_page.context["prepared"].sha256, "withheld": str(number)}
    refused = second.post(page, release)
    assert refused.status_code == 400
    assert [line.target for line in refused.context["errors"]] == ["id_words"]
    assert f'value="{number}" id="withheld-1" checked' in refused.content.decode()
    assert second.post(page, release | {"words": "Names the mother."}).status_code == 302
    text = asker.get(page).content.decode()
    assert "Released by" in text and "Names the mother." in text
    file = asker.get(reverse("counter:audit-file-zip", args=[SubjectRequest.objects.get().pk]))
    document = json.loads(zipfile.ZipFile(io.BytesIO(file.content)).read("person.json"))
    assert document["person"]["family_name"] == "Zuckermandel"
    assert "the released file" in asker.get(page).content.decode()


def test_a_file_is_refused_with_a_reason(patient: Patient) -> None:
    page = ask(signed_in(patient.pharmacy), patient)
    second = signed_in(patient.pharmacy)
    assert second.post(page, {"do": "refuse"}).status_code == 400
    assert second.post(page, {"do": "refuse", "words": "Not the patient."}).status_code == 302
    assert "Not the patient." in second.get(page).content.decode()


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        ({"received_on": ""}, "id_received_on"),
        ({"received_on": "2999-01-01"}, "id_received_on"),
        ({"received_on": "tomorrow"}, "id_received_on"),
        ({"identity": " "}, "id_identity"),
        ({"identity": "x" * 251}, "id_identity"),
    ],
)
def test_a_request_that_lacks_something_says_what(patient: Patient, typed: dict[str, str], target: str) -> None:
    values = {
        "received_on": patient.pharmacy.local_day(timezone.now()).isoformat(),
        "identity": "passport seen",
    } | typed
    page = signed_in(patient.pharmacy).post(reverse("counter:audit-file-request", args=[patient.pk]), values)
    assert page.status_code == 422
    assert [line.target for line in page.context["errors"]] == [target]


@pytest.mark.parametrize(("days_ago", "mark"), [(0, ""), (20, ""), (25, "soon"), (29, "soon"), (40, "late")])
def test_the_list_says_which_request_is_due_soon_or_late(patient: Patient, days_ago: int, mark: str) -> None:
    desk = signed_in(patient.pharmacy)
    received_on = patient.pharmacy.local_day(timezone.now()) - timedelta(days=days_ago)
    ask(desk, patient, received_on=received_on.isoformat())
    text = desk.get(reverse("counter:audit-files")).content.decode()
    assert [word for word in ("soon", "late") if f">{word}<" in text] == ([mark] if mark else [])


def test_an_auditor_sees_the_request_and_not_what_was_prepared(patient: Patient) -> None:
    page = ask(signed_in(patient.pharmacy), patient)
    prepare()
    auditor = signed_in(patient.pharmacy, StaffRole.AUDITOR)
    text = auditor.get(page).content.decode()
    assert "It waits for a second manager" in text and "Who looked" not in text
    assert auditor.post(page, {"do": "refuse", "words": "no"}).status_code == 403
    of_patient = auditor.get(reverse("counter:audit-patient", args=[patient.pk])).content.decode()
    assert "File for the patient" not in of_patient
    assert auditor.get(reverse("counter:audit-file-request", args=[patient.pk])).status_code == 403


@pytest.mark.parametrize("role", list(StaffRole))
def test_a_stranger_sees_and_decides_nothing(patient: Patient, role: StaffRole) -> None:
    page = ask(signed_in(patient.pharmacy), patient)
    prepare()
    file = reverse("counter:audit-file-zip", args=[SubjectRequest.objects.get().pk])
    for stranger, statuses in ((Client(), {302}), (signed_in(make.pharmacy("Elsewhere"), role), {403, 404})):
        for answer in (stranger.get(page), stranger.get(file), stranger.post(page, {"do": "refuse", "words": "mine"})):
            assert answer.status_code in statuses
            assert b"Zuckermandel" not in answer.content
    assert SubjectRequest.objects.get().decided_at is None
