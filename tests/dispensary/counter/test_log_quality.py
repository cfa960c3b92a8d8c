"""Counts for the review desk: made from the log, made again the same, shown with their intervals."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.urls import reverse

from dispensary.actions import prescriptions
from dispensary.actions.late_entries import record_late
from dispensary.audit.checks import counts
from dispensary.audit.checks.counts import Cell, Counted, Totals, UsedAnswer
from dispensary.audit.checks.wording import Saying, Wording, read_wording
from dispensary.counter.log_quality import list_mondays, rule_rows, saying_rows
from dispensary.counter.shares import Rate, Share, count_interval, describe_median, findings_for_one_change
from dispensary.models import AuditLog, Override, StaffRole
from tests.dispensary import make
from tests.dispensary.counter.test_review_desk import Shop

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def one_clock(machine_clock: None) -> None:
    """The log is dated by the machine."""


@pytest.fixture
def shop(db: None) -> Shop:
    return Shop()


def count(shop: Shop) -> Any:
    """Today's counts, made now."""
    today = shop.pharmacy.local_day(make.moment())
    log = AuditLog.objects.get(pharmacy=shop.pharmacy.pk)
    counts.count_day(log, shop.pharmacy, today, now=make.moment())
    return counts.read_counts(shop.pharmacy.pk, today, today)


def rows() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM desk.rule_day ORDER BY 1, 2, 3, 4")
        return cursor.fetchall()


def test_a_finding_counts_once_for_an_order_and_an_answer_where_it_was_used(shop: Shop) -> None:
    counted = count(shop)
    cell = counted.rules["daily-maximum", "override"]
    assert (cell.shown, cell.answered, cell.asked, dict(cell.reasons)) == (1, 1, 1, {"5": 1})
    person = counted.people[shop.pharmacist.actor().name]
    assert person.answered == sum(c.answered for (_, severity), c in counted.rules.items() if severity == "override")
    assert counted.days == 1
    assert counted.first == 1


@pytest.mark.parametrize(("cause", "changed"), [("finding", 1), ("prescriber", 0), ("", 0)])
def test_a_finding_because_of_which_an_order_is_cancelled_changed_something(
    shop: Shop, cause: str, changed: int
) -> None:
    order = make.prescription(
        make.patient(shop.pharmacy, identifier="R-200"),
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
        quantity=294,
    )
    prescriptions.cancel(
        prescription=order, reason="Too much", cause=cause, by=shop.pharmacist.actor(), now=make.moment()
    )
    counted = count(shop)
    cell = counted.rules["daily-maximum", "override"]
    assert (cell.shown, cell.answered, cell.changed, cell.waited) == (2, 1, changed, 0)
    assert (counted.totals.orders, counted.totals.handovers, counted.totals.repeats) == (2, 1, 0)


def test_a_hand_over_recorded_late_counts_as_one_and_what_stood_at_it_in_no_rate(shop: Shop) -> None:
    order = make.prescription(
        make.patient(shop.pharmacy, identifier="R-201"), quantity=294, directions="35 mg three times a day for 28 days",
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
    )  # fmt: skip
    before = count(shop)
    record_late(
        prescription=order, quantity=Decimal(294), pack=make.pack(), handed_over_at=make.moment(), handed_over_by="Pat Locum",
        key="late", by=shop.pharmacist.actor(), now=make.moment(),
    )  # fmt: skip
    counted = count(shop)
    assert (before.totals.handovers, counted.totals.handovers) == (1, 2)
    assert counted.rules["daily-maximum", "override"] == before.rules["daily-maximum", "override"]
    assert {rule: cell.shown for rule, cell in counted.rules.items()} == {
        rule: cell.shown for rule, cell in before.rules.items()
    }


def test_a_page_keeps_the_time_of_reading_and_the_reasons_that_it_offered() -> None:
    cell = Cell()
    for answer in (
        UsedAnswer("5", True, 2, 40, 6), UsedAnswer("5", False, 5, 40, 4), UsedAnswer("9", False, 899, 40, 5), UsedAnswer("9", False, 900, 0, 5),
        UsedAnswer("", False, None, 40, 0),
    ):  # fmt: skip
        cell.add_answer(answer)
    assert (cell.answered, cell.timed, cell.quick, cell.unread) == (5, 4, 1, 1)
    assert cell.dwell == {"0": 1, "5": 1, "300": 1, "900": 1}
    assert (cell.reasons, cell.chosen) == ({"5": 2, "9": 2}, {"5": 1, "9": 2})


