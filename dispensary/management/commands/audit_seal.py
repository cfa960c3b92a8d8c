"""The sealer as a process of its own: sign what is new, every few seconds."""

from __future__ import annotations

import signal
import threading
from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError as DjangoOperationalError
from django.db import connections
from django.utils import timezone
from psycopg import OperationalError

from dispensary.audit.log.database import open_logs
from dispensary.audit.sealing.keys import KeyTrouble
from dispensary.audit.sealing.sealer import Sealer, SealRefused
from dispensary.audit.sealing.service import Round, make_sealer, seal_round


class Command(BaseCommand):
    """Exit status 0: all signed, or stopped by SIGTERM; 1: a log must not be signed (FORK, an altered entry)."""

    help = (
        "Sign size and root of every log whenever it has grown (or --once), and record how it is protected once a day."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """A window of few seconds is what the log cannot vouch for after a crash."""
        parser.add_argument("--pharmacy", type=UUID, help="only this pharmacy's log")
        parser.add_argument("--once", action="store_true", help="one round, then exit")
        parser.add_argument("--interval", type=float, default=3.0, help="seconds between rounds (default 3)")
        parser.add_argument(
            "--adopt",
            action="store_true",
            help="the state file is lost: verify all entries, go on from the newest checkpoint",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop, or until a log must not be signed."""
        stop = threading.Event()
        if not options["once"] and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: stop.set())
            signal.signal(signal.SIGINT, lambda *_: stop.set())
        sealer = self._sealer()
        if options["adopt"]:
            self._adopt(sealer)
        while True:
            try:
                done = seal_round(sealer, timezone.now(), pharmacy=options["pharmacy"])
                self._report(done, once=options["once"], quiet=options["verbosity"] < 1)
            except (OperationalError, DjangoOperationalError) as error:
                if options["once"]:
                    raise CommandError(f"The database does not answer: {str(error).splitlines()[0]}") from error
                self.stderr.write("The database does not answer; trying again.")
                sealer = self._again(stop, options["interval"]) or sealer
            if options["once"] or stop.wait(options["interval"]):
                return

    def _sealer(self) -> Sealer:
        try:
            return make_sealer()
        except KeyTrouble as trouble:
            raise CommandError(str(trouble), returncode=2) from trouble
        except (OperationalError, DjangoOperationalError) as error:
            raise CommandError(f"The database does not answer: {str(error).splitlines()[0]}") from error

    def _again(self, stop: threading.Event, interval: float) -> Sealer | None:
        connections.close_all()
        stop.wait(interval)
        try:
            return make_sealer()
        except (OperationalError, DjangoOperationalError):
            return None

    def _adopt(self, sealer: Sealer) -> None:
        for one in open_logs(sealer.connection):
            if sealer.states.load(one.log_id) is not None:
                continue
            try:
                state = sealer.adopt(one)
            except SealRefused as refusal:
                raise CommandError(str(refusal), returncode=1) from refusal
            self.stdout.write(f"{one.origin}: verified and adopted at {state.size}")

    def _report(self, done: Round, *, once: bool, quiet: bool) -> None:
        for sealed in () if quiet else done.sealed:
            if sealed.added:
                self.stdout.write(f"{sealed.log.origin}: {sealed.added} more, signed up to {sealed.size}")
            elif once:
                self.stdout.write(f"{sealed.log.origin}: nothing new, signed up to {sealed.size}")
        if done.refused:
            lines = [
                *map(str, done.refused),
                "Nothing was signed there. Find out why first; `manage.py audit_incarnation` then continues with a new log.",
            ]
            raise CommandError("\n".join(lines), returncode=1)
