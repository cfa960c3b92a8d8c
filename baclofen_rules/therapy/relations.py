"""The relation of an order, or of a supply recorded from elsewhere, to the courses that run: a table of rows.

The first row that holds decides. Where nobody can tell, the relation is unknown: a person is asked, and until then both
supplies count towards the most, and only the smaller towards the least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from baclofen_rules.therapy.asked import Asked, RelationToCourses
from baclofen_rules.therapy.course import Course, Ending
from baclofen_rules.therapy.fills import is_refill_due, owes
from baclofen_rules.therapy.model import (
    ZERO,
    Decision,
    DecisionKind,
    FrozenRelation,
    How,
    OrderStatus,
    Relation,
    Supply,
    SupplyStatus,
    replaces_itself,
)

if TYPE_CHECKING:
    from baclofen_rules.therapy.courses import Courses

_DECIDED = {
    DecisionKind.REPLACES: Relation.CHANGES,
    DecisionKind.CONTINUES: Relation.CONTINUES,
    DecisionKind.BESIDE: Relation.BESIDE,
}
_TAKEOVERS = (Relation.CONTINUES, Relation.PART, Relation.CHANGES)


class _Row(NamedTuple):
    """A row of the table that holds between something and one course."""

    number: int
    relation: Relation
    how: How | None


def relation_to_courses(state: Courses, asked: Asked, supply: Supply | None = None) -> RelationToCourses:
    """Return the relation of an order, or a recorded supply, to the courses on the day that the state has reached.

    `supply` is the hand-over in question, None before there is one. What a person decided counts before everything; the
    relation frozen with a hand-over counts before the table.
    """
    own = state.fed_by(asked.id)
    if own is not None and own.is_open:
        return _own_order(state, asked, own, supply)
    running = state.running()
    decided = _decided(state, asked, own, supply)
    relation = _relation(state, asked, own, supply, running, decided)
    if relation.relation is Relation.UNKNOWN and supply is not None:
        late = _decided(state, asked, own, supply, is_late=True) | decided
        if late != decided:
            return _relation(state, asked, own, supply, running, late)
    return relation


def _decided(
    state: Courses, asked: Asked, own: Course | None, supply: Supply | None, is_late: bool = False
) -> dict[Course, Decision]:
    """Return the latest decision about each open course that a person named.

    A decision settles the latest hand-over before it and all after it; with `is_late`, also an earlier one that the table
    and the record leave unknown. That two run beside each other may be said of either; what was decided before a course
    of the order was replaced or stopped does not settle whether it begins again.
    """
    if not state.decisions:
        return {}
    about = [
        decision
        for decision in state.decisions
        if decision.kind in _DECIDED
        and (decision.subject == asked.id or (decision.kind is DecisionKind.BESIDE and decision.object == asked.id))
    ]
    if not about:
        return {}
    ended_on = max([c.ended_on or 0 for c in state.by_source.get(asked.id, []) if c.is_outdated], default=0)
    about = [decision for decision in about if decision.on.toordinal() >= ended_on]
    if supply is not None and not is_late:
        own_supplies = [s for s in state.facts.supplies if (s.order or s.id) == asked.id]
        about = [d for d in about if _settles(d, supply, own_supplies, asked)]
    latest: dict[Course, Decision] = {}
    for decision in about:
        name = decision.object if decision.subject == asked.id else decision.subject
        for course in state.named(str(name)):
            before = latest.get(course)
            names = () if before is None or before.on != decision.on else (before.object, before.subject)
            if name != course.name and course.name in names:
                continue  # that one names the course itself, not an order that feeds it and others
            if course is not own:
                latest[course] = decision
    return latest


def _settles(decision: Decision, supply: Supply, own_supplies: Sequence[Supply], asked: Asked) -> bool:
    """Say whether a decision is about a hand-over, or about one before it; `own_supplies` are those of what is asked about."""
    if decision.since is not None and decision.subject == asked.id:
        return any(s.id == decision.since and s.place <= supply.place for s in own_supplies)
    days = [s.on for s in own_supplies if s.status is not SupplyStatus.CANCELLED and s.on <= decision.on]
    return supply.on >= max(days, default=supply.on)


class DecidedByOwn(NamedTuple):
    """The decisions of a person about an order while its own course is open."""

    ends: Mapping[Course, date | None] = MappingProxyType({})
    """Courses that it takes the place of, with the day from which, where a person named one."""
    beside: tuple[Course, ...] = ()
    """Courses that run beside it."""
    answered: tuple[Course, ...] = ()  # of which a person said anything


def decided_by_own(state: Courses, own: Course, asked: Asked, supply: Supply | None) -> DecidedByOwn:
    """Return what a person said of an order while its own course is open."""
    decided = _decided(state, asked, own, supply)
    if not decided:
        return DecidedByOwn()
    replaced = {course: d.starts_on for course, d in decided.items() if d.kind is DecisionKind.REPLACES}
    beside = [course for course, decision in decided.items() if decision.kind is DecisionKind.BESIDE]
    return DecidedByOwn(replaced, tuple(beside), tuple(decided))


def taken_over(state: Courses, course: Course, asked: Asked) -> list[Course]:
    """Return the courses that are planned to take the place of a course before what is asked about would be taken there."""
    if not state.starts:
        return []
    first_on = max(state.day, course.cover_end().day)
    if asked.starts_on is not None and not course.is_fed_by(asked.id):
        first_on = max(first_on, asked.starts_on.toordinal())
    planned = [start for start in state.starts if state.day < start.on <= first_on and course in start.replaced]
    return list(dict.fromkeys(start.course for start in planned if start.course.is_open))


def _relation(  # noqa: PLR0917  (what the relation follows from, strongest last)
    state: Courses,
    asked: Asked,
    own: Course | None,
    supply: Supply | None,
    running: Sequence[Course],
    decided: dict[Course, Decision],
) -> RelationToCourses:
    """Return the relation by what was decided, what is frozen, and the table, of the courses that it is about."""
    frozen = None if supply is None else supply.relation
    if frozen is not None and frozen.relation is not Relation.NEW:
        rows = _frozen_rows(state, asked, frozen, running)
        if not rows and not decided:
            is_kept = frozen.relation in (Relation.UNKNOWN, Relation.BESIDE)  # also to courses that are no longer open
            return RelationToCourses(frozen.relation if is_kept else Relation.NEW, frozen.how)
    else:
        frozen = None
        if not running and not decided:
            return _with_nothing_running(state, asked, own)
        is_outdated = own is not None and own.is_outdated
        outdated = _Row(5, Relation.UNKNOWN, How.OUTDATED)
        rows = {course: outdated if is_outdated else _row(state, asked, course, running) for course in running}
    rows |= {course: _Row(3, _DECIDED[decision.kind], How.DECIDED) for course, decision in decided.items()}
    relation = _combined(state, rows)
    is_unanswered = frozen is None or frozen.relation is Relation.UNKNOWN
    if is_unanswered and relation.relation is Relation.CONTINUES:
        relation = _before_a_start(state, asked, relation, running, decided)
    relation = relation._replace(ends={c: decided[c].starts_on if c in decided else None for c in relation.ends})
    # What goes on has no new dose: each that it takes the place of ends on a day of its own.
    named = () if relation.relation is Relation.CONTINUES else (*relation.to, *relation.beside, *relation.ends)
    days = [decided[course].starts_on for course in named if course in decided]
    starts_on = max([day for day in days if day is not None], default=None if frozen is None else frozen.starts_on)
    if frozen is None or frozen.how is not How.DECIDED or frozen.relation is not Relation.BESIDE:
        return relation if starts_on is None else relation._replace(starts_on=starts_on)
    beside = dict.fromkeys((*relation.decided_beside, *(course for course in rows if course.name in frozen.to)))
    return relation._replace(starts_on=starts_on, decided_beside=tuple(beside))


def _before_a_start(
    state: Courses,
    asked: Asked,
    relation: RelationToCourses,
    running: Sequence[Course],
    decided: Mapping[Course, Decision],
) -> RelationToCourses:
    """Return the relation to the courses planned to take the place of the one continued before anything is taken of it.

    It stands to them as if what they replace had ended. Where the table does not settle that, it is asked about them.
    """
    course = relation.to[0]
    planned = [other for other in taken_over(state, course, asked) if other not in decided]
    if not planned:
        return relation
    rows = [_row(state, asked, other, [c for c in running if c not in other.replaces]) for other in planned]
    row = min(rows, key=lambda row: row.number)
    beside = {other: is_unknown for other, is_unknown in relation.beside.items() if other not in planned}
    if course not in decided and all(other.relation is row.relation for other in rows):
        if row.relation is Relation.CHANGES:
            return relation._replace(relation=row.relation, how=row.how, to=(course, *planned), beside=beside)
        if row.relation is Relation.CONTINUES:
            return relation._replace(how=row.how, to=tuple(planned[:1]), beside=beside | {course: False})
    how = row.how if row.relation is Relation.UNKNOWN and course not in decided else How.UNKNOWN
    beside |= dict.fromkeys((course, *planned), True)
    return relation._replace(relation=Relation.UNKNOWN, how=how, to=tuple(planned), beside=beside)


def _frozen_rows(state: Courses, asked: Asked, frozen: FrozenRelation, running: Sequence[Course]) -> dict[Course, _Row]:
    """Return the row of each course by what is frozen: what it does not name goes on beside.

    A course stopped on the day itself was continued before that; one whose plan was over is not continued. Where nobody
    knows how it stands to a planned course, nobody knows how it stands to what that is to take the place of, unless the
    table has it run beside that.
    """
    rows = {course: _Row(4, Relation.BESIDE, frozen.how) for course in running}
    for name in frozen.to:
        fed = [
            c
            for c in state.courses
            if c.is_fed_by(name) and (c.is_open or (c.ended_on == state.day and c.ended_why is not Ending.PLANNED))
        ]
        for course in [c for c in fed if c.name == name] or fed[-1:]:
            rows[course] = row = _Row(4, frozen.relation, frozen.how)
            if frozen.relation is Relation.UNKNOWN and course.first_on > state.day:
                replaced = [other for other in course.replaces if other in running]
                not_beside = [c for c in replaced if _row(state, asked, c, running).relation is not Relation.BESIDE]
                rows |= dict.fromkeys(not_beside, row)
    return rows


def _with_nothing_running(state: Courses, asked: Asked, own: Course | None) -> RelationToCourses:
    """Return the relation where nothing runs: to the open course of equal dose, or the one that ran last.

    An order never handed over is outdated like one whose own course was stopped when what ended last was stopped since
    it was written; on one day, and without the day on which it was written, nobody knows which came first.
    """
    paused = state.open_courses()
    outdated_on = own.ended_on if own is not None and own.is_outdated else None
    if own is None and not paused and asked.order is not None:
        last_on = max([course.ended_on or 0 for course in state.courses], default=0)
        is_stopped = any(c.ended_on == last_on and c.ended_why is Ending.STOPPED for c in state.courses)
        if is_stopped and (asked.written_on is None or asked.written_on.toordinal() <= last_on):
            outdated_on = last_on
    if outdated_on is not None and (paused or state.day - outdated_on <= state.facts.habits.new_after):
        return RelationToCourses(Relation.UNKNOWN, How.OUTDATED)
    if not paused:
        return RelationToCourses(Relation.NEW, None)
    equal = [c for c in paused if _is_equal(asked, c, c.standing_mg)]
    course = max(equal or paused, key=lambda c: c.uncovered_since or 0)
    relation = Relation.CONTINUES if equal else Relation.CHANGES
    beside = {other: other.name in course.unknown for other in paused if other is not course}
    return RelationToCourses(relation, How.AFTER_GAP, (course,), beside)


def _combined(state: Courses, rows: Mapping[Course, _Row]) -> RelationToCourses:
    """Return one relation from the row of each course.

    What continues or replaces a course runs beside what that ran beside, and nobody knows what nobody knew of that.
    """
    decided_beside = tuple(c for c, row in rows.items() if row.number == 3 and row.relation is Relation.BESIDE)
    takeovers = {course: row for course, row in rows.items() if row.relation in _TAKEOVERS}
    ends: dict[Course, date | None] = {}
    if takeovers:
        first = _first_of(takeovers)
        to = [c for c, row in takeovers.items() if row.number == first.number and row.relation is first.relation]
        if first.relation is Relation.CHANGES:
            # What takes the place of a course that is only planned also replaces what that was to replace; the record names it.
            planned = [c for c in to if c.first_on > state.day and rows[c].number != 4]
            replaced = [other for c in planned for other in c.replaces if other.is_open and other not in decided_beside]
            to += [other for other in replaced if other not in to]
        else:
            to = [min(to, key=lambda c: c.cover_end().day)]
            ends = dict.fromkeys(c for c, row in rows.items() if row.number == 3 and row.relation is Relation.CHANGES)
        others = {course: row for course, row in rows.items() if course not in (*to, *ends)}
        open_rows = {c: row for c, row in others.items() if row.number != 3 and row[:2] != (4, Relation.BESIDE)}
        asked = {c: row for c, row in open_rows.items() if any(other in c.replaces for other in to)}
        if asked:  # nobody knows how the others stand either
            asked |= {c: row for c, row in open_rows.items() if row.relation is not Relation.BESIDE}
        if first.relation is not Relation.CHANGES or not asked:
            if first.relation is Relation.CHANGES:
                # Also of what the table has it replace, where a person named another.
                to += [c for c in others if c in takeovers]
                others = {course: row for course, row in others.items() if course not in to}
            unknown = {name for course in to for name in course.unknown}
            beside = {course: course.name in unknown and course not in decided_beside for course in others}
            if unknown:
                beside |= {c: True for c in state.open_courses() if c not in rows and c.name in unknown}
            return RelationToCourses(first.relation, first.how, tuple(to), beside, decided_beside, ends)
        ends = dict.fromkeys(to) if first.number == 3 else {}
    else:
        asked = {course: row for course, row in rows.items() if row.relation is Relation.UNKNOWN}
    if asked:
        how = min(asked.values(), key=lambda row: row.number).how
        beside = {c: c in asked or row.relation is not Relation.BESIDE for c, row in rows.items() if c not in ends}
        beside |= {
            c: True
            for c in state.open_courses()
            for end in ends
            if c.name in end.unknown and c not in (*ends, *decided_beside)
        }
        how = How.UNKNOWN if takeovers else how
        return RelationToCourses(Relation.UNKNOWN, how, tuple(asked), beside, decided_beside, ends)
    if not rows:
        return RelationToCourses(Relation.NEW, None)
    first = min(rows.values(), key=lambda row: row.number)
    to = [course for course, row in rows.items() if row.number == first.number]
    return RelationToCourses(first.relation, first.how, tuple(to), dict.fromkeys(rows, False), decided_beside)


def _first_of(takeovers: Mapping[Course, _Row]) -> _Row:
    """Return the first row of the courses that are continued or replaced.

    What the table has go on goes on also where a person said of another that it is replaced, unless one is planned in the other's place.
    """
    first = min(takeovers.values(), key=lambda row: (row.number, row.relation is Relation.CHANGES))
    if first.number != 3 or first.relation is not Relation.CHANGES:
        return first
    replaced = [c for c, row in takeovers.items() if row == first]
    going_on = [
        row
        for course, row in takeovers.items()
        if row.relation is not Relation.CHANGES
        and not any(c in course.replaces or course in c.replaces for c in replaced)
    ]
    return min(going_on, key=lambda row: row.number, default=first)


def _own_order(state: Courses, asked: Asked, own: Course, supply: Supply | None) -> RelationToCourses:
    ends, decided_beside, answered = decided_by_own(state, own, asked, supply)
    running = state.running()
    planned = [c for c in taken_over(state, own, asked) if c not in answered] if supply is None else []
    if planned:
        others = {c: c.name in own.unknown for c in running if c not in (own, *ends)}
        beside = others | dict.fromkeys(planned, True)
        return RelationToCourses(Relation.UNKNOWN, How.OUTDATED, tuple(planned), beside, ends=ends)
    if not running:
        return RelationToCourses(Relation.CONTINUES, How.AFTER_GAP, (own,), ends=ends)
    handed_over = [supply for supply in state.facts.supplies if supply.id in state.feedings]
    relation = Relation.PART if owes(asked.order, handed_over) else Relation.CONTINUES
    beside = {course: course.name in own.unknown for course in running if course is not own and course not in ends}
    going_on = tuple(course for course in decided_beside if course in running)
    return RelationToCourses(relation, How.OWN_ORDER, (own,), beside, going_on, ends)


def _row(state: Courses, asked: Asked, course: Course, running: Sequence[Course]) -> _Row:
    """Return the first row of the table that holds between something and one course that runs."""
    segment = course.last_segment
    mg_now = course.standing_mg
    is_known = asked.first_mg is not None and mg_now is not None
    is_equal = _is_equal(asked, course, mg_now)
    is_same_prescriber = asked.prescriber is not None and asked.prescriber == segment.prescriber
    order = asked.order
    replaced = None if order is None or replaces_itself(order, state.orders) else order.replaces
    if replaced is not None and course.is_fed_by(replaced):
        is_only_one = [c for c in running if c.is_fed_by(replaced)] == [course]
        is_same_dose = is_equal and asked.is_constant and is_only_one
        return _Row(6, Relation.CONTINUES if is_same_dose else Relation.CHANGES, How.SAID)
    if asked.group is not None and segment.order is not None and segment.order.group == asked.group:
        return _Row(7, Relation.BESIDE, How.GROUP)
    if is_same_prescriber and _are_two_strengths(asked, course):
        return _Row(8, Relation.BESIDE, How.TWO_STRENGTHS)
    if is_equal and not (asked.is_constant and course.is_steady()):
        # The dates of a plan count from its own start, not from the last of the old tablets.
        if is_same_prescriber:
            return _Row(9, Relation.CHANGES, How.SAME_PRESCRIBER)
        return _Row(10, Relation.UNKNOWN, How.UNKNOWN)
    if is_equal:
        if is_same_prescriber or is_refill_due(state, course):
            return _Row(9, Relation.CONTINUES, How.SAME_DOSE)
        return _Row(10, Relation.UNKNOWN, How.UNKNOWN)
    if is_same_prescriber and asked.as_needed != course.as_needed:
        return _Row(11, Relation.BESIDE, How.AS_NEEDED)
    if is_same_prescriber and is_known and not asked.as_needed and [c for c in running if not c.as_needed] == [course]:
        is_active = segment.order is not None and segment.order.status is OrderStatus.ACTIVE
        is_taper = asked.plan is not None and asked.plan.then_stop is True
        if (asked.first_mg or ZERO) > (mg_now or ZERO) or is_taper or not is_active:
            return _Row(12, Relation.CHANGES, How.SAME_PRESCRIBER)
        return _Row(13, Relation.UNKNOWN, How.LOWER)
    return _Row(14, Relation.UNKNOWN, How.UNKNOWN)


def _is_equal(asked: Asked, course: Course, mg_now: Decimal | None) -> bool:
    return mg_now is not None and asked.first_mg == mg_now and asked.as_needed == course.as_needed


def _are_two_strengths(asked: Asked, course: Course) -> bool:
    """Say whether one prescriber wrote two tablet strengths on one day, both fixed: one regimen."""
    order = course.last_segment.order
    if order is None or asked.plan is None or asked.as_needed or course.as_needed:
        return False
    strengths, others = set(asked.plan.strengths), set(order.plan.strengths)
    is_known = None not in strengths and None not in others
    return asked.written_on is not None and asked.written_on == order.written_on and is_known and strengths != others
