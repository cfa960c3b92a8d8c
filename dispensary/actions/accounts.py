"""Accounts in the site's own user model, whatever its fields are called. Called by other actions, which write the log."""

from __future__ import annotations

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from dispensary.errors import Conflict, Problem
from dispensary.text import clean_line


def find_account(name: str) -> User | None:
    """Return the account that signs in with a name, in capitals or not; None where there is none."""
    model = get_user_model()
    user: User | None = model._default_manager.filter(**{f"{model.USERNAME_FIELD}__iexact": name}).first()
    return user


def make_account(name: str, email: str = "") -> User:
    """Make an account without a password.

    Raises `InvalidInput` for a name that is none, `Conflict` where it is taken, and where the site's accounts need more or break a rule of theirs.
    """
    model = get_user_model()
    longest = getattr(model._meta.get_field(model.USERNAME_FIELD), "max_length", None) or 150
    email_field = model.get_email_field_name()
    cleaned = clean_line(name, "username", longest=longest)
    to_make_first = Problem("username", cleaned, "an account that exists", "Make it first, then give it a role here.")
    if further := sorted({*model.REQUIRED_FIELDS} - {email_field}):
        raise Conflict(f"An account of this site also needs {', '.join(further)}.", to_make_first)
    taken = Conflict("There is an account of that name.", Problem("username", cleaned, "a name that nobody has"))
    if find_account(cleaned) is not None:
        raise taken
    user: User = model(**{model.USERNAME_FIELD: model.normalize_username(cleaned)})
    if email and email_field != model.USERNAME_FIELD and any(part.name == email_field for part in model._meta.fields):
        setattr(user, email_field, model._default_manager.normalize_email(email))
    user.set_unusable_password()
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError as error:
        if find_account(cleaned) is not None:  # another manager gave the name in the same instant
            raise taken from error
        raise Conflict("The accounts of this site do not take this one.", to_make_first) from error
    return user
