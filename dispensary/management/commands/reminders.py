"""Reminders from a shell: run the engine without a broker, and see or change what patients are sent."""

from __future__ import annotations

import signal
import threading
import uuid
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from dispensary.actions import reminders
from dispensary.actors import Actor, Role
from dispensary.errors import DispensaryError
from dispensary.models import Dispense, Patient, Pharmacy, Reminder, ReminderState, StaffMember


class Command(BaseCommand):
    """Each subcommand calls one action. Exit status 0: done; 1: it could not be done, with the reason on standard error."""

    help = "Run the reminder engine, list and explain reminders, send them again, withdraw them, preview a course."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subparser for each thing to do."""
        commands = parser.add_subparsers(dest="do", required=True, metavar="WHAT")
        run = commands.add_parser("run", help="tick and drain without Celery: the way out when the broker is gone")
        run.add_argument("--once", action="store_true", help="until nothing is due, then exit")
        run.add_argument("--interval", type=float, default=15.0, help="seconds between ticks (default 15)")
        listing = commands.add_parser("list", help="reminders of one pharmacy, the next due first")
        listing.add_argument("--pharmacy", required=True, type=uuid.UUID, metavar="ID")
        listing.add_argument("--state", choices=[state.name.lower() for state in ReminderState])
        listing.add_argument("--limit", type=int, default=50)
        explain = commands.add_parser("explain", help="why has this patient got no message?")
        explain.add_argument("patient", type=uuid.UUID)
        for name, told in (("resend", "send one reminder now"), ("withdraw", "withdraw one reminder")):
            one = commands.add_parser(name, help=told)
            one.add_argument("reminder", type=uuid.UUID)
            one.add_argument(
                "--by", required=True, metavar="USERNAME", help="who answers for it; goes into the audit log"
            )
            if name == "resend":
                one.add_argument("--despite-quiet-hours", action="store_true")
        preview = commands.add_parser("preview", help="everything that a dispense will send, as a calendar")
        preview.add_argument("dispense", type=uuid.UUID)
        preview.add_argument("--detailed", action="store_true", help="with medicine and dose")
        preview.add_argument("--language", default="", help="instead of the patient's")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, and turn every refusal into one sentence."""
        try:
            getattr(self, f"_{options['do']}")(options)
        except DispensaryError as error:
            raise CommandError(error.detail) from error

    def _run(self, options: dict[str, Any]) -> None:
        stop = threading.Event()
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
        while not stop.is_set():
            try:
                due = reminders.tick().due
                done = reminders.drain(stop=stop.is_set)
                if due or done.claimed:
                    self.stdout.write(
                        f"sent {done.sent}, refused {done.refused}, in doubt {done.unknown}, set aside {done.set_aside}"
                    )
            except DatabaseError as error:
                if options["once"]:
                    raise CommandError(f"The database does not answer ({type(error).__name__}).") from error
                self.stderr.write(f"the database does not answer ({type(error).__name__}); trying again")
                connection.close()
                done = None
            if options["once"] and (done is None or not done.claimed):
                return
            if done is None or not done.claimed:
                stop.wait(options["interval"])

    def _list(self, options: dict[str, Any]) -> None:
        pharmacy = self._one(Pharmacy, options["pharmacy"], "pharmacy")
        rows = Reminder.objects.filter(pharmacy=pharmacy).order_by("due_at", "id")
        if options["state"]:
            rows = rows.filter(state=ReminderState[options["state"].upper()])
        now = timezone.now()
        for row in rows[: options["limit"]]:
            self.stdout.write(f"{row.public_id}  {reminders.say(row, now)}")

    def _explain(self, options: dict[str, Any]) -> None:
        patient = self._one(Patient, options["patient"], "patient")
        for sentence in reminders.explain(patient=patient, now=timezone.now()):
            self.stdout.write(sentence)

    def _resend(self, options: dict[str, Any]) -> None:
        reminder = self._one(Reminder, options["reminder"], "reminder", "public_id")
        by = self._actor(options["by"], reminder)
        reminders.send_now(
            public_id=reminder.public_id, despite_quiet=options["despite_quiet_hours"], by=by, now=timezone.now()
        )
        self.stdout.write("It is due now; a worker will send it with the next tick.")

    def _withdraw(self, options: dict[str, Any]) -> None:
        reminder = self._one(Reminder, options["reminder"], "reminder", "public_id")
        reminders.withdraw(public_id=reminder.public_id, by=self._actor(options["by"], reminder), now=timezone.now())
        self.stdout.write("Withdrawn.")

    def _preview(self, options: dict[str, Any]) -> None:
        dispense = self._one(Dispense, options["dispense"], "dispense")
        now = timezone.now()
        for shown in reminders.preview(
            dispense=dispense, detailed=options["detailed"], language=options["language"], now=now
        ):
            parts = f"{shown.segments.count} text message{'s' * (shown.segments.count > 1)}, {shown.segments.alphabet}"
            self.stdout.write(f"{shown.leaves_at:%a %d %b %Y %H:%M}  {shown.kind.label}  ({parts})\n    {shown.text}")

    def _one(self, model: Any, key: uuid.UUID, name: str, field: str = "pk") -> Any:
        found = model.objects.filter(**{field: key}).first()
        if found is None:
            raise CommandError(f"There is no {name} {key}.")
        return found

    def _actor(self, username: str, reminder: Reminder) -> Actor:
        member = StaffMember.objects.filter(user__username=username, pharmacy=reminder.pharmacy, active=True).first()
        if member is None:
            raise CommandError(f"{username} does not work at that pharmacy.")
        actor = member.actor()
        if actor.role is Role.AUDITOR:
            raise CommandError(f"{username} is an auditor and may not send or withdraw.")
        return actor
