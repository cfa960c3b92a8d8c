"""The answers of `manage.py check --database default` about reminders and a site's own profiles."""

from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from dispensary.checks import api_authentication, reminder_engine, site_profiles
from dispensary.errors import InvalidInput
from dispensary.models import EngineCounter
from dispensary.profiles import profile_named
from tests.baclofen_rules.profiles.tizanidine import write_tizanidine
from tests.dispensary import make

pytestmark = pytest.mark.django_db


def messages() -> list[str]:
    return [warning.msg for warning in reminder_engine(databases=["default"])]


def test_a_site_without_a_pharmacy_owes_nobody_a_message() -> None:
    assert messages() == []


def test_the_check_fails_where_a_pharmacy_is_open_and_nothing_has_ever_ticked() -> None:
    make.pharmacy()
    assert ["never ticked" in message for message in messages()] == [True]
    with pytest.raises(CommandError, match=r"dispensary\.W005"):
        call_command("check", databases=["default"], fail_level="WARNING", stderr=StringIO())


@pytest.mark.parametrize(("age", "count"), [(30, 0), (600, 1)])
def test_the_check_fails_where_the_last_tick_is_some_minutes_old(age: int, count: int) -> None:
    make.pharmacy()
    EngineCounter.objects.create(name="tick", at=timezone.now() - timedelta(seconds=age))
    assert len(messages()) == count


def test_a_database_that_is_not_migrated_has_no_reminders_to_speak_of() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL search_path TO pg_catalog")
    assert messages() == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rest_framework.authentication.BasicAuthentication", "locks nobody out"),
        ("theirs.Token", "cannot be used: No module named 'theirs'"),
    ],
)
def test_a_way_to_sign_in_without_a_lock_out_is_an_error_and_so_is_one_that_is_not_there(
    name: str, words: str, settings: Any
) -> None:
    assert api_authentication() == []
    settings.DISPENSARY = {**settings.DISPENSARY, "api_authentication": [name]}
    (error,) = api_authentication()
    assert error.id == "dispensary.E011"
    assert words in error.msg


def test_a_profile_of_another_medicine_is_refused(tmp_path: Path, settings: Any) -> None:
    settings.DISPENSARY = {**settings.DISPENSARY, "profile_folder": tmp_path}
    write_tizanidine(tmp_path)
    (error,) = site_profiles()
    assert error.id == "dispensary.E006"
    assert "given tizanidine, expected baclofen: no other is dispensed here" in error.msg
    with pytest.raises(InvalidInput, match="no other is dispensed here"):
        profile_named("tizanidine", timezone.localdate())


def test_a_site_is_told_what_its_own_profile_takes_from_another(tmp_path: Path, settings: Any) -> None:
    head = 'format = "baclofen-profile/1"\nname = "house"\ntitle = "Ours"\nauthor = "A"\nnext_review = 2027-05-22\n'
    settings.DISPENSARY = {**settings.DISPENSARY, "profile_folder": tmp_path}
    assert site_profiles() == []
    (tmp_path / "house.toml").write_text(f'{head}checker = "B"\n', encoding="utf-8")
    (warning,) = site_profiles()
    assert warning.id == "dispensary.W006"
    assert "rules.tenfold" in warning.msg
    assert "lioresal stands in" in warning.msg
    (tmp_path / "house.toml").write_text(f'{head}checker = "B"\nextends = "uk-smpc"\n', encoding="utf-8")
    assert site_profiles() == []
    (tmp_path / "house.toml").write_text(head, encoding="utf-8")
    assert [error.id for error in site_profiles()] == ["dispensary.E006"]
