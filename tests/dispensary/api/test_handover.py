"""The hand-over through HTTP: what it needs, what holds it back, and how it is taken back."""

import io
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from fhir.resources.R4B.medicationdispense import MedicationDispense
from pypdf import PdfReader

from dispensary import audit
from dispensary.models import Dispense, Override, Patient, Pharmacy, Prescription
from tests.dispensary import make
from tests.dispensary.api.conftest import ANSWER, Caller, fields, hand_over, problem, today


def dispense(caller: Caller, prescription: Prescription, body: Any, key: str = "one") -> Any:
    """Hand over; the answers in a body are signed by the caller."""
    send = caller.sign if isinstance(body, dict) and "overrides" in body else caller.post
    return send(f"prescriptions/{prescription.pk}/dispenses/", body, Idempotency_Key=key)


def test_a_clean_order_is_handed_over(technician: Caller, prescription: Prescription) -> None:
    done = dispense(technician, prescription, hand_over("42"))
    assert done.status_code == 201, done.content
    dispensed = done.json()
    assert (dispensed["quantity"], dispensed["days_supply"], dispensed["lot"], dispensed["status"]) == (
        "42",
        28,
        "A1B2",
        "completed",
    )
    assert dispensed["run_out_on"] == str(today() + timedelta(days=28))
    assert technician.get(f"dispenses/{dispensed['id']}/").json() == dispensed
    read = technician.get(f"prescriptions/{prescription.pk}/").json()
    assert (read["status"], read["remaining"]) == ("completed", "0")
    assert read["dispenses"][0]["id"] == dispensed["id"]


def test_the_pack_may_be_the_text_of_its_scan(technician: Caller, prescription: Prescription) -> None:
    scan = f"]d201{make.TEN_MG}1729063010LOT7\u001d21SER1"
    dispensed = dispense(technician, prescription, hand_over(pack={"scan": scan})).json()
    assert (dispensed["product"], dispensed["lot"], dispensed["serial"], dispensed["expiry"]) == (
        make.TEN_MG,
        "LOT7",
        "SER1",
        "2029-06-30",
    )


def boxes(*counts: str) -> list[dict[str, Any]]:
    """Packs of equal tablets, each with a lot of its own."""
    pack = hand_over()["pack"]
    return [pack | {"lot": f"LOT{number}", "quantity": count} for number, count in enumerate(counts, 1)]


def test_several_packs_are_handed_over_with_the_lot_of_each(technician: Caller, prescription: Prescription) -> None:
    scan = f"]d201{make.TEN_MG}1729063010LOT3\u001d21SER3"
    packs = [*boxes("20", "14"), {"scan": scan, "quantity": "8"}]
    body = hand_over("42", packs=packs)
    del body["pack"]
    done = dispense(technician, prescription, body)
    assert done.status_code == 201, done.content
    dispensed = done.json()
    assert [(pack["lot"], pack["quantity"]) for pack in dispensed["packs"]] == [
        ("LOT1", "20"),
        ("LOT2", "14"),
        ("LOT3", "8"),
    ]
    assert (dispensed["lot"], dispensed["quantity"]) == ("LOT1", "42")
    resource = technician.get(f"fhir/MedicationDispense/{dispensed['id']}").json()
    MedicationDispense.model_validate(resource)
    contained = {row["id"]: row for row in resource["contained"]}
    others = [reference["reference"].removeprefix("#") for reference in resource["supportingInformation"]]
    batches = [contained[key]["batch"]["lotNumber"] for key in ("pack", *others)]
    assert batches == ["LOT1", "LOT2", "LOT3"]
    assert contained["pack-3"]["amount"]["numerator"]["value"] == 8


@pytest.mark.parametrize(
    ("counts", "with_pack", "expected"),
    [
        (["20", "20"], False, "packs whose tablets add up to the quantity"),
        (["42"], True, "either pack, or packs with at least one of them"),
        ([], False, "either pack, or packs with at least one of them"),
    ],
)
def test_several_packs_must_add_up(
    technician: Caller, prescription: Prescription, counts: list[str], with_pack: bool, expected: str
) -> None:
    body = hand_over("42", packs=boxes(*counts))
    if not with_pack:
        del body["pack"]
    answer = problem(dispense(technician, prescription, body), 400)
    assert [row["expected"] for row in answer["problems"]] == [expected]


