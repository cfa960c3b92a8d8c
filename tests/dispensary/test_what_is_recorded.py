"""Everything that matters is in the log: each kind of entry is made through the door by which it happens in real life.

HTTP with the tokens and forms of real clients, commands as they are typed, the engine as its worker runs it. At the end no
kind of entry may be left that no journey made.
"""

from __future__ import annotations

import contextlib
import json
import time
import uuid
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
from tests.dispensary.api.fhir.orders import request as fhir_request
from tests.dispensary.api.test_audit import search
from tests.dispensary.audit.signing import sign_file, trust_signers
from tests.site import Database

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True, databases=["default", "sealer", "owner"]),
]

SECRET = "shared-with-the-gateway"
MADE: set[Event] = set()
"""Events that the journeys of this run made."""
JOURNEYS: list[str] = []


@pytest.fixture(scope="module", autouse=True)
def printed_fonts() -> None:
    build.build(with_test_tools=True, quiet=True)


class House:
    """A pharmacy with one person of each role, and its log."""

    def __init__(self, settings: Any, folder: Path) -> None:
        self.settings, self.folder = settings, folder
        self.sent, self.faults = folder / "sent.jsonl", folder / "faults.json"
        settings.DISPENSARY = {
            **getattr(settings, "DISPENSARY", {}),
            "audit_key_file": folder / "keys" / "key",
            "channels": {"email": "sink", "sms": "gateway"},
            "channel_options": {
                "sink": {"file": str(self.sent), "faults": str(self.faults), "words": True},
                "gateway": {"url": "http://127.0.0.1:1/", "secret": SECRET},
            },
            "public_url": "https://pharmacy.example",
        }
        trust_signers(settings, folder)
        self.command("audit", "key", "--new")
        make.products()
        self.shop: Pharmacy = make.pharmacy(
            now=timezone.now(), time_zone="UTC", quiet_from="00:00", quiet_until="00:00"
        )
        self.people = {role: make.staff(self.shop, role, now=timezone.now()) for role in StaffRole}
        self.callers = {role: Caller(member) for role, member in self.people.items()}
        self.pharmacist, self.manager = self.callers[StaffRole.PHARMACIST], self.callers[StaffRole.MANAGER]
        self.auditor, self.technician = self.callers[StaffRole.AUDITOR], self.callers[StaffRole.TECHNICIAN]

    def command(self, *words: object, status: int = 0) -> str:
        out = StringIO()
        try:
            call_command(*map(str, words), stdout=out)
        except SystemExit as end:
            assert end.code == status, out.getvalue()
        return out.getvalue()

    def name(self, role: StaffRole) -> str:
        return str(self.people[role].user.get_username())

    def newest(self, event: Event, pharmacy: uuid.UUID | None = None) -> audit.Line:
        """The newest entry of that kind, as a person reads it; it must have come since this was last asked."""
        entry = AuditEntry.objects.filter(pharmacy=pharmacy or self.shop.pk, action=event).order_by("-seq").first()
        assert entry is not None, f"nothing wrote {event.value}"
        assert entry.seq is not None
        MADE.add(event)
        (line,) = audit.lines([entry], pharmacy or self.shop.pk)
        assert line.sentence.endswith("."), line.sentence
        assert not set("{}") & set(line.sentence)
        return line

    def wrote(
        self,
        event: Event,
        *,
        by: StaffRole | None = None,
        outcome: str = "success",
        patient: Any = None,
        rules: tuple[str, ...] | None = None,
        pharmacy: uuid.UUID | None = None,
    ) -> dict[str, Any]:
        """That the last entry of that kind says who, about whom and how it ended; gives its body."""
        line = self.newest(event, pharmacy)
        actor = f"user:{self.people[by].user_id}" if by else line.entry.actor
        assert (line.entry.actor, line.entry.outcome) == (actor, outcome), line.sentence
        if by is None:
            assert line.entry.actor.startswith("system:")
        if patient is not None:
            assert line.entry.patient_ref == str(patient)
        if rules is not None:
            assert tuple(line.entry.rule_codes or ()) == rules
        return line.body or {}

    def taken_in(self, by: Caller | None = None, **changes: Any) -> dict[str, Any]:
        made = (by or self.technician).post("prescriptions/", order(**changes))
        assert made.status_code == 201, made.content
        return made.json()["prescription"]

    def handed_over(self, prescription: str, *, status: int = 201, **body: Any) -> dict[str, Any]:
        key = str(uuid.uuid4())
        send = self.pharmacist.sign if "overrides" in body else self.pharmacist.post
        done = send(f"prescriptions/{prescription}/dispenses/", hand_over(**body), Idempotency_Key=key)
        assert done.status_code == status, done.content
        return done.json()

    def seal(self) -> None:
        self.command("audit", "seal", "--once", "--pharmacy", self.shop.pk)


