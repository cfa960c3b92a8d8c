"""The list of mutants that change nothing: found again by what they change, never by a number."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.tables import read_table

LIST: Final = Path(__file__).parent / "equivalent.toml"


@dataclass(slots=True)
class Equivalent:
    """An entry of the list; ``used`` once it has fitted a living mutant."""

    file: str
    function: str
    was: str
    becomes: tuple[str, ...]
    because: str
    used: bool = False

    def fits(self, file: str, function: str, was: str, becomes: str) -> bool:
        same = (self.file, self.function, self.was) == (file, function, was) and becomes in self.becomes
        self.used = self.used or same
        return same


def is_of_a_guard(was: str, becomes: str) -> bool:
    """Say whether a change only takes away a guard against a mistake in the code: `strict` of a zip, the Decimal 0 of a sum."""
    guard = r",\s*(strict=\w+|ZERO)?\s*\)" if "sum(" in was else r",\s*(strict=\w+)?\s*\)"
    return re.sub(guard, ")", was) == re.sub(guard, ")", becomes)


def load(path: Path = LIST) -> list[Equivalent]:
    """All entries of the list."""
    keys = {"file", "function", "was", "becomes", "because"}
    return [
        Equivalent(row["file"], row["function"], row["was"], _all(row["becomes"]), row["because"])
        for row in read_table(path, "mutant", keys, required=keys)["mutant"]
    ]


def _all(names: str | list[str]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else tuple(names)