def test_an_override_may_come_with_the_hand_over(pharmacist: Caller, too_high: Prescription) -> None:
    refused = problem(dispense(pharmacist, too_high, hand_over(294), "first"), 409)
    assert refused["code"] == "refused"
    asked = {finding["code"]: finding["severity"] for finding in refused["findings"]}
    assert asked["daily-maximum"] == "override"
    milder = [code for code, severity in asked.items() if severity == "acknowledge"]
    others = [code for code, severity in asked.items() if severity == "override"]
    body = hand_over(294, overrides=[ANSWER | {"finding": code} for code in others], acknowledged=milder)
    done = dispense(pharmacist, too_high, body, "second")
    assert done.status_code == 201, done.content
    assert {answer["code"] for answer in done.json()["overrides"]} == {*others, *milder}
    answer = next(answer for answer in done.json()["overrides"] if answer["code"] == "daily-maximum")
    assert pharmacist.get(f"overrides/{answer['id']}/").json()["words"] == ANSWER["words"]
    assert {answer["state"] for answer in done.json()["overrides"]} == {"used"}


def test_a_technician_cannot_sign_for_a_pharmacist_but_may_hand_over_what_one_signed(
    technician: Caller, pharmacist: Caller, too_high: Prescription
) -> None:
    body = hand_over(294, overrides=[ANSWER | {"finding": "daily-maximum"}])
    assert dispense(technician, too_high, body).status_code in {403, 409}
    findings = pharmacist.get(f"prescriptions/{too_high.pk}/").json()["assessment"]["findings"]
    for finding in findings:
        if finding["severity"] == "override":
            assert (
                pharmacist.sign(
                    f"prescriptions/{too_high.pk}/overrides/", ANSWER | {"finding": finding["code"]}
                ).status_code
                == 201
            )
    milder = [f["code"] for f in findings if f["severity"] == "acknowledge" and f["code"] != "not-assessed"]
    done = dispense(technician, too_high, hand_over(294, acknowledged=milder), "again")
    assert done.status_code == 201, done.content


@pytest.mark.parametrize(
    "quantity", [0, -1, 10**9, "NaN", "Infinity", "forty-two", "4 2", True, None, [42], "42.25", 42.125]
)
def test_a_quantity_that_is_no_number_of_tablets_is_refused(
    technician: Caller, prescription: Prescription, quantity: Any
) -> None:
    assert "quantity" in fields(dispense(technician, prescription, hand_over(quantity)))
    assert not Dispense.objects.exists()


@pytest.mark.parametrize(
    ("pack", "field"),
    [
        (None, "pack"),
        ({}, "pack"),
        ({"lot": "A"}, "pack"),
        ({"gtin": make.TEN_MG, "scan": "x"}, "pack"),
        ({"scan": "x"}, "pack.scan"),
        ({"gtin": 5012345678900}, "pack.gtin"),
        ({"gtin": make.TEN_MG, "lot": "A" * 21}, "pack.lot"),
        ({"gtin": make.TEN_MG, "expiry": "2028-02-30"}, "pack.expiry"),
        ({"gtin": make.TEN_MG, "expiry": "1800-01-01"}, "pack.expiry"),
        ({"gtin": make.TEN_MG, "colour": "pink"}, "pack.colour"),
    ],
)
def test_a_pack_that_cannot_be_read_is_refused(
    technician: Caller, prescription: Prescription, pack: Any, field: str
) -> None:
    assert field in fields(dispense(technician, prescription, hand_over(pack=pack)))
    assert not Dispense.objects.exists()


