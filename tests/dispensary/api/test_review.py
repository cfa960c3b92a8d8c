"""Review of the log over HTTP: a day is signed, samples of overrides are drawn and judged blind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from dispensary.audit import Event
from dispensary.audit.checks import counts
from dispensary.audit.sealing import service
from dispensary.models import AuditLog, Pharmacy
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller, fields, problem
from tests.dispensary.audit.conftest import own_key  # noqa: F401  (a fixture, used by its name)

pytestmark = [
    pytest.mark.usefixtures("own_key"),
    pytest.mark.django_db(transaction=True, databases=["default", "sealer"]),
]


@pytest.fixture
def shop(transactional_db: None) -> Pharmacy:
    """A pharmacy where two orders of 105 mg a day were handed over with two overrides each, in a sealed log."""
    make.products()
    shop = make.pharmacy(now=timezone.now(), time_zone="UTC")
    signer = make.staff(shop, now=timezone.now())
    for number in range(2):
        order = make.prescription(
            make.patient(shop, family_name=f"Person {number}", now=timezone.now()), quantity=294, now=timezone.now(),
            phases=[{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}],
            directions="35 mg three times a day for 28 days",
        )  # fmt: skip
        make.hand_over(order, signer.actor(), now=timezone.now())
    service.seal_round(service.make_sealer(), timezone.now(), pharmacy=shop.pk)
    return shop


def day_of(shop: Pharmacy, days_ago: int) -> str:
    return (shop.local_day(timezone.now()) - timedelta(days=days_ago)).isoformat()


def test_a_day_that_is_over_is_signed_once(shop: Pharmacy, auditor: Caller) -> None:
    address = f"audit/days/{day_of(shop, 1)}/"
    assert auditor.get(address).json()["signed"] is None
    signed = auditor.post(f"{address}sign/", {}, Idempotency_Key="k").json()
    assert signed["signed"]["action"] == Event.DAY_SIGNED
    assert auditor.post(f"{address}sign/", {}, Idempotency_Key="k").json() == signed
    assert problem(auditor.post(f"{address}sign/", {}), 409)["detail"] == "This day is signed already."
    assert fields(auditor.get(f"audit/days/{day_of(shop, 0)}/")) == {"day"}
    for none in ("0001-01-01", "9999-12-31", "2026-13-01", "today"):
        assert auditor.get(f"audit/days/{none}/").status_code == 404


def test_a_sample_is_judged_without_the_name_of_who_signed(shop: Pharmacy, auditor: Caller) -> None:
    body = {"since": day_of(shop, 1), "until": day_of(shop, 0), "number": 5}
    drawn = auditor.post("audit/samples/", body, Idempotency_Key="draw")
    assert drawn.status_code == 201, drawn.content
    sample = drawn.json()
    assert len(sample["overrides"]) == sample["drawn"]["size"] == 4
    assert all(row["signed_by"] is None and row["judged"] is None for row in sample["overrides"])
    assert all(row["answer"]["finding"]["summary"] for row in sample["overrides"])
    assert "Pharmacist" not in str(sample["overrides"])

    address, entry = f"audit/samples/{sample['id']}/", sample["overrides"][0]["entry"]
    assert fields(auditor.post(f"{address}judgements/", {"entry": entry, "judgement": "discuss"})) == {"words"}
    assert fields(auditor.post(f"{address}judgements/", {"entry": entry, "judgement": "fine"})) == {"judgement"}
    odd = {"entry": entry, "judgement": "agreed", "finding_right": "perhaps"}
    assert fields(auditor.post(f"{address}judgements/", odd)) == {"finding_right"}
    judged = auditor.post(f"{address}judgements/", {"entry": entry, "judgement": "agreed"}).json()["overrides"]
    assert judged[0]["signed_by"].startswith("Pharmacist") and judged[0]["judged"][0]["judgement"] == "agreed"
    assert judged[1]["signed_by"] is None
    assert problem(auditor.post(f"{address}judgements/", {"entry": entry, "judgement": "agreed"}), 409)["detail"]
    assert auditor.get("audit/samples/").json()[0]["id"] == sample["id"]
    assert auditor.get(address).json()["overrides"] == judged


def test_a_sample_of_nothing_is_refused(shop: Pharmacy, auditor: Caller) -> None:
    def draw(since: int, until: int, number: int = 2) -> set[str]:
        body = {"since": day_of(shop, since), "until": day_of(shop, until), "number": number}
        return fields(auditor.post("audit/samples/", body))

    assert draw(9, 8) == {"since"} and draw(0, 1) == {"since"} and draw(1, 0, 51) == {"number"}


def test_a_verification_is_asked_for_once_until_it_has_finished(shop: Pharmacy, auditor: Caller) -> None:
    asked = auditor.post("audit/checks/", {}, Idempotency_Key="check")
    assert (asked.status_code, asked.json()["finished_at"]) == (202, None)
    assert auditor.post("audit/checks/", {}, Idempotency_Key="check").json() == asked.json()
    assert problem(auditor.post("audit/checks/", {}), 409)["detail"] == "This log is being verified already."
    assert [check["id"] for check in auditor.get("audit/checks/").json()["results"]] == [asked.json()["id"]]


def test_findings_and_answers_of_a_period_are_counted(shop: Pharmacy, auditor: Caller) -> None:
    log = AuditLog.objects.get(pharmacy=shop.pk)
    today = shop.local_day(timezone.now())
    counts.count_day(log, shop, today, now=timezone.now())
    counted = auditor.get(f"audit/quality/?since={today}&until={today}").json()
    by_rule = {row["rule"]: row for row in counted["rules"]}
    assert (by_rule["daily-maximum"]["shown"], by_rule["daily-maximum"]["answered"]) == (2, 2)
    assert by_rule["daily-maximum"]["reasons"] == {"5": 2}
    assert counted["totals"] == {"orders": 2, "handovers": 2, "repeats": 0}
    assert counted["days"] == 1 and sum(row["answered"] for row in counted["people"]) == 4
    assert fields(auditor.get(f"audit/quality/?since={today}&until={today - timedelta(days=1)}")) == {"since"}
    assert fields(auditor.get("audit/quality/?since=yesterday")) == {"since", "until"}
    assert fields(auditor.get(f"audit/quality/?since={today}&until={today}&rule=x")) == {"rule"}
