"""Digests: one message to an address for all reminders that are due there together.

Two children on one telephone, a supply and a step on the same day: what would leave within a minute leaves as one message.
Each reminder keeps its own row, delivery, receipts and work. A digest begins for all its reminders or for none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid5

from django.db import IntegrityError, transaction
from django.db.models.functions import Greatest

from dispensary.channels import Accepted, Channel, Message
from dispensary.conf import Conf
from dispensary.models import Delivery, Medium
from dispensary.models.pharmacy import SharedNames
from dispensary.models.reminders import DeliveryOutcome, ReminderKind
from dispensary.reminders import links, queue
from dispensary.reminders.compose import Habits, Later, Never, Ready, Reason, Row, decide, way_out, words_of
from dispensary.reminders.segments import count_segments
from dispensary.reminders.texts import is_urgent, short_name

MOST = 4
"""Reminders in one message: more would be too long to read on a telephone. [D]"""
_ALONE = frozenset({Medium.WHATSAPP, Medium.PUSH})
"""Media that take one reminder a message."""


@dataclass(frozen=True, slots=True)
class Digest:
    """One message, with the reminders that it says."""

    parts: tuple[Ready, ...]
    singly: tuple[Ready | Later, ...]
    """The decisions about the parts where each stands for itself: a nudge waits for the others."""
    message: Message


Decision = Ready | Later | Never | Digest


def gather(
    decisions: Sequence[Ready | Later | Never], channels: Mapping[str, Channel], habits: Habits
) -> list[Decision]:
    """Put together what is ready for one address in one language, with the nudges that would wait behind it.

    What was in doubt leaves alone: in another message its provider would not know it again. So does what is sent as a
    template, which says one reminder, and a notification, which is short.
    """
    joining = [
        decision for decision in decisions if not decision.row.was_in_doubt and decision.row.medium not in _ALONE
    ]
    groups: dict[tuple[str | None, str | None, str], list[Ready]] = {}
    singly: dict[int, Ready | Later] = {}
    for decision in joining:
        if isinstance(decision, Ready):
            groups.setdefault(_place(decision), []).append(decision)
            singly[decision.row.id] = decision
    for decision in joining:
        if isinstance(decision, Later) and decision.reason is Reason.ANOTHER_FIRST:
            alone = decide(replace(decision.row, another_first=False), channels, habits)
            if isinstance(alone, Ready) and _may_join(alone, groups.get(_place(alone), [])):
                groups[_place(alone)].append(alone)
                singly[decision.row.id] = decision
    digests = [
        Digest(parts, tuple(singly[part.row.id] for part in parts), write_together(parts, habits.conf))
        for group in map(_in_order, groups.values())
        for parts in (group[start : start + MOST] for start in range(0, len(group), MOST))
        if len(parts) > 1
    ]
    inside = {part.row.id for digest in digests for part in digest.parts}
    return [*digests, *(decision for decision in decisions if decision.row.id not in inside)]


def _place(ready: Ready) -> tuple[str | None, str | None, str]:
    return ready.row.medium, ready.row.address_digest, ready.text.language


def _may_join(nudge: Ready, parts: Sequence[Ready]) -> bool:
    """Say whether a nudge goes with other messages to its patient: with none about a supply where it is about one itself."""
    kinds = [ReminderKind(part.row.kind) for part in parts if part.row.patient_id == nudge.row.patient_id]
    return bool(kinds) and not (ReminderKind(nudge.row.kind).about_refill and any(kind.about_refill for kind in kinds))


def _in_order(parts: Sequence[Ready]) -> tuple[Ready, ...]:
    """Return the most urgent first, and the reminders of one contact point one after the other."""
    ranks: dict[UUID | None, tuple[bool, bool, int]] = {}
    for part in sorted(parts, key=_rank):
        ranks.setdefault(part.row.contact_id, _rank(part))
    return tuple(sorted(parts, key=lambda part: (ranks[part.row.contact_id], _rank(part))))


def _rank(part: Ready) -> tuple[bool, bool, int]:
    kind = ReminderKind(part.row.kind)
    return not is_urgent(kind), not kind.matters_for_safety, part.row.id


def write_together(parts: Sequence[Ready], settings: Conf) -> Message:
    """Return one message of several: the sender once, each patient's name and page once, one telephone at the end.

    Its key is that of these reminders together: another set of them is another message to the provider.
    """
    lead, medium = parts[0], parts[0].row.medium
    is_mail = medium == Medium.EMAIL
    site_url = settings.public_url if is_mail else settings.link_url
    paragraphs = []
    for at, part in enumerate(parts):
        before = parts[at - 1] if at else None
        is_last = at == len(parts) - 1
        ends_patient = is_last or parts[at + 1].row.contact_id != part.row.contact_id
        text = words_of(
            part.row,
            way_out(part.channel, Medium(part.row.medium or "")),
            sender=_opening(part.row, before),
            brief=not is_last,
        )
        has_page = (
            ends_patient and medium != Medium.VOICE and not (is_mail and part.row.contact_id == lead.row.contact_id)
        )
        page = links.page_url(part.row.page_code or "", site_url) if has_page else ""
        paragraphs.append(" ".join(filter(None, (text.body, text.offer, page))))
    key = uuid5(lead.message.key, " ".join(sorted(str(part.row.public_id) for part in parts)))
    keys = {number: words for part in reversed(parts) for number, words in part.message.keys.items()}
    return replace(lead.message, key=key, body=("\n\n" if is_mail else " ").join(paragraphs), keys=keys)


def _opening(row: Row, before: Ready | None) -> str | None:
    """Return what stands for the sender: itself (None), the patient's name where it changes, nothing for the same patient."""
    if before is None:
        return None
    if before.row.patient_id == row.patient_id:
        return ""
    return short_name(row.given_name, row.family_name, SharedNames(row.shared_names))


def begin(lease: queue.Lease, digest: Digest) -> list[queue.Begun] | None:
    """Begin all parts in one commit, in their order. `None`: one of them must not be sent, so none has begun."""
    first, parts = digest.parts[0], digest.parts
    parameters = {
        "ids": [part.row.id for part in parts],
        "token": lease.token,
        "send_timeout": first.channel.timeout.total_seconds(),
        "medium": first.row.medium,
        "channel": first.channel.name,
        "key": digest.message.key,
        "digest": first.row.address_digest,
        "language": first.text.language,
        "words": first.text.version,
        "contacts": [part.row.contact_id for part in parts],
        "detailed": [part.row.detail_level == "detailed" for part in parts],
        "segments": [count_segments(digest.message.text).count if first.row.medium == Medium.SMS else 0]
        + [0] * (len(parts) - 1),
    }
    begun = queue.begin_together(lease, parameters)
    return None if begun is None else [begun[part.row.id] for part in parts]


@transaction.atomic
def finish(begun: Sequence[queue.Begun], answer: Accepted, now: datetime) -> None:
    """Record in the ledger that the message was accepted; the provider's number stands at the first delivery."""
    ours = Delivery.objects.filter(pk__in=[part.delivery for part in begun])
    ours.update(outcome=Greatest("outcome", DeliveryOutcome.ACCEPTED.value), finished_at=now)
    try:
        with transaction.atomic():
            Delivery.objects.filter(pk=begun[0].delivery).update(provider_message_id=answer.provider_message_id)
    except IntegrityError:  # a provider that gives two messages one number: then our key has to do
        return
