"""Indexes by which a telephone number, a number, a name and a birth date are looked up; reading a whole table is made dear."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dispensary.models import Pharmacy
from dispensary.search import find_patients
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy()


def plans_of(shop: Pharmacy, words: str) -> str:
    """Return the plans of the statements that a search makes, as text."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        list(find_patients(shop, words))
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
def test_a_search_begins_at_an_index(shop: Pharmacy, words: str, index: str) -> None:
    plans = plans_of(shop, words)
    assert index in plans, plans
    assert "Seq Scan" not in plans, plans
