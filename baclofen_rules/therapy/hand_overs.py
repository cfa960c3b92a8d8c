"""The hand-overs of a therapy: for which days each is, what its papers say, and its place among the fills of its order."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from baclofen_rules.therapy.answers import DayStretch, Dose, DoseStretch, SupplyDays, SupplyType
from baclofen_rules.therapy.course import Course, Ending
from baclofen_rules.therapy.days import TherapyDays
from baclofen_rules.therapy.fills import fills_begun
from baclofen_rules.therapy.model import Supply, SupplyStatus


class TherapyHandOvers(TherapyDays):
    """The hand-overs of a therapy, each as counted when it happened."""

    def supply(self, supply_id: str) -> SupplyDays:
        """Return the days that a hand-over is for, as counted when it happened."""
        first, end = self._now.feedings[supply_id].days()
        return SupplyDays(date.fromordinal(first), date.fromordinal(end))

    def replaced_on(self, supply_id: str) -> date | None:
        """Return the first day, past or planned, of what takes the place of what a hand-over feeds; None without it."""
        feeding = self._now.feedings.get(supply_id)
        if feeding is None:
            return None
        course = self._forecast_of(feeding.course)
        if course.ended_why is not Ending.REPLACED or course.ended_on is None:
            return None
        return date.fromordinal(course.ended_on)

    def course_of(self, supply_id: str) -> str:
        """Return the name of the course that a hand-over feeds."""
        return self._now.feedings[supply_id].course.name

    def label(self, supply_id: str, run_out_on: date | None = None) -> list[DoseStretch]:
        """Return the stretches of a hand-over's own days, from where its course stands.

        `run_out_on` is the first day after them, where that is another than on the day of the hand-over.
        """
        days = self.supply(supply_id)
        course = self._now.feedings[supply_id].course
        name = course.name
        if course.as_needed:
            segment = self._now.feedings[supply_id].segment
            phase, _ = segment.at(days.starts_on.toordinal(), segment.first_taken)
            if phase is None or segment.plan is None:
                return []
            return [DoseStretch(days.starts_on, None, Dose(name, segment.source, phase, segment.plan.strengths, True))]
        stretches: list[DoseStretch] = []
        for first, end in self._spans(days.starts_on.toordinal(), (run_out_on or days.run_out_on).toordinal()):
            dose = next((dose for dose in self._day(first).doses if dose.course == name), None)
            if dose is None:
                continue
            if stretches and stretches[-1].dose == dose:
                stretches[-1] = stretches[-1]._replace(last_on=date.fromordinal(end - 1))
            else:
                stretches.append(DoseStretch(date.fromordinal(first), date.fromordinal(end - 1), dose))
        return stretches

    def calendar(self, supply_id: str, run_out_on: date | None = None) -> list[DayStretch]:
        """Return the covered fixed days of the therapy from a hand-over's first day to its end, as `label` has it."""
        days = self.supply(supply_id)
        end = run_out_on or days.run_out_on
        if self._now.feedings[supply_id].course.as_needed or end <= days.starts_on:
            return []
        spans = self.stretches(days.starts_on, end - timedelta(days=1))
        return [span for span in spans if span.day.fixed_doses]

    def highest_of(self, supply_id: str) -> Decimal | None:
        """Return the largest `high` over the days of a hand-over; None where nobody knows a dose."""
        days = self.supply(supply_id)
        spans = self.stretches(days.starts_on, max(days.starts_on, days.run_out_on - timedelta(days=1)))
        highs = [span.day.high for span in spans]
        return None if None in highs else max(high for high in highs if high is not None)

    def position(self, supply_id: str) -> int:
        """Return the day of its order's plan on which a hand-over's first day falls; 1 is the first."""
        feeding = self._now.feedings[supply_id]
        (first, _), segment = feeding.days(), feeding.segment
        return 1 if segment.first_taken is None else max(1, first - segment.first_taken - segment.moved + 1)

    def supply_type(self, supply_id: str, product: int) -> SupplyType:
        """Return the kind of a hand-over on an order by one of its products: first or later, a whole ordered quantity or a part.

        `product` counts from 0.
        """
        *earlier, supply = self._up_to(supply_id)
        is_first = not any(s.tablets is None or s.tablets[product] for s in earlier)
        quantity = self._orders[str(supply.order)].plan.products[product].quantity
        tablets = None if supply.tablets is None else supply.tablets[product]
        if quantity in (None, tablets):
            return SupplyType.FIRST_FILL if is_first else SupplyType.REFILL
        return SupplyType.FIRST_FILL_PART if is_first else SupplyType.REFILL_PART

    def fills(self, supply_id: str) -> int:
        """Return how many ordered quantities had been begun with a hand-over on an order."""
        supplies = self._up_to(supply_id)
        return fills_begun(self._orders[str(supplies[-1].order)], supplies)

    def _up_to(self, supply_id: str) -> list[Supply]:
        """Return one of the hand-overs on an order as the last, after those before it that were not cancelled."""
        supply = next(s for s in self.facts.supplies if s.id == supply_id)
        earlier = [s for s in self.facts.supplies if s.order == supply.order and s.place < supply.place]
        return [*(s for s in earlier if s.status is not SupplyStatus.CANCELLED), supply]

    def _forecast_of(self, course: Course) -> Course:
        """Return the copy of a course that is counted to its end."""
        return self._ahead_by_name[course.name]
