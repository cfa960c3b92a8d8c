"""Checks asked for at the desk: run by the sealer's process, with its progress and its result."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from deploy.demo.attacks import Attack, unguarded
from dispensary.audit.checks import requests
from dispensary.audit.log import reader
from dispensary.models import LogCheck, Pharmacy
from tests.dispensary.audit.checks.test_tampering_around import log_of
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"])


def ask(pharmacy: Pharmacy) -> LogCheck:
    return LogCheck.objects.create(pharmacy=pharmacy, requested_by="Ann", requested_at=timezone.now())


def test_the_sealers_process_verifies_what_was_asked_for_and_writes_the_result(sealed: Pharmacy) -> None:
    check = ask(sealed)
    call_command("audit", "seal", "--once", "--pharmacy", str(sealed.pk), verbosity=0)
    check.refresh_from_db()
    assert check.result == "verified"
    assert check.finished_at is not None
    entry = reader.last_check(sealed.pk)
    assert entry is not None
    assert entry.outcome == "success"


def test_what_was_altered_is_the_result_and_an_interference_in_the_log(sealed: Pharmacy, database: Database) -> None:
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log_of(sealed).log_id).set_body(5, "{}")
    check = ask(sealed)
    assert requests.run_next(timezone.now()) is True
    assert requests.run_next(timezone.now()) is False
    check.refresh_from_db()
    assert check.result == "tampered"
    entry = reader.last_check(sealed.pk)
    assert entry is not None
    assert entry.action == "audit.interference"


def test_a_check_whose_process_is_gone_is_begun_again(sealed: Pharmacy) -> None:
    check = ask(sealed)
    now = timezone.now()
    LogCheck.objects.filter(pk=check.pk).update(seen_at=now)
    assert requests.run_next(now + timedelta(minutes=1)) is False
    assert requests.run_next(now + timedelta(minutes=6)) is True
