"""Papers for a screen reader: headings, paragraphs, tables and a title, read from what was rendered (ISO 14289-1)."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pdfplumber
import pytest
from pypdf import PdfReader

from dispensary.documents import (
    Letter,
    OverrideRecord,
    PlanRequest,
    PrintedSignature,
    RequestPhase,
    label_pdf,
    leaflet_pdf,
    letter_pdf,
    override_record_pdf,
    plan_request_pdf,
    taper_calendar_pdf,
)
from dispensary.documents.words import words_in
from dispensary.models.pharmacy import LabelLayout
from tests.dispensary.documents.samples import RIVERSIDE, steady, taper
from tests.dispensary.documents.test_leaflet import LANGUAGES, elements

REQUEST = PlanRequest(
    prescriber="Dr Grey", patient="Ann Canary", born="", number="P1", replaces="", now="30 mg a day",
    sentence="5 mg less each week", phases=[RequestPhase("1", "10 mg, 5 mg, 10 mg", "7", "25")], tablets="35",
    rules="Kept: lioresal.", reason="", printed="30 Nov 2026", pharmacy=RIVERSIDE,
)  # fmt: skip

RECORD = OverrideRecord(
    patient="Ann Canary", order="30 mg a day", finding="Daily maximum", rule="daily-maximum",
    details=[("Limit", "100 mg"), ("Why", "agreed with the prescriber")], shown="",
    signatures=[PrintedSignature("Pat Pharmacist", "override", "password", "30 Nov 2026", "ab", "12")],
    state="Used.", printed="30 Nov 2026", pharmacy=RIVERSIDE,
)  # fmt: skip


def papers_in(language: str) -> dict[str, bytes]:
    values = steady(patient_language=language, emergency="999")
    return {
        "label": label_pdf(values),
        "label of the United States": label_pdf(steady(patient_language=language, layout=LabelLayout.US)),
        "calendar": taper_calendar_pdf(steady(course=taper(), patient_language=language, emergency="999")),
        "leaflet": leaflet_pdf(values),
        "letter": letter_pdf(Letter(("Ann Canary", "Oxford"), "30 November", "", "999", language, RIVERSIDE)),
        "request": plan_request_pdf(REQUEST),
        "override record": override_record_pdf(RECORD),
    }


def marked_content(node: Any, language: str, page: int) -> Iterator[tuple[int, int, str]]:
    """Yield page, number and language of each piece of marked content below an element, in the order in which it is read."""
    for child in node.get("/K", []) if isinstance(node.get("/K", []), list) else [node["/K"]]:
        element = child.get_object()
        if isinstance(element, int):
            yield page, element, language
        elif "/MCID" in element:
            yield element["/Pg"].idnum if "/Pg" in element else page, element["/MCID"], language
        else:
            yield from marked_content(
                element, element.get("/Lang", language), element.raw_get("/Pg").idnum if "/Pg" in element else page
            )


def read_aloud(content: bytes) -> list[tuple[str, str]]:
    """Return the words of a paper in the order of its structure, each piece with its language."""
    reader = PdfReader(io.BytesIO(content))
    root = reader.trailer["/Root"]
    pages = {page.indirect_reference.idnum: number for number, page in enumerate(reader.pages, 1)}
    words: dict[tuple[int, int], str] = defaultdict(str)
    with pdfplumber.open(io.BytesIO(content)) as paper:
        for letter in (letter for page in paper.pages for letter in page.chars if letter["mcid"] is not None):
            words[letter["page_number"], letter["mcid"]] += letter["text"]
    own_languages = {  # where a piece differs from the element that it belongs to
        (number, properties["/MCID"]): properties["/Lang"]
        for number, page in enumerate(reader.pages, 1)
        for operands, operator in page.get_contents().operations
        if operator == b"BDC"
        for properties in operands[1:]
        if "/MCID" in properties and "/Lang" in properties
    }
    pieces = [
        ((pages[page], number), language)
        for page, number, language in marked_content(root["/StructTreeRoot"], root["/Lang"], 0)
    ]
    return [(words[place].replace("\xa0", " "), str(own_languages.get(place, language))) for place, language in pieces]


READ_IN_ORDER = {
    "label": ("126 × Baclofen 10 mg", "Take ONE AND A HALF", "May make you sleepy", "Margaret", "Riverside", "Keep out"),
    "label of the United States": ("Margaret", "Take 1½ tablets", "Baclofen 10 mg tablets × 126", "May make you", "Riverside"),
    "calendar": ("Your tablets, day by day", "Margaret", "Riverside", "Do not stop suddenly", "Monday", "Sunday", "22 Nov", "23 Nov", "3 Jan"),
    "leaflet": ("Taking Baclofen", "Riverside", "How to take it", "Do not stop suddenly", "Get help at once", "Take care"),
    "letter": ("Riverside", "Ann Canary", "30 November", "Please call us", "We could not reach you", "If you are very ill"),
    "request": ("To Dr Grey", "Proposed change", "Ann Canary", "Now: 30 mg a day", "Phase", "10 mg, 5 mg, 10 mg", "Agreed", "Name, signature"),
    "override record": (
        "Override record", "Riverside", "Patient", "Ann Canary", "What was found", "Daily maximum", "Limit", "100 mg",
        "Signatures", "1. Pat Pharmacist", "“override”", "When", "30 Nov 2026", "Then", "Used.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", READ_IN_ORDER)
def test_a_paper_is_read_in_its_order(name: str) -> None:
    text, place = " ".join(words for words, _language in read_aloud(papers_in("en")[name])), 0
    for words in READ_IN_ORDER[name]:
        assert words in text[place:], (words, text[place:])
        place = text.index(words, place)


@pytest.mark.parametrize("name", ["calendar", "leaflet", "letter"])
@pytest.mark.parametrize("language", ["es", "fr", "ar"])
def test_a_paper_has_one_structure_in_all_languages(name: str, language: str) -> None:
    kinds = [
        elements(PdfReader(io.BytesIO(papers_in(tongue)[name])).trailer["/Root"]["/StructTreeRoot"])
        for tongue in ("en", language)
    ]
    assert Counter(kinds[0]) == Counter(kinds[1])


@pytest.mark.parametrize("name", ["calendar", "leaflet", "letter"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pharmacys_name_is_read_in_its_own_language_and_the_rest_in_the_papers(name: str, language: str) -> None:
    content = papers_in(language)[name]
    languages = {tongue for words, tongue in read_aloud(content) if "Riverside" in words}
    assert languages == {"en"} and PdfReader(io.BytesIO(content)).trailer["/Root"]["/Lang"] == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_title_of_a_calendar_is_in_its_language(language: str) -> None:
    metadata = PdfReader(io.BytesIO(papers_in(language)["calendar"])).metadata
    assert metadata and str(metadata.title).startswith(words_in(language)["calendar"]["title"])


def test_the_facts_of_an_override_are_a_list_of_names_and_values() -> None:
    kinds = count_elements(PdfReader(io.BytesIO(papers_in("en")["override record"])))
    assert kinds["/Lbl"] == kinds["/LBody"] == kinds["/LI"] == 8 and kinds["/L"] == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_drawn_is_left_out_or_has_words_beside_it(language: str) -> None:
    for name, content in papers_in(language).items():
        kinds = count_elements(PdfReader(io.BytesIO(content)))
        assert not kinds["/Figure"], name  # tablets, boxes and symbols are artefacts: their words stand beside them


def count_elements(paper: PdfReader) -> Counter[str]:
    return Counter(elements(paper.trailer["/Root"]["/StructTreeRoot"]))


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_paper_is_titled_and_has_a_heading_and_paragraphs(language: str) -> None:
    for name, content in papers_in(language).items():
        reader = PdfReader(io.BytesIO(content))
        root = reader.trailer["/Root"]
        kinds = count_elements(reader)
        assert root["/MarkInfo"]["/Marked"] and root["/ViewerPreferences"]["/DisplayDocTitle"], name
        assert reader.metadata and reader.metadata.title, name
        assert kinds["/H1"] >= 1 and kinds["/P"] >= 2, (name, kinds)


def test_a_label_in_two_languages_has_a_heading_for_each() -> None:
    kinds = count_elements(PdfReader(io.BytesIO(label_pdf(steady(patient_language="ar")))))
    assert kinds["/H1"] == 2 and kinds["/P"] == 10


@pytest.mark.parametrize(("name", "columns"), [("calendar", 7), ("request", 4)])
def test_a_table_has_its_header_cells(name: str, columns: int) -> None:
    kinds = count_elements(PdfReader(io.BytesIO(papers_in("en")[name])))
    assert kinds["/TH"] >= columns and kinds["/TR"] >= 2 and kinds["/THead"] >= 1
