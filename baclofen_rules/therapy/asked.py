"""An order, or a recorded supply, whose relation to what is taken is asked; and the answer, with the courses it is about."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from baclofen_rules.therapy.course import Course
from baclofen_rules.therapy.model import How, Order, Plan, Relation, Supply


class Asked(NamedTuple):
    """The order, or the recorded supply, whose relation is in question."""

    id: str
    plan: Plan | None
    prescriber: str | None
    written_on: date | None = None
    starts_on: date | None = None
    group: str | None = None
    order: Order | None = None

    @classmethod
    def of_order(cls, order: Order) -> Asked:
        return cls(
            order.id,
            order.plan,
            order.prescriber,
            order.written_on,
            order.starts_on,
            order.group,
            order,
        )

    @classmethod
    def of_recorded(cls, supply: Supply) -> Asked:
        return cls(supply.id, supply.plan, supply.prescriber)

    @property
    def as_needed(self) -> bool:
        return self.plan is not None and self.plan.as_needed

    @property
    def is_constant(self) -> bool:
        return self.plan is not None and self.plan.is_constant

    @property
    def first_mg(self) -> Decimal | None:
        """mg a day on day 1; None where nobody knows."""
        return self.plan.phases[0].mg if self.plan is not None and self.plan.phases else None


class RelationToCourses(NamedTuple):
    """A relation with the courses it is about, and how the others stand to what is handed over."""

    relation: Relation
    how: How | None
    to: tuple[Course, ...] = ()
    beside: Mapping[Course, bool] = MappingProxyType({})
    """Courses that go on beside it: True where nobody knows whether they do."""
    decided_beside: tuple[Course, ...] = ()
    """Courses of which a person said that they go on beside it."""
    ends: Mapping[Course, date | None] = MappingProxyType({})
    """Courses that a person said it takes the place of, while it continues another or is asked about one; and from which day."""
    starts_on: date | None = None
    """The first day of the new dose, where a person named one."""
