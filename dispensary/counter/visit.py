"""One request of one member of staff: their pharmacy, their actor, the moment, and the menu they see."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from django.db.models import Model, QuerySet
from django.urls import reverse

from dispensary import policies
from dispensary.actors import Actor
from dispensary.conf import conf
from dispensary.errors import NotFound
from dispensary.models import Pharmacy, StaffMember

KEYS = (
    ("F2", "Scan field"),
    ("F4", "Next in the queue"),
    ("F6", "Next part of the page"),
    ("Arrows, Page Up, Page Down", "Rows of the queue and of the withdrawal risk"),
    ("Alt+N", "New prescription, from the queue"),
    ("Alt+H", "Put the order on hold"),
    ("Alt+P", "Print the request of a plan"),
    ("Alt+R", "Withdrawal risk"),
    ("F7", "Take over the tablets that are needed, or an order that somebody else has open"),
    ("F8", "Answer findings with an override; part two records that were joined"),
    ("F9", "What the main button says"),
    ("Alt+L", "Lock"),
    ("?", "These keys"),
)
MENU = (
    ("Queue", "counter:queue", policies.may_see_patients),
    ("Day", "counter:day", policies.may_see_patients),
    ("Second signatures", "counter:second-waiting", policies.may_override),
    ("Withdrawal risk", "counter:at-risk", policies.may_send_reminders),
    ("Reminders", "counter:reminders", policies.may_send_reminders),
    ("Alerts", "counter:alerts", policies.may_answer_alerts),
    ("Downtime", "counter:downtime", policies.may_see_patients),
    ("Audit log", "counter:audit", policies.may_read_log),
    ("People", "counter:people", policies.may_change_settings),
    ("Settings", "counter:settings", policies.may_change_settings),
)
LETTERS = {"counter:at-risk": "r"}
"""Letters that open a page of the menu with Alt."""

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class MenuItem:
    """A link of the main navigation."""

    words: str
    address: str
    is_current: bool
    letter: str
    """Opens it with Alt; empty where none does."""


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of one member of staff."""

    member: StaffMember
    has_other_pharmacies: bool
    by: Actor
    now: datetime
    path: str
    is_locked: bool = False
    lacks_factor: bool = False
    """Say whether the person's role needs a second factor that they have not added."""

    keys = KEYS

    @property
    def pharmacy(self) -> Pharmacy:
        return self.member.pharmacy

    @property
    def is_factor_overdue(self) -> bool:
        """Say whether the time to add the second factor is over."""
        due_at = self.member.factor_due_at
        return self.lacks_factor and due_at is not None and due_at <= self.now

    @property
    def idle_minutes(self) -> int:
        """Minutes without a sign of life after which the counter locks."""
        return conf().idle_minutes

    @property
    def today(self) -> date:
        return self.pharmacy.local_day(self.now)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.pharmacy.time_zone)

    def time_of(self, moment: datetime) -> str:
        """Return the time of day at the pharmacy: `10:05`."""
        return f"{moment.astimezone(self.zone):%H:%M}"

    @property
    def menu(self) -> list[MenuItem]:
        links = [
            (words, reverse(name), LETTERS.get(name, ""))
            for words, name, is_allowed in MENU
            if is_allowed(self.by) and self._is_used(name)
        ]
        current = max((address for _, address, _ in links if self.path.startswith(address)), key=len, default="")
        return [MenuItem(words, address, address == current, letter) for words, address, letter in links]

    def _is_used(self, page: str) -> bool:
        return page != "counter:second-waiting" or self.pharmacy.second_signer

    def fetch(self, rows: QuerySet[Row], pk: uuid.UUID | int) -> Row:
        """Return the row of this pharmacy, or raise NotFound: absent and another pharmacy's are not told apart."""
        row = rows.filter(pk=pk, pharmacy_id=self.member.pharmacy_id).first()
        if row is None:
            raise NotFound("There is no such thing at this pharmacy.")
        return row
