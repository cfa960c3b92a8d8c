"""Prescribers: found by number and register, or registered."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from dispensary import audit, policies
from dispensary.actions.identity import number_body
from dispensary.actions.locks import lock_prescriber_number
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.errors import Conflict, InvalidInput, Problem
from dispensary.models import Pharmacy, Prescriber
from dispensary.text import clean_line, fold_name, number_key


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

    A number without a register on one side, or written with other capitals, blanks or punctuation, is the same prescriber only
    where the names agree: the words of one name are all in the other, which lets titles and initials differ. The record then
    remembers the register. Raises `Conflict` for a number of one register that is written otherwise, under another name.
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
    lock_prescriber_number(pharmacy.pk, number_key(new.identifier))
    holders = _holders_of(pharmacy, new.identifier)
    in_register = [holder for holder in holders if holder.identifier_system == new.identifier_system]
    for holder in in_register:
        if holder.identifier == new.identifier:
            return holder
    candidates = in_register or [h for h in holders if not (h.identifier_system and new.identifier_system)]
    same = [holder for holder in candidates if _names_agree(holder.name, new.name)]
    if in_register and not same:
        raise _other_name(in_register[0])
    if in_register or (len(same) == 1 and not new.identifier_system):
        return same[0]
    if len(same) == 1:
        prescriber = same[0]
        prescriber.identifier_system = new.identifier_system
        prescriber.save(update_fields=["identifier_system"])
    else:
        prescriber = new
        prescriber.save(force_insert=True)
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

    Without a name, a number that one prescriber of the same register has in other capitals, blanks or punctuation is theirs.
    Raises `InvalidInput` for a number unknown here that comes without a name.
    """
    if isinstance(stated, Prescriber):
        return stated
    if stated.get("name"):
        return register_prescriber(pharmacy=pharmacy, by=by, now=now, **stated)
    number = str(stated["identifier"]).strip()
    register = str(stated.get("identifier_system") or "").strip()
    holders = [row for row in _holders_of(pharmacy, number) if row.identifier_system == register]
    exact = [row for row in holders if row.identifier == number]
    prescriber = next(iter(exact or (holders if len(holders) == 1 else [])), None)
    if prescriber is None:
        problem = Problem("prescriber.identifier", "a number unknown here", "a prescriber with a name")
        raise InvalidInput("There is no prescriber with this number here.", problem)
    return prescriber


def note_differences(stated: Prescriber | Mapping[str, Any], recorded: Prescriber) -> list[str]:
    """Return notes on what an order states of its prescriber otherwise than the record has it."""
    if isinstance(stated, Prescriber):
        return []
    notes = []
    if str(stated["identifier"]).strip() != recorded.identifier:
        notes.append("prescriber.identifier: the order writes the number otherwise; the record was kept")
    if stated.get("name") and not _names_agree(recorded.name, str(stated["name"])):
        notes.append("prescriber.name: the order has another name with this number; the record was kept")
    return notes


def _holders_of(pharmacy: Pharmacy, number: str) -> QuerySet[Prescriber]:
    """Return the prescribers with a number, of any register, however it is written."""
    same_number = Q(identifier=number)  # also of a row that an earlier release writes without a key
    key = number_key(number)
    if key != number_key(""):
        same_number |= Q(number_key=key)
    return Prescriber.objects.filter(same_number, pharmacy=pharmacy).order_by("pk")


def _other_name(recorded: Prescriber) -> Conflict:
    problem = Problem(
        "prescriber.identifier",
        "the number of a prescriber of another name, with other capitals, blanks or punctuation",
        "the number as it is recorded, or another number",
        f"Check the number. If it is the prescriber recorded as {recorded.identifier}, send it so, or their id {recorded.pk}.",
    )
    return Conflict("This number belongs to a prescriber of another name here.", problem)


def _names_agree(name: str, other: str) -> bool:
    """Return whether the words of one name are all in the other; a letter may stand for a word."""
    words, others = fold_name(name).split(), fold_name(other).split()
    if not set(words) & set(others):
        return False
    return _are_in(words, others) or _are_in(others, words)


def _are_in(words: list[str], others: list[str]) -> bool:
    return all(
        any(word == other or (1 in (len(word), len(other)) and word[0] == other[0]) for other in others)
        for word in words
    )
