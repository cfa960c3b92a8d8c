"""Reviews of many cases and readings of many directions, one a line: in their order, with memory that does not grow with their number."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice

from baclofen_rules.case import Case, InvalidCase
from baclofen_rules.checked import parse_json
from baclofen_rules.directions import Question, read_directions
from baclofen_rules.findings import Outcome
from baclofen_rules.profiles import InvalidProfile, Profile
from baclofen_rules.review import review
from baclofen_rules.text import read_amount

NOT_UTF8 = "not UTF-8; expected JSON text in UTF-8"
_CHUNK = 64
"""Lines that a process gets at once."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a line as JSON on one line, or why there is none."""

    number: int
    """Of the line, from 1."""
    outcome: Outcome | None
    """Of a review; of directions that were read PASS, of a question about them ACKNOWLEDGE; None without an answer."""
    text: str


def review_lines(
    lines: Iterable[bytes], profile: Profile, *, on: date | None = None, od: bool | None = None, jobs: int = 1
) -> Iterator[Answer]:
    """Yield the answer to each line that is not blank, in the order of the lines.

    With several `jobs` that many processes review; at most two chunks wait for each of them.
    """
    numbered = ((number, line) for number, line in enumerate(lines, start=1) if line.strip())
    if jobs == 1:
        for number, line in numbered:
            yield _review_line(number, line, profile, on, od)
        return
    chunks = iter(lambda: list(islice(numbered, _CHUNK)), [])
    with ProcessPoolExecutor(jobs, initializer=_prepare, initargs=(profile, on, od)) as pool:
        waiting = deque(pool.submit(_review_chunk, chunk) for chunk in islice(chunks, 2 * jobs))
        while waiting:
            yield from waiting.popleft().result()
            waiting.extend(pool.submit(_review_chunk, chunk) for chunk in islice(chunks, 1))


_prepared: list[tuple[Profile, date | None, bool | None]] = []
"""In a process of the pool: what all its lines are reviewed with."""


def _prepare(profile: Profile, on: date | None, od: bool | None) -> None:
    _prepared.append((profile, on, od))


def _review_chunk(chunk: list[tuple[int, bytes]]) -> list[Answer]:
    return [_review_line(number, line, *_prepared[0]) for number, line in chunk]


def _review_line(number: int, line: bytes, profile: Profile, on: date | None, od: bool | None) -> Answer:
    try:
        answer = review(Case.from_text(line.decode("utf-8"), on, od, profile.medicine), profile)
    except UnicodeDecodeError:
        return Answer(number, None, NOT_UTF8)
    except (InvalidCase, InvalidProfile) as error:
        return Answer(number, None, str(error))
    return Answer(number, answer.outcome, json.dumps(answer.to_json(), separators=(",", ":")))


def read_lines(lines: Iterable[bytes], strength_mg: Decimal | None, od: bool | None) -> Iterator[Answer]:
    """Yield the phases, or the question, for each ``{"text": ..., "strength_mg": ...}`` on a line that is not blank."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _read_line(number, line, strength_mg, od)


def _read_line(number: int, line: bytes, strength_mg: Decimal | None, od: bool | None) -> Answer:
    try:
        row = parse_json(line.decode("utf-8"))
    except UnicodeDecodeError:
        return Answer(number, None, NOT_UTF8)
    except InvalidCase as error:
        return Answer(number, None, str(error))
    if not isinstance(row, dict) or not isinstance(row.get("text"), str) or set(row) - {"text", "strength_mg"}:
        return Answer(number, None, 'expected {"text": "...", "strength_mg": 10}; strength_mg may be left out')
    if row.get("strength_mg") is not None:
        written = str(row["strength_mg"])
        strength_mg = read_amount(written)
        if strength_mg is None or strength_mg <= 0:
            return Answer(number, None, f"strength_mg: {written!r} is not an amount above 0")
    answer = read_directions(row["text"], strength_mg, od)
    outcome = Outcome.ACKNOWLEDGE if isinstance(answer, Question) else Outcome.PASS
    return Answer(number, outcome, json.dumps(answer.to_json(), separators=(",", ":")))
