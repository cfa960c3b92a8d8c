"""GET /metrics tells how old the newest anchor is and how much of the log is unsealed, to the holder of the token."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from django.test import Client

from deploy.environment import ROOT
from tests.dispensary import make
from tests.site import Site, running_web

pytestmark = pytest.mark.django_db(transaction=True)


def scrape(token: str = "metrics-for-tests") -> tuple[int, str]:
    answer = Client().get("/metrics", headers={"authorization": f"Bearer {token}"})
    return answer.status_code, answer.content.decode()


def test_the_log_s_numbers_are_there_and_name_no_pharmacy() -> None:
    for _ in range(2):
        make.pharmacy()
    status, metrics_text = scrape()
    assert status == 200
    (age,) = re.findall(r"^dispensary_audit_anchor_age_seconds (\S+)$", metrics_text, re.M)
    (unsealed,) = re.findall(r"^dispensary_audit_unsealed_entries (\S+)$", metrics_text, re.M)
    assert 0 <= float(age) < 600
    assert float(unsealed) >= 2
    assert "log=" not in metrics_text
    assert scrape()[0] == 200


@pytest.mark.slow
def test_all_processes_count_together(site: Site, tmp_path: Path) -> None:
    settings = {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"), "METRICS_TOKEN": "secret", "WEB_WORKERS": "2"}
    with running_web(site, tmp_path, "/health/live", **settings) as (address, _server):
        task = (
            "import deploy.celery, django; django.setup(); from dispensary.tasks import tick_reminders as t; t.apply()"
        )
        subprocess.run([sys.executable, "-c", task], env=site.environment(**settings), cwd=ROOT, check=True)
        for _ in range(20):
            assert requests.get(f"{address}/metrics", timeout=60).status_code == 404
        for scrape_number in range(6):
            answer = requests.get(f"{address}/metrics", headers={"Authorization": "Bearer secret"}, timeout=60)
            counted = re.findall(
                r'^django_http_responses_total_by_status_total{status="404"} (\S+)$', answer.text, re.M
            )
            assert counted == ["20.0"], scrape_number
            assert 'dispensary_tasks_total{state="SUCCESS",task="dispensary.reminders.tick"} 1.0' in answer.text
            assert "dispensary_reminders_readable 1.0" in answer.text and "dispensary_audit_unsealed" in answer.text


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_stranger_finds_nothing(token: str) -> None:
    assert scrape(token)[0] == 404
