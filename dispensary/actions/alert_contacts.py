"""The people who are told of a pharmacy's alerts: a named person and a deputy, each with an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from dispensary import audit, policies
from dispensary.actions.consent import hint
from dispensary.actions.staff_alerts import possible_answerers
from dispensary.actors import Actor
from dispensary.audit import Event
from dispensary.conf import conf
from dispensary.errors import InvalidInput, Problem
from dispensary.models import AlertContact, AlertRank, Pharmacy, StaffMember
from dispensary.reminders.opt_outs import clean_address


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who is told of alerts, and how: a member of staff by key, the medium, the address."""

    member_id: int
    medium: str
    address: str


@transaction.atomic
def name_contacts(*, pharmacy: Pharmacy, chosen: Mapping[AlertRank, Chosen], by: Actor, now: datetime) -> None:
    """Name the person and the deputy who are told of alerts; a rank that is left out has nobody.

    Raises `InvalidInput` for somebody who may not answer alerts, for one person twice, and for an address that no channel reaches.
    """
    policies.require(policies.may_change_settings(by), by, "say who is told of alerts", "a manager")
    policies.require_same_pharmacy(by, pharmacy.pk)
    Pharmacy.objects.select_for_update().get(pk=pharmacy.pk)
    contacts = AlertContact.objects.filter(pharmacy=pharmacy)
    rows = {AlertRank(row.rank): row for row in contacts.select_related("member")}
    people = {member.pk: member for member in possible_answerers(pharmacy)}
    named = {rank: _check_contact(pharmacy, rank, choice, people, now) for rank, choice in chosen.items()}
    if len({contact.member_id for contact in named.values()}) < len(named):
        problem = Problem(f"{AlertRank.DEPUTY.name.lower()}.member", "the same person", "another person")
        raise InvalidInput("The deputy is the named person.", problem)
    before, after = ({rank: _log_form(row) for rank, row in group.items()} for group in (rows, named))
    unchanged_ranks = {rank for rank in named if rank in rows and _spell(rows[rank]) == _spell(named[rank])}
    if len(unchanged_ranks) == len(rows) == len(named):
        return
    contacts.exclude(rank__in=unchanged_ranks).delete()
    AlertContact.objects.bulk_create(contact for rank, contact in named.items() if rank not in unchanged_ranks)
    changes = {
        rank.name.lower(): {"from": before.get(rank), "to": after.get(rank)}
        for rank in AlertRank
        if rank not in unchanged_ranks
    }
    audit.record(
        Event.ALERT_CONTACT_CHANGED, pharmacy=pharmacy, by=by, now=now, subject=pharmacy, body={"changed": changes}
    )  # fmt: skip


def _check_contact(
    pharmacy: Pharmacy, rank: AlertRank, chosen: Chosen, people: Mapping[int, StaffMember], now: datetime
) -> AlertContact:
    name = rank.name.lower()
    if chosen.member_id not in people:
        raise InvalidInput(
            "This person cannot answer alerts.",
            Problem(f"{name}.member", "somebody else", "a pharmacist, manager or auditor of this pharmacy"),
        )
    if chosen.medium not in conf().free_text_channels:
        expected = f"one of {', '.join(conf().free_text_channels) or 'none'}"
        raise InvalidInput(
            "No channel carries this medium here.",
            Problem(f"{name}.medium", chosen.medium, expected, "The site configures it."),
        )
    try:
        address = clean_address(chosen.medium, chosen.address)
    except InvalidInput as error:
        (problem,) = error.problems
        raise InvalidInput(error.detail, replace(problem, field=f"{name}.address")) from error
    return AlertContact(
        pharmacy=pharmacy, rank=rank, member=people[chosen.member_id], medium=chosen.medium, address=address, named_at=now
    )  # fmt: skip


def _spell(contact: AlertContact) -> tuple[int, str, str]:
    return contact.member_id, contact.medium, contact.address


def _log_form(contact: AlertContact) -> dict[str, str]:
    return {"name": contact.member.display_name, "medium": contact.medium, "address": hint(contact.address)}
