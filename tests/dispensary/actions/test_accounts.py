"""Accounts of the site's own user model: here Django's, in `tests/deploy/test_wheel.py` one of somebody else."""

from collections.abc import Iterator

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, User
from django.db.models.signals import post_save

from dispensary.actions.accounts import find_account, make_account
from dispensary.errors import Conflict, InvalidInput

pytestmark = pytest.mark.django_db


def test_an_account_is_made_without_a_password_and_found_in_capitals_too() -> None:
    made = make_account("bea", "Bea@Example.ORG")
    assert (made.get_username(), made.email, made.has_usable_password()) == ("bea", "Bea@example.org", False)
    assert find_account("BEA") == made
    assert find_account("be") is None


@pytest.mark.parametrize("name", ["", "b" * 151, "b\u202ea"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        make_account(name)


def test_a_name_that_is_taken_is_refused() -> None:
    make_account("b" * 150)
    with pytest.raises(Conflict, match="There is an account of that name"):
        make_account("B" * 150)


@pytest.fixture
def employees() -> Iterator[None]:
    """A site that keeps a row of its own beside each account, by the account's address."""

    def keep(instance: User, **_: object) -> None:
        Group.objects.create(name=instance.email)

    post_save.connect(keep, sender=User)
    yield
    post_save.disconnect(keep, sender=User)


@pytest.mark.usefixtures("employees")
def test_an_account_that_the_site_refuses_is_not_refused_for_its_name() -> None:
    make_account("bea", "bea@example.org")
    with pytest.raises(Conflict, match="The accounts of this site do not take this one") as refused:
        make_account("ben", "bea@example.org")
    assert "Make it first" in refused.value.problems[0].next
    assert find_account("ben") is None


def test_where_accounts_need_more_the_site_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_user_model(), "REQUIRED_FIELDS", ["email", "employee_number"])
    with pytest.raises(Conflict, match="needs employee_number"):
        make_account("bea")
