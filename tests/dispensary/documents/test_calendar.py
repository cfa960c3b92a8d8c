from __future__ import annotations

import io
from dataclasses import replace
from datetime import date, timedelta

import pytest
from pypdf import PdfReader

from dispensary.documents import Course, DoesNotFit, calendar_days, taper_calendar_pdf
from tests.dispensary.documents.samples import SUNDAY, steady, stretch, taper
from tests.dispensary.documents.test_label import words_of


def test_every_day_of_the_course_is_there_once_and_in_order() -> None:
    days = calendar_days(taper())
    assert [d["on"] for d in days] == [SUNDAY + timedelta(days=n) for n in range(43)]


def test_the_day_after_a_taper_says_stop() -> None:
    last = calendar_days(taper())[-1]
    assert (last["on"], last["stop"], last["doses"]) == (date(2027, 1, 3), True, [])


def test_a_change_is_marked_on_its_first_day_only() -> None:
    marked = [d["on"] for d in calendar_days(taper()) if d["change"] == "Less from today"]
    assert marked == [SUNDAY + timedelta(days=7 * n) for n in range(1, 6)]


def test_an_open_course_ends_where_its_supply_ends() -> None:
    days = calendar_days(steady().course)
    assert days[-1]["on"] == SUNDAY + timedelta(days=27)


def test_an_open_course_of_unknown_supply_has_no_calendar() -> None:
    with pytest.raises(ValueError, match="last day that its supply covers"):
        calendar_days(Course((stretch("5"),)))


def test_a_year_is_printed_and_a_day_more_is_refused() -> None:
    assert len(calendar_days(Course((stretch("5", days=366),)))) == 366
    with pytest.raises(DoesNotFit, match="longer than 366 days"):
        calendar_days(Course((stretch("5", days=367),)))


def test_the_calendar_shows_words_totals_and_changes() -> None:
    (page,) = words_of(taper_calendar_pdf(steady(course=taper())))
    for expected_words in (
        "22 Nov 2026",
        "60 mg a day",
        "three (30 mg)",
        "one and a half (15 mg)",
        "Less from today",
        "1 Jan 2027",
    ):
        assert expected_words in page
    assert "STOP: no tablets" in page
    assert "Do not stop suddenly" in page


def test_a_long_course_runs_over_pages_and_each_says_which() -> None:
    pages = words_of(taper_calendar_pdf(steady(course=Course((stretch("10", "10", "10", "15", days=120),)))))
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Monday" in page
    assert sum(page.count("45 mg a day") for page in pages) == 120


def test_many_tablets_at_once_are_drawn_with_their_number() -> None:
    (page,) = words_of(taper_calendar_pdf(steady(course=Course((stretch("75", "75", days=3),)))))
    assert page.count("× 7") == 6
    assert "seven and a half" in page


def test_a_calendar_is_tagged() -> None:
    reader = PdfReader(io.BytesIO(taper_calendar_pdf(steady(course=taper()))))
    assert reader.trailer["/Root"]["/MarkInfo"]["/Marked"]


def test_a_name_that_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="cannot be printed"):
        taper_calendar_pdf(steady(course=taper(), patient_name="\U00013080"))


def test_a_calendar_is_in_the_patients_language_and_names_the_medicine_twice() -> None:
    spanish = steady(course=taper(), medicine="Lioresal", ingredient="baclofen", patient_language="es")
    (page, *_more) = words_of(taper_calendar_pdf(spanish))
    for expected_words in (
        "Sus comprimidos, día a día", "Lioresal (baclofen) 10 mg comprimidos", "dom 22 nov 2026", "60 mg al día",
        "Menos desde hoy", "No lo deje de golpe", "lunes",
    ):  # fmt: skip
        assert expected_words in page
    assert "day" not in page


def test_an_arabic_calendar_says_its_language_and_runs_from_the_right() -> None:
    reader = PdfReader(io.BytesIO(taper_calendar_pdf(steady(course=taper(), patient_language="ar"))))
    assert reader.trailer["/Root"]["/Lang"] == "ar"
    days = calendar_days(taper(), "ar")
    assert (days[0]["total"], days[-1]["change"]) == ("60\u00a0ملغ في اليوم", "توقف: لا أقراص")


def test_each_dose_has_its_time_where_the_order_says_all_of_them() -> None:
    course = Course((replace(stretch("10", "5", "10", days=2), times=("morning", "midday", "21:30")),))
    assert [dose["time"] for dose in calendar_days(course)[0]["doses"]] == ["morning", "midday", "21:30"]
    (page,) = words_of(taper_calendar_pdf(steady(course=course)))
    assert page.count("morning") == 2 and page.count("21:30") == 2


def test_doses_at_another_time_of_the_day_are_a_change() -> None:
    first, then = stretch("10", "5", days=2), stretch("10", "5", first_on=SUNDAY + timedelta(days=2), days=2)
    course = Course((replace(first, times=("morning", "bedtime")), replace(then, times=("midday", "bedtime"))))
    assert [day["change"] for day in calendar_days(course)] == ["", "", "Change", ""]
