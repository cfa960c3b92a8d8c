"""The terms the rules share: what is derived from a case before any rule looks at it.

Names follow clinical usage: *standing* says whether this is a new course, a restart after a gap, or a continuing one;
*previous* is the daily dose of the latest earlier supply; a *transition* is a change of daily dose.
"""

from collections.abc import Iterator, Mapping
from copy import copy
from decimal import Decimal
from itertools import pairwise
from typing import Final

from baclofen_rules.case import Case
from baclofen_rules.conditions import map_conditions
from baclofen_rules.facts import Condition
from baclofen_rules.fills import Standing, look_back
from baclofen_rules.findings import Missing
from baclofen_rules.medicines import classify
from baclofen_rules.products import is_intrathecal, is_oral, names_injected_form, names_other_oral_form
from baclofen_rules.profiles.limits import AGE_FACT
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.shared_limits import SharedLimits
from baclofen_rules.standing import TherapyStanding, stand
from baclofen_rules.supply import days_supply, tablets_for
from baclofen_rules.text import format_amount
from baclofen_rules.therapy import HAND_OVER, Habits, How
from baclofen_rules.therapy import Relation as TherapyRelation
from baclofen_rules.transition import Transition

WEIGHT_FACT: Final = "patient.weight_kg"
HISTORY_FACT: Final = "history"
PHASES_FACT: Final = "prescription.phases"
ROUTE_FACT: Final = "prescription.route"
STRENGTH_FACT: Final = "prescription.strength_mg"
QUANTITY_FACT: Final = "prescription.quantity"
FORM_FACT: Final = "prescription.form"
STOP_FACT: Final = "prescription.then_stop"
ALLERGY_FACT: Final = "patient.allergies"
CONDITIONS_FACT: Final = "patient.conditions"
MEDICINES_FACT: Final = "patient.medicines"
ZERO: Final = Decimal(0)
NO_NAMES: Final[Mapping[str, tuple[str, ...]]] = {}


