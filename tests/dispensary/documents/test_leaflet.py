"""The leaflet: counselling points in the patient's language, one page of A4 or A5, large print, tagged."""

from __future__ import annotations

import io
from typing import Any

import pytest
from pypdf import PdfReader

from dispensary.documents import LeafletLayout, leaflet_pdf
from dispensary.documents.words import words_in
from tests.dispensary.documents.samples import steady
from tests.dispensary.documents.test_label import words_of

LANGUAGES = ("en", "es", "fr", "ar")


def leaflet(language: str = "en", layout: LeafletLayout = LeafletLayout.A4) -> bytes:
    values = steady(medicine="Lioresal", ingredient="baclofen", patient_language=language, emergency="999")
    return leaflet_pdf(values, layout=layout)


def elements(node: Any) -> list[str]:
    """The kinds of the elements of a tagged PDF, in the order of its structure."""
    node = node.get_object() if hasattr(node, "get_object") else node
    if isinstance(node, list):
        return [kind for child in node for kind in elements(child)]
    if not isinstance(node, dict):
        return []
    return [*([str(node["/S"])] if "/S" in node else []), *elements(node.get("/K", []))]


def letters_of(pdf: bytes) -> str:
    """The text without white space, which differs with the ends of lines."""
    return "".join("".join(words_of(pdf)).split())


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("layout", "width"), [(LeafletLayout.A4, 595), (LeafletLayout.A5, 420)])
def test_it_fits_one_page_of_its_paper_in_every_language(language: str, layout: LeafletLayout, width: int) -> None:
    (page,) = PdfReader(io.BytesIO(leaflet(language, layout))).pages
    assert float(page.mediabox.width) == pytest.approx(width, abs=1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_tagged_with_its_language_headings_and_lists(language: str) -> None:
    root = PdfReader(io.BytesIO(leaflet(language))).trailer["/Root"]
    assert root["/Lang"] == language and root["/MarkInfo"]["/Marked"]
    kinds = elements(root["/StructTreeRoot"])
    assert kinds.count("/H1") == 1 and kinds.count("/H2") == 5
    points = [
        point for part in words_in(language)["leaflet"].values() if isinstance(part, dict) for point in part["points"]
    ]
    assert kinds.count("/LI") == len(points)


def test_it_says_what_to_do_and_whom_to_call() -> None:
    (page,) = words_of(leaflet())
    for expected_words in (
        "Taking Lioresal (baclofen)",
        "with or after food or milk",
        "Never take two doses at once",
        "Stopping suddenly can make you very ill",
        "Get help at once: call 999",
        "Do not drink alcohol",
        "before an operation",
        "Questions? Call us:",
        "01865 496 000",
        "Riverside Pharmacy",
    ):
        assert expected_words in page


@pytest.mark.parametrize("language", LANGUAGES)
def test_large_print_is_eighteen_points_and_loses_no_word(language: str) -> None:
    pdf = leaflet(language, LeafletLayout.LARGE)
    pages = PdfReader(io.BytesIO(pdf)).pages
    assert len(pages) >= 2
    sizes: set[float] = set()

    def note_size(text: str, _matrix: object, text_matrix: list[float], _font: object, size: float) -> None:
        if text.strip():
            sizes.add(round(abs(size * text_matrix[3]), 1))

    for page in pages:
        page.extract_text(visitor_text=note_size)
    assert min(sizes) >= 18
    if language != "ar":
        assert letters_of(pdf) == letters_of(leaflet(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_as_many_points(language: str) -> None:
    count = {
        name: len(part["points"]) for name, part in words_in(language)["leaflet"].items() if isinstance(part, dict)
    }
    assert count == {"take": 3, "stop": 2, "help": 4, "call": 2, "care": 7}
