"""Accounts of the site's own user model: here Django's, in `tests/deploy/test_wheel.py` one of somebody else."""

import pytest
from django.contrib.auth import get_user_model

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


def test_where_accounts_need_more_the_site_makes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(get_user_model(), "REQUIRED_FIELDS", ["email", "employee_number"])
    with pytest.raises(Conflict, match="needs employee_number"):
        make_account("bea")
