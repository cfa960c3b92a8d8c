"""When resources changed last: read, searched, sorted, and what a client that polls by it would see."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from dispensary.actions import worklist
from dispensary.actions.corrections import correct_identity
from dispensary.actions.namesakes import answer_namesake
from dispensary.api.fhir.kinds import KINDS
from dispensary.models import Dispense, NamesakeAnswer, Patient, Pharmacy, Prescription, Reminder, WorklistItem
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller
from tests.dispensary.api.test_fhir_records import ids, matches, search

MICROSECOND = timedelta(microseconds=1)


def updated_at(caller: Caller, name: str, pk: str) -> datetime:
    return datetime.fromisoformat(caller.get(f"fhir/{name}/{pk}").json()["meta"]["lastUpdated"])


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("prefix", "before", "at", "after"),
    [
        ("", False, True, False), ("eq", False, True, False), ("ne", True, False, True),
        ("ge", True, True, False), ("gt", True, False, False), ("sa", True, False, False),
        ("le", False, True, True), ("lt", False, False, True), ("eb", False, False, True),
    ],
)  # fmt: skip
def test_each_kind_is_found_by_the_moment_of_its_last_change(
    pharmacist: Caller, one_of_each: dict[str, str], name: str, prefix: str, before: bool, at: bool, after: bool
) -> None:
    moment = updated_at(pharmacist, name, one_of_each[name])
    for searched, is_match in ((moment - MICROSECOND, before), (moment, at), (moment + MICROSECOND, after)):
        query = f"_id={one_of_each[name]}&_lastUpdated={prefix}{searched.isoformat(timespec='microseconds')}"
        assert bool(ids(search(pharmacist, f"{name}?{query.replace('+', '%2B')}"))) is is_match, searched


def hold(person: Patient, order: Prescription, work: WorklistItem, pharmacist: Caller) -> None:
    done = pharmacist.post(f"prescriptions/{order.pk}/hold/", {"awaiting": "stock"}, If_Match="*")
    assert done.status_code == 200, done.content


def resume(person: Patient, order: Prescription, work: WorklistItem, pharmacist: Caller) -> None:
    hold(person, order, work, pharmacist)
    done = pharmacist.post(f"prescriptions/{order.pk}/resume/", {}, If_Match="*")
    assert done.status_code == 200, done.content


def rename(person: Patient, order: Prescription, work: WorklistItem, pharmacist: Caller) -> None:
    by = make.staff(person.pharmacy).actor()
    correct_identity(patient=person, changes={"family_name": "Nwosu"}, by=by, now=timezone.now())


def put_off(person: Patient, order: Prescription, work: WorklistItem, pharmacist: Caller) -> None:
    by, now = make.staff(person.pharmacy).actor(), timezone.now()
    worklist.put_off_work(item_id=work.pk, until=now + timedelta(days=1), note="calls back", by=by, now=now)


def end(person: Patient, order: Prescription, work: WorklistItem, pharmacist: Caller) -> None:
    done = pharmacist.post(f"prescriptions/{order.pk}/cancel/", {"reason": "the prescriber stopped it"}, If_Match="*")
    assert done.status_code == 200, done.content


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        (hold, {"MedicationRequest"}),
        (resume, {"MedicationRequest"}),
        (rename, {"Patient"}),
        (put_off, {"Task"}),
        (end, {"MedicationRequest", "Task"}),
    ],
)
def test_a_change_moves_the_time_of_what_reads_differently_and_of_nothing_else(
    pharmacist: Caller,
    one_of_each: dict[str, str],
    work: WorklistItem,
    handed_over: Dispense,
    change: Callable[[Patient, Prescription, WorklistItem, Caller], None],
    changed: set[str],
) -> None:
    order = make.prescription(handed_over.patient, now=timezone.now())
    one_of_each["MedicationRequest"] = str(order.pk)
    before = {name: updated_at(pharmacist, name, pk) for name, pk in one_of_each.items()}
    change(handed_over.patient, order, work, pharmacist)
    after = {name: updated_at(pharmacist, name, pk) for name, pk in one_of_each.items()}
    assert {name for name in after if after[name] > before[name]} == changed
    assert {name for name in after if after[name] != before[name]} == changed


@pytest.mark.parametrize("sort", ["_lastUpdated", "-_lastUpdated"])
def test_pages_by_the_last_change_hold_everything_once_where_many_have_one_time(
    pharmacist: Caller, patient: Patient, sort: str
) -> None:
    for _ in range(5):
        make.prescription(patient, now=timezone.now())
    same = Prescription.objects.order_by("pk").values_list("pk", flat=True)[1:4]
    Prescription.objects.filter(pk__in=list(same)).update(changed_at=timezone.now())
    expected = Prescription.objects.order_by("changed_at", "pk").values_list("pk", flat=True)
    listed: list[str] = []
    address: str | None = f"MedicationRequest?_count=2&_sort={sort}"
    while address:
        bundle = search(pharmacist, address)
        listed += ids(bundle)
        address = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "").rpartition("/fhir/")[
            2
        ]
    assert listed == [str(pk) for pk in (reversed(expected) if sort.startswith("-") else expected)]


def test_what_came_with_a_joined_record_is_found_by_the_record_in_use(
    pharmacist: Caller, handed_over: Dispense, shop: Pharmacy
) -> None:
    person, staff = handed_over.patient, make.staff(shop)
    names = {"family_name": person.family_name, "given_name": person.given_name, "birth_date": str(person.birth_date)}
    other = make.patient(shop, **names)
    make.hand_over(make.prescription(other, now=timezone.now()), by=staff.actor(), now=timezone.now())
    before = max(updated_at(pharmacist, "Patient", str(record.pk)) for record in (person, other))
    answer_namesake(
        patient=person,
        other=other.pk,
        answer=NamesakeAnswer.SAME,
        words="asked her",
        by=staff.actor(),
        now=timezone.now(),
    )
    in_use, joined = Patient.objects.get(joined_to=None), Patient.objects.exclude(joined_to=None).get()
    for name, count in (("MedicationRequest", 2), ("MedicationDispense", 2), ("Provenance", 2)):
        assert len(ids(search(pharmacist, f"{name}?patient={in_use.pk}"))) == count, name
    changed = search(pharmacist, f"Patient?_lastUpdated=gt{before.isoformat().replace('+', '%2B')}")
    assert {record["id"]: record["link"] for record in matches(changed)} == {
        str(in_use.pk): [{"other": {"reference": f"Patient/{joined.pk}"}, "type": "replaces"}],
        str(joined.pk): [{"other": {"reference": f"Patient/{in_use.pk}"}, "type": "replaced-by"}],
    }


def test_a_reminder_that_could_not_be_sent_has_changed(pharmacist: Caller, handed_over: Dispense) -> None:
    reminder = Reminder.objects.all()[0]
    before = updated_at(pharmacist, "Communication", str(reminder.public_id))
    Reminder.objects.filter(pk=reminder.pk).update(last_error="rate-limited")
    assert updated_at(pharmacist, "Communication", str(reminder.public_id)) > before
