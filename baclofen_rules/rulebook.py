"""The rules together with the numbers of one profile on one day."""

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from baclofen_rules import terms
from baclofen_rules.case import Action
from baclofen_rules.findings import Answer, Citation
from baclofen_rules.profiles import InvalidProfile, Profile
from baclofen_rules.profiles.limits import bind
from baclofen_rules.rules import Rule, all_rules

if TYPE_CHECKING:
    from pathlib import Path


MOST_REMEMBERED: Final = 4096
"""Sets of topics; a day at a pharmacy brings a few dozen."""


class BoundRule(NamedTuple):
    """A rule with its numbers and the places they come from."""

    rule: Rule
    limits: Any
    sources: tuple[Citation, ...]

    def is_asked(self, topics: int) -> bool:
        """Whether a case with these topics is one that the rule could speak about."""
        return not self.rule.asked_about or bool(self.rule.asked_about & topics)


Quick = tuple[Callable[[terms.Terms, Any], Answer], Any, BoundRule]
"""A rule's check, its numbers, and the rule: one tuple, because a review walks many of them."""


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules of one profile with the numbers in force on one day, sorted by the action they speak about."""

    terms: terms.Limits
    rules: Mapping[Action, tuple[BoundRule, ...]]
    asked: dict[tuple[Action, int], tuple[Quick, ...]] = field(default_factory=dict, repr=False, compare=False)
    """The rule book's own memory of which rules are asked about which topics."""

    def about(self, action: Action, topics: int) -> tuple[Quick, ...]:
        """The rules that are asked about a case with these topics, in their order; the others would stay clear."""
        held = self.asked.get((action, topics))
        if held is None:
            if len(self.asked) >= MOST_REMEMBERED:
                self.asked.clear()
            chosen = [one for one in self.rules[action] if one.is_asked(topics)]
            held = self.asked[action, topics] = tuple((one.rule.check, one.limits, one) for one in chosen)
        return held


def load_profile(name: str, on: date | None = None, folder: "Path | str | None" = None) -> Profile:
    """The profile of that name, checked in full against the rules.

    ``on`` fixes the day whose numbers are used; without it each case is reviewed with the numbers of its own day.
    ``folder`` is a site's own folder of profile files. Raises InvalidProfile, which says where and what is wrong.
    """
    from baclofen_rules.profiles.loading import read_profile  # TOML, hashes and paths are not needed before

    profile = read_profile(name, folder, on)
    if not profile.changes:
        raise InvalidProfile(f"{name}.toml: rules", "no number at all", "parameters for every rule")
    for day in profile.changes:
        rulebook(profile, day)
    return profile


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
    held: RuleBook | None = profile.bound.get(day)
    if held is None:
        held = profile.bound[day] = _bind_all(profile, day)
    return held


def _bind_all(profile: Profile, on: date) -> RuleBook:
    file = f"{profile.name}.toml"
    known = {rule.code for rule in all_rules()}
    for code in profile.sections:
        if code not in known:
            raise InvalidProfile(
                f"{file}: rules.{code}", "a rule that does not exist", f"one of {', '.join(sorted(known))}"
            )
    bound = [_bind_one(profile, rule, on) for rule in all_rules()]
    rules = {action: tuple(one for one in bound if one.rule.action is action) for action in Action}
    return RuleBook(terms=bind(terms.Limits, profile.terms.parameters, on, f"{file}: terms"), rules=rules)


def _bind_one(profile: Profile, rule: Rule, on: date) -> BoundRule:
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
