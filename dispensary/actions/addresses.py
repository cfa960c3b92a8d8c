"""Addresses at rest, encrypted again with the newest of the site's secrets."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.db.models import TextField, Value
from django.db.models.functions import Cast

from dispensary.models import ContactPoint, InboundEvent
from dispensary.models.sealed import reseal

BATCH = 500


class Resealed(NamedTuple):
    """Numbers of rows: encrypted anew, already under the newest secret, and readable with none of the secrets."""

    renewed: int = 0
    already: int = 0
    unreadable: int = 0


def reseal_addresses(*, batch: int = BATCH) -> Resealed:
    """Encrypt the addresses of patients, and replies that wait to be read, with the newest secret.

    A transaction for each `batch` rows: it may be ended and begun again, and runs beside everything else. What the addresses say stays, so
    no log has an entry of it. A row that no secret opens is left and counted.
    """
    renewed = already = unreadable = 0
    last: UUID | None = None
    while rows := _next_contacts(last, batch):
        last = rows[-1][0]
        with transaction.atomic():
            for key, sealed in rows:
                try:
                    text = reseal(sealed)
                except InvalidToken:
                    unreadable += 1
                    continue
                if text == sealed:
                    already += 1
                    continue
                # As it is: the field itself would encrypt what is encrypted. An address is never changed, so there is none to overwrite.
                ContactPoint.objects.filter(pk=key).update(address=Value(text, TextField()))
                renewed += 1
    for event in InboundEvent.objects.filter(processed_at=None, facts__has_key="address").values_list("pk", flat=True):
        done = _reseal_event(event)
        renewed, already, unreadable = renewed + done.renewed, already + done.already, unreadable + done.unreadable
    return Resealed(renewed, already, unreadable)


def _next_contacts(last: UUID | None, batch: int) -> list[tuple[UUID, str]]:
    contacts = ContactPoint.objects.order_by("pk")
    if last is not None:
        contacts = contacts.filter(pk__gt=last)
    return list(contacts.annotate(sealed=Cast("address", TextField())).values_list("pk", "sealed")[:batch])


@transaction.atomic
def _reseal_event(key: int) -> Resealed:
    event = InboundEvent.objects.select_for_update().filter(pk=key, processed_at=None).first()
    if event is None:  # read meanwhile
        return Resealed()
    sealed = {name: event.facts[name] for name in ("address", "text")}
    try:
        texts = {name: reseal(text) for name, text in sealed.items()}
    except InvalidToken:
        return Resealed(unreadable=1)
    if texts == sealed:
        return Resealed(already=1)
    event.facts |= texts
    event.save(update_fields=["facts"])
    return Resealed(renewed=1)