@pytest.fixture
def house(settings: Any, tmp_path: Path, transactional_db: None) -> House:
    return House(settings, tmp_path)


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
def test_an_order_from_taking_in_to_the_end(house: House) -> None:
    taken = house.taken_in()
    patient = taken["patient"]["id"] if isinstance(taken["patient"], dict) else taken["patient"]
    technician = StaffRole.TECHNICIAN
    house.wrote(Event.PATIENT_REGISTERED, by=technician, patient=patient)
    house.wrote(Event.PRESCRIBER_CHANGED, by=technician)
    house.wrote(Event.PRESCRIPTION_RECEIVED, by=technician, patient=patient)
    review = house.wrote(Event.REVIEW_RECORDED, by=technician, patient=patient)
    line = house.newest(Event.REVIEW_RECORDED)
    assert len(line.entry.ruleset) == 32
    assert line.entry.engine
    assert {"case", "result"} <= {key.removesuffix("_text") for key in review} or "case" in json.dumps(review)

    house.taken_in(patient={"id": patient}, replaces=taken["id"])
    house.wrote(Event.PRESCRIPTION_REPLACED, by=technician, patient=patient)
    other = house.taken_in(patient={"identifier": "P-88", "family_name": "Doe", "given_name": "Sam"})
    done = house.pharmacist.post(f"prescriptions/{other['id']}/cancel/", {"reason": "written in error"}, If_Match='"1"')
    assert done.status_code == 200, done.content
    assert house.wrote(Event.PRESCRIPTION_CANCELLED, by=StaffRole.PHARMACIST)["reason"] == "written in error"

    where = f"prescriptions/{other['id']}/"
    undone = house.pharmacist.post(where + "reinstate/", {"reason": "the wrong one"}, If_Match='"2"')
    assert undone.status_code == 200, undone.content
    house.wrote(Event.PRESCRIPTION_REINSTATED, by=StaffRole.PHARMACIST)
    held = house.technician.post(where + "hold/", {"awaiting": "stock"}, If_Match='"3"')
    assert held.json()["status"] == "on-hold", held.content
    house.wrote(Event.PRESCRIPTION_PAUSED, by=technician)
    assert house.technician.post(where + "resume/", If_Match='"4"').json()["status"] == "active"
    house.wrote(Event.PRESCRIPTION_RESUMED, by=technician)

    desks = [Client() for _ in range(2)]
    for desk, role in zip(desks, (technician, StaffRole.PHARMACIST), strict=True):
        desk.force_login(house.people[role].user)
        desk.get(reverse("counter:check", args=[other["id"]]))
    desks[1].post(reverse("counter:take-over", args=[other["id"]]))
    house.wrote(Event.PRESCRIPTION_TAKEN_OVER, by=StaffRole.PHARMACIST)
    paper = {
        "written_on": str(today()), "strength_mg": "10", "directions": "5 mg three times a day for 28 days",
        "follows": "continues", "prescriber": taken["prescriber"]["identifier"],
    }  # fmt: skip
    desks[0].post(reverse("counter:new-order", args=[patient]), paper | {"quantity": "24", "key": "typed"})
    order_typed = Prescription.objects.get(source=Source.COUNTER)
    correction = reverse("counter:correct-order", args=[order_typed.pk])
    done = desks[0].post(correction, paper | {"quantity": "42", "key": "corrected", "reason": "digits swapped"})
    assert done.status_code == 302, done.content
    house.wrote(Event.PRESCRIPTION_CORRECTED, by=technician)

    taken_now = {
        "dispensed_on": str(today() - timedelta(days=10)), "doses": [20, 20, 20], "strength_mg": 10, "days_supply": 28,
        "relation": "same-course",
    }  # fmt: skip
    person = {"identifier": "P-89", "family_name": "Slow", "given_name": "Sal"}
    order_of_sal = house.taken_in(patient=person, case=case() | {"history": [taken_now]})
    request = reverse("counter:plan-pdf", args=[order_of_sal["id"]])
    printed = desks[1].get(request, {"goal": "nothing", "strengths_mg": "10"})
    assert printed.content.startswith(b"%PDF"), printed.content
    house.wrote(Event.PLAN_REQUESTED, by=StaffRole.PHARMACIST)

    where = f"patients/{order_of_sal['patient']['id']}/emergency/"
    arranged = house.pharmacist.post(where, {"days": 2, "strength_mg": 10, "prescriber": {"identifier": "D-1"}})
    assert arranged.status_code == 201, arranged.content
    house.wrote(Event.EMERGENCY_ARRANGED, by=StaffRole.PHARMACIST)

    sent = fhir_request(identifier=[{"system": "urn:ehr", "value": "RX-1"}], authoredOn=str(today()))
    assert house.technician.post("fhir/MedicationRequest", sent).status_code == 201
    assert house.technician.post("fhir/MedicationRequest", sent | {"status": "on-hold"}).status_code == 200
    house.wrote(Event.PRESCRIPTION_HELD, by=technician)
    assert house.technician.post("fhir/MedicationRequest", sent).status_code == 200
    house.wrote(Event.PRESCRIPTION_RELEASED, by=technician)
    assert house.technician.post("fhir/MedicationRequest", sent | {"status": "cancelled"}).status_code == 200
    house.wrote(Event.PRESCRIPTION_WITHDRAWN, by=technician)


