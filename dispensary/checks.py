"""System checks of a site's settings, database and channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db.utils import Error as DatabaseError
from django.utils import timezone

from dispensary.audit.checks import system as audit_checks
from dispensary.channels import checks as channel_checks
from dispensary.models import Pharmacy
from dispensary.reminders import health


@register()
def audit_settings(**_: Any) -> list[CheckMessage]:
    """PostgreSQL, at READ COMMITTED."""
    return audit_checks.check_settings()


@register(Tags.database)
def audit_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Roles, partitions and anchors; asked with `check --database default` and after a migration of it."""
    return audit_checks.check_database(databases or (), timezone.now())


@register(Tags.database)
def reminder_engine(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Return W005 where a pharmacy is open and no message can leave, since nothing ticks or what is due is not sent.

    A warning: `migrate` runs these checks as well, while the workers are stopped.
    """
    if "default" not in (databases or ()):
        return []
    try:
        troubles = health.engine_state().troubles if Pharmacy.objects.exists() else []
    except DatabaseError:
        return []  # not migrated yet
    hint = (
        "Give Celery `dispensary.schedule.beat_schedule()` and run a beat and a worker, or run `manage.py reminders run`. "
        "GET /health/reminders says the same at any time."
    )
    return [Warning(trouble, hint=hint, id="dispensary.W005") for trouble in troubles]


@register()
def channels(**_: Any) -> list[CheckMessage]:
    """Every channel can be made."""
    return channel_checks.check_channels()


@register(Tags.security, deploy=True)
def public_address(**_: Any) -> list[CheckMessage]:
    """Patients reach the site over HTTPS."""
    return channel_checks.check_public_address()
