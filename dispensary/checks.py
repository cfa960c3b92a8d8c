"""System checks of a site's settings, database and channels."""

from __future__ import annotations

from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import TextField
from django.db.models.functions import Cast
from django.db.utils import Error as DatabaseError
from django.utils import timezone
from django.utils.module_loading import import_string

from baclofen_rules import InvalidProfile, list_profiles
from dispensary.actions.retention import KINDS
from dispensary.api.cds_hooks.site_settings import find_faults
from dispensary.audit.checks import system as audit_checks
from dispensary.channels import checks as channel_checks
from dispensary.conf import conf
from dispensary.documents import typesetting
from dispensary.models import ContactPoint, Pharmacy
from dispensary.models.sealed import address_digest, unseal
from dispensary.profiles import load_own_profile
from dispensary.reminders import health


@register()
def audit_settings(**_: Any) -> list[CheckMessage]:
    """PostgreSQL, at READ COMMITTED."""
    return audit_checks.check_settings()


@register(Tags.database)
def audit_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Roles, partitions and anchors; asked with `check --database default` and after a migration of it."""
    return audit_checks.check_database(databases or (), timezone.now())


@register()
def replica_settings(**_: Any) -> list[CheckMessage]:
    """Return E014 where reports could not be read from the copy of the database that is named."""
    alias = conf().replica
    if not alias:
        return []
    if alias == DEFAULT_DB_ALIAS or alias not in settings.DATABASES:
        text = f"DISPENSARY['replica'] is {alias!r}, which is no further alias of DATABASES."
        return [Error(text, hint="Name the alias of a standby, or leave it out.", id="dispensary.E014")]
    if "dispensary.replica.ReplicaRouter" not in settings.DATABASE_ROUTERS:
        text = "DISPENSARY['replica'] is set, and nothing is read there."
        return [Error(text, hint="DATABASE_ROUTERS lacks dispensary.replica.ReplicaRouter.", id="dispensary.E014")]
    return []


@register(Tags.database)
def replica_database(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Return E014 for a copy of the database that is none, W010 for one that does not answer; asked with `check --database default`."""
    alias = conf().replica
    if DEFAULT_DB_ALIAS not in (databases or ()) or alias not in connections:
        return []
    try:
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT pg_is_in_recovery()")
            (is_standby,) = cursor.fetchone()
    except DatabaseError:
        text = "The replica does not answer: reports and exports are read from the primary."
        return [Warning(text, hint="See its server.", id="dispensary.W010")]
    if is_standby:
        return []
    text = f"The database of {alias} is no standby: it would never be read."
    return [Error(text, hint="Name a streaming standby of DATABASE_URL's server.", id="dispensary.E014")]


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


