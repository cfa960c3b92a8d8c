"""Pharmacies: opening, settings, access of staff, products."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.db import transaction

from baclofen_rules import list_profiles
from dispensary import audit, policies
from dispensary.actions.accounts import make_account
from dispensary.actors import Actor, Role
from dispensary.audit import Event
from dispensary.conf import conf
from dispensary.errors import Conflict, InvalidInput, Problem, Stale
from dispensary.models import FACTOR_ROLES, SERVICE_ROLES, Pharmacy, Product, StaffMember, StaffRole
from dispensary.text import clean_line

CHANGEABLE = (
    "name",
    "text_name",
    "phone",
    "email",
    "address",
    "time_zone",
    "language",
    "profile",
    "od_means_once_daily",
    "refill_lead_days",
    "second_call_days",
    "message_at",
    "quiet_from",
    "quiet_until",
    "opening_days",
    "holiday_region",
    "after_hours_phone",
    "second_signer",
    "second_signer_minutes",
    "separate_steps",
    "shared_names",
    "usual_times",
    "label_layout",
)
"""The settings that a manager may change."""
TIMING = frozenset(
    {
        "time_zone",
        "profile",
        "refill_lead_days",
        "second_call_days",
        "message_at",
        "quiet_from",
        "quiet_until",
        "opening_days",
        "holiday_region",
    }
)
"""Those that decide what is owed when: every therapy is counted and its messages are planned again, by the next ticks."""


@transaction.atomic
def open_pharmacy(
    *, name: str, settings: Mapping[str, Any] | None = None, by_task: str = "setup", now: datetime
) -> Pharmacy:
    """Open a pharmacy and, with its first entry, its audit log. The actor is the system, as the pharmacy has no staff yet."""
    pharmacy = Pharmacy(
        name=clean_line(name, "pharmacy.name", longest=120), profile=conf().default_profile, opened_at=now
    )
    _apply(pharmacy, settings or {})
    pharmacy.save(force_insert=True)
    audit.record(
        Event.PHARMACY_OPENED,
        pharmacy=pharmacy,
        by=Actor.system(by_task, pharmacy.pk),
        now=now,
        subject=pharmacy,
        body={"name": pharmacy.name, "settings": _settings_body(pharmacy)},
    )
    return pharmacy


@transaction.atomic
def change_settings(
    *,
    pharmacy: Pharmacy,
    changes: Mapping[str, Any],
    version: int | None = None,
    asked_by: str = "",
    by: Actor,
    now: datetime,
) -> Pharmacy:
    """Change settings; the log keeps the value before and after. A change of profile has an entry of its own.

    `asked_by` is who asked for it, where somebody else, or a day, decided: see `settings_changes.py`, which interfaces call. A change of what decides what is owed when makes the pharmacy's counted therapies old: the ticks count them again.
    """
    policies.require(policies.may_change_settings(by), by, "change the settings", "a manager")
    policies.require_same_pharmacy(by, pharmacy.pk)
    locked = Pharmacy.objects.select_for_update().get(pk=pharmacy.pk)
    if version is not None and locked.version != version:
        raise Stale("The settings were changed meanwhile. Load them again and repeat your change.")
    before = _settings_body(locked)
    _apply(locked, changes)
    after = _settings_body(locked)
    changed = {name: {"from": before[name], "to": after[name]} for name in after if before[name] != after[name]}
    if not changed:
        return locked
    locked.version += 1
    locked.timing_version += bool(TIMING & changed.keys())
    locked.save()
    event = Event.PROFILE_CHANGED if "profile" in changed else Event.SETTINGS_CHANGED
    audit.record(
        event, pharmacy=locked, by=by, now=now, subject=locked, body={"changed": changed}, second_actor=asked_by or None
    )
    return locked


@transaction.atomic
def grant_access(
    *,
    user: AbstractBaseUser,
    pharmacy: Pharmacy,
    role: StaffRole,
    display_name: str,
    registration: str = "",
    is_service: bool = False,
    by: Actor,
    now: datetime,
) -> StaffMember:
    """Grant a user a role at a pharmacy, or change it. A program (`is_service`) has the role of a technician or an auditor."""
    policies.require(policies.may_change_settings(by), by, "change who has access", "a manager")
    policies.require_same_pharmacy(by, pharmacy.pk)
    if role not in StaffRole.values:
        raise InvalidInput(
            "There is no such role.", Problem("role", str(role)[:16], f"one of {', '.join(StaffRole.values)}")
        )
    if is_service and (role not in SERVICE_ROLES or user.has_usable_password()):
        problem = Problem("role", role, f"one of {', '.join(SERVICE_ROLES)}, and an account without a password")
        raise InvalidInput("A program signs nothing.", problem)
    before = StaffMember.objects.select_for_update().filter(user_id=user.pk, pharmacy=pharmacy).first()
    if before is not None and role != StaffRole.MANAGER:
        _require_other_manager(before, by)
    number = clean_line(registration, "registration", longest=32, required=False)
    _require_own_registration(number, user, pharmacy)
    member, _created = StaffMember.objects.update_or_create(
        user_id=user.pk,
        pharmacy=pharmacy,
        defaults={
            "role": role,
            "display_name": clean_line(display_name, "display_name", longest=120),
            "registration": number,
            "active": True,
            "is_service": is_service,
            "factor_due_at": _factor_due_at(role, before, is_service=is_service, now=now),
        },
    )
    _record_access(member, before, by, now)
    return member


def _require_own_registration(number: str, user: AbstractBaseUser, pharmacy: Pharmacy) -> None:
    """Raise `InvalidInput` where somebody else here is registered under this number: one person does not sign as two."""
    others = StaffMember.objects.filter(pharmacy=pharmacy, active=True, registration__iexact=number)
    other = others.exclude(user_id=user.pk).first() if number else None
    if other is not None:
        problem = Problem("registration", number, "a number that nobody else here has", "End the other access first.")
        raise InvalidInput(f"{other.display_name} has this registration number.", problem)


def _factor_due_at(role: StaffRole, before: StaffMember | None, *, is_service: bool, now: datetime) -> datetime | None:
    """Return until when a person in a role adds a second factor: some days from when they were first given such a role here."""
    if is_service or role not in FACTOR_ROLES:
        return None
    if before is not None and before.active and before.factor_due_at is not None:
        return before.factor_due_at
    return now + timedelta(days=conf().factor_grace_days)


@transaction.atomic
def open_service(
    *, username: str, pharmacy: Pharmacy, role: StaffRole, display_name: str, by: Actor, now: datetime
) -> StaffMember:
    """Open an account without a password for a program, which comes with tokens only."""
    policies.require(policies.may_change_settings(by), by, "change who has access", "a manager")
    user = make_account(username)
    return grant_access(
        user=user, pharmacy=pharmacy, role=role, display_name=display_name, is_service=True, by=by, now=now
    )


@transaction.atomic
def end_access(*, member: StaffMember, by: Actor, now: datetime) -> StaffMember:
    """End a person's access. Their name stays readable where they signed."""
    policies.require(policies.may_change_settings(by), by, "change who has access", "a manager")
    policies.require_same_pharmacy(by, member.pharmacy_id)
    locked = StaffMember.objects.select_for_update().get(pk=member.pk)
    before = StaffMember.objects.get(pk=member.pk)
    _require_other_manager(before, by)
    locked.active = False
    locked.save(update_fields=["active"])
    _record_access(locked, before, by, now)
    return locked


