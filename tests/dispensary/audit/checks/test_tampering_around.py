"""The rows of the tampering matrix around the chain: by the application's role, the owner, an outsider.

The chain itself is attacked in `test_tampering.py`. Each attack succeeded once; what is still not shown is asserted as such.
"""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from django.utils import timezone

from deploy.demo.attacks import Attack, unguarded
from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import LogRow, all_logs, raw_connection
from dispensary.audit.sealing import service
from dispensary.models import Pharmacy
from tests.dispensary.audit.signing import RETENTION
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"])

APPEND = "SELECT audit.append(%s, 'o', %s, 'success', 'user:1', 'pharmacist', now(), 'log', 'l', %s)"
PRIVILEGED = (
    "audit.erased", "audit.retired", "audit.incarnation", "audit.posture", "audit.interference", "audit.anything",
    "key.rotated", "log.verified",
)  # fmt: skip


def log_of(pharmacy: Pharmacy) -> LogRow:
    return all_logs(raw_connection("sealer"), pharmacy.pk)[0]


def check(pharmacy: Pharmacy, **options: Any) -> verify.Report:
    row = log_of(pharmacy)
    keys = [verify.Key.parse(str(key.named(row.origin).verifier)) for key in service.make_sealer().keys]
    return live.check_log(raw_connection("sealer"), row, keys, **{"grace": 0, "retention": RETENTION, **options}).report


def seal(pharmacy: Pharmacy) -> service.Round:
    return service.seal_round(service.make_sealer(), timezone.now(), pharmacy=pharmacy.pk)


def places(report: verify.Report) -> list[tuple[str, str]]:
    return [(finding.kind, finding.position) for finding in report.findings]


# Who may authorise a gap.


@pytest.mark.parametrize("action", PRIVILEGED)
def test_the_application_cannot_speak_for_the_log_itself(sealed: Pharmacy, database: Database, action: str) -> None:
    with (
        database.connect("app") as app,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="not the application's"),
    ):
        app.execute(APPEND, [sealed.pk, action, "{}"])
    with database.connect("app") as app:
        app.execute(APPEND, [sealed.pk, "log.reviewed", "{}"])


@pytest.mark.parametrize(
    ("action", "body", "table"),
    [
        ("audit.retired", '{"basis":"x","first":5,"last":5}', "entry"),
        ("audit.retired", '{"basis":"x","first":1,"last":12}', "entry"),
        ("audit.erased", '{"basis":"x","ranges":[[5,5]]}', "body"),
    ],
)
def test_a_gap_that_the_owner_authorises_alone_is_the_logs_own_word(
    sealed: Pharmacy, database: Database, action: str, body: str, table: str
) -> None:
    """The owner can write the entry, have it signed and remove the lines: what is missing are two people's keys."""
    with database.connect("owner") as owner:
        owner.execute(APPEND, [sealed.pk, action, body])
    seal(sealed)
    first, last = (1, 12) if '"last":12' in body else (5, 5)
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log_of(sealed).log_id).delete(table, first, last)
    report = check(sealed)
    assert (report.exit, report.authorised) == (verify.INCOMPLETE, [])
    assert places(report) == [("OWN_WORD", f"{first}-{last}" if last > first else "5")]
