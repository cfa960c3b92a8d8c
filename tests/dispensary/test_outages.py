"""Errors of a real server, told apart by their codes: busy, away, or the fault of the statement."""

from collections.abc import Iterator

import pytest
from django.db import Error, connection, transaction

from dispensary.errors import DispensaryError
from dispensary.outages import (
    DatabaseAway,
    DatabaseBusy,
    OutcomeUnknown,
    commits,
    count_commit,
    find_outage,
    forget_commits,
)

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = {
    "53100": "disk full", "53200": "out of memory", "53300": "too many connections", "57P01": "shut down by its keeper",
    "57P02": "crashed", "57P03": "starting", "08006": "connection lost", "57014": "statement took too long",
    "25P03": "transaction stood still too long", "25006": "a standby that was the primary", "58030": "disk error",
}  # fmt: skip


@pytest.fixture(autouse=True)
def begun() -> None:
    """A request has begun."""
    forget_commits()


def raised(code: str) -> Error:
    """Return what Django raises for an error of the server with this code."""
    with pytest.raises(Error) as caught, connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'no patient' USING ERRCODE = '{code}'; END $$")
    return caught.value


@pytest.mark.parametrize("code", NAMES, ids=NAMES.values())
def test_the_database_is_away_and_nothing_was_written(code: str) -> None:
    outage = find_outage(raised(code), writes=True)
    assert isinstance(outage, DatabaseAway) and outage.detail.startswith("Nothing was written. ")
    reading = find_outage(raised(code), writes=False)
    assert isinstance(reading, DatabaseAway) and "written" not in reading.detail


@pytest.mark.parametrize("code", ["40001", "40P01", "55P03"])
def test_somebody_else_is_at_it(code: str) -> None:
    assert isinstance(find_outage(raised(code), writes=True), DatabaseBusy)


@pytest.mark.parametrize("code", ["22012", "23505", "42P01", "XX000"])
def test_a_fault_of_the_statement_is_no_outage(code: str) -> None:
    assert find_outage(raised(code), writes=True) is None


def test_no_error_of_the_database_is_no_outage() -> None:
    assert find_outage(ValueError(), writes=True) is None


@pytest.fixture
def late(request: pytest.FixtureRequest) -> Iterator[None]:
    """A table whose rows are refused at COMMIT, with the code that the test names."""
    as_owner(
        f"""CREATE TABLE late (n int);
        GRANT INSERT ON late TO PUBLIC;
        CREATE FUNCTION refuse_late() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'late' USING ERRCODE = '{request.param}'; END $$;
        CREATE CONSTRAINT TRIGGER late AFTER INSERT ON late DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION refuse_late()"""
    )
    yield
    as_owner("DROP TABLE late; DROP FUNCTION refuse_late()")


def as_owner(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT as_owner(%s)", [statement])


@pytest.mark.parametrize(
    ("late", "kind"),
    [("57P01", OutcomeUnknown), ("40001", DatabaseBusy)],
    indirect=["late"],
    ids=["lost", "taken back"],
)
def test_an_error_in_answer_to_a_commit_leaves_it_open_unless_the_server_took_it_back(
    late: None, kind: type[DispensaryError]
) -> None:
    with pytest.raises(Error) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("INSERT INTO late VALUES (1)")
    assert type(find_outage(caught.value, writes=True)) is kind
    assert not isinstance(find_outage(caught.value, writes=False), OutcomeUnknown)


def test_what_was_committed_before_is_not_denied_until_the_next_request() -> None:
    with transaction.atomic():
        count_commit()
        assert commits() == 0
    assert isinstance(find_outage(raised("53100"), writes=True), OutcomeUnknown)
    forget_commits()
    assert isinstance(find_outage(raised("53100"), writes=True), DatabaseAway)


def test_what_was_rolled_back_counts_for_nothing() -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        count_commit()
        raise ZeroDivisionError
    assert commits() == 0