@transaction.atomic
def add_product(
    *,
    gtin: str,
    name: str,
    brand: str,
    strength_mg: Any,
    pack_size: int,
    ingredient: str = "baclofen",
    by: Actor,
    now: datetime,
) -> Product:
    """Add a pack to the list that scans are compared with; the same pack again is no change.

    Raises `InvalidInput` for a wrong check digit, `Conflict` where the pack is known with another name, strength or size.
    """
    policies.require(policies.may_add_product(by), by, "add a product", "a pharmacist or manager")
    digits = check_gtin(gtin)
    values = {
        "name": clean_line(name, "name", longest=120),
        "brand": clean_line(brand, "brand", longest=64, required=False),
        "ingredient": clean_line(ingredient, "ingredient", longest=64),
        "strength_mg": strength_mg,
        "pack_size": pack_size,
    }
    product, created = Product.objects.get_or_create(gtin=digits, defaults=values)
    others = [
        Problem(
            field, str(value), f"{getattr(product, field)}, as it is known", "Compare it with the pack in the hand."
        )
        for field, value in values.items()
        if getattr(product, field) != value
    ]
    if others:
        raise Conflict(f"This pack is known: {product.name}, {product.pack_size} tablets.", *others)
    if created:
        audit.record(
            Event.PRODUCT_CHANGED,
            pharmacy=by.pharmacy_id,
            by=by,
            now=now,
            subject=product,
            body={
                name: getattr(product, name)
                for name in ("name", "brand", "ingredient", "form", "strength_mg", "pack_size")
            },
        )
    return product


