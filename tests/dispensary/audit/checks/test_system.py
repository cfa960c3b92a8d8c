"""The checks warn when the log's promises do not hold, and are silent when they do."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from psycopg import IsolationLevel

from dispensary.audit.checks import system
from dispensary.audit.log.reader import UNSIGNED_TOO_LONG, unsigned_since
from dispensary.models import Pharmacy
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
