"""The letter: one page in the patient's language, the address in the window, tagged, without medicine or dose."""

from __future__ import annotations

import io

import pytest
from pypdf import PdfReader

from dispensary.documents import DoesNotFit, Letter, PharmacyLines, letter_pdf
from tests.dispensary.documents.test_label import words_of
from tests.dispensary.documents.test_leaflet import LANGUAGES, elements, letters_of

MM = 72 / 25.4


def letter(
    language: str = "en",
    address: tuple[str, ...] = ("Ann Canary", "12 Mill Lane", "Oxford OX1 2AB"),
    text: str = "",
) -> bytes:
    pharmacy = PharmacyLines("Riverside Pharmacy", "1 High Street, Oxford", "01865 496 000")
    values = Letter(address, "Monday 30 November", text, "999", language, pharmacy)
    return letter_pdf(values)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_one_tagged_page_with_a_heading_and_paragraphs_in_its_language(language: str) -> None:
    reader = PdfReader(io.BytesIO(letter(language)))
    root = reader.trailer["/Root"]
    kinds = elements(root["/StructTreeRoot"])
    assert len(reader.pages) == 1 and root["/Lang"] == language and root["/MarkInfo"]["/Marked"]
    assert kinds.count("/H1") == 1 and kinds.count("/P") >= 6


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_address_stands_in_the_window_of_an_envelope(language: str) -> None:
    (page,) = PdfReader(io.BytesIO(letter(language))).pages
    places: dict[str, tuple[float, float]] = {}

    def note(text: str, ctm: list[float], tm: list[float], *_font: object) -> None:
        if text.strip():
            places[text.strip()] = (ctm[0] * tm[4] + ctm[4], ctm[3] * tm[5] + ctm[5])

    page.extract_text(visitor_text=note)
    height = float(page.mediabox.height)
    lines = [place for text, place in places.items() if text in {"Ann Canary", "12 Mill Lane", "Oxford OX1 2AB"}]
    assert len(lines) == 3, places
    for x, y in lines:
        assert 20 * MM - 1 <= x <= 40 * MM
        assert 45 * MM <= height - y <= 90 * MM


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_says_whom_to_call_and_names_no_medicine(language: str) -> None:
    content = letters_of(letter(language))
    assert "01865" in content and "999" in content and "RiversidePharmacy" in content
    assert "baclof" not in content.casefold() and "mg" not in content


def test_it_asks_to_call_and_says_how_to_check_it() -> None:
    (page,) = words_of(letter())
    assert "Please call us" in page and "our number is on the label" in page


def test_the_words_of_the_message_stand_as_they_are() -> None:
    (page,) = words_of(letter(text="Pharmacy {4} & Co: your supply ends soon, {phone}."))
    assert "Pharmacy {4} & Co: your supply ends soon, {phone}." in page


def test_an_address_too_long_for_the_window_is_refused() -> None:
    with pytest.raises(DoesNotFit, match="letter: the address"):
        letter(address=tuple(f"Line {n}" for n in range(12)))