@journey
def test_a_bag_is_prepared_checked_shelved_put_back_and_handed_over(house: House) -> None:
    too_high = house.taken_in(**above(patient={"identifier": "P-70", "family_name": "Much"}))
    clean = house.taken_in(patient={"identifier": "P-71", "family_name": "Bag"})
    set_up = Actor.system("setup", house.shop.pk)
    pharmacies.change_settings(pharmacy=house.shop, changes={"separate_steps": True}, by=set_up, now=timezone.now())

    def step(who: StaffRole, where: str, body: Any, status: int = 200) -> Any:
        done = house.callers[who].post(where, body, Idempotency_Key=str(uuid.uuid4()))
        assert done.status_code == status, done.content
        return done.json()

    technician, pharmacist = StaffRole.TECHNICIAN, StaffRole.PHARMACIST
    bags = f"prescriptions/{clean['id']}/bags/"
    first = step(technician, bags, hand_over(), 201)
    house.wrote(Event.BAG_PREPARED, by=technician)
    step(technician, f"bags/{first['id']}/put-back/", {"reason": "wrong box"})
    house.wrote(Event.BAG_PUT_BACK, by=technician)
    bag = f"bags/{step(technician, bags, hand_over(), 201)['id']}"
    step(technician, f"{bag}/shelve/", {"shelf": "A3"}, 409)
    assert step(pharmacist, f"{bag}/check/", {})["stage"] == "checked"
    house.wrote(Event.BAG_CHECKED, by=pharmacist)
    step(technician, f"{bag}/shelve/", {"shelf": "A3"})
    assert house.wrote(Event.BAG_SHELVED, by=technician)["shelf"] == "A3"
    told = {"identified": "said name and date of birth", "counselled": ["how"]}
    step(technician, f"{bag}/hand-over/", told, 201)
    assert house.wrote(Event.BAG_HANDED_OVER, by=technician)["counselled"] == ["how"]

    unanswered = step(technician, f"prescriptions/{too_high['id']}/bags/", hand_over(294), 201)
    step(pharmacist, f"bags/{unanswered['id']}/check/", {}, 409)
    house.wrote(Event.BAG_CHECK_REFUSED, by=pharmacist, outcome="refused")
    desk = Client()
    desk.force_login(house.people[technician].user)
    desk.post(reverse("counter:bag", args=[unanswered["id"]]), {"uncheck": "1"})
    house.wrote(Event.BAG_UNCHECKED, by=technician)


@journey
def test_the_downtime_form_is_printed(house: House) -> None:
    taken = house.taken_in()
    printed = house.technician.get("downtime/form.pdf?days=3")
    assert printed.content.startswith(b"%PDF"), printed.content
    assert house.wrote(Event.DOWNTIME_PRINTED, by=StaffRole.TECHNICIAN)["patients"] == 1
    house.wrote(Event.PATIENT_OPENED, by=StaffRole.TECHNICIAN, patient=taken["patient"]["id"])


@journey
def test_what_was_handed_over_in_the_downtime_is_recorded_and_reviewed(house: House) -> None:
    taken = house.taken_in()
    where = f"prescriptions/{taken['id']}/late-dispenses/"
    at = (timezone.now() - timedelta(hours=20)).isoformat()
    line = hand_over(handed_over_at=at, handed_over_by="Pat Locum", words="The clinic agreed.")
    done = house.technician.post(where, line, Idempotency_Key="line-1")
    assert done.status_code == 201, done.content
    body = house.wrote(Event.DISPENSED_LATE, by=StaffRole.TECHNICIAN, patient=taken["patient"]["id"])
    assert (body["dispenser_name"], body["late_words"]) == ("Pat Locum", "The clinic agreed.")
    assert house.newest(Event.WORKLIST_OPENED).entry.reason_code == "late-entry"
    (work,) = [row for row in house.pharmacist.get("work/").json()["results"] if row["kind"] == "late-entry"]
    reviewed = house.pharmacist.post(f"work/{work['id']}/resolve/", {"resolution": "reviewed"})
    assert reviewed.status_code == 200, reviewed.content
    assert house.newest(Event.WORKLIST_CLOSED).entry.reason_code == "reviewed"


@journey
def test_cards_for_another_system_and_what_was_done_about_them(house: House) -> None:
    service, technician = "/cds-services/baclofen-sign", house.technician
    steep = hooks.draft(hooks.line(hooks.mg(35), hooks.daily(3, boundsDuration=hooks.days(28))))
    answered = technician.post(service, hooks.call(steep))
    assert answered.status_code == 200, answered.content
    house.wrote(Event.CARDS_SENT, by=StaffRole.TECHNICIAN)
    done = technician.post(f"{service}/feedback", hooks.feedback(answered.json()["cards"][0]["uuid"]))
    assert done.status_code == 200, done.content
    house.wrote(Event.CARD_ANSWERED, by=StaffRole.TECHNICIAN)


