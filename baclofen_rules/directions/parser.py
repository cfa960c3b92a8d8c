"""A text tried with each vocabulary: it is read where one reading comes out, and asked about otherwise."""

from decimal import Decimal
from itertools import pairwise

from baclofen_rules.medicines import OwnMedicine

from .course import Understood, read_course
from .doses import DoseReader
from .dosing import NIGHT_HOUR
from .doubt import Doubt, Why
from .grammar import TextReader
from .tokens import Kind, Token, Vocabulary, split_atoms, tokenise
from .vocabularies import vocabularies_of

ANY_STRENGTH_MG = Decimal(10)
"""Stands in for a strength that is not given, to find what else is in doubt."""


WORDS_OF_A_DOSE = 3
"""Words of "1 TAB ON", which cannot be a sentence that is cut short."""
WORDS_OF_ADVICE = 2
"""Words of advice that another vocabulary may hold by chance."""


def read(
    plain: str, written: str, strength_mg: Decimal | None, od_means_once_daily: bool | None, own: OwnMedicine
) -> Understood:
    """Return the course that ``plain`` (the normalised text of ``written``) gives; raises Doubt for whatever it does not say without doubt."""
    atoms = split_atoms(plain)
    words = [atom for atom in atoms if atom.text != ","]
    for word, following in pairwise(words):
        if word.text == following.text and word.text.isalpha():
            raise Doubt(word.start, following.end, "Is this written twice?")
    vocabularies = [vocabulary for vocabulary in vocabularies_of(own) if not vocabulary.has_foreign(written)]
    texts = {atom.text for atom in atoms if atom.text.isalpha()}
    fewest_words = min(len(texts - vocabulary.atoms) for vocabulary in vocabularies)
    most_words = fewest_words and fewest_words + WORDS_OF_ADVICE
    attempts: list[tuple[int, Vocabulary, list[Token]]] = []
    for vocabulary in vocabularies:
        if len(texts - vocabulary.atoms) <= most_words:
            tokens = tokenise(plain, atoms, vocabulary)
            if vocabulary.night_in_capitals and _ends_in_capitals(written, vocabulary.night_in_capitals):
                tokens[-2] = tokens[-2]._replace(kind=Kind.SLOT, value=NIGHT_HOUR)
            unknown = sum(token.kind is Kind.UNKNOWN and not token.value for token in tokens)
            attempts.append((unknown, vocabulary, tokens))
    fewest, best, tokens = min(attempts, key=lambda attempt: attempt[0])
    if fewest:
        _check_one_language(best, tokens, own)
    readings = [
        _read(plain, tokens, vocabulary, strength_mg, od_means_once_daily)
        for unknown, vocabulary, tokens in attempts
        if unknown == fewest
    ]
    if any(reading != readings[0] for reading in readings):
        raise Doubt(0, len(plain), "This reads differently in two languages. What dose, and how many times a day?")
    return readings[0]


def _ends_in_capitals(written: str, word: str) -> bool:
    """Return whether a text ends with a word in capitals that stand out: not one of a longer text that is all in capitals."""
    return written.rstrip(" .").endswith(f" {word}") and (
        not written.isupper() or len(written.split()) <= WORDS_OF_A_DOSE
    )


def _read(
    plain: str, tokens: list[Token], vocabulary: Vocabulary, strength_mg: Decimal | None, od: bool | None
) -> Understood:
    """The course in one language; a doubt in any language that knows all words is a doubt about the text."""
    _check_times_of_day(tokens, vocabulary)
    text = TextReader(plain, tokens, vocabulary).read()
    try:
        return read_course(text, DoseReader(plain, strength_mg, od))
    except Doubt as doubt:
        if doubt.why is Why.NO_STRENGTH:
            read_course(text, DoseReader(plain, ANY_STRENGTH_MG, od))
        raise


def _check_one_language(best: Vocabulary, tokens: list[Token], own: OwnMedicine) -> None:
    """A doubt where two languages together know every word, and neither of them alone."""
    unknown = [token for token in tokens if token.kind is Kind.UNKNOWN]
    for vocabulary in vocabularies_of(own):
        if vocabulary is not best and all(len(token.text) > 1 and token.text in vocabulary.atoms for token in unknown):
            token = unknown[0]
            raise Doubt(token.start, token.end, "Two languages in one text: what does this word mean here?")


def _check_times_of_day(tokens: list[Token], vocabulary: Vocabulary) -> None:
    """A doubt about a time of day that means another one elsewhere, or none when it stands alone."""
    slots = [token for token in tokens if token.kind is Kind.SLOT]
    first, second = vocabulary.clash
    for token in slots:
        if token.text in vocabulary.needs_company and len(slots) == 1:
            raise Doubt(token.start, token.end, "In the morning, or from tomorrow?")
        words = token.text.split()
        if (
            words[-1] in first
            and "petit" not in token.text
            and any(other.text.split()[-1] in second for other in slots)
        ):
            raise Doubt(token.start, token.end, "At noon or in the evening? This word means another meal elsewhere.")
