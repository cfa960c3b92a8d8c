"""Doses, units and the order of phases."""

from datetime import date
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from baclofen_rules import Case, load_profile, review
from dispensary.errors import InvalidInput
from dispensary.fhir import read_order
from dispensary.fhir.units import SNOMED, UCUM
from tests.dispensary.fhir.orders import asked, daily, days, line, mg, phases, request

THREE_DAYS = daily(3, boundsDuration=days(3))
ONE = {"value": 1}
HOST_FIELDS = {"starts_on", "max_mg_per_day", "interval_days", "group"}


def d(*doses: Any) -> list[Decimal]:
    return [Decimal(dose) for dose in doses]


@pytest.mark.parametrize(
    ("quantity", "dose", "unit"),
    [
        (mg(Decimal("7.5")), "7.5", "mg"),
        ({"value": "10", "unit": "mg"}, "10", "mg"),
        ({"value": 10, "system": SNOMED, "code": "258684004"}, "10", "mg"),
        ({"value": 500, "system": SNOMED, "code": "258685003"}, "500", "microgram"),
        ({"value": 500, "unit": "ug", "system": UCUM, "code": "ug"}, "500", "microgram"),
        (ONE | {"unit": "tablet"}, "10", "mg"),
        (ONE | {"unit": "tablet", "code": "1", "system": UCUM}, "10", "mg"),
        ({"value": Decimal("0.5"), "system": UCUM, "code": "{tbl}"}, "5", "mg"),
        (ONE | {"system": UCUM, "code": "{pill}"}, "10", "mg"),
        (ONE | {"system": SNOMED, "code": "732936001"}, "10", "mg"),
        (ONE | {"unit": "Tablet - unit of product usage", "system": SNOMED, "code": "428673006"}, "10", "mg"),
    ],
)  # fmt: skip
def test_a_dose_is_read_in_its_unit_and_tablets_by_their_strength(
    quantity: dict[str, Any], dose: str, unit: str
) -> None:
    assert phases(line(quantity, THREE_DAYS)) == [(d(dose, dose, dose), unit, 3)]


@pytest.mark.parametrize(
    "quantity",
    [
        ONE,
        {"unit": "mg"},
        {"value": None, "unit": "mg"},
        {"value": "ten", "unit": "mg"},
        {"value": "1/2", "unit": "tablet"},
        {"value": True, "unit": "mg"},
        {"value": [10], "unit": "mg"},
        mg(10) | {"comparator": "<"},
        {"value": 10, "unit": "mL"},
        {"value": 10, "unit": "mg", "system": UCUM, "code": "ug"},
        {"value": 10, "system": SNOMED, "code": "1"},
        {"value": 10, "unit": "days"},
        mg(-5) | {"value": "-5"},
        mg(0),
    ],
)
def test_a_dose_without_a_plain_amount_in_one_known_unit_is_asked_back(quantity: dict[str, Any]) -> None:
    assert "dosageInstruction[0]" in asked(request(line(quantity, THREE_DAYS)))


def test_tablets_without_a_strength_are_asked_back() -> None:
    nameless = request(line({"value": 1, "unit": "tablet"}, THREE_DAYS), medicationCodeableConcept={"text": "Baclofen"})
    assert "no strength in the medicine" in asked(nameless)


def test_a_dose_directly_on_the_instruction_is_older_fhir_and_is_read_and_noted() -> None:
    order = read_order(request({"timing": THREE_DAYS, "doseQuantity": mg(10)}))
    assert order.prescription["phases"][0]["doses"] == d(10, 10, 10)
    assert any("older FHIR" in note for note in order.notes)


