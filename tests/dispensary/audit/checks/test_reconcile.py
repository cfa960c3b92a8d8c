"""The tables and the log tell the same story, and where they do not, the row or the entry is named."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

from dispensary import audit
from dispensary.actions import dispenses
from dispensary.audit.checks.reconcile import Kind, reconcile
from dispensary.models import Dispense, Override, Patient, Review
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def dispense() -> Dispense:
    make.products()
    shop = make.pharmacy()
    supply = make.hand_over(make.prescription(make.patient(shop)), make.staff(shop).actor())
    flush_links()
    return supply


def orphans(dispense: Dispense) -> list[tuple[Kind, str]]:
    """Those of this test: other tests left rows and entries of theirs, and logs last for ever."""
    mine = {str(dispense.pk), str(dispense.review_id), str(dispense.patient_id), *CREATED}
    return [(orphan.kind, orphan.table) for orphan in reconcile() if orphan.id in mine]


CREATED: set[str] = set()


def copy_of(dispense: Dispense, **changes: Any) -> Dispense:
    """A row put past the actions."""
    from uuid import uuid4

    review = Review.objects.get(pk=dispense.review_id)
    review.pk = uuid4()
    review.save(force_insert=True)
    row = Dispense.objects.get(pk=dispense.pk)
    row.pk, row.number, row.key, row.review_id = uuid4(), 2, "k2", review.pk
    for name, value in changes.items():
        setattr(row, name, value)
    row.save(force_insert=True)
    CREATED.update({str(row.pk)})
    return row


def test_what_the_actions_wrote_is_in_agreement(dispense: Dispense) -> None:
    assert orphans(dispense) == []
    dispenses.cancel(dispense=dispense, reason="wrong bag", by=make.staff(dispense.pharmacy).actor(), now=NOW)
    flush_links()
    assert orphans(dispense) == []


def test_an_acknowledgement_of_what_could_not_be_assessed_is_in_agreement() -> None:
    make.products()
    shop = make.pharmacy()
    supply = make.hand_over(make.prescription(make.patient(shop, egfr=None)), make.staff(shop).actor())
    flush_links()
    acknowledged = Override.objects.get(code="not-assessed", prescription=supply.prescription)
    assert [orphan for orphan in reconcile() if orphan.id == str(acknowledged.pk)] == []


def test_a_dispense_without_its_entry_is_found(dispense: Dispense) -> None:
    row = copy_of(dispense)
    assert (Kind.NO_ENTRY, "dispense") in orphans(dispense)
    assert str(row.pk) in {orphan.id for orphan in reconcile() if orphan.kind is Kind.OTHER}


def test_a_dispense_that_names_an_entry_that_is_not_there_is_found(dispense: Dispense) -> None:
    make.change_past_actions(Dispense.objects.filter(pk=dispense.pk), audit_entry=dispense.pk)
    assert orphans(dispense) == [(Kind.OTHER, "dispense")]


def test_an_entry_whose_dispense_is_gone_is_found(dispense: Dispense) -> None:
    """Deleted in the tables by somebody who also removed what hung on it."""
    make.run_as_owner("DELETE FROM dispensary_dispense WHERE id = %s", [dispense.pk])
    assert (Kind.NO_ROW, "dispense") in orphans(dispense)


def test_two_entries_for_one_dispense_are_found(dispense: Dispense) -> None:
    audit.record(
        audit.Event.DISPENSED, pharmacy=dispense.pharmacy, by=make.staff(dispense.pharmacy).actor(), now=NOW,
        subject=dispense, body={},
    )  # fmt: skip
    flush_links()
    assert orphans(dispense) == [(Kind.TWICE, "dispense")]


def test_a_status_changed_past_the_actions_is_found(dispense: Dispense) -> None:
    Dispense.objects.filter(pk=dispense.pk).update(status="returned", ended_at=NOW)
    assert orphans(dispense) == [(Kind.NO_ENTRY, "dispense")]


def test_a_patient_put_in_past_the_actions_is_found(dispense: Dispense) -> None:
    row = Patient.objects.create(pharmacy=dispense.pharmacy, identifier="X1", family_name="Nobody")
    CREATED.add(str(row.pk))
    assert (Kind.NO_ENTRY, "patient") in orphans(dispense)


def test_an_entry_with_a_value_of_another_type_is_named_and_hides_no_other(dispense: Dispense) -> None:
    row, other = copy_of(dispense), copy_of(dispense, number=3, key="k3")
    with connection.cursor() as cursor:
        for key, body in ((row.pk, '{"prescription":{"form":"tablet"}}'), (other.pk, '{"pack":{"lot":"OTHER"}}')):
            cursor.execute(
                "SELECT audit.append(%s, 'o', 'dispense.completed', 'success', 'user:1', 'pharmacist', now(), 'dispense', %s, %s)",
                [dispense.pharmacy_id, str(key), body],
            )
    flush_links()
    changed = [(orphan.id, orphan.detail) for orphan in reconcile() if orphan.kind is Kind.CHANGED]
    assert (str(row.pk), "its entry has a value that a row cannot have") in changed
    assert any(key == str(other.pk) and "the log says 'OTHER'" in detail for key, detail in changed)
