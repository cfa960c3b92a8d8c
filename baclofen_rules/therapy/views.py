"""A therapy: every question about what a patient takes, from which supply, until when.

Made of facts by `therapy(facts)`; knows no clock. All days are dates, all amounts mg or tablets as Decimal. Where the
record cannot tell a dose, `mg` is None; `low` and `high` are the least and the most that can be true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property

from baclofen_rules.therapy.answers import (
    HAND_OVER,
    CourseView,
    Due,
    EndedCourse,
    OrderRelation,
    QueueState,
    Thread,
)
from baclofen_rules.therapy.asked import Asked, RelationToCourses
from baclofen_rules.therapy.course import Course, Ending
from baclofen_rules.therapy.days import sum_known
from baclofen_rules.therapy.fills import days_kept, days_kept_of, fill_days, owes, refill_due_from
from baclofen_rules.therapy.hand_overs import TherapyHandOvers
from baclofen_rules.therapy.model import (
    ZERO,
    Decision,
    Facts,
    FrozenRelation,
    How,
    OrderStatus,
    PlanPhase,
    Relation,
    Supply,
    SupplyStatus,
)
from baclofen_rules.therapy.relations import relation_to_courses


class Therapy(TherapyHandOvers):
    """All courses of oral baclofen of one patient, as known on the morning of a day."""

    @cached_property
    def last_day(self) -> date | None:
        """The day before a planned end that the tablets reach; None when something fixed goes on after it."""
        ends = [thread.ends_on for thread in self.threads if not thread.as_needed]
        known_ends = [day for day in ends if day is not None]
        return max(known_ends) - timedelta(days=1) if known_ends and known_ends == ends else None

    # --- courses and threads --------------------------------------------------------------------------------------

    @cached_property
    def ended(self) -> tuple[EndedCourse, ...]:
        """The courses that have ended up to today."""
        today = self.today.toordinal()
        return tuple(
            self._ended(course, course.ended_on, course.ended_why)
            for course in self._now.courses
            if course.ended_on is not None and course.ended_why is not None and course.ended_on <= today
        )

    def _ended(self, course: Course, ended_on: int, why: Ending) -> EndedCourse:
        covered = [stretch.end for stretch in course.stretches if stretch.uncovered_since is None]
        last = (covered[-1] if covered else ended_on) - 1
        return EndedCourse(
            course=course.name,
            on=date.fromordinal(ended_on),
            why=why,
            mg=self._day(last).mg,
            as_needed=course.as_needed,
            low=self._bounds_of(course, last)[0],
        )

    def course(self, name: str) -> CourseView:
        """Return a course by its name. Raises KeyError."""
        course = next((c for c in self._now.courses if c.name == name), None)
        if course is None:
            raise KeyError(name)
        phase, strengths = self._last_covered_phase(course)
        uncovered = self._now.cover_end(course)
        return CourseView(
            name=name,
            as_needed=course.as_needed,
            mg=None if phase is None else phase.mg,
            since=date.fromordinal(course.first_on),
            first_uncovered=None if uncovered is None else date.fromordinal(uncovered),
            prescriber=course.last_segment.prescriber,
            source=course.last_segment.source,
            strengths=strengths,
            replaces=tuple(other.name for other in course.replaces if course.first_on > self.today.toordinal()),
        )

    @cached_property
    def threads(self) -> tuple[Thread, ...]:
        """Every course open today, followed through what replaces it without a hole."""
        today = self.today.toordinal()
        followed: set[str] = set()
        threads = []
        for course in sorted(self._ahead.courses, key=lambda c: c.first_on):
            is_open = course.ended_on is None or course.ended_on > today
            if not is_open or course.name in followed:
                continue
            last = course
            while (uncovered := last.first_uncovered(today)) is None and last.replaced_by is not None:
                last = last.replaced_by
                followed.add(last.name)
            threads.append(self._thread(course, last, uncovered))
        return tuple(threads)

    def _thread(self, course: Course, last: Course, uncovered: int | None) -> Thread:
        due = None
        if uncovered is not None:
            order = last.last_segment.order
            if order is None or order.interval_days is None or last.as_needed:
                due = date.fromordinal(refill_due_from(self._now, self._counted(last), uncovered))
        ends_on = last.ended_on if last.ended_why in (Ending.PLANNED, Ending.STOPPED) else None
        return Thread(
            course=course.name,
            last_course=last.name,
            first_uncovered=None if uncovered is None else date.fromordinal(uncovered),
            ends_on=date.fromordinal(ends_on) if uncovered is None and ends_on is not None else None,
            is_end_announced=ends_on is None or not self._is_of_replaced_order(last, ends_on),
            as_needed=last.as_needed,
            refill_due_on=due,
            mg=None if uncovered is None else self._day(uncovered - 1).mg,
        )

    def _counted(self, course: Course) -> Course:
        """Return the course of today's state that a course of the forecast is a copy of."""
        return next(c for c in self._now.courses if c.name == course.name)

    # --- orders ---------------------------------------------------------------------------------------------------

    def relate(self, order_id: str) -> OrderRelation | None:
        """Return how an order stands to what is taken, before any answer; None where it may not be handed over."""
        order = self._orders[order_id]
        if order.status is not OrderStatus.ACTIVE or self._has_died:
            return None
        return self._order_relation(relation_to_courses(self._now, Asked.of_order(order)))

    def relate_supply(self, supply_id: str) -> OrderRelation | None:
        """Return the relation of a hand-over as it was counted; None for one that is not counted."""
        feeding = self._now.feedings.get(supply_id)
        if feeding is None:
            return None
        if feeding.relation is not None:
            return self._order_relation(feeding.relation)
        earlier = list(self._now.feedings)[: list(self._now.feedings).index(supply_id)]
        handed_over = [supply for supply in self.facts.supplies if supply.id in earlier]
        relation = Relation.PART if owes(feeding.asked.order, handed_over) else Relation.CONTINUES
        return self._order_relation(RelationToCourses(relation, How.OWN_ORDER, (feeding.course,)))

    @property
    def _has_died(self) -> bool:
        return self.facts.died_on is not None and self.facts.died_on <= self.today

    def _order_relation(self, relation: RelationToCourses) -> OrderRelation:
        today, named = self.today.toordinal(), relation.to
        taken = self._taken_before(relation) or named
        bounds = [self._last_covered_bounds(course) for course in taken]
        ends = [self._now.cover_end(course) for course in named]
        phase, strengths = self._last_covered_phase(named[0]) if named else (None, ())
        uncovered_on = min([end for end in ends if end is not None], default=None)
        first = named[0] if named else None
        days = 0 if first is None else fill_days(self._now, first)
        return OrderRelation(
            relation=relation.relation,
            how=relation.how,
            to=tuple(course.name for course in named),
            beside=tuple(c.name for c, is_unknown in relation.beside.items() if not is_unknown),
            decided_beside=tuple(c.name for c in self._decided_beside(relation)),
            previous_low=sum((least for least, _ in bounds), ZERO),
            previous_high=sum_known([most for _, most in bounds]),
            uncovered_on=None if uncovered_on is None else date.fromordinal(uncovered_on),
            gap_days=0 if uncovered_on is None else max(0, today - uncovered_on),
            left_days=0 if uncovered_on is None else max(0, uncovered_on - today),
            held_since=self._held_since_of(taken),
            kept_days=days_kept_of(days, self.facts.habits),
            fill_days=days,
            previous_doses=() if phase is None else phase.doses_together,
            previous_strength_mg=strengths[0] if len(strengths) == 1 else None,
            last_supply_on=max((s.on for s in first.supplies), default=None) if first is not None else None,
            began_today=bool(named) and all(course.first_on == today for course in named),
        )

    def _taken_before(self, relation: RelationToCourses) -> Sequence[Course]:
        """Return the courses that have begun of those a relation is about, and of those they were to replace."""
        planned = [course for course in relation.to if course.first_on > self.today.toordinal()]
        if not planned or relation.relation is Relation.CONTINUES:
            return relation.to
        replaced = [other for course in planned for other in course.replaces if other.is_open]
        return [course for course in dict.fromkeys((*relation.to, *replaced)) if course not in planned]

    def _decided_beside(self, relation: RelationToCourses) -> list[Course]:
        decided = list(relation.decided_beside)
        for course in relation.to:
            if course.decided_beside:
                decided += [c for c in self._now.running() if c.name in course.decided_beside]
        replaced = relation.ends if relation.relation is Relation.BESIDE else (*relation.to, *relation.ends)
        return [course for course in dict.fromkeys(decided) if course not in replaced]

    def _last_covered_bounds(self, course: Course) -> tuple[Decimal, Decimal | None]:
        """Return the least and the most on a course's last covered day before today; of today where it began today."""
        ahead = self._forecast_of(course)
        return self._bounds_of(ahead, self._last_covered(ahead))

    def _last_covered_phase(self, course: Course) -> tuple[PlanPhase | None, tuple[Decimal | None, ...]]:
        """Return the phase of that day, and the strengths it was made of."""
        ahead = self._forecast_of(course)
        stretch = ahead.stretch_on(self._last_covered(ahead))
        if stretch is None or stretch.phase is None or stretch.segment.plan is None:
            return None, ()
        return stretch.phase, stretch.segment.plan.strengths

    def _last_covered(self, ahead: Course) -> int:
        today = self.today.toordinal()
        for stretch in reversed(ahead.stretches):
            if stretch.uncovered_since is None and stretch.first < today:
                return min(stretch.end, today) - 1
        return ahead.first_on

    def _held_since_of(self, courses: Sequence[Course]) -> date | None:
        if not courses:
            return None
        ahead = [self._forecast_of(course) for course in courses]

        def mg_on(day: int) -> Decimal:
            stretches = (c.stretch_on(day) for c in ahead)
            covered = [s.phase for s in stretches if s is not None and s.uncovered_since is None]
            return sum((phase.mg for phase in covered if phase is not None), ZERO)

        last_covered = max(self._last_covered(course) for course in ahead)
        return self._held_since(mg_on, min(last_covered, self.today.toordinal()), ahead)

    def relate_stop(self, course: str | None) -> OrderRelation:
        """Return the relation of a stop to a course, or where none is named to all that are open."""
        open_courses = [c for c in self._now.courses if c.is_open and (course is None or c.is_fed_by(course))]
        return self._order_relation(RelationToCourses(Relation.CHANGES, None, tuple(open_courses)))

    def owed(self, order_id: str) -> tuple[Decimal, ...] | None:
        """Return the tablets of the fill begun that are still to be handed over, by product; None where none are."""
        return owes(self._orders[order_id], self.facts.supplies) if not self._has_died else None

    def due(self, order_id: str) -> Due:
        """Return the state of an order in the queue, the day it is due, and the first day on which it is not early."""
        order = self._orders[order_id]
        if order.status not in (OrderStatus.ACTIVE, OrderStatus.WAITING):
            return Due(QueueState.DONE, None, None)
        if self._has_died:
            return Due(QueueState.BLOCKED, None, None)
        if order.status is OrderStatus.WAITING:
            return Due(QueueState.WAITING, None, None)
        relation = relation_to_courses(self._now, Asked.of_order(order))
        today, lead = self.today, timedelta(days=self.facts.habits.lead)
        handed_over = [s for s in self.facts.supplies if s.order == order_id and s.status is not SupplyStatus.CANCELLED]
        due = earliest = today
        if relation.relation in (Relation.PART, Relation.CONTINUES) and self.owed(order_id) is not None:
            if order.interval_days is None:
                return Due(QueueState.OWING, today, today)
            due = earliest = max(s.on for s in handed_over) + timedelta(days=order.interval_days)
        elif order.starts_on is not None and not handed_over and order.starts_on - lead > today:
            return Due(QueueState.NOT_YET, order.starts_on - lead, order.starts_on - lead)
        elif relation.relation is Relation.CONTINUES:
            uncovered = self._now.cover_end(relation.to[0])
            if uncovered is not None:
                earliest = date.fromordinal(uncovered - days_kept(self._now, relation.to[0]))
                due = date.fromordinal(refill_due_from(self._now, relation.to[0], uncovered))
                if order.written_on is not None:
                    earliest = max(earliest, order.written_on)
        return Due(QueueState.NOT_DUE if due > today else QueueState.DUE, due, earliest)

    # --- hand-overs -----------------------------------------------------------------------------------------------

    def with_hand_over(
        self, order_id: str, tablets: Sequence[Decimal], answer: Sequence[Decision] = (), supply_id: str = HAND_OVER
    ) -> Therapy:
        """Return the therapy after a hand-over today under an answer, for the screen before and the paper after."""
        number = 1 + max((s.number for s in self.facts.supplies if s.order == order_id), default=0)
        of_day = 1 + max((s.number_of_day or 0 for s in self.facts.supplies if s.on == self.today), default=0)
        supply = Supply(supply_id, self.today, order_id, tuple(tablets), number=number, number_of_day=of_day)
        is_second = any(s.on == self.today and s.order != order_id for s in self.facts.supplies)
        if is_second or any(course.first_on == self.today.toordinal() for course in self._now.courses):
            # It comes after the other hand-overs and starts of its day, as how it stands to them says.
            relation = self.relate(order_id)
            if relation is not None:
                supply = replace(supply, relation=FrozenRelation(relation.relation, relation.how, relation.to))
        facts = replace(
            self.facts,
            supplies=(*self.facts.supplies, supply),
            decisions=(*self.facts.decisions, *answer),
        )
        return Therapy(facts)

    def highest(self, order_id: str, tablets: Sequence[Decimal]) -> Decimal | None:
        """Return the largest `high` over the days of a hand-over of some tablets today, before any answer."""
        return self.with_hand_over(order_id, tablets).highest_of(HAND_OVER)


def therapy(facts: Facts) -> Therapy:
    """Count what a patient takes from everything known of it."""
    return Therapy(facts)
