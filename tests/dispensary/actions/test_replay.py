"""Recorded decisions are run again from the log alone, and give the same bytes; another profile shows what it would change."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

import baclofen_rules
from dispensary import audit
from dispensary.actions import reviews
from dispensary.actors import Actor
from dispensary.models import AuditEntry, AuditLog, Patient, Pharmacy, Prescription
from tests.dispensary import make
from tests.site import Database

PROFILES = Path(baclofen_rules.__file__).parent / "profiles"


@pytest.fixture
def shop(transactional_db: None) -> Pharmacy:
    return make.pharmacy()


def decide(shop: Pharmacy, **order: Any) -> Prescription:
    """One recorded review."""
    prescription = make.prescription(make.patient(shop), **order)
    reviews.record(prescription=prescription, by=Actor.system("test", shop.pk), now=make.NOW)
    return prescription


@pytest.fixture
def decided(shop: Pharmacy) -> Pharmacy:
    decide(shop)
    high = [{"dose": 35, "unit": "mg", "times_per_day": 3, "days": 28}]
    decide(shop, phases=high, directions="35 mg three times a day for 28 days", quantity=294)
    return shop


def replay(shop: Pharmacy, *arguments: str, **options: Any) -> tuple[int, list[str]]:
    from io import StringIO

    out, status = StringIO(), 0
    log = AuditLog.objects.get(pharmacy=shop.pk).origin
    try:
        call_command("audit", "replay", *arguments, log=log, stdout=out, **options)
    except SystemExit as end:
        status = int(end.code or 0)
    return status, out.getvalue().splitlines()


def test_every_recorded_decision_comes_out_the_same(decided: Pharmacy) -> None:
    status, output = replay(decided)
    assert status == 0
    assert (
        output[0]
        == f"{reviewed(decided).count()} decisions: {reviewed(decided).count()} same, 0 different, 0 unavailable"
    )
    assert AuditEntry.objects.filter(pharmacy=decided.pk, action="log.replayed").count() == 1


def reviewed(shop: Pharmacy) -> Any:
    return AuditEntry.objects.filter(pharmacy=shop.pk, action="review.recorded").order_by("seq")


def test_nothing_but_the_log_is_read(decided: Pharmacy) -> None:
    """Whatever happened to patient and order since, the decision is what it was."""
    make.change_past_actions(
        Patient.objects.filter(pharmacy=decided.pk), birth_date="2020-01-01", conditions=["epilepsy"]
    )
    make.change_past_actions(
        Prescription.objects.filter(pharmacy=decided.pk), quantity=Decimal(1), strength_mg=Decimal(25)
    )
    assert replay(decided)[0] == 0


def test_one_decision_is_found_by_number_or_id(decided: Pharmacy) -> None:
    entry = reviewed(decided)[0]
    for name in (str(entry.seq), str(entry.entry_id)):
        status, output = replay(decided, name, all=True)
        assert (status, output[0], len(output)) == (0, f"entry {entry.seq}: same: {entry.reason_code}", 2)


def changed_profile(tmp_path: Path, change: tuple[str, str]) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    text = (PROFILES / "lioresal.toml").read_text(encoding="utf-8")
    assert text.count(change[0]) == 1
    (folder / "lioresal.toml").write_text(text.replace(*change), encoding="utf-8")
    return folder


def test_a_changed_profile_is_not_taken_for_the_recorded_one(
    decided: Pharmacy, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With other numbers in force the old ones are needed to run the decision again; kept, they are found."""
    changed = changed_profile(tmp_path, DAILY_MAXIMUM)
    settings.DISPENSARY = {**getattr(settings, "DISPENSARY", {}), "profile_folder": changed}
    status, output = replay(decided)
    assert status == 3
    assert "there is no profile lioresal" in output[0]
    archived = tmp_path / "archive" / "2026-11"
    archived.mkdir(parents=True)
    shutil.copy(PROFILES / "lioresal.toml", archived)
    assert replay(decided, profiles=[tmp_path / "archive"])[0] == 0


DAILY_MAXIMUM = ("value = 100\n", "value = 120\n")
"""A change of one number that the second decision turns on."""


def test_another_profile_shows_which_decisions_would_change_and_by_which_rule(
    decided: Pharmacy, tmp_path: Path, settings: Any
) -> None:
    status, output = replay(decided, profile="halves-only")
    assert status == 3, "a profile that does not exist cannot be asked"
    folder = changed_profile(tmp_path, DAILY_MAXIMUM)
    (folder / "lioresal.toml").rename(folder / "higher.toml")
    text = (folder / "higher.toml").read_text(encoding="utf-8")
    (folder / "higher.toml").write_text(text.replace('name = "lioresal"', 'name = "higher"'), encoding="utf-8")
    status, output = replay(decided, profile="higher", profiles=[folder])
    assert status == 1
    assert any(line.startswith("  -daily-maximum (override): 2") for line in output), output
    status, output = replay(decided, profile="higher", profiles=[folder], json=True)
    assert json.loads(output[-1])["lost"]["daily-maximum (override)"] == 2


def test_a_recorded_answer_that_was_falsified_before_it_was_hashed_is_different(shop: Pharmacy) -> None:
    """Somebody with the application's rights writes a decision that the rules never gave: the replay says so."""
    decide(shop)
    honest = audit.lines(reviewed(shop)[:1], shop)[0]
    body = {name: value for name, value in honest.body.items() if name != "by"}
    result = json.loads(body["review"]) | {"outcome": "stop"}
    write(shop, honest.entry, body | {"review": json.dumps(result, sort_keys=True, separators=(",", ":"))})
    status, output = replay(shop)
    assert status == 1
    assert "stop -> " in output[0]


def write(shop: Pharmacy, like: AuditEntry, body: dict[str, Any]) -> None:
    from django.db import transaction

    with transaction.atomic():
        audit.record(
            audit.Event.REVIEW_RECORDED, pharmacy=shop, by=Actor.system("test", shop.pk), now=make.NOW,
            subject=audit.Subject("review", "forged"), ruleset=bytes(like.ruleset), engine=like.engine, body=body,
        )  # fmt: skip


@pytest.mark.parametrize(
    "body", [{}, {"case": "no json", "review": "{}", "profile": "lioresal"}, {"case": 1, "review": 2}]
)
def test_an_entry_that_holds_no_case_is_unavailable_not_a_traceback(shop: Pharmacy, body: dict[str, Any]) -> None:
    decide(shop)
    write(shop, reviewed(shop)[0], body)
    status, output = replay(shop)
    assert status == 3
    assert "it holds no case" in output[0]


def test_an_erased_decision_is_unavailable(decided: Pharmacy, database: Database) -> None:
    entry = reviewed(decided)[0]
    with database.connect("owner") as owner:
        owner.execute(
            "SELECT audit.erase(%s, %s, 'court order', 'user:1', 'manager', 'user:2', 'Ann', now())",
            [entry.log_id, [entry.seq]],
        )
    status, output = replay(decided)
    assert status == 3
    assert output[0] == f"entry {entry.seq}: unavailable: its details were erased"


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["999999"], {}),
        (["no-such-id"], {}),
        ([], {"profiles": [Path("/no/such/folder")]}),
        ([], {"first": 5, "last": 2}),
    ],
)
def test_wrong_usage_is_2(decided: Pharmacy, arguments: list[str], options: dict[str, Any]) -> None:
    with pytest.raises(CommandError) as refused:
        replay(decided, *arguments, **options)
    assert refused.value.returncode == 2