@journey
def test_overrides_dispenses_and_their_papers(house: House) -> None:
    pharmacist = StaffRole.PHARMACIST
    taken = house.taken_in(**above())
    where = f"prescriptions/{taken['id']}/"
    refused = house.handed_over(taken["id"], status=409, quantity=294)
    recorded = house.wrote(Event.DISPENSE_REFUSED, by=pharmacist, outcome="refused")
    assert "daily-maximum" in house.newest(Event.DISPENSE_REFUSED).sentence
    assert recorded
    asked = {finding["code"]: finding["severity"] for finding in refused["findings"]}
    guessed = house.pharmacist.sign(where + "overrides/", ANSWER | {"finding": "daily-maximum"}, "guessed")
    assert guessed.status_code == 403, guessed.content
    assert "guessed" not in json.dumps(house.wrote(Event.SIGNATURE_REFUSED, by=pharmacist, outcome="refused"))
    signed = house.pharmacist.sign(where + "overrides/", ANSWER | {"finding": "daily-maximum"})
    assert signed.status_code == 201, signed.content
    body = house.wrote(Event.OVERRIDE_SIGNED, by=pharmacist, rules=("daily-maximum",))
    words = json.dumps(body)
    for expected_words in (ANSWER["words"], ANSWER["asked"], ANSWER["agreed"], house.people[pharmacist].display_name):
        assert expected_words in words
    assert house.newest(Event.OVERRIDE_SIGNED).entry.reason_code == "5"
    taken_back = house.pharmacist.post(f"overrides/{signed.json()['id']}/withdraw/", {"reason": "the clinic rang back"})
    assert taken_back.status_code == 200, taken_back.content
    house.wrote(Event.OVERRIDE_WITHDRAWN, by=pharmacist, rules=("daily-maximum",))

    milder = [code for code, severity in asked.items() if severity == "acknowledge"]
    answers = [ANSWER | {"finding": code} for code, severity in asked.items() if severity == "override"]
    done = house.handed_over(taken["id"], quantity=294, overrides=answers, acknowledged=milder)
    house.wrote(Event.DISPENSED, by=pharmacist)
    if milder:
        house.wrote(Event.FINDING_ACKNOWLEDGED, by=pharmacist)
    for event in (Event.LABEL_PRINTED, Event.LABEL_REPRINTED):
        assert house.pharmacist.get(f"dispenses/{done['id']}/label.pdf").status_code == 200
        house.wrote(event, by=pharmacist)
    assert house.pharmacist.get(f"dispenses/{done['id']}/calendar.pdf").status_code == 200
    house.wrote(Event.DOCUMENT_PRINTED, by=pharmacist)

    gone = house.pharmacist.post(f"dispenses/{done['id']}/cancel/", {"reason": "wrong bag"}, If_Match="*")
    assert gone.status_code == 200, gone.content
    assert "wrong bag" in json.dumps(house.wrote(Event.DISPENSE_CANCELLED, by=pharmacist))
    again = house.handed_over(taken["id"], quantity=294, overrides=answers, acknowledged=milder)
    back = house.pharmacist.post(f"dispenses/{again['id']}/return/", {"reason": "never collected"}, If_Match="*")
    assert back.status_code == 200, back.content
    house.wrote(Event.DISPENSE_RETURNED, by=pharmacist)


@journey
def test_another_pharmacys_record_is_opened_in_an_emergency(house: House, client: Client) -> None:
    member = house.people[StaffRole.PHARMACIST]
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    form = {"family_name": "Nobody", "birth_date": "1981-05-02", "reason": "brought in without papers"}
    assert client.post(reverse("counter:break-glass"), form).status_code == 200
    assert house.wrote(Event.RECORD_BROKEN_INTO, by=StaffRole.PHARMACIST)["patients"] == []


@journey
def test_a_manager_tries_a_channel(house: House, client: Client) -> None:
    member = house.people[StaffRole.MANAGER]
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    trial = {"trial-medium": "email", "trial-address": "mara@example.org"}
    assert client.post(reverse("counter:try-channel"), trial).status_code == 302
    recorded = house.wrote(Event.CHANNEL_TRIED, by=StaffRole.MANAGER)
    assert (recorded["answer"], recorded["address"]) == ("accepted", "m…@example.org")


@journey
def test_limits_are_read_and_signed(house: House, client: Client) -> None:
    member = house.people[StaffRole.PHARMACIST]
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    page = client.get(reverse("counter:limits"))
    line = page.context["rows"][0][0]
    form = {
        "lines": [line.digest], "review_on": str(today() + timedelta(days=300)), "password": make.PASSWORD,
        "nonce": str(page.context["signature"].begun.pk),
    }  # fmt: skip
    assert client.post(reverse("counter:limits"), form).status_code == 302
    (recorded,) = house.wrote(Event.LIMITS_SIGNED, by=StaffRole.PHARMACIST)["lines"]
    assert (recorded["place"], recorded["digest"]) == (line.place, line.digest)


@journey
def test_limits_are_changed_by_two_managers_or_after_a_day(house: House) -> None:
    Pharmacy.objects.filter(pk=house.shop.pk).update(opened_at=timezone.now() - timedelta(days=2))
    manager = house.name(StaffRole.MANAGER)
    house.command("pharmacy", "set", "second_signer_minutes=20", "--pharmacy", house.shop.pk, "--by", manager)
    assert house.wrote(Event.SETTINGS_ASKED, by=StaffRole.MANAGER)["changes"] == {"second_signer_minutes": "20"}
    settings_changes.withdraw(
        change=SettingsChange.objects.get(), by=house.people[StaffRole.MANAGER].actor(), now=timezone.now()
    )
    house.wrote(Event.SETTINGS_WITHDRAWN, by=StaffRole.MANAGER)
    Pharmacy.objects.filter(pk=house.shop.pk).update(opened_at=timezone.now())


