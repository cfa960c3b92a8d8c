"""The command that gives a program its token."""

from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db.models import Func, Value
from django.test import Client
from django.utils import timezone

from dispensary.actions import pharmacies
from dispensary.actors import Actor
from dispensary.errors import InvalidInput
from dispensary.models import AccessToken, Pharmacy, StaffMember, StaffRole
from dispensary.models.audit import AuditEntry
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@pytest.fixture
def member() -> StaffMember:
    return make.staff(make.pharmacy())


def run(*words: str) -> str:
    out = StringIO()
    call_command("api_token", *words, stdout=out)
    return out.getvalue().strip()


def events(pharmacy: Pharmacy) -> list[str]:
    return list(
        AuditEntry.objects.filter(pharmacy=pharmacy.pk, subject_type="account").values_list("action", flat=True)
    )


def test_a_token_opens_the_door_until_it_is_revoked(client: Client, member: StaffMember) -> None:
    name = member.user.get_username()
    headers = {"Authorization": f"Token {run(name)}"}
    assert client.get("/api/v1/me/", headers=headers).json()["username"] == name
    assert run(name, "--revoke") == "Revoked: 1."
    assert client.get("/api/v1/me/", headers=headers).status_code == 401
    assert run(name, "--revoke") == "Revoked: 0."


def test_issue_and_revocation_stand_in_the_log_of_each_pharmacy(member: StaffMember) -> None:
    elsewhere = make.pharmacy("Hill Pharmacy")
    StaffMember.objects.create(user=member.user, pharmacy=elsewhere, role="auditor", display_name="Also here")
    token = run(member.user.get_username())
    run(member.user.get_username(), "--revoke")
    for pharmacy in (member.pharmacy, elsewhere):
        assert {"token.issued", "token.revoked"} <= set(events(pharmacy))
    from dispensary import audit

    lines = audit.history(audit.Subject("account", f"user:{member.user_id}"), pharmacy=elsewhere)
    assert lines
    assert all(token not in str(line.body) for line in lines)


def test_nobody_else_gets_one() -> None:
    get_user_model().objects.create_user("visitor")
    with pytest.raises(CommandError, match="works at a pharmacy"):
        run("visitor")
    with pytest.raises(CommandError, match="no account of that name"):
        run("nobody")


def answers(client: Client, token: str, *addresses: str) -> list[int]:
    """The status of each address for the holder of the token."""
    return [
        client.get(f"/api/v1/{address}", headers={"Authorization": f"Token {token}"}).status_code
        for address in addresses
    ]


def test_a_token_does_what_its_scopes_name_and_nothing_else(client: Client) -> None:
    name = make.staff(make.pharmacy(), StaffRole.MANAGER).user.get_username()
    assert answers(client, run(name), "patients/", "reminders/", "audit/logs/") == [200, 200, 200]
    assert answers(client, run(name, "--scopes", "audit"), "patients/", "audit/logs/") == [403, 200]
    reader = run(name, "--scopes", "read")
    assert answers(client, reader, "patients/", "audit/logs/") == [200, 403]
    body = {"identifier": "N-1", "family_name": "New"}
    for token, status in ((reader, 403), (run(name, "--scopes", "intake"), 201)):
        sent = client.post(
            "/api/v1/patients/", body, content_type="application/json", headers={"Authorization": f"Token {token}"}
        )
        assert sent.status_code == status, sent.content
    refused = client.get("/api/v1/patients/", headers={"Authorization": f"Token {run(name, '--scopes', 'intake')}"})
    detail = refused.json()["detail"]
    assert detail.startswith("A token of ") and "(manager) for intake may not " in detail
    assert detail.endswith(" may, signed in or by a token whose scopes cover it.")


