"""Taking any element away from any order that is accepted never turns a finding into silence."""

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, load_profile, review
from dispensary.fhir import Order, examine_order
from tests.dispensary.fhir.orders import SNOMED, daily, days, line, mg, request
from tests.dispensary.fhir.systems import EPIC_AT_NIGHT, THREE_TIMES

ON = date(2026, 11, 30)
LIORESAL = load_profile("lioresal")
HOST_FIELDS = {"starts_on", "max_mg_per_day", "interval_days", "group"}
TABLET = {
    "value": 1,
    "unit": "TAB",
    "system": "http://terminology.hl7.org/CodeSystem/v3-orderableDrugForm",
    "code": "TAB",
}
TEN = [line(mg(10), daily(3, boundsDuration=days(28)), text="10 mg three times a day for 28 days")]


def supply(quantity: int, expected: int | None = None, **more: Any) -> dict[str, Any]:
    duration = {} if expected is None else {"expectedSupplyDuration": days(expected)}
    return {"quantity": TABLET | {"value": quantity}, "numberOfRepeatsAllowed": 0} | duration | more


def dated(dose: int, start: str, end: str, sequence: int, text: str) -> dict[str, Any]:
    timing = daily(1, boundsPeriod={"start": start, "end": end})
    return line(TABLET | {"value": dose}, timing, sequence=sequence, text=text)


ORDERS = {
    "all-agree": request(*TEN, dispenseRequest=supply(84, 28)),
    "text-twice-the-dose": request(
        line(mg(10), daily(3, boundsDuration=days(28)), text="20 mg three times a day for 28 days"),
        dispenseRequest=supply(84, 28),
    ),
    "words-that-cannot-be-read": request(
        line(mg(5), daily(3, boundsDuration=days(28)), text="40 mg tid as per clinic letter"),
        dispenseRequest=supply(42, 28),
    ),
    "ten-times-the-quantity": request(*TEN, dispenseRequest=supply(840, 28)),
    "days-that-do-not-fit": request(
        line(mg(10), daily(3), text="10 mg three times a day"), dispenseRequest=supply(30, 99)
    ),
    "lines-that-differ": request(
        *(
            line(
                TABLET,
                daily(1, boundsDuration=days(2), when=[when]),
                sequence=1,
                text=text,
                route={"coding": [{"system": SNOMED, "code": "26643006", "display": "Oral route"}]},
            )
            for when, text in (("MORN", "2 tablets in the morning"), ("NOON", "1 tablet at noon"))
        ),
        dispenseRequest=supply(6, 2),
    ),
    "a-gap-and-a-repeat": request(
        dated(4, "2026-12-01", "2026-12-05", 1, "4 tablets once daily for 7 days starting December 1, 2026"),
        dated(2, "2026-12-08", "2026-12-15", 2, "2 tablets once daily for 7 days starting December 8, 2026"),
        dispenseRequest=supply(51, 21, numberOfRepeatsAllowed=1),
        courseOfTherapyType={"coding": [{"code": "acute"}]},
    ),
    "for-the-pump": request(
        line({"value": 300, "unit": "ug"}, daily(1), text="300 micrograms a day", site={"text": "intrathecal space"}),
        medicationCodeableConcept={"text": "Baclofen 2000 micrograms/mL intrathecal solution"},
        dispenseRequest={"quantity": {"value": 1, "unit": "vial"}},
    ),
    "when-needed": request(
        line(mg(10), daily(3), asNeededBoolean=True, text="10 mg three times a day"), dispenseRequest=supply(84, 28)
    ),
    "beside-the-doses": request(
        *TEN,
        dispenseRequest=supply(84, 28, initialFill={"quantity": {"value": 10}}, performer={"display": "Mill Lane"}),
        substitution={"allowedBoolean": False},
        note=[{"text": "ring before supply"}],
        reasonCode=[
            {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10", "code": "F10.2"}], "text": "alcohol dependence"}
        ],
        groupIdentifier={"system": "urn:g", "value": "1"},
    ),
    **THREE_TIMES,
    "at-night-when-needed": EPIC_AT_NIGHT,
    **json.loads((Path(__file__).parent / "sent_orders.json").read_text(encoding="utf-8")),
}


def paths_of(thing: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every element below a value."""
    steps: list[Any] = (
        list(thing) if isinstance(thing, dict) else [*range(len(thing))] if isinstance(thing, list) else []
    )
    for step in steps:
        yield (step,)
        yield from ((step, *path) for path in paths_of(thing[step]))


def take_away(resource: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy of a resource without the element at a path."""
    without = deepcopy(resource)
    *above, last = path
    target = without
    for step in above:
        target = target[step]
    del target[last]
    return without


def describe(order: Order) -> tuple[set[str], set[str]]:
    """Return the codes of the findings that ask something, and everything else that the sender is told."""
    prescription = {name: value for name, value in order.prescription.items() if name not in HOST_FIELDS}
    case = {
        "format": "baclofen-case/1",
        "on": str(ON),
        "action": "dispense",
        "patient": order.facts,
        "prescription": prescription,
    }
    answer = review(Case.from_json(case), LIORESAL)
    asking = {finding.code for finding in answer.findings if str(finding.severity) != "information"}
    return asking, {*order.notes, *order.absences, *(f"{rule.code} {rule.missing}" for rule in answer.not_assessed)}


@pytest.mark.parametrize("name", ORDERS)
def test_taking_an_element_away_never_turns_a_finding_into_silence(name: str) -> None:
    whole = examine_order(ORDERS[name], ON)
    assert not whole.problems, whole.problems
    codes, notes = describe(whole)
    silent = []
    for path in paths_of(ORDERS[name]):
        order = examine_order(take_away(ORDERS[name], path), ON)
        if order.problems:
            continue
        codes_without, notes_without = describe(order)
        if codes - codes_without and not (notes_without - notes or codes_without - codes):
            silent.append((path, codes - codes_without))
    assert silent == []
