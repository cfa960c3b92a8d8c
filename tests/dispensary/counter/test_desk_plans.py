"""Plans by which PostgreSQL reads the pages of the review desk, in a log of half a year among those of twenty pharmacies."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.models import StaffMember, StaffRole
from tests.conftest import truncate_tables
from tests.dispensary import make
from tests.dispensary.audit.many import Many, executed, fill, read_rows, written_tables
from tests.site import Database

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
ENTRIES = 60_000
PAGES = ("", "overrides", "edits", "access", "day", "quality", "samples", "checks")
"""Pages that read the log; the search of a patient and the list of exports read none of it."""
READS_LOG = re.compile(r'^\s*(SELECT|WITH)\b.*audit"?\."?(entry|link|body|readable)', re.DOTALL)


@pytest.fixture(scope="module")
def crowd(
    django_db_setup: None, django_db_blocker: Any, database: Database
) -> Iterator[tuple[dict[str, str], StaffMember, Many]]:
    """The pages of the desk, a manager of the first pharmacy, and the entries of all."""
    with django_db_blocker.unblock():
        now = timezone.now()
        member = make.staff(make.pharmacy(now=now), StaffRole.MANAGER, now=now)
        order = make.prescription(make.patient(member.pharmacy, now=now), now=now)
    with database.connect("superuser") as admin:
        many = fill(admin, entries=ENTRIES, months=6, until=now, first=member.pharmacy_id)
    pages = {page: reverse(f"counter:audit{page and '-'}{page}") for page in PAGES}
    pages["patient"] = reverse("counter:audit-patient", args=[order.patient_id])
    pages["order"] = reverse("counter:audit-order", args=[order.pk])
    yield pages, member, many
    with django_db_blocker.unblock():
        truncate_tables()


def read_plans(client: Client, member: StaffMember, address: str) -> list[str]:
    """Return the plans, as they ran, of the statements by which a page reads the log."""
    client.force_login(member.user)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address)
    assert answer.status_code == 200, answer.content
    statements = [query["sql"] for query in asked.captured_queries if query["sql"] and READS_LOG.search(query["sql"])]
    plans = []
    with audit.reading(member.pharmacy), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {statement}")
            plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert plans
    return plans


@pytest.mark.parametrize("page", [*PAGES, "patient", "order"], ids=lambda page: page or "log")
def test_a_page_of_the_desk_reads_the_log_by_indexes(
    client: Client, crowd: tuple[dict[str, str], StaffMember, Many], page: str
) -> None:
    pages, member, many = crowd
    for plan in read_plans(client, member, pages[page]):
        assert not set(re.findall(r"Seq Scan on (\w+)", executed(plan))) & written_tables(many), plan
        assert read_rows(plan) < ENTRIES // 100, plan
