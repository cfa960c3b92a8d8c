"""The command that gives a program its token."""

from io import StringIO

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client

from dispensary.models import Pharmacy, StaffMember
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
