"""The page of all rules, RULES.md: ``python -m baclofen_rules rules`` writes it."""

import inspect
import re
import tomllib
from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any, Final

from baclofen_rules.case import Action
from baclofen_rules.facts import FACTS, Indication, Kind, Sex
from baclofen_rules.findings import Severity
from baclofen_rules.medicines import interaction_classes
from baclofen_rules.profiles import Profile
from baclofen_rules.profiles.compare import value_in_words
from baclofen_rules.profiles.limits import Parameter
from baclofen_rules.rule import EVERY_MEDICINE, OnContinuing, Rule
from baclofen_rules.rules import all_rules
from baclofen_rules.text import format_amount

HEAD: Final = """# The rules

Written by `python -m baclofen_rules rules` from the rules and profiles themselves; a test keeps it true. Values are the newest
of each profile. Marks: **C** the five source documents of Lioresal, **F** found in public material, **K** general knowledge, **D** a design default
of ours that a pharmacist still has to sign off.

## Which way the rules err

Too much baclofen sedates and stops breathing; too little or none brings withdrawal with seizures. So:

1. A missing fact is neither false nor zero. A rule finds, stays clear, or names the fact it lacks; where a limit goes by age and the age is
   unknown, a dose above the limit of *every* age is found all the same.
2. Without a recorded history a patient counts as new. The withdrawal guard needs a recorded supply.
3. Refusing a patient the dose they already take is itself dangerous: for a continuing patient whose dose does not rise, stops of `ceiling`,
   `renal` and `age` become overrides.
4. A near miss counts as a hit for allergies (misspelt names), and code and name of a medicine both count when they disagree.
5. Cover is counted short: a day covered in part is not covered; tablets of another dose at home are not counted on.
6. Bad input is refused, not repaired: NaN, a dose of 0, an unknown word, a date of 1800, an unknown field.
"""

RATES: Final = Path(__file__).with_name("rates.toml")
"""How often each rule speaks, written by ``tests/benchmarks/alert_rates.py``."""
OVERVIEW_HEAD: Final = (
    "## All rules",
    "",
    "*Repeat*: what becomes of a finding for who goes on as before: the patient is continuing, the dose does not rise, and the same finding was",
    "answered before. A medicine or condition that is new, a fact recorded after the answer, and a dose above that of then ask again; an answered",
    "override is asked for again after `override_holds_days`, of `two_signatures` after `grave_override_holds_days`; what is one step milder is acknowledged again after `see_again_after_days`. Rules that only *ask* are about this order or supply, or say why. The last columns:",
    "asked / told in 10,000 dispenses of a generated population, profile `lioresal` ([ALERTS.md](ALERTS.md)).",
    "",
    "| code | severity | finds | repeat | first orders | changes | clean repeats |",
    "|---|---|---|---|---|---|---|",
)
_VALUES: Final = {
    Kind.BIRTH_DATE: "a date",
    Kind.DAY: "a date",
    Kind.SEX: ", ".join(Sex),
    Kind.INDICATION: ", ".join(Indication),
    Kind.FLAG: "true or false",
    Kind.TEXTS: "a list of texts",
    Kind.CONDITIONS: "a list of conditions",
    Kind.MEDICINES: "a list of medicines",
}


def rules_page(profiles: Sequence[Profile]) -> str:
    """The page as Markdown, for the newest numbers of the profiles."""
    on = max(day for profile in profiles for day in profile.changes)
    classes = interaction_classes()
    lines = [HEAD, *_overview(profiles, on), ""]
    lines += ["## Numbers that several rules share", "", *_table(_shared(profiles), profiles, on)]
    family: list[Rule[Any]] = []
    for rule in sorted(all_rules(), key=lambda rule: rule.code):
        if rule.code in classes:
            family.append(rule)
        else:
            lines += ["", *_rule(rule, profiles, on)]
    lines += ["", *_interactions(family, profiles, on)]
    lines += ["", *_facts()]
    return "\n".join(lines) + "\n"


def _overview(profiles: Sequence[Profile], on: date) -> Iterator[str]:
    """Return all rules as a table: what each finds, how gravely, what becomes of it at a repeat, and how often it speaks."""
    rates = tomllib.loads(RATES.read_text(encoding="utf-8"))["rates"]
    yield from OVERVIEW_HEAD
    for rule in sorted(all_rules(), key=lambda rule: rule.code):
        title = interaction_classes()[rule.code].title if rule.code in interaction_classes() else _title(rule)
        rows = rates.get(rule.code, {})
        counts = " | ".join(
            f"{asked} / {information}" if asked or information else "-"
            for asked, information in (rows.get(kind, (0, 0)) for kind in ("first order", "change", "clean repeat"))
        )
        severities = _severities(rule, profiles, on)
        at_repeats = "" if severities == [str(Severity.INFORMATION)] else _at_repeats(rule)
        yield f"| `{rule.code}` | {' to '.join(severities)} | {title.rstrip('.')} | {at_repeats} | {counts} |"


def _severities(rule: Rule[Any], profiles: Sequence[Profile], on: date) -> list[str]:
    """Return the mildest and the gravest severity that a rule's file and numbers name."""
    check = rule.check.func if isinstance(rule.check, partial) else rule.check
    names = set(re.findall(r"\bSeverity\.([A-Z]+)\b", inspect.getsource(inspect.getmodule(check) or check)))
    named = {Severity[name] for name in names}
    for profile in profiles:
        for parameter in profile.sections[rule.code].parameters.values():
            named |= {
                Severity(str(entry.value))
                for entry in parameter.in_force(on)
                if entry.unit == "severity" and entry.value
            }
    ranked = sorted(named, key=lambda severity: severity.rank)
    return [str(severity) for severity in dict.fromkeys((ranked[0], ranked[-1]))]


