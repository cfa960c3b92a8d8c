"""The pages of the review desk over a large log: CPU of the database for the whole request."""

import os
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from dispensary.models import Pharmacy, StaffRole
from tests.benchmarks.audit_bars import cpu_of_backend
from tests.dispensary import make
from tests.dispensary.audit import many
from tests.site import Database

ENTRIES = int(os.environ.get("ENTRIES", "100000"))
MOST_MS = 5
ROUNDS = 15
LAST = datetime.now(UTC).date() - timedelta(days=1)
"""The last day of the log: that of the machine's clock, by which the pages ask for a second factor and count days."""
FIRST = LAST - timedelta(days=364)


@pytest.fixture(scope="module")
def desk(django_db_setup: None, django_db_blocker: DjangoDbBlocker, database: Database) -> Iterator[Client]:
    """An auditor of a pharmacy whose log has so many entries, in a year."""
    with database.connect("superuser") as admin:
        filled = many.fill(
            admin,
            entries=ENTRIES,
            pharmacies=1,
            months=12,
            until=datetime.combine(LAST + timedelta(days=1), time(), UTC),
        )
        admin.execute(_COUNTS, {"pharmacy": filled.pharmacy, "first": FIRST, "last": LAST})
        admin.execute("ANALYZE desk.rule_day")
    with django_db_blocker.unblock():
        pharmacy = Pharmacy.objects.create(pk=filled.pharmacy, name="Busy", opened_at=filled.since)
        client = Client()
        client.force_login(make.staff(pharmacy, StaffRole.AUDITOR, now=timezone.now()).user)
        yield client


_COUNTS = """
    INSERT INTO desk.rule_day SELECT log_id, day::date, 'rule-' || rule, severity, 9, 4, 1, 4, 0, '{"5": 3, "9": 1}'
    FROM audit.log, generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS day, generate_series(1, 12) AS rule,
        unnest(ARRAY['override', 'acknowledge']) AS severity WHERE pharmacy = %(pharmacy)s"""
"""Two dozen cells a day for a year, as many as 10 million entries have."""

PAGES = {
    "overrides, 90 days": ("audit-overrides", {"until": str(LAST)}),
    "overrides of a rule, a year": (
        "audit-overrides",
        {"since": str(FIRST), "until": str(LAST), "rule": "daily-maximum"},
    ),
    "overrides of a person": ("audit-overrides", {"until": str(LAST), "actor": "user:7"}),
    "overrides with a reason": ("audit-overrides", {"until": str(LAST), "reason": "5"}),
    "overrides signed at once": ("audit-overrides", {"until": str(LAST), "only": "quick"}),
    "all entries": ("audit", {}),
    "rules, 90 days": ("audit-quality", {"until": str(LAST)}),
    "rules, a year": ("audit-quality", {"since": str(FIRST), "until": str(LAST)}),
    "checks": ("audit-checks", {}),
}


@pytest.mark.benchmark
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_the_desk_takes_milliseconds(desk: Client, django_db_blocker: DjangoDbBlocker, page: str) -> None:
    name, query = PAGES[page]
    servers = []
    with django_db_blocker.unblock():
        for _ in range(ROUNDS):
            began = cpu_of_backend()
            assert desk.get(reverse(f"counter:{name}"), query).status_code in (200, 422)
            servers.append((cpu_of_backend() - began) / 1e6)
    print(f"{page:30} {statistics.median(servers):6.2f} ms database (least {min(servers):.2f})")
