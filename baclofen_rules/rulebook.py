"""The rules together with the numbers of one profile on one day."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from baclofen_rules.case import Action, Case
from baclofen_rules.extensions import RULES, extensions
from baclofen_rules.findings import Citation
from baclofen_rules.profiles import InvalidProfile, Profile
from baclofen_rules.profiles.limits import SPEC, bind
from baclofen_rules.rule import Rule
from baclofen_rules.rules import all_rules, early_refill, rules_of
from baclofen_rules.shared_limits import SharedLimits
from baclofen_rules.therapy import Habits

if TYPE_CHECKING:
    from pathlib import Path


L = TypeVar("L")


class BoundRule(NamedTuple, Generic[L]):
    """A rule with its numbers and the places they come from."""

    rule: Rule[L]
    limits: L
    sources: tuple[Citation, ...]


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules of one profile with the numbers in force on one day, by the action they are about."""

    profile: Profile
    terms: SharedLimits
    rules: Mapping[Action, tuple[BoundRule[Any], ...]]
    habits: Habits = field(init=False, repr=False, compare=False)
    """The numbers that the days of a therapy are counted with."""
    _limits: Mapping[str, Any] = field(init=False, repr=False, compare=False)
    _without_record: Mapping[Action, tuple[BoundRule[Any], ...]] = field(init=False, repr=False, compare=False)
    """The rules that can be asked of a case of the first format."""

    def __post_init__(self) -> None:
        limits = {bound.rule.code: bound.limits for rules in self.rules.values() for bound in rules}
        object.__setattr__(self, "_limits", limits)
        without_record = {
            action: tuple(bound for bound in rules if not bound.rule.needs_record)
            for action, rules in self.rules.items()
        }
        object.__setattr__(self, "_without_record", without_record)
        shared = self.terms
        refill: early_refill.Limits = limits[early_refill.RULE.code]
        habits = Habits(
            restart_after=int(shared.restart_after_days),
            new_after=int(shared.new_after_days),
            lead=int(shared.refill_lead_days),
            second_call=int(shared.second_call_days),
            missed_after=int(shared.missed_after_days),
            used_fraction=refill.used_fraction_min,
            days_left=None if refill.days_left_max is None else int(refill.days_left_max),
            watch=int(shared.watch_after_stop_days),
            stop_free_mg=shared.stop_free_mg_per_day,
        )
        object.__setattr__(self, "habits", habits)

    def rules_for(self, case: Case) -> tuple[BoundRule[Any], ...]:
        """Return the rules about the action of a case that its format has the facts for.

        Raises InvalidProfile for a case that was read for another medicine.
        """
        own, medicine = self.profile.medicine.name, case.medicine.name
        if own != medicine:
            raise InvalidProfile(f"{self.profile.name}.toml: medicine", own, f"{medicine}, which the case was read for")
        return (self._without_record if case.record is None else self.rules)[case.action]

    def limits_of(self, rule: Rule[L]) -> L:
        """Return the numbers of one rule."""
        limits: L = self._limits[rule.code]
        return limits


def load_profile(name: str, on: date | None = None, folder: "Path | str | None" = None) -> Profile:
    """The profile of that name, checked in full against the rules.

    ``on`` fixes the day whose numbers are used; without it each case is reviewed with the numbers of its own day.
    ``folder`` is a site's own folder of profile files; what such a profile does not know of comes from its parent and is named in
    ``fallbacks``. Raises InvalidProfile, which says where and what is wrong.
    """
    from baclofen_rules.profiles.loading import read_profile  # TOML, hashes and paths are not needed before

    needed = {"terms": _names_of(SharedLimits), **{rule.code: _names_of(rule.limits) for rule in all_rules()}}
    profile = read_profile(name, folder, on, needed, _further_numbers)
    if not profile.changes:
        raise InvalidProfile(f"{name}.toml: rules", "no number at all", "parameters for every rule")
    for day in profile.changes:
        rulebook(profile, day)
    return profile


def _further_numbers(medicine: str) -> "Iterator[Path]":
    """Yield the files beside the modules of other packages that have rules about a medicine."""
    for extension in extensions(RULES):
        if any(rule.is_for(medicine) for rule in rules_of(extension.module)):
            yield extension.file.with_suffix(".toml")


def _names_of(limits: type[Any]) -> tuple[str, ...]:
    return tuple(made.name for made in fields(limits))


def limit_words(place: str) -> str:
    """Return what a number of a profile is, by its place (`terms.hold_days`, `taper-step.min_days`); "" where no rule reads it."""
    code, _, name = place.removeprefix("rules.").rpartition(".")
    declarations = [SharedLimits] if code == "terms" else [rule.limits for rule in all_rules() if rule.code == code]
    return next((made.metadata[SPEC].words for kind in declarations for made in fields(kind) if made.name == name), "")


def list_profiles(folder: "Path | str | None" = None) -> tuple[str, ...]:
    """Names of the profiles that ship and of those in ``folder``."""
    from baclofen_rules.profiles.loading import profile_files  # as above

    return tuple(sorted(profile_files(folder)))


def rulebook(profile: Profile, on: date) -> RuleBook:
    """The rules with the numbers in force on ``on``; remembered in the profile. Raises InvalidProfile."""
    changes = profile.changes
    period = bisect_right(changes, on)
    if period == 0:
        raise InvalidProfile(f"{profile.name}.toml", f"no number in force on {on}", f"a day from {changes[0]} on")
    day = changes[period - 1]
    book: RuleBook | None = profile.bound.get(day)
    if book is None:
        book = profile.bound[day] = _bind_all(profile, day)
    return book


def _bind_all(profile: Profile, on: date) -> RuleBook:
    file = f"{profile.name}.toml"
    serving = [rule for rule in all_rules() if rule.is_for(profile.medicine.name)]
    codes = {rule.code for rule in serving}
    for code in profile.sections:
        if code not in codes:
            raise InvalidProfile(
                f"{file}: rules.{code}",
                f"a rule that does not exist, or is not about {profile.medicine.name}",
                f"one of {', '.join(sorted(codes))}",
            )
    terms = bind(SharedLimits, profile.terms.parameters, on, f"{file}: terms")
    for code in terms.two_signatures or ():
        if code not in codes:
            place = f"{file}: terms.two_signatures"
            raise InvalidProfile(place, code, f"codes of rules: {', '.join(sorted(codes))}")
    bound = [_bind_one(profile, rule, on) for rule in serving]
    rules = {
        action: tuple(bound_rule for bound_rule in bound if action in bound_rule.rule.actions) for action in Action
    }
    return RuleBook(profile=profile, terms=terms, rules=rules)


def _bind_one(profile: Profile, rule: Rule[L], on: date) -> BoundRule[L]:
    place = f"{profile.name}.toml: rules.{rule.code}"
    section = profile.sections.get(rule.code)
    if section is None:
        raise InvalidProfile(place, "nothing", "what this rule rests on: its numbers, or a basis")
    shared = [profile.terms.parameters[name] for name in rule.terms if name in profile.terms.parameters]
    cited = [entry.citation for parameter in shared for entry in parameter.in_force(on)]
    own = [entry.citation for parameter in section.parameters.values() for entry in parameter.in_force(on)]
    return BoundRule(
        rule=rule,
        limits=bind(rule.limits, section.parameters, on, place),
        sources=tuple(dict.fromkeys([*own, *cited, *section.basis])),
    )
