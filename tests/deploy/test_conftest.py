"""The tests' own ground: whose database it is, and that it is empty before each test."""

import pytest
from django.contrib.auth.models import Group
from django.db import ProgrammingError, connection, connections

from tests.site import Database


def test_tests_of_a_file_are_given_to_one_process(request: pytest.FixtureRequest, worker_id: str) -> None:
    if worker_id == "master":
        pytest.skip("this run has one process")
    assert "@tests/deploy/test_conftest.py" in request.node.nodeid


@pytest.mark.django_db
def test_tests_work_as_a_role_that_owns_nothing(database: Database) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)")
        name, superuser = cursor.fetchone()
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        (owned,) = cursor.fetchone()
    assert name == database.roles.app.name
    assert superuser is False or not database.split
    assert owned == 0 or not database.split


@pytest.mark.django_db
def test_the_application_may_not_change_the_shape_of_the_database(database: Database) -> None:
    if not database.split:
        pytest.skip("DATABASE_URL gives one role for everything, and that role owns the tables")
    with pytest.raises(ProgrammingError, match=r"must be owner|permission denied"), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE auth_group ADD COLUMN extra int")


@pytest.mark.django_db(transaction=True, databases=["default", "owner", "sealer"])
@pytest.mark.parametrize("turn", ["first", "second"])
def test_rows_of_a_committed_test_are_gone_in_the_next(turn: str) -> None:
    assert not Group.objects.filter(name="left behind").exists()
    Group.objects.create(name="left behind")
    assert Group.objects.using("owner").filter(name="left behind").exists()


@pytest.mark.django_db(databases=["default", "owner", "sealer"])
def test_each_alias_is_its_own_role_in_the_same_database(database: Database) -> None:
    by_alias = {}
    for alias in ("default", "owner", "sealer"):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT session_user, current_database()")
            by_alias[alias] = cursor.fetchone()
    assert by_alias == {
        "default": (database.roles.app.name, database.name),
        "owner": (database.roles.owner.name, database.name),
        "sealer": (database.roles.sealer.name, database.name),
    }
