"""Which files are mutated, and the narrow choice of tests that each is held against."""

import tomllib
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
TESTS: Final = "tests/baclofen_rules"
ROWS: Final = f"{TESTS}/test_rules.py::test_the_rule_answers_as_the_table_says"

THERAPY: Final = tuple(
    f"{TESTS}/therapy/test_{name}.py"
    for name in ("cases", "situations", "dates", "decisions", "answers", "events", "reference")
)
"""The worked cases and what stands beside them: all of them hold every module of the therapy."""

TEXTS: Final = (
    f"{TESTS}/directions/test_corpus.py",
    f"{TESTS}/directions/test_contradictions.py::test_a_text_that_cannot_be_read_has_its_kind",
)
"""The texts with what they mean or what is asked about them: all of them hold every module of the directions."""

OWN: Final[dict[str, tuple[str, ...]]] = {
    "regimen.py": (f"{TESTS}/test_regimen.py", f"{TESTS}/test_directions_rule.py"),
    "courses.py": (f"{TESTS}/test_directions_rule.py",),
    "text.py": (f"{TESTS}/test_text.py",),
    "supply.py": (f"{TESTS}/test_supply.py",),
    "terms.py": (f"{TESTS}/test_rules.py",),
    "conditions.py": (f"{TESTS}/test_conditions.py",),
    "words.py": (f"{TESTS}/test_words.py",),
    "rules/__init__.py": (f"{TESTS}/test_rule_folder.py",),
    "planning/bounds.py": (f"{TESTS}/planning/test_bounds.py",),
    "planning/model.py": (f"{TESTS}/planning/test_model.py", f"{TESTS}/planning/test_suggest.py"),
    "planning/suggest.py": (f"{TESTS}/planning/test_suggest.py",),
    **{
        f"therapy/{path.name}": THERAPY
        for path in sorted((ROOT / "baclofen_rules" / "therapy").glob("*.py"))
        if path.name != "__init__.py"
    },
    "medicines/__init__.py": (f"{TESTS}/test_medicines.py",),
    **{
        f"directions/{path.name}": TEXTS
        for path in sorted((ROOT / "baclofen_rules" / "directions").glob("*.py"))
        if path.name != "__init__.py"
    },
}
"""Files with tests of their own; a rule is held against the rows of its own table."""
BESIDE: Final[dict[str, tuple[str, ...]]] = {"directions": (f"{TESTS}/test_directions_rule.py",)}
"""Tests of a rule beside its table."""


def targets() -> list[str]:
    """Every file that is mutated, by its path inside of ``baclofen_rules``: arithmetic and rules first."""
    rules = sorted(f"rules/{path.name}" for path in (ROOT / "baclofen_rules" / "rules").glob("*.py"))
    first = [name for name in ("regimen.py", "supply.py") if name in OWN]
    return [*first, *rules, *(name for name in OWN if name not in first and name not in rules)]


def judges_of(target: str) -> list[str]:
    """The tests, as pytest names them, that a file is held against."""
    if target in OWN:
        return [name for name in OWN[target] if (ROOT / name).exists()]
    table = Path(target).stem.replace("_", "-")
    rows = tomllib.loads((ROOT / TESTS / "rules" / f"{table}.toml").read_text(encoding="utf-8"))["row"]
    return [*(f"{ROWS}[{table}-{number}]" for number in range(1, len(rows) + 1)), *BESIDE.get(table, ())]
