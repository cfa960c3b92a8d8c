"""The taper that a review proposes where it questions one."""

from collections.abc import Mapping
from typing import Any, Final

from baclofen_rules.case import Action
from baclofen_rules.planning import plan_taper
from baclofen_rules.planning.model import CannotPlan
from baclofen_rules.profiles import Profile
from baclofen_rules.rulebook import rulebook
from baclofen_rules.rules import strength
from baclofen_rules.terms import Terms

ANSWERED: Final = frozenset({"abrupt-stop", "taper-duration", "taper-interval", "taper-step"})
"""The findings that a planned taper answers."""


def suggest_taper(terms: Terms, profile: Profile) -> Mapping[str, Any] | None:
    """Return a taper from the dose the patient takes to where the prescription leads; None where none keeps the rules.

    The shape is ``{"taper": plan}``. With the prescribed strength where that can be done, else with any strength of the profile.
    """
    case, latest = terms.case, terms.latest
    on = profile.on or case.on
    if latest is not None and terms.is_continuing:
        doses, held_days = latest.doses, terms.held_days
    elif terms.phases:
        doses, held_days = terms.phases[0].doses, terms.phases[0].days or 0
    else:
        return None
    ends = None
    if case.action is Action.DISPENSE and not terms.stops:
        ends = terms.phases[-1].mg_per_day
        if ends >= sum(doses):
            return None
    strengths_of_profile = rulebook(profile, on).limits_of(strength.RULE).strengths_mg
    prescribed = terms.order.strength_mg if terms.order is not None else latest.strength_mg if latest else None
    for strengths in (strengths_of_profile if prescribed is None else (prescribed,), strengths_of_profile):
        try:
            plan = plan_taper(
                doses,
                strengths,
                profile,
                on,
                age_years=terms.age,
                last_mg_per_day=ends,
                held_days=held_days,
                treated_days=held_days,
                together=1,
            )
        except CannotPlan:
            continue
        return {"taper": plan.to_json()}
    return None
