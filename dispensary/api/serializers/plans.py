"""Bodies of a proposed taper or titration, and of the order that comes of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from dispensary.actions.plans import Goal, PlanWishes, Proposal
from dispensary.api.fields import Amount, Body, Count, Flag, Text

GOALS = [goal.value for goal in Goal]


class WishesIn(Body):
    """Wishes for a plan; what is left out is no wish."""

    goal = serializers.ChoiceField(
        GOALS, help_text="where it leads: to nothing, to a lower dose, or up to the dose of the prescription"
    )
    strengths_mg = serializers.ListField(
        child=Amount(min_value=Decimal("0.001")), min_length=1, max_length=10, help_text="tablets in stock, mg"
    )
    last_mg_per_day = Amount(required=False, min_value=Decimal(1), help_text="the lower dose, mg a day")
    days = Count(required=False, min_value=1, max_value=366, help_text="in all")
    step_mg = Amount(required=False, min_value=Decimal("0.5"), help_text="the largest change of the daily dose")
    interval_days = Count(required=False, min_value=1, max_value=90, help_text="fewest days at a dose")
    whole_tablets = Flag(required=False)


class AgreedIn(WishesIn):
    """A plan that the prescriber agreed to."""

    sentence = Text(max_length=2000, help_text="of the plan that was shown and agreed to")
    agreed_with = Text(max_length=120, help_text="who at the prescriber agreed")
    agreed = Text(max_length=250, help_text="how and when")


class PlanPhaseOut(serializers.Serializer[Any]):
    """Days with one day's dosing."""

    doses_mg = serializers.ListField(child=Amount())
    days = serializers.IntegerField(allow_null=True, help_text="null: it goes on")
    mg_per_day = Amount()


class PlanOut(serializers.Serializer[Any]):
    """A plan that keeps the rules, with the tablets to be ordered for it."""

    sentence = serializers.CharField()
    phases = PlanPhaseOut(many=True)
    then_stop = serializers.BooleanField()
    doses_now_mg = serializers.ListField(child=Amount(), help_text="of today; empty where nothing is taken")
    strength_mg = Amount()
    quantity = Amount(help_text="tablets")


def build_wishes(body: dict[str, Any]) -> PlanWishes:
    """Return the wishes of a body."""
    named: dict[str, Any] = {name: body[name] for name in map(str, WishesIn().fields) if name in body}
    named["goal"] = Goal(body["goal"])
    return PlanWishes(**named)


def render_proposal(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as a response body."""
    regimen = proposal.plan.regimen
    return PlanOut(
        {
            "sentence": proposal.plan.sentence,
            "phases": [
                {"doses_mg": phase.doses, "days": phase.days, "mg_per_day": phase.mg_per_day}
                for phase in regimen.phases
            ],
            "then_stop": bool(regimen.then_stop),
            "doses_now_mg": proposal.doses_now,
            "strength_mg": proposal.strength_mg,
            "quantity": proposal.quantity,
        }
    ).data
