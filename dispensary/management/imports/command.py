"""The base of the imports: each entry of a file on its own, all or nothing."""

from __future__ import annotations

import csv
import signal
import sys
import time
from abc import abstractmethod
from argparse import SUPPRESS, Action, ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, ClassVar
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, transaction
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from dispensary import audit
from dispensary.actors import Actor, Role
from dispensary.audit.evidence.export import guard_cell
from dispensary.clock import read_clock
from dispensary.errors import DispensaryError, InvalidInput, Problem
from dispensary.management.commands._audit_people import authoriser, find_pharmacy
from dispensary.management.imports.files import Entry, Kind, guess_kind, read_documents, read_resources, read_table
from dispensary.management.imports.tables import Column
from dispensary.models import Pharmacy

TAKEN, HERE, REFUSED = "taken in", "here already", "refused"
REPORT_COLUMNS = ("line", "part", "field", "given", "expected", "next")
"""Of the report: a row for each thing that is wrong with an entry. Texts of a patient are not repeated."""
PATIENT = {
    "identifier": 64, "identifier_system": 255, "family_name": 120, "given_name": 120, "birth_date": 10, "sex": 8, "language": 8,
    "time_zone": 64,
}  # fmt: skip
PRESCRIBER = {"identifier": 64, "identifier_system": 255, "name": 120, "phone": 32, "organisation": 120}
"""Fields of people with their most characters."""
_REPORT_EVERY = 1000
"""Entries between two lines that say how far it is, where no bar can be drawn."""


