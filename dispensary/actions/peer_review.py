"""Peer review of overrides: a sample of a period, which nobody picks, judged one by one. Sample and judgements are entries of the log.

The order of a sample is that of SHA-256(root of the first checkpoint that covers the period || id of the entry): whoever holds
the log can compute it again.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from dispensary import audit, policies
from dispensary.actors import Actor
from dispensary.audit import Event, Line, Subject
from dispensary.audit.evidence import export
from dispensary.audit.log import reader
from dispensary.errors import Conflict, InvalidInput, NotFound, Problem
from dispensary.models import AuditCheckpoint, AuditEntry, Pharmacy, SecondSignature
from dispensary.models.keys import uuid7
from dispensary.text import clean_words

_DOING, _WHO = "review overrides of others", "an auditor or manager"
FEWEST, MOST = 1, 50
"""Overrides of one sample."""
_MOST_JUDGEMENTS = 1000
_SAMPLE = "sample"


class Judgement(StrEnum):
    """The judgement of a reviewer on an override."""

    AGREED = "agreed"
    DISCUSS = "discuss"


class Verdict(StrEnum):
    """The answer of a reviewer to one question about an override."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Judged:
    """A judgement with who gave it; `is_own` where the reader did."""

    judgement: Judgement
    words: str
    name: str
    at: datetime
    is_own: bool
    doubt: str
    """What does not fit its hash, in words; then `words` are not to be believed."""


@dataclass(frozen=True, slots=True)
class Sampled:
    """An override of a sample with its judgements, the oldest first; `is_own` where the reader signed it, first or second."""

    line: Line
    is_own: bool
    judged: list[Judged] = field(default_factory=list)

    @property
    def is_judged_by_reader(self) -> bool:
        return any(judged.is_own for judged in self.judged)


@dataclass(frozen=True, slots=True)
class Sample:
    """A sample: its key, the entry that drew it, and the overrides in the order of the draw."""

    id: str
    drawn: Line
    overrides: list[Sampled]
    lines: list[Line]
    """Its entries: the draw, and the judgements."""


@transaction.atomic
def draw_sample(*, pharmacy: Pharmacy, since: date, until: date, number: int, by: Actor, now: datetime) -> str:
    """Draw `number` overrides of a period (days of the pharmacy, both included), none of the reviewer's own; return its key.

    All of them are taken where there are fewer. Raises InvalidInput for a period without any, and Conflict while the
    newest of them is not signed by a checkpoint.
    """
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    if not FEWEST <= number <= MOST:
        raise InvalidInput(f"A sample has {FEWEST} to {MOST} overrides.", Problem("number", str(number), "1 to 50"))
    if since > until:
        raise InvalidInput(
            "This period ends before it begins.", Problem("since", str(since), "a day up to the last one")
        )
    begin, end = pharmacy.span_of(since, until)
    log = export.find_log_of_period(pharmacy.pk, begin, end)
    frame = list(
        AuditEntry.objects.filter(
            log_id=log.log_id, action=Event.OVERRIDE_SIGNED.value, recorded_at__gte=begin, recorded_at__lt=end
        ).order_by("seq")
    )
    own = _find_own(frame, by)
    eligible = [entry for entry in frame if entry.entry_id not in own]
    if not eligible:
        raise InvalidInput(
            "In this period nobody else signed an override.",
            Problem("since", f"{since} to {until}", "a period with overrides of others"),
        )
    last = frame[-1].seq
    checkpoint = last and AuditCheckpoint.objects.filter(log_id=log.log_id, size__gte=last).order_by("size").first()
    if not checkpoint:
        raise Conflict("The newest override of this period is not signed by the sealer yet. Try again in a minute.")
    root = bytes(checkpoint.root)
    drawn = sorted(eligible, key=lambda entry: hashlib.sha256(root + entry.entry_id.bytes).digest())[:number]
    key = str(uuid7())
    audit.record(
        Event.REVIEW_SAMPLED, pharmacy=pharmacy, by=by, now=now, subject=Subject(_SAMPLE, key),
        body={
            "since": since, "until": until, "frame": {"first": frame[0].seq, "last": last, "entries": len(frame)},
            "not_own": len(eligible), "checkpoint": checkpoint.size, "overrides": [entry.entry_id for entry in drawn],
        },
    )  # fmt: skip
    return key


@transaction.atomic
def list_samples(*, pharmacy: Pharmacy, by: Actor, limit: int = 20) -> list[Line]:
    """Return the entries of the newest samples of a pharmacy, newest first."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    entries = AuditEntry.objects.filter(pharmacy=pharmacy.pk, action=Event.REVIEW_SAMPLED.value)
    return reader.recheck(audit.lines(entries.order_by("-recorded_at")[:limit], pharmacy))


@transaction.atomic
def open_sample(*, pharmacy: Pharmacy, sample: str, by: Actor, now: datetime) -> Sample:
    """Return a sample with its judgements. Raises NotFound."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    opened = _read_sample(pharmacy, sample, by)
    body = {"part": "sample", "shown": len(opened.overrides)}
    audit.record(Event.RECORD_READ, pharmacy=pharmacy, by=by, now=now, subject=Subject(_SAMPLE, opened.id), body=body)
    return opened


