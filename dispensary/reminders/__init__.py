"""Reminders: what patients are owed, when and in which words; how it is sent, and what follows."""

from dispensary.reminders.engine import Drained, Ticked, drain, tick
from dispensary.reminders.explanations import (
    Preview,
    TextCosts,
    count_text_costs,
    explain,
    outlook,
    preview,
    say,
    say_reason,
)
from dispensary.reminders.missing_receipts import poll_missing_receipts
from dispensary.reminders.planning import plan_messages
from dispensary.reminders.receipts import act_on_events, keep
from dispensary.reminders.risk_list import AtRisk, withdrawal_risk
from dispensary.reminders.upcoming import Coming, coming_to

__all__ = [
    "AtRisk",
    "Coming",
    "Drained",
    "Preview",
    "TextCosts",
    "Ticked",
    "act_on_events",
    "coming_to",
    "count_text_costs",
    "drain",
    "explain",
    "keep",
    "outlook",
    "plan_messages",
    "poll_missing_receipts",
    "preview",
    "say",
    "say_reason",
    "tick",
    "withdrawal_risk",
]
