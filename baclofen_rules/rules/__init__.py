"""The rules, one file each, found by walking this folder, and those of other packages; a file has a ``RULE``, or ``RULES`` for several codes."""

from collections import Counter
from functools import cache
from types import ModuleType
from typing import Any

from baclofen_rules import extensions
from baclofen_rules.rule import Rule


def rules_of(module: ModuleType) -> tuple[Rule[Any], ...]:
    """Return the rules of a module. Raises InvalidExtension where it has none."""
    rules = tuple(getattr(module, "RULES", None) or filter(None, [getattr(module, "RULE", None)]))
    if not rules or not all(isinstance(rule, Rule) for rule in rules):
        raise extensions.InvalidExtension(f"{module.__name__} has no RULE or RULES made of baclofen_rules.Rule")
    return rules


@cache
def all_rules() -> tuple[Rule[Any], ...]:
    """Return every rule: first those that can switch others off, then by code. Raises InvalidExtension for a module that is none of rules."""
    import importlib  # both only here: importing the rule book stays quick
    import pkgutil

    names = [info.name for info in pkgutil.iter_modules(__path__) if not info.name.startswith("_")]
    modules = [importlib.import_module(f"{__name__}.{name}") for name in names]
    modules += [extension.module for extension in extensions.extensions(extensions.RULES)]
    rules = [rule for module in modules for rule in rules_of(module)]
    twice = [code for code, count in Counter(rule.code for rule in rules).items() if count > 1]
    if twice:
        raise extensions.InvalidExtension(f"two rule files use the same code: {', '.join(sorted(twice))}")
    return tuple(sorted(rules, key=lambda rule: (not rule.switches_off, rule.code)))


def rule_by_code(code: str) -> Rule[Any]:
    """Return the rule with that code. Raises KeyError."""
    return {rule.code: rule for rule in all_rules()}[code]
