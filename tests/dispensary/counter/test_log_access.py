"""Access at the review desk: looks of a day, with the work that explains them, or none."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from dispensary.actions import patients, prescriptions
from dispensary.audit.checks import looks
from dispensary.models import Prescription, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links
from tests.dispensary.counter.test_review_desk import Shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_clock(machine_clock: None) -> None:
    """The log is dated by the machine."""


@pytest.fixture
def shop(db: None) -> Shop:
    return Shop()


def open_record(shop: Shop, person: StaffMember, times: int = 1, **names: Any) -> None:
    """Open the record of a new patient of whom nothing else is recorded by this person."""
    patient = make.patient(shop.pharmacy, identifier=f"R-3{person.pk}", **names)
    for _ in range(times):
        patients.record_opening(patient=patient, by=person.actor(), now=make.moment())


def show(client: Client, shop: Shop, days: int = 0) -> tuple[list[Any], list[Any]]:
    client.force_login(shop.auditor.user)
    day = shop.pharmacy.local_day(make.moment()) + timedelta(days=days)
    page = client.get(reverse("counter:audit-access"), {"day": day.isoformat()})
    assert page.status_code == 200
    (_, unexplained), (_, explained) = page.context["groups"]
    return unexplained, explained


def test_a_look_without_work_has_no_reason_and_counts_once_for_all_its_pages(client: Client, shop: Shop) -> None:
    open_record(shop, make.staff(shop.pharmacy, StaffRole.TECHNICIAN), times=3, family_name="Quiet")
    unexplained, _ = show(client, shop)
    assert [(row.patient.family_name, row.look.pages, row.work) for row in unexplained] == [("Quiet", 3, "")]
    assert show(client, shop, days=-1) == ([], [])


def test_work_of_the_same_person_explains_a_look(client: Client, shop: Shop) -> None:
    patients.record_opening(patient=shop.patient, by=shop.pharmacist.actor(), now=make.moment())
    unexplained, explained = show(client, shop)
    assert unexplained == []
    (row,) = explained
    assert (row.name, row.patient) == (shop.pharmacist.display_name, shop.patient)
    assert row.work


@pytest.mark.parametrize(("is_open", "is_explained"), [(True, True), (False, False)])
def test_an_order_that_is_open_explains_a_look_of_somebody_else(
    client: Client, shop: Shop, is_open: bool, is_explained: bool
) -> None:
    other = make.staff(shop.pharmacy, StaffRole.TECHNICIAN)
    patient = make.patient(shop.pharmacy, identifier="R-500", now=make.moment() - timedelta(days=4))
    order = make.prescription(patient, now=make.moment() - timedelta(days=3))
    if not is_open:
        ended_at = make.moment() - timedelta(days=2)
        prescriptions.cancel(prescription=order, reason="Ended", by=shop.pharmacist.actor(), now=ended_at)
    patients.record_opening(patient=patient, by=other.actor(), now=make.moment())
    since, until = shop.pharmacy.span_of(*[shop.pharmacy.local_day(make.moment())] * 2)
    (look,) = looks.read_looks(shop.pharmacy.pk, since, until)
    assert (look.is_explained, look.work) == (is_explained, None)


def test_one_family_name_is_pointed_out(client: Client, shop: Shop) -> None:
    person = make.staff(shop.pharmacy, StaffRole.TECHNICIAN)
    open_record(shop, person, family_name=person.display_name.split()[-1].upper())
    ((row,), _) = show(client, shop)
    assert row.has_one_family_name


def test_a_finding_that_a_change_of_facts_silenced_is_listed_with_both_entries(client: Client, shop: Shop) -> None:
    patient = make.patient(shop.pharmacy, identifier="R-400", egfr=25)
    order = make.prescription(patient)
    findings = order.reviews.first().result["findings"]
    assert "renal" in {finding["code"] for finding in findings if finding["severity"] == "override"}
    patients.update_facts(patient=patient, changes={"egfr": 95}, by=shop.pharmacist.actor(), now=make.moment())
    make.hand_over(Prescription.objects.get(pk=order.pk), shop.pharmacist.actor())
    flush_links()
    client.force_login(shop.auditor.user)
    page = client.get(reverse("counter:audit-edits"))
    (row,) = [row for row in page.context["rows"] if row.file.edit.rule == "renal"]
    assert row.patient == patient
    assert shop.pharmacist.display_name in page.content.decode()
    assert client.get(reverse("counter:audit-edits"), {"since": "2026-11-02", "until": "2026-11-01"}).status_code == 422


def test_reading_the_list_stands_in_the_log_and_nobody_else_reads_it(client: Client, shop: Shop) -> None:
    show(client, shop)
    client.force_login(shop.pharmacist.user)
    assert client.get(reverse("counter:audit-access")).status_code == 403
