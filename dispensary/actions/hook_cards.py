"""Cards sent to other systems, and their feedback. An answer given elsewhere is kept with its sender and releases nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from django.db import transaction

from dispensary import audit, policies
from dispensary.actors import Actor
from dispensary.audit import Event, Subject
from dispensary.models import CardFeedback, CardOutcome, HookCard, Patient, Pharmacy
from dispensary.text import clean_line, clean_words

_DOING, _WHO = "have orders reviewed", "staff of the pharmacy, or a program of theirs"


class SentCard(NamedTuple):
    """The part of a card that is kept."""

    id: UUID
    code: str
    severity: str
    summary: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """The answer of a person elsewhere to a card."""

    card: UUID
    outcome: CardOutcome
    outcome_at: datetime
    reason_system: str = ""
    reason_code: str = ""
    reason_words: str = ""
    mitigation: str = ""
    """The reason as a code of `Mitigation`, where it is one."""
    comment: str = ""
    accepted_suggestions: Sequence[str] = ()


@transaction.atomic
def record_cards(
    *,
    cards: Sequence[SentCard],
    service: str,
    hook_instance: UUID,
    patient: Patient | None,
    pharmacy: Pharmacy,
    by: Actor,
    now: datetime,
) -> None:
    """Keep the cards of a call, and record the call in the log. `patient` is one of the pharmacy's, where it is known."""
    policies.require(policies.may_see_patients(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    HookCard.objects.bulk_create(
        HookCard(
            pharmacy=pharmacy,
            patient=patient,
            service=service,
            hook_instance=hook_instance,
            client=by.name,
            sent_at=now,
            **card._asdict(),
        )
        for card in cards
    )
    body = {
        "service": service,
        "cards": [{"id": card.id, "code": card.code, "severity": card.severity} for card in cards],
    }
    about = Subject("hook", str(hook_instance))
    audit.record(Event.CARDS_SENT, pharmacy=pharmacy, by=by, now=now, subject=about, patient=patient, body=body)


@transaction.atomic
def record_feedback(*, feedback: Sequence[Feedback], service: str, pharmacy: Pharmacy, by: Actor, now: datetime) -> int:
    """Keep feedback on cards; what came before with the same card and time is left as it is. Returns how many were new.

    Feedback on a card that is not known here is kept without one.
    """
    policies.require(policies.may_see_patients(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    cards_by_id = HookCard.objects.select_related("patient").in_bulk([item.card for item in feedback])
    count = 0
    for item in feedback:
        card = cards_by_id.get(item.card)
        if card is not None and card.pharmacy_id != pharmacy.pk:
            card = None
        row, is_new = CardFeedback.objects.get_or_create(
            pharmacy=pharmacy,
            client=by.name,
            card_uuid=item.card,
            outcome_at=item.outcome_at,
            defaults={
                "card": card,
                "outcome": item.outcome,
                "reason_system": clean_line(item.reason_system, "overrideReason.system", longest=255, required=False),
                "reason_code": clean_line(item.reason_code, "overrideReason.code", longest=80, required=False),
                "reason_words": clean_line(item.reason_words, "overrideReason.display", longest=255, required=False),
                "comment": clean_words(item.comment, "overrideReason.userComment", longest=2000, required=False),
                "accepted_suggestions": list(item.accepted_suggestions),
                "received_at": now,
            },
        )
        if not is_new:
            continue
        count += 1
        audit.record(
            Event.CARD_ANSWERED,
            pharmacy=pharmacy,
            by=by,
            now=now,
            subject=Subject("card", str(item.card)),
            patient=card.patient if card else None,
            rule_codes=[card.code] if card else [],
            reason_code=item.mitigation or None,
            body={
                "service": service,
                "known": card is not None,
                "code": card.code if card else "",
                "summary": card.summary if card else "",
                "outcome": row.outcome,
                "outcome_at": row.outcome_at.isoformat(),
                "reason": {"system": row.reason_system, "code": row.reason_code, "words": row.reason_words},
                "words": row.comment,
                "accepted": row.accepted_suggestions,
            },
        )
    return count
