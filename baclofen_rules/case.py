"""The case: all facts that a rule may read, checked as it is built.

A case is made by ``Case.from_json`` only: a value that is wrong in kind, range or spelling raises ``InvalidCase``
with its JSON path. An absent or null fact about the patient means
*unknown*, which is neither false nor an empty list.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

from baclofen_rules.checked import EARLIEST, LATEST, Fields, InvalidCase, Place, parse_json
from baclofen_rules.facts import PatientFacts
from baclofen_rules.findings import Facts, Severity
from baclofen_rules.medicines import OwnMedicine, own_medicine
from baclofen_rules.order import (
    MOST_DAYS,
    Order,
    Pick,
    Wordings,
    amount_json,
    day_json,
    members,
    names,
    order_json,
    pick_json,
    read_doses,
    read_order,
    read_pick,
    read_strength,
    read_text,
)
from baclofen_rules.record import Ask, Record, read_ask, read_record
from baclofen_rules.record_json import ask_json, record_json
from baclofen_rules.text import format_amount

__all__ = ["Action", "Case", "Fill", "InvalidCase", "Order", "Pick"]

FORMAT: Final = "baclofen-case/2"
FORMAT_1: Final = "baclofen-case/1"


class Action(StrEnum):
    """The act under review."""

    DISPENSE = "dispense"
    DISCONTINUE = "discontinue"


class Relation(StrEnum):
    """The relation of an earlier supply to this course."""

    SAME_COURSE = "same-course"
    """An earlier supply of this course, also one that this prescription replaces."""
    CONCURRENT = "concurrent"
    """Another supply that is still meant to run."""


@dataclass(frozen=True, slots=True)
class Fill:
    """An earlier supply of baclofen."""

    dispensed_on: date
    doses: tuple[Decimal, ...]
    """One day's doses in milligrams."""
    days_supply: int
    relation: Relation
    strength_mg: Decimal | None = None
    dose_since: date | None = None
    """The day this daily dose began; None: the day of the supply."""
    mg_per_day: Decimal = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mg_per_day", sum(self.doses, Decimal(0)))


class AnsweredFinding(NamedTuple):
    """A finding that somebody acknowledged or overrode at an earlier supply; the last answer to it."""

    code: str
    fingerprint: str
    """As ``Finding.fingerprint``."""
    on: date
    severity: Severity | None = None
    """None where nobody says."""
    observed: Facts | None = None
    """The numbers and words that were found, as ``Finding.observed``; None where nobody says."""

    def to_json(self) -> dict[str, Any]:
        fields = {**self._asdict(), "on": self.on.isoformat(), "severity": self.severity and str(self.severity)}
        return {name: value for name, value in fields.items() if value is not None}


