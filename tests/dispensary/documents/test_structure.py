"""Papers for a screen reader: headings, paragraphs, tables and a title, read from what was rendered (ISO 14289-1)."""

from __future__ import annotations

import io
from collections import Counter

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
