"""Attacks on the whole site that were tried once, kept: each leaves everything as it was."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.sessions.models import Session
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import tokens
from dispensary.counter.urls import urlpatterns
from dispensary.models import AuditEntry, Patient, Pharmacy, StaffMember, StaffRole
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

SCRIPT = '<script>alert(1)</script>{{ settings.SECRET_KEY }}{% debug %}"onfocus="x'


@pytest.fixture
def here() -> Pharmacy:
    return make.pharmacy(now=timezone.now())


@pytest.fixture
def pharmacist(here: Pharmacy) -> StaffMember:
    return make.staff(here, now=timezone.now())


@pytest.fixture
def manager(here: Pharmacy) -> StaffMember:
    return make.staff(here, StaffRole.MANAGER, now=timezone.now())


def sign_in(client: Client, member: StaffMember, address: str = "/accounts/login/") -> Any:
    return client.post(address, {"login": member.user.get_username(), "password": make.PASSWORD})


def as_token(member: StaffMember) -> dict[str, str]:
    return {"Authorization": f"Token {tokens.issue(user=member.user, now=timezone.now())}"}


COUNTER = sorted(
    (pattern.name, re.sub(r"<int:\w+>", "1", re.sub(r"<uuid:\w+>", str(UUID(int=1)), str(pattern.pattern))))
    for pattern in urlpatterns
)


@pytest.mark.parametrize(("name", "path"), COUNTER)
def test_a_form_of_another_site_does_nothing_at_any_address(manager: StaffMember, name: str, path: str) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(manager.user)
    entries = AuditEntry.objects.count()
    answer = client.post(
        "/" + re.sub(r"<(str:)?\w+>", "x", path), {"do": "end"}, headers={"Origin": "https://evil.example"}
    )
    assert answer.status_code == 403, name
    assert AuditEntry.objects.count() == entries


def test_a_session_of_the_api_needs_the_forms_token_too(pharmacist: StaffMember) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(pharmacist.user)
    body = {"family_name": "Okafor", "given_name": "Ada"}
    answer = client.post("/api/v1/patients/", body, "application/json", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403 and not Patient.objects.exists()


def test_a_session_that_was_planted_before_the_sign_in_is_worth_nothing_after_it(pharmacist: StaffMember) -> None:
    victim = Client()
    victim.get("/accounts/login/")
    victim.session.save()
    planted = victim.session.session_key
    victim.cookies["sessionid"] = planted
    assert sign_in(victim, pharmacist).status_code == 302
    assert victim.cookies["sessionid"].value != planted
    attacker = Client()
    attacker.cookies["sessionid"] = planted
    assert "/accounts/login/" in attacker.get(reverse("counter:queue"))["Location"]
    assert not Session.objects.filter(session_key=planted).exists()


@pytest.mark.parametrize("field", ["pharmacy", "id", "number", "registered_at", "version", "erased_at"])
def test_a_field_that_is_not_asked_for_is_refused_by_name(pharmacist: StaffMember, field: str) -> None:
    body = {"family_name": "Okafor", "given_name": "Ada", "identifier": "P-1", field: "1"}
    answer = Client().post("/api/v1/patients/", body, "application/json", headers=as_token(pharmacist))
    assert (answer.status_code, [problem["field"] for problem in answer.json()["problems"]]) == (400, [field])
    assert not Patient.objects.exists()


@pytest.mark.parametrize("name", ["Okafor\r\nBcc: all@evil.example", "Ada\nSubject: x", "Ada\x00", "Ada\u2028x"])
def test_a_line_end_in_a_name_is_refused_and_starts_no_header(pharmacist: StaffMember, name: str) -> None:
    body = {"family_name": name, "given_name": "Ada", "identifier": "P-1"}
    answer = Client().post("/api/v1/patients/", body, "application/json", headers=as_token(pharmacist))
    assert answer.status_code == 400
    assert [problem["field"].split(".")[-1] for problem in answer.json()["problems"]] == ["family_name"]


def test_markup_and_templates_in_a_name_are_words_on_every_page_of_the_patient(pharmacist: StaffMember) -> None:
    patient = make.patient(pharmacist.pharmacy, family_name=SCRIPT, given_name="Ada", now=timezone.now())
    order = make.prescription(patient, now=timezone.now())
    client = Client()
    client.force_login(pharmacist.user)
    for address in (
        reverse("counter:queue"), reverse("counter:patient", args=[patient.pk]), reverse("counter:check", args=[order.pk]),
        reverse("counter:stop", args=[order.pk]),
    ):  # fmt: skip
        page = client.get(address).content.decode()
        assert "&lt;script&gt;alert(1)&lt;/script&gt;{{ settings.SECRET_KEY }}{% debug %}" in page, address
        assert "<script>alert" not in page and '"onfocus="x' not in page, address


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example/", "https:evil.example", "/\\evil.example", "javascript:alert(1)"],
)
def test_nobody_is_sent_to_another_site_by_the_pages_that_lead_back(pharmacist: StaffMember, target: str) -> None:
    client = Client()
    assert sign_in(client, pharmacist, f"/accounts/login/?next={target}")["Location"] == "/"
    assert client.post(reverse("counter:unlock"), {"next": target, "password": make.PASSWORD})["Location"] == "/"
    for name in ("counter:resume", "counter:lock", "counter:unlock", "counter:leave"):
        answer = client.post(reverse(name), {"next": target, "password": make.PASSWORD})
        assert answer["Location"].split("?")[0] in {"/", "/unlock", "/accounts/login/"}, name
        assert "evil" not in answer["Location"] and "javascript" not in answer["Location"], name


class CountingHasher(PBKDF2PasswordHasher):
    """PBKDF2, which counts how often it ran."""

    algorithm = "counting"
    iterations = 2
    runs = 0

    def encode(self, *args: Any, **options: Any) -> str:
        CountingHasher.runs += 1
        return super().encode(*args, **options)


def test_a_name_that_is_unknown_costs_the_sign_in_as_much_as_a_wrong_password(
    pharmacist: StaffMember, settings: Any
) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    pharmacist.user.set_password(make.PASSWORD)
    pharmacist.user.save()

    def runs_for(name: str) -> int:
        CountingHasher.runs = 0
        answer = Client().post("/accounts/login/", {"login": name, "password": "four wrong brown bottles"})
        assert answer.status_code == 200
        return CountingHasher.runs

    assert runs_for(pharmacist.user.get_username()) == runs_for("nobody-of-this-name") == 1


@pytest.fixture
def log_lines(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    caplog.set_level(logging.DEBUG)
    yield caplog


def test_a_link_that_lets_somebody_in_stands_in_no_log_line_and_leaves_by_no_referrer(
    manager: StaffMember, log_lines: pytest.LogCaptureFixture
) -> None:
    client = Client()
    client.force_login(manager.user)
    new = {
        "username": "paul",
        "display_name": "Paul Adeyemi",
        "registration": "2071234",
        "role": "pharmacist",
        "email": "",
    }
    (link,) = re.findall(r"(/join/[^<]+)<", client.post(reverse("counter:people"), new).content.decode())
    log_lines.clear()
    page = Client().get(link)
    assert page.status_code == 200 and page["Referrer-Policy"] in {"same-origin", "no-referrer"}
    secret = link.rstrip("/").split("/")[-1]
    lines = [line for line in (record.getMessage() for record in log_lines.records) if "django.db" not in line]
    assert lines and not [line for line in lines if secret in line and "SELECT" not in line]
    assert mail.outbox == []


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"\x1f\x8b\x08\x00" + b"\x00" * 64, {"Content-Encoding": "gzip"}),
        (b"[" * 100_000, {}),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, {}),
        (b'{"family_name": "Okafor", "facts": ' + b'{"a":' * 24 + b"1" + b"}" * 25, {}),
    ],
)
def test_a_body_that_is_packed_or_deep_is_refused(
    pharmacist: StaffMember, body: bytes, encoding: dict[str, str]
) -> None:
    headers = as_token(pharmacist) | encoding
    answer = Client().generic("POST", "/api/v1/patients/", body, "application/json", headers=headers)
    assert answer.status_code == (415 if encoding else 400), answer.content[:200]
    assert encoding or (answer.json()["problems"] and "levels" in answer.content.decode())
