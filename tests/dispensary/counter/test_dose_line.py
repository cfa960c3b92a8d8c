from __future__ import annotations

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dispensary.counter.dose_line import HEIGHT, WIDTH, DoseLine, Span

TODAY = date(2026, 11, 22)


def spans(*doses: str, days: int = 7, first: date = TODAY) -> list[Span]:
    made = []
    for n, mg in enumerate(doses):
        made.append(Span(first + timedelta(days=n * days), first + timedelta(days=(n + 1) * days), Decimal(mg)))
    return made


def test_a_taper_goes_down_in_steps_to_the_floor() -> None:
    picture = DoseLine(TODAY, spans("60", "40", "20"), stops=True).picture()
    heights = [Decimal(v) for v in re.findall(r"[V ]([\d.]+)", picture.course_path)]
    assert heights == sorted(heights)
    assert heights[-1] == picture.floor


def test_an_open_course_does_not_fall_to_the_floor() -> None:
    picture = DoseLine(TODAY, spans("60")).picture()
    assert f"V{picture.floor}" not in picture.course_path


def test_title_and_description_say_what_the_picture_shows() -> None:
    picture = DoseLine(
        TODAY, spans("60", "30"), past=spans("60", first=date(2026, 10, 25), days=28), maximum=Decimal(100), stops=True
    ).picture()
    assert picture.title.replace("\u00a0", " ") == "Dose line: 60 mg to 30 mg a day, then stop"
    picture_words = picture.description.replace("\u00a0", " ")
    assert "Before: 60 mg a day until Sat 21 Nov 2026." in picture_words
    assert "from Sun 29 Nov 2026 30 mg a day" in picture_words
    assert "The maximum is 100 mg a day." in picture_words


def test_days_without_supply_are_shown_as_a_gap() -> None:
    late = DoseLine(TODAY, spans("60"), past=spans("60", first=date(2026, 10, 20), days=28)).picture()
    on_time = DoseLine(TODAY, spans("60"), past=spans("60", first=date(2026, 10, 25), days=28)).picture()
    assert len(late.gaps) == 1
    assert on_time.gaps == []


def test_the_table_has_a_row_for_each_stretch() -> None:
    assert len(DoseLine(TODAY, spans("5", "10", "15")).picture().rows) == 3


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a course"):
        DoseLine(TODAY, []).picture()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    doses=st.lists(st.decimals(min_value="0.5", max_value=5000, places=1), min_size=1, max_size=20),
    days=st.integers(1, 90),
    maximum=st.none() | st.decimals(min_value=1, max_value=200, places=0),
)
def test_nothing_is_ever_drawn_outside_the_picture(doses: list[Decimal], days: int, maximum: Decimal | None) -> None:
    picture = DoseLine(TODAY, spans(*(str(d) for d in doses), days=days), maximum=maximum).picture()
    for value in re.findall(r"H([\d.]+)", picture.course_path):
        assert 0 <= Decimal(value) <= WIDTH
    for value in re.findall(r"V([\d.-]+)", picture.course_path):
        assert 0 <= Decimal(value) <= HEIGHT
    for text in [*picture.labels, *picture.days, picture.today_label]:
        assert 0 <= Decimal(text.x) <= WIDTH
        assert 0 <= Decimal(text.y) <= HEIGHT
    assert len({text.x for text in picture.days}) == len(picture.days)