@transaction.atomic
def judge_override(
    *,
    pharmacy: Pharmacy,
    sample: str,
    entry: UUID,
    judgement: Judgement,
    words: str,
    finding_right: Verdict | None = None,
    answer_fitting: Verdict | None = None,
    by: Actor,
    now: datetime,
) -> UUID:
    """Record a judgement on an override of a sample. A second reviewer may judge it too; nobody judges twice.

    `finding_right`: whether the finding was right for this patient; None where it is not said. Words are needed for one to discuss. Raises InvalidInput, NotFound, and Conflict for an own or a judged one.
    """
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    Pharmacy.objects.select_for_update(no_key=True).get(pk=pharmacy.pk)  # one judgement at a time: none is given twice
    opened = _read_sample(pharmacy, sample, by)
    sampled = next((row for row in opened.overrides if row.line.entry.entry_id == entry), None)
    if sampled is None:
        raise NotFound("There is no such override in this sample.")
    signed = sampled.line.entry
    if sampled.is_own:
        raise Conflict("This is an override that you signed; somebody else has to judge it.")
    if sampled.is_judged_by_reader:
        raise Conflict("You judged this override already; what was said stays.")
    text = clean_words(words, "words", longest=2000, required=False)
    if judgement is Judgement.DISCUSS and not text:
        raise InvalidInput("Say in words what is to be discussed.", Problem("words", "nothing", "a sentence"))
    verdicts = {"finding_right": finding_right, "answer_fitting": answer_fitting}
    return audit.record(
        Event.REVIEW_JUDGED, pharmacy=pharmacy, by=by, now=now, subject=Subject(_SAMPLE, opened.id),
        patient=UUID(signed.patient_ref) if signed.patient_ref else None, rule_codes=tuple(signed.rule_codes or ()),
        body={"override": entry, "judgement": judgement.value, "words": text or None}
        | {name: verdict.value for name, verdict in verdicts.items() if verdict},
    )  # fmt: skip


@dataclass(slots=True)
class Verdicts:
    """Verdicts on the overrides of one rule: how many reviewers said yes and no to each question; who could not tell is in neither."""

    finding_right: Counter[Verdict] = field(default_factory=Counter)
    answer_fitting: Counter[Verdict] = field(default_factory=Counter)


def count_verdicts(*, pharmacy: Pharmacy, since: date, until: date, by: Actor) -> dict[str, Verdicts]:
    """Return the verdicts given in a period, both days included, by rule; none that do not fit their hash."""
    policies.require(policies.may_read_log(by), by, _DOING, _WHO)
    policies.require_same_pharmacy(by, pharmacy.pk)
    begin, end = pharmacy.span_of(since, until)
    entries = AuditEntry.objects.filter(
        pharmacy=pharmacy.pk, action=Event.REVIEW_JUDGED.value, recorded_at__gte=begin, recorded_at__lt=end
    )
    verdicts: dict[str, Verdicts] = defaultdict(Verdicts)
    for line in reader.recheck(audit.lines(entries, pharmacy)):
        for rule in line.entry.rule_codes or ():
            for name, counter in (
                ("finding_right", verdicts[rule].finding_right),
                ("answer_fitting", verdicts[rule].answer_fitting),
            ):
                if not line.doubt and (line.body or {}).get(name):
                    counter[Verdict((line.body or {})[name])] += 1
    return dict(verdicts)


def _find_own(entries: Sequence[AuditEntry], by: Actor) -> set[UUID]:
    """Return the ids of the overrides' entries that the reader signed, first or second."""
    seconds = SecondSignature.objects.filter(signed_by=by.name, override__in=[entry.subject_id for entry in entries])
    seconded = set(seconds.values_list("override_id", flat=True))
    return {e.entry_id for e in entries if e.actor == by.name or UUID(e.subject_id) in seconded}


def _read_sample(pharmacy: Pharmacy, sample: str, by: Actor) -> Sample:
    events = (Event.REVIEW_SAMPLED, Event.REVIEW_JUDGED)
    lines = reader.recheck(
        audit.history(Subject(_SAMPLE, sample), pharmacy=pharmacy, events=events, limit=_MOST_JUDGEMENTS)
    )
    drawn = next((line for line in lines if line.entry.action == Event.REVIEW_SAMPLED.value), None)
    if drawn is None:
        raise NotFound("There is no such sample here.")
    ids = [UUID(text) for text in (drawn.body or {}).get("overrides", ())]
    entries = list(AuditEntry.objects.filter(entry_id__in=ids))
    own = _find_own(entries, by)
    overrides = {
        line.entry.entry_id: Sampled(line, line.entry.entry_id in own)
        for line in reader.recheck(audit.lines(entries, pharmacy))
    }
    for line in reversed(lines):
        body = line.body or {}
        row = overrides.get(UUID(body["override"])) if line.entry.action == Event.REVIEW_JUDGED.value and body else None
        if row is not None:
            row.judged.append(
                Judged(
                    judgement=Judgement(body["judgement"]),
                    words=body.get("words") or "",
                    name=body.get("by") or line.entry.actor,
                    at=line.entry.recorded_at,
                    is_own=line.entry.actor == by.name,
                    doubt=line.doubt,
                )
            )
    return Sample(sample, drawn, [overrides[key] for key in ids if key in overrides], lines)
