"""The dated course of an order: which phase is taken on which day, counted from the first supply of the course.

One computation for the rules' history, the check page, the hand-over, the papers and the messages.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import NamedTuple

from baclofen_rules.regimen import Phase as RulePhase
from baclofen_rules.regimen import Regimen, Unit
from baclofen_rules.review import Course
from baclofen_rules.supply import days_supply
from dispensary.models import Dispense, Phase, Prescription
from dispensary.profiles import restart_after_days


class SupplyDays(NamedTuple):
    """The days that one supply is for: from `starts_on` up to, but not including, `run_out_on`."""

    starts_on: date
    run_out_on: date


@dataclass(frozen=True, slots=True)
class DatedPhase:
    """The days of a phase that a supply falls in. `last_on` is None where the phase goes on until told otherwise."""

    number: int
    """Its place in the order; 1 is the first."""
    doses_mg: tuple[Decimal, ...]
    """One day's doses in the order they are taken."""
    first_on: date
    last_on: date | None


def regimen_of(prescription: Prescription) -> Regimen | None:
    """Return the planned course as ordered; None when the order has no phase that could be read."""
    return planned_regimen(prescription.phases.all(), prescription.then_stop)


def planned_regimen(rows: Iterable[Phase], then_stop: bool | None) -> Regimen | None:
    """Return the regimen of an order's phases; None without a phase."""
    phases = tuple(RulePhase(tuple(phase.doses), phase.days, Unit(phase.unit)) for phase in rows)
    return Regimen(phases, then_stop) if phases else None


def doses_in_mg(phase: RulePhase) -> tuple[Decimal, ...]:
    """Return one day's doses in mg, whatever unit the order has."""
    return tuple(dose * phase.mg_per_day / sum(phase.doses) for dose in phase.doses)


def course_start(regimen: Regimen | None, supplies: Iterable[SupplyDays], profile_name: str) -> date:
    """Return the first day of the course that the last of an order's supplies belongs to.

    `supplies` are the order's own, oldest first, at least one. A course begins again after its planned end, and after
    as many days without tablets as the rules call a restart: they then review the order from its first phase, and
    papers and messages say what was reviewed.
    """
    length = regimen.total_days if regimen and regimen.then_stop else None
    first, *later = supplies
    begins_on, covered_until = first
    for supply in later:
        has_ended = length is not None and supply.starts_on >= begins_on + timedelta(days=length)
        gap = (supply.starts_on - covered_until).days
        if has_ended or (gap > 0 and gap >= restart_after_days(profile_name, supply.starts_on)):
            begins_on = supply.starts_on
        covered_until = max(covered_until, supply.run_out_on)
    return begins_on


def course_start_of(dispense: Dispense) -> date:
    """Return the first day of the course that a dispense belongs to."""
    if dispense.number == 1:
        return dispense.starts_on
    order = dispense.prescription
    supplies = [*_supplies_of(order, dispense.number), SupplyDays(dispense.starts_on, dispense.run_out_on)]
    return course_start(regimen_of(order), supplies, order.pharmacy.profile)


def regimen_on_day(regimen: Regimen, day: int) -> Regimen:
    """Return what is left of a regimen on day `day` of its course; day 1 is the first.

    A later supply of a course that was not ended goes on with the last phase, past its planned days.
    """
    if day <= 1:
        return regimen
    windows = list(regimen.windows())
    phases = []
    for window in windows:
        is_last = window is windows[-1]
        days = None if window.to_day is None else window.to_day - max(day, window.from_day) + 1
        if is_last and not regimen.then_stop:
            days = None
        if days is None or days > 0:
            phases.append(RulePhase(window.phase.doses, days, window.phase.unit))
    return Regimen(tuple(phases), regimen.then_stop)


def dated_phases(regimen: Regimen, begins_on: date, starts_on: date, run_out_on: date | None) -> tuple[DatedPhase, ...]:
    """Return the phases that a supply for the days from `starts_on` falls in, of a course that began on `begins_on`."""
    left = regimen_on_day(regimen, (starts_on - begins_on).days + 1)
    skipped = len(regimen.phases) - len(left.phases)
    phases = [
        DatedPhase(
            number=number,
            doses_mg=doses_in_mg(window.phase),
            first_on=starts_on + timedelta(days=window.from_day - 1),
            last_on=starts_on + timedelta(days=window.to_day - 1) if window.to_day else None,
        )
        for number, window in enumerate(left.windows(), skipped + 1)
    ]
    if regimen.total_days is not None and phases[-1].last_on is None and run_out_on is not None:
        planned = begins_on + timedelta(days=regimen.total_days - 1)
        phases[-1] = replace(phases[-1], last_on=max(planned, run_out_on - timedelta(days=1)))
    return tuple(phases)


@dataclass(frozen=True, slots=True)
class NextSupply:
    """The supply that handing over an order would give, for the page before and the papers after."""

    starts_on: date
    days: int | None
    run_out_on: date | None
    tablets_needed: Decimal | None
    """None where that follows from the quantity."""
    phases: tuple[DatedPhase, ...]


def next_supply(
    order: Prescription, reviewed: Course | None, *, on: date, quantity: Decimal | None = None
) -> NextSupply:
    """Return the days and phases of a supply of `quantity` tablets (None: the ordered quantity) handed over on a day.

    `reviewed` is the course of the rules' answer, which counts an order from its first phase. A later supply of an
    order whose dose changes lasts as long as its tablets do where the course stands.
    """
    days = None if reviewed is None else reviewed.days_supply
    run_out_on = None if reviewed is None else reviewed.run_out_on
    needed = None if reviewed is None or reviewed.tablets_needed is None else round(reviewed.tablets_needed, 4)
    starts_on = run_out_on - timedelta(days=days) if run_out_on and days is not None else on
    regimen = regimen_of(order)
    if regimen is None:
        return NextSupply(starts_on, days, run_out_on, needed, ())
    supplies = [*_supplies_of(order), SupplyDays(starts_on, starts_on)]
    begins_on = course_start(regimen, supplies, order.pharmacy.profile)
    tablets = order.quantity if quantity is None else quantity
    if begins_on < starts_on and len(regimen.phases) > 1 and order.strength_mg and tablets:
        left = regimen_on_day(regimen, (starts_on - begins_on).days + 1)
        days, needed = days_supply(left, order.strength_mg, tablets), None
        run_out_on = None if days is None else starts_on + timedelta(days=days)
    return NextSupply(starts_on, days, run_out_on, needed, dated_phases(regimen, begins_on, starts_on, run_out_on))


def _supplies_of(order: Prescription, before: int | None = None) -> list[SupplyDays]:
    """Return the days of an order's supplies in the patient's hands, oldest first; those before a number where given."""
    rows = order.dispenses.completed().order_by("number")
    rows = rows if before is None else rows.filter(number__lt=before)
    return [SupplyDays(*days) for days in rows.values_list("starts_on", "run_out_on")]