class ImportCommand(BaseCommand):
    """The base of the imports. An entry that was imported before changes nothing, so an import that ended early is repeated."""

    fields: ClassVar[Sequence[str]]
    """The fields of a document, all needed."""
    optional_fields: ClassVar[Sequence[str]] = ()
    columns: ClassVar[Sequence[Column]]
    """The columns of a table."""
    resource_type: ClassVar[str]
    """The FHIR resources that are imported."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments that all imports have."""
        parser.add_argument(
            "file", type=Path, help="JSON documents a line, a CSV, FHIR as NDJSON or a Bundle; in UTF-8"
        )
        parser.add_argument("--format", choices=[str(kind) for kind in Kind], help="left out: by the file")
        parser.add_argument("--pharmacy", type=UUID, help="may be left out where there is only one")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="the member of staff who answers for it")
        parser.add_argument(
            "--dry-run", action="store_true", help="check every entry beside what is stored, and write nothing"
        )
        parser.add_argument("--report", type=Path, help="a CSV file of each refused entry with its reasons")
        parser.add_argument("--from-line", type=int, default=1, metavar="N", help="begin at this line")
        parser.add_argument(
            "--columns", action=_ShowColumns, columns=self.columns, help="list the columns of a CSV and end"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Import the entries, and say how many were taken, were here, were refused."""
        pharmacy = find_pharmacy(options["pharmacy"])
        by = authoriser(options["by"], pharmacy.pk, Role.MANAGER, Role.PHARMACIST)
        path, first = options["file"], options["from_line"]
        if options["report"] and options["report"].resolve() == path.resolve():
            raise CommandError("--report names the file that is imported. Name another file.")
        counts, unread = Counter[str](), Counter[str]()
        started, line = time.monotonic(), first
        with ExitStack() as stack:
            try:
                file = stack.enter_context(path.open("rb"))
                report = options["report"] and stack.enter_context(
                    # What an earlier part of the file was refused for stays in the report.
                    options["report"].open("a" if first > 1 else "w", encoding="utf-8", newline="")
                )
            except OSError as error:
                raise CommandError(f"{error.filename}: {error.strerror}") from error
            rows = csv.writer(report) if report else None
            if rows and report.tell() == 0:
                rows.writerow(REPORT_COLUMNS)
            entries = self._read_entries(file, Kind(options["format"] or guess_kind(file, path.name)), unread)
            signals = stack.enter_context(_interrupted_by_signals())
            bar = stack.enter_context(_make_bar())
            task = bar.add_task("", total=path.stat().st_size)
            try:
                for entry in entries:
                    line = entry.line
                    if line < first:
                        continue
                    outcome, problems = self._import_entry(entry, pharmacy, by, is_trial=options["dry_run"])
                    if signals:
                        raise KeyboardInterrupt
                    counts[outcome] += 1
                    self._report_problems(entry, problems, rows, bar)
                    bar.update(task, completed=entry.end, description=_describe(counts))
                    if bar.disable and counts.total() % _REPORT_EVERY == 0:
                        self.stderr.write(f"line {line}: {_describe(counts)}")
            except (KeyboardInterrupt, OperationalError) as error:
                reason = "The database does not answer" if isinstance(error, OperationalError) else "Stopped"
                raise CommandError(
                    f"{reason} at line {line}. Before it: {_describe(counts)}. Go on with --from-line {line}.",
                    returncode=130,
                ) from error
        rate = counts.total() / max(time.monotonic() - started, 0.001)
        self.stdout.write(
            ("Nothing was written. " if options["dry_run"] else "") + f"{_describe(counts)}; {rate:.0f} a second"
        )
        for kind, number in sorted(unread.items()):
            self.stdout.write(f"{number} {kind} not read")
        if counts[REFUSED]:
            refused = "1 entry was" if counts[REFUSED] == 1 else f"{counts[REFUSED]} entries were"
            raise CommandError(f"{refused} refused; mend what is wrong and import the file again.")
        if not counts and first == 1:
            raise CommandError(f"{path}: nothing to import was found in it.")

    def _report_problems(self, entry: Entry, problems: Sequence[Problem], rows: Any, bar: Progress) -> None:
        """Write what is wrong with an entry into the report; without one, on standard error, above the bar."""
        for problem in problems:
            cells = (entry.line, entry.part, problem.field, problem.given, problem.expected, problem.next)
            words = f"line {entry.line} {entry.part}".rstrip() + f": {problem.sentence()}"
            if rows:
                rows.writerow([guard_cell(cell) for cell in cells])
            elif bar.disable:
                self.stderr.write(words)
            else:
                bar.console.print(words, markup=False, highlight=False, soft_wrap=True)

    def _read_entries(self, file: BinaryIO, kind: Kind, unread: Counter[str]) -> Iterator[Entry]:
        match kind:
            case Kind.LINES:
                return read_documents(file, self.fields, self.optional_fields)
            case Kind.CSV:
                return read_table(file, self.columns)
            case Kind.FHIR:
                return read_resources(file, self.resource_type, unread)

    def _import_entry(
        self, entry: Entry, pharmacy: Pharmacy, by: Actor, *, is_trial: bool
    ) -> tuple[str, Sequence[Problem]]:
        """Import an entry in a transaction, which is rolled back on trial; return what came of it, and why it was refused."""
        try:
            document = entry.read()
            is_new = audit.retrying(self._import_document)(document, pharmacy, by, is_trial)
        except DispensaryError as error:
            return REFUSED, error.problems or [Problem("", "", error.detail)]
        return (TAKEN if is_new else HERE), ()

    def _import_document(self, document: Mapping[str, Any], pharmacy: Pharmacy, by: Actor, is_trial: bool) -> bool:
        with transaction.atomic():
            is_new = self.import_document(document, pharmacy, by, read_clock())
            if is_trial:
                transaction.set_rollback(True)
        return is_new

    @abstractmethod
    def import_document(self, document: Mapping[str, Any], pharmacy: Pharmacy, by: Actor, now: datetime) -> bool:
        """Import a document; return False where it was here already. Raises `DispensaryError`.

        One of FHIR is a Bundle with one resource of `resource_type`.
        """


class _ShowColumns(Action):
    """The option that lists the columns of a table."""

    def __init__(self, option_strings: Sequence[str], dest: str, columns: Sequence[Column], help: str) -> None:
        super().__init__(option_strings, dest, nargs=0, default=SUPPRESS, help=help)
        self.columns = columns

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: Any, option_string: str | None = None
    ) -> None:
        for column in self.columns:
            print(f"{column.name}{' (needed)' if column.is_needed else ''}: {column.words}")
        parser.exit()


def person_of(document: Mapping[str, Any], name: str, longest: Mapping[str, int]) -> dict[str, str]:
    """Return a person of a document; `longest` names the fields with their most characters. Raises `InvalidInput`."""
    person = document[name]
    expected = f"one of {', '.join(longest)}"
    if not isinstance(person, Mapping) or "identifier" not in person:
        raise InvalidInput("The line cannot be read.", Problem(name, "no identifier", f"an object of {expected}"))
    wrong = [
        Problem(f"{name}.{str(key)[:60]}", "another value", f"{expected}, as text of at most {longest.get(key, 255)}")
        for key, value in person.items()
        if not isinstance(value, str) or len(value) > longest.get(key, 0)
    ]
    if wrong:
        raise InvalidInput("The line cannot be read.", *wrong)
    return dict(person)


def objects_of(value: Any, field: str) -> list[Mapping[str, Any]]:
    """Return a list of objects. Raises `InvalidInput`."""
    if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
        raise InvalidInput("The line cannot be read.", Problem(field, "another value", "a list of objects"))
    return value


@contextmanager
def _interrupted_by_signals() -> Iterator[list[int]]:
    """Interrupt where SIGTERM or SIGINT comes; yield the list of those that came.

    So a service that is stopped ends with its report, and where to go on; SIGINT is ignored in what a shell starts with "&". Where the
    statement that the interrupt ends has an error of its own, psycopg raises that instead, and only the list tells of it.
    """
    signals: list[int] = []

    def interrupt(number: int, _: object) -> None:
        signals.append(number)
        raise KeyboardInterrupt

    handlers = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield signals
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _make_bar() -> Progress:
    """Return a bar of the bytes read, in a terminal alone."""
    return Progress(
        TextColumn("{task.percentage:>3.0f}%"), BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn(),
        TimeRemainingColumn(), console=Console(stderr=True), disable=not sys.stderr.isatty(),
    )  # fmt: skip


def _describe(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in (TAKEN, HERE, REFUSED))