class Terms:
    """A case with its derived terms, for one profile's shared numbers. Made once for a review; rules only read it."""

    __slots__ = (
        "above_maximum",
        "after",
        "age",
        "case",
        "concurrent_mg",
        "conditions",
        "cover_end",
        "falls",
        "fewest_times",
        "first_mg",
        "fixed_days",
        "gap_days",
        "held_days",
        "highest_mg",
        "history_unknown",
        "injected_products",
        "interacting",
        "is_continuing",
        "is_guarded",
        "is_open",
        "largest_dose_mg",
        "latest",
        "left_days",
        "limits",
        "may_stop",
        "most_times",
        "needed_tablets",
        "not_repeated",
        "order",
        "other_oral_products",
        "passed_days",
        "patient",
        "phases",
        "position",
        "previous_low_mg",
        "previous_mg",
        "products",
        "regimen",
        "relation",
        "rises",
        "shortest_before_fall",
        "shortest_before_rise",
        "standing",
        "steepest_fall_mg",
        "steepest_rise_mg",
        "stops",
        "supply_days",
        "therapy",
        "total_mg",
        "unclassified",
        "unmapped_conditions",
    )

    def __init__(self, case: Case, limits: SharedLimits, habits: Habits | None = None) -> None:
        self.case, self.limits = case, limits
        self.patient = case.patient
        self.order = case.order
        self.age: Decimal | None = case.patient.age_on(case.on)
        """Completed years; None is unknown."""
        self._look_back(habits)
        self._look_ahead()
        self._look_up()
        self.is_guarded = self.is_continuing and ZERO < self.highest_mg <= self.previous_low_mg
        """The withdrawal guard: a continuing patient whose prescribed daily dose is known and not above the last one."""
        if self.after is not None:
            highest = self.after.highest_of(HAND_OVER)
            self.concurrent_mg = ZERO if highest is None else max(ZERO, highest - self.highest_mg)
        self.total_mg = self.highest_mg + self.concurrent_mg if self.concurrent_mg else self.highest_mg
        """The highest daily dose of the prescription, with other supplies that run with it."""
        self.above_maximum = limits.max_mg_per_day.over(self.total_mg, self.age)
        """The daily maximum that the total is above, None where it keeps it, or the fact that is lacking."""
        self._compare()
        self.products = self._by_product()
        """The same terms for each strength of an order that has several, for rules about tablets."""

    def _by_product(self) -> "tuple[Terms, ...]":
        order, ask = self.order, self.case.ask
        if order is None or ask is None:
            return ()
        products = []
        left = list(ask.picked)
        for product in order.products:
            pick = next((pick for pick in left if pick.strength_mg == product.strength_mg), None)
            if pick is not None:
                left.remove(pick)
            terms = copy(self)
            terms.order, terms.case = product, self.case._replace(order=product, picked=pick)
            terms._look_ahead()
            products.append(terms)
        for terms in products:
            if terms.case.picked is None and left:
                terms.case = terms.case._replace(picked=left.pop(0))
        return tuple(products)

    def _look_ahead(self) -> None:
        """The course as it is prescribed: its doses, its length, its end, its tablets."""
        order = self.order
        self.regimen: Regimen | None = None if order is None else order.regimen
        """The course that the order is for; of one that was begun before, what is left of it."""
        self.phases: tuple[Phase, ...] = ()
        self.highest_mg = self.first_mg = self.largest_dose_mg = ZERO
        """The highest daily dose over all phases, the daily dose of the first, and the largest single dose."""
        self.most_times = self.fewest_times = 0
        """The most and the fewest doses a day."""
        self.fixed_days = 0
        """Days of all phases whose length is known."""
        self.passed_days = 0
        """Days of the first phase that lie before this supply."""
        self.is_open = self.stops = self.may_stop = False
        """Whether the last phase has an open end; whether the medicine is said to end after it; whether the course has
        an end and it is not said what follows (an open end goes on)."""
        self.needed_tablets: Decimal | None = None
        """Tablets for the phases whose length is known; None without a strength."""
        self.supply_days: int | None = None
        """Days that the prescribed quantity lasts, at most the course; None when neither says."""
        if order is not None and order.strength_mg is not None:
            self.needed_tablets = ZERO
        if order is None or self.regimen is None:
            return
        days = self.regimen.total_days if self.regimen.then_stop else None
        if days is not None and self.position > days:  # its last day has passed, so no dose of it is left
            self.regimen = None
            return
        if self.position > 1:
            whole, self.regimen = self.regimen, self.regimen.from_day(self.position)
            days = whole.phases[-len(self.regimen.phases)].days
            self.passed_days = (days or 0) - (self.regimen.phases[0].days or days or 0)
        regimen = self.regimen
        self.phases = phases = regimen.phases
        first = phases[0]
        self.first_mg = first.mg_per_day
        self.highest_mg, self.largest_dose_mg = first.mg_per_day, first.largest_dose
        self.most_times = self.fewest_times = len(first.doses)
        if len(phases) > 1:
            self.highest_mg = max([phase.mg_per_day for phase in phases])
            self.largest_dose_mg = max([phase.largest_dose for phase in phases])
            times = [len(phase.doses) for phase in phases]
            self.most_times, self.fewest_times = max(times), min(times)
        self.fixed_days = sum([phase.days for phase in phases if phase.days is not None])
        self.is_open = phases[-1].days is None
        self.stops = regimen.then_stop is True
        self.may_stop = regimen.then_stop is None and not self.is_open
        if order.strength_mg is not None:
            self.needed_tablets = tablets_for(phases, order.strength_mg)
        self.supply_days = days_supply(regimen, order.strength_mg, order.quantity)
        if self.after is not None:
            self.supply_days = self.after.supply(HAND_OVER).days

    def _compare(self) -> None:
        """Rises and falls of the daily dose: how large, and how soon."""
        self.rises: tuple[Transition, ...] = ()
        self.falls: tuple[Transition, ...] = ()
        self.steepest_rise_mg = self.steepest_fall_mg = ZERO
        self.shortest_before_rise: int | None = None
        """The fewest days at a level before a rise from it; None without a rise."""
        self.shortest_before_fall: int | None = None
        """The same before a fall; None also where the last level has an open end."""
        if len(self.phases) == 1 and not self.stops and not self.is_continuing:
            return
        changes = tuple(self._transitions())
        self.rises = rises = tuple([change for change in changes if change.after > change.before])
        self.falls = falls = tuple([change for change in changes if change.after < change.before])
        if rises:
            self.steepest_rise_mg = max([change.after - change.before for change in rises])
            self.shortest_before_rise = min(
                [change.held_days for change in rises if change.held_days is not None], default=None
            )
        if falls:
            self.steepest_fall_mg = max([change.before - change.after for change in falls])
            self.shortest_before_fall = min(
                [change.held_days for change in falls if change.held_days is not None], default=None
            )

    def _look_back(self, habits: Habits | None) -> None:
        """Earlier supplies: cover, gap, what is left, what was taken last."""
        case = self.case
        if case.record is None:
            limits = self.limits
            standing = TherapyStanding(
                look_back(case.history, case.on, limits.restart_after_days, limits.new_after_days, case.order)
            )
        elif habits is None:
            raise ValueError("a case of the second format needs the habits of a profile")
        else:
            standing = stand(case, case.record, habits)
        past, self.therapy, self.relation, self.after, self.position = standing
        self.history_unknown = past.is_unknown
        self.standing = past.standing
        self.is_continuing = past.standing is Standing.CONTINUING
        self.latest = past.latest
        self.previous_mg = past.previous_mg
        self.previous_low_mg = past.previous_low_mg
        self.held_days = past.held_days
        self.cover_end = past.cover_end
        self.left_days = past.left_days
        self.gap_days = past.gap_days
        self.concurrent_mg = past.concurrent_mg
        self.not_repeated = past.not_repeated

    def _look_up(self) -> None:
        """Conditions by their words, medicines by their interaction classes."""
        self.conditions: frozenset[Condition] = frozenset()
        """Recorded conditions, coded ones mapped."""
        self.unmapped_conditions: tuple[str, ...] = ()
        """Unknown conditions: the whole list, or the codes that are not mapped."""
        conditions = self.patient.conditions
        if conditions is None:
            self.unmapped_conditions = (CONDITIONS_FACT,)
        elif conditions:
            self.conditions, unmapped = map_conditions(conditions)
            self.unmapped_conditions = tuple(f"{CONDITIONS_FACT}[{index}]" for index in unmapped)
        self.interacting: Mapping[str, tuple[str, ...]] | None = NO_NAMES
        """Names of the patient's medicines by interaction code; None when the list is unknown."""
        self.unclassified: tuple[str, ...] = ()
        self.injected_products: tuple[str, ...] = ()
        """Names of the patient's medicines that are the same medicine from a pump or by injection."""
        self.other_oral_products: tuple[str, ...] = ()
        """Names of those that are the same medicine by mouth, but no plain tablets."""
        medicines = self.patient.medicines
        if medicines is None:
            self.interacting = None
        elif medicines:
            own, own_course = self.case.medicine, self.standing in (Standing.CONTINUING, Standing.RESTART)
            names = [medicine.name for medicine in medicines if medicine.name is not None]
            self.injected_products = tuple(name for name in names if names_injected_form(name, own))
            self.other_oral_products = tuple(name for name in names if names_other_oral_form(name, own))
            same = {*self.injected_products, *self.other_oral_products}
            others = [medicine for medicine in medicines if medicine.name not in same]
            self.interacting, self.unclassified = classify(others, own_course, own)

    def _transitions(self) -> Iterator[Transition]:
        """Previous dose to phase 1 (continuing only), phase to next phase, last phase to zero (when it then stops)."""
        phases = self.phases
        if not phases:
            return
        if self.is_continuing:
            yield from self._first_transitions(phases[0].mg_per_day)
        for number_, (phase, following) in enumerate(pairwise(phases), start=1):
            if phase.mg_per_day != following.mg_per_day:
                name = f"Phase {number_} to phase {number_ + 1}"
                yield Transition(phase.mg_per_day, following.mg_per_day, self._days_of(number_), name)
        if self.stops:
            yield self.to_zero

    def _first_transitions(self, first_mg: Decimal) -> Iterator[Transition]:
        """From what is taken to phase 1: a rise from the least of it, a fall from the most of it.

        What goes on beside is added to; a dose as needed counts as nothing taken, and is no rise. Where it is not known
        whether the order replaces what runs there is no fall yet: that is asked, and the answer reviewed.
        """
        name = "Previous dose to phase 1"
        relation = self.relation
        if relation is not None and relation.relation is TherapyRelation.BESIDE:
            if self.order is not None and not self.order.as_needed and not relation.began_today:
                both = self.previous_low_mg + first_mg
                yield Transition(self.previous_low_mg, both, self.held_days, "Previous dose to both together")
            return
        if self.order is not None and self.order.as_needed:
            if relation is None or relation.relation is TherapyRelation.CONTINUES:
                return
            first_mg = ZERO
        if first_mg > self.previous_low_mg:
            yield Transition(self.previous_low_mg, first_mg, self.held_days, name)
        if first_mg < self.previous_mg and not (relation and relation.how is How.UNKNOWN):
            yield Transition(self.previous_mg, first_mg, self.held_days, name)

    @property
    def goes_on(self) -> bool:
        """Return whether the patient is continuing, and the daily dose does not rise; unknown doses may."""
        return self.is_continuing and bool(self.phases) and not self.rises

    @property
    def to_zero(self) -> Transition:
        """The last phase to nothing, whether or not the prescription says that it stops."""
        number = len(self.phases)
        return Transition(self.phases[-1].mg_per_day, ZERO, self._days_of(number), f"Phase {number} to zero")

    def _days_of(self, number: int) -> int | None:
        """Return the days of a phase; of the first with those on which its dose was taken before this supply."""
        phase = self.phases[number - 1]
        if number > 1 or phase.days is None or not self.is_continuing:
            return phase.days
        is_taken = self.previous_low_mg == self.previous_mg == phase.mg_per_day
        return phase.days + (min(self.passed_days, self.held_days) if is_taken else 0)

    @property
    def starting_level_mg(self) -> Decimal:
        """The dose a taper starts from: the previous one when continuing, else phase 1."""
        return self.previous_mg if self.is_continuing else self.first_mg

    @property
    def is_oral(self) -> bool:
        return self.order is not None and is_oral(self.order.route or "")

    @property
    def is_intrathecal(self) -> bool:
        return self.order is not None and is_intrathecal(self.order.route or "")

    @property
    def age_words(self) -> str:
        return "at any age" if self.age is None else f"at {format_amount(self.age)} years"

    @property
    def start_words(self) -> str:
        """The arithmetic of a start limit by weight; empty otherwise."""
        per_kg = self.limits.start_mg_per_kg_per_day.at(self.age)
        if per_kg is None or self.patient.weight_kg is None:
            return ""
        rounding = format_amount(self.limits.start_rounding * 100)
        return f" ({format_amount(per_kg)} mg/kg x {format_amount(self.patient.weight_kg)} kg, and {rounding} % for rounding)"

    def start_limit_at(self, age: Decimal) -> Decimal | Missing | None:
        """The highest daily dose to start with at an age: by day, else by weight; None when there is no limit."""
        limits = self.limits
        fixed = limits.start_mg_per_day.at(age)
        if fixed is not None:
            return fixed
        per_kg = limits.start_mg_per_kg_per_day.at(age)
        if per_kg is None:
            return None
        if self.patient.weight_kg is None:
            return Missing((WEIGHT_FACT,))
        return per_kg * self.patient.weight_kg * (1 + limits.start_rounding)

    def start_limits(self) -> tuple[Decimal | Missing | None, ...]:
        """The start limits of all age bands: with an unknown age any of them could apply."""
        rows = (*self.limits.start_mg_per_day.rows, *self.limits.start_mg_per_kg_per_day.rows)
        return tuple(self.start_limit_at(low) for low in sorted({ages.low for ages, _ in rows}))

    def above_start(self, factor: Decimal | None = None) -> Decimal | Missing | None:
        """The start limit that phase 1 breaks, None when it keeps it, or the facts that are lacking.

        Without ``factor`` it is broken by more than the limit, with one by ``factor`` times the limit or more.
        """
        if self.age is not None:
            limit = self.start_limit_at(self.age)
            if limit is None or isinstance(limit, Missing):
                return limit
            return limit if _breaks(self.first_mg, limit, factor) else None
        candidates = self.start_limits()
        limits = [limit for limit in candidates if isinstance(limit, Decimal)]
        broken = [limit for limit in limits if _breaks(self.first_mg, limit, factor)]
        if len(broken) == len(candidates):
            return max(broken)
        lacking = [fact for limit in candidates if isinstance(limit, Missing) for fact in limit.facts]
        if not broken and not lacking:
            return None
        return Missing(tuple(dict.fromkeys([*lacking, AGE_FACT])))


def _breaks(amount: Decimal, limit: Decimal, factor: Decimal | None) -> bool:
    return amount > limit if factor is None else amount >= limit * factor
