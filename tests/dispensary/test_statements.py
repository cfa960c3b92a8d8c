"""Rows that named statements write and read: the same as the models write and read them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.db.models import Model
from django.test.utils import CaptureQueriesContext

from dispensary.models import Dispense, Finding, Patient, Phase, Prescription, PrescriptionStatus, Review, StaffRole
from dispensary.models.keys import uuid7
from dispensary.statements import find_own, insert, is_read, list_rows, new_row, remember_related, update
from tests.dispensary import make

pytestmark = pytest.mark.django_db
AWKWARD = 'a "quote", a \\ and\na line; {"json": [1]}, ünïcode ☂, %(name)s %s, NULL'


@pytest.fixture
def handed_over() -> Dispense:
    """A hand-over with its order and its review."""
    make.products()
    shop = make.pharmacy()
    order = make.prescription(make.patient(shop), now=make.NOW)
    return make.hand_over(order, make.staff(shop, StaffRole.PHARMACIST).actor())


def copies(row: Model, **changes: Any) -> tuple[Any, Any]:
    """Return two new rows like a stored one: one for each way to store it."""
    fields = row._meta.concrete_fields
    values = {field.attname: getattr(row, field.attname) for field in fields if not field.primary_key} | changes
    pair = type(row)(**values), type(row)(**values)
    return pair if isinstance(pair[0], Finding | Phase) else tuple(_with_key(copy) for copy in pair)


def _with_key(row: Any) -> Any:
    row.pk = uuid7()
    return row


def stored(row: Model, *but: str) -> dict[str, Any]:
    """Return what the database has of a row, without its key, the time that it keeps and what was made to differ."""
    values = type(row)._base_manager.filter(pk=row.pk).values().get()
    return {name: value for name, value in values.items() if name not in {"id", "changed_at", *but}}


def test_rows_are_stored_as_the_models_store_them(handed_over: Dispense) -> None:
    order, review = handed_over.prescription, handed_over.review
    changes = {
        "directions": AWKWARD,
        "notes": [AWKWARD, ""],
        "document": {"nested": {"amount": "2.50", "list": [1, None, True, AWKWARD]}},
        "medicine": None,
        "max_mg_per_day": Decimal("80.125"),
        "lines": [],
        "expected_days": 2**15 - 1,
    }
    by_model, by_statement = copies(Prescription.objects.get(pk=order.pk), **changes)
    by_model.save(force_insert=True)
    insert([by_statement])
    assert stored(by_statement) == stored(by_model)
    assert (by_statement._state.adding, by_statement._state.db) == (False, "default")

    first_review, second_review = copies(review, case_text=AWKWARD, result_text="{}", reviewed_by="")
    first_review.save(force_insert=True)
    insert([second_review])
    assert stored(second_review) == stored(first_review)

    pack = {"gtin": make.TEN_MG, "lot": AWKWARD, "expiry": None, "serial": "", "quantity": "2.5"}
    differ = ("number", "key", "review_id")
    columns = {"further_packs": [pack], "relation_to": ["a@2026-01-01", 'b"{},'], "quantity": Decimal("0.5")}
    by_model, by_statement = copies(handed_over, **columns)
    by_model.number, by_model.key, by_model.review_id = 8, "first", first_review.pk
    by_statement.number, by_statement.key, by_statement.review_id = 9, "second", second_review.pk
    by_model.save(force_insert=True)
    insert([by_statement])
    assert stored(by_statement, *differ) == stored(by_model, *differ)


@pytest.mark.parametrize(
    "model", list(apps.get_app_config("dispensary").get_models()), ids=lambda model: model.__name__
)
def test_a_new_row_has_the_columns_and_defaults_that_its_model_gives(model: type[Model]) -> None:
    by_model, by_statement = model(), new_row(model)
    random = {f.attname for f in model._meta.concrete_fields if callable(f.default) and f.default not in (list, dict)}
    assert by_statement.__dict__.keys() == by_model.__dict__.keys()
    for name in by_model.__dict__.keys() - random - {"_state"}:
        assert getattr(by_statement, name) == getattr(by_model, name), name
    assert (by_statement._state.adding, by_statement._state.db) == (True, None)


def test_a_new_row_takes_a_relation_as_a_row_or_as_its_key(handed_over: Dispense) -> None:
    order = handed_over.prescription
    by_row, by_key = new_row(Phase, prescription=order), new_row(Phase, prescription_id=order.pk)
    assert by_row.prescription_id == by_key.prescription_id == order.pk
    assert by_row.prescription is order
    assert new_row(Prescription, replaces=None).replaces_id is None
    with pytest.raises(TypeError, match="Phase has no column 'dose'"):
        new_row(Phase, dose=5)


def test_new_rows_share_no_list() -> None:
    first, second = new_row(Prescription), new_row(Prescription)
    first.notes.append("a note")
    assert second.notes == []


def test_rows_of_several_tables_go_in_one_statement(handed_over: Dispense) -> None:
    _, order = copies(Prescription.objects.get(pk=handed_over.prescription_id))
    phases = [
        Phase(prescription=order, number=n, doses=[Decimal(5), Decimal("2.5")], unit="mg", days=7) for n in (1, 2)
    ]
    _, review = copies(handed_over.review, prescription_id=order.pk)
    with CaptureQueriesContext(connection) as sent:
        insert([order, *phases, review])
    assert len(sent) == 1
    assert [phase.doses for phase in order.phases.all()] == [[Decimal(5), Decimal("2.5")]] * 2
    assert Review.objects.filter(prescription=order).count() == 1


def test_rows_of_two_reviews_are_stored_each_once_whatever_their_order(handed_over: Dispense) -> None:
    reviews = copies(handed_over.review)
    findings = [Finding(review=review, number=1, code="age", severity="information") for review in reviews]
    insert([reviews[0], findings[0], reviews[1], findings[1]])
    assert [list(review.findings.values_list("code", flat=True)) for review in reviews] == [["age"], ["age"]]


def test_no_rows_send_no_statement() -> None:
    with CaptureQueriesContext(connection) as sent:
        insert([])
    assert len(sent) == 0


def test_a_row_that_the_database_refuses_leaves_none_of_the_others(handed_over: Dispense) -> None:
    _, review = copies(handed_over.review)
    _, twice = copies(handed_over, review_id=review.pk)
    with pytest.raises(IntegrityError, match=r"dispense_(key|number)_unique"), transaction.atomic():
        insert([review, twice])
    assert not Review.objects.filter(pk=review.pk).exists()


def test_columns_of_a_row_are_stored_and_no_others(handed_over: Dispense) -> None:
    order = Prescription.objects.get(pk=handed_over.prescription_id)
    before = stored(order)
    order.status, order.ended_at, order.ended_reason = (
        PrescriptionStatus.CANCELLED,
        make.NOW + timedelta(days=1),
        AWKWARD,
    )
    order.version += 1
    order.directions = "not among the columns"
    update(order, "status", "ended_at", "ended_reason", "version")
    changed = {name: value for name, value in stored(order).items() if value != before[name]}
    assert changed == {
        "status": "cancelled",
        "ended_at": make.NOW + timedelta(days=1),
        "ended_reason": AWKWARD,
        "version": before["version"] + 1,
    }


def test_a_row_is_found_for_its_pharmacy_alone(handed_over: Dispense) -> None:
    patient, other = handed_over.patient, make.pharmacy()
    by_statement = find_own(Patient, patient.pk, [other.pk, patient.pharmacy_id])
    assert by_statement is not None
    assert by_statement.__dict__.keys() == Patient.objects.defer("changed_at").get(pk=patient.pk).__dict__.keys()
    assert stored(by_statement) == {n: v for n, v in by_statement.__dict__.items() if n not in {"id", "_state"}}
    assert find_own(Patient, patient.pk, [other.pk]) is None
    assert find_own(Patient, uuid7(), [patient.pharmacy_id]) is None
    assert find_own(Patient, patient.pk, []) is None


def test_rows_that_were_read_need_no_query_and_answer_as_a_manager_does(handed_over: Dispense) -> None:
    order = Prescription.objects.get(pk=handed_over.prescription_id)
    assert not is_read(order, "dispenses")
    assert list(list_rows(order, "dispenses")) == [handed_over]
    remember_related(order, "dispenses", [handed_over])
    with CaptureQueriesContext(connection) as sent:
        assert is_read(order, "dispenses")
        assert list(list_rows(order, "dispenses")) == list(order.dispenses.all()) == [handed_over]
        assert len(list_rows(order, "dispenses")) == order.dispenses.count() == 1
        assert order.dispenses.all()[0] == order.dispenses.first() == handed_over
        assert order.dispenses.exists()
        assert bool(list_rows(order, "dispenses"))
    assert len(sent) == 0


def test_what_is_asked_of_rows_that_were_read_is_asked_of_their_row_alone(handed_over: Dispense) -> None:
    other = make.prescription(handed_over.patient, now=make.NOW + timedelta(days=1))
    remember_related(other, "dispenses", [])
    assert list(other.dispenses.filter(status="completed")) == []
    assert not list_rows(other, "dispenses")
    assert is_read(other, "dispenses")
