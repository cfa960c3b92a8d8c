"""`manage.py audit <verb>`: keep, check, export and retire the audit log."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from dispensary.errors import DispensaryError
from dispensary.management.audit_verbs import checks, evidence, retention, sealing
from dispensary.management.audit_verbs.verb import Verb

VERBS: dict[str, Verb] = {
    "roles": sealing.ROLES,
    "key": sealing.KEY,
    "seal": sealing.SEAL,
    "anchor": sealing.ANCHOR,
    "cosign": sealing.COSIGN,
    "verify": checks.VERIFY,
    "review": checks.REVIEW,
    "count": checks.COUNT,
    "export": evidence.EXPORT,
    "consistency": evidence.CONSISTENCY,
    "tiles": evidence.TILES,
    "replay": evidence.REPLAY,
    "authorise": retention.AUTHORISE,
    "erase": retention.ERASE,
    "retire": retention.RETIRE,
    "incarnation": retention.INCARNATION,
    "lost": retention.LOST,
}


class Command(BaseCommand):
    """Run one verb of the audit log. Exit status 0: done.

    Otherwise as the verb's help says.
    """

    help = "Keep, check, export and retire the audit log: one verb each, `manage.py audit VERB --help` describes it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add a subparser for each verb.

        The options of every command may stand behind the verb as well.
        """
        common = ArgumentParser(add_help=False, argument_default=SUPPRESS)
        common.add_argument("-v", "--verbosity", type=int, choices=range(4), help=SUPPRESS)
        for name in ("--settings", "--pythonpath"):
            common.add_argument(name, help=SUPPRESS)
        for name in ("--traceback", "--no-color", "--force-color", "--skip-checks"):
            common.add_argument(name, action="store_true", help=SUPPRESS)
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        for name, verb in VERBS.items():
            verb.add_arguments(verbs.add_parser(name, help=verb.help, description=verb.help, parents=[common]))

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Skip the system checks for a witness or signer, who has no database of ours."""
        if options["verb"] == "cosign" or options.get("step") in ("key", "sign"):
            options["skip_checks"] = True
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the verb and turn its errors into a sentence and an exit status."""
        verb = VERBS[options["verb"]]
        try:
            status = verb.run(self, options)
        except tuple(verb.statuses) as error:
            status = next(status for kind, status in verb.statuses.items() if isinstance(error, kind))
            raise CommandError(error_text(error), returncode=status) from error
        if status:
            sys.exit(status)


def error_text(error: Exception) -> str:
    """Return an error as one line: its detail, and problems that say what to send."""
    if not isinstance(error, DispensaryError):
        return str(error)
    return " ".join([error.detail, *(problem.sentence() for problem in error.problems if problem.expected)])
