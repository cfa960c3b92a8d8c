"""The lines of an order, the days that it is to last, and need: each against the others."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from baclofen_rules import Case, review
from baclofen_rules.findings import Found
from baclofen_rules.regimen import Phase
from baclofen_rules.rules import directions
from baclofen_rules.terms import Terms
from tests.baclofen_rules.test_directions_rule import BOOK, LIORESAL, case_with, findings_of


def line(
    sequence: int, directions: str | None, doses: list[int], days: int | None = None, **more: Any
) -> dict[str, Any]:
    return {"sequence": sequence, "directions": directions, "doses": doses, "unit": "mg", "days": days, **more}


def order(*lines: dict[str, Any], phases: list[tuple[list[int], int | None]], **more: Any) -> dict[str, Any]:
    texts = [text for order_line in lines if (text := order_line["directions"])]
    structure = [{"doses": doses, "unit": "mg", "days": days} for doses, days in phases]
    return {"lines": list(lines), "directions": ", then ".join(texts) or None, "phases": structure, **more}


def parts(prescription: dict[str, Any]) -> list[Found]:
    """Return everything that the rule finds, before it becomes one finding."""
    bound = next(rule for rules in BOOK.rules.values() for rule in rules if rule.rule.code == "directions")
    answer = directions.check(Terms(case_with(prescription), BOOK.terms), bound.limits)
    return [part for part in answer if isinstance(part, Found)]


def summaries(prescription: dict[str, Any]) -> list[str]:
    return [part.words.summary for part in parts(prescription)]


MORNING, NOON, NIGHT = "2 tablets in the morning", "1 tablet at noon", "1 tablet at night"


def test_each_line_is_compared_with_its_own_doses_then_all_of_them_with_the_quantity() -> None:
    lines = [line(1, MORNING, [10], 2), line(1, NOON, [10], 2), line(1, NIGHT, [10], 2)]
    sentences = summaries(order(*lines, phases=[([10, 10, 10], 2)], quantity=8, expected_days=2))
    assert sentences == [
        "The dose of the directions differs from that of the phases: the quantity agrees with the directions",
        "Line 1: the dose of its directions differs from that of its structure",
    ]


def test_two_lines_that_are_exchanged_are_seen_where_the_sums_agree() -> None:
    lines = [line(1, MORNING, [10], 2), line(1, NOON, [20], 2)]
    findings = parts(order(*lines, phases=[([10, 20], 2)], quantity=6, expected_days=2))
    assert [part.words.observed["line"] for part in findings] == ["1", "2"]


def test_words_in_which_only_the_number_of_doses_is_in_doubt_are_still_added_up() -> None:
    lines = [
        line(1, "Take 4 tablets daily for 7 days starting December 1, 2026", [40], 5, starts_on="2026-12-01"),
        line(2, "Take 2 tablets daily for 7 days starting December 8, 2026", [20], 8, starts_on="2026-12-08"),
        line(3, "Take 1 tablet daily for 7 days starting December 16, 2026", [10], 7, starts_on="2026-12-16"),
    ]
    body = order(*lines, phases=[([40], 5), ([20], 8), ([10], 7)], quantity=51, repeats=1, expected_days=21)
    body["phases"][1]["from_day"], body["phases"][2]["from_day"] = 8, 16
    assert "The directions come to 49 tablets, the structure to 43" in summaries(body)
    (finding,) = findings_of(body)
    for words in ("49", "43", "51", "phase 2 is said to begin on day 8", "repeats: 1", "expected to last 21 days"):
        assert words in finding.detail


@pytest.mark.parametrize("written", ["December 1, 2026", "1 December 2026", "Dec 1 2026", "2026-12-01"])
def test_a_first_day_in_words_that_is_that_of_the_structure_says_nothing_new(written: str) -> None:
    (read,) = case_with(
        order(line(1, f"10 mg bd starting {written}", [10, 10], starts_on="2026-12-01"), phases=[([10, 10], None)])
    ).order.lines
    assert read.phase == Phase((Decimal(10), Decimal(10)), None)
    assert read.starts_on == date(2026, 12, 1)
    assert read.reading.sentence == "Take 10 mg twice a day."


def test_another_first_day_in_words_is_asked_about() -> None:
    order_line = line(1, "10 mg bd starting December 3, 2026", [10, 10], 5, starts_on="2026-12-01")
    assert summaries(order(order_line, phases=[([10, 10], 5)], quantity=10))


STEPS = [([5, 5, 5], 3), ([10, 10, 10], None)]
BOTH = "5 mg tid for 3 days then 10 mg tid"


@pytest.mark.parametrize(("first", "second"), [(BOTH, None), (None, BOTH), (BOTH, BOTH)])
def test_a_text_that_says_all_lines_is_compared_with_all_of_them(first: str | None, second: str | None) -> None:
    lines = [line(1, first, [5, 5, 5], 3), line(2, second, [10, 10, 10])]
    assert summaries(order(*lines, phases=STEPS)) == []


def test_a_text_that_says_all_lines_of_a_day_is_compared_with_all_of_them() -> None:
    lines = [line(1, "10 mg in the morning and 20 mg at night", [10]), line(1, None, [20])]
    assert summaries(order(*lines, phases=[([10, 20], None)])) == []


@pytest.mark.parametrize("words", ["5 mg tid for 3 days then 20 mg tid", "5 mg tid for 4 days then 10 mg tid"])
def test_a_text_that_says_other_doses_than_all_lines_is_a_stop(words: str) -> None:
    (finding,) = findings_of(order(line(1, words, [5, 5, 5], 3), line(2, None, [10, 10, 10]), phases=STEPS))
    assert finding.severity == "stop"


@pytest.mark.parametrize(
    ("words", "severity"),
    [
        ("STOP baclofen", "stop"),
        ("via intrathecal pump", "stop"),
        ("5 mg on alternate days", "stop"),
        ("as per letter", "override"),
    ],
)
@pytest.mark.parametrize("at", [0, 1])
def test_words_of_one_line_are_asked_about_where_another_has_none(words: str, severity: str, at: int) -> None:
    lines = [line(1, None, [5, 5, 5], 3), line(2, None, [10, 10, 10])]
    lines[at]["directions"] = words
    (finding,) = findings_of(order(*lines, phases=STEPS))
    assert (finding.severity, words in finding.detail) == (severity, True)


@pytest.mark.parametrize("second", [None, "10 mg tid"])
def test_need_in_the_words_of_one_line_is_a_finding(second: str | None) -> None:
    lines = [line(1, "5 mg tid prn", [5, 5, 5], 3), line(2, second, [10, 10, 10])]
    (sentence,) = summaries(order(*lines, phases=STEPS))
    assert sentence == "Line 1: its directions say that it is taken only when needed, the order does not"


def test_need_in_one_of_two_lines_of_words_alone_is_a_finding() -> None:
    lines = [{"sequence": 1, "directions": words} for words in ("10 mg at night prn", "10 mg in the morning")]
    (finding,) = findings_of({"lines": lines, "directions": "10 mg at night prn and 10 mg in the morning"})
    assert finding.summary.startswith("Line 1: its directions say that it is taken only when needed")


@pytest.mark.parametrize("second", [None, "10 mg tid"])
def test_a_stop_in_the_words_of_a_line_before_the_last_is_a_finding(second: str | None) -> None:
    lines = [line(1, "5 mg tid for 3 days then stop", [5, 5, 5], 3), line(2, second, [10, 10, 10])]
    (sentence,) = summaries(order(*lines, phases=STEPS))
    assert sentence == "Line 1: its directions end the course, and another line follows"


def test_a_stop_in_the_words_of_the_last_line_is_read_where_the_first_has_none() -> None:
    lines = [line(1, None, [10, 10, 10], 7), line(2, "5 mg tid for 7 days then stop", [5, 5, 5], 7)]
    case = case_with(order(*lines, phases=[([10, 10, 10], 7), ([5, 5, 5], 7)]))
    assert case.order.reading.then_stop is True


def test_a_line_without_words_leaves_the_others_to_their_own_doses() -> None:
    lines = [line(1, "10 mg bd for 5 days", [10, 10], 5), line(2, None, [5, 5], 5)]
    assert findings_of(order(*lines, phases=[([10, 10], 5), ([5, 5], 5)], quantity=15)) == []


@pytest.mark.parametrize(
    ("expected_days", "quantity", "repeats", "severity"),
    [
        (28, 84, 0, None),
        (10, 30, 2, None),
        (99, 30, 0, "override"),
        (28, 90, 0, "information"),
        (28, 168, 0, "override"),
        (28, 167, 0, "information"),
        (28, 42, 0, "override"),
        (28, 43, 0, "information"),
    ],
)
def test_the_tablets_of_a_day_are_those_of_the_quantity_for_the_days_it_is_to_last(
    expected_days: int, quantity: int, repeats: int, severity: str | None
) -> None:
    body = {"phases": [{"doses": [10, 10, 10], "unit": "mg"}], "quantity": quantity, "repeats": repeats}
    findings = findings_of(body | {"expected_days": expected_days})
    assert [str(finding.severity) for finding in findings] == ([] if severity is None else [severity])


@pytest.mark.parametrize(
    ("expected_days", "quantity", "repeats", "summary"),
    [
        (14, 42, 0, None),
        (30, 42, 0, "The quantity is to last 30 days, the course 14 days"),
        (7, 21, 1, None),
        (7, 21, 0, None),
        (7, 42, 0, "The quantity is to last 7 days, the course 14 days"),
    ],
)
def test_the_days_it_is_to_last_are_those_of_the_course(
    expected_days: int, quantity: int, repeats: int, summary: str | None
) -> None:
    body = {"phases": [{"doses": [10, 10, 10], "unit": "mg", "days": 14}], "quantity": quantity, "repeats": repeats}
    assert summaries(body | {"expected_days": expected_days}) == ([] if summary is None else [summary])


def test_without_an_end_the_quantity_and_its_days_say_who_is_right() -> None:
    body = {"phases": [{"doses": [10] * 9, "unit": "mg"}], "directions": "10 mg every 8 hours"}
    assert summaries(body | {"quantity": 30, "expected_days": 10})[0].endswith(
        "the quantity for 10 days agrees with the directions"
    )


def test_doses_when_needed_by_the_structure_alone_are_said() -> None:
    body = {"phases": [{"doses": [10, 10], "unit": "mg"}], "directions": "10 mg twice a day", "as_needed": True}
    (finding,) = findings_of(body | {"quantity": 28, "expected_days": 99})
    assert finding.summary.startswith("Taken only when needed")


def test_need_that_only_the_structure_says_is_asked_about_where_a_therapy_counts_it() -> None:
    body = {
        "id": "A",
        "status": "active",
        "route": "oral",
        "form": "tablet",
        "as_needed": True,
        "directions": "10 mg twice a day",
        "products": [{"strength_mg": 10, "quantity": 28, "phases": [{"doses": [10, 10], "unit": "mg"}]}],
    }
    case = {"format": "baclofen-case/2", "on": "2026-11-22", "action": "dispense", "patient": {"age_years": 45}}
    answer = review(Case.from_json(case | {"orders": [body], "supplies": [], "ask": {"order": "A"}}), LIORESAL)
    (finding,) = [finding for finding in answer.findings if finding.code == "directions"]
    assert finding.summary == "The structure says that it is taken only when needed, the directions do not"


@pytest.mark.parametrize(
    "second", ["then 10 mg tds for 7 days", "Followed by 10 mg tds for 7 days", "and then: 10 mg tds for 7 days"]
)
def test_a_line_that_begins_with_then_is_read_as_one_that_follows(second: str) -> None:
    lines = [line(1, "20 mg tds for 7 days", [20, 20, 20], 7), line(2, second, [10, 10, 10], 7)]
    assert summaries(order(*lines, phases=[([20, 20, 20], 7), ([10, 10, 10], 7)], quantity=63, then_stop=False)) == []


def product(strength: int, doses: list[int], directions: str | None = None, days: int = 28) -> dict[str, Any]:
    """A strength of an order with words of its own."""
    phase = {"doses": doses, "unit": "mg", "days": days}
    quantity = sum(doses) * days // strength
    return {"strength_mg": strength, "quantity": quantity, "phases": [phase], "directions": directions}


def answers_about(*products: dict[str, Any], directions: str | None = None) -> list[tuple[str, str]]:
    """Severity and summary of what the rule finds in an order of several strengths."""
    body = {"id": "A", "route": "oral", "form": "tablet", "directions": directions, "products": list(products)}
    case = {"format": "baclofen-case/2", "on": "2026-11-22", "action": "dispense", "patient": {"age_years": 45}}
    written = Case.from_json(case | {"orders": [body], "supplies": [], "ask": {"order": "A"}})
    assert Case.from_json(written.to_json()) == written
    findings = review(written, LIORESAL).findings
    return [(str(finding.severity), finding.summary) for finding in findings if finding.code == "directions"]


_TEN, _TWENTY_FIVE = (10, [10] * 3), (25, [25] * 3)
_EACH = "1 tablet three times a day"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (_EACH, _EACH),
        ("10 mg three times a day", "25 mg three times a day"),
        ("35 mg three times a day", "35 mg three times a day"),
        ("35 mg three times a day", None),
        (None, "35 mg three times a day"),
        (_EACH, None),
        (None, _EACH),
        (None, None),
    ],
)
def test_the_words_of_each_strength_say_its_own_doses_or_those_of_all(first: str | None, second: str | None) -> None:
    assert answers_about(product(*_TEN, first), product(*_TWENTY_FIVE, second)) == []


@pytest.mark.parametrize(
    ("directions", "is_right"), [("35 mg three times a day", True), ("20 mg three times a day", False)]
)
def test_the_words_of_the_order_are_read_where_its_strengths_have_none(directions: str, is_right: bool) -> None:
    answers = answers_about(product(*_TEN), product(*_TWENTY_FIVE), directions=directions)
    assert [severity for severity, _ in answers] == ([] if is_right else ["stop"])


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (_EACH, "2 tablets three times a day", "The dose of the directions differs"),
        ("2 tablets three times a day", _EACH, "The dose of the directions differs"),
        (_EACH, "1 tablet twice a day", "The dose of the directions differs"),
        (None, "1 tablet twice a day", "The dose of the directions differs"),
        (_EACH, "do not take", "The directions forbid something"),
        (_EACH, "1 tablet three times a day as intrathecal refill", "The directions "),
    ],
)
def test_words_of_either_strength_that_say_something_else_stop_the_order(
    first: str | None, second: str, words: str
) -> None:
    (answer,) = answers_about(product(*_TEN, first), product(*_TWENTY_FIVE, second))
    assert answer[0] == "stop"
    assert answer[1].startswith(words)


def test_words_alone_are_read_with_the_strength_that_they_stand_on() -> None:
    body = {
        "id": "A",
        "route": "oral",
        "form": "tablet",
        "products": [
            {"strength_mg": 10, "quantity": 84, "directions": "1 tablet three times a day for 28 days"},
            {"strength_mg": 25, "quantity": 168, "directions": "2 tablets three times a day for 28 days"},
        ],
    }
    case = {"format": "baclofen-case/2", "on": "2026-11-22", "action": "dispense", "patient": {"age_years": 45}}
    answer = review(Case.from_json(case | {"orders": [body], "supplies": [], "ask": {"order": "A"}}), LIORESAL)
    (maximum,) = [finding for finding in answer.findings if finding.code == "daily-maximum"]
    assert maximum.summary.startswith("180 mg a day")
