"""Inputs of a therapy: orders, supplies and decisions of one patient, with the habits that dates are counted with.

Days are dates: the host turns a moment into a day once, in the pharmacy's zone. Amounts are Decimal, in mg or tablets.
Everything is frozen; whatever the database can hold can be written here, and what nobody knows is None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from math import ceil

from baclofen_rules.regimen import Phase

ZERO = Decimal(0)
HOURS = {"morning": "08:00", "midday": "12:00", "evening": "18:00", "bedtime": "22:00"}
"""Hours by which the named times of a day are put in order; no dose is planned by them."""
NANOGRAMS_IN_A_MG = 1_000_000
"""Stock and needs are counted in whole nanograms: exact for every dose that can be written, and fast."""


class OrderStatus(StrEnum):
    """The states of an order. Only an active one may be handed over; its end ends no treatment."""

    WAITING = "waiting"
    """A draft, or on hold."""
    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    REPLACED = "replaced"


class SupplyStatus(StrEnum):
    """The states of a hand-over. A cancelled one never left the counter."""

    GIVEN = "given"
    CANCELLED = "cancelled"
    RETURNED = "returned"


class DecisionKind(StrEnum):
    """The kinds of decision a person makes about what a patient takes."""

    REPLACES = "replaces"
    BESIDE = "beside"
    CONTINUES = "continues"
    STOPPED = "stopped"
    COUNTED = "counted"
    TAKES = "takes"
    MOVED = "moved"


class Relation(StrEnum):
    """The relation of an order, or of a supply recorded from elsewhere, to what a patient takes already."""

    NEW = "new"
    CONTINUES = "continues"
    PART = "part"
    CHANGES = "changes"
    BESIDE = "beside"
    UNKNOWN = "unknown"


class How(StrEnum):
    """The reason for a relation: what a person decided, what the order says, or which row of the table held."""

    DECIDED = "decided"
    SAID = "said"
    GROUP = "group"
    SAME_DOSE = "same-dose"
    SAME_PRESCRIBER = "same-prescriber"
    AS_NEEDED = "as-needed"
    TWO_STRENGTHS = "two-strengths"
    OWN_ORDER = "own-order"
    AFTER_GAP = "after-gap"
    LOWER = "lower"
    OUTDATED = "outdated"
    MIGRATED = "migrated"
    """Settled by the table after the hand-over, for a row older than the table."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Product:
    """One strength of an order with its own doses. All products of an order have equally many, equally long phases."""

    strength_mg: Decimal | None
    phases: tuple[Phase, ...]
    quantity: Decimal | None = None
    """Tablets of one fill; None is unknown, and for a supply recorded from elsewhere."""