@pytest.mark.parametrize(
    ("pack", "field"),
    [
        ({"gtin": "05012345678924"}, "pack.gtin"),
        ({"gtin": "hello"}, "pack.gtin"),
        ({"gtin": make.TWENTY_FIVE_MG}, "pick"),
        ({"gtin": make.TEN_MG, "expiry": "2020-01-31"}, "pack.expiry"),
        ({"gtin": make.TEN_MG, "expiry": str(today() + timedelta(days=10))}, "pack.expiry"),
    ],
)
def test_a_wrong_pack_is_refused_and_the_refusal_is_on_record(
    technician: Caller, prescription: Prescription, pack: Any, field: str
) -> None:
    from dispensary import audit

    assert field in fields(dispense(technician, prescription, hand_over(pack=pack)), 409)
    assert not Dispense.objects.exists()
    trail = audit.history(prescription, pharmacy=prescription.pharmacy_id)
    assert trail[0].entry.action == audit.Event.DISPENSE_REFUSED


def test_more_than_is_left_is_refused(technician: Caller, prescription: Prescription) -> None:
    assert fields(dispense(technician, prescription, hand_over(43)), 409) == {"quantity"}
    assert dispense(technician, prescription, hand_over(42), "two").status_code == 201
    over = problem(dispense(technician, prescription, hand_over(1), "three"), 409)
    assert "nothing is left" in over["problems"][0]["given"]


def test_the_acknowledgement_of_a_rule_that_finds_nothing_by_now_is_noted(
    technician: Caller, prescription: Prescription
) -> None:
    done = dispense(technician, prescription, hand_over(12, acknowledged=["quantity"]))
    assert done.status_code == 201, done.content
    line = audit.history(Dispense.objects.get(), pharmacy=prescription.pharmacy)[-1]
    assert line.body is not None
    assert line.body["acknowledged_in_vain"] == ["quantity"]


def test_an_answer_to_a_finding_that_is_not_there_or_twice_is_refused(
    pharmacist: Caller, too_high: Prescription
) -> None:
    other = [ANSWER | {"finding": "renal"}]
    assert "finding" in fields(dispense(pharmacist, too_high, hand_over(294, overrides=other)))
    assert "finding" in fields(dispense(pharmacist, too_high, hand_over(294, acknowledged=["no-such-rule"])))
    findings = pharmacist.get(f"prescriptions/{too_high.pk}/").json()["assessment"]["findings"]
    milder = [f["code"] for f in findings if f["severity"] == "acknowledge" and f["code"] != "not-assessed"]
    twice = [ANSWER | {"finding": "daily-maximum"}] * 2
    assert dispense(pharmacist, too_high, hand_over(294, overrides=twice, acknowledged=milder)).status_code == 409
    assert not Override.objects.exists()
    assert not Dispense.objects.exists()


def test_a_cancelled_hand_over_may_be_repeated_and_a_returned_one_may_not(
    pharmacist: Caller, prescription: Prescription
) -> None:
    first = dispense(pharmacist, prescription, hand_over()).json()
    assert fields(pharmacist.post(f"dispenses/{first['id']}/cancel/", {"reason": ""}, If_Match="*")) == {"reason"}
    cancelled = pharmacist.post(f"dispenses/{first['id']}/cancel/", {"reason": "patient left"}, If_Match="*").json()
    assert (cancelled["status"], cancelled["ended_reason"]) == ("cancelled", "patient left")
    assert (
        pharmacist.post(f"dispenses/{first['id']}/return/", {"reason": "brought back"}, If_Match="*").status_code == 409
    )
    second = dispense(pharmacist, prescription, hand_over(), "two")
    assert second.status_code == 201, second.content
    assert second.json()["number"] == 2
    back = pharmacist.post(f"dispenses/{second.json()['id']}/return/", {"reason": "brought back"}, If_Match="*").json()
    assert back["status"] == "returned"
    assert dispense(pharmacist, prescription, hand_over(), "three").status_code == 409


