"""System checks of the reference deployment."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from deploy.databases import SESSION
from deploy.factors import is_encrypted, is_readable, list_secrets


@register(Tags.security, deploy=True)
def check_provider(**_: Any) -> list[CheckMessage]:
    """Return W002 where the organisation's OpenID provider is asked over plain HTTP: whoever listens could sign in as anybody."""
    if not settings.OIDC_SERVER_URL or settings.OIDC_SERVER_URL.startswith("https://"):
        return []
    return [Warning("OIDC_SERVER_URL is not https.", hint="Name the provider by its https address.", id="deploy.W002")]


@register(Tags.security, deploy=True)
def check_proxies(**_: Any) -> list[CheckMessage]:
    """Return W001 where TLS ends in front of us and the proxy's address would stand for everybody's."""
    if not settings.HTTPS or settings.ALLAUTH_TRUSTED_PROXY_COUNT > 0:
        return []
    return [
        Warning(
            "TRUSTED_PROXIES is not set, while TLS ends in a proxy: every sign-in seems to come from the proxy's address.",
            hint="Set it to the number of proxies of yours that add to X-Forwarded-For, usually 1. Until then five wrong "
            "passwords lock a name from everywhere, and not only from the address at which they were typed.",
            id="deploy.W001",
        )
    ]


@register(Tags.database)
def check_links(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Return what is wrong with the way to each of the databases: a pooler that was not named, a wait without an end."""
    return [message for alias in databases or () for message in _check_link(alias)]


def _check_link(alias: str) -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    connection = connections[alias]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        # A pooler gives its clients process numbers of its own.
        is_pooled = cursor.fetchone()[0] != connection.connection.info.backend_pid
        endless = [name for name in SESSION if _show(cursor, name) == "0"]
    if is_pooled and alias != DEFAULT_DB_ALIAS:
        hint = (
            "Let owner, sealer and eraser connect to PostgreSQL itself: behind a pooler two sealers can hold one lock."
        )
        messages.append(Error(f"A pooler stands before the database of {alias}.", hint=hint, id="deploy.E001"))
    elif is_pooled and not settings.DATABASE_POOLER:
        hint = "Set DATABASE_POOLER=yes, so that no statement is prepared for another client."
        messages.append(Error("A pooler stands before DATABASE_URL.", hint=hint, id="deploy.E002"))
    if endless:
        hint = "ALTER ROLE ... SET, as deploy/container/roles.sh does: a pooler takes no start-up options."
        messages.append(Error(f"{', '.join(endless)} of {alias}: no limit.", hint=hint, id="deploy.E003"))
    return messages


def _show(cursor: Any, name: str) -> str:
    cursor.execute(f"SHOW {name}")
    value: str = cursor.fetchone()[0]
    return value


@register(Tags.database)
def check_factors(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Return E004 where the secret of a second factor cannot be read, W003 where one stands in clear."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    try:
        secrets = list_secrets()
    except DatabaseError:
        return []  # not migrated yet
    messages: list[CheckMessage] = []
    encrypted = [secret for secret in secrets if is_encrypted(secret)]
    if len(encrypted) < len(secrets):
        text = f"Second factors whose secret stands in clear in the database: {len(secrets) - len(encrypted)}."
        messages.append(Warning(text, hint="Run `manage.py factors encrypt` once.", id="deploy.W003"))
    unreadable = sum(not is_readable(secret) for secret in encrypted)
    if unreadable:
        hint = "Put the secret that they were encrypted with last into ADDRESS_SECRETS, or into SECRET_KEY_FALLBACKS."
        text = f"Second factors whose secret cannot be read, so that their owners cannot sign in: {unreadable}."
        messages.append(Error(text, hint=hint, id="deploy.E004"))
    return messages
