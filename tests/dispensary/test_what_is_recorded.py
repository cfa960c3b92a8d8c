"""Every kind of audit entry, made through the interface that makes it in use.

HTTP with tokens and forms of clients, commands as they are typed, the engine as its worker runs it. The last test fails for
each event that no journey has recorded.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import time
import uuid
import zipfile
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deploy.demo.attacks import Attack, unguarded
from deploy.environment import ROOT
from dispensary import audit
from dispensary.actions import limit_trials, log_exports, long_exports, pharmacies, settings_changes
from dispensary.actors import Actor, Role
from dispensary.audit import Event
from dispensary.audit.log.writer import REGISTER
from dispensary.channels.signing import HEADER, sign
from dispensary.counter.styles import build
from dispensary.models import (
    AlertKind,
    AuditEntry,
    AuditLog,
    ContactPoint,
    Dispense,
    Override,
    Pharmacy,
    Prescription,
    Reminder,
    SettingsChange,
    Source,
    StaffAlert,
    StaffRole,
    TherapySummary,
    WorkKind,
    WorklistItem,
)
from dispensary.models.reminders import Delivery, DeliveryOutcome
from tests.dispensary import make
from tests.dispensary.api import test_cds_hooks as hooks
from tests.dispensary.api.conftest import ANSWER, Caller, case, hand_over, order, proof_of, today
from tests.dispensary.api.test_audit import search
from tests.dispensary.audit.signing import sign_file, trust_signers
from tests.dispensary.fhir.orders import request as fhir_request
from tests.site import Database

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"]),
]

SECRET = "shared-with-the-gateway"
RECORDED_EVENTS: set[Event] = set()
"""Events that the journeys of this run made."""
JOURNEYS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def printed_fonts() -> None:
    build.build(with_test_tools=True, quiet=True)


class StaffedPharmacy:
    """A pharmacy with one person of each role, and its log."""

    def __init__(self, settings: Any, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.sent_file, self.faults_file = folder / "sent.jsonl", folder / "faults.json"
        settings.DISPENSARY = {
            **getattr(settings, "DISPENSARY", {}),
            "audit_key_file": folder / "keys" / "key",
            "channels": {"email": "sink", "sms": "gateway"},
            "channel_options": {
                "sink": {"file": str(self.sent_file), "faults": str(self.faults_file), "words": True},
                "gateway": {"url": "http://127.0.0.1:1/", "secret": SECRET},
            },
            "public_url": "https://pharmacy.example",
        }
        trust_signers(settings, folder)
        self.command("audit", "key", "--new")
        make.products()
        self.row: Pharmacy = make.pharmacy(now=timezone.now(), time_zone="UTC", quiet_from="00:00", quiet_until="00:00")
        self.staff = {role: make.staff(self.row, role, now=timezone.now()) for role in StaffRole}
        self.callers = {role: Caller(member) for role, member in self.staff.items()}
        self.pharmacist, self.manager = self.callers[StaffRole.PHARMACIST], self.callers[StaffRole.MANAGER]
        self.auditor, self.technician = self.callers[StaffRole.AUDITOR], self.callers[StaffRole.TECHNICIAN]

    def command(self, *words: object, status: int = 0) -> str:
        out = StringIO()
        try:
            call_command(*map(str, words), stdout=out)
        except SystemExit as end:
            assert end.code == status, out.getvalue()
        return out.getvalue()

    def username(self, role: StaffRole) -> str:
        return str(self.staff[role].user.get_username())

    def newest_line(self, event: Event, pharmacy: uuid.UUID | None = None) -> audit.Line:
        """Return the newest entry of that kind with its sentence, and count the event as recorded."""
        entry = AuditEntry.objects.filter(pharmacy=pharmacy or self.row.pk, action=event).order_by("-seq").first()
        assert entry is not None, f"no entry {event.value}"
        assert entry.seq is not None
        RECORDED_EVENTS.add(event)
        (line,) = audit.lines([entry], pharmacy or self.row.pk)
        assert line.sentence.endswith("."), line.sentence
        assert not set("{}") & set(line.sentence)
        return line

    def check_recorded(
        self,
        event: Event,
        *,
        by: StaffRole | None = None,
        outcome: str = "success",
        patient: Any = None,
        rules: tuple[str, ...] | None = None,
        pharmacy: uuid.UUID | None = None,
    ) -> dict[str, Any]:
        """Check actor, patient and outcome of the newest entry of that kind; return its body."""
        line = self.newest_line(event, pharmacy)
        actor = f"user:{self.staff[by].user_id}" if by else line.entry.actor
        assert (line.entry.actor, line.entry.outcome) == (actor, outcome), line.sentence
        if by is None:
            assert line.entry.actor.startswith("system:")
        if patient is not None:
            assert line.entry.patient_ref == str(patient)
        if rules is not None:
            assert tuple(line.entry.rule_codes or ()) == rules
        return line.body or {}

    def receive_order(self, by: Caller | None = None, **changes: Any) -> dict[str, Any]:
        made = (by or self.technician).post("prescriptions/", order(**changes))
        assert made.status_code == 201, made.content
        return made.json()["prescription"]

    def dispense(self, prescription: str, *, status: int = 201, **body: Any) -> dict[str, Any]:
        key = str(uuid.uuid4())
        send = self.pharmacist.sign if "overrides" in body else self.pharmacist.post
        done = send(f"prescriptions/{prescription}/dispenses/", hand_over(**body), Idempotency_Key=key)
        assert done.status_code == status, done.content
        return done.json()

    def seal(self) -> None:
        self.command("audit", "seal", "--once", "--pharmacy", self.row.pk)


@pytest.fixture
def pharmacy(settings: Any, tmp_path: Path, transactional_db: None) -> StaffedPharmacy:
    return StaffedPharmacy(settings, tmp_path)


def journey(function: Callable[..., None]) -> Callable[..., None]:
    JOURNEYS.append(function.__name__)
    return function


def above(**changes: Any) -> dict[str, Any]:
    """105 mg a day after months on 100: the daily maximum, which a pharmacist may override."""
    earlier = {
        "dispensed_on": str(today() - timedelta(days=28)), "doses": [35, 35, 30], "strength_mg": 10, "days_supply": 28,
        "dose_since": str(today() - timedelta(days=100)), "relation": "same-course",
    }  # fmt: skip
    high = case(
        phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
        directions="35 mg three times a day for 28 days",
        quantity=294,
    )
    return {"case": high | {"history": [earlier]}, **changes}


@journey
def test_an_order_from_taking_in_to_the_end(pharmacy: StaffedPharmacy) -> None:
    taken = pharmacy.receive_order()
    patient = taken["patient"]["id"] if isinstance(taken["patient"], dict) else taken["patient"]
    technician = StaffRole.TECHNICIAN
    pharmacy.check_recorded(Event.PATIENT_REGISTERED, by=technician, patient=patient)
    pharmacy.check_recorded(Event.PRESCRIBER_CHANGED, by=technician)
    pharmacy.check_recorded(Event.PRESCRIPTION_RECEIVED, by=technician, patient=patient)
    review = pharmacy.check_recorded(Event.REVIEW_RECORDED, by=technician, patient=patient)
    line = pharmacy.newest_line(Event.REVIEW_RECORDED)
    assert len(line.entry.ruleset) == 32
    assert line.entry.engine
    assert {"case", "result"} <= {key.removesuffix("_text") for key in review} or "case" in json.dumps(review)

    pharmacy.receive_order(patient={"id": patient}, replaces=taken["id"])
    pharmacy.check_recorded(Event.PRESCRIPTION_REPLACED, by=technician, patient=patient)
    other = pharmacy.receive_order(patient={"identifier": "P-88", "family_name": "Doe", "given_name": "Sam"})
    done = pharmacy.pharmacist.post(
        f"prescriptions/{other['id']}/cancel/", {"reason": "written in error"}, If_Match='"1"'
    )
    assert done.status_code == 200, done.content
    assert (
        pharmacy.check_recorded(Event.PRESCRIPTION_CANCELLED, by=StaffRole.PHARMACIST)["reason"] == "written in error"
    )

    where = f"prescriptions/{other['id']}/"
    undone = pharmacy.pharmacist.post(where + "reinstate/", {"reason": "the wrong one"}, If_Match='"2"')
    assert undone.status_code == 200, undone.content
    pharmacy.check_recorded(Event.PRESCRIPTION_REINSTATED, by=StaffRole.PHARMACIST)
    paused = pharmacy.technician.post(where + "hold/", {"awaiting": "stock"}, If_Match='"3"')
    assert paused.json()["status"] == "on-hold", paused.content
    pharmacy.check_recorded(Event.PRESCRIPTION_PAUSED, by=technician)
    assert pharmacy.technician.post(where + "resume/", If_Match='"4"').json()["status"] == "active"
    pharmacy.check_recorded(Event.PRESCRIPTION_RESUMED, by=technician)

    desks = [Client() for _ in range(2)]
    for desk, role in zip(desks, (technician, StaffRole.PHARMACIST), strict=True):
        desk.force_login(pharmacy.staff[role].user)
        desk.get(reverse("counter:check", args=[other["id"]]))
    desks[1].post(reverse("counter:take-over", args=[other["id"]]))
    pharmacy.check_recorded(Event.PRESCRIPTION_TAKEN_OVER, by=StaffRole.PHARMACIST)
    paper = {
        "written_on": str(today()), "strength_mg": "10", "directions": "5 mg three times a day for 28 days",
        "follows": "continues", "prescriber": taken["prescriber"]["identifier"],
    }  # fmt: skip
    desks[0].post(reverse("counter:new-order", args=[patient]), paper | {"quantity": "24", "key": "typed"})
    order_typed = Prescription.objects.get(source=Source.COUNTER)
    correction = reverse("counter:correct-order", args=[order_typed.pk])
    done = desks[0].post(correction, paper | {"quantity": "42", "key": "corrected", "reason": "digits swapped"})
    assert done.status_code == 302, done.content
    pharmacy.check_recorded(Event.PRESCRIPTION_CORRECTED, by=technician)

    taken_now = {
        "dispensed_on": str(today() - timedelta(days=10)), "doses": [20, 20, 20], "strength_mg": 10, "days_supply": 28,
        "relation": "same-course",
    }  # fmt: skip
    person = {"identifier": "P-89", "family_name": "Slow", "given_name": "Sal"}
    order_of_sal = pharmacy.receive_order(patient=person, case=case() | {"history": [taken_now]})
    request = reverse("counter:plan-pdf", args=[order_of_sal["id"]])
    printed = desks[1].get(request, {"goal": "nothing", "strengths_mg": "10"})
    assert printed.content.startswith(b"%PDF"), printed.content
    pharmacy.check_recorded(Event.PLAN_REQUESTED, by=StaffRole.PHARMACIST)

    where = f"patients/{order_of_sal['patient']['id']}/emergency/"
    arranged = pharmacy.pharmacist.post(where, {"days": 2, "strength_mg": 10, "prescriber": {"identifier": "D-1"}})
    assert arranged.status_code == 201, arranged.content
    pharmacy.check_recorded(Event.EMERGENCY_ARRANGED, by=StaffRole.PHARMACIST)

    sent = fhir_request(identifier=[{"system": "urn:ehr", "value": "RX-1"}], authoredOn=str(today()))
    assert pharmacy.technician.post("fhir/MedicationRequest", sent).status_code == 201
    assert pharmacy.technician.post("fhir/MedicationRequest", sent | {"status": "on-hold"}).status_code == 200
    pharmacy.check_recorded(Event.PRESCRIPTION_HELD, by=technician)
    assert pharmacy.technician.post("fhir/MedicationRequest", sent).status_code == 200
    pharmacy.check_recorded(Event.PRESCRIPTION_RELEASED, by=technician)
    assert pharmacy.technician.post("fhir/MedicationRequest", sent | {"status": "cancelled"}).status_code == 200
    pharmacy.check_recorded(Event.PRESCRIPTION_WITHDRAWN, by=technician)


@journey
def test_a_bag_is_prepared_checked_shelved_put_back_and_handed_over(pharmacy: StaffedPharmacy) -> None:
    too_high = pharmacy.receive_order(**above(patient={"identifier": "P-70", "family_name": "Much"}))
    clean = pharmacy.receive_order(patient={"identifier": "P-71", "family_name": "Bag"})
    set_up = Actor.system("setup", pharmacy.row.pk)
    pharmacies.change_settings(pharmacy=pharmacy.row, changes={"separate_steps": True}, by=set_up, now=timezone.now())

    def step(who: StaffRole, where: str, body: Any, status: int = 200) -> Any:
        done = pharmacy.callers[who].post(where, body, Idempotency_Key=str(uuid.uuid4()))
        assert done.status_code == status, done.content
        return done.json()

    technician, pharmacist = StaffRole.TECHNICIAN, StaffRole.PHARMACIST
    bags = f"prescriptions/{clean['id']}/bags/"
    first = step(technician, bags, hand_over(), 201)
    pharmacy.check_recorded(Event.BAG_PREPARED, by=technician)
    step(technician, f"bags/{first['id']}/put-back/", {"reason": "wrong box"})
    pharmacy.check_recorded(Event.BAG_PUT_BACK, by=technician)
    bag = f"bags/{step(technician, bags, hand_over(), 201)['id']}"
    step(technician, f"{bag}/shelve/", {"shelf": "A3"}, 409)
    assert step(pharmacist, f"{bag}/check/", {"no_label": "by hand"})["stage"] == "checked"
    pharmacy.check_recorded(Event.BAG_CHECKED, by=pharmacist)
    step(technician, f"{bag}/shelve/", {"shelf": "A3"})
    assert pharmacy.check_recorded(Event.BAG_SHELVED, by=technician)["shelf"] == "A3"
    checks = {"identified": "said name and date of birth", "counselled": ["how"]}
    step(technician, f"{bag}/hand-over/", checks, 409)
    checks["no_label"] = "by hand"
    step(technician, f"{bag}/hand-over/", checks, 201)
    recorded = pharmacy.check_recorded(Event.BAG_HANDED_OVER, by=technician)
    assert (recorded["counselled"], recorded["no_label"]) == (["how"], "by hand")

    unanswered = step(technician, f"prescriptions/{too_high['id']}/bags/", hand_over(294), 201)
    step(pharmacist, f"bags/{unanswered['id']}/check/", {"no_label": "by hand"}, 409)
    pharmacy.check_recorded(Event.BAG_CHECK_REFUSED, by=pharmacist, outcome="refused")
    desk = Client()
    desk.force_login(pharmacy.staff[technician].user)
    bag_page = reverse("counter:bag", args=[unanswered["id"]])
    desk.post(bag_page, {"uncheck": "1", "state": desk.get(bag_page).context["state"]})
    pharmacy.check_recorded(Event.BAG_UNCHECKED, by=technician)


@journey
def test_the_downtime_form_is_printed(pharmacy: StaffedPharmacy) -> None:
    taken = pharmacy.receive_order()
    printed = pharmacy.technician.get("downtime/form.pdf?days=3")
    assert printed.content.startswith(b"%PDF"), printed.content
    assert pharmacy.check_recorded(Event.DOWNTIME_PRINTED, by=StaffRole.TECHNICIAN)["patients"] == 1
    pharmacy.check_recorded(Event.PATIENT_OPENED, by=StaffRole.TECHNICIAN, patient=taken["patient"]["id"])


@journey
def test_what_was_handed_over_in_the_downtime_is_recorded_and_reviewed(pharmacy: StaffedPharmacy) -> None:
    taken = pharmacy.receive_order()
    where = f"prescriptions/{taken['id']}/late-dispenses/"
    at = (timezone.now() - timedelta(hours=20)).isoformat()
    line = hand_over(handed_over_at=at, handed_over_by="Pat Locum", words="The clinic agreed.")
    done = pharmacy.technician.post(where, line, Idempotency_Key="line-1")
    assert done.status_code == 201, done.content
    body = pharmacy.check_recorded(Event.DISPENSED_LATE, by=StaffRole.TECHNICIAN, patient=taken["patient"]["id"])
    assert (body["dispenser_name"], body["late_words"]) == ("Pat Locum", "The clinic agreed.")
    assert pharmacy.newest_line(Event.WORKLIST_OPENED).entry.reason_code == "late-entry"
    (work,) = [row for row in pharmacy.pharmacist.get("work/").json()["results"] if row["kind"] == "late-entry"]
    reviewed = pharmacy.pharmacist.post(f"work/{work['id']}/resolve/", {"resolution": "reviewed"})
    assert reviewed.status_code == 200, reviewed.content
    assert pharmacy.newest_line(Event.WORKLIST_CLOSED).entry.reason_code == "reviewed"


@journey
def test_cards_for_another_system_and_what_was_done_about_them(pharmacy: StaffedPharmacy) -> None:
    service, technician = "/cds-services/baclofen-sign", pharmacy.technician
    steep = hooks.draft(hooks.line(hooks.mg(35), hooks.daily(3, boundsDuration=hooks.days(28))))
    answered = technician.post(service, hooks.call(steep))
    assert answered.status_code == 200, answered.content
    pharmacy.check_recorded(Event.CARDS_SENT, by=StaffRole.TECHNICIAN)
    done = technician.post(f"{service}/feedback", hooks.feedback(answered.json()["cards"][0]["uuid"]))
    assert done.status_code == 200, done.content
    pharmacy.check_recorded(Event.CARD_ANSWERED, by=StaffRole.TECHNICIAN)


@journey
def test_overrides_dispenses_and_their_papers(pharmacy: StaffedPharmacy) -> None:
    pharmacist = StaffRole.PHARMACIST
    taken = pharmacy.receive_order(**above())
    where = f"prescriptions/{taken['id']}/"
    refused = pharmacy.dispense(taken["id"], status=409, quantity=294)
    recorded = pharmacy.check_recorded(Event.DISPENSE_REFUSED, by=pharmacist, outcome="refused")
    assert "daily-maximum" in pharmacy.newest_line(Event.DISPENSE_REFUSED).sentence
    assert recorded
    asked = {finding["code"]: finding["severity"] for finding in refused["findings"]}
    guessed = pharmacy.pharmacist.sign(where + "overrides/", ANSWER | {"finding": "daily-maximum"}, "guessed")
    assert guessed.status_code == 403, guessed.content
    assert "guessed" not in json.dumps(
        pharmacy.check_recorded(Event.SIGNATURE_REFUSED, by=pharmacist, outcome="refused")
    )
    signed = pharmacy.pharmacist.sign(where + "overrides/", ANSWER | {"finding": "daily-maximum"})
    assert signed.status_code == 201, signed.content
    body = pharmacy.check_recorded(Event.OVERRIDE_SIGNED, by=pharmacist, rules=("daily-maximum",))
    words = json.dumps(body)
    for expected_words in (ANSWER["words"], ANSWER["asked"], ANSWER["agreed"], pharmacy.staff[pharmacist].display_name):
        assert expected_words in words
    assert pharmacy.newest_line(Event.OVERRIDE_SIGNED).entry.reason_code == "5"
    taken_back = pharmacy.pharmacist.post(
        f"overrides/{signed.json()['id']}/withdraw/", {"reason": "the clinic rang back"}
    )
    assert taken_back.status_code == 200, taken_back.content
    pharmacy.check_recorded(Event.OVERRIDE_WITHDRAWN, by=pharmacist, rules=("daily-maximum",))

    milder = [code for code, severity in asked.items() if severity == "acknowledge"]
    answers = [ANSWER | {"finding": code} for code, severity in asked.items() if severity == "override"]
    done = pharmacy.dispense(taken["id"], quantity=294, overrides=answers, acknowledged=milder)
    pharmacy.check_recorded(Event.DISPENSED, by=pharmacist)
    if milder:
        pharmacy.check_recorded(Event.FINDING_ACKNOWLEDGED, by=pharmacist)
    for event in (Event.LABEL_PRINTED, Event.LABEL_REPRINTED):
        assert pharmacy.pharmacist.get(f"dispenses/{done['id']}/label.pdf").status_code == 200
        pharmacy.check_recorded(event, by=pharmacist)
    assert pharmacy.pharmacist.get(f"dispenses/{done['id']}/calendar.pdf").status_code == 200
    pharmacy.check_recorded(Event.DOCUMENT_PRINTED, by=pharmacist)

    gone = pharmacy.pharmacist.post(f"dispenses/{done['id']}/cancel/", {"reason": "wrong bag"}, If_Match="*")
    assert gone.status_code == 200, gone.content
    assert "wrong bag" in json.dumps(pharmacy.check_recorded(Event.DISPENSE_CANCELLED, by=pharmacist))
    again = pharmacy.dispense(taken["id"], quantity=294, overrides=answers, acknowledged=milder)
    back = pharmacy.pharmacist.post(f"dispenses/{again['id']}/return/", {"reason": "never collected"}, If_Match="*")
    assert back.status_code == 200, back.content
    pharmacy.check_recorded(Event.DISPENSE_RETURNED, by=pharmacist)


@journey
def test_another_pharmacys_record_is_opened_in_an_emergency(pharmacy: StaffedPharmacy, client: Client) -> None:
    member = pharmacy.staff[StaffRole.PHARMACIST]
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    form = {"family_name": "Nobody", "birth_date": "1981-05-02", "reason": "brought in without papers"}
    assert client.post(reverse("counter:break-glass"), form).status_code == 200
    assert pharmacy.check_recorded(Event.RECORD_BROKEN_INTO, by=StaffRole.PHARMACIST)["patients"] == []


@journey
def test_a_manager_tries_a_channel(pharmacy: StaffedPharmacy, client: Client) -> None:
    member = pharmacy.staff[StaffRole.MANAGER]
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    trial = {"trial-medium": "email", "trial-address": "mara@example.org"}
    assert client.post(reverse("counter:try-channel"), trial).status_code == 302
    recorded = pharmacy.check_recorded(Event.CHANNEL_TRIED, by=StaffRole.MANAGER)
    assert (recorded["answer"], recorded["address"]) == ("accepted", "m…@example.org")


@journey
def test_limits_are_read_and_signed(pharmacy: StaffedPharmacy, client: Client) -> None:
    member = pharmacy.staff[StaffRole.PHARMACIST]
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = client.get(reverse("counter:limits"))
    line = page.context["rows"][0][2]
    form = {
        "lines": [line.digest], "review_on": str(today() + timedelta(days=300)), "password": make.PASSWORD,
        "nonce": str(page.context["signature"].begun.pk),
    }  # fmt: skip
    assert client.post(reverse("counter:limits"), form).status_code == 302
    (recorded,) = pharmacy.check_recorded(Event.LIMITS_SIGNED, by=StaffRole.PHARMACIST)["lines"]
    assert (recorded["place"], recorded["digest"]) == (line.place, line.digest)


@journey
def test_limits_are_changed_by_two_managers_or_after_a_day(pharmacy: StaffedPharmacy) -> None:
    Pharmacy.objects.filter(pk=pharmacy.row.pk).update(opened_at=timezone.now() - timedelta(days=2))
    manager = pharmacy.username(StaffRole.MANAGER)
    pharmacy.command("pharmacy", "set", "second_signer_minutes=20", "--pharmacy", pharmacy.row.pk, "--by", manager)
    assert pharmacy.check_recorded(Event.SETTINGS_ASKED, by=StaffRole.MANAGER)["changes"] == {
        "second_signer_minutes": "20"
    }
    settings_changes.withdraw(
        change=SettingsChange.objects.get(), by=pharmacy.staff[StaffRole.MANAGER].actor(), now=timezone.now()
    )
    pharmacy.check_recorded(Event.SETTINGS_WITHDRAWN, by=StaffRole.MANAGER)
    Pharmacy.objects.filter(pk=pharmacy.row.pk).update(opened_at=timezone.now())


@journey
def test_the_worst_overrides_are_signed_by_two_or_alone(pharmacy: StaffedPharmacy) -> None:
    pharmacy.command(
        "pharmacy",
        "set",
        "second_signer=yes",
        "--pharmacy",
        pharmacy.row.pk,
        "--by",
        pharmacy.username(StaffRole.MANAGER),
    )
    for event, by in ((Event.OVERRIDE_SECONDED, StaffRole.MANAGER), (Event.OVERRIDE_ALONE, StaffRole.PHARMACIST)):
        where = f"prescriptions/{pharmacy.receive_order(**above())['id']}/"
        signed = pharmacy.pharmacist.sign(where + "overrides/", ANSWER | {"finding": "daily-maximum"})
        assert signed.json()["state"] == "waiting", signed.content
        before = timezone.now() - timedelta(minutes=16)
        make.change_past_actions(Override.objects.filter(pk=signed.json()["id"]), signed_at=before)
        caller = pharmacy.callers[by]
        begun = caller.get(where + "second/").json()
        proof = proof_of(begun)
        alone = {} if event is Event.OVERRIDE_SECONDED else {"alone_because": "nobody else is here"}
        done = caller.post(where + "second/", {"proof": proof, **alone})
        assert done.status_code == 200, done.content
        pharmacy.check_recorded(event, by=by, rules=("daily-maximum",))
    pharmacy.command(
        "pharmacy",
        "set",
        "second_signer=no",
        "--pharmacy",
        pharmacy.row.pk,
        "--by",
        pharmacy.username(StaffRole.MANAGER),
    )


@journey
def test_a_medicine_is_stopped(pharmacy: StaffedPharmacy) -> None:
    pharmacist = StaffRole.PHARMACIST
    where = f"prescriptions/{pharmacy.receive_order(**above())['id']}/"
    stop = pharmacy.pharmacist.post(where + "stop/", {"words": "no longer needed"})
    assert stop.status_code == 409, stop.content
    pharmacy.check_recorded(Event.PRESCRIPTION_STOP_REFUSED, by=pharmacist, outcome="refused", rules=("abrupt-stop",))
    stop = pharmacy.pharmacist.sign(
        where + "stop/", {"words": "no longer needed", "overrides": [ANSWER | {"finding": "abrupt-stop"}]}
    )
    assert stop.status_code == 200, stop.content
    pharmacy.check_recorded(Event.PRESCRIPTION_STOPPED, by=pharmacist)


@journey
def test_what_a_patient_takes_is_decided(pharmacy: StaffedPharmacy) -> None:
    taken = pharmacy.receive_order()
    pharmacy.dispense(taken["id"])
    where = f"patients/{taken['patient']['id']}/decisions/"
    (course,) = pharmacy.pharmacist.get(where).json()["courses"]
    counted = {
        "kind": "counted",
        "object": course["name"],
        "tablets": ["40"],
        "words": "brought the box",
        "mitigation": "4",
    }
    decided = pharmacy.pharmacist.post(where, counted)
    assert decided.status_code == 201, decided.content
    body = pharmacy.check_recorded(Event.THERAPY_DECIDED, by=StaffRole.PHARMACIST, patient=taken["patient"]["id"])
    assert body["tablets"] == ["40.00"]


@journey
def test_a_finding_that_needs_one_step_is_recorded_with_it(pharmacy: StaffedPharmacy) -> None:
    facts = case()["patient"] | {"drives": True}
    taken = pharmacy.receive_order(case=case() | {"patient": facts})
    read = pharmacy.pharmacist.get(f"prescriptions/{taken['id']}/").json()["assessment"]["findings"]
    milder = [finding["code"] for finding in read if finding["severity"] == "acknowledge"]
    assert milder, [(finding["code"], finding["severity"]) for finding in read]
    pharmacy.dispense(taken["id"], acknowledged=milder)
    pharmacy.check_recorded(Event.FINDING_ACKNOWLEDGED, by=StaffRole.PHARMACIST)


@journey
def test_a_patients_record(pharmacy: StaffedPharmacy) -> None:
    pharmacist = StaffRole.PHARMACIST
    patient = make.patient(pharmacy.row, now=timezone.now())
    where = f"patients/{patient.pk}/"
    read = pharmacy.pharmacist.get(where)
    assert read.status_code == 200
    pharmacy.check_recorded(Event.PATIENT_OPENED, by=pharmacist, patient=patient.pk)
    assert pharmacy.pharmacist.post("patients/search/", {"words": "Okafor"}).status_code == 200
    assert "kafor" not in pharmacy.newest_line(Event.PATIENT_SEARCHED).sentence
    pharmacy.check_recorded(Event.PATIENT_SEARCHED, by=pharmacist)
    changed = pharmacy.pharmacist.patch(where, {"facts": {"weight_kg": "72.5"}}, If_Match=read["ETag"])
    assert changed.status_code == 200, changed.content
    assert "72.5" in json.dumps(pharmacy.check_recorded(Event.PATIENT_CHANGED, by=pharmacist, patient=patient.pk))
    assert pharmacy.pharmacist.patch(where, {"given_name": "Adah"}, If_Match="*").status_code == 200
    assert "Adah" in json.dumps(pharmacy.check_recorded(Event.PATIENT_CORRECTED, by=pharmacist, patient=patient.pk))
    assert "Ada" not in pharmacy.newest_line(Event.PATIENT_CORRECTED).sentence
    namesake = make.patient(pharmacy.row, now=timezone.now(), given_name="Adah")
    answer = {"other": str(namesake.pk), "answer": "other"}
    assert pharmacy.pharmacist.post(where + "namesakes/", answer).status_code == 200
    pharmacy.check_recorded(Event.NAMESAKE_ANSWERED, by=pharmacist, patient=namesake.pk)
    supply = {
        "dispensed_on": str(today() - timedelta(days=20)),
        "doses": [5, 5, 5],
        "strength_mg": 10,
        "days_supply": 28,
        "relation": "same-course",
    }
    noted = pharmacy.pharmacist.post(where + "supplies/", {"supplies": [supply]}, Idempotency_Key="k")
    assert noted.status_code in (200, 201), noted.content
    pharmacy.check_recorded(Event.SUPPLY_NOTED, by=pharmacist, patient=patient.pk)
    assert (
        pharmacy.pharmacist.post(where + "contacts/", {"medium": "sms", "address": "07700 900123"}).status_code == 201
    )
    assert pharmacy.check_recorded(Event.CONTACT_CHANGED, by=pharmacist, patient=patient.pk)["medium"] == "sms"
    assert (
        "900123" not in pharmacy.newest_line(Event.CONTACT_CHANGED).sentence
    )  # the address is in the body, which may be erased
    assert pharmacy.pharmacist.post(where + "consents/", {"medium": "sms", "answer": "yes"}).status_code == 204
    pharmacy.check_recorded(Event.CONSENT_CHANGED, by=pharmacist, patient=patient.pk)


@journey
def test_reminders_planned_sent_failed_delivered_withdrawn(pharmacy: StaffedPharmacy, client: Client) -> None:
    patient = make.patient(pharmacy.row, now=timezone.now())
    where = f"patients/{patient.pk}/"
    for medium, address in (("email", "ada@example.org"),):
        assert pharmacy.pharmacist.post(where + "contacts/", {"medium": medium, "address": address}).status_code == 201
        assert pharmacy.pharmacist.post(where + "consents/", {"medium": medium, "answer": "yes"}).status_code == 204
    taken = pharmacy.receive_order(patient={"id": str(patient.pk)})
    pharmacy.dispense(taken["id"])
    code = ContactPoint.objects.get(patient=patient).page_code
    assert client.post(f"/m/{code}", {"do": "well"}).status_code == 302
    line = pharmacy.newest_line(Event.PATIENT_ANSWERED)
    assert "kafor" not in line.sentence and line.entry.actor == "patient"
    first, second, third = Reminder.objects.order_by("due_at")[:3]

    pharmacy.pharmacist.post(f"reminders/{first.public_id}/send/", {"despite_quiet_hours": True})
    pharmacy.check_recorded(Event.REMINDER_PLANNED, by=StaffRole.PHARMACIST, patient=patient.pk)
    pharmacy.command("reminders", "run", "--once")
    pharmacy.check_recorded(Event.REMINDER_SENT, patient=patient.pk)
    assert pharmacy.sent_file.exists()

    pharmacy.pharmacist.post(f"reminders/{second.public_id}/withdraw/")
    pharmacy.check_recorded(Event.REMINDER_WITHDRAWN, by=StaffRole.PHARMACIST, patient=patient.pk)

    pharmacy.faults_file.write_text(json.dumps({"answer": "refuse", "times": 9}))
    pharmacy.pharmacist.post(f"reminders/{third.public_id}/send/", {"despite_quiet_hours": True})
    pharmacy.command("reminders", "run", "--once")
    pharmacy.check_recorded(Event.REMINDER_FAILED, outcome="failure", patient=patient.pk)

    contact = patient.contact_points.get()
    delivery = Delivery.objects.create(
        reminder=first, medium="sms", channel="gateway", attempt=9, key=uuid.uuid4(), contact=contact,
        address_digest=contact.address_digest, provider_message_id="gw-1", outcome=DeliveryOutcome.ACCEPTED,
        language="en", words_version="x", detailed=False, started_at=timezone.now(),
    )  # fmt: skip
    receipt = json.dumps({"type": "receipt", "id": "e1", "key": str(delivery.key), "status": "delivered"}).encode()
    signed = sign(SECRET, receipt, time.time())
    response = client.post("/hooks/gateway", receipt, content_type="application/json", headers={HEADER: signed})
    assert response.status_code == 200, response.content
    pharmacy.check_recorded(Event.REMINDER_DELIVERED, patient=patient.pk)


@journey
def test_the_list_of_patients_who_may_run_out(pharmacy: StaffedPharmacy) -> None:
    pharmacist = StaffRole.PHARMACIST
    pharmacy.dispense(pharmacy.receive_order()["id"])
    dispense = Dispense.objects.get()
    ended_on = today() - timedelta(days=3)
    TherapySummary.objects.update(first_uncovered_on=ended_on, listed_from=ended_on, listed_until=today())
    pharmacy.command("reminders", "run", "--once")
    pharmacy.check_recorded(Event.WORKLIST_OPENED, patient=dispense.patient_id)
    (item,) = pharmacy.pharmacist.get("work/").json()["results"]
    until = (timezone.now() + timedelta(days=1)).isoformat()
    pharmacy.pharmacist.post(f"work/{item['id']}/put-off/", {"until": until, "note": "rings back"})
    pharmacy.check_recorded(Event.WORKLIST_ANSWERED, by=pharmacist, patient=dispense.patient_id)
    pharmacy.pharmacist.post(f"work/{item['id']}/resolve/", {"resolution": "called", "note": "has some left"})
    pharmacy.check_recorded(Event.WORKLIST_CLOSED, by=pharmacist, patient=dispense.patient_id)


@journey
def test_people_come_in_are_turned_away_and_go(pharmacy: StaffedPharmacy, client: Client) -> None:
    login = reverse("account_login")
    client.post(login, {"login": pharmacy.username(StaffRole.PHARMACIST), "password": "guessed"})
    body = pharmacy.check_recorded(Event.SIGN_IN_REFUSED, outcome="refused")
    assert body["name"] == pharmacy.username(StaffRole.PHARMACIST)
    assert "guessed" not in json.dumps(body)
    done = client.post(login, {"login": pharmacy.username(StaffRole.PHARMACIST), "password": make.PASSWORD})
    assert done.status_code == 302, done.content
    pharmacy.check_recorded(Event.SIGNED_IN, by=StaffRole.PHARMACIST)
    client.post(reverse("counter:leave"))
    pharmacy.check_recorded(Event.SIGNED_OUT, by=StaffRole.PHARMACIST)
    assert pharmacy.technician.get("audit/entries/").status_code == 403
    pharmacy.check_recorded(Event.ACCESS_REFUSED, by=StaffRole.TECHNICIAN, outcome="refused")
    pharmacy.command("api_token", pharmacy.username(StaffRole.AUDITOR))
    pharmacy.check_recorded(Event.TOKEN_ISSUED)
    pharmacy.command("api_token", pharmacy.username(StaffRole.AUDITOR), "--revoke")
    pharmacy.check_recorded(Event.TOKEN_REVOKED)
    client.post(login, {"login": pharmacy.username(StaffRole.MANAGER), "password": make.PASSWORD})
    new = {"username": f"new{uuid.uuid4().hex[:6]}", "display_name": "Nia New", "role": "technician"}
    assert client.post(reverse("counter:people"), new).status_code == 200
    pharmacy.check_recorded(Event.ACCOUNT_OPENED, by=StaffRole.MANAGER)
    nia = pharmacy.row.staff.get(display_name="Nia New")
    assert client.post(reverse("counter:person", args=[nia.pk]), {"do": "link"}).status_code == 200
    pharmacy.check_recorded(Event.SIGN_IN_CHANGED, by=StaffRole.MANAGER)


@journey
def test_a_pharmacy_is_opened_set_up_and_staffed(pharmacy: StaffedPharmacy) -> None:
    new = uuid.UUID(
        pharmacy.command(
            "pharmacy",
            "open",
            "Mill Lane Pharmacy",
            "time_zone=Europe/London",
            "address=1 Mill Lane",
            "phone=01865 496000",
        ).strip()
    )
    assert pharmacy.check_recorded(Event.PHARMACY_OPENED, pharmacy=new)["name"] == "Mill Lane Pharmacy"
    boss = get_user_model().objects.create_user(f"boss{uuid.uuid4().hex[:6]}")
    staff = ("pharmacy", "staff", boss.get_username(), "--pharmacy", new, "--role", "manager", "--name", "Bea Boss")
    pharmacy.command(*staff)
    pharmacy.check_recorded(Event.ACCESS_CHANGED, pharmacy=new)
    with pytest.raises(CommandError, match="--by"):  # from the first manager on, somebody answers
        pharmacy.command("pharmacy", "set", "quiet_from=21:00", "--pharmacy", new)
    by = ("--pharmacy", new, "--by", boss.get_username())
    pharmacy.command("pharmacy", "set", "quiet_from=21:00", *by)
    changed = pharmacy.newest_line(Event.SETTINGS_CHANGED, new)
    assert changed.entry.actor == f"user:{boss.pk}"
    assert (changed.body or {})["changed"]["quiet_from"] == {"from": "20:00:00", "to": "21:00:00"}
    pharmacy.command("pharmacy", "set", "profile=uk-smpc", *by)
    assert (pharmacy.newest_line(Event.PROFILE_CHANGED, new).body or {})["changed"]["profile"]["to"] == "uk-smpc"
    pharmacy.command("pharmacy", "product", "05012345678924", "--name", "Baclofen 20 mg", "--strength-mg", "20",
                  "--pack-size", "50", *by)  # fmt: skip
    assert pharmacy.newest_line(Event.PRODUCT_CHANGED, new).entry.actor == f"user:{boss.pk}"
    with pytest.raises(CommandError, match="only manager"):
        pharmacy.command("pharmacy", "end", boss.get_username(), *by)
    deputy = get_user_model().objects.create_user(f"deputy{uuid.uuid4().hex[:6]}")
    pharmacy.command("pharmacy", "staff", deputy.get_username(), "--role", "manager", "--name", "Dee Deputy", *by)
    pharmacy.command("pharmacy", "end", boss.get_username(), *by)
    assert (pharmacy.newest_line(Event.ACCESS_CHANGED, new).body or {})["to"] == {"role": "manager", "active": False}
    assert str(new) in pharmacy.command("pharmacy", "list")


@journey
def test_reading_exporting_replaying_and_reviewing_the_log(pharmacy: StaffedPharmacy) -> None:
    pharmacy.receive_order()
    assert search(pharmacy.auditor)["results"]
    pharmacy.check_recorded(Event.LOG_SEARCHED, by=StaffRole.AUDITOR)
    entry = AuditEntry.objects.filter(pharmacy=pharmacy.row.pk, action=Event.PRESCRIPTION_RECEIVED).latest("seq")
    assert pharmacy.auditor.get(f"audit/entries/{entry.entry_id}/").status_code == 200
    pharmacy.check_recorded(Event.RECORD_READ, by=StaffRole.AUDITOR)
    answer = pharmacy.auditor.get(f"audit/logs/{entry.log_id}/export/?shape=csv")
    assert answer.status_code == 200
    b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # a streamed answer
    pharmacy.check_recorded(Event.LOG_EXPORTED, by=StaffRole.AUDITOR)
    origin = AuditLog.objects.get(log_id=entry.log_id).origin
    pharmacy.command("audit", "export", pharmacy.folder / "log.csv", "--log", origin, "--quiet")
    pharmacy.check_recorded(Event.LOG_EXPORTED)
    pharmacy.command("audit", "replay", "--log", origin, "--quiet")
    pharmacy.check_recorded(Event.DECISIONS_REPLAYED)
    pharmacy.command("audit", "review", status=1)
    pharmacy.check_recorded(Event.LOG_REVIEWED)
    desk = Client()
    desk.force_login(pharmacy.staff[StaffRole.AUDITOR].user)
    assert desk.post(reverse("counter:audit-checks")).status_code == 302
    pharmacy.check_recorded(Event.CHECK_REQUESTED, by=StaffRole.AUDITOR)
    yesterday = pharmacy.row.local_day(timezone.now()) - timedelta(days=1)
    assert desk.post(reverse("counter:audit-day-sign"), {"day": yesterday.isoformat()}).status_code == 302
    assert pharmacy.check_recorded(Event.DAY_SIGNED, by=StaffRole.AUDITOR)["left"] == []


@journey
def test_alerts_of_the_staff(pharmacy: StaffedPharmacy) -> None:
    taken = pharmacy.receive_order(**above())
    desk = Client()
    desk.force_login(pharmacy.staff[StaffRole.MANAGER].user)
    person = {"member": pharmacy.staff[StaffRole.MANAGER].pk, "medium": "email", "address": "boss@example.org"}
    named = desk.post(reverse("counter:alert-contacts"), {f"person-{name}": value for name, value in person.items()})
    assert named.status_code == 302
    assert (
        pharmacy.check_recorded(Event.ALERT_CONTACT_CHANGED, by=StaffRole.MANAGER)["changed"]["person"]["to"]["medium"]
        == "email"
    )
    patient = Prescription.objects.get(pk=taken["id"]).patient
    WorklistItem.objects.create(
        pharmacy=pharmacy.row, patient=patient, kind=WorkKind.RED_FLAG, reason="The box is empty", opened_at=timezone.now(),
        due_by=timezone.now(),
    )  # fmt: skip
    pharmacy.command("reminders", "run", "--once")
    pharmacy.check_recorded(Event.ALERT_OPENED)
    pharmacy.check_recorded(Event.ALERT_TOLD)
    alert = StaffAlert.objects.get(pharmacy=pharmacy.row, kind=AlertKind.RED_FLAG)
    notices = [
        line.body for line in audit.history(alert, pharmacy=pharmacy.row) if line.entry.action == Event.ALERT_TOLD
    ]
    assert notices[0] is not None and notices[0]["told"][0]["answer"] == "accepted"
    answered = desk.post(reverse("counter:answer-alert", args=[alert.pk]), {"words": "I ring them"})
    assert answered.status_code == 302
    assert pharmacy.check_recorded(Event.ALERT_ANSWERED, by=StaffRole.MANAGER)["words"] == "I ring them"


@journey
def test_another_limit_tried_on_recorded_decisions(pharmacy: StaffedPharmacy) -> None:
    pharmacy.receive_order()
    desk = Client()
    desk.force_login(pharmacy.staff[StaffRole.AUDITOR].user)
    form = desk.get(reverse("counter:audit-trials")).context["form"]
    days = {name: form.initial[name] for name in ("since", "until")}
    choice, _ = form.fields["line"].choices[0]
    asked = desk.post(reverse("counter:audit-trials"), days | {"line": choice, "value": "60"})
    assert asked.status_code == 302, asked.context["errors"]
    pharmacy.check_recorded(Event.TRIAL_REQUESTED, by=StaffRole.AUDITOR)
    limit_trials.run_next(timezone.now)
    pharmacy.check_recorded(Event.DECISIONS_REPLAYED)


@journey
def test_a_long_export(pharmacy: StaffedPharmacy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_exports, "MOST_ROWS", -1)
    desk = Client()
    desk.force_login(pharmacy.staff[StaffRole.AUDITOR].user)
    asked = desk.post(reverse("counter:audit-export"), {"shape": "answers", "purpose": "inspection"})
    assert asked.status_code == 302, asked.context["errors"]
    assert pharmacy.check_recorded(Event.EXPORT_REQUESTED, by=StaffRole.AUDITOR)["reason"] == "inspection"
    assert long_exports.prepare_next(timezone.now)
    assert pharmacy.check_recorded(Event.LOG_EXPORTED)["shape"] == "answers"


@journey
@pytest.mark.parametrize("decision", ["release", "refuse"])
def test_a_patients_file(pharmacy: StaffedPharmacy, decision: str) -> None:
    patient = pharmacy.receive_order()["patient"]["id"]
    manager, second = Client(), Client()
    manager.force_login(pharmacy.staff[StaffRole.MANAGER].user)
    second.force_login(make.staff(pharmacy.row, StaffRole.MANAGER).user)
    request = {"received_on": pharmacy.row.local_day(timezone.now()).isoformat(), "identity": "passport seen"}
    page = manager.post(reverse("counter:audit-file-request", args=[patient]), request)["Location"]
    assert pharmacy.check_recorded(Event.EXPORT_REQUESTED, by=StaffRole.MANAGER, patient=patient)["shape"] == "person"
    assert long_exports.prepare_next(timezone.now)
    assert pharmacy.check_recorded(Event.LOG_EXPORTED, patient=patient)["shape"] == "person"
    sha256 = second.get(page).context["prepared"].sha256
    assert second.post(page, {"do": decision, "sha256": sha256, "words": "As asked."}).status_code == 302
    line = pharmacy.newest_line(Event.FILE_RELEASED if decision == "release" else Event.FILE_REFUSED)
    assert line.entry.second_actor == f"user:{pharmacy.staff[StaffRole.MANAGER].user_id}"


@journey
def test_the_way_out(pharmacy: StaffedPharmacy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command that the page about removing shows, in its order; the exports hold what was recorded."""
    pharmacy.receive_order()
    monkeypatch.chdir(tmp_path)
    names = {"boss": pharmacy.username(StaffRole.MANAGER), "High Street": pharmacy.row.name}
    page = (ROOT / "deploy" / "REMOVING.md").read_text()
    commands = re.findall(r"^ +python manage\.py (.+)$", page, re.MULTILINE)
    assert [command.split()[0] for command in commands] == ["export_records"] * 3 + ["audit"] * 3
    for command in commands:
        words = [names.get(word, word) for word in shlex.split(command)]
        # Other tests leave logs of theirs, and entries whose rows they removed: only this pharmacy's log is sealed and verified here.
        pharmacy.command(*words, *(("--pharmacy", pharmacy.row.pk) if words[1] in {"seal", "verify"} else ()))
    assert pharmacy.check_recorded(Event.LOG_EXPORTED)["reason"] == "removal"
    for kind in ("orders", "dispenses", "findings"):
        assert f"{kind}.csv" in zipfile.ZipFile(tmp_path / f"{kind}.zip").namelist()
    assert "verify.py" in zipfile.ZipFile(tmp_path / "log.zip").namelist()


