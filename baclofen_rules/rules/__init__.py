"""The rules, one file each, found by walking this folder; a file has a ``RULE``, or ``RULES`` for several codes."""

from functools import cache
from typing import Any

from baclofen_rules.rule import Rule


@cache
def all_rules() -> tuple[Rule[Any], ...]:
    """Return every rule of the folder: first those that can switch others off, then by code."""
    import importlib  # both only here: importing the rule book stays quick
    import pkgutil

    names = [info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_")]
    rules: list[Rule[Any]] = []
    for name in names:
        module = importlib.import_module(f"{__name__}.{name}")
        rules += module.RULES if hasattr(module, "RULES") else (module.RULE,)
    if len({rule.code for rule in rules}) != len(rules):
        raise RuntimeError("two rule files use the same code")
    return tuple(sorted(rules, key=lambda rule: (not rule.switches_off, rule.code)))


def rule_by_code(code: str) -> Rule[Any]:
    """Return the rule with that code. Raises KeyError."""
    return {rule.code: rule for rule in all_rules()}[code]
