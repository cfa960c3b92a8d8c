"""Run recorded decisions again: from the log alone, byte for byte; or with another profile, to see what would change.

A `review.recorded` entry holds the case that was asked and the review that was answered. Nothing else is read: no patient,
no prescription. The rule book is asked again and the two texts are compared.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.db import transaction

from baclofen_rules import InvalidProfile, Profile, load_profile
from dispensary import audit
from dispensary.actors import Actor
from dispensary.assessment import Assessment, assess_document
from dispensary.audit import Event, Subject
from dispensary.audit.evidence.bundle import Entry
from dispensary.audit.evidence.export import Progress, lines, snapshot
from dispensary.conf import conf
from dispensary.errors import DispensaryError
from dispensary.models import AuditLog


class Verdict(StrEnum):
    """The comparison of today's review with the recorded one."""

    SAME = "same"
    DIFFERENT = "different"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A recorded decision, reviewed again. `gained` and `lost` are findings as (rule, severity)."""

    seq: int
    entry_id: str
    verdict: Verdict
    detail: str = ""
    outcome_before: str = ""
    outcome_now: str = ""
    gained: tuple[tuple[str, str], ...] = ()
    lost: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Summary:
    """The totals of a replay."""

    counts: Counter[Verdict] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    gained: Counter[tuple[str, str]] = field(default_factory=Counter)
    lost: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, replayed: Replayed) -> None:
        """Count a decision."""
        self.counts[replayed.verdict] += 1
        self.gained.update(replayed.gained)
        self.lost.update(replayed.lost)
        if replayed.outcome_before != replayed.outcome_now:
            self.outcomes[(replayed.outcome_before, replayed.outcome_now)] += 1


def replay(
    log: AuditLog,
    *,
    first: int,
    last: int,
    instead: str = "",
    folders: Sequence[Path] = (),
    progress: Progress | None = None,
) -> Iterator[Replayed]:
    """Review every recorded case among the entries `first` to `last` again.

    `instead` names a profile to ask with, whatever the recorded one was; then findings are compared, not bytes.
    `folders` hold profile files of earlier days: the one whose digest was recorded is used.
    """
    profiles = _ProfileStore(folders)
    with snapshot(log):
        for entry in lines(log, first, last, progress=progress):
            header = json.loads(entry.header) if entry.header else {}
            if header.get("action") == Event.REVIEW_RECORDED.value:
                yield _replay_entry(entry, header, profiles, instead)


@transaction.atomic
def note_replay(
    *, log: AuditLog, first: int, last: int, instead: str, summary: Summary, by: Actor, now: datetime
) -> None:
    """Record a replay in the log, with its result."""
    audit.record(
        Event.DECISIONS_REPLAYED,
        pharmacy=log.pharmacy,
        by=by,
        now=now,
        subject=Subject("log", str(log.log_id)),
        body={
            "first": first,
            "last": last,
            "profile": instead or None,
            "counts": {verdict.value: summary.counts[verdict] for verdict in Verdict},
        },
    )


class _ProfileStore:
    """Profiles by the digest that a decision recorded: those in force, and older ones in folders."""

    def __init__(self, folders: Sequence[Path]) -> None:
        subfolders = [folder for top in folders for folder in (top, *sorted(filter(Path.is_dir, top.iterdir())))]
        self._folders: list[Path | None] = [conf().profile_folder, *subfolders]
        self._found: dict[tuple[str, date, str], Profile | None] = {}

    def find(self, name: str, on: date, digest: str) -> Profile | None:
        """Return the profile of that name and digest ("" for whatever is in force), with the numbers of a day."""
        key = (name, on, digest)
        if key not in self._found:
            self._found[key] = self._load(name, on, digest)
        return self._found[key]

    def _load(self, name: str, on: date, digest: str) -> Profile | None:
        for folder in self._folders:
            try:
                profile = load_profile(name, on=on, folder=folder)
            except InvalidProfile:
                continue
            if not digest or profile.digest == digest:
                return profile
        return None


def _replay_entry(entry: Entry, header: Mapping[str, Any], profiles: _ProfileStore, instead: str) -> Replayed:
    if entry.body is None:
        return Replayed(entry.seq, header["id"], Verdict.UNAVAILABLE, "its details were erased")
    event_body = json.loads(entry.body)
    digest = "" if instead else f"sha256:{header.get('ruleset', '')}"
    try:
        document = json.loads(event_body["case"], parse_float=Decimal)
        before = json.loads(event_body["review"], parse_float=Decimal)
        on = date.fromisoformat(document["on"])
        profile = profiles.find(instead or event_body["profile"], on, digest)
        if profile is None:
            missing = f"there is no profile {instead or event_body['profile']} for {on}" + (
                f" with digest {digest}" if digest else ""
            )
            return Replayed(entry.seq, header["id"], Verdict.UNAVAILABLE, missing)
        now = assess_document(document, profile, on)
    except (KeyError, TypeError, ValueError) as error:
        return Replayed(entry.seq, header["id"], Verdict.UNAVAILABLE, f"it holds no case ({type(error).__name__})")
    except DispensaryError as error:
        problem_text = "the rule book no longer reads the case: " + "; ".join(
            problem.field for problem in error.problems
        )
        return Replayed(entry.seq, header["id"], Verdict.DIFFERENT, problem_text, outcome_before=before["outcome"])
    return _compare(entry, header["id"], event_body["review"], now, by_bytes=not instead)


def _compare(entry: Entry, entry_id: str, text_before: str, answer: Assessment, *, by_bytes: bool) -> Replayed:
    before, now = json.loads(text_before), json.loads(answer.result_text)
    gained, lost = _findings(now) - _findings(before), _findings(before) - _findings(now)
    same_engine = before.get("rules_version") == now["rules_version"]
    if by_bytes and same_engine:
        same = answer.result_text == text_before
    elif by_bytes:  # a new version of the rules says so in every answer; compare all the rest
        same = now | {"rules_version": ""} == before | {"rules_version": ""}
    else:
        same = not gained and not lost and before["outcome"] == now["outcome"]
    return Replayed(
        entry.seq,
        entry_id,
        Verdict.SAME if same else Verdict.DIFFERENT,
        "" if same_engine else f"rules {before.get('rules_version')} then, {now['rules_version']} now",
        outcome_before=str(before["outcome"]),
        outcome_now=str(now["outcome"]),
        gained=tuple(sorted(gained.elements())),
        lost=tuple(sorted(lost.elements())),
    )


def _findings(result: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    return Counter((finding["code"], finding["severity"]) for finding in result["findings"])
