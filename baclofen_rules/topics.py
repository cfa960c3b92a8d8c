"""What a case can be about. Rules that have nothing to say without some topic are asked only about cases that touch it."""

from functools import cache
from typing import Final

from baclofen_rules.medicines import interaction_classes


class Topic:
    """What a case can be about, as bits of one number. A rule with topics is asked only about a case that touches one of them.

    A topic is touched also where nobody knows: a rule that is not asked would have stayed clear.
    """

    ALCOHOL: Final = 1
    DRIVING: Final = 2
    FEEDING: Final = 4
    PREGNANCY: Final = 8
    PUMP: Final = 16
    ALLERGIES: Final = 32
    CONDITIONS: Final = 64
    """A condition is recorded, or the conditions are not all known."""
    MEDICINES: Final = 128
    """A medicine is recorded, or the list is unknown. Each class of interactions has a topic of its own, ``topic_of``."""
    LEFTOVERS: Final = 256
    """Tablets of earlier supplies are left, or the history is unknown."""
    RISES: Final = 512
    """The daily dose rises, or the history is unknown."""
    FALLS: Final = 1024
    """The daily dose falls or may fall to nothing, or the history is unknown."""
    END: Final = 2048
    """The medicine stops after the last phase, or nobody said that it goes on."""
    BEGINNING: Final = 4096
    """The patient is not known to be continuing."""
    KIDNEYS: Final = 8192
    """No eGFR is recorded."""
    GAP: Final = 16384
    """Earlier supplies no longer cover today, or the history is unknown."""
    OTHER_SUPPLY: Final = 32768
    """A concurrent supply covers today, or the history is unknown."""
    ABOVE_MAXIMUM: Final = 65536
    """The day's total is above the daily maximum of the age, or cannot be compared with it, or the history is unknown."""
    CLASSES: Final = 131072
    """The first class of interactions; the others are its doubles."""


@cache
def topic_of(code: str) -> int:
    """The topic of a class of interactions: a medicine of it is recorded, or the list is unknown."""
    return Topic.CLASSES << list(interaction_classes()).index(code)


@cache
def every_class() -> int:
    """The topics of all classes of interactions."""
    return sum(topic_of(code) for code in interaction_classes())
