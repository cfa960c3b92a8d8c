"""Trials of another limit: recorded decisions asked again with one number changed, by a worker, and read at the desk."""

from __future__ import annotations

import itertools
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.actions import limit_trials
from dispensary.models import AuditEntry, LimitTrial, Pharmacy, StaffMember, StaffRole
from dispensary.tasks import try_limits
from tests.dispensary import make
from tests.dispensary.audit.linking import flush_links

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Pharmacy:
    """A pharmacy with a hand-over of 105 mg a day, above the maximum of 100 mg, and one of 60 mg."""
    make.products()
    shop = make.pharmacy()
    pharmacist = make.staff(shop)
    for dose, quantity in ((35, 294), (20, 168)):
        order = make.prescription(
            make.patient(shop, family_name=f"Takes {dose}"),
            phases=[{"dose": dose, "unit": "mg", "times_per_day": 3, "days": 28}],
            directions=f"{dose} mg three times a day for 28 days", quantity=quantity,
        )  # fmt: skip
        make.hand_over(order, pharmacist.actor())
    flush_links()
    return shop


@pytest.fixture
def auditor(shop: Pharmacy) -> StaffMember:
    return make.staff(shop, StaffRole.AUDITOR)


@pytest.fixture
def desk(client: Client, auditor: StaffMember) -> Client:
    client.force_login(auditor.user)
    return client


def maximum_of_adults(shop: Pharmacy) -> Any:
    lines = limit_trials.changeable_lines(shop, shop.local_day(timezone.now()))
    return next(line for line in lines if line.place == "terms.max_mg_per_day" and line.ages == "from 12 years")


def ask(desk: Client, shop: Pharmacy, value: str, **changes: str) -> Any:
    today = shop.local_day(timezone.now())
    days = {"since": (today - timedelta(days=1)).isoformat(), "until": today.isoformat()}
    form = {"line": maximum_of_adults(shop).digest, "value": value} | days | changes
    return desk.post(reverse("counter:audit-trials"), form)


def result_of(desk: Client, shop: Pharmacy, value: str) -> dict[str, Any]:
    address = ask(desk, shop, value)["Location"]
    assert "It waits for the worker" in desk.get(address).content.decode()
    try_limits()
    result: dict[str, Any] = desk.get(address).context["result"]
    return result


def test_a_higher_limit_would_find_less_and_the_decision_is_named(desk: Client, shop: Pharmacy) -> None:
    result = result_of(desk, shop, "110")
    assert result["rules"] == [["daily-maximum", "override", 0, result["different"]]]  # each review of that order
    assert result["different"] < result["decisions"]
    assert result["orders"] == 1
    assert result["unavailable"] == 0
    trial = LimitTrial.objects.get()
    words = desk.get(reverse("counter:audit-trial", args=[trial.pk])).content.decode()
    assert "All rules: daily maximum, from 12 years: 100 to 110 mg/day" in words
    assert f"Of {result['decisions']} decisions {result['different']} would differ, in 1 order." in words
    assert "Daily maximum (override)" in words
    assert reverse("counter:audit-entry", args=[result["cases"][0]["entry"]]) in words


def test_numbers_are_named_in_words(desk: Client, shop: Pharmacy) -> None:
    address = reverse("counter:audit-trials")
    choices = [words for _, words in desk.get(address).context["form"].fields["line"].choices]
    assert "All rules: days of a taper to nothing that is planned without a wish: 14\xa0days" in choices
    assert len(set(choices)) == len(choices)
    assert not [words for words in choices if "_" in words or words.startswith(("terms.", "rules."))]
    result_of(desk, shop, "110")
    page = desk.get(address).content.decode()
    assert "All rules: daily maximum</a>, from 12 years" in page and "max_mg_per_day" not in page


def test_a_lower_limit_would_find_more(desk: Client, shop: Pharmacy) -> None:
    result = result_of(desk, shop, "50")
    assert any(code == "daily-maximum" and gained for code, _, gained, _ in result["rules"])
    assert any(before != after for before, after, _ in result["outcomes"])


def test_the_same_number_changes_nothing(desk: Client, shop: Pharmacy) -> None:
    result = result_of(desk, shop, "100")
    assert (result["different"], result["rules"], result["cases"]) == (0, [], [])
    assert result["decisions"] > 1


def test_request_and_result_stand_in_the_log_without_a_patient(desk: Client, shop: Pharmacy) -> None:
    result_of(desk, shop, "110")
    asked, done = (
        audit.lines([AuditEntry.objects.get(action=action, pharmacy=shop.pk)], shop)[0]
        for action in ("limit.trial_requested", "log.replayed")
    )
    assert asked.body is not None
    assert done.body is not None
    assert (asked.body["from"], asked.body["to"]) == ("100", "110")
    assert done.body["orders"] == 1
    assert "cases" not in done.body
    assert asked.entry.subject_id == done.entry.subject_id
    assert done.entry.patient_ref is None