def check_gtin(gtin: str) -> str:
    """Check fourteen digits with the check digit of GS1 General Specifications 7.9. Raises `InvalidInput`."""
    digits = gtin.strip().zfill(14)
    if len(digits) != 14 or not (digits.isascii() and digits.isdigit()):
        raise InvalidInput("This is not a GTIN.", Problem("gtin", gtin[:20], "up to 14 digits", "Scan the pack."))
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits[:13]))
    if (10 - total % 10) % 10 != int(digits[13]):
        raise InvalidInput(
            "The check digit of the GTIN is wrong.",
            Problem("gtin", digits, "a GTIN whose last digit fits", "Scan the pack."),
        )
    return digits


def _apply(pharmacy: Pharmacy, changes: Mapping[str, Any]) -> None:
    unknown = sorted(set(changes) - set(CHANGEABLE))
    if unknown:
        raise InvalidInput(
            f"There is no setting {unknown[0]!r}.", Problem(unknown[0], "a setting", f"one of {', '.join(CHANGEABLE)}")
        )
    for name, value in changes.items():
        setattr(pharmacy, name, value)
    profiles = list_profiles(folder=conf().profile_folder)
    if pharmacy.profile not in profiles:
        raise InvalidInput(
            "There is no such profile.", Problem("profile", pharmacy.profile, f"one of {', '.join(profiles)}")
        )
    try:
        pharmacy.full_clean(validate_unique=False, validate_constraints=True)
    except ValidationError as error:
        problems = [
            Problem(field, str(getattr(pharmacy, field, ""))[:64], " ".join(messages))
            for field, messages in error.message_dict.items()
        ]
        raise InvalidInput("The settings are not right.", *problems) from error
    _require_label_lines(pharmacy)
    _require_two_signers(pharmacy)


def check_settings(pharmacy: Pharmacy, changes: Mapping[str, Any]) -> None:
    """Raise `InvalidInput` where settings cannot be changed so. Changes nothing."""
    asked = copy(pharmacy)
    _apply(asked, changes)


def _require_label_lines(pharmacy: Pharmacy) -> None:
    """Raise `InvalidInput` without the address and the telephone that every label bears (HMR 2012, Schedule 25, paragraph 2)."""
    problems = [
        Problem(name, "nothing", "what labels and messages say", "Type it as patients shall read it.")
        for name in ("address", "phone")
        if not getattr(pharmacy, name).strip()
    ]
    if problems:
        raise InvalidInput("A label must bear the address and the telephone of the pharmacy.", *problems)


def _require_two_signers(pharmacy: Pharmacy) -> None:
    """Raise `InvalidInput` where a second signature is asked for that nobody could give."""
    if pharmacy.second_signer and len(possible_signers(pharmacy)) < 2:
        problem = Problem("second_signer", "yes", "two pharmacists or managers with access here", "Let one in first.")
        raise InvalidInput("There is no second person who could sign.", problem)


def possible_signers(pharmacy: Pharmacy, but: str = "") -> list[StaffMember]:
    """Return the people who may sign at a pharmacy, without the actor named `but`."""
    members = pharmacy.staff.filter(active=True, is_service=False).select_related("user", "pharmacy")
    return [m for m in members if policies.may_override(m.actor()) and m.actor().name != but]


def _settings_body(pharmacy: Pharmacy) -> dict[str, Any]:
    return {name: _plain(getattr(pharmacy, name)) for name in CHANGEABLE}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, time) else value


def _require_other_manager(member: StaffMember, by: Actor) -> None:
    """Raise `Conflict` where a person takes the last manager away: nobody could let anybody in again."""
    managers = StaffMember.objects.filter(pharmacy_id=member.pharmacy_id, role=StaffRole.MANAGER, active=True)
    is_last = member.active and member.role == StaffRole.MANAGER and not managers.exclude(pk=member.pk).exists()
    if is_last and by.role is not Role.SYSTEM:
        raise Conflict(
            f"{member.display_name} is the only manager here.",
            Problem("", "", "A pharmacy with a manager", "Make somebody else a manager first."),
        )


def _record_access(member: StaffMember, before: StaffMember | None, by: Actor, now: datetime) -> None:
    audit.record(
        Event.ACCESS_CHANGED,
        pharmacy=member.pharmacy,
        by=by,
        now=now,
        subject=member,
        body={
            "user": f"user:{member.user_id}",
            "name": member.display_name,
            "from": None if before is None else {"role": before.role, "active": before.active},
            "to": {"role": member.role, "active": member.active},
        },
    )