def test_a_token_is_bound_to_a_pharmacy_and_a_role_no_wider_than_its_owners(client: Client) -> None:
    here, elsewhere = make.pharmacy(), make.pharmacy("Hill Pharmacy")
    member = make.staff(here, StaffRole.MANAGER)
    there = StaffMember.objects.create(
        user=member.user, pharmacy=elsewhere, role=StaffRole.PHARMACIST, display_name="Also here"
    )
    name = member.user.get_username()
    bound = run(name, "--pharmacy", str(elsewhere.pk), "--role", "technician")
    me = client.get("/api/v1/me/", headers={"Authorization": f"Token {bound}"}).json()
    assert [(place["name"], place["role"]) for place in me["pharmacies"]] == [("Hill Pharmacy", "technician")]
    elsewhere_only = {"Authorization": f"Token {bound}", "X-Pharmacy": str(here.pk)}
    assert client.get("/api/v1/patients/", headers=elsewhere_only).status_code == 404
    with pytest.raises(CommandError, match="no more than its owner has"):
        run(name, "--pharmacy", str(elsewhere.pk), "--role", "manager")
    pharmacies.grant_access(
        user=member.user, pharmacy=elsewhere, role=StaffRole.AUDITOR, display_name=there.display_name,
        by=Actor.system("setup", elsewhere.pk), now=timezone.now(),
    )  # fmt: skip
    assert answers(client, bound, "patients/") == [403]


def test_a_program_has_an_account_of_its_own_that_signs_nothing(client: Client, member: StaffMember) -> None:
    by = ["--by", make.staff(member.pharmacy, StaffRole.MANAGER).user.get_username()]
    out = StringIO()
    call_command("pharmacy", "service", "bridge", "--role", "technician", "--name", "Order bridge", *by, stdout=out)
    token = run("bridge", "--scopes", "intake", "read", "--hours", "2000", "--label", "the surgery's orders")
    assert answers(client, token, "patients/", "audit/logs/") == [200, 403]
    assert (
        client.post("/accounts/login/", {"login": "bridge", "password": "!"}).status_code == 200
    )  # nobody is signed in
    for words in (
        ["pharmacy", "service", "other", "--role", "technician"],
        ["pharmacy", "service", "bridge", "--role", "auditor"],
    ):
        call = [*words, "--name", "Another", *by]
        if words[2] == "bridge":
            with pytest.raises(CommandError, match="There is an account of that name"):
                call_command(*call)
        else:
            call_command(*call, stdout=out)
    with pytest.raises(InvalidInput, match="A program signs nothing"):
        pharmacies.grant_access(
            user=member.user, pharmacy=member.pharmacy, role=StaffRole.PHARMACIST, display_name="Robot", is_service=True,
            by=Actor.system("setup", member.pharmacy_id), now=timezone.now(),
        )  # fmt: skip
    call_command("pharmacy", "end", "bridge", *by, stdout=out)
    assert answers(client, token, "patients/") == [403]


def test_a_token_ends_by_the_databases_clock_and_is_not_deleted_by_a_server_whose_clock_is_ahead(
    client: Client, member: StaffMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = run(member.user.get_username())
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + timedelta(days=40))
    assert answers(client, token, "patients/") == [200]
    monkeypatch.undo()
    AccessToken.objects.update(issued_at=right() - timedelta(hours=2), expires_at=right() - timedelta(seconds=1))
    assert answers(client, token, "patients/") == [401]
    assert AccessToken.objects.count() == 1


def test_a_token_that_is_used_too_often_waits_a_minute(client: Client, member: StaffMember, settings) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "token_requests_a_minute": 3}
    token = run(member.user.get_username())
    assert answers(client, token, *["patients/"] * 3) == [200, 200, 200]
    AccessToken.objects.update(
        uses=3, minute=Func(Value("minute"), Func(function="clock_timestamp"), function="date_trunc")
    )
    refused = client.get("/api/v1/patients/", headers={"Authorization": f"Token {token}"})
    assert refused.status_code == 429 and refused["Retry-After"] == "60"
    assert answers(client, run(member.user.get_username()), "patients/") == [200]
    AccessToken.objects.update(minute=timezone.now() - timedelta(minutes=2))
    assert answers(client, token, "patients/") == [200]
