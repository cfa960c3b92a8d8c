"""A pharmacy, somebody who works there, and a log that lasts beyond the test, as logs do."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import transaction
from django.utils import timezone

from dispensary import audit
from dispensary.actors import Actor, Role
from dispensary.audit.sealing import service
from dispensary.models import Pharmacy

NOW = dt.datetime(2026, 11, 22, 9, 30, tzinfo=dt.UTC)


@pytest.fixture
def now() -> dt.datetime:
    return NOW


@pytest.fixture
def pharmacy(db: None) -> Pharmacy:
    return Pharmacy.objects.create(name="High Street", opened_at=NOW)


@pytest.fixture
def committed_pharmacy(transactional_db: None) -> Pharmacy:
    """A pharmacy for tests that commit; each has a new id, hence a new log."""
    return Pharmacy.objects.create(name="High Street", opened_at=NOW)


def actor_at(pharmacy: Pharmacy | UUID) -> Actor:
    return Actor(
        "user:1", "Ann Apothecary", Role.PHARMACIST, getattr(pharmacy, "pk", pharmacy), user_id=1, station="desk 1"
    )


@pytest.fixture
def by(pharmacy: Pharmacy) -> Actor:
    return actor_at(pharmacy)


@pytest.fixture
def write() -> Callable[..., UUID]:
    """Write one entry in a transaction of its own."""

    def write_one(pharmacy: Pharmacy | UUID, event: audit.Event = audit.Event.DISPENSED, **more: Any) -> UUID:
        subject = more.pop("subject", audit.Subject("dispense", "d1"))
        body = more.pop("body", {"quantity": 84})
        with transaction.atomic(using=more.get("using")):
            return audit.record(
                event, pharmacy=pharmacy, by=actor_at(pharmacy), now=NOW, subject=subject, body=body, **more
            )

    return write_one


@pytest.fixture
def own_key(settings: Any, tmp_path: Path) -> Path:
    """A signing key of this test's own, and a state folder beside it."""
    path = tmp_path / "keys" / "key"
    settings.DISPENSARY = {**getattr(settings, "DISPENSARY", {}), "audit_key_file": path}
    call_command("audit", "key", "--new")
    return path


@pytest.fixture
def sealed(own_key: Path, committed_pharmacy: Pharmacy, write: Callable[..., UUID]) -> Pharmacy:
    """A pharmacy whose log has twelve entries and a posture, all signed. The test needs the aliases default and sealer."""
    for _ in range(12):
        write(committed_pharmacy)
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=committed_pharmacy.pk)
    return committed_pharmacy