@pytest.mark.parametrize("change", ["different", "cases"])
def test_a_result_that_is_not_what_the_log_says_is_not_shown(desk: Client, shop: Pharmacy, change: str) -> None:
    result = result_of(desk, shop, "110")
    address = reverse("counter:audit-trial", args=[LimitTrial.objects.get().pk])
    assert "not what the log says" not in desk.get(address).content.decode()
    LimitTrial.objects.update(result=result | {change: result[change][:-1] if change == "cases" else 0})
    words = desk.get(address).content.decode()
    assert "This result is not what the log says" in words
    assert "would differ" not in words


@pytest.mark.parametrize(
    ("value", "changes", "words"),
    [
        ("-5", {}, "cannot be used"),
        ("many", {}, "Enter a number"),
        ("110", {"line": "0" * 64}, "not one of the available choices"),
        ("110", {"since": "2020-01-01"}, "at most 366 days"),
        ("110", {"since": "2999-01-01", "until": "2999-01-02"}, "up to today"),
        ("110", {"until": ""}, "required"),
    ],
)
def test_what_cannot_be_tried_is_refused_with_what_is_expected(
    desk: Client, shop: Pharmacy, value: str, changes: dict[str, str], words: str
) -> None:
    refused = ask(desk, shop, value, **changes)
    assert refused.status_code == 422
    assert words in refused.content.decode()
    assert not LimitTrial.objects.exists()


def test_one_trial_at_a_time(desk: Client, shop: Pharmacy) -> None:
    assert ask(desk, shop, "110").status_code == 302
    assert "wait until it is finished" in ask(desk, shop, "120").content.decode()
    try_limits()
    assert ask(desk, shop, "120").status_code == 302


def test_a_trial_whose_worker_is_gone_is_begun_again(desk: Client, shop: Pharmacy) -> None:
    ask(desk, shop, "110")
    now = timezone.now()
    LimitTrial.objects.update(seen_at=now)
    assert not limit_trials.run_next(lambda: now)
    assert limit_trials.run_next(lambda: now + limit_trials.ABANDONED + timedelta(seconds=1))
    assert LimitTrial.objects.get().result["orders"] == 1


def test_a_trial_goes_on_where_the_slice_before_stopped(
    desk: Client, shop: Pharmacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = result_of(desk, shop, "50")
    assert whole["different"]
    monkeypatch.setattr(limit_trials, "CHUNK", 3)
    address = ask(desk, shop, "50")["Location"]
    reached = []
    while not limit_trials.run_next(timezone.now, iter([False, True]).__next__):
        trial = LimitTrial.objects.get(finished_at=None)
        reached.append(trial.reached)
        assert trial.seen_at is None
        assert f"{trial.reached} of {trial.last} entries are read" in desk.get(address).content.decode()
    assert len(reached) > 2 and reached == sorted(set(reached))
    assert desk.get(address).context["result"] == whole


def test_a_worker_that_died_costs_its_last_chunk_only(
    desk: Client, shop: Pharmacy, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = result_of(desk, shop, "110")
    monkeypatch.setattr(limit_trials, "CHUNK", 3)
    address = ask(desk, shop, "110")["Location"]
    calls = itertools.count(1)

    def die_at_the_third() -> bool:
        assert next(calls) < 3, "killed"
        return False

    with pytest.raises(AssertionError, match="killed"):
        limit_trials.run_next(timezone.now, die_at_the_third)
    reached = LimitTrial.objects.get(finished_at=None).reached
    assert reached
    later = timezone.now() + limit_trials.ABANDONED + timedelta(seconds=1)
    assert limit_trials.run_next(lambda: later)
    assert desk.get(address).context["result"] == whole


def test_days_without_entries_are_said(desk: Client, shop: Pharmacy) -> None:
    today = shop.local_day(timezone.now())
    day = (today - timedelta(days=40)).isoformat()
    address = ask(desk, shop, "110", since=day, until=day)["Location"]
    try_limits()
    assert "Nothing was recorded then." in desk.get(address).content.decode()


def test_the_live_profile_is_not_touched(desk: Client, shop: Pharmacy) -> None:
    before = maximum_of_adults(shop)
    result_of(desk, shop, "110")
    assert maximum_of_adults(shop) == before
    assert before.value == str(Decimal(100))


def test_a_trial_of_another_pharmacy_is_not_found(desk: Client, shop: Pharmacy) -> None:
    address = ask(desk, shop, "110")["Location"]
    stranger = Client()
    stranger.force_login(make.staff(make.pharmacy("Elsewhere"), StaffRole.AUDITOR).user)
    assert stranger.get(address).status_code == 404
