"""The main button of the check page: what pressing it does, in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from baclofen_rules.words import join_words
from dispensary import policies
from dispensary.actors import Actor
from dispensary.counter.check_view import CheckView
from dispensary.counter.choices import acknowledged_by_button, button_deeds, may_acknowledge
from dispensary.counter.reviewing import Line, Reviewed
from dispensary.models import OverrideState

BESIDE_BAG = "Beside a bag not collected"


class Step(StrEnum):
    """The deed of the button, as the verb of its words."""

    HAND_OVER = "dispense"
    PREPARE = "prepare"
    CHECK = "check"
    OPEN_BAG = "bag"


@dataclass(frozen=True, slots=True)
class MainButton:
    """The words of the button, and what it leads to."""

    words: str
    is_blocked: bool = False
    """Say whether nothing can be handed over as it is."""
    leads_to_override: bool = False
    may_answer: bool = False
    """Say whether a second button leads to the override, which does not wait for the deed of the first."""
    refusal: str = ""
    """The reason why the key of a hand-over does nothing, where the button leads to an override."""
    waits_at: str = ""
    """The anchor of the first finding or choice that waits for the override."""
    saves_only: bool = False
    """Say whether it stores what was answered about the patient and hands nothing over."""
    leads_to_bag: bool = False
    acknowledges: tuple[str, ...] = ()
    """Fingerprints of the findings that pressing it acknowledges."""

    @property
    def follows_quantity(self) -> bool:
        """Say whether its words end with the tablets of one strength."""
        return bool(re.search(r"(?:ispense|repare|heck) \S+ tablets?$", self.words))


def main_button(
    view: CheckView,
    reviewed: Reviewed,
    by: Actor,
    step: Step = Step.HAND_OVER,
    *,
    by_hand: bool = False,
    beside_bag: bool = False,
) -> MainButton:
    """Return the main button of a page.

    `by_hand` says that no label can be printed, `beside_bag` that a bag of another order waits for the patient.
    """
    if step is Step.OPEN_BAG:
        return MainButton("Open the bag", leads_to_bag=True)
    stops, overrides = view.unanswered("stop"), view.unanswered("override")
    waiting = [finding.question for finding in view.unanswered("acknowledge")]
    acknowledged = acknowledged_by_button(waiting, by)
    choices = reviewed.choices
    if stops:
        return MainButton(f"Cannot {step}: {_count(len(stops), 'stop')}", is_blocked=True)
    if any(line.trouble for line in reviewed.lines):
        return MainButton(f"Cannot {step}: put this pack back and scan another", is_blocked=True)
    quantities = describe_quantities(reviewed.lines)
    if step is Step.PREPARE:
        words = f"{BESIDE_BAG}: prepare {quantities}" if beside_bag else f"Prepare {quantities}"
        return MainButton(words, may_answer=bool(overrides) and policies.may_override(by))
    seconds = [f for f in view.findings if f.answered_by and f.answered_by.state == OverrideState.WAITING]
    if seconds and not overrides:
        words = f"{_count(len(seconds), 'answer')} need{'s' if len(seconds) == 1 else ''} a second pharmacist"
        return _override_button(words, step, seconds[0].anchor) if policies.may_override(by) else MainButton(words)
    answers = len(overrides) + reviewed.needs_reason
    asked = len(view.asking.missing)
    if asked and (answers or (choices is not None and choices.is_open)):
        return MainButton(f"Save the answer{'s' if asked > 1 else ''}", saves_only=True)
    if answers and policies.may_override(by):
        words = f"{answers} finding{'s need' if answers > 1 else ' needs'} a reason"
        return _override_button(words, step, overrides[0].anchor if overrides else "choices")
    for_pharmacist = len(overrides) + sum(not may_acknowledge(question, by) for question in waiting)
    if for_pharmacist:
        return MainButton(f"{for_pharmacist} finding{'s need' if for_pharmacist > 1 else ' needs'} a pharmacist")
    if choices is not None and choices.is_open:
        return MainButton(choices.question)
    deeds = button_deeds(reviewed.assessment, acknowledged)
    if beside_bag:
        deeds = f"{BESIDE_BAG}, {deeds[:1].lower()}{deeds[1:]}" if deeds else BESIDE_BAG
    if by_hand:
        deeds = f"{deeds}, label by hand" if deeds else "Label by hand"
    if asked:
        deeds = f"Save the answer{'s' if asked > 1 else ''}{f', {deeds[:1].lower()}{deeds[1:]}' if deeds else ''}"
    supply = f"{step} {quantities}"
    return MainButton(
        f"{deeds}: {supply}" if deeds else f"{supply[:1].upper()}{supply[1:]}",
        acknowledges=tuple(question.fingerprint for question in acknowledged),
    )


def _override_button(words: str, step: Step, waits_at: str) -> MainButton:
    refusal = f"Cannot {step}: {words}. Press F8 to answer."
    return MainButton(words, leads_to_override=True, refusal=refusal, waits_at=waits_at)


def describe_quantities(lines: Sequence[Line]) -> str:
    """Return `42 tablets`, or of several strengths `28 and 14 tablets`."""
    if len(lines) == 1:
        return _count(lines[0].quantity, "tablet")
    return f"{join_words([line.quantity for line in lines])} tablets"


def _count(count: int | str, noun: str) -> str:
    return f"{count} {noun}{'' if str(count) == '1' else 's'}"
