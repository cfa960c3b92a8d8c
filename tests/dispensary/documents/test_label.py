from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest
import zxingcpp
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader

from dispensary.documents import (
    Course,
    DoesNotFit,
    Handover,
    PharmacyLines,
    draw_labels,
    label_pdf,
    label_png,
    label_text,
)
from dispensary.documents.words import short_day
from dispensary.models.pharmacy import LabelLayout
from tests.dispensary.documents.samples import SUNDAY, WARNINGS, steady, stretch, taper
from tests.examples import examples


def words_of(pdf: bytes) -> list[str]:
    """Each page's text with its white space evened out."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return [" ".join(page.extract_text().replace("\u00a0", " ").split()) for page in pages]


def test_a_label_says_what_whose_and_how() -> None:
    (page,) = words_of(label_pdf(steady()))
    for expected_words in (
        "126 × Baclofen 10 mg tablets",
        "Take ONE AND A HALF tablets (15 mg) three times a day.",
        "Margaret O’Connor-Whitfield",
        "Riverside Pharmacy",
        "Tel. 01865 496 000",
        "Sun 22 Nov 2026",
        "RX-2026-00417",
        "Keep out of the sight and reach of children",
        *WARNINGS,
    ):
        assert expected_words in page


def test_the_label_carries_its_line_in_the_log() -> None:
    (page,) = words_of(label_pdf(steady()))
    assert "Log 1203 · 9f86d081884c7d65" in page


def test_a_label_without_a_receipt_is_still_a_label() -> None:
    (page,) = words_of(label_pdf(steady(receipt=None)))
    assert "Log" not in page


def test_every_label_is_seventy_by_thirty_five_millimetres() -> None:
    for page in PdfReader(io.BytesIO(label_pdf(steady(course=taper())))).pages:
        assert float(page.mediabox.width) == pytest.approx(70 / 25.4 * 72, abs=0.1)
        assert float(page.mediabox.height) == pytest.approx(35 / 25.4 * 72, abs=0.1)


def test_a_taper_is_spread_over_labels_that_say_which_of_how_many() -> None:
    end_of_a_taper = Course(taper().stretches[3:], then_stop=True)
    pages = words_of(label_pdf(steady(course=end_of_a_taper)))
    assert len(pages) > 1
    for number, page in enumerate(pages, 1):
        assert f"{number} of {len(pages)}" in page
        assert "Margaret O’Connor-Whitfield" in page
    together = " ".join(pages)
    for dose in ("ONE AND A HALF tablets (15 mg)", "ONE tablet (10 mg)", "HALF a tablet (5 mg)"):
        assert dose in together
    assert "Then STOP: no tablets from Sun 3 Jan." in pages[-1]


def steps_of(*steps: str) -> Course:
    """A taper of steps of two days."""
    first = date(2026, 11, 29)
    stretches = [stretch(*step.split(), first_on=first + timedelta(days=2 * n), days=2) for n, step in enumerate(steps)]
    return Course(tuple(stretches), then_stop=True)


TEN_STEPS = ("15 15 20", "15 15 15", "10 15 15", "10 10 15", "10 10 10", "5 10 10", "5 5 10", "5 5 5", "5 5", "5")


@pytest.mark.parametrize(("steps", "labels"), [(3, 3), (4, 1), (10, 1)])
def test_a_course_that_takes_more_than_three_labels_is_left_to_the_calendar(steps: int, labels: int) -> None:
    course = steps_of(*TEN_STEPS[:steps])
    pages = words_of(label_pdf(steady(course=course)))
    assert len(pages) == labels
    assert ("as on your dated calendar. Lost it? Call us." in " ".join(pages)) == (labels == 1)
    assert course.stretches[-1].last_on is not None
    assert f"Then STOP: no tablets from {short_day(course.stretches[-1].last_on + timedelta(days=1))}".replace(
        "\u00a0", " "
    ) in " ".join(pages)


def test_the_first_phase_stands_on_a_label_that_leaves_the_rest_to_the_calendar_where_it_has_room() -> None:
    course = steps_of("30 30", "25 30", "25 25", "20 25", "20 20", "15 20", "15 15", "10 15", "10 10")
    (page,) = words_of(label_pdf(steady(course=course)))
    assert "Sun 29 Nov to Mon 30 Nov: Take THREE tablets (30 mg) twice a day." in page
    assert "From Tue 1 Dec: as on your dated calendar" in page and "(25 mg)" not in page


def test_what_is_recorded_of_a_label_is_what_it_says() -> None:
    lines = label_text(steady(course=steps_of(*TEN_STEPS)))
    assert lines[0].startswith("From Sun 29 Nov: as on your dated calendar") and len(lines) == 2
    assert lines[1].endswith("With or after food or milk.")


AMERICAN = {
    "layout": LabelLayout.US,
    "prescriber": "Dr Grace Mwangi",
    "refills": 2,
    "discard_on": date(2027, 11, 22),
    "medicine": "Lioresal",
    "ingredient": "baclofen",
    "warnings": (),
}


def test_a_label_for_the_united_states_begins_with_the_patient_and_the_directions_in_figures() -> None:
    course = Course((replace(stretch("15", "10", "15"), times=("morning", "midday", "evening")),))
    pdf = label_pdf(steady(course=course, **AMERICAN))
    (page,) = words_of(pdf)
    in_order = [
        "Margaret O’Connor-Whitfield",
        "Each day: morning 1½ tablets (15 mg), midday 1 tablet (10 mg), evening 1½ tablets (15 mg).",
        "Lioresal (baclofen) 10 mg tablets × 126",
        "Do not stop suddenly",
        "Prescriber: Dr Grace Mwangi. Refills: 2. Discard after Mon 22 Nov 2027.",
        "Riverside Pharmacy",
    ]
    assert sorted(in_order, key=page.index) == in_order
    (paper,) = PdfReader(io.BytesIO(pdf)).pages
    assert (float(paper.mediabox.width), float(paper.mediabox.height)) == pytest.approx((288, 144), abs=0.1)


def test_a_label_for_the_united_states_names_the_time_of_each_equal_dose() -> None:
    course = Course((replace(stretch("10", "10"), times=("morning", "evening")),))
    assert label_text(steady(course=course, **AMERICAN))[0] == (
        "Each day: morning 1 tablet (10 mg), evening 1 tablet (10 mg)."
    )


def test_prescriber_refills_and_discarding_stand_on_no_label_of_the_united_kingdom() -> None:
    (page,) = words_of(label_pdf(steady()))
    assert "Prescriber:" not in page and "Refills" not in page and "Discard" not in page


def test_the_symbol_reads_back_to_number_and_receipt_and_nothing_about_the_patient() -> None:
    picture = Image.open(io.BytesIO(label_png(steady(), ppi=600)))
    barcodes = zxingcpp.read_barcodes(picture)
    assert [b.text for b in barcodes] == ["RX-2026-00417|1203|9f86d081884c7d65"]


@pytest.mark.parametrize("course", ["steady", "taper"])
def test_a_browser_prints_as_many_labels_as_the_pdf_has(course: str) -> None:
    handover = steady() if course == "steady" else steady(course=taper())
    drawn = draw_labels(handover)
    assert len(drawn) == len(PdfReader(io.BytesIO(label_pdf(handover))).pages)
    assert all(label.startswith(b"<svg") for label in drawn)


def test_the_same_dispense_printed_at_the_same_moment_gives_the_same_bytes() -> None:
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    assert label_pdf(steady(), at=at) == label_pdf(steady(), at=at)


def test_a_label_is_a_tagged_pdf_with_title_and_language() -> None:
    reader = PdfReader(io.BytesIO(label_pdf(steady())))
    catalogue = reader.trailer["/Root"]
    assert catalogue["/MarkInfo"]["/Marked"]
    assert catalogue["/Lang"] == "en"
    assert reader.metadata is not None
    assert reader.metadata.title == "Label, prescription RX-2026-00417"


def test_markup_in_a_name_is_printed_as_it_is_written() -> None:
    (page,) = words_of(label_pdf(steady(patient_name="#panic[x] *Bold* $1 <b>")))
    assert "#panic[x] *Bold* $1 <b>" in page


def test_names_in_other_alphabets_are_printed() -> None:
    names = "Nguyễn Thị Ánh|Ольга Петрова|محمد علي|Ελένη Παππά|欧阳 娜娜|山田 たろう|김민준|สมชาย ใจดี|அன்பு செல்வன்|አበበ በቀለ|क्षत्रिय श्री|কৃষ্ণা|"
    names += "తెలుగు|ಕನ್ನಡ|മലയാളം|ગુજરાતી|ਗੁਰਮੁਖੀ|සිංහල|ລາວ|ខ្មែរ|မြန်မာ|שרה לוי|Արամ|გიორგი"
    for name in names.split("|"):
        assert label_pdf(steady(patient_name=name)), name


def count_printed_lines(label: Handover) -> int:
    """Count the lines in the left two thirds of a label that have a blank row between them."""
    picture = Image.open(io.BytesIO(label_png(label, ppi=300))).convert("L").point(lambda shade: 255 * (shade < 128))
    left = picture.crop((0, 0, picture.width * 2 // 3, picture.height))
    inked = [left.crop((0, row, left.width, row + 1)).getbbox() is not None for row in range(left.height)]
    return sum(now and not before for before, now in pairwise(inked))


@pytest.mark.parametrize("layout", LabelLayout)
@pytest.mark.parametrize("name", ["ஸ்ரீனிவாசன் மூர்த்தி", "မောင်မောင်ဦး", "ក្រុម ស្រី", "श्रीकृष्ण द्वैपायन", "Ngọc Quỳnh"])
def test_a_name_touches_no_other_line(name: str, layout: LabelLayout) -> None:
    plain = steady(layout=layout, patient_name="Ann Eaves")
    assert count_printed_lines(replace(plain, patient_name=name)) >= count_printed_lines(plain)


def test_a_letter_that_no_font_can_draw_is_refused_and_never_printed_as_a_box() -> None:
    with pytest.raises(DoesNotFit, match="cannot be printed"):
        label_pdf(steady(patient_name="\U00013080 Ann"))


@pytest.mark.parametrize(
    "name",
    [
        "Max Wolfeschlegelsteinhausen-Featherstonehaugh-Cholmondeley",
        "Wolfeschlegelsteinhausenbergerdorff Maximilian-Alexander",
        "Ann " + "Donaudampfschifffahrtsgesellschaft" * 2,
    ],
)
def test_a_long_name_goes_over_several_lines_and_keeps_every_letter(name: str) -> None:
    (page,) = words_of(label_pdf(steady(patient_name=name)))
    printed = page.replace("\u00ad", "").replace("\n", "").replace(" ", "").replace("-", "")
    assert name.replace(" ", "").replace("-", "") in printed


def test_a_word_longer_than_the_label_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="a word in the pharmacy's name is too long"):
        label_pdf(
            steady(pharmacy=PharmacyLines("Donaudampfschifffahrtsgesellschaft" * 3, "High Street 1", "01865 496 000"))
        )


def test_more_text_than_the_label_holds_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="do not fit"):
        label_pdf(steady(warnings=("Take it with food. " * 30,)))


def test_a_course_of_endless_phases_is_left_to_the_calendar() -> None:
    first, stretches = stretch("5", days=1), []
    for _ in range(60):
        stretches.append(first)
        assert first.last_on is not None
        first = stretch("5", first_on=first.last_on.fromordinal(first.last_on.toordinal() + 1), days=1)
    (page,) = words_of(label_pdf(steady(course=Course(tuple(stretches)))))
    assert "as on your dated calendar" in page


NAMES = st.text(st.characters(codec="latin-1", categories=["Lu", "Ll"]), min_size=1, max_size=24)


@examples(40)
@given(
    given_name=NAMES,
    family_name=NAMES,
    address=st.text(st.sampled_from("abcdefgh 0123 ,"), min_size=3, max_size=160),
    doses=st.lists(st.sampled_from(["5", "10", "15", "35"]), min_size=1, max_size=6),
)
def test_a_label_holds_every_word_or_is_refused(
    given_name: str, family_name: str, address: str, doses: list[str]
) -> None:
    handover: Handover = steady(
        patient_name=f"{given_name} {family_name}",
        pharmacy=PharmacyLines("Riverside Pharmacy", " ".join(address.split()), "01865 496 000"),
        course=Course((stretch(*doses),)),
        quantity=Decimal(84),
    )
    try:
        pages = words_of(label_pdf(handover))
    except DoesNotFit:
        return
    # Long words may be broken by the reader of the PDF, never lost: compare without white space.
    page = "".join("".join(pages).split())
    for expected_words in (
        handover.patient_name,
        handover.pharmacy.address,
        "a day",
        "Keep out of the sight and reach",
    ):
        if expected_words != "a day" or len(set(doses)) == 1:
            assert "".join(expected_words.split()) in page


@pytest.mark.parametrize(
    ("language", "directions", "warning"),
    [
        ("es", "Tome UN comprimido y MEDIO (15 mg) 3 veces al día.", "No lo deje de golpe"),
        ("fr", "Prenez UN comprimé et DEMI (15 mg) 3 fois par jour.", "N'arrêtez pas brusquement"),
    ],
)
def test_a_patient_who_reads_another_language_gets_a_second_label_in_it(
    language: str, directions: str, warning: str
) -> None:
    first, second = words_of(label_pdf(steady(patient_language=language)))
    assert "Take ONE AND A HALF tablets (15 mg) three times a day." in first
    assert directions in second and warning in second and "Take" not in second
    assert "Margaret O’Connor-Whitfield" in second and "RX-2026-00417" in second


def test_an_arabic_label_says_what_the_english_one_says() -> None:
    english, *_warnings, arabic, arabic_warnings = label_text(steady(patient_language="ar", warnings=()))
    assert english == "Take ONE AND A HALF tablets (15 mg) three times a day."
    assert arabic == "الجرعة: قرص ونصف (15 ملغ) 3 مرات يوميا." and "لا كحول" in arabic_warnings
    assert len(PdfReader(io.BytesIO(label_pdf(steady(patient_language="ar")))).pages) == 2


@pytest.mark.parametrize("language", ["en", "es", "fr", "ar"])
def test_every_language_says_every_number_of_tablets_and_every_kind_of_directions(language: str) -> None:
    for count in ("0.5", "1", "1.5", "2", "2.5", "3", "10.5", "11", "12.5"):
        mg = str(Decimal(count) * 10)
        for course in (
            Course((stretch(mg, "5"),)),
            Course(
                (stretch(mg, mg, days=1), stretch("5", first_on=SUNDAY + timedelta(days=1), days=3)), then_stop=True
            ),
            Course((stretch(mg, mg),), as_needed=True),
            Course((replace(stretch("10", mg), times=("morning", "bedtime")),)),
        ):
            for layout in LabelLayout:
                values = steady(course=course, language=language, patient_language=language, warnings=(), layout=layout)
                assert all("{" not in line for line in label_text(values)) and label_pdf(values)


def test_times_of_the_day_stand_beside_their_doses() -> None:
    even = replace(stretch("10", "10"), times=("morning", "bedtime"))
    uneven = replace(stretch("10", "5"), times=("morning", "bedtime"))
    assert label_text(steady(course=Course((even,))))[0] == "Take ONE tablet (10 mg) twice a day: morning, bedtime."
    assert label_text(steady(course=Course((uneven,))))[0] == (
        "Each day: morning ONE tablet (10 mg), bedtime HALF a tablet (5 mg)."
    )


def test_both_names_of_the_medicine_and_with_food_stand_on_the_label() -> None:
    (page,) = words_of(label_pdf(steady(medicine="Lioresal", ingredient="baclofen", warnings=())))
    assert "126 × Lioresal (baclofen) 10 mg tablets" in page and "With or after food or milk." in page
    assert steady(medicine="Baclofen Teva", ingredient="baclofen").name == "Baclofen Teva"


def test_with_food_is_left_to_the_calendar_where_it_has_no_room() -> None:
    """The longest that is printed without it is printed still."""
    doses = replace(stretch("15", "10", "15", "10"), times=("morning", "midday", "evening", "bedtime"))
    (page,) = words_of(label_pdf(steady(course=Course((doses,)), medicine="Lioresal", ingredient="baclofen")))
    assert "bedtime ONE tablet (10 mg)" in page and "food" not in page
