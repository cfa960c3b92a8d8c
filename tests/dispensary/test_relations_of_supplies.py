"""Hand-overs from before relations were kept get the one that the table gives them."""

from datetime import timedelta
from importlib import import_module

import pytest
from django.apps import apps
from django.db import connection

from dispensary.models import Dispense, WorklistItem
from tests.dispensary import make

pytestmark = pytest.mark.django_db
migration = import_module("dispensary.migrations.0013_relations_of_supplies")


def freeze_again() -> None:
    make.change_past_actions(Dispense.objects.all(), relation="", relation_how="", relation_to=[])
    make.let_rows_change("dispensary_dispense")  # as for a migration that ran before rows were guarded
    with connection.schema_editor() as editor:
        migration.freeze_relations(apps, editor)


def test_a_first_supply_is_new_and_the_next_goes_on_with_it() -> None:
    make.products()
    shop = make.pharmacy()
    pharmacist = make.staff(shop).actor()
    order = make.prescription(make.patient(shop), repeats=1)
    first = make.hand_over(order, pharmacist)
    second = make.hand_over(order, pharmacist, make.NOW + timedelta(days=25))
    freeze_again()
    relations = {row.pk: (row.relation, row.relation_how, row.relation_to) for row in Dispense.objects.all()}
    assert relations == {
        first.pk: ("new", "migrated", []),
        second.pk: ("continues", "migrated", [str(order.pk)]),
    }
    assert not WorklistItem.objects.filter(kind="relation-unknown").exists()


def test_supplies_of_two_prescribers_become_one_piece_of_work() -> None:
    make.products()
    shop = make.pharmacy()
    pharmacist = make.staff(shop).actor()
    patient = make.patient(shop)
    make.hand_over(make.prescription(patient), pharmacist)
    other = make.prescriber(shop, identifier="C7654321", name="Dr Omar Said")
    second = make.hand_over(make.prescription(patient, ordered_by=other), pharmacist, make.NOW + timedelta(hours=1))
    before = make.NOW + timedelta(minutes=59)  # what was decided with it is not known yet
    make.change_past_actions(Dispense.objects.filter(pk=second.pk), prepared_at=before, handed_over_at=before)
    freeze_again()
    assert sorted(Dispense.objects.values_list("relation", flat=True)) == ["new", "unknown"]
    assert WorklistItem.objects.filter(kind="relation-unknown").count() == 1
