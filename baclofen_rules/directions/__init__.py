"""Directions text to phases, or a question; never a guess.

>>> from baclofen_rules.directions import read_directions
>>> read_directions("5 mg tid x 3d then 10 mg tid").sentence
'Take 5 mg three times a day for 3 days, then 10 mg three times a day.'
>>> read_directions("1-2 tabs tid", strength_mg=10).ask
'1 or 2: which is meant?'

Each language is a closed vocabulary (``vocabularies/``): whatever it does not cover comes back as a question that quotes the
part not understood. Nothing is corrected, completed or assumed.
"""

from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from baclofen_rules.medicines import OwnMedicine, own_medicine
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.sentences import say_directions
from baclofen_rules.text import format_amount

from .doubt import CONTRADICTIONS, Doubt, Why

FORMAT = "baclofen-directions/1"
LONGEST_TEXT = 1000
"""Characters. Longer text is asked about, not read: no prescription needs it, and reading stays quick."""
LONGEST_SEARCHED = 2000
"""Characters in which contradicting words are looked for."""


class Reading(NamedTuple):
    """Directions that are read without doubt."""

    text: str
    """As written."""
    regimen: Regimen
    """Phases and how the course ends; doses in milligrams."""
    as_needed: bool = False
    """Taken only when needed: the doses of the day are the most that may be taken."""
    max_mg_per_day: Decimal | None = None
    """The most in a day where the text names it, in milligrams."""
    quantity: Decimal | None = None
    """Tablets to be supplied where the text names them."""

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The phases in order."""
        return self.regimen.phases

    @property
    def then_stop(self) -> bool | None:
        """True only when the text says so; None where the last phase ends and nothing is said of what follows."""
        return self.regimen.then_stop

    @property
    def sentence(self) -> str:
        """The reading said back in one plain sentence, which reads as the same."""
        return say_directions(self.regimen, as_needed=self.as_needed, max_mg_per_day=self.max_mg_per_day)

    def to_json(self) -> dict[str, Any]:
        """The reading in the case format: amounts as strings, exact."""
        return {
            "format": FORMAT,
            "text": self.text,
            "phases": [
                {"doses": [format_amount(dose) for dose in phase.doses], "unit": str(phase.unit), "days": phase.days}
                | ({} if phase.times is None else {"times": list(phase.times)})
                for phase in self.phases
            ],
            "then_stop": self.then_stop,
            "as_needed": self.as_needed,
            "max_mg_per_day": None if self.max_mg_per_day is None else format_amount(self.max_mg_per_day),
            "sentence": self.sentence,
        } | ({} if self.quantity is None else {"quantity": format_amount(self.quantity)})


class Question(NamedTuple):
    """Directions that cannot be read without doubt: the part ``about`` which to ask, and what to ``ask``."""

    text: str
    about: str
    ask: str
    why: Why = Why.NOT_UNDERSTOOD
    regimen: Regimen | None = None
    """The doses as they are written, where only their days are in doubt (a gap, a day named twice)."""

    def to_json(self) -> dict[str, Any]:
        """The question in the case format."""
        return {"format": FORMAT, "text": self.text, "question": {"about": self.about, "ask": self.ask}}


def read_directions(
    text: str,
    strength_mg: Decimal | int | None = None,
    od_means_once_daily: bool | None = None,
    own: OwnMedicine | None = None,
) -> Reading | Question:
    """Read ``text``; a dose in tablets needs ``strength_mg``, "od" needs the site to say that it means once a day.

    ``own`` is the medicine that the text is about, baclofen without it.

    Never raises for any text: what cannot be read is a Question.
    """
    own = own or own_medicine()
    if len(text) > LONGEST_TEXT:
        ask = "These directions are too long to be read for certain. What dose, and how many times a day?"
        return _contradiction(text, own) or Question(text, text[:60], ask)
    return _read(text, None if strength_mg is None else Decimal(strength_mg), od_means_once_daily, own)


@lru_cache(maxsize=2048)
def _read(
    text: str, strength_mg: Decimal | None, od_means_once_daily: bool | None, own: OwnMedicine
) -> Reading | Question:
    from .normal import Unreadable, normalise  # its tables of characters are not needed before the first text

    normal = normalise(text)
    if isinstance(normal, Unreadable):
        return _contradiction(text, own) or Question(
            text, normal.name, "This character cannot be read. What is meant here?"
        )
    if not normal.text.strip(" .,;:"):
        return Question(text, text.strip(), "Nothing is written. What dose, and how many times a day?")
    from .parser import read
    from .quantity import cut_quantity

    plain, quantity = cut_quantity(normal.text)
    try:
        understood = read(plain, text, strength_mg, od_means_once_daily, own)
    except Doubt as doubt:
        question = Question(
            text, normal.written(text, doubt.start, doubt.end) or text.strip(), doubt.ask, doubt.why, doubt.regimen
        )
        return question if doubt.why in _READ_TO_THE_END else _contradiction(text, own) or question
    return Reading(text, understood.regimen, understood.as_needed, understood.most_mg_per_day, quantity)


_READ_TO_THE_END = frozenset({Why.NO_STRENGTH, Why.GAP, Why.OVERLAP})


def _contradiction(text: str, own: OwnMedicine) -> Question | None:
    """The question about a word that forbids, or names another route, medicine, form, unit or rhythm, if there is one."""
    from .contradictions import find_contradiction
    from .normal import fold

    folded = fold(text[:LONGEST_SEARCHED])
    doubt = find_contradiction(folded.text, own)
    return None if doubt is None else Question(text, folded.written(text, doubt.start, doubt.end), doubt.ask, doubt.why)


__all__ = ["CONTRADICTIONS", "Question", "Reading", "Why", "read_directions", "say_directions"]
