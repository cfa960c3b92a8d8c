"""A release's migrations run beside the code of the release before: they hold no table up, and that code goes on writing."""

import re

import pytest
from django.db.migrations.loader import MigrationLoader
from django_migration_linter.migration_linter import MigrationLinter
from django_migration_linter.sql_analyser import PostgresqlAnalyser
from django_migration_linter.sql_analyser.analyser import analyse_sql_statements

RELEASED = {"dispensary": "0047_answers_of_patients", "deploy": "0001_cache"}
"""The last migration of each app that a site runs already. What came before it is not judged again."""


def list_new_migrations():
    disk = MigrationLoader(None).disk_migrations
    return sorted(key for key in disk if key[1] > RELEASED.get(key[0], "~"))


def list_issues(statements):
    """Return the codes of what the linter finds; an index of a table that is made by the same statements holds nothing up."""
    made = re.findall(r'^CREATE TABLE ("\w+")', "\n".join(statements), re.MULTILINE)
    asked = [
        statement
        for statement in statements
        if not any("INDEX" in statement and f" ON {table} " in statement for table in made)
    ]
    errors, _ignored, warnings = analyse_sql_statements(PostgresqlAnalyser, asked)
    return [issue.code for issue in [*errors, *warnings]]


@pytest.mark.parametrize(("app", "name"), list_new_migrations())
def test_a_new_migration_neither_holds_a_table_up_nor_stops_the_release_before(
    app, name, django_db_setup, django_db_blocker
):
    with django_db_blocker.unblock():  # outside of a transaction, where an index can be built concurrently
        linter = MigrationLinter(no_output=True, no_cache=True)
        assert list_issues(linter.get_sql(app, name)) == []


@pytest.mark.parametrize(
    ("statement", "issue"),
    [
        ('ALTER TABLE "dispensary_dispense" ADD COLUMN "shelf" integer NOT NULL;', "NOT_NULL"),
        ('ALTER TABLE "dispensary_dispense" DROP COLUMN "lot";', "DROP_COLUMN"),
        ('CREATE INDEX "by_lot" ON "dispensary_dispense" ("lot");', "CREATE_INDEX"),
    ],
)
def test_what_would_do_so_is_named(statement, issue):
    assert list_issues([statement]) == [issue]