@register(Tags.database)
def address_secrets(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Return E007 where the oldest or the newest address cannot be read, or has another digest, with the secrets of the settings."""
    if "default" not in (databases or ()):
        return []
    contacts = ContactPoint.objects.annotate(sealed=Cast("address", TextField())).values_list(
        "pk", "medium", "address_digest", "sealed"
    )
    try:
        rows = {row for row in (contacts.order_by("pk").first(), contacts.order_by("pk").last()) if row}
    except DatabaseError:
        return []  # not migrated yet
    messages: list[CheckMessage] = []
    for key, medium, digest, sealed in rows:
        try:
            fits = address_digest(medium, unseal(sealed)) == digest
        except InvalidToken:
            hint = "Put the secret that it was written with last into DISPENSARY['address_secrets'], or into SECRET_KEY_FALLBACKS."
            messages.append(Error(f"The address {key} cannot be read.", hint=hint, id="dispensary.E007"))
            continue
        if not fits:
            text = f"The address {key} has a digest under another secret: an address that asked us to stop would not be known."
            hint = "Put the secret that the digests were made with into DISPENSARY['digest_secret']."
            messages.append(Error(text, hint=hint, id="dispensary.E007"))
    return messages


@register()
def retention_terms(**_: Any) -> list[CheckMessage]:
    """Return E008 for each term of `keep_days` that is of no kind, or under a day."""
    kinds = {kind.name for kind in KINDS}
    return [
        Error(
            f"DISPENSARY['keep_days'] has {name!r}: {days!r}; expected whole days from 1, for one of {', '.join(sorted(kinds))}.",
            hint="`manage.py retention` says what each kind is.",
            id="dispensary.E008",
        )
        for name, days in conf().keep_days.items()
        if name not in kinds or type(days) is not int or days < 1
    ]


@register()
def cds_settings(**_: Any) -> list[CheckMessage]:
    """Return E010 for each setting of CDS Hooks that cannot be used."""
    return [
        Error(
            f"DISPENSARY['{name}'] {text}",
            hint="dispensary/api/cds_hooks/README.md has an example.",
            id="dispensary.E010",
        )
        for name, text in find_faults()
    ]


@register()
def api_authentication(**_: Any) -> list[CheckMessage]:
    """Return E011 for a way to sign in to the API that there is not, or that lets passwords be guessed."""
    # Not at the start of each process: workers and commands sign nobody in.
    from rest_framework.authentication import BasicAuthentication

    from dispensary.api.authentication import site_authentication

    try:
        classes = site_authentication()
    except ImportError as error:
        return [
            Error(f"DISPENSARY['api_authentication'] cannot be used: {error}", id="dispensary.E011"),
        ]
    return [
        Error(
            "DISPENSARY['api_authentication'] has Basic authentication, which locks nobody out after wrong passwords.",
            hint="Programs use the tokens of `manage.py api_token`, people a session.",
            id="dispensary.E011",
        )
        for kind in classes
        if issubclass(kind, BasicAuthentication)
    ]


@register()
def site_extensions(**_: Any) -> list[CheckMessage]:
    """Return E012 for a resolver of patients that cannot be called, E013 for a folder of papers that replaces none of ours."""
    messages: list[CheckMessage] = []
    if resolver := conf().patient_resolver:
        try:
            signature(import_string(resolver)).bind(system="", identifier="")
        except (ImportError, TypeError, ValueError) as error:
            text = f"DISPENSARY['patient_resolver'] cannot be called with system and identifier: {error}"
            messages.append(Error(text, hint="dispensary/EXTENDING.md has an example.", id="dispensary.E012"))
    if folder := conf().document_folder:
        names = {path.name for path in typesetting.FOLDER.glob("*.typ")}
        own_names = {path.name for path in Path(folder).glob("*.typ")}
        if not own_names & names:
            text = f"DISPENSARY['document_folder'] ({folder}) has none of: {', '.join(sorted(names))}."
            messages.append(Error(text, hint="A paper of another name is never printed.", id="dispensary.E013"))
    return messages


@register()
def site_profiles(**_: Any) -> list[CheckMessage]:
    """Return E006 for a profile that cannot be used, the site's own or with the rules of another package, W006 for what one takes from its parent."""
    folder = conf().profile_folder
    messages: list[CheckMessage] = []
    try:
        for name in list_profiles(folder):
            profile = load_own_profile(name, None, folder)
            if profile.fallbacks:
                text = f"The profile {name} does not have {', '.join(profile.fallbacks)}: {profile.parent} stands in."
                hint = "Look at these numbers, and write into the profile which of them hold here."
                messages.append(Warning(text, hint=hint, id="dispensary.W006"))
    except InvalidProfile as error:
        messages.append(Error(f"A profile cannot be used: {error}", id="dispensary.E006"))
    return messages


@register()
def channels(**_: Any) -> list[CheckMessage]:
    """Every channel can be made."""
    return channel_checks.check_channels()


@register(Tags.security, deploy=True)
def public_address(**_: Any) -> list[CheckMessage]:
    """Patients reach the site over HTTPS."""
    return channel_checks.check_public_address()
