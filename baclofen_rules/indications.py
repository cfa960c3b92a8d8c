"""The indication of an order, read from codes and words by the table of the medicine."""

from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from baclofen_rules.conditions import look_up
from baclofen_rules.facts import CodedCondition, Indication
from baclofen_rules.medicines import OwnMedicine, words


class Uses(NamedTuple):
    """The uses that the table of the medicine names, by code and by words."""

    by_icd_10: dict[str, Indication]
    by_snomed: dict[str, Indication]
    by_words: dict[tuple[str, ...], Indication]
    denying: frozenset[str]
    """Words beside which a text says nothing of today's use."""


@cache
def uses(own: OwnMedicine) -> Uses:
    """The uses of a medicine, read once."""
    rows = [(Indication(row["indication"]), row) for row in own.uses]
    return Uses(
        by_icd_10={code.replace(".", ""): use for use, row in rows for code in row["icd_10"]},
        by_snomed={code: use for use, row in rows for code in row["snomed"]},
        by_words={tuple(phrase.split()): use for use, row in rows for phrase in row["words"]},
        denying=own.not_a_use,
    )


def read_uses(codes: Iterable[tuple[str, str]], texts: Iterable[str], own: OwnMedicine) -> frozenset[Indication]:
    """Return every use that codes, as (system, code), and texts name; empty where they name none that is known.

    A text that denies something or speaks of the past names none.
    """
    table = uses(own)
    named = {look_up(CodedCondition(system, code), table.by_icd_10, table.by_snomed) for system, code in codes}
    longest = max(map(len, table.by_words), default=0)
    for text in texts:
        spoken = words(text)
        if table.denying.isdisjoint(spoken):
            phrases = (spoken[at:end] for at in range(len(spoken)) for end in range(at + 1, at + longest + 1))
            named |= {table.by_words.get(phrase) for phrase in phrases}
    return frozenset(use for use in named if use is not None)


def choose_use(named: Iterable[Indication]) -> Indication | None:
    """Return the use that the rules read for an order that names several: spasticity, which the limits are for, stands first.

    Several without it are another use. None where none is named.
    """
    different = set(named)
    if Indication.SPASTICITY in different:
        return Indication.SPASTICITY
    return different.pop() if len(different) == 1 else Indication.OTHER if different else None
