"""The kinds of reminder, and which of them must not fail in silence."""

from django.db.models import TextChoices


class Kind(TextChoices):
    """Why a patient gets a message. The value is stored and public; it never changes meaning."""

    REFILL_DUE = "refill_due", "next supply due"
    REFILL_AGAIN = "refill_again", "next supply due, second call"
    RUN_OUT = "run_out", "supply runs out today"
    DOSE_CHANGE = "dose_change", "the dose changes tomorrow"
    LAST_DAY = "last_day", "last day of the course"
    MISSED_COLLECTION = "missed_collection", "supply has run out and was not collected"

    @property
    def matters_for_safety(self) -> bool:
        """Silence can harm: an unknown send is repeated, an expired one becomes somebody's work."""
        return self not in _NUDGES

    @property
    def before_its_day(self) -> bool:
        """Told the day before what it tells: on the morning itself the first dose may have been taken."""
        return self is Kind.DOSE_CHANGE

    @property
    def about_refill(self) -> bool:
        """No longer true once the next supply has been collected."""
        return self not in {Kind.DOSE_CHANGE, Kind.LAST_DAY}


_NUDGES = frozenset({Kind.REFILL_DUE, Kind.REFILL_AGAIN})
