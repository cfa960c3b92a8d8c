"""Reminders from a shell: run the engine without a broker, and see or change what patients are sent."""

from __future__ import annotations

import signal
import threading
import uuid
from argparse import ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from dispensary import reminders
from dispensary.actions import patients, staff_alerts, summaries
from dispensary.actions.reminders import send_reminder, withdraw_reminder
from dispensary.actors import Actor, Role
from dispensary.assessment import therapy_of
from dispensary.clock import read_clock
from dispensary.errors import DispensaryError
from dispensary.management.commands._audit_people import authoriser
from dispensary.models import Dispense, Patient, Pharmacy, Reminder, ReminderState, StaffMember
from dispensary.models.reminders import NOT_SENT_YET, ReminderKind
from dispensary.reminders.reach import addresses_of
from dispensary.reminders.texts import LANGUAGES, template_of


def _some(text: str) -> int:
    """Read a number from 1 to ten thousand."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= number <= 10_000:
        raise ArgumentTypeError(f"{text!r} given, a number from 1 to 10000 expected")
    return number


def _seconds(text: str) -> float:
    """A pause that is one."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.1 <= number <= 3600:
        raise ArgumentTypeError(f"{text!r} given, seconds from 0.1 to 3600 expected")
    return number


class Command(BaseCommand):
    """Each subcommand calls one action. Exit status 0: done; 1: it could not be done, with the reason on standard error."""

    help = "Run the reminder engine, list and explain reminders, send them again, withdraw them, preview a course."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One subparser for each thing to do."""
        commands = parser.add_subparsers(dest="do", required=True, metavar="WHAT")
        run = commands.add_parser("run", help="tick and drain without Celery: the way out when the broker is gone")
        run.add_argument("--once", action="store_true", help="until nothing is due, then exit")
        run.add_argument("--interval", type=_seconds, default=15.0, help="seconds between ticks (default 15)")
        listing = commands.add_parser(
            "list", help="reminders of one pharmacy: what is owed, then the newest of the others"
        )
        listing.add_argument("--pharmacy", required=True, type=uuid.UUID, metavar="ID")
        listing.add_argument("--state", choices=[state.name.lower() for state in ReminderState])
        listing.add_argument("--limit", type=_some, default=50)
        explain = commands.add_parser("explain", help="why has this patient got no message?")
        explain.add_argument("patient", type=uuid.UUID)
        for name, help_text in (("resend", "send one reminder now"), ("withdraw", "withdraw one reminder")):
            command = commands.add_parser(name, help=help_text)
            command.add_argument("reminder", type=uuid.UUID)
            command.add_argument(
                "--by", required=True, metavar="USERNAME", help="who answers for it; goes into the audit log"
            )
            if name == "resend":
                command.add_argument("--despite-quiet-hours", action="store_true")
        preview = commands.add_parser("preview", help="everything that a dispense will send, as a calendar")
        preview.add_argument("dispense", type=uuid.UUID)
        preview.add_argument("--detailed", action="store_true", help="with medicine and dose")
        preview.add_argument("--language", default="", choices=LANGUAGES, help="instead of the patient's")
        templates = commands.add_parser("templates", help="every text as a template, to have approved for WhatsApp")
        templates.add_argument("--language", required=True, choices=LANGUAGES)
        for looking in (listing, explain, preview):
            looking.add_argument("--by", metavar="USERNAME", help="who looks; else the log says that the shell did")

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
                summaries.refresh_outdated(now=read_clock())
                reminders.poll_missing_receipts()
                staff_alerts.open_found(now=read_clock())
                while staff_alerts.tell_next(read_clock):
                    pass
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
        pharmacy, now = self._one(Pharmacy, options["pharmacy"], "pharmacy"), read_clock()
        rows = Reminder.objects.filter(pharmacy=pharmacy)
        if options["state"]:
            rows = rows.filter(state=ReminderState[options["state"].upper()])
        unsent = list(rows.filter(state__in=NOT_SENT_YET).order_by("due_at", "id")[: options["limit"]])
        others = rows.exclude(state__in=NOT_SENT_YET).order_by("-due_at", "-id")[: options["limit"] - len(unsent)]
        listed = [*unsent, *others]
        words = f"reminders list {options['state'] or ''}".strip()
        patients.record_search(
            pharmacy=pharmacy, words=words, count=len(listed), by=self._looker(options, pharmacy.pk), now=now
        )
        for row in listed:
            self.stdout.write(f"{row.public_id}  patient {row.patient_id}  {reminders.say(row, now)}")
        if not listed:
            self.stderr.write("There is none.")

    def _explain(self, options: dict[str, Any]) -> None:
        patient, now = self._one(Patient, options["patient"], "patient"), read_clock()
        patients.record_opening(patient=patient, by=self._looker(options, patient.pharmacy_id), now=now)
        for sentence in reminders.explain(patient=patient, addresses=addresses_of(patient), now=now):
            self.stdout.write(sentence)

    def _templates(self, options: dict[str, Any]) -> None:
        for kind in ReminderKind:
            text, names = template_of(kind, options["language"])
            places = ", ".join(f"{number} {name}" for number, name in enumerate(names, 1))
            self.stdout.write(f"{kind.value} ({places})\n  {text}")

    def _resend(self, options: dict[str, Any]) -> None:
        reminder = self._one(Reminder, options["reminder"], "reminder", "public_id")
        by = self._actor(options["by"], reminder)
        now, despite = read_clock(), options["despite_quiet_hours"]
        row = send_reminder(public_id=reminder.public_id, despite_quiet=despite, by=by, now=now)
        sentence = reminders.outlook(row, now)
        self.stdout.write(f"{sentence[0].upper()}{sentence[1:]}")

    def _withdraw(self, options: dict[str, Any]) -> None:
        reminder = self._one(Reminder, options["reminder"], "reminder", "public_id")
        withdraw_reminder(public_id=reminder.public_id, by=self._actor(options["by"], reminder), now=read_clock())
        self.stdout.write("Withdrawn.")

    def _preview(self, options: dict[str, Any]) -> None:
        dispense, now = self._one(Dispense, options["dispense"], "dispense"), read_clock()
        by = self._looker(options, dispense.pharmacy_id)
        patients.record_opening(patient=dispense.patient, part=dispense, by=by, now=now)
        patient = dispense.patient
        messages = reminders.preview(
            therapy=therapy_of(patient, patient.pharmacy.local_day(now)),
            patient=patient,
            detailed=options["detailed"],
            language=options["language"],
            now=now,
        )
        if not messages:
            self.stderr.write("This supply makes nothing owing from now on.")
        for message in messages:
            parts = f"{message.segments.count} text message{'s' * (message.segments.count > 1)}, {message.segments.alphabet}"
            self.stdout.write(
                f"{message.leaves_at:%a %d %b %Y %H:%M}  {message.kind.label}  ({parts})\n    {message.text}"
            )

    def _one(self, model: Any, key: uuid.UUID, name: str, field: str = "pk") -> Any:
        row = model.objects.filter(**{field: key}).first()
        if row is None:
            raise CommandError(f"There is no {name} {key}.")
        return row

    def _looker(self, options: dict[str, Any], pharmacy_id: uuid.UUID) -> Actor:
        """Return the actor: the named member of staff, or the shell, which the log then says."""
        if not options["by"]:
            return Actor.system("shell", pharmacy_id)
        return authoriser(options["by"], pharmacy_id, *Role)

    def _actor(self, username: str, reminder: Reminder) -> Actor:
        member = StaffMember.objects.filter(user__username=username, pharmacy=reminder.pharmacy, active=True).first()
        if member is None:
            raise CommandError(f"{username} does not work at that pharmacy.")
        actor = member.actor()
        if actor.role is Role.AUDITOR:
            raise CommandError(f"{username} is an auditor and may not send or withdraw.")
        return actor
