"""Another pharmacy's patient is opened in an emergency only, and both pharmacies' logs say so."""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from dispensary.actions.break_glass import open_records
from dispensary.errors import InvalidInput
from dispensary.models import AuditEntry, Patient, Pharmacy, StaffRole
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

PAGE = "/break-glass/"
ASKED = {"family_name": "zuckermandel", "birth_date": "1981-05-02", "reason": "seizure, brought in without papers"}


@pytest.fixture
def here() -> Pharmacy:
    return make.pharmacy(now=timezone.now())


@pytest.fixture
def patient() -> Patient:
    elsewhere = make.pharmacy("Hill Pharmacy", now=timezone.now(), phone="01865 496111")
    return make.patient(elsewhere, family_name="Zuckermandel", now=timezone.now())


def ask(here: Pharmacy, role: StaffRole = StaffRole.PHARMACIST, **changes: str) -> Any:
    client = Client()
    client.force_login(make.staff(here, role, now=timezone.now()).user)
    return client.post(PAGE, ASKED | changes)


def broken_into(pharmacy: Pharmacy) -> int:
    return AuditEntry.objects.filter(pharmacy=pharmacy.pk, action="record.broken_into").count()


def test_a_pharmacist_opens_the_record_and_both_logs_have_it(here: Pharmacy, patient: Patient) -> None:
    page = ask(here).content.decode()
    assert "Hill Pharmacy" in page and "01865 496111" in page and "Zuckermandel" in page
    assert (broken_into(here), broken_into(patient.pharmacy)) == (1, 1)
    entry = AuditEntry.objects.get(pharmacy=patient.pharmacy_id, action="record.broken_into")
    assert entry.patient_ref == str(patient.pk) and entry.actor.startswith("user:")


@pytest.mark.parametrize(
    "changes", [{"birth_date": "1981-05-03"}, {"family_name": "Zucker"}, {"family_name": "%"}, {"family_name": "_"}]
)
def test_only_the_full_name_with_the_birth_date_opens_it_and_a_miss_is_recorded(
    here: Pharmacy, patient: Patient, changes: dict[str, str]
) -> None:
    page = ask(here, **changes).content.decode()
    assert "Hill Pharmacy" not in page and "No other pharmacy" in page
    assert (broken_into(here), broken_into(patient.pharmacy)) == (1, 0)


def test_without_a_reason_nothing_is_opened(here: Pharmacy, patient: Patient) -> None:
    refused = ask(here, reason="look")
    assert refused.status_code == 422 and "Hill Pharmacy" not in refused.content.decode()
    assert broken_into(here) == broken_into(patient.pharmacy) == 0


@pytest.mark.parametrize(("reason", "is_enough"), [("unwell now", True), ("unwell no", False), ("  look up  ", False)])
def test_a_reason_has_ten_characters_or_more(here: Pharmacy, patient: Patient, reason: str, is_enough: bool) -> None:
    by = make.staff(here).actor()
    search_terms: dict[str, Any] = {"family_name": patient.family_name, "birth_date": patient.birth_date, "by": by}
    if is_enough:
        assert open_records(reason=reason, now=timezone.now(), **search_terms) == [patient]
    else:
        with pytest.raises(InvalidInput, match="too short"):
            open_records(reason=reason, now=timezone.now(), **search_terms)


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.AUDITOR])
def test_who_signs_nothing_opens_nothing(here: Pharmacy, patient: Patient, role: StaffRole) -> None:
    assert ask(here, role).status_code == 403
    assert broken_into(patient.pharmacy) == 0
