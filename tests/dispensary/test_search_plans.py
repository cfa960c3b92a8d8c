"""Indexes by which patients, orders and prescribers are looked up; reading a whole table is made dear."""

from collections.abc import Callable, Iterable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dispensary.models import Pharmacy
from dispensary.search import find_labelled_orders, find_patients, find_prescribers
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy()


@pytest.fixture
def busy_shop(shop: Pharmacy) -> Pharmacy:
    """A pharmacy with so many orders and prescribers that reading all of its rows is no way to find them."""
    order = make.prescription(make.patient(shop))
    copy_row("dispensary_prescription", order.pk, id="gen_random_uuid()")
    changes = {
        "id": "gen_random_uuid()",
        "identifier": "n::text",
        "search_text": "md5(n::text)",
        "number_key": "'#' || n",
    }
    copy_row("dispensary_prescriber", order.prescriber_id, **changes)
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.as_owner('ANALYZE')")  # the application may not
    return shop


def copy_row(table: str, pk: object, **changes: str) -> None:
    """Copy a row 2000 times; `changes` are columns with their SQL, in which `n` is the number of the copy."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT column_name FROM information_schema.columns WHERE table_name = %s", [table])
        values = {name: f't."{name}"' for (name,) in cursor.fetchall()} | changes
        columns = ", ".join(f'"{name}"' for name in values)
        copied = f"SELECT {', '.join(values.values())} FROM {table} t, generate_series(1, 2000) n WHERE t.id = %s"  # names of columns
        cursor.execute(f"INSERT INTO {table} ({columns}) {copied}", [pk])  # names of columns


def plans_of(search: Callable[[], Iterable[object]]) -> str:
    """Return the plans of the statements that a search makes, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    with CaptureQueriesContext(connection) as captured:
        list(search())
    lines: list[str] = []
    with connection.cursor() as cursor:
        for statement in captured.captured_queries:
            cursor.execute(f"EXPLAIN {statement['sql']}")
            lines += [row[0] for row in cursor.fetchall()]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("words", "index"),
    [
        ("+44 7700 900123", "dispensary_contactpoint_address_digest"),
        ("N-4711", "patient_search"),
        ("Okafor", "patient_search"),
        ("17/02/1968", "birth"),
    ],
)
def test_a_search_for_a_patient_begins_at_an_index(shop: Pharmacy, words: str, index: str) -> None:
    plans = plans_of(lambda: find_patients(shop, words))
    assert index in plans, plans
    assert "Seq Scan" not in plans, plans


@pytest.mark.parametrize(
    ("words", "index"),
    [
        ("0a1b2c3d", "prescription_by_number"),
        ("0A1B2C3D|2026-11-30|84", "prescription_by_number"),
        ("01a22cda-2431-7f99-8ade-9c1441fe10ec", "dispensary_prescription_pkey"),
    ],
)
def test_a_search_for_an_order_by_its_label_begins_at_an_index(busy_shop: Pharmacy, words: str, index: str) -> None:
    plans = plans_of(lambda: find_labelled_orders(busy_shop, words))
    assert index in plans, plans
    assert "Seq Scan" not in plans, plans


@pytest.mark.parametrize("words", ["C77", "Jorg", "Jorg Muller"])
def test_a_search_for_a_prescriber_begins_at_the_words_and_the_number(busy_shop: Pharmacy, words: str) -> None:
    plans = plans_of(lambda: find_prescribers(busy_shop, words))
    assert {"prescriber_by_words", "prescriber_by_number"} <= set(plans.split()), plans
    assert "Seq Scan" not in plans, plans
