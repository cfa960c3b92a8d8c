"""Plans by which PostgreSQL reads queue and withdrawal-risk list among the summaries of a million supplies."""

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from dispensary import reminders
from dispensary.counter.keyset import ROWS
from dispensary.counter.queue import count_tabs, waiting_orders
from dispensary.counter.visit import Visit
from dispensary.queue import LONGEST_WAITING_FIRST
from tests.conftest import truncate_tables
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
SUPPLIES = 1_000_000
FILL = """
SET session_replication_role = replica;
INSERT INTO dispensary_therapysummary (patient_id, pharmacy_id, course, first_uncovered_on, more_needed, as_needed,
                                       tapering, last_mg, listed_from, listed_until)
SELECT gen_random_uuid(), md5((n %% 500)::text)::uuid, n::text, day, true, false, false, 30, day - 2, day + 90
  FROM (SELECT n, date '2026-11-22' + n %% 300 AS day FROM generate_series(1, %(supplies)s / 3) n) x;
INSERT INTO dispensary_ordersummary (prescription_id, pharmacy_id, patient_id, state, due_on, earliest_on, outcome,
                                     finding, awaiting, received_at)
SELECT gen_random_uuid(), md5((n %% 500)::text)::uuid, gen_random_uuid(), 'not-due', date '2026-11-01' + n %% 300,
       date '2026-11-01' + n %% 300, '', '', '', timestamptz '2026-01-01' + n * interval '1 min'
  FROM generate_series(1, %(supplies)s / 3) n;
UPDATE dispensary_therapysummary SET pharmacy_id = %(shop)s WHERE pharmacy_id = md5('7')::uuid;
UPDATE dispensary_ordersummary SET pharmacy_id = %(shop)s WHERE pharmacy_id = md5('7')::uuid;
INSERT INTO dispensary_patient
SELECT (jsonb_populate_record(known, jsonb_build_object('id', gen_random_uuid(), 'identifier', n::text))).*
  FROM dispensary_patient known, generate_series(1, 20000) n WHERE known.pharmacy_id = %(shop)s;
ANALYZE dispensary_patient, dispensary_therapysummary, dispensary_ordersummary;
"""


@pytest.fixture
def machine_clock():
    """Not here: the lists are given the time."""


@pytest.fixture(scope="module", autouse=True)
def summaries(django_db_setup, django_db_blocker, database):
    """A third of a million threads and open orders of five hundred pharmacies, one of which is looked at."""
    with django_db_blocker.unblock():
        shop = make.pharmacy()
        make.patient(shop)
        member = make.staff(shop)
    with database.connect("superuser" if database.split else "owner") as owner:
        owner.execute(FILL % {"supplies": SUPPLIES, "shop": f"'{shop.pk}'"})
    yield Visit(member=member, has_other_pharmacies=False, by=member.actor(), now=NOW, path="/")
    with django_db_blocker.unblock():
        truncate_tables()


def read_plans(read):
    """The plans of the statements that reading sends, as text."""
    with CaptureQueriesContext(connection) as asked:
        read()
    plans = []
    with connection.cursor() as cursor:
        for query in asked.captured_queries:
            if "summary" in query["sql"]:
                cursor.execute(f"EXPLAIN {query['sql']}")
                plans.append("\n".join(row[0] for row in cursor.fetchall()))
    assert plans
    return plans


def test_the_withdrawal_risk_list_is_read_by_its_index(summaries):
    pharmacy = summaries.pharmacy
    for plan in read_plans(lambda: reminders.withdrawal_risk(pharmacy=pharmacy, now=NOW + timedelta(days=9))):
        assert "therapy_summary_listed" in plan and "Seq Scan on dispensary_therapysummary" not in plan, plan


def test_the_queue_is_read_by_an_index_of_its_pharmacy(summaries):
    for read in (
        lambda: count_tabs(summaries, "", has_bags=False),
        lambda: list(waiting_orders(summaries).order_by(*LONGEST_WAITING_FIRST)[:ROWS]),
    ):
        for plan in read_plans(read):
            assert re.search(r"(order_summary_queue|dispensary_ordersummary_pharmacy)", plan), plan
            assert "Seq Scan on dispensary_ordersummary" not in plan, plan
