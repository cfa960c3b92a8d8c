"""The elements of an order beside its doses: read elsewhere, harmless for a stated reason, or noted for who hands over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baclofen_rules.directions import Question, Why, read_directions
from baclofen_rules.medicines import find_other_medicine, own_medicine, plain_letters
from dispensary.fhir.elements import Inquiry, as_object, as_text, check_elements, read_words

READ = [
    "status", "intent", "doNotPerform", "medicationCodeableConcept", "medicationReference", "subject", "authoredOn",
    "requester", "dosageInstruction", "dispenseRequest", "priorPrescription", "courseOfTherapyType", "identifier",
    "groupIdentifier", "reasonCode", "reasonReference",
]  # fmt: skip
HARMLESS = {
    "basedOn": "fulfils a plan and replaces nothing",
    "encounter": "says at which visit it was written",
    "eventHistory": "says when it was changed; the newest state is what is sent",
    "insurance": "says who pays",
    "recorder": "says who typed it; the requester answers for it",
}
"""Elements that can be passed over, each with the reason: what it says changes neither medicine nor dose nor patient."""
_NOTED = [
    "category", "detectedIssue", "instantiatesCanonical", "instantiatesUri", "note", "performer", "performerType", "priority",
    "reportedBoolean", "reportedReference", "statusReason", "substitution",
    "supportingInformation",
]  # fmt: skip
_USUAL = {"priority": "routine", "reportedBoolean": False}
"""Values that say nothing: they are what an order without the element means."""


def note_elements_beside(request: Mapping[str, Any], path: str, inquiry: Inquiry) -> None:
    """Note every element that is neither read nor harmless, with its words where it has some."""
    check_elements(request, path, inquiry, [*READ, *_NOTED], HARMLESS, may_be_noted=True)
    for name in _NOTED:
        value, where = request.get(name), f"{path}.{name}"
        if value is None or value == _USUAL.get(name, ()):
            continue
        if name == "substitution":
            _note_substitution(as_object(value, where, inquiry), where, inquiry)
        else:
            words = "; ".join(filter(None, (_read_value(item, where, inquiry) for item in _as_items(value))))
            if name == "note" and _forbids(words):
                inquiry.ask(where, "words that forbid the medicine", "an order whose notes do not forbid it")
            inquiry.note(where, f"was not read by the rules: {words[:400] or 'a reference'}")


def _forbids(words: str) -> bool:
    """Return whether a note forbids this medicine ("STOP baclofen", "do not give"); one that stops another medicine does not."""
    answer = read_directions(words)
    is_forbidden = isinstance(answer, Question) and answer.why is Why.FORBIDS
    return is_forbidden and find_other_medicine(plain_letters(words), own_medicine()) is None


def _note_substitution(substitution: Mapping[str, Any], path: str, inquiry: Inquiry) -> None:
    allowed = substitution.get("allowedBoolean")
    concept = as_object(substitution.get("allowedCodeableConcept"), f"{path}.allowedCodeableConcept", inquiry)
    reason = read_words(as_object(substitution.get("reason"), f"{path}.reason", inquiry), f"{path}.reason", inquiry)
    because = f" ({reason})" if reason else ""
    if allowed is False:
        inquiry.note(path, f"no other product may be handed over than the one that is ordered{because}")
    elif concept:
        words = read_words(concept, f"{path}.allowedCodeableConcept", inquiry)
        inquiry.note(path, f"which other product may be handed over: {words}{because}")
    elif allowed is not True:
        inquiry.note(path, "does not say whether another product may be handed over")


def _as_items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _read_value(value: Any, path: str, inquiry: Inquiry) -> str:
    """Return the words of a code, an annotation, a concept or a reference."""
    if not isinstance(value, Mapping):
        return str(value)[:200] if isinstance(value, str | bool) else ""
    display = as_text(value.get("display"), f"{path}.display", inquiry)
    return display or read_words(value, path, inquiry)