@pytest.mark.parametrize(
    ("dwell", "words"),
    [
        ({"0": 9}, ""),
        ({"0": 5, "8": 5}, "median 0 to 3 s"),
        ({"0": 4, "8": 6}, "median 8 to 12 s"),
        ({"300": 10, "900": 90}, "median 300 to 900 s"),
        ({"0": 9, "900": 90}, ""),
    ],
)
def test_the_median_is_a_class_of_time_without_the_pages_left_open(dwell: dict[str, int], words: str) -> None:
    assert describe_median(dwell) == words


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (Share(1, 9), ""),
        (Share(5, 20), "one change in 2 to 9 findings"),
        (Share(0, 38), "one change in at least 10 findings"),
    ],
)
def test_findings_for_one_change_have_the_inverted_interval(share: Share, words: str) -> None:
    assert findings_for_one_change(share) == words


@pytest.mark.parametrize(
    ("cell", "of_two", "is_candidate", "is_one_reason"),
    [
        (Cell(shown=50, answered=50), (), True, False),
        (Cell(shown=49, answered=49), (), False, False),
        (Cell(shown=60, answered=50, changed=10), (), False, False),
        (Cell(shown=50, answered=50), ("renal",), False, False),
        (Cell(shown=30, answered=30, chosen=Counter({"5": 30})), (), False, True),
        (Cell(shown=30, answered=30, chosen=Counter({"5": 29})), (), False, False),
        (Cell(shown=40, answered=40, chosen=Counter({"5": 33, "9": 7})), (), False, False),
        (Cell(shown=40, answered=40, reasons=Counter({"5": 40})), (), False, False),
    ],
)
def test_a_rule_is_flagged_from_enough_cases_and_never_one_of_two_signatures(
    cell: Cell, of_two: tuple[str, ...], is_candidate: bool, is_one_reason: bool
) -> None:
    day = date(2026, 11, 23)
    counted = Counted({("renal", "override"): cell}, {}, {"renal": {}}, Totals(100, 10, 9), 1, 1, 9)
    (row,) = rule_rows(counted, [day], day, day, of_two)
    assert (row.is_candidate, row.is_one_reason) == (is_candidate, is_one_reason)
    assert [str(rate) for rate in row.burden] == [
        f"{cell.shown}.0 for 100 orders",
        f"{10 * cell.shown}.0 for 100 hand-overs",
    ]


def test_counting_again_gives_the_same(shop: Shop) -> None:
    count(shop)
    before = rows()
    assert before
    count(shop)
    assert rows() == before


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE desk.rule_day SET answered = answered + 1",
        "UPDATE desk.rule_day SET reasons = '{\"9\": 1}' WHERE answered > 0",
        "DELETE FROM desk.rule_day",
        "INSERT INTO desk.rule_day SELECT log_id, day, 'renal', 'override', 5, 5, 0, 0, 0, '{}' FROM desk.made",
        "UPDATE desk.person_day SET actor = 'user:66'",
        "UPDATE desk.person_day SET quick = quick + 1",
        "UPDATE desk.rule_day SET changed = changed + 1",
        "UPDATE desk.rule_day SET dwell = '{\"0\": 9}'",
        "UPDATE desk.made SET handovers = handovers + 1",
    ],
)
def test_counts_that_the_log_does_not_give_are_named(shop: Shop, change: str) -> None:
    count(shop)
    today = shop.pharmacy.local_day(make.moment())
    for days_later in (0, 6, 7, 14):
        assert list(counts.compare_counts(today + timedelta(days=days_later))) == []
    with connection.cursor() as cursor:
        cursor.execute(change)
        assert cursor.rowcount
    for days_later, number in ((0, 1), (7, 1), (8, 0), (13, 0), (14, 1)):
        assert len(list(counts.compare_counts(today + timedelta(days=days_later)))) == number
    (orphan,) = counts.compare_counts(today)
    assert orphan.id == f"{shop.pharmacy.pk} {today}"
    count(shop)
    assert list(counts.compare_counts(today)) == []


def test_no_patient_and_no_words_stand_in_the_counts(shop: Shop) -> None:
    count(shop)
    with connection.cursor() as cursor:
        cursor.execute("SELECT r::text FROM desk.rule_day r UNION SELECT p::text FROM desk.person_day p")
        text = " ".join(row for (row,) in cursor.fetchall())
    assert str(shop.patient.pk) not in text
    assert "Agreed" not in text


def test_a_day_that_is_over_is_counted_once(shop: Shop) -> None:
    tomorrow = make.moment() + timedelta(days=1, hours=1)
    mine = [(day, number) for pharmacy, day, number in counts.count_missing_days(tomorrow) if pharmacy == shop.pharmacy]
    assert len(mine) >= 1
    assert mine[-1][1] > 5
    assert [row for row in counts.count_missing_days(tomorrow) if row[0] == shop.pharmacy] == []
    call_command("audit", "count", verbosity=0)


def test_the_page_shows_shares_with_intervals_and_people_by_name(client: Client, shop: Shop) -> None:
    count(shop)
    client.force_login(shop.auditor.user)
    today = shop.pharmacy.local_day(make.moment()).isoformat()
    page = client.get(reverse("counter:audit-quality"), {"since": today, "until": today})
    words = page.content.decode()
    assert "1 of 1" in words
    assert "%" not in words.partition("<tbody>")[2].partition("</tbody>")[0]
    assert shop.pharmacist.display_name in words
    assert "Never shown" in words
    assert client.get(reverse("counter:audit-quality"), {"since": "x"}).status_code == 422


