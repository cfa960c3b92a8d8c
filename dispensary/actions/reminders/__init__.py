"""Everything that changes what patients are told: planning, sending, receipts, and the work that people get."""

from dispensary.actions.reminders.planning import Withdrawn, plan_after_dispense, plan_again, withdraw_for

__all__ = [
    "Withdrawn",
    "plan_after_dispense",
    "plan_again",
    "withdraw_for",
]