@journey
def test_peer_review(pharmacy: StaffedPharmacy) -> None:
    taken = pharmacy.receive_order(**above())
    signed = pharmacy.pharmacist.sign(f"prescriptions/{taken['id']}/overrides/", ANSWER | {"finding": "daily-maximum"})
    assert signed.status_code == 201, signed.content
    pharmacy.seal()
    desk = Client()
    desk.force_login(pharmacy.staff[StaffRole.AUDITOR].user)
    yesterday = pharmacy.row.local_day(timezone.now()) - timedelta(days=1)
    period = {"since": yesterday.isoformat(), "until": (yesterday + timedelta(days=2)).isoformat(), "number": 1}
    sample = desk.post(reverse("counter:audit-samples"), period)["Location"]
    (override,) = pharmacy.check_recorded(Event.REVIEW_SAMPLED, by=StaffRole.AUDITOR)["overrides"]
    assert desk.post(sample, {"entry": override, "judgement": "agreed"}).status_code == 302
    pharmacy.check_recorded(Event.REVIEW_JUDGED, by=StaffRole.AUDITOR)


@journey
def test_the_log_about_itself(pharmacy: StaffedPharmacy, database: Database) -> None:
    for _ in range(3):
        pharmacy.receive_order(patient={"identifier": str(uuid.uuid4()), "family_name": "Doe", "given_name": "Sam"})
    pharmacy.seal()
    assert pharmacy.check_recorded(Event.POSTURE)["split"] is database.split
    pharmacy.command("audit", "verify", "--pharmacy", pharmacy.row.pk)
    pharmacy.check_recorded(Event.LOG_VERIFIED)
    with contextlib.suppress(CommandError):  # logs of other tests were signed with other keys
        pharmacy.command("audit", "seal", "--once")
    pharmacy.newest_line(Event.LOG_REGISTERED, REGISTER)
    pharmacy.command("audit", "key", "--rotate")
    pharmacy.check_recorded(Event.KEY_ROTATED)
    people = ("--by", pharmacy.username(StaffRole.MANAGER), "--second", pharmacy.username(StaffRole.PHARMACIST))
    at = ("--pharmacy", pharmacy.row.pk)
    statement = pharmacy.folder / "statement"
    pharmacy.command("audit", "authorise", "erase", statement, *at, "--seq", 2, "--basis", "on request", *people)
    pharmacy.command("audit", "erase", sign_file(statement), "--yes")
    erased = pharmacy.newest_line(Event.ERASED)
    assert erased.entry.second_actor == f"user:{pharmacy.staff[StaffRole.PHARMACIST].user_id}"
    pharmacy.seal()
    log = AuditLog.objects.get(pharmacy=pharmacy.row.pk)
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log.log_id).set_entry(3, "station = 'elsewhere'")
    pharmacy.command("audit", "verify", *at, "--full", status=1)
    pharmacy.check_recorded(Event.INTERFERENCE, outcome="failure")


