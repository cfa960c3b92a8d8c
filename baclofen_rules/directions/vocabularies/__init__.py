"""One closed vocabulary a language, never mixed in one text."""

from functools import cache

from baclofen_rules.directions.tokens import Vocabulary
from baclofen_rules.medicines import OwnMedicine

from .english import ENGLISH
from .french import FRENCH
from .german import GERMAN
from .italian import ITALIAN
from .spanish import SPANISH


@cache
def vocabularies_of(own: OwnMedicine) -> tuple[Vocabulary, ...]:
    """Return the vocabularies with the names of a medicine."""
    languages = (ENGLISH, SPANISH, FRENCH, GERMAN, ITALIAN)
    return tuple(vocabulary.naming(own.written[vocabulary.language]) for vocabulary in languages)
