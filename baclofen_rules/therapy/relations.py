"""The relation of an order, or of a supply recorded from elsewhere, to the courses that run: a table of rows.

The first row that holds decides. Where nobody can tell, the relation is unknown: a person is asked, and until then both
supplies count towards the most, and only the smaller towards the least.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from baclofen_rules.therapy.model import (
    ZERO,
    Decision,
    DecisionKind,
    FrozenRelation,
    How,
    Order,
    OrderStatus,
    Plan,
    Relation,
    Supply,
)

if TYPE_CHECKING:
    from baclofen_rules.therapy.courses import Course, Courses

_DECIDED = {
    DecisionKind.REPLACES: Relation.CHANGES,
    DecisionKind.CONTINUES: Relation.CONTINUES,
    DecisionKind.BESIDE: Relation.BESIDE,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """The order, or the recorded supply, whose relation is in question."""

    id: str
    plan: Plan | None
    prescriber: str | None
    written_on: date | None = None
    starts_on: date | None = None
    replaces: str | None = None
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
            order.replaces,
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
    def first_mg(self) -> Decimal | None:
        """mg a day on day 1; None where nobody knows."""
        return self.plan.phases[0].mg if self.plan is not None and self.plan.phases else None


@dataclass(frozen=True, slots=True)
class RelationToCourses:
    """A relation with the courses it is about, and how the others stand to what is handed over."""

    relation: Relation
    how: How | None
    to: tuple[Course, ...] = ()
    beside: dict[Course, bool] = field(default_factory=dict)
    """Courses that go on beside it: True where nobody knows whether they do."""
    decided_beside: tuple[Course, ...] = ()
    """Courses of which a person said that they go on beside it."""
    starts_on: date | None = None
    """The first day of the new dose, where a person named one."""


class _Row(NamedTuple):
    number: int
    relation: Relation
    how: How


def relation_to_courses(state: Courses, asked: Asked, supply: Supply | None = None) -> RelationToCourses:
    """Return the relation of an order, or a recorded supply, to the courses on the day that the state has reached.

    `supply` is the hand-over in question, None before there is one. What a person decided counts before everything; the
    relation frozen with a hand-over counts before the table.
    """
    decided = _decided(state, asked, supply)
    if decided is not None:
        return decided
    if supply is not None and supply.relation is not None:
        frozen = _frozen(state, supply.relation)
        if frozen.relation is Relation.UNKNOWN:
            return _decided(state, asked, supply, late=True) or frozen
        return frozen
    relation = _by_table(state, asked)
    if relation.relation is Relation.UNKNOWN and supply is not None:
        return _decided(state, asked, supply, late=True) or relation
    return relation


def _decided(state: Courses, asked: Asked, supply: Supply | None, late: bool = False) -> RelationToCourses | None:
    """Return what a person decided; None without a decision about a course that is open.

    A decision settles the latest hand-over before it and all after it; with `late`, also an earlier one that the table
    and the record leave unknown.
    """
    about = [d for d in state.decisions if d.subject == asked.id and d.kind in _DECIDED]
    if not about:
        return None
    if supply is not None and not late:
        days = sorted(s.on for s in state.facts.supplies if (s.order or s.id) == asked.id)
        about = [d for d in about if supply.on >= max((day for day in days if day <= d.on), default=supply.on)]
    latest: dict[Course, Decision] = {}
    for decision in about:
        course = state.named(decision.object)
        if course is not None and course.is_open:
            latest[course] = decision
    takeovers = {c: d for c, d in latest.items() if d.kind is not DecisionKind.BESIDE}
    beside = {c: False for c in latest if c not in takeovers}
    if not latest:
        return None
    if takeovers:
        decision = max(takeovers.values(), key=lambda d: d.on)
        to = tuple(c for c, d in takeovers.items() if d.kind is decision.kind)
        return RelationToCourses(
            _DECIDED[decision.kind],
            How.DECIDED,
            to,
            _beside_of_replaced(state, to) | beside,
            tuple(beside),
            decision.starts_on,
        )
    others = {c: _is_unknown_to(state, asked, c, beside) for c in _running(state) if c not in beside}
    return RelationToCourses(Relation.BESIDE, How.DECIDED, tuple(beside), beside | others, tuple(beside))


def _is_unknown_to(state: Courses, asked: Asked, course: Course, settled: dict[Course, bool]) -> bool:
    """Say whether nobody knows how something stands to a course: not where that is known of what it goes on beside."""
    if any(not state.are_unknown(course, other) for other in settled):
        return False
    return _row(state, asked, course).relation is Relation.UNKNOWN


def _frozen(state: Courses, frozen: FrozenRelation) -> RelationToCourses:
    named = (state.named(name) for name in frozen.to)
    to = tuple(course for course in named if course is not None and course.is_open)
    relation = frozen.relation
    if relation in (Relation.CONTINUES, Relation.PART, Relation.CHANGES) and not to:
        relation = Relation.NEW
    if relation in (Relation.CONTINUES, Relation.PART, Relation.CHANGES):
        beside = _beside_of_replaced(state, to)
    else:
        is_unknown = relation is Relation.UNKNOWN
        beside = {course: is_unknown and course in to for course in _running(state)}
    decided = to if frozen.how is How.DECIDED and relation is Relation.BESIDE else ()
    return RelationToCourses(relation, frozen.how, to, beside, decided, frozen.starts_on)


def _running(state: Courses) -> list[Course]:
    """Return the courses that run on the day, or are planned."""
    return [c for c in state.courses if c in state.planned or (c.is_open and _runs(state, c))]


def _runs(state: Courses, course: Course) -> bool:
    """Say whether a course runs on the morning of the day; the day itself is not counted yet."""
    if course.as_needed:
        return course.first_on <= state.day
    return _gap(state, course) < state.facts.habits.restart_after


def _gap(state: Courses, course: Course) -> int:
    """Return the days without tablets up to the morning of the day."""
    uncovered = state.cover_end(course)
    return 0 if uncovered is None else max(0, state.day - uncovered)


def _by_table(state: Courses, asked: Asked) -> RelationToCourses:
    own = _own_course(state, asked)
    if own is not None and own.is_open and (own in state.planned or _runs(state, own)):
        return _own_order(state, asked, own)
    running = _running(state)
    ended = own is not None and own.ended_why is not None and own.ended_why.value in ("replaced", "stopped")
    if ended and own is not None and state.day - (own.ended_on or 0) <= state.facts.habits.new_after:
        return RelationToCourses(Relation.UNKNOWN, How.OUTDATED, tuple(running), dict.fromkeys(running, True))
    if not running:
        return _after_gap(state, asked, own)
    if own is not None and own.is_open:
        return _own_order(state, asked, own)
    rows = {course: _row(state, asked, course) for course in running}
    takeovers = {c: r for c, r in rows.items() if r.relation in (Relation.CONTINUES, Relation.CHANGES)}
    if takeovers:
        first = min(takeovers.values())
        to = tuple(course for course, row in takeovers.items() if row == first)
        if first.relation is Relation.CONTINUES:
            to = (min(to, key=lambda c: (c.last_segment.prescriber != asked.prescriber, state.cover_end(c) or 0)),)
        beside = _beside_of_replaced(state, to)
    else:
        first = min(rows.values())
        to = tuple(course for course, row in rows.items() if row == first)
        beside = dict.fromkeys(to, False) if first.relation is Relation.BESIDE else {}
    for course, row in rows.items():
        if course not in to and course not in beside:
            beside[course] = row.relation is not Relation.BESIDE
    unknown = tuple(c for c in running if beside.get(c) or (c in to and first.relation is Relation.UNKNOWN))
    if unknown:
        first = min((rows[course] for course in unknown), default=first)
        how = first.how if first.relation is Relation.UNKNOWN else How.UNKNOWN
        return RelationToCourses(
            Relation.UNKNOWN, how, unknown, {course: beside.get(course, True) for course in running}
        )
    return RelationToCourses(first.relation, first.how, to, beside)


def _own_order(state: Courses, asked: Asked, own: Course) -> RelationToCourses:
    handed_over = [s for s in state.facts.supplies if s.id in state.relations]
    relation = Relation.PART if owes(asked.order, handed_over) else Relation.CONTINUES
    return RelationToCourses(relation, How.OWN_ORDER, (own,))


def _beside_of_replaced(state: Courses, to: Sequence[Course]) -> dict[Course, bool]:
    """Return the courses that run beside those that are continued or replaced: they run beside what follows, too."""
    others = (course for course in _running(state) if course not in to)
    return {course: any(state.are_unknown(course, replaced) for replaced in to) for course in others}


def _own_course(state: Courses, asked: Asked) -> Course | None:
    """Return the latest course that the order fed; an open one first."""
    fed = [c for c in state.courses if any(segment.source == asked.id for segment in c.segments)]
    return next((course for course in reversed(fed) if course.is_open), fed[-1] if fed else None)


def _after_gap(state: Courses, asked: Asked, own: Course | None) -> RelationToCourses:
    """Return the relation where nothing runs: to the open course that ran last, if there is one."""
    paused = [course for course in state.courses if course.is_open]
    if not paused:
        return RelationToCourses(Relation.NEW, None)
    course = own if own in paused and own is not None else max(paused, key=lambda c: state.cover_end(c) or 0)
    is_equal = course is own or _is_equal(state, asked, course)
    return RelationToCourses(Relation.CONTINUES if is_equal else Relation.CHANGES, How.AFTER_GAP, (course,))


def _row(state: Courses, asked: Asked, course: Course) -> _Row:
    """Return the first row of the table that holds between something and one course that runs."""
    segment = course.last_segment
    mg_now = _mg_now(state, course)
    is_known = asked.first_mg is not None and mg_now is not None
    is_equal = _is_equal(state, asked, course)
    is_same_prescriber = asked.prescriber is not None and asked.prescriber == segment.prescriber
    if asked.replaces is not None and course.is_fed_by(asked.replaces):
        is_constant = is_equal and asked.plan is not None and asked.plan.is_constant
        return _Row(6, Relation.CONTINUES if is_constant else Relation.CHANGES, How.SAID)
    if asked.group is not None and segment.order is not None and segment.order.group == asked.group:
        return _Row(7, Relation.BESIDE, How.GROUP)
    if is_same_prescriber and _are_two_strengths(asked, course):
        return _Row(8, Relation.BESIDE, How.TWO_STRENGTHS)
    if is_equal:
        if is_same_prescriber or is_refill_due(state, course):
            return _Row(9, Relation.CONTINUES, How.SAME_DOSE)
        return _Row(10, Relation.UNKNOWN, How.UNKNOWN)
    if is_same_prescriber and asked.as_needed != course.as_needed:
        return _Row(11, Relation.BESIDE, How.AS_NEEDED)
    if is_same_prescriber and is_known and not asked.as_needed and _is_the_only_fixed(state, course):
        is_active = segment.order is not None and segment.order.status is OrderStatus.ACTIVE
        is_taper = asked.plan is not None and asked.plan.then_stop is True
        if (asked.first_mg or ZERO) > (mg_now or ZERO) or is_taper or not is_active:
            return _Row(12, Relation.CHANGES, How.SAME_PRESCRIBER)
        return _Row(13, Relation.UNKNOWN, How.LOWER)
    return _Row(14, Relation.UNKNOWN, How.UNKNOWN)


def _mg_now(state: Courses, course: Course) -> Decimal | None:
    phase = course.position(max(state.day, course.first_on), state.facts.habits.new_after)
    return None if phase is None else phase.mg


def _is_equal(state: Courses, asked: Asked, course: Course) -> bool:
    mg_now = _mg_now(state, course)
    return mg_now is not None and asked.first_mg == mg_now and asked.as_needed == course.as_needed


def _are_two_strengths(asked: Asked, course: Course) -> bool:
    """Say whether one prescriber wrote two tablet strengths on one day, both fixed: one regimen."""
    order = course.last_segment.order
    if order is None or asked.plan is None or asked.as_needed or course.as_needed:
        return False
    strengths, others = set(asked.plan.strengths), set(order.plan.strengths)
    is_known = None not in strengths and None not in others
    return asked.written_on is not None and asked.written_on == order.written_on and is_known and strengths != others


def _is_the_only_fixed(state: Courses, course: Course) -> bool:
    """Say whether a course is fixed, and the only fixed one of its prescriber that runs."""
    fixed = [c for c in _running(state) if not c.as_needed]
    prescriber = course.last_segment.prescriber
    return not course.as_needed and [c for c in fixed if c.last_segment.prescriber == prescriber] == [course]


def owes(order: Order | None, supplies: Sequence[Supply]) -> tuple[Decimal, ...] | None:
    """Return the tablets of the fill begun that are still to be handed over, by product; None where none are."""
    if order is None or order.status is not OrderStatus.ACTIVE:
        return None
    quantities = [product.quantity for product in order.plan.products]
    rest = []
    for index, quantity in enumerate(quantities):
        given = sum(
            (s.tablets[index] for s in supplies if s.order == order.id and s.tablets and s.status != "cancelled"), ZERO
        )
        begun = given % quantity if quantity else ZERO
        rest.append(quantity - begun if quantity and begun else ZERO)
    return tuple(rest) if any(rest) else None


def days_kept(state: Courses, course: Course) -> int:
    """Return the most days of the last fill that may be left when a refill is not early: whole days, rounded down."""
    habits = state.facts.habits
    days = fill_days(state, course)
    if habits.days_left is not None:
        return min(habits.days_left, days // 2)
    share = Decimal(1) - (habits.used_fraction or ZERO)
    return max(int(days * share), min(7, days // 2))


def fill_days(state: Courses, course: Course) -> int:
    """Return the days of the last fill that a course was given: of all parts of one ordered quantity."""
    if not course.supplies:
        return 0
    last = course.supplies[-1]
    order = None if last.order is None else state.orders[last.order]
    parts = [s for s in course.supplies if s.order == last.order] if order is not None else [last]
    days = 0
    for supply in reversed(parts):
        first, end = state.moved_u[supply.id]
        days += end - first
        if order is None or _is_first_part(order, supply, state.facts.supplies):
            break
    return days


def _is_first_part(order: Order, supply: Supply, supplies: Sequence[Supply]) -> bool:
    """Say whether a hand-over begins an ordered quantity."""
    quantity = order.plan.products[0].quantity
    if not quantity:
        return True
    earlier = [
        s for s in supplies if s.order == order.id and s.status != "cancelled" and s.tablets and s.place < supply.place
    ]
    return sum((s.tablets[0] for s in earlier if s.tablets), ZERO) % quantity == 0


def refill_due(state: Courses, course: Course) -> int | None:
    """Return the day from which a refill is due; None where the course needs none."""
    uncovered = state.cover_end(course)
    if uncovered is None:
        return None
    return max(uncovered - state.facts.habits.lead, uncovered - days_kept(state, course))


def is_refill_due(state: Courses, course: Course) -> bool:
    """Say whether no more is left of a course than a refill is due with."""
    due = refill_due(state, course)
    return due is not None and due <= state.day
