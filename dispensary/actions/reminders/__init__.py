"""Everything that changes what patients are told: planning, sending, receipts, and the work that people get.

Modules import each other from the top down: engine > outcomes > batch > ledger; planning and work stand beside them.
"""

from dispensary.actions.reminders.behind import plan_behind
from dispensary.actions.reminders.by_hand import send_now, withdraw
from dispensary.actions.reminders.engine import Drained, Ticked, drain, tick
from dispensary.actions.reminders.explain import Preview, explain, outlook, preview, say, say_reason
from dispensary.actions.reminders.patient_page import Coming, coming_to
from dispensary.actions.reminders.planning import Withdrawn, plan_after_dispense, plan_again, withdraw_for
from dispensary.actions.reminders.receipts import act_on_events, keep
from dispensary.actions.reminders.risk import AtRisk, RiskLevel, withdrawal_risk
from dispensary.actions.reminders.silent import ask_about_silent

__all__ = [
    "AtRisk",
    "Coming",
    "Drained",
    "Preview",
    "RiskLevel",
    "Ticked",
    "Withdrawn",
    "act_on_events",
    "ask_about_silent",
    "coming_to",
    "drain",
    "explain",
    "keep",
    "outlook",
    "plan_after_dispense",
    "plan_again",
    "plan_behind",
    "preview",
    "say",
    "say_reason",
    "send_now",
    "tick",
    "withdraw",
    "withdraw_for",
    "withdrawal_risk",
]
