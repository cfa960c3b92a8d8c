"""The record of an override on paper says what the log says, and who read it stands in the log."""

from io import BytesIO

import pytest
from pypdf import PdfReader

from dispensary import audit
from dispensary.actions import overrides, pharmacies
from dispensary.actions.override_records import print_override
from dispensary.actions.overrides import Answer
from dispensary.actions.second_signatures import Signed, digest_waiting, find_waiting, sign_second
from dispensary.actors import Actor
from dispensary.counter.styles import build
from dispensary.errors import Conflict, NotAllowed
from dispensary.models import AuditEntry, Override, SignatureMethod, StaffRole
from tests.dispensary import make
from tests.dispensary.actions.test_dispenses import ASKED, above_the_maximum, hand_over
from tests.dispensary.audit.linking import flush_links
from tests.dispensary.audit.log.test_reader import read_often
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module", autouse=True)
def printed_fonts():
    """The paper is set in fonts that the look's build fetches."""
    build.build(with_test_tools=True, quiet=True)


@pytest.fixture
def shop():
    make.products()
    return make.pharmacy()


@pytest.fixture
def signer(shop):
    return make.staff(shop).actor()


@pytest.fixture
def override(shop, signer):
    """The signed answer to a dose above the maximum."""
    (row,) = overrides.sign(prescription=above_the_maximum(shop), answers=[ASKED], by=signer, now=NOW)
    return row


def words_of(content: bytes) -> str:
    """The words of a PDF, without the breaks of its lines."""
    pages = PdfReader(BytesIO(content)).pages
    return " ".join("".join(page.extract_text() for page in pages).replace("\u200b", "").split())


def readings(row):
    return AuditEntry.objects.filter(action="record.read", subject_id=str(row.pk))


def test_the_record_says_finding_answer_signer_and_entry_as_the_log_does(shop, signer, override):
    flush_links()
    content = print_override(override=override, by=signer, now=NOW)
    pdf = PdfReader(BytesIO(content))
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"] and len(pdf.pages) == 1
    assert [round(float(side)) for side in pdf.pages[0].mediabox[2:]] == [595, 842]
    words = words_of(content)
    (line,) = [line for line in audit.history(override, pharmacy=shop) if line.entry.action == "override.signed"]
    for part in (
        "Okafor", override.summary, "105 mg a day", "100", "Lioresal", "Consulted prescriber", ASKED.words, ASKED.asked, ASKED.agreed,
        signer.display, "pharmacist", "I take responsibility for supplying in spite of this finding.",
        "22 Nov 2026, 10:00 (Europe/London)", "Password, typed for this signature", "Open.",
        line.body["signed"], f"{line.entry.seq}, leaf {bytes(line.entry.leaf).hex()}", "Page 1 of 1",
    ):  # fmt: skip
        assert part.replace(" ", "") in words.replace(" ", ""), part
    (reading,) = readings(override)
    assert (reading.actor, reading.patient_ref) == (signer.name, str(override.subject.patient.pk))


def test_a_record_that_was_read_often_is_printed(shop, signer, override):
    read_often(override, shop, signer)
    assert print_override(override=override, by=signer, now=NOW)


def test_the_second_signature_and_the_hand_over_stand_on_it(shop, signer):
    colleague = make.staff(shop).actor()
    setup = Actor.system("setup", shop.pk)
    shop = pharmacies.change_settings(pharmacy=shop, changes={"second_signer": True}, by=setup, now=NOW)
    order = above_the_maximum(shop)
    (row,) = overrides.sign(prescription=order, answers=[ASKED], by=signer, now=NOW)
    assert "Waits for a second pharmacist." in words_of(print_override(override=row, by=signer, now=NOW))
    signed = Signed(SignatureMethod.PASSKEY, digest_waiting(find_waiting(order)))
    sign_second(prescription=order, signed=signed, by=colleague, now=NOW)
    hand_over(order, signer)
    words = words_of(print_override(override=Override.objects.get(pk=row.pk), by=colleague, now=NOW))
    assert f"2. {colleague.display}, pharmacist" in words and "Passkey, for this signature" in words
    assert "Used for a hand-over on 22 Nov 2026" in words


def test_long_words_go_on_over_further_pages_and_markup_stays_words(shop, signer):
    words = "#panic() *bold* $x$ " + "The clinic keeps her on this dose. " * 55
    order = above_the_maximum(shop)
    answer = Answer("daily-maximum", "5", words, asked="Dr #box", agreed="a" * 400, signature=SignatureMethod.PASSWORD)
    (row,) = overrides.sign(prescription=order, answers=[answer], by=signer, now=NOW)
    content = print_override(override=row, by=signer, now=NOW)
    assert "#panic() *bold* $x$ The clinic" in words_of(content)
    assert words_of(content).count("The clinic keeps her") == 55


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (StaffRole.TECHNICIAN, False),
        (StaffRole.PHARMACIST, True),
        (StaffRole.MANAGER, True),
        (StaffRole.AUDITOR, True),
    ],
)
def test_only_who_may_sign_or_read_the_log_reads_it(shop, override, role, may):
    by = make.staff(shop, role).actor()
    if may:
        print_override(override=override, by=by, now=NOW)
    else:
        with pytest.raises(NotAllowed):
            print_override(override=override, by=by, now=NOW)
    assert readings(override).count() == may


def test_a_stranger_reads_nothing(override):
    with pytest.raises(NotAllowed):
        print_override(override=override, by=make.staff(make.pharmacy("Elsewhere")).actor(), now=NOW)
    assert not readings(override).exists()


def test_an_acknowledgement_has_no_record(shop, signer):
    acknowledged = Override(severity="acknowledge", prescription=make.prescription(make.patient(shop)))
    with pytest.raises(Conflict, match="acknowledgement"):
        print_override(override=acknowledged, by=signer, now=NOW)


def test_an_entry_that_does_not_fit_its_hash_is_not_printed(signer, override):
    flush_links()
    make.run_as_owner("ALTER TABLE audit.body DISABLE TRIGGER USER", [])
    make.run_as_owner("UPDATE audit.body SET body = replace(body, %s, %s)", ["telephone", "telegram"])
    with pytest.raises(Conflict, match="does not fit its hash"):
        print_override(override=override, by=signer, now=NOW)