@journey
def test_the_worst_overrides_are_signed_by_two_or_alone(house: House) -> None:
    house.command(
        "pharmacy", "set", "second_signer=yes", "--pharmacy", house.shop.pk, "--by", house.name(StaffRole.MANAGER)
    )
    for event, by in ((Event.OVERRIDE_SECONDED, StaffRole.MANAGER), (Event.OVERRIDE_ALONE, StaffRole.PHARMACIST)):
        where = f"prescriptions/{house.taken_in(**above())['id']}/"
        signed = house.pharmacist.sign(where + "overrides/", ANSWER | {"finding": "daily-maximum"})
        assert signed.json()["state"] == "waiting", signed.content
        before = timezone.now() - timedelta(minutes=16)
        make.change_past_actions(Override.objects.filter(pk=signed.json()["id"]), signed_at=before)
        caller = house.callers[by]
        begun = caller.get(where + "second/").json()
        proof = proof_of(begun)
        alone = {} if event is Event.OVERRIDE_SECONDED else {"alone_because": "nobody else is here"}
        done = caller.post(where + "second/", {"proof": proof, **alone})
        assert done.status_code == 200, done.content
        house.wrote(event, by=by, rules=("daily-maximum",))
    house.command(
        "pharmacy", "set", "second_signer=no", "--pharmacy", house.shop.pk, "--by", house.name(StaffRole.MANAGER)
    )


@journey
def test_a_medicine_is_stopped(house: House) -> None:
    pharmacist = StaffRole.PHARMACIST
    where = f"prescriptions/{house.taken_in(**above())['id']}/"
    stop = house.pharmacist.post(where + "stop/", {"words": "no longer needed"})
    assert stop.status_code == 409, stop.content
    house.wrote(Event.PRESCRIPTION_STOP_REFUSED, by=pharmacist, outcome="refused", rules=("abrupt-stop",))
    stop = house.pharmacist.sign(
        where + "stop/", {"words": "no longer needed", "overrides": [ANSWER | {"finding": "abrupt-stop"}]}
    )
    assert stop.status_code == 200, stop.content
    house.wrote(Event.PRESCRIPTION_STOPPED, by=pharmacist)


@journey
def test_what_a_patient_takes_is_decided(house: House) -> None:
    taken = house.taken_in()
    house.handed_over(taken["id"])
    where = f"patients/{taken['patient']['id']}/decisions/"
    (course,) = house.pharmacist.get(where).json()["courses"]
    counted = {
        "kind": "counted",
        "object": course["name"],
        "tablets": ["40"],
        "words": "brought the box",
        "mitigation": "4",
    }
    decided = house.pharmacist.post(where, counted)
    assert decided.status_code == 201, decided.content
    body = house.wrote(Event.THERAPY_DECIDED, by=StaffRole.PHARMACIST, patient=taken["patient"]["id"])
    assert body["tablets"] == ["40.00"]


@journey
def test_a_finding_that_needs_one_step_is_recorded_with_it(house: House) -> None:
    facts = case()["patient"] | {"drives": True}
    taken = house.taken_in(case=case() | {"patient": facts})
    read = house.pharmacist.get(f"prescriptions/{taken['id']}/").json()["assessment"]["findings"]
    milder = [finding["code"] for finding in read if finding["severity"] == "acknowledge"]
    assert milder, [(finding["code"], finding["severity"]) for finding in read]
    house.handed_over(taken["id"], acknowledged=milder)
    house.wrote(Event.FINDING_ACKNOWLEDGED, by=StaffRole.PHARMACIST)


@journey
def test_a_patients_record(house: House) -> None:
    pharmacist = StaffRole.PHARMACIST
    patient = make.patient(house.shop, now=timezone.now())
    where = f"patients/{patient.pk}/"
    read = house.pharmacist.get(where)
    assert read.status_code == 200
    house.wrote(Event.PATIENT_OPENED, by=pharmacist, patient=patient.pk)
    assert house.pharmacist.post("patients/search/", {"words": "Okafor"}).status_code == 200
    assert "kafor" not in house.newest(Event.PATIENT_SEARCHED).sentence
    house.wrote(Event.PATIENT_SEARCHED, by=pharmacist)
    changed = house.pharmacist.patch(where, {"facts": {"weight_kg": "72.5"}}, If_Match=read["ETag"])
    assert changed.status_code == 200, changed.content
    assert "72.5" in json.dumps(house.wrote(Event.PATIENT_CHANGED, by=pharmacist, patient=patient.pk))
    assert house.pharmacist.patch(where, {"given_name": "Adah"}, If_Match="*").status_code == 200
    assert "Adah" in json.dumps(house.wrote(Event.PATIENT_CORRECTED, by=pharmacist, patient=patient.pk))
    assert "Ada" not in house.newest(Event.PATIENT_CORRECTED).sentence
    namesake = make.patient(house.shop, now=timezone.now(), given_name="Adah")
    answer = {"other": str(namesake.pk), "answer": "other"}
    assert house.pharmacist.post(where + "namesakes/", answer).status_code == 200
    house.wrote(Event.NAMESAKE_ANSWERED, by=pharmacist, patient=namesake.pk)
    supply = {
        "dispensed_on": str(today() - timedelta(days=20)),
        "doses": [5, 5, 5],
        "strength_mg": 10,
        "days_supply": 28,
        "relation": "same-course",
    }
    noted = house.pharmacist.post(where + "supplies/", {"supplies": [supply]}, Idempotency_Key="k")
    assert noted.status_code in (200, 201), noted.content
    house.wrote(Event.SUPPLY_NOTED, by=pharmacist, patient=patient.pk)
    assert house.pharmacist.post(where + "contacts/", {"medium": "sms", "address": "07700 900123"}).status_code == 201
    assert house.wrote(Event.CONTACT_CHANGED, by=pharmacist, patient=patient.pk)["medium"] == "sms"
    assert (
        "900123" not in house.newest(Event.CONTACT_CHANGED).sentence
    )  # the address is in the body, which may be erased
    assert house.pharmacist.post(where + "consents/", {"medium": "sms", "answer": "yes"}).status_code == 204
    house.wrote(Event.CONSENT_CHANGED, by=pharmacist, patient=patient.pk)