def _at_repeats(rule: Rule[Any]) -> str:
    words = {
        OnContinuing.ASKS: "asks",
        OnContinuing.MILDER: "one step milder, once answered, and information until seen again",
        OnContinuing.INFORMATION: "information, once answered",
        OnContinuing.TOLD: "information",
        OnContinuing.SILENT: "nothing",
    }[rule.on_continuing]
    return f"{words}: {rule.why_continuing}" if rule.why_continuing else words


def _title(rule: Rule[Any]) -> str:
    return rule.text.strip().partition("\n")[0]


def _facts() -> Iterator[str]:
    """Return the facts of a patient as a table: the fields of `patient` in a case that the record holds."""
    yield "## Facts of the patient"
    yield ""
    yield "| fact | label | value | read first by |"
    yield "|---|---|---|---|"
    for name, fact in FACTS.items():
        if fact.kind is Kind.AMOUNT:
            value = f"{format_amount(fact.least)} to {format_amount(fact.most)} {fact.unit}"
        else:
            value = _VALUES[fact.kind]
        yield f"| `{name}` | {fact.label} | {value} | {', '.join(f'`{code}`' for code in fact.read_by)} |"


def _rule(rule: Rule[Any], profiles: Sequence[Profile], on: date) -> Iterator[str]:
    yield f"## `{rule.code}`"
    yield ""
    yield from _text(rule)
    yield f"\nServes: {', '.join(rule.serves)}{' medicine' if rule.serves == EVERY_MEDICINE else ''}."
    if Action.DISCONTINUE in rule.actions:
        yield f"\nAsked for: {', '.join(f'*{action}*' for action in rule.actions)}."
    if rule.needs_dose:
        yield "\nNot applied where route or unit make the dose unbelievable, or where there is none."
    if rule.terms:
        yield f"\nShared numbers: {', '.join(f'`{name}`' for name in rule.terms)}."
    if rule.answers:
        yield f"\nCommon answers (FHIR mitigation codes): {', '.join(rule.answers)}."
    rows = _parameters(rule.code, profiles)
    if rows:
        yield ""
        yield from _table(rows, profiles, on)
    basis = dict.fromkeys(
        f"[{cited.mark}] {cited.title}: {cited.where}"
        for profile in profiles
        for cited in profile.sections[rule.code].basis
    )
    if basis:
        yield ""
        yield from (f"- Rests on {words}" for words in basis)


def _text(rule: Rule[Any]) -> Iterator[str]:
    """The docstring: its title, and each of its parts as a paragraph."""
    title, _, rest = rule.text.strip().partition("\n\n")
    yield title
    yield ""
    for line in rest.splitlines():
        if line.startswith(("Finds", "Errs", "Source")):
            word, _, text = line.partition(":" if not line.startswith("Finds,") else ",")
            yield f"\n**{word}:**{text}" if line.startswith(("Errs", "Source")) else f"**{word}:**{text}"
        else:
            yield line


def _interactions(family: list[Rule[Any]], profiles: Sequence[Profile], on: date) -> Iterator[str]:
    yield "## `interaction-*`: one code a class"
    yield ""
    yield from _text(family[0])
    for rule in family:
        medicines = interaction_classes()[rule.code]
        excepted = f", not {', '.join(medicines.not_atc)}" if medicines.not_atc else ""
        names = sorted(" ".join(name) for name in medicines.names)
        yield f"\n### `{rule.code}`\n"
        yield f"{medicines.title}: {medicines.mechanism[0].lower()}{medicines.mechanism[1:]}. {medicines.advice}."
        yield f"[{medicines.mark}] {medicines.where}.\n"
        yield f"- ATC: {', '.join(medicines.atc)}{excepted}"
        yield f"- Names: {', '.join(names)}\n"
        yield from _table(_parameters(rule.code, profiles), profiles, on)


def _shared(profiles: Sequence[Profile]) -> dict[str, list[Parameter | None]]:
    names = dict.fromkeys(name for profile in profiles for name in profile.terms.parameters)
    return {name: [profile.terms.parameters.get(name) for profile in profiles] for name in names}


def _parameters(code: str, profiles: Sequence[Profile]) -> dict[str, list[Parameter | None]]:
    sections = [profile.sections[code] for profile in profiles]
    names = dict.fromkeys(name for section in sections for name in section.parameters)
    return {name: [section.parameters.get(name) for section in sections] for name in names}


def _table(rows: dict[str, list[Parameter | None]], profiles: Sequence[Profile], on: date) -> Iterator[str]:
    yield f"| number | {' | '.join(profile.name for profile in profiles)} |"
    yield "|---" * (len(profiles) + 1) + "|"
    for name, parameters in rows.items():
        yield f"| `{name}` | {' | '.join(_cell(parameter, on) for parameter in parameters)} |"


def _cell(parameter: Parameter | None, on: date) -> str:
    if parameter is None:
        return ""
    cells = []
    for entry in parameter.in_force(on):
        note = f" ({entry.note})" if entry.note else ""
        cells.append(f"**{value_in_words(entry)}** [{entry.citation.mark}] {entry.citation.where}{note}")
    return "<br>".join(cells).replace("|", "\\|")
