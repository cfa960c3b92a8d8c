"""What is asked of the log about a thing is found also where many have read it since: each reading is an entry about it, too."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from dispensary import audit
from dispensary.actions import log_review
from dispensary.actors import Actor
from dispensary.audit import Event, Subject
from dispensary.audit.log import reader
from dispensary.errors import Conflict
from dispensary.models import Pharmacy, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy()


@pytest.fixture
def by(shop: Pharmacy) -> Actor:
    return make.staff(shop, StaffRole.AUDITOR).actor()


def read_often(subject: Any, shop: Pharmacy, by: Actor, times: int = 200) -> None:
    """Write as many entries about readings of a thing as its history shows at most."""
    fields = {"pharmacy": shop, "by": by, "now": timezone.now(), "subject": subject, "body": {"part": "day"}}
    audit.record_all(audit.prepare(Event.RECORD_READ, **fields) for _ in range(times))


def test_an_entry_that_was_read_often_is_found(shop: Pharmacy, by: Actor) -> None:
    audit.record(Event.LOG_EXPORTED, pharmacy=shop, by=by, now=make.NOW, subject=shop, body={"rows": 3})
    read_often(shop, shop, by)
    assert reader.has_entry(shop, Event.LOG_EXPORTED, {"rows": 3}, pharmacy=shop.pk)
    assert not reader.has_entry(shop, Event.LOG_EXPORTED, {"rows": 4}, pharmacy=shop.pk)
    assert not reader.has_entry(shop, Event.RECORD_READ, {"rows": 3}, pharmacy=shop.pk)


def test_a_day_that_was_signed_stays_signed_however_often_it_is_opened(shop: Pharmacy, by: Actor) -> None:
    now = timezone.now()
    day = shop.local_day(now) - dt.timedelta(days=1)
    log_review.sign_day(pharmacy=shop, day=day, looked_at=[], words="Nothing.", by=by, now=now)
    read_often(Subject("day", day.isoformat()), shop, by)
    assert log_review.open_day(pharmacy=shop, day=day, by=by, now=now).signed
    with pytest.raises(Conflict, match="signed already"):
        log_review.sign_day(pharmacy=shop, day=day, looked_at=[], words="Again.", by=by, now=now)