@journey
def test_reminders_planned_sent_failed_delivered_withdrawn(house: House, client: Client) -> None:
    patient = make.patient(house.shop, now=timezone.now())
    where = f"patients/{patient.pk}/"
    for medium, address in (("email", "ada@example.org"),):
        assert house.pharmacist.post(where + "contacts/", {"medium": medium, "address": address}).status_code == 201
        assert house.pharmacist.post(where + "consents/", {"medium": medium, "answer": "yes"}).status_code == 204
    taken = house.taken_in(patient={"id": str(patient.pk)})
    house.handed_over(taken["id"])
    code = ContactPoint.objects.get(patient=patient).page_code
    assert client.post(f"/m/{code}", {"do": "well"}).status_code == 302
    line = house.newest(Event.PATIENT_ANSWERED)
    assert "kafor" not in line.sentence and line.entry.actor == "patient"
    first, second, third = Reminder.objects.order_by("due_at")[:3]

    house.pharmacist.post(f"reminders/{first.public_id}/send/", {"despite_quiet_hours": True})
    house.wrote(Event.REMINDER_PLANNED, by=StaffRole.PHARMACIST, patient=patient.pk)
    house.command("reminders", "run", "--once")
    house.wrote(Event.REMINDER_SENT, patient=patient.pk)
    assert house.sent.exists()

    house.pharmacist.post(f"reminders/{second.public_id}/withdraw/")
    house.wrote(Event.REMINDER_WITHDRAWN, by=StaffRole.PHARMACIST, patient=patient.pk)

    house.faults.write_text(json.dumps({"answer": "refuse", "times": 9}))
    house.pharmacist.post(f"reminders/{third.public_id}/send/", {"despite_quiet_hours": True})
    house.command("reminders", "run", "--once")
    house.wrote(Event.REMINDER_FAILED, outcome="failure", patient=patient.pk)

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
    house.wrote(Event.REMINDER_DELIVERED, patient=patient.pk)


@journey
def test_the_list_of_patients_who_may_run_out(house: House) -> None:
    pharmacist = StaffRole.PHARMACIST
    house.handed_over(house.taken_in()["id"])
    dispense = Dispense.objects.get()
    ended_on = today() - timedelta(days=3)
    TherapySummary.objects.update(first_uncovered_on=ended_on, listed_from=ended_on, listed_until=today())
    house.command("reminders", "run", "--once")
    house.wrote(Event.WORKLIST_OPENED, patient=dispense.patient_id)
    (item,) = house.pharmacist.get("work/").json()["results"]
    until = (timezone.now() + timedelta(days=1)).isoformat()
    house.pharmacist.post(f"work/{item['id']}/put-off/", {"until": until, "note": "rings back"})
    house.wrote(Event.WORKLIST_ANSWERED, by=pharmacist, patient=dispense.patient_id)
    house.pharmacist.post(f"work/{item['id']}/resolve/", {"resolution": "called", "note": "has some left"})
    house.wrote(Event.WORKLIST_CLOSED, by=pharmacist, patient=dispense.patient_id)


@journey
def test_people_come_in_are_turned_away_and_go(house: House, client: Client) -> None:
    login = reverse("account_login")
    client.post(login, {"login": house.name(StaffRole.PHARMACIST), "password": "guessed"})
    body = house.wrote(Event.SIGN_IN_REFUSED, outcome="refused")
    assert body["name"] == house.name(StaffRole.PHARMACIST)
    assert "guessed" not in json.dumps(body)
    done = client.post(login, {"login": house.name(StaffRole.PHARMACIST), "password": make.PASSWORD})
    assert done.status_code == 302, done.content
    house.wrote(Event.SIGNED_IN, by=StaffRole.PHARMACIST)
    client.post(reverse("counter:leave"))
    house.wrote(Event.SIGNED_OUT, by=StaffRole.PHARMACIST)
    assert house.technician.get("audit/entries/").status_code == 403
    house.wrote(Event.ACCESS_REFUSED, by=StaffRole.TECHNICIAN, outcome="refused")
    house.command("api_token", house.name(StaffRole.AUDITOR))
    house.wrote(Event.TOKEN_ISSUED)
    house.command("api_token", house.name(StaffRole.AUDITOR), "--revoke")
    house.wrote(Event.TOKEN_REVOKED)
    client.post(login, {"login": house.name(StaffRole.MANAGER), "password": make.PASSWORD})
    new = {"username": f"new{uuid.uuid4().hex[:6]}", "display_name": "Nia New", "role": "technician"}
    assert client.post(reverse("counter:people"), new).status_code == 200
    house.wrote(Event.ACCOUNT_OPENED, by=StaffRole.MANAGER)
    nia = house.shop.staff.get(display_name="Nia New")
    assert client.post(reverse("counter:person", args=[nia.pk]), {"do": "link"}).status_code == 200
    house.wrote(Event.SIGN_IN_CHANGED, by=StaffRole.MANAGER)