@pytest.mark.parametrize(
    "more",
    [
        {"doseAndRate": [{"doseRange": {"low": mg(5), "high": mg(10)}}]},
        {"doseAndRate": [{"doseQuantity": mg(10), "rateQuantity": mg(1)}]},
        {"doseAndRate": [{"doseQuantity": mg(10)}, {"doseQuantity": mg(20)}]},
        {"asNeededBoolean": False, "asNeededCodeableConcept": {"text": "spasm"}},
        {"asNeededBoolean": "true"},
        {"maxDosePerPeriod": {"numerator": mg(20), "denominator": days(1)}},
        {"maxDosePerAdministration": mg(5)},
        {"route": {"text": "oral", "coding": [{"system": SNOMED, "code": "72607000"}]}},
        {"timing": None},
        {"dose": 10},
        {"modifierExtension": [{"url": "x"}]},
    ],
)
def test_what_is_no_single_regular_dose_is_asked_back(more: dict[str, Any]) -> None:
    instruction = {k: v for k, v in (line(mg(10), THREE_DAYS) | more).items() if v is not None}
    assert "dosageInstruction[0]" in asked(request(instruction))


def test_words_alone_are_left_to_the_rule_book() -> None:
    order = read_order(request({"text": "10 mg three times a day for 28 days"}))
    assert "phases" not in order.prescription
    assert order.prescription["directions"] == "10 mg three times a day for 28 days"
    assert "no dose and no words" in asked(request({"route": {"text": "oral"}}))


def test_a_timing_without_a_dose_leaves_the_words_to_be_read() -> None:
    order = read_order(request({"text": "10 mg three times a day", "timing": daily(3)}))
    assert "phases" not in order.prescription
    assert any("only its words are read" in note for note in order.notes)


def test_different_numbers_follow_each_other() -> None:
    second = line(mg(10), daily(3), sequence=2)
    first = line(mg(5), THREE_DAYS, sequence=1)
    assert phases(second, first) == [(d(5, 5, 5), "mg", 3), (d(10, 10, 10), "mg", None)]


def test_the_same_number_is_taken_on_the_same_days_in_the_order_of_the_day() -> None:
    night = line(mg(20), {"repeat": {"when": ["HS"], "boundsDuration": days(7)}}, sequence=1)
    morning = line(mg(10), {"repeat": {"when": ["MORN", "NOON"], "boundsDuration": days(7)}}, sequence=1)
    assert phases(night, morning) == [(d(10, 10, 20), "mg", 7)]


def test_words_are_joined_as_the_numbers_say() -> None:
    morning = line(
        mg(10), {"repeat": {"when": ["MORN"], "boundsDuration": days(7)}}, sequence=1, text="10 mg in the morning"
    )
    night = line(mg(20), {"repeat": {"when": ["HS"], "boundsDuration": days(7)}}, sequence=1, text="20 mg at night")
    later = line(mg(10), daily(3), sequence=2, text="10 mg three times a day.")
    words = read_order(request(later, night, morning)).prescription["directions"]
    assert words == "20 mg at night and 10 mg in the morning, then 10 mg three times a day"


def test_one_number_on_stretches_of_different_length_is_asked_back() -> None:
    lines = (line(mg(5), THREE_DAYS, sequence=1), line(mg(10), daily(3, boundsDuration=days(7)), sequence=1))
    assert "one number for what is taken on the same days" in asked(request(*lines))


def test_instructions_without_numbers_are_ordered_by_their_dates_or_asked_back() -> None:
    bare = (line(mg(5), THREE_DAYS), line(mg(10), daily(3)))
    assert "instructions without a number" in asked(request(*bare))
    later = line(mg(10), daily(3, boundsPeriod={"start": "2026-11-25", "end": "2026-12-01"}))
    sooner = line(mg(5), daily(3, boundsPeriod={"start": "2026-11-22", "end": "2026-11-24"}))
    assert phases(later, sooner) == [(d(5, 5, 5), "mg", 3), (d(10, 10, 10), "mg", 7)]


@pytest.mark.parametrize(("start", "from_day"), [("2026-11-26", 5), ("2026-11-25", 4), ("2026-11-24", 3)])
def test_a_phase_says_on_which_day_of_the_course_it_begins(start: str, from_day: int) -> None:
    first = line(mg(5), daily(3, boundsPeriod={"start": "2026-11-22", "end": "2026-11-24"}), sequence=1)
    second = line(mg(10), daily(3, boundsPeriod={"start": start, "end": "2026-12-01"}), sequence=2)
    read = read_order(request(first, second)).prescription["phases"]
    assert [phase["from_day"] for phase in read] == [1, from_day]