def test_words_that_stand_under_three_patients_are_listed_with_a_link_to_the_answers(
    client: Client, shop: Shop
) -> None:
    words = shop.answer().words
    for number in range(2):
        patient = make.patient(shop.pharmacy, identifier=f"R-20{number}")
        order = make.prescription(
            patient,
            phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
            directions="35 mg three times a day for 28 days",
            quantity=294,
        )
        make.hand_over(order, shop.pharmacist.actor())
    client.force_login(shop.auditor.user)
    today = shop.pharmacy.local_day(make.moment()).isoformat()
    page = client.get(reverse("counter:audit-quality"), {"since": today, "until": today})
    (row,) = page.context["sayings"]
    assert (row.name, row.saying.words, len(row.saying.patients)) == (shop.pharmacist.display_name, words, 3)
    assert f"“{words}”" in page.content.decode()
    assert client.get(f"{reverse('counter:audit-overrides')}?{row.query}").status_code == 200


@pytest.mark.parametrize(
    "words",
    ["ok", "--", "as above", "Seen by us as on every day of this week", "x" * 300, "abc " * 60, "ab " + "y" * 500],
)
def test_whatever_words_are_listed_their_answers_are_found(client: Client, shop: Shop, words: str) -> None:
    saying = Saying(words, shop.pharmacist.actor().name, is_empty=True)
    today = shop.pharmacy.local_day(make.moment())
    (row,) = saying_rows(Wording(1, [saying], {}), {}, today, today)
    client.force_login(shop.auditor.user)
    assert client.get(f"{reverse('counter:audit-overrides')}?{row.query}").status_code == 200


@pytest.mark.parametrize(("since", "until", "is_read"), [(0, 1, True), (-1, 0, False), (1, 2, False)])
def test_words_of_a_period_and_a_pharmacy_are_read(shop: Shop, since: int, until: int, is_read: bool) -> None:
    signed_at = Override.objects.filter(words__gt="").latest("signed_at").signed_at
    span = (signed_at + timedelta(seconds=since), signed_at + timedelta(seconds=until))
    assert bool(read_wording(shop.pharmacy.pk, *span).number) is is_read
    assert read_wording(make.pharmacy().pk, *span).number == 0


@pytest.mark.parametrize(
    ("since", "until", "mondays"),
    [("2026-11-23", "2026-11-29", 1), ("2026-11-23", "2026-11-30", 2), ("2026-11-22", "2026-11-29", 2)],
)
def test_the_weeks_of_a_period_are_those_that_it_touches(since: str, until: str, mondays: int) -> None:
    assert len(list_mondays(date.fromisoformat(since), date.fromisoformat(until))) == mondays


def test_the_weeks_stand_in_a_table_beside_their_chart(client: Client, shop: Shop) -> None:
    count(shop)
    client.force_login(shop.auditor.user)
    today = shop.pharmacy.local_day(make.moment()).isoformat()
    page = client.get(reverse("counter:audit-quality"), {"since": today, "until": today})
    assert ("Daily maximum", [1]) in page.context["by_week"]
    assert "By week as a table" in page.content.decode()


def test_a_pharmacist_sees_the_own_row_and_everybody_together_and_no_other_name(client: Client, shop: Shop) -> None:
    count(shop)
    today = shop.pharmacy.local_day(make.moment()).isoformat()
    other = make.staff(shop.pharmacy)
    numbers = []
    for person in (shop.pharmacist, other):
        client.force_login(person.user)
        page = client.get(reverse("counter:own-answers"), {"since": today, "until": today})
        assert (shop.pharmacist.display_name in page.content.decode()) is (person == shop.pharmacist)
        numbers.append([row[1] for row in page.context["rows"]])
    everybody = numbers[0][1]
    assert everybody > 0
    assert numbers == [[everybody, everybody], [0, everybody]]
    client.force_login(make.staff(shop.pharmacy, StaffRole.TECHNICIAN).user)
    assert client.get(reverse("counter:own-answers")).status_code == 403


def test_who_may_not_read_the_log_sees_no_counts(client: Client, shop: Shop) -> None:
    client.force_login(make.staff(shop.pharmacy, StaffRole.TECHNICIAN).user)
    assert client.get(reverse("counter:audit-quality")).status_code == 403


def test_intervals_are_those_of_the_books() -> None:
    assert str(Share(21, 34)) == "62 % (45 to 76), 21 of 34"
    assert str(Share(9, 9)) == "9 of 9"
    assert str(Rate(3, 10, "orders")) == "30.0 for 100 orders"
    assert count_interval(0) == (0, 4)
    assert count_interval(10) == (4, 19)
