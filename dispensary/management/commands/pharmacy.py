"""A pharmacy from a shell: open it, set it up, let people in and out, add packs. Each of these stands in its log."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractBaseUser
from django.core.management.base import BaseCommand, CommandError

from dispensary.actions import pharmacies, settings_changes
from dispensary.actors import Actor, Role
from dispensary.clock import read_clock
from dispensary.errors import DispensaryError
from dispensary.management.commands._audit_people import authoriser, find_pharmacy
from dispensary.models import SERVICE_ROLES, Pharmacy, StaffMember, StaffRole

_SWITCH = {"yes": True, "no": False}
_SWITCHES = frozenset({"od_means_once_daily", "second_signer", "separate_steps"})


class Command(BaseCommand):
    """Each subcommand calls one action. A manager answers for a change (--by); before there is one, the system does."""

    help = "Open a pharmacy, change its settings and profile, let people in (staff) and out (end), add a pack, list."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subparser for each thing to do."""
        commands = parser.add_subparsers(dest="do", required=True, metavar="WHAT")
        opening = commands.add_parser("open", help="open a pharmacy and with it its log; prints its id")
        opening.add_argument("name")
        # Not `settings`: that is Django's own --settings, which `manage.py` reads from the parsed options.
        opening.add_argument("changes", nargs="*", metavar="name=value")
        commands.add_parser("list", help="id, name and profile of each pharmacy")
        setting = commands.add_parser("set", help="change settings, such as profile=uk-smpc or quiet_from=21:00")
        setting.add_argument("changes", nargs="+", metavar="name=value")
        staff = commands.add_parser("staff", help="give somebody with an account a role, or another one")
        end = commands.add_parser("end", help="take somebody's access away")
        service = commands.add_parser("service", help="open an account without a password for a program")
        for command in (staff, end, service):
            command.add_argument("username")
        service.add_argument("--role", required=True, choices=SERVICE_ROLES)
        service.add_argument("--name", required=True, help="as it stands in the log")
        staff.add_argument("--role", required=True, choices=StaffRole.values)
        staff.add_argument("--name", required=True, help="as printed on labels and signatures")
        staff.add_argument("--registration", default="", help="professional registration number")
        product = commands.add_parser("product", help="add a pack to the list that scans are compared with")
        product.add_argument("gtin")
        product.add_argument("--name", required=True)
        product.add_argument("--brand", default="")
        product.add_argument("--strength-mg", required=True)
        product.add_argument("--pack-size", required=True, type=int)
        for command in (setting, staff, end, service, product):
            command.add_argument("--pharmacy", type=UUID, help="may be left out where there is only one")
            command.add_argument("--by", metavar="USERNAME", help="the manager who answers for it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and turn every refusal into words."""
        try:
            getattr(self, f"_{options['do']}")(options)
        except DispensaryError as error:
            raise CommandError(error.sentences()) from error

    def _open(self, options: dict[str, Any]) -> None:
        opened = pharmacies.open_pharmacy(
            name=options["name"], settings=_parse_settings(options["changes"]), now=read_clock()
        )
        self.stdout.write(str(opened.pk))

    def _list(self, options: dict[str, Any]) -> None:
        for pharmacy in Pharmacy.objects.order_by("name"):
            self.stdout.write(f"{pharmacy.pk}  {pharmacy.name} ({pharmacy.profile})")

    def _set(self, options: dict[str, Any]) -> None:
        at = find_pharmacy(options["pharmacy"])
        waiting = settings_changes.change_settings(
            pharmacy=at,
            changes=_parse_settings(options["changes"]),
            by=_by(at, options["by"]),
            now=read_clock(),
        )
        at.refresh_from_db()
        self.stdout.write(f"{at.name}: version {at.version} of its settings.")
        if waiting is not None:
            when = "another manager agrees" if waiting.due_at is None else f"{waiting.due_at:%Y-%m-%d %H:%M} UTC"
            self.stdout.write(f"{', '.join(waiting.changes)}: in force when {when}.")

    def _staff(self, options: dict[str, Any]) -> None:
        at = find_pharmacy(options["pharmacy"])
        member = pharmacies.grant_access(
            user=_user(options["username"]),
            pharmacy=at,
            role=StaffRole(options["role"]),
            display_name=options["name"],
            registration=options["registration"],
            by=_by(at, options["by"]),
            now=read_clock(),
        )
        self.stdout.write(f"{member.display_name} is {member.get_role_display().lower()} at {at.name}.")

    def _service(self, options: dict[str, Any]) -> None:
        at = find_pharmacy(options["pharmacy"])
        member = pharmacies.open_service(
            username=options["username"],
            pharmacy=at,
            role=StaffRole(options["role"]),
            display_name=options["name"],
            by=_by(at, options["by"]),
            now=read_clock(),
        )
        self.stdout.write(f"{member.display_name} works at {at.name} with tokens: manage.py api_token {member.user}.")

    def _end(self, options: dict[str, Any]) -> None:
        at = find_pharmacy(options["pharmacy"])
        member = StaffMember.objects.filter(user_id=_user(options["username"]).pk, pharmacy=at, active=True).first()
        if member is None:
            raise CommandError(f"{options['username']} has no access to {at.name}.")
        pharmacies.end_access(member=member, by=_by(at, options["by"]), now=read_clock())
        self.stdout.write(f"{member.display_name} has no access to {at.name} any more.")

    def _product(self, options: dict[str, Any]) -> None:
        at = find_pharmacy(options["pharmacy"])
        fields = {name: options[name] for name in ("gtin", "name", "brand", "strength_mg", "pack_size")}
        product = pharmacies.add_product(**fields, by=_by(at, options["by"]), now=read_clock())
        self.stdout.write(f"{product.gtin}  {product.name}")


def _parse_settings(pairs: list[str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for pair in pairs:
        name, sign, value = pair.partition("=")
        if not sign:
            raise CommandError(f"{pair!r} is no setting; write name=value, such as profile=lioresal.")
        settings[name] = _SWITCH.get(value, value) if name in _SWITCHES else value
    return settings


def _user(username: str) -> AbstractBaseUser:
    User = get_user_model()
    user = User._default_manager.filter(**{User.USERNAME_FIELD: username}).first()
    if user is None:
        raise CommandError(f"There is no account {username}; `manage.py createsuperuser` or the admin makes one.")
    return user


def _by(at: Pharmacy, username: str | None) -> Actor:
    """Return the manager who answers. A pharmacy that has none yet is set up by the system."""
    if username:
        return authoriser(username, at.pk, Role.MANAGER)
    if StaffMember.objects.filter(pharmacy=at, role=StaffRole.MANAGER, active=True).exists():
        raise CommandError(f"{at.name} has a manager: say who answers for this change, with --by USERNAME.")
    return Actor.system("setup", at.pk)