def test_a_phase_without_an_end_ends_where_the_next_one_begins() -> None:
    first = line(mg(5), daily(3, boundsPeriod={"start": "2026-11-22"}), sequence=1)
    second = line(mg(10), daily(3, boundsPeriod={"start": "2026-11-29"}), sequence=2)
    order = read_order(request(first, second))
    assert [phase["days"] for phase in order.prescription["phases"]] == [7, None]
    assert any("read as 7 days" in note for note in order.notes)


@pytest.mark.parametrize("sequence", [1, 2, None])
def test_the_same_words_twice_are_asked_about_at_the_second_line(sequence: int | None) -> None:
    first, second = (
        {"text": "10 mg three times a day", "sequence": 1},
        {"text": "10 mg three times a day", "sequence": sequence},
    )
    questions = asked(request(first, second if sequence else {"text": second["text"]}))
    assert "dosageInstruction[1]: the same as MedicationRequest.dosageInstruction[0]" in questions


def test_the_same_doses_on_the_same_days_are_asked_about_and_on_later_days_are_not() -> None:
    twice = [line(mg(10), THREE_DAYS, sequence=number) for number in (1, 1)]
    assert "dosageInstruction[1]: the same as" in asked(request(*twice))
    assert read_order(request(*(line(mg(10), THREE_DAYS, sequence=number) for number in (1, 2))))


def test_each_line_keeps_its_words_beside_its_own_doses() -> None:
    morning = line(mg(10), daily(1, when=["MORN"], boundsDuration=days(2)), sequence=1, text="2 tablets in the morning")
    night = line(mg(10), daily(1, when=["NIGHT"], boundsDuration=days(2)), sequence=1, text="1 tablet at night")
    assert read_order(request(morning, night)).prescription["lines"] == [
        {"sequence": 1, "directions": "2 tablets in the morning", "doses": [10], "unit": "mg", "days": 2},
        {"sequence": 1, "directions": "1 tablet at night", "doses": [10], "unit": "mg", "days": 2},
    ]


def test_a_site_around_the_spinal_cord_is_a_route() -> None:
    order = read_order(request(line(mg(10), THREE_DAYS, site={"text": "Intrathecal space"})))
    assert order.prescription["route"] == "intrathecal"


def test_a_route_that_is_not_known_is_left_to_the_rules_in_its_own_words() -> None:
    order = read_order(request(line(mg(10), THREE_DAYS, route={"text": "per PEG"})))
    assert order.prescription["route"] == "per PEG"


def test_a_phase_that_another_follows_must_say_when_it_ends() -> None:
    assert "no end, though another phase follows" in asked(
        request(line(mg(5), daily(3), sequence=1), line(mg(10), daily(3), sequence=2))
    )


def test_a_last_phase_of_zero_means_stop_and_any_other_zero_is_asked_back() -> None:
    taper = (line(mg(10), THREE_DAYS, sequence=1), line(mg(0), daily(1), sequence=2))
    order = read_order(request(*taper))
    assert (len(order.prescription["phases"]), order.prescription["then_stop"]) == (1, True)
    gap = (line(mg(0), THREE_DAYS, sequence=1), line(mg(10), daily(3), sequence=2))
    assert "a dose of zero" in asked(request(*gap))


def test_words_beside_structure_in_only_some_instructions_are_asked_back() -> None:
    assert "words only" in asked(
        request(line(mg(5), THREE_DAYS, sequence=1), {"sequence": 2, "text": "then 10 mg tid"})
    )


def test_the_intrathecal_route_is_passed_on_for_the_rules_to_stop() -> None:
    intrathecal = line(
        {"value": 300, "unit": "ug"}, daily(1), route={"coding": [{"system": SNOMED, "code": "72607000"}]}
    )
    assert read_order(request(intrathecal)).prescription["route"] == "intrathecal"


@pytest.mark.parametrize(
    ("on", "over"), [(date(2026, 11, 24), False), (date(2026, 11, 25), True), (date(2026, 11, 22), False)]
)
def test_a_phase_whose_days_are_over_is_never_taken_again(on: date, over: bool) -> None:
    first = line(mg(30), daily(3, boundsPeriod={"start": "2026-11-22", "end": "2026-11-24"}), sequence=1)
    second = line(mg(20), daily(3, boundsPeriod={"start": "2026-11-25", "end": "2026-12-01"}), sequence=2)
    if over:
        with pytest.raises(InvalidInput) as caught:
            read_order(request(first, second), on=on)
        assert "days that are over" in caught.value.problems[0].given
    else:
        assert read_order(request(first, second), on=on).prescription["starts_on"] == "2026-11-22"