def test_a_hand_over_is_taken_back_as_it_was_seen(pharmacist: Caller, prescription: Prescription) -> None:
    done = dispense(pharmacist, prescription, hand_over()).json()
    address = f"dispenses/{done['id']}/"
    etag = pharmacist.get(address)["ETag"]
    why = {"reason": "patient left"}
    assert problem(pharmacist.post(f"{address}cancel/", why), 428)["problems"][0]["field"] == "If-Match"
    problem(pharmacist.post(f"{address}cancel/", why, If_Match='"2"'), 412)
    assert pharmacist.post(f"{address}cancel/", why, If_Match=etag).status_code == 200
    assert pharmacist.get(address)["ETag"] != etag
    assert problem(pharmacist.post(f"{address}return/", why, If_Match=etag), 412)["code"] == "stale"


def test_the_trail_of_a_dispense_tells_in_sentences_what_happened(
    pharmacist: Caller, prescription: Prescription
) -> None:
    done = dispense(pharmacist, prescription, hand_over()).json()
    pharmacist.post(f"dispenses/{done['id']}/cancel/", {"reason": "patient left"}, If_Match="*")
    trail = pharmacist.get(f"dispenses/{done['id']}/trail/").json()
    assert [line["event"] for line in trail] == ["dispense.cancelled", "dispense.completed"]
    assert "handed over" in trail[1]["sentence"]
    assert trail[1]["id"] == done["audit_entry"]


def test_half_tablets_are_exact(technician: Caller, patient: Any) -> None:
    odd = make.prescription(
        patient, quantity=Decimal("10.5"), phases=[{"dose": 5, "unit": "mg", "times_per_day": 3, "days": 7}],
        directions="5 mg three times a day for 7 days", written_on=str(today()),
    )  # fmt: skip
    done = dispense(
        technician,
        odd,
        b'{"quantity": 10.5, "pack": {"gtin": "%s", "expiry": "%s"}}'
        % (make.TEN_MG.encode(), str(make.pack_expiry()).encode()),
    )
    if done.status_code == 409:
        codes = [finding["code"] for finding in done.json()["findings"]]
        done = dispense(technician, odd, hand_over("10.5", acknowledged=codes), "two")
    assert done.json()["quantity"] == "10.5", done.content


@pytest.mark.parametrize("paper", ["label", "calendar"])
def test_label_and_calendar_are_printed_and_each_print_is_recorded(
    technician: Caller, prescription: Prescription, paper: str
) -> None:
    from dispensary import audit

    done = dispense(technician, prescription, hand_over()).json()
    for _ in range(2):
        printed = technician.get(f"dispenses/{done['id']}/{paper}.pdf", Accept="application/pdf")
        assert printed["Content-Type"] == "application/pdf"
        assert printed.content.startswith(b"%PDF-")
    events = [line["event"] for line in technician.get(f"dispenses/{done['id']}/trail/").json()]
    printing = {
        "label": [audit.Event.LABEL_REPRINTED, audit.Event.LABEL_PRINTED],
        "calendar": [audit.Event.DOCUMENT_PRINTED] * 2,
    }
    assert events[:2] == printing[paper]


@pytest.mark.parametrize("ending", ["return", "cancel"])
@pytest.mark.parametrize("paper", ["label", "calendar"])
def test_no_paper_is_printed_of_a_supply_that_the_patient_does_not_have(
    pharmacist: Caller, prescription: Prescription, paper: str, ending: str
) -> None:
    done = dispense(pharmacist, prescription, hand_over()).json()
    ended = pharmacist.post(
        f"dispenses/{done['id']}/{ending}/", {"reason": "never collected"}, Idempotency_Key="e", If_Match="*"
    )
    assert ended.status_code == 200, ended.content
    answer = pharmacist.get(f"dispenses/{done['id']}/{paper}.pdf", Accept="application/pdf, */*")
    assert problem(answer, 409)["detail"].startswith("This supply is ")


