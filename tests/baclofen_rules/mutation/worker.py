"""Runs inside of a copy of the tree, as a script: mutmut with the operators of this folder beside its own.

worker.py             generate the mutants and try all that have no verdict yet
worker.py NAME ...    try these
"""

import json
import sys
from pathlib import Path
from typing import Any

from mutmut import __main__ as mutmut_command
from mutmut.configuration import config
from mutmut.mutation import mutators
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import walk_mutatable_files
from operators import OPERATORS

VERDICTS = Path("verdicts.json")


def main() -> None:
    mutators.mutation_operators.extend(OPERATORS)  # type: ignore[attr-defined]  # a list, declared as a Sequence
    try:
        mutmut_command._run(tuple(sys.argv[1:]), max_children=2)
    finally:
        VERDICTS.write_text(json.dumps(verdicts(), indent=1), encoding="utf-8")


def verdicts() -> list[dict[str, Any]]:
    """Every mutant with what became of it, and what it changes."""
    told = []
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, exit_code in data.exit_code_by_key.items():
            status = status_by_exit_code[exit_code]
            was, becomes = changed(name, str(path)) if status != "killed" else ("", "")
            told.append({"name": name, "status": status, "was": was, "becomes": becomes})
    return told


def changed(name: str, path: str) -> tuple[str, str]:
    """The lines that a mutant takes away and the ones it puts in their place."""
    diff = [line for line in get_diff_for_mutant(name, path=Path(path)).splitlines() if line[:3] not in ("---", "+++")]
    return tuple(" ".join(line[1:].strip() for line in diff if line[:1] == sign) for sign in "-+")  # type: ignore[return-value]  # two signs


if __name__ == "__main__":
    config()
    main()
