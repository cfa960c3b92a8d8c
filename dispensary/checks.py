"""System checks: what a site must have right before anybody dispenses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, register
from django.utils import timezone

from dispensary.audit.checks import system as audit_checks
from dispensary.channels import checks as channel_checks


@register()
def audit_settings(**_: Any) -> list[CheckMessage]:
    """PostgreSQL, at READ COMMITTED."""
    return audit_checks.check_settings()


@register(Tags.database)
def audit_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Roles, partitions and anchors; asked with `check --database default` and after a migration of it."""
    return audit_checks.check_database(databases or (), timezone.now())


@register()
def channels(**_: Any) -> list[CheckMessage]:
    """Every channel can be made."""
    return channel_checks.check_channels()


@register(Tags.security, deploy=True)
def public_address(**_: Any) -> list[CheckMessage]:
    """Patients reach the site over HTTPS."""
    return channel_checks.check_public_address()
