"""A patient's record as lines of an export, and the file that is made of them for the patient."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dispensary import audit
from dispensary.assessment import facts_document
from dispensary.audit import Event
from dispensary.audit.checks.looks import AFTER, BEFORE
from dispensary.audit.evidence.tables import format_utc
from dispensary.audit.log import reader
from dispensary.audit.log import search as searching
from dispensary.audit.log.events import READINGS
from dispensary.audit.log.search import Filters
from dispensary.documents import DoesNotFit, PharmacyLines, person_record_pdf
from dispensary.models import Patient, SubjectRequest

PERSON = "person"
"""The name of this table of an export."""
VERSION = 2
SCHEMA = Path(__file__).with_name("person_record.schema.json")
WITHHELD = "withheld: it is about another person"

_README = """What is recorded about one person, written {written}.

person.pdf is for reading; it is not here where a letter of the record cannot be printed. person.json holds the facts, what happened with its details, and who looked at the record: the role, when, and what the same person did for
the patient around that time. person.schema.json describes it. "withheld" stands where details are about another person and were left out.
SHA-256 of person.json: {digest}
"""


def read_page(
    *, patient: Patient, until: datetime, cursor: str, is_first: bool
) -> tuple[bytes, int, str, datetime | None]:
    """Return the next lines as NDJSON, newest first, how many entries, the cursor after them ("" after the last), and the moment of the last.

    The first line of the first page holds the facts. Names of who looked stand in the lines; the file leaves them out.
    """
    filters = Filters(patient=str(patient.pk), until=until)
    page = searching.search([patient.pharmacy_id], filters, cursor=cursor, limit=searching.MAX_PAGE)
    name = f"{patient.given_name} {patient.family_name}".strip()
    lines = [
        {
            "entry": line.entry.seq, "at": line.entry.recorded_at.isoformat(), "action": line.entry.action, "actor": line.entry.actor,
            "role": line.entry.actor_role, "by": (line.body or {}).get("by"), "what": audit.sentence(line.entry, line.body, name),
            "details": None if line.doubt else line.body, "doubt": line.doubt or None,
        }
        for line in reader.recheck(audit.lines(page.entries, patient.pharmacy_id))
    ]  # fmt: skip
    rows = [_person_of(patient), *lines] if is_first else lines
    content = "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)
    return content.encode(), len(lines), page.next, page.entries[-1].recorded_at if page.entries else None


def _person_of(patient: Patient) -> dict[str, Any]:
    """Return who a patient is, with the facts."""
    return {
        "family_name": patient.family_name, "given_name": patient.given_name, "number": patient.identifier,
        "language": patient.language, "facts": facts_document(patient),
    }  # fmt: skip


def is_look(line: Mapping[str, Any]) -> bool:
    """Return whether somebody only read or exported."""
    return line["action"] in _LOOKS


_LOOKS = frozenset(event.value for event in READINGS)


def make_document(content: bytes, request: SubjectRequest, written: datetime) -> bytes:
    """Return the file as JSON: facts, events with their details, and who looked.

    Of staff who only looked the role stands there, and the name only where the release says so (CJEU C-579/21); who signed or handed over is named.
    """
    facts, *lines = map(json.loads, content.splitlines())
    work = [line for line in lines if not is_look(line)]
    find_purpose = _index_work(work)
    document = {
        "format": f"dispensary-person/{VERSION}",
        "written": written.isoformat(),
        "asked_on": request.received_on.isoformat(),
        "person": facts,
        "events": [
            {
                "entry": line["entry"],
                "at": line["at"],
                "what": line["what"],
                "details": WITHHELD if line["entry"] in request.withheld else line["details"],
                "doubt": line["doubt"],
            }
            for line in work
        ],
        "looks": [
            {
                "at": line["at"], "role": line["role"], "what": event_label(line["action"]), "purpose": find_purpose(line),
            } | ({"name": line["by"]} if request.names_staff else {})
            for line in lines if is_look(line)
        ],
    }  # fmt: skip
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def _index_work(work: Iterable[Mapping[str, Any]]) -> Callable[[Mapping[str, Any]], str | None]:
    """Return what finds, for a look, the event that the same person did nearest to it for the patient; None where there is none."""
    by_actor: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for line in work:
        by_actor[line["actor"]].append((datetime.fromisoformat(line["at"]), line["action"]))

    def find_purpose(look: Mapping[str, Any]) -> str | None:
        moment = datetime.fromisoformat(look["at"])
        near = [
            (abs(at - moment), action)
            for at, action in by_actor[look["actor"]]
            if moment - BEFORE <= at <= moment + AFTER
        ]
        return event_label(min(near)[1]) if near else None

    return find_purpose


def event_label(action: str) -> str:
    """Return an event without whom and why, for a list; its name where a newer version wrote it."""
    try:
        return Event(action).label.replace("…", "a part of the record")  # type: ignore[call-arg]  # mypy takes the call for a new member, which would need its sentence
    except ValueError:
        return action


def write_archive(document: bytes, request: SubjectRequest, written: datetime) -> bytes:
    """Return the zip file of a document: JSON with its schema, and the same as PDF."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("person.json", document)
        archive.writestr("person.schema.json", SCHEMA.read_bytes())
        pharmacy = request.pharmacy
        lines = PharmacyLines(pharmacy.name, pharmacy.address, pharmacy.phone)
        with suppress(DoesNotFit):
            content = person_record_pdf(json.loads(document), lines, ZoneInfo(pharmacy.time_zone), at=written)
            archive.writestr("person.pdf", content)
        digest = hashlib.sha256(document).hexdigest()
        archive.writestr("README.txt", _README.format(written=format_utc(written), digest=digest))
    return target.getvalue()