@dataclass(frozen=True, slots=True)
class PlanPhase:
    """A stretch of days of a regimen with the doses of each of its products."""

    days: int | None
    """None: an open end."""
    doses: tuple[tuple[Decimal, ...], ...]
    """One day's doses in mg, by product; in the order of their times where the order says all of them."""
    times: tuple[tuple[str | None, ...] | None, ...]
    """The time of each dose, by product; None where the order does not say."""
    needs: tuple[int, ...] = field(compare=False)
    """Nanograms of one day, by product; a fraction of one is rounded up."""
    mg: Decimal = field(compare=False)
    """mg of one day, all products."""

    def times_at(self, index: int, usual_times: Mapping[int, Sequence[str]]) -> tuple[str | None, ...]:
        """Return the times of one product's doses; where the order says none, the usual ones of so many doses a day."""
        times, count = self.times[index], len(self.doses[index])
        if times is not None and any(times):
            return times
        return tuple(usual_times.get(count, (None,) * count))

    @property
    def doses_together(self) -> tuple[Decimal, ...]:
        """One day's doses in mg, those of one time of several products added up; without times, in their order."""
        sums: dict[object, Decimal] = {}
        for doses, times in zip(self.doses, self.times, strict=True):
            for index, dose in enumerate(doses):
                time = index if times is None or times[index] is None else times[index]
                sums[time] = sums.get(time, ZERO) + dose
        return tuple(sums.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """One regimen: its phases over all products, whether it is as needed, and what follows its last phase."""

    products: tuple[Product, ...]
    as_needed: bool = False
    then_stop: bool | None = None
    """True: the medicine ends after the last phase. False or None: the last phase goes on."""
    phases: tuple[PlanPhase, ...] = field(init=False, repr=False, compare=False)
    total_days: int | None = field(init=False, repr=False, compare=False)
    """Days of all phases; None with an open end, and where the doses are unknown."""
    tablet_nanograms: tuple[Decimal, ...] | None = field(init=False, repr=False, compare=False)
    """Nanograms of one tablet, by product; None where a strength is unknown."""

    def __post_init__(self) -> None:
        lengths = {tuple(phase.days for phase in product.phases) for product in self.products}
        if len(lengths) > 1:
            raise ValueError("all products of an order have equally many phases of equal length")
        phases = tuple(_plan_phase(row) for row in zip(*(product.phases for product in self.products), strict=True))
        days = [phase.days for phase in phases]
        tablets = tuple([mg * NANOGRAMS_IN_A_MG for mg in self.strengths if mg is not None])
        object.__setattr__(self, "tablet_nanograms", tablets if len(tablets) == len(self.products) else None)
        object.__setattr__(self, "phases", phases)
        object.__setattr__(self, "total_days", sum(d for d in days if d) if days and None not in days else None)

    @property
    def is_constant(self) -> bool:
        """Say whether the daily dose never changes by plan, also not to nothing."""
        return len({phase.mg for phase in self.phases}) == 1 and not (self.then_stop and self.total_days is not None)

    @property
    def strengths(self) -> tuple[Decimal | None, ...]:
        return tuple(product.strength_mg for product in self.products)


def hour_of(time: str) -> str:
    """Return the hour, HH:MM, by which a time of the day is put in order."""
    return HOURS.get(time, time)


def _plan_phase(row: Sequence[Phase]) -> PlanPhase:
    days = [_doses_by_time(phase) for phase in row]
    return PlanPhase(
        days=row[0].days,
        doses=tuple(doses for doses, _ in days),
        times=tuple(times for _, times in days),
        needs=tuple(ceil(phase.mg_per_day * NANOGRAMS_IN_A_MG) for phase in row),
        mg=sum([phase.mg_per_day for phase in row], ZERO),
    )


def _doses_by_time(phase: Phase) -> tuple[tuple[Decimal, ...], tuple[str | None, ...] | None]:
    """Return one day's doses in mg with their times, in the order of the times where all are said."""
    times = [] if phase.times is None else [time for time in phase.times if time is not None]
    if len(times) != len(phase.doses):
        return phase.doses_mg, phase.times
    pairs = sorted(zip(phase.doses_mg, times, strict=True), key=lambda pair: hour_of(pair[1]))
    return tuple(dose for dose, _ in pairs), tuple(time for _, time in pairs)


@dataclass(frozen=True, slots=True)
class Order:
    """Permission to hand over one regimen: one product a strength."""

    id: str
    plan: Plan
    prescriber: str | None = None
    """None is unknown, and never counts as the same."""
    written_on: date | None = None
    starts_on: date | None = None
    """The planned start; None: from hand-over."""
    status: OrderStatus = OrderStatus.ACTIVE
    replaces: str | None = None
    """The order that this one is written in place of."""
    group: str | None = None
    """Orders of one group are products of one regimen."""
    repeats: int = 0
    interval_days: int | None = None
    """Days between the instalments of one ordered quantity."""


def replaces_itself(order: Order, orders: Mapping[str, Order]) -> bool:
    """Say whether the orders named as replaced, one after the other, lead back to an order: then none is the newer one."""
    passed: list[str] = []
    name = order.replaces
    while name is not None and name in orders and name not in passed:
        passed.append(name)
        name = orders[name].replaces
    return order.id in passed


@dataclass(frozen=True, slots=True)
class FrozenRelation:
    """The relation under which a supply was handed over, as it was then: an input ever after."""

    relation: Relation
    how: How | None
    to: tuple[str, ...] = ()
    """Names of the courses it is about."""
    starts_on: date | None = None
    """The first day of the new dose where that is neither the hand-over nor the planned start."""


@dataclass(frozen=True, slots=True)
class Supply:
    """One hand-over: ours on an order, or one recorded from elsewhere with the regimen it was for."""

    id: str
    on: date
    order: str | None
    tablets: tuple[Decimal, ...] | None = None
    """By product of the order; None where only `days` is known."""
    status: SupplyStatus = SupplyStatus.GIVEN
    returned_on: date | None = None
    returned_tablets: tuple[Decimal, ...] | None = None
    """None: all of it came back."""
    relation: FrozenRelation | None = None
    plan: Plan | None = None
    """The regimen of a supply recorded from elsewhere; None is a dose that nobody knows."""
    days: int | None = None
    """How long a supply recorded from elsewhere lasts."""
    prescriber: str | None = None
    dose_since: date | None = None
    """The day the dose of a supply recorded from elsewhere began."""
    number: int = 0
    """Its place among the hand-overs of its order, for those of one day."""
    number_of_day: int | None = None
    """Its place among the hand-overs of its day, of all orders; None: not known."""

    @property
    def place(self) -> tuple[date, int, str]:
        """Its place among the hand-overs of its order."""
        return self.on, self.number, self.id


@dataclass(frozen=True, slots=True)
class Decision:
    """The word of a person about what a patient takes. Never deleted: a wrong one is corrected by a newer one."""

    kind: DecisionKind
    object: str
    """The course it is about, by its name or by an order or supply that feeds it; `all` for every course (stopped)."""
    on: date
    subject: str | None = None
    """The order, or supply recorded from elsewhere, that replaces, continues or runs beside the object."""
    starts_on: date | None = None
    """The first day of the new dose where it is not the hand-over."""
    tablets: tuple[Decimal, ...] | None = None
    """Tablets at home on the morning of `on`, by product (counted)."""
    mg: Decimal | None = None
    """The amount that is taken a day (takes)."""
    days: int | None = None
    """Days by which the dates of the plan move (moved)."""
    id: str | None = None
    corrects: str | None = None
    """The id of the decision that this one puts right."""
    since: str | None = None
    """The first hand-over of its subject that it is about; None: the last of its day, or before it."""
    after: tuple[str, ...] = ()
    """The hand-overs of its day that came before it, by id (stopped); all others of that day came later."""


@dataclass(frozen=True, slots=True)
class Habits:
    """The numbers of a profile and a pharmacy that dates are counted with; never constants of this package."""

    restart_after: int
    """Days without tablets after which a course no longer runs."""
    new_after: int
    """Days without tablets after which a course has ended."""
    lead: int
    """Days before the first uncovered day on which a refill is due."""
    second_call: int
    """Days before the first uncovered day of the second call."""
    missed_after: int
    """Days after the first uncovered day of the call about a missed collection."""
    used_fraction: Decimal | None
    """The share of the last fill that must be used before a refill; None where the profile counts days left."""
    days_left: int | None
    """The days that may be left of the last fill; None where the profile counts the share used."""
    watch: int
    """Days for which a stopped course stays on the withdrawal-risk list."""
    stop_free_mg: Decimal
    """mg a day up to which a stop needs no watch."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known of one patient's oral baclofen on the morning of a day. The order of the tuples is irrelevant."""

    today: date
    orders: tuple[Order, ...]
    supplies: tuple[Supply, ...]
    decisions: tuple[Decision, ...]
    habits: Habits
    died_on: date | None = None
