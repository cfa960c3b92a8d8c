"""Replay of stored cases with another profile or this version of the rules.

A stored line is a case, or ``{"case": ..., "review": ...}`` as it was once answered. With a profile *before*, both answers
are worked out here; without one the stored review is the answer before, whatever version of the rules gave it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from baclofen_rules.case import Case, InvalidCase
from baclofen_rules.checked import parse_json
from baclofen_rules.profiles import InvalidProfile, Profile
from baclofen_rules.review import review

FORMAT: Final = "baclofen-replay/1"
REVIEW_FORMAT: Final = "baclofen-review/1"
Progress = Callable[[int, int], None]
"""Told after each case: cases done, outcomes changed."""


@dataclass(frozen=True, slots=True)
class Change:
    """The differences between two answers to one case; ``why`` has a sentence for each finding that came, went or weighs
    differently, and for each rule that can no longer, or can now, be assessed."""

    line: int
    before: str
    after: str
    why: tuple[str, ...]

    @property
    def is_outcome(self) -> bool:
        """Return whether the outcome itself changes."""
        return self.before != self.after

    def to_json(self) -> dict[str, Any]:
        return {"line": self.line, "before": self.before, "after": self.after, "why": list(self.why)}


@dataclass(slots=True)
class Report:
    """Counts and reasons of changed outcomes."""

    before: str
    after: str
    cases: int = 0
    changes: list[Change] = field(default_factory=list)
    """Every case whose answer differs."""
    rules: Counter[str] = field(default_factory=Counter)
    """How often each rule brought about a difference: ``"daily-maximum appeared"`` and the like."""
    not_replayed: list[tuple[int, str]] = field(default_factory=list)
    """Lines that could not be used, and what is wrong with them."""

    @property
    def changed_outcomes(self) -> list[Change]:
        return [change for change in self.changes if change.is_outcome]

    def to_json(self) -> dict[str, Any]:
        """The report as JSON; the changed outcomes first, then what changed below the same outcome."""
        outcomes = Counter(f"{change.before} to {change.after}" for change in self.changed_outcomes)
        return {
            "format": FORMAT,
            "before": self.before,
            "after": self.after,
            "cases": self.cases,
            "outcomes_changed": len(self.changed_outcomes),
            "outcomes": dict(sorted(outcomes.items())),
            "rules": dict(sorted(self.rules.items())),
            "changes": [change.to_json() for change in sorted(self.changes, key=lambda change: not change.is_outcome)],
            "not_replayed": [{"line": line, "error": error} for line, error in self.not_replayed],
        }


def replay(
    lines: Iterable[str], after: Profile, before: Profile | None = None, progress: Progress | None = None
) -> Report:
    """Ask every stored case again. A line that cannot be used is reported, and the others go on."""
    report = Report(_name(before) if before else "the stored reviews", _name(after))
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            case, earlier = _stored(line, before)
            now = review(case, after).to_json()
        except (InvalidCase, InvalidProfile) as error:
            report.not_replayed.append((number, str(error)))
        else:
            report.cases += 1
            _compare(report, number, earlier, now)
        if progress is not None:
            progress(number, len(report.changed_outcomes))
    return report


def _name(profile: Profile) -> str:
    return f"{profile.name} {profile.digest}"


def _stored(line: str, before: Profile | None) -> tuple[Case, Mapping[str, Any]]:
    """The case of a line, and its answer before."""
    obj = parse_json(line)
    pair = isinstance(obj, dict) and "case" in obj
    if pair and (set(obj) - {"case", "review"}):
        raise InvalidCase("line", ", ".join(sorted(set(obj) - {"case", "review"})), "case and review only")
    case = Case.from_json(obj["case"] if pair else obj)
    if before is not None:
        return case, review(case, before).to_json()
    earlier = obj.get("review") if pair else None
    if not isinstance(earlier, dict) or earlier.get("format") != REVIEW_FORMAT:
        raise InvalidCase("review", "none", f'a stored review ("{REVIEW_FORMAT}"), or a profile to ask before')
    for name in ("outcome", "findings", "not_assessed"):
        if name not in earlier:
            raise InvalidCase(f"review.{name}", "nothing", "a whole stored review")
    return case, earlier


def _compare(report: Report, number: int, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    why: list[str] = []
    was, now = _findings(before), _findings(after)
    for code in sorted(was.keys() | now.keys()):
        difference = _explain_difference(code, was.get(code), now.get(code))
        if difference is not None:
            report.rules[f"{code} {difference[0]}"] += 1
            why.append(f"{code} {difference[1]}")
    lacked, lacks = _lacking(before), _lacking(after)
    for code in sorted(lacked.keys() | lacks.keys()):
        if lacked.get(code) == lacks.get(code):
            continue
        word = "could not be assessed" if code in lacks else "can be assessed"
        report.rules[f"{code} {word}"] += 1
        why.append(f"{code} {word}: {', '.join(lacks.get(code) or lacked[code])}")
    if why or before["outcome"] != after["outcome"]:
        report.changes.append(Change(number, str(before["outcome"]), str(after["outcome"]), tuple(why)))


def _explain_difference(
    code: str, was: list[Mapping[str, Any]] | None, now: list[Mapping[str, Any]] | None
) -> tuple[str, str] | None:
    """Return a word and a sentence on a change of a rule's findings; None without one."""
    if was is None and now is not None:
        return "appeared", f"appeared ({now[0]['severity']}): {now[0]['summary']}"
    if now is None and was is not None:
        return "gone", f"gone (was {was[0]['severity']}): {was[0]['summary']}"
    assert was is not None and now is not None  # a code comes from one of the two
    weight = ([finding["severity"] for finding in was], [finding["severity"] for finding in now])
    if weight[0] != weight[1]:
        return "weighs differently", f"weighs {now[0]['severity']} instead of {was[0]['severity']}: {now[0]['summary']}"
    if [finding["limit"] for finding in was] != [finding["limit"] for finding in now]:
        return "has another limit", f"has another limit: {now[0]['summary']} (was: {was[0]['summary']})"
    return None


def _findings(answer: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    """Findings by code; a rule may have several."""
    findings: dict[str, list[Mapping[str, Any]]] = {}
    for finding in answer["findings"]:
        findings.setdefault(finding["code"], []).append(finding)
    return findings


def _lacking(answer: Mapping[str, Any]) -> dict[str, list[str]]:
    return {rule["code"]: rule["missing"] for rule in answer["not_assessed"]}
