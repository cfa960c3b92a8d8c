"""Patients' addresses from a shell: encrypted again, when a secret is renewed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dispensary.actions.addresses import reseal_addresses


class Command(BaseCommand):
    """Encrypts with the newest secret what an older one has encrypted; afterwards the older one may be taken out of the settings."""

    help = "Encrypt the addresses of patients with the newest of `address_secrets`."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the one subcommand."""
        commands = parser.add_subparsers(dest="do", required=True, metavar="WHAT")
        commands.add_parser("reseal", help="encrypt them with the newest secret; may be repeated at any time")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many rows; end with an error where one cannot be read."""
        done = reseal_addresses()
        self.stdout.write(f"{done.renewed} encrypted anew, {done.already} already under the newest secret.")
        if done.unreadable:
            raise CommandError(
                f"{done.unreadable} cannot be read with any of the secrets. Put the one that they were written with last into "
                "address_secrets, and run this again."
            )