def test_what_cannot_be_printed_is_said_in_words(technician: Caller, patient: Any) -> None:
    endless = make.prescription(
        patient, phases=[{"dose": 5, "unit": "mg", "times_per_day": 3, "days": None}], directions="5 mg three times a day",
        quantity=42, written_on=str(today()),
    )  # fmt: skip
    done = dispense(technician, endless, hand_over())
    assert done.status_code == 201, done.content
    make.change_past_actions(Patient.objects.all(), family_name="W" * 120, given_name="W" * 120)
    document = problem(technician.get(f"dispenses/{done.json()['id']}/label.pdf", Accept="application/pdf, */*"), 422)
    assert document["code"] == "not-printable"


def read_papers(caller: Caller, done: Any, paper: str) -> list[str]:
    """Return the text of each page of a paper of a hand-over."""
    answer = caller.get(f"dispenses/{done.json()['id']}/{paper}.pdf", Accept="application/pdf, */*")
    assert answer.status_code == 200, answer.content
    pages = PdfReader(io.BytesIO(answer.content)).pages
    return [" ".join(page.extract_text().replace("\u00a0", " ").split()) for page in pages]


def test_papers_say_the_times_of_the_order_in_the_language_of_the_patient(
    technician: Caller, shop: Pharmacy, patient: Patient
) -> None:
    make.change_past_actions(Patient.objects.all(), language="es")
    timed = make.prescription(
        patient, now=timezone.now(), written_on=str(today()), quantity=42, directions="5 mg in the morning, 5 mg at midday and 5 mg at bedtime for 28 days",
        phases=[{"doses": [5, 5, 5], "times": ["morning", "midday", "bedtime"], "unit": "mg", "days": 28}],
    )  # fmt: skip
    done = dispense(technician, timed, hand_over("42"))
    assert done.status_code == 201, done.content
    english, spanish = read_papers(technician, done, "label")
    assert "Take HALF a tablet (5 mg) three times a day: morning, midday, bedtime." in english
    assert "Tome MEDIO comprimido (5 mg) 3 veces al día: mañana, mediodía, al acostarse." in spanish
    assert "42 × Lioresal (baclofen) 10 mg tablets" in english
    (calendar, *_more) = read_papers(technician, done, "calendar")
    assert "Sus comprimidos, día a día" in calendar and calendar.count("mediodía") > 20


@pytest.mark.parametrize(("line", "named"), [("address", "address"), ("phone", "telephone")])
def test_no_paper_of_a_pharmacy_without_address_or_telephone_is_printed(
    technician: Caller, prescription: Prescription, shop: Pharmacy, line: str, named: str
) -> None:
    done = dispense(technician, prescription, hand_over("42"))
    make.change_past_actions(Pharmacy.objects.all(), **{line: ""})
    for paper in ("label", "calendar"):
        answer = technician.get(f"dispenses/{done.json()['id']}/{paper}.pdf", Accept="application/pdf, */*")
        assert f"The pharmacy has no {named}; a manager records it in the settings" in problem(answer, 422)["detail"]


@pytest.mark.parametrize("paper", ["label", "leaflet", "leaflet-a5", "leaflet-large"])
def test_every_paper_of_a_hand_over_is_printed(technician: Caller, prescription: Prescription, paper: str) -> None:
    done = dispense(technician, prescription, hand_over()).json()
    printed = technician.get(f"dispenses/{done['id']}/{paper}.pdf")
    assert printed["Content-Type"] == "application/pdf" and printed.content.startswith(b"%PDF")
    for_json = technician.get(f"dispenses/{done['id']}/{paper}.pdf", Accept="application/json")
    assert (for_json.status_code, for_json["Content-Type"]) == (200, "application/pdf")


def test_labels_are_printed_again_and_a_repeated_request_prints_none(
    technician: Caller, prescription: Prescription
) -> None:
    address = f"dispenses/{dispense(technician, prescription, hand_over()).json()['id']}/labels/"
    first = technician.post(address, {}, Idempotency_Key="first")
    assert first.json()["labels"][0].lstrip().startswith("<svg")
    assert technician.post(address, {}, Idempotency_Key="first").json() == first.json()
    assert Dispense.objects.get().label_prints == 1
    assert technician.post(address, {}, Idempotency_Key="second").status_code == 200
    assert Dispense.objects.get().label_prints == 2
