"""Second factors from a shell: encrypted again, when a secret is renewed."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from deploy.factors import encrypt_factors


class Command(BaseCommand):
    """Encrypts the secrets of authenticator apps and recovery codes with the newest of the site's secrets."""

    help = "Encrypt the secrets of second factors with the newest of ADDRESS_SECRETS, or with SECRET_KEY."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the one subcommand."""
        commands = parser.add_subparsers(dest="do", required=True, metavar="WHAT")
        commands.add_parser("encrypt", help="encrypt them with the newest secret; may be repeated at any time")

    def handle(self, *args: Any, **options: Any) -> None:
        """Print how many factors; end with an error where one cannot be read."""
        done = encrypt_factors()
        self.stdout.write(f"{done.renewed} encrypted anew, {done.already} already under the newest secret.")
        if done.unreadable:
            raise CommandError(
                f"{done.unreadable} cannot be read with any of the secrets. Put the one that they were encrypted with last into "
                "ADDRESS_SECRETS or SECRET_KEY_FALLBACKS and run this again, or end these factors on the people's pages."
            )
