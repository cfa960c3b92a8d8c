"""The downtime form over REST."""

from io import BytesIO

import pytest
from pypdf import PdfReader

from dispensary.models import AuditEntry, Prescription
from tests.dispensary.api.conftest import Caller, fields

pytestmark = pytest.mark.django_db


def test_a_technician_prints_the_form_of_the_pharmacy(technician: Caller, prescription: Prescription) -> None:
    answer = technician.get("downtime/form.pdf?days=3&paper=letter")
    assert answer["Content-Type"] == "application/pdf"
    page = PdfReader(BytesIO(answer.content)).pages[0]
    assert round(float(page.mediabox.width)) == 612
    assert prescription.patient.family_name in page.extract_text()
    opened = AuditEntry.objects.filter(action="patient.opened", patient_ref=str(prescription.patient_id))
    assert opened.count() == 1


@pytest.mark.parametrize(
    ("query", "field"),
    [("days=0", "days"), ("days=32", "days"), ("days=x", "days"), ("paper=a5", "paper"), ("day=3", "day")],
)
def test_what_cannot_be_read_is_refused_by_name(technician: Caller, query: str, field: str) -> None:
    assert fields(technician.get(f"downtime/form.pdf?{query}")) == {field}
    assert not AuditEntry.objects.filter(action="downtime.printed").exists()