def test_a_long_standing_order_without_an_end_is_read_whenever_it_began() -> None:
    order = read_order(request(line(mg(10), daily(3, boundsPeriod={"start": "2020-01-01"}))), on=date(2026, 11, 22))
    assert order.prescription["phases"][0]["days"] is None


@pytest.mark.parametrize("words", ["Take with food", "May make you sleepy", "Swallow whole"])
def test_an_additional_instruction_is_pointed_out(words: str) -> None:
    order = read_order(request(line(mg(10), THREE_DAYS, additionalInstruction=[{"text": words}])))
    assert any("additionalInstruction" in note for note in order.notes)


@pytest.mark.parametrize(
    "words", ["half on Sundays", "increase by 5 mg each week", "stop when better", "take only if needed"]
)
def test_an_additional_instruction_that_may_change_the_doses_is_asked_back(words: str) -> None:
    coded = {"coding": [{"system": SNOMED, "code": "1", "display": words}]}
    for instruction in ({"text": words}, coded):
        assert "may change the doses" in asked(request(line(mg(10), THREE_DAYS, additionalInstruction=[instruction])))


def test_a_patient_instruction_beside_the_directions_is_pointed_out() -> None:
    order = read_order(request(line(mg(10), THREE_DAYS, text="10 mg tid", patientInstruction="as we discussed")))
    assert any("patientInstruction" in note for note in order.notes)
    order = read_order(request(line(mg(10), THREE_DAYS, text="10 mg tid", patientInstruction="one three times a day")))
    assert order.prescription["directions"] == "10 mg tid"
    assert not any("patientInstruction" in note for note in order.notes)


@pytest.mark.parametrize(
    "beside",
    [
        {"patientInstruction": "20 mg three times a day"},
        {"patientInstruction": "one when needed, up to three times a day"},
        {"patientInstruction": "Do not take this any more"},
        {"additionalInstruction": [{"text": "Do not take"}]},
        {"additionalInstruction": [{"text": "intrathecal only"}]},
        {"additionalInstruction": [{"text": "oral solution"}]},
        {"method": {"text": "Inject"}},
        {"site": {"text": "rectal"}},
    ],
)
def test_words_beside_the_directions_that_say_something_else_become_a_part_of_them(beside: dict[str, Any]) -> None:
    order = read_order(request(line(mg(10), THREE_DAYS, text="10 mg tid", **beside)))
    assert order.prescription["directions"].startswith("10 mg tid. ")
    case = {"format": "baclofen-case/1", "on": "2026-11-22", "action": "dispense", "patient": {}}
    fields = {name: value for name, value in order.prescription.items() if name not in HOST_FIELDS}
    findings = review(Case.from_json(case | {"prescription": fields}), load_profile("lioresal")).findings
    assert "directions" in {finding.code for finding in findings if str(finding.severity) in ("override", "stop")}


def test_doses_taken_when_needed_keep_the_most_of_a_day() -> None:
    most = {"numerator": mg(20), "denominator": days(1)}
    regular = line(mg(10), daily(3), maxDosePerPeriod=most, text="10 mg up to three times a day when needed")
    order = read_order(request(regular | {"asNeededCodeableConcept": {"text": "spasms"}}))
    assert (order.prescription["as_needed"], order.prescription["max_mg_per_day"]) == (True, 20)
    assert any("when needed: spasms" in note for note in order.notes)


def test_regular_doses_beside_doses_when_needed_are_two_orders() -> None:
    lines = [line(mg(10), THREE_DAYS, sequence=n, asNeededBoolean=n == 2) for n in (1, 2)]
    assert "when needed beside regular" in asked(request(*lines))


