"""The limit of requests of a signed-in person, on pages and over REST."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import request_limit
from dispensary.request_limit import is_too_often
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def three_a_minute(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A limit of three, in a minute that does not end."""
    settings.DISPENSARY = {**getattr(settings, "DISPENSARY", {}), "session_requests_a_minute": 3}
    request_limit._requests.clear()
    monkeypatch.setattr(request_limit, "time", SimpleNamespace(monotonic=lambda: 60.0))


def test_each_person_has_a_limit_that_begins_anew_each_minute(three_a_minute: None) -> None:
    assert [is_too_often(1, 119.0) for _ in range(4)] == [False, False, False, True]
    assert not is_too_often(2, 119.9)
    assert is_too_often(1, 119.9)
    assert not is_too_often(1, 120.0)


def test_pages_and_rest_are_refused_past_it_and_a_token_is_not(three_a_minute: None, client: Client) -> None:
    member = make.staff(make.pharmacy(now=timezone.now()), now=timezone.now())
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    addresses = (reverse("counter:queue"), "/api/v1/patients/", reverse("counter:queue"))
    assert [client.get(address).status_code for address in addresses] == [200, 200, 200]
    for address in addresses:
        refused = client.get(address)
        assert (refused.status_code, refused["Retry-After"]) == (429, "60"), address
    assert Caller(member).get("patients/").status_code == 200
