"""One clock, the database's: a server whose own is wrong ends no session or token, changes nothing, and says why."""

import contextlib
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import tokens
from dispensary.models import AuditEntry, Patient, StaffMember
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

NEW = {"identifier": "N-1", "family_name": "New"}


@pytest.fixture
def member() -> StaffMember:
    return make.staff(make.pharmacy())


@pytest.fixture
def signed_in(client: Client, member: StaffMember) -> Client:
    client.post("/accounts/login/", {"login": member.user.get_username(), "password": make.PASSWORD})
    return client


def move_clock(monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Let this server believe that it is so much later."""
    right = timezone.now
    monkeypatch.setattr(timezone, "now", lambda: right() + by)


@pytest.mark.parametrize("by", [timedelta(days=40), timedelta(minutes=-5)])
def test_a_server_whose_clock_is_wrong_reads_and_changes_nothing(
    signed_in: Client, member: StaffMember, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    token = tokens.issue(user=member.user, now=timezone.now())
    headers = {"Authorization": f"Token {token}"}
    move_clock(monkeypatch, by)
    assert signed_in.get(reverse("counter:queue")).status_code == 200
    assert Client().get("/api/v1/patients/", headers=headers).status_code == 200
    refused = Client().post("/api/v1/patients/", NEW, content_type="application/json", headers=headers)
    assert refused.status_code == 503 and refused.json()["code"] == "clock-skew"
    direction = "40 days ahead of" if by > timedelta() else "5 min behind"
    assert f"{direction} the database's" in refused.json()["detail"]
    page = signed_in.post(reverse("counter:work", args=[make.patient(member.pharmacy).pk]), {"do": "resolve"})
    assert page.status_code == 503 and "clock" in page.content.decode()
    assert not Patient.objects.filter(identifier="N-1").exists()
    health = signed_in.get("/health/ready")
    assert health.status_code == 503 and direction in health.json()["clock"]


def test_half_a_minute_is_no_skew(signed_in: Client, member: StaffMember, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = {"Authorization": f"Token {tokens.issue(user=member.user, now=timezone.now())}"}
    move_clock(monkeypatch, timedelta(seconds=30))
    assert signed_in.get("/health/ready").status_code == 200
    sent = Client().post("/api/v1/patients/", NEW, content_type="application/json", headers=headers)
    assert sent.status_code == 201
    newest = AuditEntry.objects.filter(action="patient.registered").latest("recorded_at")
    assert abs(newest.occurred_at - newest.recorded_at) < timedelta(seconds=20)  # dated by the database


def test_a_session_ends_by_the_databases_clock(signed_in: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))
    move_clock(monkeypatch, timedelta(days=-1))
    assert signed_in.get(reverse("counter:queue")).status_code == 302


def test_a_session_ends_one_shift_after_its_sign_in_however_much_it_is_used(signed_in: Client) -> None:
    soon = timezone.now() + timedelta(hours=1)
    Session.objects.update(expire_date=soon)
    signed_in.post(reverse("counter:lock"))
    (row,) = Session.objects.all()
    assert row.expire_date == soon and row.get_decoded()["dispensary_locked"]


def test_a_session_made_by_a_server_whose_clock_is_ahead_lasts_one_shift(
    client: Client, member: StaffMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = timezone.now()
    move_clock(monkeypatch, timedelta(days=40))
    client.post("/accounts/login/", {"login": member.user.get_username(), "password": make.PASSWORD})
    (session,) = Session.objects.all()
    assert timedelta(hours=11) < session.expire_date - right < timedelta(hours=13)


def test_an_audit_command_dates_its_entries_by_the_database(
    member: StaffMember, monkeypatch: pytest.MonkeyPatch
) -> None:
    move_clock(monkeypatch, timedelta(days=40))
    with contextlib.suppress(SystemExit):
        call_command("audit", "review", stdout=StringIO())
    entry = AuditEntry.objects.get(pharmacy=member.pharmacy_id, action="log.reviewed")
    assert abs(entry.recorded_at - entry.occurred_at) < timedelta(minutes=1)
