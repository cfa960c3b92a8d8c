"""A patient's facts are declared once in the rule book; their columns and rules fit the declarations."""

import pytest
from django.db import models

from baclofen_rules.facts import FACTS, LISTS, Fact, Kind
from baclofen_rules.rules import all_rules
from dispensary.counter.patients import FactsForm, rows_of
from dispensary.models import Patient

COLUMNS = {
    Kind.BIRTH_DATE: models.DateField,
    Kind.DAY: models.DateField,
    Kind.AMOUNT: models.DecimalField,
    Kind.FLAG: models.BooleanField,
    **dict.fromkeys(LISTS, models.JSONField),
}


@pytest.mark.parametrize("fact", [fact for fact in FACTS.values() if fact.kind in COLUMNS], ids=lambda fact: fact.name)
def test_a_fact_has_a_column_of_its_kind_that_can_be_unknown(fact: Fact) -> None:
    column = Patient._meta.get_field(fact.name)
    assert isinstance(column, COLUMNS[fact.kind])
    assert column.null and column.blank


def test_every_fact_is_read_by_rules_that_exist() -> None:
    codes = {rule.code for rule in all_rules()}
    assert {fact.name: [code for code in fact.read_by if code not in codes] for fact in FACTS.values()} == {
        name: [] for name in FACTS
    }
    assert all(fact.read_by for fact in FACTS.values())


def test_the_form_and_the_page_have_every_fact() -> None:
    assert set(FACTS) <= set(FactsForm.base_fields)
    assert {label for label, _, _ in rows_of(Patient())} == {fact.label for fact in FACTS.values()} - {"Date of birth"}
