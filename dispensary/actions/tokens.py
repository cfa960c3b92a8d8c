"""API tokens: issued, used and revoked; issue and revocation each with an audit entry.

A token is 256 random bits, of which the database keeps the SHA-256 digest. It gives its owner's rights, narrowed to its scopes and, where they are
named, to a pharmacy and a role. The database's clock says whether it has expired: that of one web server may be wrong.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.db import connection, transaction
from django.db.models import Model

from dispensary import audit, policies
from dispensary.actors import Actor, Role, Scope
from dispensary.audit import Event, Subject
from dispensary.errors import InvalidInput, Problem
from dispensary.models import AccessToken, Pharmacy, StaffMember, StaffRole
from dispensary.statements import build_rows, run
from dispensary.text import clean_line

LASTS = timedelta(hours=12)
"""One shift [D]: a person's token, where no other time is named."""
LONGEST = timedelta(days=366)

_USE = """
    WITH used AS (
        UPDATE dispensary_accesstoken SET
            uses = CASE WHEN minute = date_trunc('minute', clock_timestamp()) THEN uses + 1 ELSE 1 END,
            minute = date_trunc('minute', clock_timestamp())
        WHERE digest = %(digest)s AND revoked_at IS NULL AND expires_at > clock_timestamp()
        RETURNING *)
    SELECT clock_timestamp(),
           ARRAY(SELECT ROW({dispensary.AccessToken t}) FROM used t),
           ARRAY(SELECT ROW({auth.User u}) FROM {users} u JOIN used ON used.user_id = u.{key}),
           ARRAY(SELECT ROW({dispensary.StaffMember m}) FROM dispensary_staffmember m
                   JOIN used ON used.user_id = m.user_id JOIN dispensary_pharmacy f ON f.id = m.pharmacy_id
                  WHERE m.active ORDER BY f.name, m.display_name),
           ARRAY(SELECT ROW({dispensary.Pharmacy f}) FROM dispensary_pharmacy f WHERE f.id IN (
                 SELECT m.pharmacy_id FROM dispensary_staffmember m JOIN used ON used.user_id = m.user_id))"""


def issue(
    *,
    user: AbstractBaseUser,
    pharmacy: Pharmacy | None = None,
    role: StaffRole | None = None,
    scopes: Collection[Scope] = tuple(Scope),
    label: str = "",
    lasts: timedelta = LASTS,
    by_task: str = "shell",
    now: datetime,
) -> str:
    """Issue a token to a member of staff and return it; it cannot be read a second time.

    It is noted at each pharmacy where it works. Raises `InvalidInput`.
    """
    members = _members(user, pharmacy, role)
    if not scopes:
        raise InvalidInput(
            "A token is for something.", Problem("scopes", "none", f"some of {', '.join(sorted(Scope))}")
        )
    if not timedelta(0) < lasts <= LONGEST:
        raise InvalidInput("The token has no end.", Problem("lasts", str(lasts), f"a time up to {LONGEST.days} days"))
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        row = AccessToken.objects.create(
            digest=_digest(secret),
            user_id=user.pk,
            pharmacy=pharmacy,
            role=role or "",
            scopes=sorted(scopes),
            label=clean_line(label, "label", longest=120, required=False),
            issued_at=now,
            expires_at=now + lasts,
        )
        body: dict[str, object] = {
            "account": f"user:{user.pk}", "token": str(row.pk), "label": row.label, "expires": row.expires_at,
            "scopes": row.scopes, "role": row.role,
        }  # fmt: skip
        _record(Event.TOKEN_ISSUED, members[0], body, by_task, now)
    for member in members[1:]:
        with transaction.atomic():
            _record(Event.TOKEN_ISSUED, member, body, by_task, now)
    return secret


def use(secret: str) -> AccessToken | None:
    """Count one use of a token and return it with its owner and their memberships; None for one that is unknown, expired or revoked."""
    users = get_user_model()
    ((moment, tokens, owners, members, pharmacies),) = run(_use_statement(users), {"digest": _digest(secret)})
    if not tokens:
        return None
    (token,), (owner,) = build_rows(AccessToken, tokens), build_rows(users, owners)
    by_id = {row.pk: row for row in build_rows(Pharmacy, pharmacies)}
    token.user, token.moment, token.members = owner, moment, build_rows(StaffMember, members)
    for member in token.members:
        member.user, member.pharmacy = owner, by_id[member.pharmacy_id]
    return token


@cache
def _use_statement(users: type[Model]) -> str:
    """Return the statement that counts one use, with the table, key and columns of the site's own accounts."""
    quote = connection.ops.quote_name
    names = {
        "{users}": quote(users._meta.db_table),
        "{key}": quote(str(users._meta.pk.column)),
        "auth.User": users._meta.label,
    }
    statement = _USE
    for name, value in names.items():
        statement = statement.replace(name, value)
    return statement


def revoke(*, user: AbstractBaseUser, by_task: str = "shell", now: datetime) -> int:
    """Revoke all tokens of a person, as when a device is lost; returns how many there were."""
    members = _members(user)
    with transaction.atomic():
        rows = AccessToken.objects.select_for_update().filter(user_id=user.pk, revoked_at=None, expires_at__gt=now)
        keys = [str(row.pk) for row in rows]
        AccessToken.objects.filter(pk__in=keys).update(revoked_at=now)
        body: dict[str, object] = {"account": f"user:{user.pk}", "tokens": keys}
        _record(Event.TOKEN_REVOKED, members[0], body, by_task, now)
    for member in members[1:]:
        with transaction.atomic():
            _record(Event.TOKEN_REVOKED, member, body, by_task, now)
    return len(keys)


def narrow(member: StaffMember, token: AccessToken) -> bool:
    """Give a membership, loaded for one request, the role of a token; False where the token does not reach it.

    It does not where the token is bound to another pharmacy, or to a role that its owner does not hold any more.
    """
    if token.pharmacy_id not in (None, member.pharmacy_id):
        return False
    if not token.role:
        return True
    is_held = policies.may_act_as(Role(member.role), Role(token.role))
    member.role = token.role
    return is_held


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _members(
    user: AbstractBaseUser, pharmacy: Pharmacy | None = None, role: StaffRole | None = None
) -> list[StaffMember]:
    rows = StaffMember.objects.filter(user_id=user.pk, active=True).order_by("pharmacy_id")
    members = list(rows if pharmacy is None else rows.filter(pharmacy=pharmacy))
    if not members:
        problem = Problem(
            "user", "somebody who works at no pharmacy", "a member of staff", "A manager adds them first."
        )
        raise InvalidInput("A token is for somebody who works at a pharmacy.", problem)
    if role is not None:
        members = [member for member in members if policies.may_act_as(Role(member.role), Role(role))]
        if not members:
            problem = Problem("role", role.value, "the owner's role, or one that it includes")
            raise InvalidInput("A token gives no more than its owner has.", problem)
    return members


def _record(event: Event, member: StaffMember, body: dict[str, object], by_task: str, now: datetime) -> None:
    audit.record(
        event,
        pharmacy=member.pharmacy_id,
        by=Actor.system(by_task, member.pharmacy_id),
        now=now,
        subject=Subject("account", f"user:{member.user_id}"),
        body=body,
    )
