"""Nobody sees a page who should not: not signed in, at another pharmacy, in another role, let go, or locked out."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.urls import reverse

from dispensary.actions import dispenses, overrides, pharmacies
from dispensary.actions.overrides import Answer
from dispensary.models import Dispense, Pharmacy, Preparation, SignatureMethod, StaffMember, StaffRole, Stage
from tests.dispensary import make

pytestmark = pytest.mark.django_db

OF_A_PRESCRIPTION = (
    "check",
    "override",
    "second",
    "cancel-prescription",
    "stop",
    "audit-order",
    "hold",
    "reinstate",
    "correct-order",
    "plan",
    "plan-pdf",
    "late-entry",
)
OF_A_DISPENSE = (
    "dispensed",
    "label",
    "label-picture",
    "calendar",
    "leaflet",
    "leaflet-a5",
    "leaflet-large",
    "trail",
    "take-back",
)
OF_A_PATIENT = (
    "new-order",
    "patient",
    "facts",
    "correct",
    "same-person",
    "explain",
    "work",
    "emergency",
    "earlier-supply",
    "decide",
    "audit-patient",
    "audit-file-request",
)
OF_NOBODY = (
    "intake", "queue", "day", "own-answers", "packs", "downtime", "downtime-form", "second-waiting", "limits", "break-glass", "queue-news", "next", "at-risk", "reminders", "month", "audit", "audit-overrides", "audit-patients", "audit-day",
    "audit-export", "audit-exports", "audit-files", "audit-access", "audit-edits", "audit-checks", "audit-quality", "audit-samples", "audit-trials", "people", "settings", "alerts", "alert-contacts",
)  # fmt: skip


@pytest.fixture
def here(db: None) -> Pharmacy:
    return make.pharmacy("Harbour Pharmacy")


@pytest.fixture
def handed_over(here: Pharmacy) -> Dispense:
    make.products()
    by = make.staff(here).actor()
    prescription = make.prescription(make.patient(here, family_name="Zuckermandel"))
    done = dispenses.dispense(
        prescription=prescription, quantity=prescription.quantity, pack=make.pack(), key="k1", by=by, now=make.moment()
    )
    assert isinstance(done, Dispense), done
    return done


def addresses(dispense: Dispense) -> list[str]:
    """Every page there is, for the things around one dispense."""
    ids = {
        **dict.fromkeys(OF_A_PRESCRIPTION, dispense.prescription_id),
        **dict.fromkeys(OF_A_DISPENSE, dispense.pk),
        **dict.fromkeys(OF_A_PATIENT, dispense.patient_id),
    }
    own = [reverse(f"counter:{name}", args=[pk]) for name, pk in ids.items()]
    bag, _ = Preparation.objects.get_or_create(
        dispense=dispense,
        defaults={
            "pharmacy": dispense.pharmacy, "prescription": dispense.prescription, "stage": Stage.HANDED_OVER, "bag": [],
            "prepared_at": dispense.prepared_at, "ended_at": dispense.handed_over_at,
        },
    )  # fmt: skip
    own += [reverse("counter:bag", args=[bag.pk]), reverse("counter:bag-label", args=[bag.pk, 0])]
    return own + [reverse(f"counter:{name}") for name in OF_NOBODY]


def signed_in(client: Client, member: StaffMember) -> Client:
    client.force_login(member.user)
    return client


def test_every_address_of_the_counter_is_looked_at_here() -> None:
    from dispensary.counter.urls import urlpatterns

    elsewhere = {
        "lock",
        "leave",
        "unlock",
        "resume",
        "choose-pharmacy",
        "withdraw-answer",
        "send-reminder",
        "withdraw-reminder",
        "join",
        "open-pharmacy",
        "person",
        "read-order",
        "take-over",
        "stay",
        "decide-change",
        "try-channel",
    }
    elsewhere |= {
        "audit-sample",
        "audit-trial",
        "audit-entry",
        "audit-export-file",
        "audit-file",  # in test_subject_files.py
        "audit-file-zip",
        "audit-proof",
        "audit-day-sign",
        "answer-namesake",  # in test_identities.py
        "join-records",
        "stop-recorded",
    }
    elsewhere |= {"override-record"}  # below
    elsewhere |= {"labels", "bag-labels"}  # in test_printing.py
    elsewhere |= {
        "sender-work",
        "letter",
        "posted-letter",
        "answer-messages",
        "answer-alert",
    }  # in test_reminders.py, test_consent_asked.py, test_staff_alerts.py
    looked_at = {"bag", "bag-label", *OF_A_PRESCRIPTION, *OF_A_DISPENSE, *OF_A_PATIENT, *OF_NOBODY}
    assert {p.name for p in urlpatterns} - elsewhere == looked_at


def test_a_stranger_is_sent_to_the_sign_in(client: Client, handed_over: Dispense) -> None:
    for address in addresses(handed_over):
        answer = client.get(address)
        assert answer.status_code == 302, address
        assert answer["Location"].startswith("/accounts/login/"), address


def test_a_strangers_form_changes_nothing(client: Client, handed_over: Dispense) -> None:
    for name, pk in (("take-back", handed_over.pk), ("cancel-prescription", handed_over.prescription_id)):
        answer = client.post(reverse(f"counter:{name}", args=[pk]), {"how": "return", "reason": "mine"})
        assert answer.status_code == 302
    handed_over.refresh_from_db()
    assert handed_over.status == "completed"


@pytest.mark.parametrize("role", list(StaffRole))
def test_another_pharmacys_things_do_not_exist(client: Client, handed_over: Dispense, role: StaffRole) -> None:
    signed_in(client, make.staff(make.pharmacy("Elsewhere"), role))
    for address in addresses(handed_over):
        answer = client.get(address)
        assert b"Zuckermandel" not in answer.content, address
        if str(handed_over.pk) in address or "/pat" in address or "/pres" in address or "/bags/" in address:
            assert answer.status_code in (403, 404), address


def test_another_pharmacys_form_changes_nothing(client: Client, handed_over: Dispense) -> None:
    signed_in(client, make.staff(make.pharmacy("Elsewhere"), StaffRole.MANAGER))
    taken = client.post(reverse("counter:take-back", args=[handed_over.pk]), {"how": "return", "reason": "mine"})
    typed = client.post(reverse("counter:check", args=[handed_over.prescription_id]), {"dispense-it": "1"})
    assert (taken.status_code, typed.status_code) == (404, 404)
    handed_over.refresh_from_db()
    assert handed_over.status == "completed"


def test_a_thing_that_is_nowhere_looks_like_another_pharmacys(client: Client, here: Pharmacy) -> None:
    signed_in(client, make.staff(here))
    assert client.get(reverse("counter:check", args=[uuid.uuid4()])).status_code == 404


@pytest.mark.parametrize(
    ("role", "name", "status"),
    [
        (StaffRole.TECHNICIAN, "override", 403),
        (StaffRole.AUDITOR, "override", 403),
        (StaffRole.TECHNICIAN, "cancel-prescription", 403),
        (StaffRole.AUDITOR, "cancel-prescription", 403),
        (StaffRole.PHARMACIST, "cancel-prescription", 200),
        (StaffRole.AUDITOR, "check", 403),
        (StaffRole.TECHNICIAN, "check", 200),
    ],
)
def test_a_page_asks_for_the_right_role(
    client: Client, here: Pharmacy, handed_over: Dispense, role: StaffRole, name: str, status: int
) -> None:
    signed_in(client, make.staff(here, role))
    assert client.get(reverse(f"counter:{name}", args=[handed_over.prescription_id])).status_code == status


def test_an_auditor_is_led_to_the_log_and_sees_and_changes_nothing_else(client: Client, here: Pharmacy) -> None:
    make.products()
    prescription = make.prescription(make.patient(here))
    signed_in(client, make.staff(here, StaffRole.AUDITOR))
    assert client.get(reverse("counter:queue"))["Location"] == reverse("counter:audit")
    client.post(
        reverse("counter:check", args=[prescription.pk]),
        {"dispense-it": "1", "quantity": "42", "gtin": make.TEN_MG, "key": "k"},
    )
    assert not prescription.dispenses.exists()


def test_who_was_let_go_sees_nothing(client: Client, here: Pharmacy, handed_over: Dispense) -> None:
    member = make.staff(here)
    signed_in(client, member)
    pharmacies.end_access(member=member, by=make.staff(here, StaffRole.MANAGER).actor(), now=make.moment())
    for address in addresses(handed_over):
        answer = client.get(address)
        assert answer.status_code == 403, address
        assert b"Zuckermandel" not in answer.content


def test_a_locked_counter_shows_nothing_until_the_same_person_unlocks_it(
    client: Client, here: Pharmacy, handed_over: Dispense
) -> None:
    signed_in(client, make.staff(here))
    client.post(reverse("counter:lock"))
    for address in addresses(handed_over):
        answer = client.get(address)
        assert answer.status_code == 302, address
        assert answer["Location"].startswith(reverse("counter:unlock")), address
    wrong = client.post(reverse("counter:unlock"), {"password": "not it"})
    assert b"That is not your password" in wrong.content
    right = client.post(reverse("counter:unlock"), {"password": make.PASSWORD, "next": "/queue/next"})
    assert right["Location"] == "/queue/next"
    assert client.get(reverse("counter:queue")).status_code == 200


@pytest.mark.parametrize("typed", ["", "no JSON", "{}", "[[1]]", '[["a"]]', "[" * 30_000, '"text"'])
def test_a_lock_takes_no_nonsense_along(client: Client, here: Pharmacy, typed: str) -> None:
    signed_in(client, make.staff(here))
    assert client.post(reverse("counter:lock"), {"typed": typed, "next": "/"}).status_code == 302
    client.post(reverse("counter:unlock"), {"password": make.PASSWORD})
    assert client.get("/").status_code == 200


def test_unlocking_never_leads_to_another_site(client: Client, here: Pharmacy) -> None:
    signed_in(client, make.staff(here))
    client.post(reverse("counter:lock"))
    answer = client.post(reverse("counter:unlock"), {"password": make.PASSWORD, "next": "https://evil.example/"})
    assert answer["Location"] == reverse("counter:queue")


def test_five_wrong_passwords_lock_the_person_out(client: Client, here: Pharmacy) -> None:
    signed_in(client, make.staff(here))
    client.post(reverse("counter:lock"))
    for _ in range(5):
        client.post(reverse("counter:unlock"), {"password": "wrong"})
    answer = client.post(reverse("counter:unlock"), {"password": make.PASSWORD})
    assert answer.status_code != 302


def test_who_works_at_two_pharmacies_chooses_one_and_sees_only_that(client: Client, here: Pharmacy) -> None:
    other = make.pharmacy("Elsewhere")
    member = make.staff(here)
    pharmacies.grant_access(
        user=member.user,
        pharmacy=other,
        role=StaffRole.TECHNICIAN,
        display_name="Two",
        by=make.staff(other, StaffRole.MANAGER).actor(),
        now=make.moment(),
    )
    make.prescription(make.patient(here, family_name="Here"))
    make.prescription(make.patient(other, family_name="There"))
    signed_in(client, member)
    assert client.get("/")["Location"].startswith(reverse("counter:choose-pharmacy"))
    client.post(reverse("counter:choose-pharmacy"), {"pharmacy": str(other.pk)})
    page = client.get("/").content
    assert b"There" in page
    assert b"Here," not in page
    stranger = make.pharmacy("Not theirs")
    refused = client.post(reverse("counter:choose-pharmacy"), {"pharmacy": str(stranger.pk)})
    assert b"Choose a pharmacy" in refused.content


@pytest.mark.slow
def test_no_page_is_kept_by_a_browser_or_proxy(client: Client, here: Pharmacy, handed_over: Dispense) -> None:
    signed_in(client, make.staff(here))
    for address in addresses(handed_over):
        assert "no-store" in client.get(address)["Cache-Control"], address


@pytest.mark.parametrize(
    ("role", "at_home", "status"),
    [
        (StaffRole.PHARMACIST, True, 200),
        (StaffRole.AUDITOR, True, 200),
        (StaffRole.TECHNICIAN, True, 403),
        (StaffRole.MANAGER, False, 404),
        (StaffRole.AUDITOR, False, 404),
    ],
)
def test_the_record_of_an_override_is_opened_here_by_who_signs_or_audits(
    client: Client, here: Pharmacy, role: StaffRole, at_home: bool, status: int
) -> None:
    make.products()
    signer = make.staff(here)
    order = make.prescription(
        make.patient(here), phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}], quantity=294,
        directions="35 mg three times a day for 28 days",
    )  # fmt: skip
    answer = Answer("daily-maximum", "5", "The clinic agreed.", asked="Dr Mwangi", signature=SignatureMethod.PASSWORD)
    (override,) = overrides.sign(prescription=order, answers=[answer], by=signer.actor(), now=make.moment())
    page = reverse("counter:override-record", args=[override.pk])
    assert client.get(page)["Location"].startswith("/accounts/login/")
    signed_in(client, make.staff(here if at_home else make.pharmacy("Elsewhere"), role))
    opened = client.get(page)
    assert opened.status_code == status
    assert (opened["Content-Type"] == "application/pdf") is (status == 200)
    assert "no-store" in opened["Cache-Control"]
