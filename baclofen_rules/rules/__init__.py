"""The rules, one file each, found by walking this folder.

A rule file has a ``CODE`` (public; never changes its meaning), ``check(terms, limits)`` which answers with findings, with the
facts it lacks, or with nothing, and ``explain(terms, limits)`` which says in one sentence what it saw and what the limit
is. It may have:

- ``Limits``: a frozen dataclass of the numbers it reads (``baclofen_rules.profiles.limits``),
- ``TERMS``: names of shared numbers it rests on (``baclofen_rules.terms.Limits``),
- ``NEEDS_DOSE = True``: not applied where route or unit make the dose unbelievable,
- ``SWITCHES_OFF = True``: a finding of this rule makes the dose unbelievable,
- ``ACTION``: the action it speaks about; dispensing, unless it says otherwise,
- ``ASKED_ABOUT``: the topics (``baclofen_rules.topics.Topic``) without which it stays clear; it is asked only about a case
  that touches one of them; in a family a function that gives those of a code,
- ``ANSWERS``: FHIR mitigation codes that commonly answer its findings,
- ``FAMILY``: the codes of a file that speaks for several; ``check`` and ``explain`` then take the code first,
- ``GROUP``: the code under which such a file says which facts it lacks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from types import ModuleType
from typing import Any, NamedTuple

from baclofen_rules.case import Action
from baclofen_rules.findings import Answer
from baclofen_rules.terms import Terms


@dataclass(frozen=True, slots=True)
class NoLimits:
    """Of a rule that reads no number."""


class Rule(NamedTuple):
    """A rule as its file describes it."""

    code: str
    check: Callable[[Terms, Any], Answer]
    explain: Callable[[Terms, Any], str]
    limits: type[Any]
    terms: tuple[str, ...]
    needs_dose: bool
    switches_off: bool
    action: Action
    asked_about: int
    """Topics, added up; 0 where it is asked about every case."""
    answers: tuple[str, ...]
    group: str
    """The code under which a family says together which facts it lacks; empty for a rule of its own."""
    text: str
    """The docstring of the file."""


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule of the folder; first those that can switch others off, then by code."""
    import importlib  # both only here: importing the rule book stays quick
    import pkgutil

    modules = [
        importlib.import_module(f"{__name__}.{found.name}")
        for found in pkgutil.iter_modules(__path__)
        if not found.name.startswith("_")
    ]
    rules = [rule for module in modules for rule in _described(module)]
    codes = [rule.code for rule in rules]
    if len(set(codes)) != len(codes):
        raise RuntimeError("two rule files use the same code")
    return tuple(sorted(rules, key=lambda rule: (not rule.switches_off, rule.code)))


def rule_by_code(code: str) -> Rule:
    """The rule with that code. Raises KeyError."""
    return {rule.code: rule for rule in all_rules()}[code]


def _described(module: ModuleType) -> list[Rule]:
    def rule(code: str, check: Callable[[Terms, Any], Answer], explain: Callable[[Terms, Any], str]) -> Rule:
        return Rule(
            code=code,
            check=check,
            explain=explain,
            limits=getattr(module, "Limits", NoLimits),
            terms=getattr(module, "TERMS", ()),
            needs_dose=getattr(module, "NEEDS_DOSE", False),
            switches_off=getattr(module, "SWITCHES_OFF", False),
            action=getattr(module, "ACTION", Action.DISPENSE),
            asked_about=about(code) if callable(about) else about,
            answers=getattr(module, "ANSWERS", ()),
            group=getattr(module, "GROUP", ""),
            text=(module.__doc__ or "").strip(),
        )

    about: int | Callable[[str], int] = getattr(module, "ASKED_ABOUT", 0)
    family: tuple[str, ...] = getattr(module, "FAMILY", ())
    if family:
        return [rule(code, partial(module.check, code), partial(module.explain, code)) for code in family]
    return [rule(module.CODE, module.check, module.explain)]