class Case(NamedTuple):
    """One question: may this be done, for this patient, today?"""

    on: date
    action: Action
    patient: PatientFacts
    order: Order | None
    picked: Pick | None
    """None before the scan."""
    history: tuple[Fill, ...] | None
    """Earlier supplies of `baclofen-case/1`; None is unknown, an empty tuple is none."""
    reason: str | None
    answered: "tuple[AnsweredFinding, ...] | None" = None
    """Findings that were answered at earlier supplies; None where nobody says."""
    record: Record | None = None
    """Orders, supplies and decisions of `baclofen-case/2`; None in the first format."""
    ask: Ask | None = None
    """What is to be handed over, of `baclofen-case/2`."""
    own: OwnMedicine | None = None
    """The medicine that the words of the case were read for; None is the one that ships."""

    @property
    def medicine(self) -> OwnMedicine:
        """The medicine that the case is about."""
        return self.own or own_medicine()

    @classmethod
    def from_text(
        cls,
        text: str | bytes,
        on: date | None = None,
        od_means_once_daily: bool | None = None,
        own: OwnMedicine | None = None,
    ) -> "Case":
        """A case from JSON text; otherwise as ``from_json``."""
        return cls.from_json(parse_json(text), on, od_means_once_daily, own)

    @classmethod
    def from_json(
        cls, obj: Any, on: date | None = None, od_means_once_daily: bool | None = None, own: OwnMedicine | None = None
    ) -> "Case":
        """A case from decoded JSON. Raises InvalidCase.

        ``on`` stands in for the day in the case; ``od_means_once_daily`` is the site's word on "od" in directions; ``own`` is the
        medicine of the profile (``Profile.medicine``), baclofen without it.
        """
        return _read_case(Place(obj, ""), on, Wordings(od_means_once_daily, own))

    def with_day(self, on: date) -> "Case":
        """The same case asked on another day, checked again."""
        return Case.from_json(self.to_json(), on, own=self.own)

    def to_json(self) -> dict[str, Any]:
        """The case as JSON: every field in a fixed order, amounts as plain decimal strings; reads back to itself."""
        head: dict[str, Any] = {"on": self.on.isoformat(), "action": str(self.action), "reason": self.reason}
        if self.answered is not None:
            head["answered"] = [answer.to_json() for answer in self.answered]
        if self.record is not None:
            patient = {**self.patient.to_json(), "died_on": day_json(self.record.died_on)}
            return (
                {"format": FORMAT, **head, "patient": patient} | record_json(self.record) | {"ask": ask_json(self.ask)}
            )
        return {
            "format": FORMAT_1,
            **head,
            "patient": self.patient.to_json(),
            "prescription": None if self.order is None else order_json(self.order),
            "picked": None if self.picked is None else pick_json(self.picked),
            "history": None if self.history is None else [_fill_json(fill) for fill in self.history],
        }


CASE_1_FIELDS = names("format", "on", "action", "reason", "patient", "answered", "prescription", "picked", "history")
CASE_FIELDS = names(
    *("format", "on", "action", "reason", "patient", "answered", "orders", "supplies", "decisions"),
    *("potential_duplicates", "ask"),
)
ANSWERED_FIELDS = names("code", "fingerprint", "on", "severity", "observed")
FILL_FIELDS = names(
    "dispensed_on", "dose", "times_per_day", "doses", "strength_mg", "days_supply", "dose_since", "relation"
)
MOST_FILLS = 1000
MOST_ANSWERED = 1000
MOST_OBSERVED = 100


def _read_case(place: Place, on: date | None, wordings: Wordings) -> Case:
    if not isinstance(place.value, Mapping):
        place.refuse("an object")
    version = Fields(place.value, place.path).need("format", lambda at: at.word({FORMAT: FORMAT, FORMAT_1: FORMAT_1}))
    is_first = version == FORMAT_1
    fields = place.fields(CASE_1_FIELDS if is_first else CASE_FIELDS)
    if on is None:
        on = fields.need("on", lambda at: at.day(f"a date YYYY-MM-DD from {EARLIEST} to {LATEST}"))
    elif not EARLIEST <= on <= LATEST:
        raise InvalidCase("on", str(on), f"a date from {EARLIEST} to {LATEST}")
    day = on
    action: Action = fields.need("action", lambda at: at.word(members(Action)))
    reason = fields.get("reason", read_text(200))
    if not is_first:
        return _read_with_record(fields, day, action, reason, wordings)
    order = fields.get("prescription", lambda at: read_order(at, day, wordings))
    if action is Action.DISPENSE and order is None:
        raise InvalidCase("prescription", "nothing", "the prescription that is to be dispensed")
    if action is Action.DISCONTINUE and order is not None:
        raise InvalidCase("prescription", "an object", "no prescription: the action is discontinue")
    return Case(
        on=day,
        action=action,
        patient=fields.get("patient", lambda at: PatientFacts.from_place(at, day)) or PatientFacts(),
        order=order,
        picked=fields.get("picked", read_pick),
        history=fields.get("history", lambda at: tuple(_read_fill(item, day) for item in at.items(MOST_FILLS))),
        reason=reason,
        answered=_read_answered(fields, day),
        own=wordings.own,
    )


