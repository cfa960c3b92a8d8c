"""Orders as hospital systems and national services send them are read, each in its own manner."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules import read_directions
from dispensary.fhir import examine_order
from tests.dispensary.fhir.orders import asked, daily, line, mg, request
from tests.dispensary.fhir.systems import EPIC_AT_NIGHT, GTS, THREE_TIMES, supply, tablets

ON = date(2026, 11, 30)


@pytest.mark.parametrize("system", THREE_TIMES)
def test_ten_milligrams_three_times_a_day_are_read(system: str) -> None:
    order = examine_order(THREE_TIMES[system], ON)
    assert not order.problems
    prescription = order.prescription
    assert (prescription["form"], prescription["route"], prescription["strength_mg"]) == ("tablet", "oral", 10)
    directions = read_directions(prescription["directions"], 10)
    assert [phase.doses for phase in directions.regimen.phases] == [(Decimal(10),) * 3]  # type: ignore[union-attr]  # what is read has a regimen
    assert {tuple(phase["doses"]) for phase in prescription.get("phases", [])} <= {(Decimal(10),) * 3}


def test_a_dose_at_night_when_needed_is_read() -> None:
    order = examine_order(EPIC_AT_NIGHT, ON)
    assert not order.problems
    assert order.prescription["as_needed"] is True
    assert order.prescription["phases"][0]["times"] == ["bedtime"]


def test_a_number_of_packs_is_no_number_of_tablets() -> None:
    order = examine_order(THREE_TIMES["German"], ON)
    assert "quantity" not in order.prescription
    assert any("how many tablets they hold was not read" in note for note in order.notes)


def test_why_an_order_has_its_status_is_noted() -> None:
    order = examine_order(request(statusReason={"text": "hold until surgery"}), ON)
    assert any("hold until surgery" in note for note in order.notes)


@pytest.mark.parametrize(
    "quantity",
    [
        tablets(10, "mg", system="urn:local", code="ug"),
        tablets(1, "tablet", system="http://unitsofmeasure.org", code="{spoon}"),
        tablets(1, "half tablet"),
        tablets(1, "box"),
        tablets(1, "Tablette und Kapsel"),
    ],
)
def test_a_dose_in_another_unit_is_asked_back(quantity: dict[str, Any]) -> None:
    assert "doseQuantity" in asked(request(line(quantity, daily(3)), **supply(tablets(84))))


def coded(text: str, *codes: tuple[str, str]) -> dict[str, Any]:
    code: dict[str, Any] = {"coding": [{"system": system, "code": name} for system, name in codes]}
    return {"code": code | ({"text": text} if text else {})}


@pytest.mark.parametrize(
    "timing",
    [
        coded("", (GTS, "TID"), (GTS, "BID")),
        coded("", (GTS, "TID"), (GTS, "QOD")),
        coded("", ("urn:local", "TID")),
        coded("twice daily", (GTS, "TID")),
        coded("every other day", (GTS, "TID")),
        coded("every other day", ("urn:local", "7")),
    ],
)
def test_codes_and_words_that_do_not_say_one_frequency_are_asked_back(timing: dict[str, Any]) -> None:
    assert "timing" in asked(request(line(mg(10), timing, text="10 mg three times a day")))


@pytest.mark.parametrize(
    "timing",
    [
        coded("", ("urn:local", "7"), (GTS, "TID")),
        coded("three times a day", ("urn:local", "7")),
        coded("TID", (GTS, "TID")),
        coded("", ("urn:local", "7")) | daily(3),
    ],
)
def test_a_local_code_beside_what_is_known_is_passed_over(timing: dict[str, Any]) -> None:
    order = examine_order(request(line(mg(10), timing, text="10 mg three times a day")), ON)
    assert not order.problems
    assert order.prescription["phases"][0]["doses"] == [10, 10, 10]