@journey
def test_a_pharmacy_is_opened_set_up_and_staffed(house: House) -> None:
    new = uuid.UUID(
        house.command(
            "pharmacy",
            "open",
            "Mill Lane Pharmacy",
            "time_zone=Europe/London",
            "address=1 Mill Lane",
            "phone=01865 496000",
        ).strip()
    )
    assert house.wrote(Event.PHARMACY_OPENED, pharmacy=new)["name"] == "Mill Lane Pharmacy"
    boss = get_user_model().objects.create_user(f"boss{uuid.uuid4().hex[:6]}")
    staff = ("pharmacy", "staff", boss.get_username(), "--pharmacy", new, "--role", "manager", "--name", "Bea Boss")
    house.command(*staff)
    house.wrote(Event.ACCESS_CHANGED, pharmacy=new)
    with pytest.raises(CommandError, match="--by"):  # from the first manager on, somebody answers
        house.command("pharmacy", "set", "quiet_from=21:00", "--pharmacy", new)
    by = ("--pharmacy", new, "--by", boss.get_username())
    house.command("pharmacy", "set", "quiet_from=21:00", *by)
    changed = house.newest(Event.SETTINGS_CHANGED, new)
    assert changed.entry.actor == f"user:{boss.pk}"
    assert (changed.body or {})["changed"]["quiet_from"] == {"from": "20:00:00", "to": "21:00:00"}
    house.command("pharmacy", "set", "profile=uk-smpc", *by)
    assert (house.newest(Event.PROFILE_CHANGED, new).body or {})["changed"]["profile"]["to"] == "uk-smpc"
    house.command("pharmacy", "product", "05012345678924", "--name", "Baclofen 20 mg", "--strength-mg", "20",
                  "--pack-size", "50", *by)  # fmt: skip
    assert house.newest(Event.PRODUCT_CHANGED, new).entry.actor == f"user:{boss.pk}"
    with pytest.raises(CommandError, match="only manager"):
        house.command("pharmacy", "end", boss.get_username(), *by)
    deputy = get_user_model().objects.create_user(f"deputy{uuid.uuid4().hex[:6]}")
    house.command("pharmacy", "staff", deputy.get_username(), "--role", "manager", "--name", "Dee Deputy", *by)
    house.command("pharmacy", "end", boss.get_username(), *by)
    assert (house.newest(Event.ACCESS_CHANGED, new).body or {})["to"] == {"role": "manager", "active": False}
    assert str(new) in house.command("pharmacy", "list")


@journey
def test_reading_exporting_replaying_and_reviewing_the_log(house: House) -> None:
    house.taken_in()
    assert search(house.auditor)["results"]
    house.wrote(Event.LOG_SEARCHED, by=StaffRole.AUDITOR)
    entry = AuditEntry.objects.filter(pharmacy=house.shop.pk, action=Event.PRESCRIPTION_RECEIVED).latest("seq")
    assert house.auditor.get(f"audit/entries/{entry.entry_id}/").status_code == 200
    house.wrote(Event.RECORD_READ, by=StaffRole.AUDITOR)
    answer = house.auditor.get(f"audit/logs/{entry.log_id}/export/?shape=csv")
    assert answer.status_code == 200
    b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # a streamed answer
    house.wrote(Event.LOG_EXPORTED, by=StaffRole.AUDITOR)
    origin = AuditLog.objects.get(log_id=entry.log_id).origin
    house.command("audit", "export", house.folder / "log.csv", "--log", origin, "--quiet")
    house.wrote(Event.LOG_EXPORTED)
    house.command("audit", "replay", "--log", origin, "--quiet")
    house.wrote(Event.DECISIONS_REPLAYED)
    house.command("audit", "review", status=1)
    house.wrote(Event.LOG_REVIEWED)
    desk = Client()
    desk.force_login(house.people[StaffRole.AUDITOR].user)
    assert desk.post(reverse("counter:audit-checks")).status_code == 302
    house.wrote(Event.CHECK_REQUESTED, by=StaffRole.AUDITOR)
    yesterday = house.shop.local_day(timezone.now()) - timedelta(days=1)
    assert desk.post(reverse("counter:audit-day-sign"), {"day": yesterday.isoformat()}).status_code == 302
    assert house.wrote(Event.DAY_SIGNED, by=StaffRole.AUDITOR)["left"] == []


@journey
def test_alerts_of_the_staff(house: House) -> None:
    taken = house.taken_in(**above())
    desk = Client()
    desk.force_login(house.people[StaffRole.MANAGER].user)
    person = {"member": house.people[StaffRole.MANAGER].pk, "medium": "email", "address": "boss@example.org"}
    named = desk.post(reverse("counter:alert-contacts"), {f"person-{name}": value for name, value in person.items()})
    assert named.status_code == 302
    assert (
        house.wrote(Event.ALERT_CONTACT_CHANGED, by=StaffRole.MANAGER)["changed"]["person"]["to"]["medium"] == "email"
    )
    patient = Prescription.objects.get(pk=taken["id"]).patient
    WorklistItem.objects.create(
        pharmacy=house.shop, patient=patient, kind=WorkKind.RED_FLAG, reason="The box is empty", opened_at=timezone.now(),
        due_by=timezone.now(),
    )  # fmt: skip
    house.command("reminders", "run", "--once")
    house.wrote(Event.ALERT_OPENED)
    house.wrote(Event.ALERT_TOLD)
    alert = StaffAlert.objects.get(pharmacy=house.shop, kind=AlertKind.RED_FLAG)
    notices = [line.body for line in audit.history(alert, pharmacy=house.shop) if line.entry.action == Event.ALERT_TOLD]
    assert notices[0] is not None and notices[0]["told"][0]["answer"] == "accepted"
    answered = desk.post(reverse("counter:answer-alert", args=[alert.pk]), {"words": "I ring them"})
    assert answered.status_code == 302
    assert house.wrote(Event.ALERT_ANSWERED, by=StaffRole.MANAGER)["words"] == "I ring them"


