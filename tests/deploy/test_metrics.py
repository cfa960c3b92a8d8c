"""GET /metrics tells how old the newest anchor is and how much of the log is unsealed, to the holder of the token."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from dispensary import audit
from tests.dispensary import make

pytestmark = pytest.mark.django_db(transaction=True)


def scrape(token: str = "metrics-for-tests") -> tuple[int, str]:
    answer = Client().get("/metrics", headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.content.decode()


def test_the_log_s_numbers_are_there_by_the_log_s_public_name() -> None:
    pharmacy = make.pharmacy()
    origin = audit.origin_of(pharmacy.pk)
    status, metrics_text = scrape()
    assert status == 200
    (age,) = re.findall(rf'^dispensary_audit_anchor_age_seconds{{log="{origin}"}} (\S+)$', metrics_text, re.M)
    (unsealed,) = re.findall(rf'^dispensary_audit_unsealed_entries{{log="{origin}"}} (\S+)$', metrics_text, re.M)
    assert 0 <= float(age) < 600
    assert float(unsealed) >= 1
    assert scrape()[0] == 200


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_stranger_finds_nothing(token: str) -> None:
    assert scrape(token)[0] == 404
