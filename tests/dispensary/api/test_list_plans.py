"""Plans by which PostgreSQL reads the lists of REST, FHIR and the counter among the orders and hand-overs of two hundred pharmacies.

Forty thousand of each, enough for the planner to choose; another number by LIST_ROWS: `LIST_ROWS=1000000` takes minutes.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dispensary.models import Dispense, StaffMember, StaffRole
from tests.conftest import truncate_tables
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
ROWS = int(os.environ.get("LIST_ROWS", "40000"))
TABLES = ("patient", "prescription", "review", "dispense")
COPY = """
INSERT INTO dispensary_{table}
SELECT (jsonb_populate_record(t, jsonb_build_object('id', md5('{table}' || n)::uuid, 'pharmacy_id',
        CASE n % 50 WHEN 0 THEN t.pharmacy_id ELSE md5('shop' || n % 199)::uuid END) || jsonb_build_object({changes}))).*
  FROM dispensary_{table} t, generate_series(1, {rows}) n WHERE t.id = '{id}'"""
CHANGES = {
    "patient": "'identifier', 'N' || n, 'family_name', 'Name' || n",
    "prescription": "'patient_id', md5('patient' || n)::uuid, 'received_at', t.received_at - n * interval '1 min'",
    "review": "'prescription_id', md5('prescription' || n)::uuid, 'reviewed_at', t.reviewed_at - n * interval '1 min'",
    "dispense": "'patient_id', md5('patient' || n)::uuid, 'prescription_id', md5('prescription' || n)::uuid, 'review_id', "
    "md5('review' || n)::uuid, 'key', 'k' || n, 'handed_over_at', t.handed_over_at - n * interval '1 min', "
    "'prepared_at', t.prepared_at - n * interval '1 min'",
}


@pytest.fixture(scope="module", autouse=True)
def crowd(django_db_setup: None, django_db_blocker: Any, database: Any) -> Iterator[StaffMember]:
    """One order that was handed over, copied for many patients; one in fifty is of the pharmacy that is looked at."""
    with django_db_blocker.unblock():
        now = timezone.now()
        make.products()
        member = make.staff(make.pharmacy(now=now), StaffRole.PHARMACIST, now=now)
        handed_over = make.hand_over(
            make.prescription(make.patient(member.pharmacy, now=now), now=now), member.actor(), now=now
        )
    keys = {
        "patient": handed_over.patient_id, "prescription": handed_over.prescription_id, "review": handed_over.review_id,
        "dispense": handed_over.pk,
    }  # fmt: skip
    with database.connect("superuser" if database.split else "owner") as owner:
        owner.execute("SET session_replication_role = replica")
        for table in TABLES:
            owner.execute(COPY.format(table=table, changes=CHANGES[table], rows=ROWS, id=keys[table]))
            owner.execute(f"ANALYZE dispensary_{table}")
    yield member
    with django_db_blocker.unblock():
        truncate_tables()


def read_plans(get: Callable[[str], Any], address: str) -> list[str]:
    """Return the plans of the statements by which an address is read, as text; of those whose values Django binds."""
    with CaptureQueriesContext(connection) as asked:
        answer = get(address)
    assert answer.status_code == 200, answer.content
    statements = [
        query["sql"] for query in asked.captured_queries if query["sql"] and query["sql"].startswith("SELECT")
    ]
    plans = []
    with connection.cursor() as cursor:
        for statement in statements:
            if any(f'"dispensary_{table}"' in statement for table in TABLES):
                cursor.execute(f"EXPLAIN {statement}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
    return plans


@pytest.mark.parametrize(
    "address",
    [
        "prescriptions/", "prescriptions/?status=completed", "prescriptions/?status=active", "prescriptions/?outcome=pass",
        "prescriptions/?patient={patient}", "patients/", "patients/?limit=200", "prescribers/",
        "fhir/MedicationRequest?patient={patient}", "fhir/MedicationRequest?status=completed", "fhir/MedicationDispense?patient={patient}",
        "fhir/MedicationDispense?status=completed", "fhir/Patient?identifier=N50", "withdrawal-risk/", "work/", "reminders/",
    ],
)  # fmt: skip
def test_a_list_is_read_by_indexes_and_sorts_no_crowd(crowd: StaffMember, address: str) -> None:
    patient = Dispense.objects.filter(pharmacy=crowd.pharmacy).earliest("handed_over_at").patient_id
    _check_plans(read_plans(Caller(crowd).get, address.format(patient=patient)))


@pytest.mark.parametrize(
    "address",
    [
        "", "day", "queue/news", "second/", "reminders/", "withdrawal-risk/", "patients/{patient}/",
        "?q=Name5", "?q=N50",
    ],
)  # fmt: skip
def test_a_page_of_the_counter_is_read_by_indexes_and_sorts_no_crowd(
    crowd: StaffMember, client: Client, address: str
) -> None:
    patient = Dispense.objects.filter(pharmacy=crowd.pharmacy).earliest("handed_over_at").patient_id
    client.force_login(crowd.user)
    counter = reverse("counter:queue")
    _check_plans(read_plans(client.get, counter + address.format(patient=patient)))


def _check_plans(plans: Iterable[str]) -> None:
    for plan in plans:
        assert not re.search(r"Seq Scan on dispensary_(patient|prescription|review|dispense)\b", plan), plan
        sorted_rows = [int(rows) for rows in re.findall(r"(?<!Incremental )Sort  \(cost=\S+ rows=(\d+)", plan)]
        assert max(sorted_rows, default=0) <= 500, plan
