"""Phrases that several rules use, so that the same thing is always said in the same words."""

from collections.abc import Sequence
from typing import Final

from baclofen_rules.regimen import Phase
from baclofen_rules.text import format_amount

GUARD: Final = "The patient already takes this much: refusing it could cause withdrawal, so a pharmacist may override."
LONGEST_NAME: Final = 40
LONGEST_QUOTE: Final = 200
"""Characters of a prescriber's text in a detail."""


def clip(text: str, most: int = LONGEST_NAME) -> str:
    """Text on one line and short enough for a summary."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 3] + "..."


def count_days(days: int) -> str:
    """Return ``1 day`` or ``14 days``."""
    return "1 day" if days == 1 else f"{days} days"


def verb_for(count: int) -> str:
    """Return ``is`` for one, ``are`` for any other number."""
    return "is" if count == 1 else "are"


CHOICE_AT_THE_COUNTER: Final = "A choice above the main button of how this order stands to what the patient takes"
"""The remedy of findings about two orders that a decision settles."""


def join_words(words: Sequence[str]) -> str:
    """Words as a list in a sentence: ``a, b and c``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def format_doses(phase: Phase) -> str:
    """The arithmetic of a day: ``35 mg x 3 = 105 mg a day``, or ``10 + 5 + 20 = 35 mg a day``."""
    total = format_amount(phase.mg_per_day)
    if phase.is_even:
        return f"{format_amount(phase.largest_dose)} mg x {phase.times_per_day} = {total} mg a day"
    return f"{' + '.join(format_amount(dose) for dose in phase.doses)} = {total} mg a day"


def highest_phase(phases: Sequence[Phase]) -> tuple[int, Phase]:
    """The first phase with the highest daily dose, with its number."""
    index = max(range(len(phases)), key=lambda at: phases[at].mg_per_day)
    return index + 1, phases[index]
