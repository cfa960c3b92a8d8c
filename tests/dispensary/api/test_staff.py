"""People, alerts, settings and limits over HTTP: what no token does alone needs a proof of its owner."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from dispensary.actions import tokens
from dispensary.actions.staff_alerts import open_alert
from dispensary.actors import Actor, Scope
from dispensary.models import (
    AlertContact,
    AlertKind,
    Pharmacy,
    Product,
    SettingsChange,
    SignedLimit,
    StaffAlert,
    StaffMember,
    StaffRole,
)
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, fields, problem, proof_of, today

pytestmark = pytest.mark.django_db
PROOF = {"proof": {"password": make.PASSWORD}}
INVITED = {"username": "nia", "display_name": "Nia Rowe", "role": "technician"}
PACK = {"gtin": "04012345678901", "name": "Baclofen 5 mg tablets", "strength_mg": "5", "pack_size": 84}
BROKEN_INTO = {"family_name": "Okafor", "birth_date": "1980-01-01", "reason": "unconscious in the shop"}


@pytest.fixture
def old_shop(shop: Pharmacy) -> Pharmacy:
    """A pharmacy opened longer ago than its manager may set it up alone."""
    Pharmacy.objects.filter(pk=shop.pk).update(opened_at=timezone.now() - timedelta(days=3))
    return shop


def with_token(caller: Caller, **narrowed: Any) -> Caller:
    """The same person with another token."""
    assert caller.member is not None
    token = tokens.issue(user=caller.member.user, now=timezone.now(), **narrowed)
    return Caller(None, {"Authorization": f"Token {token}"})


# --- in person --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("POST", "people/", INVITED),
        ("PATCH", "settings/", {"phone": "01865 496 111"}),
        ("POST", "products/", PACK),
        ("PUT", "alerts/contacts/", {}),
        ("POST", "break-glass/", BROKEN_INTO),
    ],
)
def test_a_token_alone_changes_nothing_of_the_pharmacy(
    manager: Caller, method: str, address: str, body: dict[str, Any]
) -> None:
    def send(sender: Caller, **proof: Any) -> Any:
        return sender.call(method, address, body | proof, If_Match="*")

    assert fields(send(manager)) == {"proof"}
    assert fields(send(manager, proof={"password": ""})) == {"proof.password"}
    assert problem(send(manager, proof={"password": "another"}), 403)["code"] == "not-proven"
    narrowed = with_token(manager, scopes=[Scope.READ, Scope.DISPENSE])
    assert "for dispense, read may not " in problem(send(narrowed, **PROOF), 403)["detail"]
    as_technician = with_token(manager, role=StaffRole.TECHNICIAN)
    assert problem(send(as_technician, **PROOF), 403)["code"] == "not-allowed"
    assert StaffMember.objects.count() == 1 and not Product.objects.filter(pk=PACK["gtin"]).exists()
    assert 200 <= send(manager, **PROOF).status_code < 300


def test_five_wrong_proofs_lock_the_person_and_a_program_has_none(manager: Caller, program: StaffMember) -> None:
    for _ in range(5):
        manager.post("people/", INVITED | {"proof": {"password": "wrong"}})
    locked = problem(manager.post("people/", INVITED | PROOF), 403)
    assert "locked" in locked["detail"]
    assert problem(Caller(program).post("people/", INVITED | PROOF), 403)["code"] == "not-allowed"


# --- people -----------------------------------------------------------------------------------------------------------


def test_a_manager_lets_somebody_in_with_a_link_that_opens(manager: Caller, client: Client) -> None:
    invited = manager.post("people/", INVITED | PROOF)
    assert invited.status_code == 201, invited.content
    person = invited.json()["person"]
    assert (person["role"], person["active"]) == ("technician", True)
    assert client.get(invited.json()["link"], follow=True).status_code == 200
    assert problem(manager.post("people/", INVITED | PROOF), 409)["problems"][0]["field"] == "username"
    assert [row["role"] for row in manager.get("people/").json()] == ["manager", "technician"]


def test_a_person_gets_another_role_a_new_link_and_an_end(manager: Caller, technician: Caller) -> None:
    assert technician.member is not None
    address = f"people/{technician.member.pk}/"
    changed = manager.patch(address, {"role": "pharmacist", "registration": "2041"} | PROOF)
    assert (changed.json()["role"], changed.json()["display_name"]) == ("pharmacist", technician.member.display_name)
    assert manager.get(address).json() == changed.json()
    assert manager.post(f"{address}link/", PROOF).json()["link"].startswith("http")
    assert manager.post(f"{address}end/", PROOF).json()["active"] is False
    assert technician.get("patients/").status_code == 403
    assert manager.post(f"{address}link/", PROOF).status_code == 400
    assert manager.patch(address, {"role": "technician"} | PROOF).json()["active"] is True


def test_the_only_manager_stays(manager: Caller) -> None:
    assert manager.member is not None
    address = f"people/{manager.member.pk}/"
    assert problem(manager.post(f"{address}end/", PROOF), 409)["problems"]
    assert problem(manager.patch(address, {"role": "auditor"} | PROOF), 409)["problems"]
    assert fields(manager.patch(address, PROOF)) == {""}
    assert fields(manager.patch(address, {"role": "owner"} | PROOF)) == {"role"}


# --- alerts -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def alert(shop: Pharmacy) -> StaffAlert:
    open_alert(
        kind=AlertKind.VERIFICATION, pharmacy=shop, subject_id=str(uuid4()), by=Actor.system("tests", shop.pk), now=timezone.now()
    )  # fmt: skip
    return StaffAlert.objects.get()


def test_an_alert_is_listed_and_answered_once(pharmacist: Caller, auditor: Caller, alert: StaffAlert) -> None:
    assert [row["id"] for row in auditor.get("alerts/").json()["open"]] == [str(alert.pk)]
    address = f"alerts/{alert.pk}/answer/"
    assert fields(pharmacist.post(address, {"words": ""} | PROOF)) == {"words"}
    answered = pharmacist.post(address, {"words": "The disk was replaced."} | PROOF)
    assert answered.json()["words"] == "The disk was replaced."
    assert problem(auditor.post(address, {"words": "Again."} | PROOF), 409)["detail"]
    alerts = auditor.get("alerts/").json()
    assert alerts["open"] == [] and [row["id"] for row in alerts["answered"]] == [str(alert.pk)]


def test_who_is_told_of_alerts_is_named_and_named_otherwise(manager: Caller, pharmacist: Caller) -> None:
    assert manager.member is not None and pharmacist.member is not None
    person = {"member": pharmacist.member.pk, "medium": "email", "address": "petra@example.org"}
    named = manager.call("PUT", "alerts/contacts/", {"person": person} | PROOF)
    assert [(row["rank"], row["member"]) for row in named.json()] == [("person", pharmacist.member.pk)]
    twice = manager.call("PUT", "alerts/contacts/", {"person": person, "deputy": person} | PROOF)
    assert fields(twice) == {"deputy.member"}
    nobody = manager.call("PUT", "alerts/contacts/", {"person": person | {"member": 10**12}} | PROOF)
    assert fields(nobody) == {"person.member"}
    assert manager.call("PUT", "alerts/contacts/", PROOF).json() == [] and not AlertContact.objects.exists()


# --- settings and limits ----------------------------------------------------------------------------------------------


def test_settings_are_changed_by_the_version_that_was_read(manager: Caller) -> None:
    read = manager.get("settings/")
    assert (read.json()["phone"], read.json()["waiting"]) == ("01865 496 000", None)
    body = {"phone": "01865 496 111", "message_at": "11:00:00"} | PROOF
    assert problem(manager.patch("settings/", body), 428)["problems"]
    changed = manager.patch("settings/", body, If_Match=read["ETag"])
    assert (changed.json()["phone"], changed.json()["message_at"]) == ("01865 496 111", "11:00:00")
    assert changed["ETag"] != read["ETag"]
    assert problem(manager.patch("settings/", body, If_Match=read["ETag"]), 412)["code"] == "stale"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"phone": 7}, "phone"),
        ({"refill_lead_days": "7"}, "refill_lead_days"),
        ({"refill_lead_days": 61}, "refill_lead_days"),
        ({"second_signer": "yes"}, "second_signer"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"profile": "none"}, "profile"),
        ({"opening_days": "19"}, "opening_days"),
        ({"message_at": "25:00"}, "message_at"),
        ({"version": 3}, "version"),
        ({"opened_at": "2026-01-01T00:00:00Z"}, "opened_at"),
        ({}, ""),
    ],
)
def test_a_setting_that_is_none_is_named(manager: Caller, change: dict[str, Any], field: str) -> None:
    assert fields(manager.patch("settings/", change | PROOF, If_Match="*")) == {field}


def test_a_change_of_limits_waits_for_another_manager(
    old_shop: Pharmacy, manager: Caller, caller: Callable[..., Caller]
) -> None:
    settled = Caller(make.staff(old_shop, StaffRole.MANAGER, now=timezone.now() - timedelta(days=2)))
    asked = manager.patch("settings/", {"profile": "uk-smpc", "phone": "01865 496 111"} | PROOF, If_Match="*").json()
    assert (asked["profile"], asked["phone"]) == ("lioresal", "01865 496 111")
    assert asked["waiting"]["changes"] == {"profile": "uk-smpc"}
    address = f"settings/changes/{asked['waiting']['id']}/"
    assert problem(manager.post(f"{address}approve/", PROOF), 403)["code"] == "not-allowed"
    approved = settled.post(f"{address}approve/", PROOF).json()
    assert (approved["profile"], approved["waiting"]) == ("uk-smpc", None)
    assert problem(settled.post(f"{address}withdraw/", PROOF), 409)["detail"]


def test_a_change_that_waits_is_taken_back(old_shop: Pharmacy, manager: Caller) -> None:
    manager.patch("settings/", {"profile": "uk-smpc"} | PROOF, If_Match="*")
    change = SettingsChange.objects.get()
    assert manager.post(f"settings/changes/{change.pk}/withdraw/", PROOF).json()["waiting"] is None


def test_every_limit_is_read_with_its_source(technician: Caller) -> None:
    limits = technician.get("limits/").json()
    assert len(limits) > 20
    assert all(limit["source"] and limit["mark"] and limit["signed"] is None for limit in limits)


def sign_limits(caller: Caller, lines: list[str], review_on: str, **proof: Any) -> Any:
    """Begin the signature under limits, and send it with its proof."""
    body = {"lines": lines, "review_on": review_on}
    begun = caller.post("limits/signatures/", body)
    assert begun.status_code == 200, begun.content
    return caller.post("limits/sign/", body | {"proof": proof_of(begun.json()) | proof}, Idempotency_Key="s1")


def test_limits_are_signed_line_by_line_with_a_fresh_proof(pharmacist: Caller) -> None:
    lines = [limit["digest"] for limit in pharmacist.get("limits/").json()][:2]
    later = str(today() + timedelta(days=300))
    assert problem(sign_limits(pharmacist, lines, later, password="another"), 403)["code"] == "not-proven"
    assert not SignedLimit.objects.exists()
    signed = sign_limits(pharmacist, lines, later)
    assert signed.status_code == 200, signed.content
    assert [row["digest"] for row in signed.json() if row["signed"]] == lines
    repeated = sign_limits(pharmacist, lines, later)
    assert (repeated.json(), SignedLimit.objects.count()) == (signed.json(), 2)


def test_a_signature_under_limits_is_for_these_lines_and_this_day(pharmacist: Caller) -> None:
    lines = [limit["digest"] for limit in pharmacist.get("limits/").json()][:2]
    later = str(today() + timedelta(days=300))
    begun = pharmacist.post("limits/signatures/", {"lines": lines[:1], "review_on": later}).json()
    for body in ({"lines": lines, "review_on": later}, {"lines": lines[:1], "review_on": str(today())}):
        sent = pharmacist.post("limits/sign/", body | {"proof": proof_of(begun)})
        assert problem(sent, 412)["problems"][0]["field"] == "proof.digest"
    assert not SignedLimit.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": []}, "lines"),
        ({"lines": ["0" * 64]}, "lines"),
        ({"review_on": "2020-01-01"}, "review_on"),
        ({"review_on": "2199-01-01"}, "review_on"),
        ({"review_on": "soon"}, "review_on"),
    ],
)
def test_limits_that_cannot_be_signed_are_named(pharmacist: Caller, changes: dict[str, Any], field: str) -> None:
    lines = [limit["digest"] for limit in pharmacist.get("limits/").json()][:1]
    body: dict[str, Any] = {"lines": lines, "review_on": str(today() + timedelta(days=300))} | changes
    begun = pharmacist.post("limits/signatures/", body)
    answer = (
        begun if begun.status_code == 400 else pharmacist.post("limits/sign/", body | {"proof": proof_of(begun.json())})
    )
    assert {entry.split("[")[0] for entry in fields(answer)} == {field}


def test_a_manager_tries_a_channel(manager: Caller) -> None:
    message = {"medium": "email", "address": "mara@example.org"}
    assert fields(manager.post("settings/test-message/", message)) == {"proof"}
    assert manager.post("settings/test-message/", message | PROOF).json() == {"answer": "accepted"}
    assert fields(manager.post("settings/test-message/", message | {"address": "mara"} | PROOF)) == {"address"}
    assert fields(manager.post("settings/test-message/", message | {"medium": "pigeon"} | PROOF)) == {"medium"}


# --- packs ------------------------------------------------------------------------------------------------------------


def test_packs_are_found_by_name_and_by_number(technician: Caller) -> None:
    def find(words: str) -> list[str]:
        return [row["gtin"] for row in technician.get(f"products/?q={words}").json()["results"]]

    assert make.TEN_MG in find("baclofen 10") or make.TEN_MG in find("lioresal 10")
    assert find(make.TEN_MG) == find(make.TEN_MG.lstrip("0")) == [make.TEN_MG]
    assert find("no-such-pack") == []


def test_a_pack_is_added_once_and_never_as_another(pharmacist: Caller) -> None:
    added = pharmacist.post("products/", PACK | PROOF)
    assert (added.status_code, added.json()["strength_mg"]) == (201, "5")
    assert pharmacist.post("products/", PACK | PROOF).status_code == 201
    other = problem(pharmacist.post("products/", PACK | {"strength_mg": "10"} | PROOF), 409)
    assert [entry["field"] for entry in other["problems"]] == ["strength_mg"]
    assert fields(pharmacist.post("products/", PACK | {"gtin": "04012345678902"} | PROOF)) == {"gtin"}
    for wrong in ("0", "-5", "NaN", "1001", 1e9):
        assert fields(pharmacist.post("products/", PACK | {"strength_mg": wrong} | PROOF)) == {"strength_mg"}, wrong
