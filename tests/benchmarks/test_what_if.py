"""A trial of another limit over many recorded decisions: the time of the worker for each, and for a hundred thousand."""

import os
import time
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from dispensary.actions import limit_trials
from dispensary.audit.log.reader import reading
from dispensary.models import LimitTrial, Pharmacy, StaffRole
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links
from tests.dispensary.counter.test_limit_trials import maximum_of_adults, shop  # noqa: F401  (`shop` is a fixture: pytest finds it by its name)

DECISIONS = int(os.environ.get("DECISIONS", "2000"))
MOST_MINUTES = 10
"""A hundred thousand decisions take minutes, says the page."""

_COPIES = """
    SELECT count(audit.append(%(pharmacy)s, e.origin, e.action, e.outcome, e.actor, e.actor_role, e.occurred_at, 'review',
        gen_random_uuid()::text, b.body, p_reason_code => e.reason_code, p_patient_ref => e.patient_ref, p_rule_codes => e.rule_codes))
    FROM audit.line e JOIN audit.readable_body b USING (entry_id) CROSS JOIN generate_series(1, %(number)s)
    WHERE e.pharmacy = %(pharmacy)s AND e.action = 'review.recorded'"""


@pytest.mark.benchmark
@pytest.mark.django_db
def test_a_trial_asks_a_hundred_thousand_decisions_in_minutes(shop: Pharmacy) -> None:  # noqa: F811  (the parameter asks for the fixture of that name)
    with connection.cursor() as cursor, reading(shop):
        cursor.execute("SELECT count(*) FROM audit.line WHERE pharmacy = %s AND action = 'review.recorded'", [shop.pk])
        cursor.execute(_COPIES, {"pharmacy": shop.pk, "number": DECISIONS // cursor.fetchone()[0]})
    flush_links()
    today = shop.local_day(timezone.now())
    limit_trials.request_trial(
        pharmacy=shop, line=maximum_of_adults(shop).digest, value=Decimal(110), since=today - timedelta(days=1), until=today,
        by=make.staff(shop, StaffRole.AUDITOR).actor(), now=timezone.now(),
    )  # fmt: skip
    began, cpu = time.monotonic(), time.process_time()
    assert limit_trials.run_next(timezone.now)
    seconds, cpu = time.monotonic() - began, time.process_time() - cpu
    trial = LimitTrial.objects.get(pharmacy=shop)
    assert trial.result["decisions"] >= DECISIONS
    milliseconds = 1000 * cpu / trial.result["decisions"]
    print(f"{trial.result['decisions']} decisions: {seconds:.0f} s, {milliseconds:.2f} ms of the worker's CPU each, "
          f"{milliseconds * 100 / 60:.1f} minutes of CPU for 100,000")  # fmt: skip
    assert milliseconds * 100 / 60 < MOST_MINUTES