@pytest.mark.parametrize(
    ("timing", "times"),
    [
        (daily(3, when=["MORN", "NOON", "HS"]), ["morning", "midday", "bedtime"]),
        (daily(2, timeOfDay=["20:30:00", "08:00:00"]), ["08:00", "20:30"]),
        (daily(2, when=["MORN", "AFT"]), ["morning", None]),
        (daily(3), None),
    ],
)
def test_times_of_day_are_kept_where_the_order_names_them(
    timing: dict[str, Any], times: list[str | None] | None
) -> None:
    (phase,) = read_order(request(line(mg(10), timing))).prescription["phases"]
    assert phase.get("times") == times


def test_the_planned_start_is_the_first_day_that_a_line_names() -> None:
    first = line(mg(30), daily(3, boundsPeriod={"start": "2026-12-29", "end": "2026-12-31"}), sequence=1)
    second = line(mg(20), daily(3, boundsPeriod={"start": "2027-01-01"}), sequence=2)
    assert read_order(request(first, second), on=date(2026, 11, 22)).prescription["starts_on"] == "2026-12-29"


@pytest.mark.parametrize(
    ("zone", "period", "start", "length"),
    [
        ("Asia/Kolkata", {"start": "2026-11-30T18:30:00Z", "end": "2026-12-07T18:29:59Z"}, "2026-12-01", 7),
        ("Asia/Kolkata", {"start": "2026-12-01T00:00:00+05:30", "end": "2026-12-08T00:00:00+05:30"}, "2026-12-01", 7),
        ("America/Chicago", {"start": "2026-12-02T04:00:00Z", "end": "2026-12-08"}, "2026-12-01", 8),
        ("Europe/London", {"start": "2026-12-01", "end": "2026-12-07"}, "2026-12-01", 7),
    ],
)
def test_moments_are_read_as_days_of_the_pharmacy(zone: str, period: dict[str, str], start: str, length: int) -> None:
    instruction = line(mg(10), daily(3, boundsPeriod=period))
    order = read_order(request(instruction), on=date(2026, 11, 22), zone=ZoneInfo(zone)).prescription
    assert (order["starts_on"], order["phases"][0]["days"]) == (start, length)


def test_a_first_day_that_only_a_later_phase_names_is_counted_back() -> None:
    first = line(mg(30), daily(3, boundsDuration=days(7)), sequence=1)
    second = line(mg(20), daily(3, boundsPeriod={"start": "2026-12-20"}), sequence=2)
    order = read_order(request(first, second), on=date(2026, 11, 22))
    assert order.prescription["starts_on"] == "2026-12-13"
    assert any("counted back 7 days" in note for note in order.notes)


def test_words_alone_keep_the_first_day_of_their_timing() -> None:
    timing = {"repeat": {"boundsPeriod": {"start": "2026-12-20"}}}
    assert (
        read_order(request({"text": "10 mg twice a day", "timing": timing})).prescription["starts_on"] == "2026-12-20"
    )


def test_a_dose_of_zero_that_begins_after_days_without_a_dose_is_asked_back() -> None:
    first = line(mg(10), daily(3, boundsPeriod={"start": "2026-12-01", "end": "2026-12-10"}), sequence=1)
    zero = line(mg(0), daily(1, boundsPeriod={"start": "2026-12-15"}), sequence=2, text="stop")
    assert "another day than the doses end" in asked(request(first, zero))


def test_words_beside_a_dose_of_zero_are_kept_unless_they_say_stop() -> None:
    first = line(mg(10), THREE_DAYS, sequence=1, text="10 mg three times a day for 3 days")
    for words, count in (("then stop", 0), ("then 5 mg at night", 2)):
        zero = line(mg(0), daily(1), sequence=2, text=words)
        assert len(read_order(request(first, zero)).prescription.get("lines", [])) == count


def test_then_at_the_head_of_a_later_line_is_said_once() -> None:
    lines = [
        line(mg(20), daily(3), sequence=1, text="20 mg tds for 7 days"),
        line(mg(10), daily(3), sequence=2, text="Then 10 mg tds"),
    ]
    lines[0]["timing"]["repeat"]["boundsDuration"] = days(7)
    assert read_order(request(*lines)).prescription["directions"] == "20 mg tds for 7 days, then 10 mg tds"
