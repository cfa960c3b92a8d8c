"""Print or apply the split of database roles that keeps the application from altering its own log."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connections, transaction

from dispensary.audit.log.roles import Roles, statements


class Command(BaseCommand):
    """`manage.py audit_roles --sql` for a database administrator to read and run; `--apply` runs it as the owner."""

    help = "Print (--sql) or apply (--apply) the grants that split owner, application, sealer and auditor. Run it after each migrate."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Role names default to those of the demo."""
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--sql", action="store_true", help="print the statements")
        what.add_argument("--apply", action="store_true", help="run them over the database alias 'owner'")
        for name in ("owner", "app", "sealer", "auditor"):
            parser.add_argument(f"--{name}", default=f"dispensary_{name}", help=f"login role of the {name}")
        parser.add_argument(
            "--eraser", default="", help="login role that may call audit.erase (default: the owner only)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Every statement can be run again without harm."""
        roles = Roles(*(options[name] for name in ("owner", "app", "sealer", "auditor", "eraser")))
        if options["sql"]:
            self.stdout.write("".join(f"{statement};\n" for statement in statements(roles)))
            return
        if "owner" not in connections:
            raise CommandError(
                "There is no database alias 'owner': set DATABASE_OWNER_URL, or print with --sql and run it yourself."
            )
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            for statement in statements(roles):
                cursor.execute(statement)
        self.stdout.write(f"The application's role {roles.app} can now write to the log only through audit.append().")
