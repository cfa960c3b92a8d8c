"""One closed vocabulary a language, never mixed in one text."""

from .english import ENGLISH
from .french import FRENCH
from .german import GERMAN
from .italian import ITALIAN
from .spanish import SPANISH

VOCABULARIES = (ENGLISH, SPANISH, FRENCH, GERMAN, ITALIAN)
