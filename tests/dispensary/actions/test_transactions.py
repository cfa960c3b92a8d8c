"""Actions in the transaction of a request."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection, transaction
from django.db.transaction import TransactionManagementError
from django.test.utils import CaptureQueriesContext

from dispensary.actions import transactions
from dispensary.actions.idempotency import Reply, once, use_once
from dispensary.models import IdempotentRequest, StaffMember, StaffRole
from tests.dispensary import make

pytestmark = pytest.mark.django_db


@transactions.atomic
def note(member: StaffMember, key: str) -> None:
    """Write a key, and fail for one of a single letter."""
    use_once(pharmacy_id=member.pharmacy_id, by=member.actor(), key=key, now=make.NOW)
    if len(key) == 1:
        raise ZeroDivisionError


def list_keys(member: StaffMember) -> set[str]:
    return set(IdempotentRequest.objects.filter(pharmacy=member.pharmacy_id).values_list("key", flat=True))


@pytest.fixture
def member() -> StaffMember:
    return make.staff(make.pharmacy(), StaffRole.PHARMACIST)


def savepoints(sent: CaptureQueriesContext) -> int:
    return sum(query["sql"].startswith("SAVEPOINT") for query in sent.captured_queries)


def test_an_action_in_a_request_needs_no_savepoint_and_one_beside_it_does(member: StaffMember) -> None:
    with CaptureQueriesContext(connection) as sent, transactions.request():
        note(member, "within")
    assert savepoints(sent) == 1  # the request's own, in the transaction of the test
    with CaptureQueriesContext(connection) as sent:
        note(member, "beside")
    assert savepoints(sent) == 1


def test_an_action_that_fails_by_itself_leaves_the_transaction_around_it_as_it_was(member: StaffMember) -> None:
    note(member, "before")
    with pytest.raises(ZeroDivisionError):
        note(member, "x")
    assert list_keys(member) == {"before"}


def answer_once(member: StaffMember, do: Callable[[], Reply]) -> None:
    once(pharmacy_id=member.pharmacy_id, key="request", digest="d", by=member.actor(), now=make.NOW, do=do)


def test_a_request_that_goes_on_after_an_error_stores_nothing(member: StaffMember) -> None:
    def swallow() -> Reply:
        with pytest.raises(ZeroDivisionError):
            note(member, "x")
        return Reply(201, {})

    with pytest.raises(TransactionManagementError):
        answer_once(member, swallow)
    assert not list_keys(member)


def test_a_request_that_opens_a_savepoint_around_an_error_goes_on(member: StaffMember) -> None:
    def try_both() -> Reply:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            note(member, "x")
        note(member, "after")
        return Reply(201, {})

    answer_once(member, try_both)
    assert list_keys(member) == {"request", "after"}
