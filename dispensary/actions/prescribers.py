"""Prescribers: found by number and register, or registered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions.identity import number_body
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.errors import InvalidInput, Problem
from dispensary.models import Pharmacy, Prescriber
from dispensary.text import clean_line, comparable_name


@transaction.atomic
def register_prescriber(
    *,
    pharmacy: Pharmacy,
    identifier: str,
    identifier_system: str = "",
    name: str,
    phone: str = "",
    organisation: str = "",
    by: Actor,
    now: datetime,
) -> Prescriber:
    """Find the prescriber by number and register, or register them. What is already recorded is not overwritten.

    A number without a register on one side is the same prescriber only where the names agree: the words of one name are all
    in the other, which lets titles differ. The record then remembers the register.
    """
    policies.require(policies.may_receive(by), by, "register a prescriber", "a technician or pharmacist")
    policies.require_same_pharmacy(by, pharmacy.pk)
    new = Prescriber(
        pharmacy=pharmacy,
        identifier=clean_line(identifier, "prescriber.identifier", longest=64),
        identifier_system=clean_line(identifier_system, "prescriber.identifier_system", longest=255, required=False),
        name=clean_line(name, "prescriber.name", longest=120),
        phone=clean_line(phone, "prescriber.phone", longest=32, required=False),
        organisation=clean_line(organisation, "prescriber.organisation", longest=120, required=False),
    )
    holders = Prescriber.objects.select_for_update().filter(pharmacy=pharmacy, identifier=new.identifier)
    same = []
    for holder in holders:
        if holder.identifier_system == new.identifier_system:
            return holder
        if not (holder.identifier_system and new.identifier_system) and _names_agree(holder.name, new.name):
            same.append(holder)
    if len(same) == 1 and not new.identifier_system:
        return same[0]
    if len(same) == 1:
        prescriber = same[0]
        prescriber.identifier_system = new.identifier_system
        prescriber.save(update_fields=["identifier_system"])
    else:
        prescriber, created = Prescriber.objects.get_or_create(
            pharmacy=pharmacy,
            identifier=new.identifier,
            identifier_system=new.identifier_system,
            defaults={"name": new.name, "phone": new.phone, "organisation": new.organisation},
        )
        if not created:  # made meanwhile by another request
            return prescriber
    audit.record(
        Event.PRESCRIBER_CHANGED,
        pharmacy=pharmacy,
        by=by,
        now=now,
        subject=prescriber,
        body=number_body(prescriber) | {"name": prescriber.name},
    )
    return prescriber


def find_or_register(
    stated: Prescriber | Mapping[str, Any], *, pharmacy: Pharmacy, by: Actor, now: datetime
) -> Prescriber:
    """Return a prescriber of the pharmacy as recorded, by number, or registered by number and name.

    Raises `InvalidInput` for a number unknown here that comes without a name.
    """
    if isinstance(stated, Prescriber):
        return stated
    if stated.get("name"):
        return register_prescriber(pharmacy=pharmacy, by=by, now=now, **stated)
    prescriber = Prescriber.objects.filter(
        pharmacy=pharmacy,
        identifier=str(stated["identifier"]).strip(),
        identifier_system=str(stated.get("identifier_system") or "").strip(),
    ).first()
    if prescriber is None:
        problem = Problem("prescriber.identifier", "a number unknown here", "a prescriber with a name")
        raise InvalidInput("There is no prescriber with this number here.", problem)
    return prescriber


def _names_agree(name: str, other: str) -> bool:
    words, others = (set(comparable_name(text).replace(".", " ").split()) for text in (name, other))
    return words <= others or others <= words
