"""The checks warn when the log's promises do not hold, and are silent when they do."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from psycopg import IsolationLevel

from dispensary.audit.checks import system
from dispensary.audit.log.database import all_logs, raw_connection
from dispensary.audit.log.reader import UNSIGNED_TOO_LONG, unsigned_since
from dispensary.audit.sealing.cosigning import store_answer
from dispensary.models import Pharmacy
from tests.dispensary.audit.logs import WITNESSES
from tests.site import Database

pytestmark = pytest.mark.django_db(transaction=True)


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


def test_no_setting_of_the_site_switches_the_log_off() -> None:
    """The settings of the log; a new one must be looked at here. None of them is a switch."""
    from dispensary.conf import Conf

    about = {setting.name: setting.type for setting in dataclasses.fields(Conf) if "audit" in setting.name}
    assert set(about) == {
        "audit_origin", "audit_key_file", "audit_state_folder", "audit_retention_vkeys", "audit_seal_standbys", "audit_anchor_max_age",
        "audit_witness_url", "audit_witness_vkeys", "audit_tiles_folder",
    }  # fmt: skip
    assert not any("bool" in str(kind) for kind in about.values())


def with_database(settings: Any, **changes: Any) -> list[str]:
    settings.DATABASES = {"default": {**settings.DATABASES["default"], **changes}}
    return ids(system.check_settings())


def test_postgresql_at_read_committed_is_right(settings: Any) -> None:
    assert with_database(settings) == []
    assert with_database(settings, OPTIONS={"isolation_level": IsolationLevel.READ_COMMITTED}) == []


def test_another_database_is_an_error(settings: Any) -> None:
    assert with_database(settings, ENGINE="django.db.backends.sqlite3") == ["dispensary.E002"]


def test_a_database_beside_ours_may_be_of_any_kind(settings: Any) -> None:
    beside = {"ENGINE": "django.db.backends.sqlite3"}
    settings.DATABASES = {**settings.DATABASES, "reports": beside}
    assert ids(system.check_settings()) == []
    settings.DATABASES = {**settings.DATABASES, "sealer": beside}
    assert ids(system.check_settings()) == ["dispensary.E002"]


@pytest.mark.parametrize(
    "options",
    [
        {"isolation_level": IsolationLevel.SERIALIZABLE},
        {"isolation_level": IsolationLevel.REPEATABLE_READ},
        {"options": "-c default_transaction_isolation=serializable"},
    ],
)
def test_another_isolation_level_is_an_error(settings: Any, options: dict[str, Any]) -> None:
    assert with_database(settings, OPTIONS=options) == ["dispensary.E001"]


def test_the_split_roles_are_silent_and_a_fresh_log_may_wait_for_its_first_anchor(
    committed_pharmacy: Pharmacy, write: Callable[..., UUID]
) -> None:
    write(committed_pharmacy)
    now = dt.datetime.now(dt.UTC)
    # The logs of earlier tests in this database were never signed.
    assert set(ids(system.check_database(["default"], now))) <= {"dispensary.W007"}
    assert all(now - since < UNSIGNED_TOO_LONG for since in unsigned_since(committed_pharmacy.pk).values())


def test_a_log_that_was_not_anchored_for_26_hours_is_a_warning(
    committed_pharmacy: Pharmacy, write: Callable[..., UUID]
) -> None:
    write(committed_pharmacy)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=26, minutes=1)
    assert ids(system.check_database(["default"], later)) == ["dispensary.W003", "dispensary.W007"]  # nor signed


@pytest.mark.django_db(databases=["default", "sealer"], transaction=True)
def test_a_witness_that_has_not_signed_for_an_hour_is_a_warning(
    sealed: Pharmacy, settings: Any, tmp_path: Path, now: dt.datetime
) -> None:
    (tmp_path / "vkeys").write_text(f"{WITNESSES[0].verifier}\n")
    settings.DISPENSARY = {
        **settings.DISPENSARY, "audit_witness_url": "https://witness.example", "audit_witness_vkeys": tmp_path / "vkeys",
    }  # fmt: skip
    connection = raw_connection("sealer")
    row = all_logs(connection, sealed.pk)[0]
    (signed_at, note) = connection.execute(
        "SELECT created_at, note FROM audit.checkpoint WHERE log_id = %s", [row.log_id]
    ).fetchone() or (now, "")
    later = signed_at + dt.timedelta(seconds=1)
    names = [WITNESSES[0].verifier.name]

    def is_unwitnessed(since: dt.datetime) -> bool:
        return (row.origin,) in connection.execute(system._UNWITNESSED, [since, names]).fetchall()

    assert [is_unwitnessed(signed_at), is_unwitnessed(later)] == [False, True]
    assert ids(system._check_witness(later + system.UNWITNESSED_TOO_LONG)) == ["dispensary.W009"]
    store_answer(
        connection, row.log_id, WITNESSES[0].cosign(note.partition("\n\n")[0] + "\n", signed_at), WITNESSES[0].verifier
    )
    assert not is_unwitnessed(later)


@pytest.mark.parametrize("kind", ["owner", "superuser"])
def test_an_application_that_owns_the_log_is_warned_about(
    database: Database, kind: str, monkeypatch: pytest.MonkeyPatch, transactional_db: None
) -> None:
    with database.connect(kind) as connection:
        monkeypatch.setattr(system, "raw_connection", lambda alias: connection)
        assert "dispensary.W001" in ids(system.check_database(["default"], dt.datetime.now(dt.UTC)))


def test_a_missing_partition_of_next_month_is_a_warning(
    database: Database, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect("superuser", autocommit=False) as connection:
        (name,) = connection.execute("SELECT to_char(now() + interval '1 month', 'YYYY_MM')").fetchone() or ("",)
        connection.execute(f"DROP TABLE audit.entry_{name}")
        monkeypatch.setattr(system, "raw_connection", lambda alias: connection)
        assert "dispensary.W002" in ids(system.check_database(["default"], dt.datetime.now(dt.UTC)))
        connection.rollback()


def test_other_databases_are_not_asked(transactional_db: None) -> None:
    assert system.check_database([], dt.datetime.now(dt.UTC)) == []
    assert "default" in connections
