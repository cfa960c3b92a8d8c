"""Operators beside mutmut's own, and the opening of code that mutmut passes over.

mutmut leaves decorated functions alone, and with them every property; it does not touch a bare condition, the severity of
a finding, ``max`` and ``min``, a comparison that is handed over by name, or the direction of rounding. In a rule book these
are the changes that matter most.
"""

import ast
from collections.abc import Iterable, Iterator
from typing import Final

import libcst as cst
import libcst.matchers as m

SEVERITIES: Final = ("INFORMATION", "ACKNOWLEDGE", "OVERRIDE", "STOP")
SWAPPED: Final = {
    "max": "min",
    "min": "max",
    "any": "all",
    "all": "any",
    "ROUND_CEILING": "ROUND_FLOOR",
    "ROUND_FLOOR": "ROUND_CEILING",
}
_TURNED_BY_MUTMUT: Final = m.Comparison(
    comparisons=[
        m.ComparisonTarget(operator=m.OneOf(m.Equal(), m.NotEqual(), m.Is(), m.IsNot(), m.In(), m.NotIn())),
    ]
) | m.UnaryOperation(operator=m.Not())


def severity(node: cst.Attribute) -> Iterator[cst.Attribute]:
    """A finding that is one step graver; the gravest becomes the mildest."""
    if m.matches(node.value, m.Name("Severity")) and node.attr.value in SEVERITIES:
        following = SEVERITIES[(SEVERITIES.index(node.attr.value) + 1) % len(SEVERITIES)]
        yield node.with_changes(attr=cst.Name(following))


def compared_by_name(node: cst.Attribute) -> Iterator[cst.Attribute]:
    """``total.__gt__`` handed over as a test: above, or from."""
    other = {"__gt__": "__ge__", "__ge__": "__gt__", "__lt__": "__le__", "__le__": "__lt__"}.get(node.attr.value)
    if other:
        yield node.with_changes(attr=cst.Name(other))


def other_name(node: cst.Name) -> Iterator[cst.Name]:
    """Largest for smallest, every for any, up for down."""
    if node.value in SWAPPED:
        yield node.with_changes(value=SWAPPED[node.value])


def condition(node: cst.If | cst.CompIf) -> Iterator[cst.CSTNode]:
    """The opposite condition, where mutmut does not turn it already."""
    if not m.matches(node.test, _TURNED_BY_MUTMUT):
        inside = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.with_changes(test=cst.UnaryOperation(cst.Not(), inside))


OPERATORS: Final[list[tuple[type[cst.CSTNode], object]]] = [
    (cst.Attribute, severity),
    (cst.Attribute, compared_by_name),
    (cst.Name, other_name),
    (cst.If, condition),
    (cst.CompIf, condition),
]


def laid_open(source: str) -> str:
    """The same program, with ``@decorator def f`` written as ``def f`` and ``f = decorator(f)``, for simple decorators."""
    lines = source.splitlines(keepends=True)
    after: dict[int, str] = {}
    for node in _decorated(ast.parse(source)):
        names = [name.id for name in node.decorator_list if isinstance(name, ast.Name)]
        if len(names) != len(node.decorator_list) or names in (["staticmethod"], ["classmethod"]):
            continue
        for decorator in node.decorator_list:
            lines[decorator.lineno - 1] = ""
        assert node.end_lineno is not None
        wrapped = node.name
        for name in reversed(names):
            wrapped = f"{name}({wrapped})"
        after[node.end_lineno] = f"{' ' * node.col_offset}{node.name} = {wrapped}\n"
    return "".join(line + after.get(number, "") for number, line in enumerate(lines, start=1))


def _decorated(tree: ast.AST) -> Iterable[ast.FunctionDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.decorator_list]
