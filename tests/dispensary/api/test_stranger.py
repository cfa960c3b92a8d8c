"""Every address, asked by those who have no business there."""

from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from dispensary import audit
from dispensary.actions import carers, consent, tokens
from dispensary.actors import Actor
from dispensary.api.fhir.kinds import KINDS
from dispensary.models import (
    AccessToken,
    AlertKind,
    AuditEntry,
    AuditLog,
    CarerRelation,
    Dispense,
    Finding,
    Language,
    LimitTrial,
    LogExport,
    Medium,
    Override,
    Pharmacy,
    Preparation,
    Prescription,
    Reminder,
    SettingsChange,
    StaffAlert,
    StaffRole,
    SubjectRequest,
    WorklistItem,
)
from tests.dispensary import make
from tests.dispensary.api.conftest import ANSWER, SIGNED, Caller, hand_over, order, problem

# Method, address, body, and the roles of the pharmacy that may. The address names the thing it is about.
EVERYBODY = {StaffRole.TECHNICIAN, StaffRole.PHARMACIST, StaffRole.MANAGER, StaffRole.AUDITOR}
COUNTER = EVERYBODY - {StaffRole.AUDITOR}
PHARMACISTS = {StaffRole.PHARMACIST, StaffRole.MANAGER}
AUDITORS = {StaffRole.AUDITOR, StaffRole.MANAGER}
REASON = {"reason": "typed into the wrong record"}
CASE = {"format": "baclofen-case/1", "prescription": {}}
WISHES = {"goal": "nothing", "strengths_mg": [10]}
AGREED = {"sentence": "10 mg once a day", "agreed_with": "Dr Grey", "agreed": "by telephone"}
ANYWHERE: list[tuple[str, str, Any, set[StaffRole]]] = [
    ("GET", "me/", None, EVERYBODY),
    ("GET", "patients/", None, COUNTER),
    ("POST", "patients/search/", {"words": "Okafor"}, COUNTER),
    ("POST", "patients/", {"identifier": "N-1", "family_name": "New"}, COUNTER),
    ("GET", "prescribers/", None, COUNTER),
    ("POST", "prescribers/", {"identifier": "N-1", "name": "Dr New"}, COUNTER),
    ("GET", "downtime/form.pdf", None, COUNTER),
    ("GET", "products/", None, COUNTER),
    ("GET", f"products/{make.TEN_MG}/", None, COUNTER),
    ("POST", "products/scan/", {"scan": f"01{make.TEN_MG}"}, COUNTER),
    ("GET", "prescriptions/", None, COUNTER),
    ("POST", "prescriptions/", ..., COUNTER),
    ("GET", "reminders/", None, COUNTER),
    ("GET", "reminders/month/", None, {StaffRole.MANAGER}),
    ("GET", "withdrawal-risk/", None, COUNTER),
    ("GET", "work/", None, COUNTER),
    ("POST", "fhir", {"resourceType": "Bundle"}, COUNTER),
    ("POST", "fhir/", {"resourceType": "Bundle"}, COUNTER),
    ("POST", "fhir/MedicationRequest", {"resourceType": "Bundle"}, COUNTER),
    ("POST", "fhir/MedicationRequest/$review", {"resourceType": "Bundle"}, COUNTER),
    *(("GET", f"fhir/{name}", None, COUNTER) for name in KINDS),
    *(("POST", f"fhir/{name}/_search", b"", COUNTER) for name in KINDS),
    ("GET", "fhir/AuditEvent", None, AUDITORS),
    ("POST", "fhir/AuditEvent/_search", b"", AUDITORS),
    ("GET", "audit/logs/", None, AUDITORS),
    ("GET", "audit/entries/", None, AUDITORS),
    ("GET", "audit/days/2026-01-01/", None, AUDITORS),
    ("POST", "audit/days/2026-01-01/sign/", {}, AUDITORS),
    ("GET", "audit/quality/?since=2026-01-01&until=2026-01-31", None, AUDITORS),
    ("GET", "audit/checks/", None, AUDITORS),
    ("POST", "audit/checks/", {}, AUDITORS),
    ("GET", "audit/samples/", None, AUDITORS),
    ("POST", "audit/samples/", {"since": "2026-01-01", "until": "2026-01-02"}, AUDITORS),
    ("POST", "break-glass/", {"proof": {"password": "x"}}, PHARMACISTS),
    ("POST", "products/", {"proof": {"password": "x"}}, PHARMACISTS),
    ("GET", "second/", None, PHARMACISTS),
    ("GET", "people/", None, {StaffRole.MANAGER}),
    ("POST", "people/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("GET", "alerts/", None, PHARMACISTS | AUDITORS),
    ("PUT", "alerts/contacts/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("GET", "settings/", None, {StaffRole.MANAGER}),
    ("PATCH", "settings/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("GET", "limits/", None, COUNTER),
    ("POST", "limits/signatures/", {"lines": ["0"], "review_on": "2030-01-01"}, PHARMACISTS),
    ("POST", "limits/sign/", {"proof": {"password": "x"}}, PHARMACISTS),
    ("POST", "settings/test-message/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("GET", "queue/next/", None, COUNTER),
    ("GET", "audit/exports/", None, AUDITORS),
    ("POST", "audit/exports/", {"purpose": "inspection"}, AUDITORS),
    ("POST", "audit/exports/records/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("GET", "audit/files/", None, AUDITORS),
    ("GET", "audit/trials/", None, AUDITORS),
    ("POST", "audit/trials/", {"line": "0"}, AUDITORS),
    ("GET", "audit/trials/lines/", None, AUDITORS),
]
OF_ONE: list[tuple[str, str, Any, set[StaffRole]]] = [
    ("GET", "patients/{patient}/", None, COUNTER),
    ("PATCH", "patients/{patient}/", {"facts": {"egfr": 50}}, COUNTER),
    ("PATCH", "patients/{patient}/", {"given_name": "Corrected"}, COUNTER),
    ("POST", "patients/{patient}/namesakes/", {"other": str(uuid4()), "answer": "other"}, COUNTER),
    ("GET", "patients/{patient}/decisions/", None, COUNTER),
    ("POST", "patients/{patient}/decisions/", {"kind": "counted", "object": "x", "tablets": [1]}, PHARMACISTS),
    ("POST", "patients/{patient}/supplies/", {"supplies": [{}]}, COUNTER),
    ("POST", "patients/{patient}/supplies/1/signatures/", {"overrides": [], "stop": True}, PHARMACISTS),
    ("POST", "patients/{patient}/supplies/1/stop/", {"words": "no longer needed"}, PHARMACISTS),
    ("POST", "patients/{patient}/emergency/", {"days": 3, "strength_mg": 10}, PHARMACISTS),
    ("POST", "patients/{patient}/death/", {"died_on": "2026-01-01"}, PHARMACISTS),
    ("GET", "prescriptions/{prescription}/", None, COUNTER),
    ("POST", "prescriptions/{prescription}/cancel/", REASON, PHARMACISTS),
    ("POST", "prescriptions/{prescription}/hold/", {"awaiting": "stock"}, COUNTER),
    ("POST", "prescriptions/{prescription}/resume/", {}, COUNTER),
    ("POST", "prescriptions/{prescription}/claim/", {"take_over": True}, COUNTER),
    ("POST", "prescriptions/{prescription}/reinstate/", REASON, PHARMACISTS),
    (
        "POST",
        "prescriptions/{prescription}/correct/",
        {"prescriber": {"identifier": "D-1", "name": "Dr Ada Grey"}, "case": CASE, "reason": "misread"},
        COUNTER,
    ),
    ("POST", "prescriptions/{prescription}/plan/", WISHES, COUNTER),
    ("POST", "prescriptions/{prescription}/plan/request.pdf", WISHES, COUNTER),
    ("POST", "prescriptions/{prescription}/plan/take/", WISHES | AGREED, PHARMACISTS),
    ("POST", "prescriptions/{prescription}/stop/", {"words": "no longer needed"}, PHARMACISTS),
    ("POST", "prescriptions/{prescription}/reviews/", {}, COUNTER),
    ("POST", "prescriptions/{prescription}/overrides/", SIGNED | {"finding": "daily-maximum"}, COUNTER),
    (
        "POST",
        "prescriptions/{prescription}/signatures/",
        {"overrides": [ANSWER | {"finding": "daily-maximum"}]},
        PHARMACISTS,
    ),
    ("POST", "prescriptions/{prescription}/dispenses/", ..., COUNTER),
    ("POST", "prescriptions/{prescription}/late-dispenses/", ..., COUNTER),
    ("POST", "prescriptions/{prescription}/bags/", hand_over(), COUNTER),
    ("GET", "bags/{bag}/", None, COUNTER),
    ("POST", "bags/{bag}/check/", {}, PHARMACISTS),
    ("POST", "bags/{bag}/shelve/", {"shelf": "A3"}, COUNTER),
    ("POST", "bags/{bag}/uncheck/", {}, COUNTER),
    ("POST", "bags/{bag}/put-back/", REASON, COUNTER),
    ("POST", "bags/{bag}/hand-over/", {"identified": "said name and date of birth"}, COUNTER),
    ("GET", "reviews/{review}/", None, COUNTER),
    ("GET", "prescriptions/{prescription}/second/", None, PHARMACISTS),
    ("POST", "prescriptions/{prescription}/second/", {"proof": {"password": "x"}}, PHARMACISTS),
    ("GET", "overrides/{override}/", None, COUNTER),
    ("GET", "overrides/{override}/record.pdf", None, PHARMACISTS | AUDITORS),
    ("POST", "overrides/{override}/withdraw/", REASON, PHARMACISTS),
    ("GET", "dispenses/{dispense}/", None, COUNTER),
    ("POST", "dispenses/{dispense}/cancel/", REASON, PHARMACISTS),
    ("POST", "dispenses/{dispense}/return/", REASON, PHARMACISTS),
    ("GET", "dispenses/{dispense}/label.pdf", None, COUNTER),
    ("GET", "dispenses/{dispense}/calendar.pdf", None, COUNTER),
    ("GET", "dispenses/{dispense}/leaflet.pdf", None, COUNTER),
    ("GET", "dispenses/{dispense}/leaflet-a5.pdf", None, COUNTER),
    ("GET", "dispenses/{dispense}/leaflet-large.pdf", None, COUNTER),
    ("POST", "dispenses/{dispense}/labels/", {}, COUNTER),
    ("GET", "dispenses/{dispense}/trail/", None, EVERYBODY),
    ("GET", "dispenses/{dispense}/reminders/", None, COUNTER),
    ("GET", "patients/{patient}/messages/", None, COUNTER),
    ("POST", "patients/{patient}/contacts/", {"medium": "email", "address": "ann@example.org"}, COUNTER),
    ("POST", "patients/{patient}/consents/", {"medium": "email", "answer": "yes"}, COUNTER),
    (
        "POST",
        "patients/{patient}/carers/",
        {"name": "Jo", "relation": "carer", "language": "es", "medium": "email", "address": "jo@example.org"},
        COUNTER,
    ),
    ("POST", "carers/{carer}/answer/", {"answer": "yes"}, COUNTER),
    ("POST", "carers/{carer}/end/", {}, COUNTER),
    ("POST", "contacts/{contact}/retire/", {}, COUNTER),
    ("POST", "contacts/{contact}/wrong-person/", {}, COUNTER),
    ("POST", "contacts/{contact}/renew-link/", {}, COUNTER),
    ("POST", "contacts/{contact}/detail/", {"detail_level": "plain"}, COUNTER),
    ("POST", "reminders/{reminder}/send/", {}, COUNTER),
    ("POST", "reminders/{reminder}/withdraw/", {}, COUNTER),
    ("POST", "work/{work}/put-off/", {"until": "2026-01-01T00:00:00Z", "note": "calls back"}, COUNTER),
    ("POST", "work/{work}/letter.pdf", {"address": "3 Quay Street\nOxford"}, COUNTER),
    ("POST", "work/{work}/resolve/", {"resolution": "called"}, COUNTER),
    ("GET", "fhir/MedicationRequest/{prescription}", None, COUNTER),
    ("GET", "fhir/MedicationDispense/{dispense}", None, COUNTER),
    ("GET", "fhir/DetectedIssue/{issue}", None, COUNTER),
    ("GET", "fhir/Provenance/{dispense}", None, COUNTER),
    ("GET", "fhir/Task/{work}", None, COUNTER),
    ("GET", "fhir/Communication/{reminder}", None, COUNTER),
    ("GET", "fhir/Patient/{patient}", None, COUNTER),
    ("GET", "fhir/AuditEvent/{entry}", None, AUDITORS),
    ("GET", "audit/logs/{log}/checkpoints/", None, AUDITORS),
    ("GET", "audit/logs/{log}/export/", None, AUDITORS),
    ("GET", "audit/entries/{entry}/", None, AUDITORS),
    ("GET", "audit/entries/{entry}/proof/", None, AUDITORS),
    ("GET", "audit/samples/{sample}/", None, AUDITORS),
    ("POST", "audit/samples/{sample}/judgements/", {"entry": str(uuid4()), "judgement": "agreed"}, AUDITORS),
    ("GET", "audit/exports/{export}/", None, AUDITORS),
    ("GET", "audit/exports/{export}/file.zip", None, AUDITORS),
    ("POST", "audit/exports/{export}/file.zip", {"proof": {"password": "x"}}, AUDITORS),
    ("POST", "audit/patients/{patient}/file/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("GET", "audit/files/{file}/", None, AUDITORS),
    ("POST", "audit/files/{file}/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("POST", "audit/files/{file}/release/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("POST", "audit/files/{file}/refuse/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("POST", "audit/files/{file}/file.zip", {"proof": {"password": "x"}}, AUDITORS),
    ("GET", "audit/trials/{trial}/", None, AUDITORS),
    ("GET", "people/{person}/", None, {StaffRole.MANAGER}),
    ("PATCH", "people/{person}/", {"proof": {"password": "x"}, "role": "auditor"}, {StaffRole.MANAGER}),
    ("POST", "people/{person}/end/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("POST", "people/{person}/link/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("POST", "alerts/{alert}/answer/", {"proof": {"password": "x"}, "words": "seen to"}, PHARMACISTS | AUDITORS),
    ("POST", "settings/changes/{change}/approve/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
    ("POST", "settings/changes/{change}/withdraw/", {"proof": {"password": "x"}}, {StaffRole.MANAGER}),
]
UNKNOWN_IDS: dict[str, UUID | int] = defaultdict(uuid4, person=4711, change=4711)


def asked(caller: Caller, method: str, address: str, body: Any) -> Any:
    late = {"handed_over_at": timezone.now().isoformat(), "handed_over_by": "Pat Locum"} if "late" in address else {}
    sent = body if body is not ... else hand_over(**late) if "dispenses" in address else order()
    kind = "application/x-www-form-urlencoded" if address.endswith("/_search") else "application/json"
    return caller.call(method, address, sent, content_type=kind, If_Match="*", Idempotency_Key=str(uuid4()))


@pytest.fixture
def things(shop: Pharmacy, pharmacist: Caller, prescription: Prescription, too_high: Prescription) -> dict[str, str]:
    """One of everything, by name."""
    done = pharmacist.post(f"prescriptions/{prescription.pk}/dispenses/", hand_over(), Idempotency_Key="the-first")
    assert done.status_code == 201, done.content
    signed = pharmacist.sign(f"prescriptions/{too_high.pk}/overrides/", ANSWER | {"finding": "daily-maximum"})
    assert signed.status_code == 201, signed.content
    dispense, override = Dispense.objects.get(), Override.objects.get()
    finding = Finding.objects.filter(review__prescription=too_high)[0]
    by, now = Actor.system("tests", shop.pk), timezone.now()
    contact = consent.add_contact(
        patient=prescription.patient, medium=Medium.EMAIL, address="a@example.org", by=by, now=now
    )
    work = WorklistItem.objects.create(
        pharmacy=shop, patient=prescription.patient, kind="reply", reason="wrote back", opened_at=now, due_by=now
    )
    carer = carers.add_carer(
        patient=prescription.patient, name="Jo", relation=CarerRelation.CARER, language=Language.ENGLISH,
        medium=Medium.EMAIL, address="jo-carer@example.org", by=by, now=now,
    )  # fmt: skip
    bag = Preparation.objects.create(
        pharmacy=shop, prescription=too_high, bag=[], prepared_by=by.name, preparer_name="Tess", prepared_at=now
    )
    change = SettingsChange.objects.create(pharmacy=shop, changes={}, asked_by=by.name, asker_name="Mara", asked_at=now)
    alert = StaffAlert.objects.create(
        pharmacy=shop, kind=AlertKind.SETTINGS, subject_id=str(change.pk), opened_at=now, next_at=now
    )
    export = LogExport.objects.create(
        pharmacy=shop, requested_by="Aude", requested_at=now, filters={}, sentence="All.", purpose="inspection"
    )
    trial = LimitTrial.objects.create(
        pharmacy=shop, requested_by="Aude", requested_at=now, line="0", place="terms.max_mg_per_day", unit="mg/day",
        value_before="100", value=110, since=now, until=now,
    )  # fmt: skip
    file = SubjectRequest.objects.create(
        pharmacy=shop, patient=prescription.patient, received_on=now, identity="passport", requested_by="user:0", requester_name="Mara",
        requested_at=now,
    )  # fmt: skip
    sample = str(uuid4())
    audit.record(
        audit.Event.REVIEW_SAMPLED, pharmacy=shop, by=by, now=now, subject=audit.Subject("sample", sample), body={}
    )
    return {
        "alert": str(alert.pk),
        "change": str(change.pk),
        "person": str(pharmacist.member.pk) if pharmacist.member else "",
        "export": str(export.pk),
        "file": str(file.pk),
        "trial": str(trial.pk),
        "sample": sample,
        "bag": str(bag.pk),
        "contact": str(contact.pk),
        "carer": str(carer.pk),
        "reminder": str(Reminder.objects.filter(pharmacy=shop)[0].public_id),
        "work": str(work.pk),
        "patient": str(prescription.patient_id),
        "prescription": str(prescription.pk),
        "review": str(dispense.review_id),
        "override": str(override.pk),
        "dispense": str(dispense.pk),
        "issue": f"{finding.review_id}-{finding.number}",
        "log": str(AuditLog.objects.get(pharmacy=shop.pk).log_id),
        "entry": str(AuditEntry.objects.filter(pharmacy=shop.pk)[0].entry_id),
    }


def test_the_addresses_here_are_all_there_are() -> None:
    from dispensary.api.urls import urlpatterns

    named = {pattern.name for pattern in urlpatterns} - {"schema", "fhir-metadata", "nothing-here", "nothing-of-fhir"}
    from django.urls import resolve

    addresses = {
        resolve("/api/v1/" + address.format_map(UNKNOWN_IDS).partition("?")[0]).url_name
        for _, address, _, _ in ANYWHERE + OF_ONE
    }  # fmt: skip
    assert named == addresses


@pytest.mark.parametrize(("method", "address", "body", "_roles"), ANYWHERE + OF_ONE)
def test_who_is_not_signed_in_is_asked_to(db: None, method: str, address: str, body: Any, _roles: Any) -> None:
    for stranger in (
        Caller(None),
        Caller(None, {"Authorization": "Token 0"}),
        Caller(None, {"Authorization": "Token \xe9\xff"}),
    ):
        response = asked(stranger, method, address.format_map(UNKNOWN_IDS), body)
        assert response.status_code == 401
        assert response["WWW-Authenticate"] == "Token"


def test_a_token_that_ended_and_an_account_that_was_closed_open_no_address(
    shop: Pharmacy, caller: Callable[..., Caller]
) -> None:
    expired, closed, revoked = (caller(shop, StaffRole.MANAGER) for _ in range(3))
    users = [ended.member.user for ended in (expired, closed, revoked) if ended.member]
    past = timezone.now() - timedelta(hours=13)
    AccessToken.objects.filter(user=users[0]).update(issued_at=past, expires_at=past + timedelta(hours=12))
    users[1].is_active = False
    users[1].save()
    tokens.revoke(user=users[2], now=timezone.now())
    for method, address, body, _roles in ANYWHERE + OF_ONE:
        for ended in (expired, closed, revoked):
            assert asked(ended, method, address.format_map(UNKNOWN_IDS), body).status_code == 401, address


def test_a_user_without_a_pharmacy_or_whose_access_ended_sees_nothing(shop: Pharmacy, pharmacist: Caller) -> None:
    nobody = Caller(None)
    backend = "allauth.account.auth_backends.AuthenticationBackend"
    nobody.client.force_login(get_user_model().objects.create_user("nobody"), backend=backend)
    assert problem(nobody.get("patients/"), 403)["code"] == "not-allowed"
    assert pharmacist.member is not None
    from dispensary.actions import pharmacies
    from dispensary.actors import Actor

    pharmacies.end_access(member=pharmacist.member, by=Actor.system("setup", shop.pk), now=timezone.now())
    assert pharmacist.get("patients/").status_code == 403


@pytest.mark.slow
def test_another_pharmacys_things_are_as_absent_as_none(
    elsewhere: Pharmacy, caller: Callable[..., Caller], things: dict[str, str]
) -> None:
    stranger = caller(elsewhere, StaffRole.MANAGER)
    for method, address, body, _ in OF_ONE:
        theirs = asked(stranger, method, address.format(**things), body)
        none = asked(stranger, method, address.format_map(UNKNOWN_IDS), body)
        assert (theirs.status_code, none.status_code) == (404, 404), (address, theirs.content)
        assert theirs.json() == none.json()


def test_each_role_may_do_its_own_work_only_and_a_trespass_is_recorded(
    shop: Pharmacy, caller: Callable[..., Caller], things: dict[str, str]
) -> None:
    for role in EVERYBODY:
        member = caller(shop, role)
        for method, address, body, roles in ANYWHERE + OF_ONE:
            if role not in roles:
                response = asked(member, method, address.format(**things), body)
                assert response.status_code == 403, (role, address, response.content)
    from dispensary.models.audit import AuditEntry

    refused = AuditEntry.objects.filter(pharmacy=shop.pk, action=audit.Event.ACCESS_REFUSED)
    assert refused.count() == sum(role not in roles for role in EVERYBODY for *_, roles in ANYWHERE + OF_ONE)


@pytest.mark.slow
def test_each_role_gets_as_far_as_its_work_goes(
    shop: Pharmacy, caller: Callable[..., Caller], things: dict[str, str]
) -> None:
    for role in EVERYBODY:
        member = caller(shop, role)
        for method, address, body, roles in ANYWHERE + OF_ONE:
            if role in roles and method == "GET":
                # Here nothing is committed, hence nothing is signed, and no worker prepares an export.
                far = 409 if address.endswith(("proof/", "file.zip")) else 200
                assert asked(member, method, address.format(**things), body).status_code == far, (role, address)
            elif role in roles:
                assert asked(member, method, address.format(**things), {"unknown": 1}).status_code == 400, (
                    role,
                    address,
                )


def test_a_search_never_shows_another_pharmacys_people(
    elsewhere: Pharmacy, caller: Callable[..., Caller], things: dict[str, str]
) -> None:
    stranger = caller(elsewhere)
    assert stranger.post("patients/search/", {"words": "Okafor"}).json()["results"] == []
    for address in ("patients/", "prescribers/", "prescriptions/"):
        assert stranger.get(address).json()["results"] == []


def test_an_order_cannot_name_another_pharmacys_patient_prescriber_or_order(
    elsewhere: Pharmacy, caller: Callable[..., Caller], prescription: Prescription
) -> None:
    stranger = caller(elsewhere)
    for theirs in (
        {"patient": {"id": str(prescription.patient_id)}},
        {"prescriber": {"id": str(prescription.prescriber_id)}},
        {"replaces": str(prescription.pk)},
    ):
        assert stranger.post("prescriptions/", order(**theirs)).status_code == 404
    assert Prescription.objects.count() == 1


def test_who_works_at_two_pharmacies_says_for_which(
    shop: Pharmacy, elsewhere: Pharmacy, pharmacist: Caller, prescription: Prescription
) -> None:
    from dispensary.actions import pharmacies
    from dispensary.actors import Actor

    assert pharmacist.member is not None
    pharmacies.grant_access(
        user=pharmacist.member.user, pharmacy=elsewhere, role=StaffRole.AUDITOR, display_name="Also here",
        by=Actor.system("setup", elsewhere.pk), now=timezone.now(),
    )  # fmt: skip
    document = problem(pharmacist.get("prescriptions/"), 400)
    assert document["problems"][0]["field"] == "X-Pharmacy"
    assert len(pharmacist.get("prescriptions/", X_Pharmacy=str(shop.pk)).json()["results"]) == 1
    assert pharmacist.get("audit/entries/", X_Pharmacy=str(elsewhere.pk)).status_code == 200
    assert pharmacist.get("prescriptions/", X_Pharmacy=str(elsewhere.pk)).status_code == 403
    assert pharmacist.get(f"prescriptions/{prescription.pk}/").status_code == 200
    assert pharmacist.get(f"prescriptions/{prescription.pk}/", X_Pharmacy=str(elsewhere.pk)).status_code == 404
    for foreign in (str(uuid4()), "not a uuid"):
        assert pharmacist.get("prescriptions/", X_Pharmacy=foreign).status_code in {400, 404}
    assert pharmacist.get("me/").json()["current"] is None