def _read_with_record(fields: Fields, on: date, action: Action, reason: str | None, wordings: Wordings) -> Case:
    """Read a case of the second format: orders, supplies and decisions, and what is asked about them."""
    record = read_record(fields, on, wordings)
    ask = fields.get("ask", lambda at: read_ask(at, record))
    if action is Action.DISPENSE and (ask is None or ask.order is None):
        raise InvalidCase("ask.order", "nothing", "the id of the order that is to be dispensed")
    if action is Action.DISCONTINUE and ask is not None and ask.order is not None:
        raise InvalidCase("ask.order", "an order", "no order: the action is discontinue")
    order = None if ask is None or ask.order is None else record.written(ask.order)
    patient = fields.get("patient", lambda at: PatientFacts.from_place(_without_death(at), on))
    return Case(
        on=on,
        action=action,
        patient=patient or PatientFacts(),
        order=order,
        picked=ask.picked[0] if ask is not None and ask.picked else None,
        history=None if record.supplies is None else (),
        reason=reason,
        answered=_read_answered(fields, on),
        own=wordings.own,
        record=record,
        ask=ask,
    )


def _without_death(place: Place) -> Place:
    """Return the patient without the day of death, which the record holds."""
    if not isinstance(place.value, Mapping):
        return place
    return Place({name: value for name, value in place.value.items() if name != "died_on"}, place.path)


def _read_answered(fields: Fields, on: date) -> tuple[AnsweredFinding, ...] | None:
    expected = f"a date YYYY-MM-DD, not after the day of the review ({on})"

    def read(place: Place) -> AnsweredFinding:
        answer = place.fields(ANSWERED_FIELDS)
        return AnsweredFinding(
            code=answer.need("code", lambda at: at.text(64)),
            fingerprint=answer.need("fingerprint", lambda at: at.text(64)),
            on=answer.need("on", lambda at: at.day(expected, latest=on)),
            severity=answer.get("severity", lambda at: at.word(members(Severity))),
            observed=answer.get("observed", _read_observed),
        )

    return fields.get("answered", lambda at: tuple(read(item) for item in at.items(MOST_ANSWERED)))


def _read_observed(place: Place) -> Facts:
    """Read what a finding found: words, truths and unknowns by name; an amount is written as text."""
    if not isinstance(place.value, Mapping) or len(place.value) > MOST_OBSERVED:
        place.refuse(f"an object of at most {MOST_OBSERVED} names")
    observed = Fields(place.value, place.path)
    return {name: observed.get(name, _read_observed_value) for name in sorted(place.value)}


def _read_observed_value(place: Place) -> str | bool | list[str]:
    if isinstance(place.value, bool):
        return place.value
    if isinstance(place.value, list | tuple):
        return [item.text(200) for item in place.items(MOST_OBSERVED)]
    return place.text(200)


def _read_fill(place: Place, on: date) -> Fill:
    fields = place.fields(FILL_FIELDS)
    expected = f"a date YYYY-MM-DD, not after the day of the review ({on})"
    return Fill(
        dispensed_on=fields.need("dispensed_on", lambda at: at.day(expected, latest=on)),
        doses=read_doses(fields),
        days_supply=fields.need(
            "days_supply", lambda at: at.whole(f"a whole number of days from 1 to {MOST_DAYS}", 1, MOST_DAYS)
        ),
        relation=fields.need("relation", lambda at: at.word(members(Relation))),
        strength_mg=fields.get("strength_mg", read_strength),
        dose_since=fields.get("dose_since", lambda at: at.day(expected, latest=on)),
    )


def _fill_json(fill: Fill) -> dict[str, Any]:
    return {
        "dispensed_on": fill.dispensed_on.isoformat(),
        "doses": [format_amount(dose) for dose in fill.doses],
        "strength_mg": amount_json(fill.strength_mg),
        "days_supply": fill.days_supply,
        "dose_since": day_json(fill.dose_since),
        "relation": str(fill.relation),
    }
