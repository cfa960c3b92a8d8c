"""Working data is kept for its term and then deleted; records are not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import checks
from django.core.management import call_command
from django.utils import timezone

from dispensary import tasks
from dispensary.actions.retention import KINDS, delete_expired
from dispensary.models import (
    BegunSignature,
    CardFeedback,
    HookCard,
    IdempotentRequest,
    InboundEvent,
    LogExport,
    OrderClaim,
    Patient,
    Pharmacy,
    Prescription,
)
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def order(shop: Pharmacy) -> Prescription:
    return make.prescription(make.patient(shop))


def add_answer(order: Prescription, time: datetime) -> None:
    IdempotentRequest.objects.create(
        pharmacy=order.pharmacy, actor="user:1", key="k", request_digest="d", status=200, created_at=time
    )


def add_signature(order: Prescription, time: datetime) -> None:
    BegunSignature.objects.create(prescription=order, signer="user:1", shown="0" * 64, begun_at=time)


def add_claim(order: Prescription, time: datetime) -> None:
    OrderClaim.objects.create(prescription=order, actor="user:1", display="Pia", claimed_at=time)


def add_event(_: Prescription, time: datetime) -> None:
    InboundEvent.objects.create(
        channel="sms", provider_event_id="1", kind="receipt", received_at=time, processed_at=time
    )


def add_card(order: Prescription, time: datetime) -> HookCard:
    return HookCard.objects.create(
        pharmacy=order.pharmacy, service="baclofen", hook_instance=uuid4(), client="client:1", code="daily-maximum",
        summary="105 mg a day", sent_at=time,
    )  # fmt: skip


def add_export(order: Prescription, time: datetime) -> LogExport:
    return LogExport.objects.create(
        pharmacy=order.pharmacy, requested_by="Ann", requested_at=time, filters={}, sentence="All.", purpose="inspection"
    )  # fmt: skip


ADDED: dict[str, Callable[[Prescription, datetime], Any]] = {
    "answers": add_answer,
    "signatures": add_signature,
    "claims": add_claim,
    "provider-events": add_event,
    "hook-cards": add_card,
    "log-exports": add_export,
}


def deleted(now: datetime) -> dict[str, int]:
    return {line.kind.name: line.rows for line in delete_expired(now=now) if line.rows}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_row_is_kept_to_the_end_of_its_term_and_deleted_after_it(order: Prescription, kind: Any) -> None:
    time = timezone.now()
    ADDED[kind.name](order, time)
    end = time + timedelta(days=kind.days)
    assert deleted(end) == {}
    assert deleted(end + timedelta(seconds=1)) == {kind.name: 1}
    assert deleted(end + timedelta(seconds=1)) == {}


def test_what_waits_or_was_answered_is_kept_at_any_age(order: Prescription) -> None:
    now = timezone.now()
    InboundEvent.objects.create(channel="sms", provider_event_id="1", kind="receipt", received_at=now)
    card = add_card(order, now)
    CardFeedback.objects.create(
        pharmacy=order.pharmacy, card=card, card_uuid=card.pk, client="client:1", outcome="accepted", outcome_at=now,
        received_at=now,
    )  # fmt: skip
    assert deleted(now + timedelta(days=4_000)) == {}
    assert Patient.objects.count() == Prescription.objects.count() == 1


def test_a_site_keeps_a_kind_for_a_term_of_its_own(order: Prescription, settings: Any) -> None:
    settings.DISPENSARY = settings.DISPENSARY | {"keep_days": {"hook-cards": 400}}
    time = timezone.now()
    add_card(order, time)
    assert deleted(time + timedelta(days=400)) == {}
    assert deleted(time + timedelta(days=401)) == {"hook-cards": 1}


@pytest.mark.parametrize("terms", [{"patients": 30}, {"answers": 0}, {"answers": "7"}, {"answers": True}])
def test_a_term_of_no_kind_or_under_a_day_is_refused_by_the_checks(terms: dict[str, Any], settings: Any) -> None:
    settings.DISPENSARY = settings.DISPENSARY | {"keep_days": terms}
    messages = [message.msg for message in checks.run_checks() if message.id == "dispensary.E008"]
    assert [message.split(";")[0] for message in messages] == [f"DISPENSARY['keep_days'] has {str(terms)[1:-1]}"]


def test_the_command_says_what_it_would_delete_and_deletes_only_when_told(
    order: Prescription, capsys: pytest.CaptureFixture[str]
) -> None:
    add_answer(order, timezone.now() - timedelta(days=8))
    call_command("retention")
    assert "answers         7 days           1 to delete" in capsys.readouterr().out
    assert IdempotentRequest.objects.exists()
    call_command("retention", "--apply")
    assert "answers         7 days           1 deleted" in capsys.readouterr().out
    assert not IdempotentRequest.objects.exists()


def test_the_schedule_deletes_what_is_past_its_term(order: Prescription) -> None:
    add_answer(order, timezone.now() - timedelta(days=8))
    tasks.delete_expired()
    assert not IdempotentRequest.objects.exists()