@journey
def test_a_log_is_continued_as_another(pharmacy: StaffedPharmacy) -> None:
    pharmacy.receive_order()
    people = ("--by", pharmacy.username(StaffRole.MANAGER), "--second", pharmacy.username(StaffRole.PHARMACIST))
    pharmacy.command(
        "audit", "incarnation", "--pharmacy", pharmacy.row.pk, "--reason", "Restored from a backup.", *people
    )
    opened = pharmacy.newest_line(Event.INCARNATION_OPENED)
    assert (opened.entry.seq, opened.entry.actor_role) == (1, Role.MANAGER)
    assert opened.entry.second_actor == f"user:{pharmacy.staff[StaffRole.PHARMACIST].user_id}"


def test_no_kind_of_entry_is_left_that_nobody_makes(request: pytest.FixtureRequest) -> None:
    """Runs last. `RETIRED` needs a month that is over: tests/dispensary/audit/test_retention.py makes one; `LOG_LOST` a restore:
    tests/dispensary/audit/checks/test_tampering_around.py plays it.
    """
    ran = {item.name for item in request.session.items if item.path == Path(__file__)}
    if not set(JOURNEYS) <= ran:
        pytest.skip("only when all journeys of this file ran in this process")
    assert {event.value for event in Event} - {event.value for event in RECORDED_EVENTS} == {
        Event.RETIRED.value,
        Event.LOG_LOST.value,
    }