@journey
def test_another_limit_tried_on_recorded_decisions(house: House) -> None:
    house.taken_in()
    desk = Client()
    desk.force_login(house.people[StaffRole.AUDITOR].user)
    form = desk.get(reverse("counter:audit-trials")).context["form"]
    days = {name: form.initial[name] for name in ("since", "until")}
    choice, _ = form.fields["line"].choices[0]
    asked = desk.post(reverse("counter:audit-trials"), days | {"line": choice, "value": "60"})
    assert asked.status_code == 302, asked.context["errors"]
    house.wrote(Event.TRIAL_REQUESTED, by=StaffRole.AUDITOR)
    limit_trials.run_next(timezone.now)
    house.wrote(Event.DECISIONS_REPLAYED)


@journey
def test_a_long_export(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_exports, "MOST_ROWS", -1)
    desk = Client()
    desk.force_login(house.people[StaffRole.AUDITOR].user)
    asked = desk.post(reverse("counter:audit-export"), {"shape": "answers", "purpose": "inspection"})
    assert asked.status_code == 302, asked.context["errors"]
    assert house.wrote(Event.EXPORT_REQUESTED, by=StaffRole.AUDITOR)["reason"] == "inspection"
    assert long_exports.prepare_next(timezone.now)
    assert house.wrote(Event.LOG_EXPORTED)["shape"] == "answers"


@journey
def test_peer_review(house: House) -> None:
    taken = house.taken_in(**above())
    signed = house.pharmacist.sign(f"prescriptions/{taken['id']}/overrides/", ANSWER | {"finding": "daily-maximum"})
    assert signed.status_code == 201, signed.content
    house.seal()
    desk = Client()
    desk.force_login(house.people[StaffRole.AUDITOR].user)
    yesterday = house.shop.local_day(timezone.now()) - timedelta(days=1)
    period = {"since": yesterday.isoformat(), "until": (yesterday + timedelta(days=2)).isoformat(), "number": 1}
    sample = desk.post(reverse("counter:audit-samples"), period)["Location"]
    (override,) = house.wrote(Event.REVIEW_SAMPLED, by=StaffRole.AUDITOR)["overrides"]
    assert desk.post(sample, {"entry": override, "judgement": "agreed"}).status_code == 302
    house.wrote(Event.REVIEW_JUDGED, by=StaffRole.AUDITOR)


@journey
def test_the_log_about_itself(house: House, database: Database) -> None:
    for _ in range(3):
        house.taken_in(patient={"identifier": str(uuid.uuid4()), "family_name": "Doe", "given_name": "Sam"})
    house.seal()
    assert house.wrote(Event.POSTURE)["split"] is database.split
    house.command("audit", "verify", "--pharmacy", house.shop.pk)
    house.wrote(Event.LOG_VERIFIED)
    with contextlib.suppress(CommandError):  # logs of other tests were signed with other keys
        house.command("audit", "seal", "--once")
    house.newest(Event.LOG_REGISTERED, REGISTER)
    house.command("audit", "key", "--rotate")
    house.wrote(Event.KEY_ROTATED)
    people = ("--by", house.name(StaffRole.MANAGER), "--second", house.name(StaffRole.PHARMACIST))
    at = ("--pharmacy", house.shop.pk)
    statement = house.folder / "statement"
    house.command("audit", "authorise", "erase", statement, *at, "--seq", 2, "--basis", "on request", *people)
    house.command("audit", "erase", sign_file(statement), "--yes")
    erased = house.newest(Event.ERASED)
    assert erased.entry.second_actor == f"user:{house.people[StaffRole.PHARMACIST].user_id}"
    house.seal()
    log = AuditLog.objects.get(pharmacy=house.shop.pk)
    with database.connect("superuser") as connection, unguarded(connection):
        Attack(connection, log.log_id).set_entry(3, "station = 'elsewhere'")
    house.command("audit", "verify", *at, "--full", status=1)
    house.wrote(Event.INTERFERENCE, outcome="failure")


@journey
def test_a_log_is_continued_as_another(house: House) -> None:
    house.taken_in()
    people = ("--by", house.name(StaffRole.MANAGER), "--second", house.name(StaffRole.PHARMACIST))
    house.command("audit", "incarnation", "--pharmacy", house.shop.pk, "--reason", "Restored from a backup.", *people)
    opened = house.newest(Event.INCARNATION_OPENED)
    assert (opened.entry.seq, opened.entry.actor_role) == (1, Role.MANAGER)
    assert opened.entry.second_actor == f"user:{house.people[StaffRole.PHARMACIST].user_id}"


def test_no_kind_of_entry_is_left_that_nobody_makes(request: pytest.FixtureRequest) -> None:
    """Runs last. `RETIRED` needs a month that is over: tests/dispensary/audit/test_retention.py makes one."""
    ran = {item.name for item in request.session.items if item.path == Path(__file__)}
    if not set(JOURNEYS) <= ran:
        pytest.skip("only when all journeys of this file ran in this process")
    assert {event.value for event in Event} - {event.value for event in MADE} == {Event.RETIRED.value}
