"""The mutation tool itself: what it changes, what it opens up, and that its list of harmless changes stays true."""

import ast

import libcst as cst
import pytest

from tests.baclofen_rules.mutation import equivalent, operators
from tests.baclofen_rules.mutation.targets import ROOT, judges_of, targets

BOOK = ROOT / "baclofen_rules"


def test_every_rule_is_mutated_and_held_against_tests() -> None:
    assert {f"rules/{path.name}" for path in (BOOK / "rules").glob("*.py")} <= set(targets())
    for target in targets():
        assert (BOOK / target).exists()
        assert judges_of(target), target


@pytest.mark.parametrize("entry", equivalent.load(), ids=lambda entry: f"{entry.file}:{entry.function}")
def test_a_change_called_harmless_is_told_with_its_reason(entry: equivalent.Equivalent) -> None:
    assert entry.file in targets()
    assert entry.was not in entry.becomes
    assert entry.because.endswith(".")
    assert entry.was in code_of(entry), "the line is gone, and its entry with it"


def code_of(entry: equivalent.Equivalent) -> str:
    """Return the function that an entry names, laid open as for mutmut, in one line."""
    source = operators.laid_open((BOOK / entry.file).read_text(encoding="utf-8"))
    *classes, name = entry.function.split(".")
    scope: ast.AST = ast.parse(source)
    for owner in classes:
        scope = next(node for node in ast.walk(scope) if isinstance(node, ast.ClassDef) and node.name == owner)
    functions = [node for node in ast.walk(scope) if isinstance(node, ast.FunctionDef) and node.name == name]
    if not functions:
        return ""
    function = functions[0]
    return " ".join(line.strip() for line in source.splitlines()[function.lineno - 1 : function.end_lineno])


def test_an_entry_fits_only_the_change_it_names() -> None:
    entry = equivalent.Equivalent("a.py", "f", "x < 1", ("x <= 1",), "Whole numbers.")
    assert not entry.fits("a.py", "f", "x < 1", "x > 1")
    assert not entry.fits("a.py", "g", "x < 1", "x <= 1")
    assert not entry.used
    assert entry.fits("a.py", "f", "x < 1", "x <= 1")
    assert entry.used


def test_a_zip_that_is_not_strict_and_a_sum_from_the_int_zero_are_harmless_everywhere() -> None:
    assert equivalent.is_of_a_guard("zip(a, b, strict=True)", "zip(a, b, strict=None)")
    assert equivalent.is_of_a_guard("zip(a, b, strict=True)", "zip(a, b, )")
    assert equivalent.is_of_a_guard("sum(x, ZERO)", "sum(x, )")
    assert not equivalent.is_of_a_guard("max(x, ZERO)", "max(x, )")
    assert not equivalent.is_of_a_guard("min(a, b)", "min(a, )")


def test_a_severity_becomes_the_next_graver_one() -> None:
    def after(written: str) -> list[str]:
        node = cst.ensure_type(cst.parse_expression(written), cst.Attribute)
        return [cst.Module([]).code_for_node(made) for made in operators.severity(node)]

    assert after("Severity.OVERRIDE") == ["Severity.STOP"]
    assert after("Severity.STOP") == ["Severity.INFORMATION"]
    assert after("Outcome.STOP") == []


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("if ready: pass", ["if not (ready): pass"]),
        ("if a < b: pass", ["if not (a < b): pass"]),
        ("if a and b: pass", ["if not (a and b): pass"]),
        ("if a == b: pass", []),
        ("if not ready: pass", []),
        ("if a is None: pass", []),
    ],
)
def test_a_condition_is_turned_where_mutmut_does_not_turn_it(written: str, becomes: list[str]) -> None:
    node = cst.ensure_type(cst.parse_statement(written), cst.If)
    assert [cst.Module([]).code_for_node(made).strip() for made in operators.condition(node)] == becomes


def test_what_is_laid_open_is_the_same_program() -> None:
    source = """
from functools import cache

class Day:
    def __init__(self, doses):
        self.doses = doses

    @property
    def total(self):
        return sum(self.doses)

    @staticmethod
    def unit():
        return "mg"

@cache
def twice(number):
    @cache
    def once(other):
        return other
    return once(number) + once(number)
"""
    opened = operators.laid_open(source)
    assert "@property" not in opened
    assert "@cache" not in opened
    assert "@staticmethod" in opened
    room: dict[str, object] = {}
    exec(opened, room)
    assert eval("(Day([5, 10]).total, Day.unit(), twice(4), twice.cache_info().currsize)", room) == (15, "mg", 8, 1)
