"""Words of answers that say nothing, that are repeated, or that say that the finding is wrong: a list to read, no score.

Read from the signed rows, which are compared with the log each night. No number of comments is a measure of a rule
(Aaron et al., JAMIA 2019): complaints in words are.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Coalesce

from dispensary.conf import conf
from dispensary.models import Mitigation, Override

MOST_PATIENTS = 2
"""Patients for whom one signer may use the same words before they count as repeated."""
FEWEST_LETTERS = 3
FILLERS = frozenset({
    "agreed", "as above", "as before", "checked", "done", "fine", "no concerns", "noted", "ok", "okay", "see above", "see notes", "yes",
})  # fmt: skip
"""Words that say nothing of a patient, normalised."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The words of one answer, with the code of its reason and the key of its patient."""

    rule: str
    reason: str
    words: str
    signer: str
    patient: UUID


@dataclass(slots=True)
class Saying:
    """Words that one signer used: how often, under which rules, for how many patients."""

    words: str
    signer: str
    is_empty: bool
    number: int = 0
    rules: set[str] = field(default_factory=set)
    patients: set[UUID] = field(default_factory=set)

    @property
    def is_repeated(self) -> bool:
        """Return whether they were used for more patients than `MOST_PATIENTS`."""
        return len(self.patients) > MOST_PATIENTS


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of a period: how many answers have any, the sayings to be read, and complaints by rule."""

    number: int
    sayings: list[Saying]
    complaints: dict[str, int]

    @property
    def listed(self) -> int:
        """Return how many answers the sayings stand for."""
        return sum(saying.number for saying in self.sayings)


def normalise(words: str) -> str:
    """Return words without case, digits and punctuation, with single blanks.

    >>> normalise("OK,  seen 3 Nov!")
    'ok seen nov'
    """
    return " ".join(re.sub(r"[\W\d_]+", " ", words.casefold()).split())


def is_empty(words: str, reason: str) -> bool:
    """Return whether words say nothing: hardly a letter, a filler, or the label of the reason itself."""
    text = normalise(words)
    labels = {normalise(str(label)) for code, label in Mitigation.choices if code == reason}
    return len(text.replace(" ", "")) < FEWEST_LETTERS or text in FILLERS or text in labels


def sort_words(answers: Iterable[Answer]) -> Wording:
    """Return what is to be read of the words of answers, the most often used first."""
    complaining = [f" {normalise(words)} " for words in conf().complaint_words]
    sayings: dict[tuple[str, str], Saying] = {}
    complaints: Counter[str] = Counter()
    number = 0
    for answer in answers:
        number += 1
        text = normalise(answer.words)
        empty = is_empty(answer.words, answer.reason)
        saying = sayings.setdefault((answer.signer, text), Saying(answer.words, answer.signer, empty))
        saying.is_empty |= empty
        saying.number += 1
        saying.rules.add(answer.rule)
        saying.patients.add(answer.patient)
        complaints[answer.rule] += any(words in f" {text} " for words in complaining)
    listed = [saying for saying in sayings.values() if saying.is_empty or saying.is_repeated]
    return Wording(
        number,
        sorted(listed, key=lambda saying: (-saying.number, saying.words, saying.signer)),
        {rule: count for rule, count in sorted(complaints.items()) if count},
    )


def read_wording(pharmacy: UUID, since: dt.datetime, until: dt.datetime) -> Wording:
    """Return what is to be read of the words of the answers that were signed from `since` until before `until`."""
    rows = (
        Override.objects.filter(
            Q(prescription__pharmacy=pharmacy) | Q(prior_supply__patient__pharmacy=pharmacy),
            signed_at__gte=since,
            signed_at__lt=until,
        )
        .exclude(words="")
        .annotate(patient=Coalesce("prescription__patient_id", "prior_supply__patient_id"))
        .order_by("signed_at")
    )
    return sort_words(Answer(*row) for row in rows.values_list("code", "mitigation", "words", "signed_by", "patient"))
