"""The audit desk: finding and opening entries, for those who may and of their own pharmacy."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from dispensary.models import AuditEntry, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links

pytestmark = pytest.mark.django_db


@pytest.fixture
def auditor(db: None) -> StaffMember:
    return make.staff(make.pharmacy(), StaffRole.AUDITOR)


@pytest.fixture
def desk(client: Client, auditor: StaffMember) -> Client:
    client.force_login(auditor.user)
    return client


def sentences(desk: Client, **filters: str) -> list[str]:
    return [line.sentence for line in desk.get(reverse("counter:audit"), filters).context["lines"]]


def test_entries_stand_newest_first_as_sentences(desk: Client, auditor: StaffMember) -> None:
    make.prescription(make.patient(auditor.pharmacy))
    page_sentences = sentences(desk)
    assert any("took in prescription" in s for s in page_sentences)
    assert "opened pharmacy" in page_sentences[-1]


def test_filters_narrow_and_stay_in_the_address(desk: Client, auditor: StaffMember) -> None:
    make.prescription(make.patient(auditor.pharmacy))
    page = desk.get(reverse("counter:audit"), {"action": "patient.registered"})
    assert {line.entry.action for line in page.context["lines"]} == {"patient.registered"}
    assert page.context["count"].value == 1


def test_the_filter_names_each_event_in_words_of_its_own(desk: Client) -> None:
    choices = dict(desk.get(reverse("counter:audit")).context["form"].fields["action"].choices)
    assert choices["dispense.completed"] == "Handed over a dispense to a patient"
    assert choices["auth.refused"] == "A sign-in as … was refused"
    assert choices["audit.retired"] == "Retired old entries of this log"
    assert len(set(choices.values())) == len(choices)
    assert not [words for words in choices.values() if "{" in words or "_" in words]


@pytest.mark.parametrize("name", ["patient", "since", "until", "actor", "action", "outcome"])
def test_an_unreadable_filter_is_an_error_at_its_field(desk: Client, name: str) -> None:
    page = desk.get(reverse("counter:audit"), {name: "nonsense"})
    assert page.status_code == 422
    assert [line.target for line in page.context["errors"]] == [f"id_{name}"]


def test_a_made_up_cursor_is_answered_in_words(desk: Client) -> None:
    page = desk.get(reverse("counter:audit"), {"cursor": "x"})
    assert page.status_code == 422
    assert page.context["errors"]


def test_many_entries_come_in_pages_without_a_gap(desk: Client, auditor: StaffMember) -> None:
    patient = make.patient(auditor.pharmacy)
    for _ in range(30):
        make.prescription(patient)
    entry_ids: list[uuid.UUID] = []
    page = desk.get(reverse("counter:audit"), {"action": "prescription.received"})
    everything = set(AuditEntry.objects.filter(action="prescription.received").values_list("entry_id", flat=True))
    entry_ids += [line.entry.entry_id for line in page.context["lines"]]
    while page.context["further"]:
        page = desk.get(reverse("counter:audit") + page.context["further"])
        entry_ids += [line.entry.entry_id for line in page.context["lines"]]
    assert len(entry_ids) == len(set(entry_ids)) == len(everything)


def test_an_entry_opens_with_its_body_and_its_leaf(desk: Client, auditor: StaffMember) -> None:
    prescription = make.prescription(make.patient(auditor.pharmacy))
    flush_links()
    entry = AuditEntry.objects.get(action="prescription.received", subject_id=str(prescription.pk))
    page = desk.get(reverse("counter:audit-entry", args=[entry.entry_id])).content.decode()
    assert bytes(entry.leaf).hex() in page
    assert "5 mg three times a day for 28 days" in page


def test_reading_the_log_is_logged(desk: Client, auditor: StaffMember) -> None:
    sentences(desk)
    entry = AuditEntry.objects.filter(action="pharmacy.opened").first()
    assert entry is not None
    desk.get(reverse("counter:audit-entry", args=[entry.entry_id]))
    assert AuditEntry.objects.filter(action="log.searched").count() == 1
    assert AuditEntry.objects.filter(action="record.read").count() == 1


def test_another_pharmacys_entry_is_not_there(desk: Client) -> None:
    other = make.pharmacy("Elsewhere")
    entry = AuditEntry.objects.get(action="pharmacy.opened", pharmacy=other.pk)
    for name in ("audit-entry", "audit-proof"):
        assert desk.get(reverse(f"counter:{name}", args=[entry.entry_id])).status_code == 404
    assert not any(str(other.pk)[-8:] in s for s in sentences(desk))


@pytest.mark.parametrize("role", [StaffRole.TECHNICIAN, StaffRole.PHARMACIST])
def test_who_may_not_read_the_log_does_not(client: Client, auditor: StaffMember, role: StaffRole) -> None:
    client.force_login(make.staff(auditor.pharmacy, role).user)
    entry = AuditEntry.objects.filter(action="pharmacy.opened").first()
    assert entry is not None
    assert client.get(reverse("counter:audit")).status_code == 403
    for name in ("audit-entry", "audit-proof"):
        assert client.get(reverse(f"counter:{name}", args=[entry.entry_id])).status_code == 403


def test_a_stranger_is_sent_to_the_sign_in(client: Client, auditor: StaffMember) -> None:
    of_one = [reverse(f"counter:{name}", args=[uuid.uuid4()]) for name in ("audit-entry", "audit-proof")]
    for address in (reverse("counter:audit"), *of_one):
        assert client.get(address)["Location"].startswith("/accounts/login/")
