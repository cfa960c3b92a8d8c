"""Import of records from a file with one JSON document a line: each line on its own, all or nothing."""

from __future__ import annotations

import csv
from abc import abstractmethod
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from baclofen_rules.case import InvalidCase
from baclofen_rules.checked import parse_json
from dispensary.actors import Actor, Role
from dispensary.clock import read_clock
from dispensary.errors import DispensaryError, InvalidInput, Problem
from dispensary.management.commands._audit_people import authoriser, find_pharmacy
from dispensary.models import Pharmacy

TAKEN, HERE, REFUSED = "taken in", "here already", "refused"
COLUMNS = ("line", "field", "given", "expected", "next")
"""Of the report: a row for each thing that is wrong with a line. Texts of a patient are not repeated."""
PATIENT = {
    "identifier": 64, "identifier_system": 255, "family_name": 120, "given_name": 120, "birth_date": 10, "sex": 8, "language": 8,
    "time_zone": 64,
}  # fmt: skip
PRESCRIBER = {"identifier": 64, "identifier_system": 255, "name": 120, "phone": 32, "organisation": 120}
"""Fields of people with their most characters."""
_TOLD_EVERY = 1000


class LineImport(BaseCommand):
    """The base of the imports. A line that was imported before changes nothing, so an import that ended early is repeated."""

    fields: ClassVar[Sequence[str]]
    """The fields of a document, all needed."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments that all imports have."""
        parser.add_argument("file", type=Path, help="a JSON document a line, in UTF-8")
        parser.add_argument("--pharmacy", type=UUID, help="may be left out where there is only one")
        parser.add_argument("--by", required=True, metavar="USERNAME", help="the member of staff who answers for it")
        parser.add_argument("--dry-run", action="store_true", help="check every line and write nothing")
        parser.add_argument("--report", type=Path, help="a CSV file of each refused line with its reasons")
        parser.add_argument("--from-line", type=int, default=1, metavar="N", help="begin at this line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import the lines, and say how many were taken, were here, were refused."""
        pharmacy = find_pharmacy(options["pharmacy"])
        by = authoriser(options["by"], pharmacy.pk, Role.MANAGER, Role.PHARMACIST)
        counts: Counter[str] = Counter()
        with ExitStack() as stack:
            try:
                file = stack.enter_context(options["file"].open("rb"))
                report = options["report"] and csv.writer(
                    stack.enter_context(options["report"].open("w", encoding="utf-8", newline=""))
                )
            except OSError as error:
                raise CommandError(f"{error.filename}: {error.strerror}") from error
            if report:
                report.writerow(COLUMNS)
            for number, line in enumerate(file, start=1):
                if number < options["from_line"] or not line.strip():
                    continue
                problems: Sequence[Problem] = ()
                try:
                    outcome = self._import_line(line, pharmacy, by, is_trial=options["dry_run"])
                except DispensaryError as error:
                    outcome = REFUSED
                    problems = error.problems or [Problem("", "", error.detail)]
                counts[outcome] += 1
                for problem in problems:
                    row = (number, problem.field, problem.given, problem.expected, problem.next)
                    report.writerow(row) if report else self.stderr.write(f"line {number}: {problem.sentence()}")
                if number % _TOLD_EVERY == 0:
                    self.stderr.write(f"line {number}: {_describe(counts)}")
        self.stdout.write(("Nothing was written. " if options["dry_run"] else "") + _describe(counts))
        if counts[REFUSED]:
            raise CommandError(f"{counts[REFUSED]} lines were refused; mend them and import the file again.")

    def _import_line(self, line: bytes, pharmacy: Pharmacy, by: Actor, *, is_trial: bool) -> str:
        """Import one line in a transaction, which is rolled back on trial. Raises `DispensaryError`."""
        document = _parse(line, self.fields)
        with transaction.atomic():
            outcome = TAKEN if self.import_document(document, pharmacy, by, read_clock()) else HERE
            if is_trial:
                transaction.set_rollback(True)
        return outcome

    @abstractmethod
    def import_document(self, document: Mapping[str, Any], pharmacy: Pharmacy, by: Actor, now: datetime) -> bool:
        """Import a document; return False where it was here already. Raises `DispensaryError`."""


def _parse(line: bytes, fields: Sequence[str]) -> Mapping[str, Any]:
    """Return the document of a line. Raises `InvalidInput`."""
    try:
        document = parse_json(line.decode("utf-8"))
    except (UnicodeDecodeError, InvalidCase):
        raise InvalidInput("The line cannot be read.", Problem("", "no JSON", "a JSON object in UTF-8")) from None
    if not isinstance(document, Mapping):
        raise InvalidInput("The line cannot be read.", Problem("", "no object", f"an object with {', '.join(fields)}"))
    problems = [Problem(name, "nothing", "a value") for name in fields if name not in document]
    problems += [
        Problem(str(name)[:60], "a field", f"only {', '.join(fields)}") for name in document if name not in fields
    ]
    if problems:
        raise InvalidInput("The line cannot be read.", *problems)
    return document


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


def _describe(counts: Counter[str]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in (TAKEN, HERE, REFUSED))
