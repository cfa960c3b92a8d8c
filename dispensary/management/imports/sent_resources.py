"""FHIR resources of a file by their names and by whom they are about, in a temporary file: the memory does not grow with them."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from dispensary.errors import InvalidInput, Problem
from dispensary.fhir.resources import BESIDE, FACTS
from dispensary.strict_json import jsonable, loads

FULL_URL = "fullUrl"
"""The key under which a resource of a Bundle has the address of its entry."""
_TABLES = """
    CREATE TABLE resource (id INTEGER PRIMARY KEY, address TEXT, body TEXT UNIQUE);
    CREATE TABLE name (name TEXT, resource INTEGER, PRIMARY KEY (name, resource)) WITHOUT ROWID;
    CREATE TABLE subject (name TEXT, resource INTEGER, PRIMARY KEY (name, resource)) WITHOUT ROWID"""


class SentResources:
    """The people, medicines and facts of a file. What is of no such type is counted in `unread`."""

    def __init__(self, unread: Counter[str]) -> None:
        # Without a name SQLite makes a file of its own and removes it.
        self._db = sqlite3.connect("")
        self._db.executescript(_TABLES)
        self._unread = unread

    def add(self, resource: Mapping[str, Any]) -> None:
        """Keep a resource for those that refer to it."""
        kind = str(resource["resourceType"])[:40]
        if kind not in BESIDE | FACTS:
            self._unread[kind] += 1
            return
        address = str(resource.get(FULL_URL, ""))
        body = json.dumps(
            jsonable({name: value for name, value in resource.items() if name != FULL_URL}), sort_keys=True
        )
        self._db.execute("INSERT OR IGNORE INTO resource (address, body) VALUES (?, ?)", (address, body))
        (key,) = self._db.execute("SELECT id FROM resource WHERE body = ?", (body,)).fetchone()
        names = {address, f"{kind}/{resource['id']}" if resource.get("id") else ""} - {""}
        self._db.executemany("INSERT OR IGNORE INTO name VALUES (?, ?)", [(name, key) for name in names])
        if kind in FACTS:
            subjects = set(_references({name: resource.get(name) for name in ("subject", "patient")}))
            self._db.executemany("INSERT OR IGNORE INTO subject VALUES (?, ?)", [(name, key) for name in subjects])

    def gather(self, resource: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a Bundle of a resource, what it refers to, and the facts about its subject.

        Raises `InvalidInput` where a reference fits several resources of the file.
        """
        own = {name: value for name, value in resource.items() if name != FULL_URL}
        entries: list[dict[str, Any]] = [{"resource": own}]
        subjects = set(_references(own.get("subject")))
        names: set[str] = set()
        waiting = list(_references(own))
        while waiting:
            name = waiting.pop()
            if name in names:
                continue
            names.add(name)
            address, referred = self._find(name)
            if referred is None:
                continue
            literal = f"{referred['resourceType']}/{referred.get('id')}"
            entries.append({FULL_URL: address if address and name == literal else name, "resource": referred})
            subjects |= {literal, address} - {""} if name in subjects else set()
            waiting += _references(referred)
        marks = ", ".join("?" for _ in subjects)
        rows = self._db.execute(
            f"SELECT DISTINCT body FROM subject JOIN resource ON id = resource WHERE name IN ({marks})",  # noqa: S608  (question marks alone)
            sorted(subjects),
        )
        entries += [{"resource": loads(body.encode())} for (body,) in rows]
        return {"resourceType": "Bundle", "type": "collection", "entry": entries}

    def _find(self, name: str) -> tuple[str, Any]:
        """Return the address and the resource that a reference names; None where it is not in the file.

        The address of a server that stands before a type and an id may be absent in the file.
        """
        for spelling in dict.fromkeys((name, "/".join(name.rsplit("/", 2)[-2:]))):
            rows = self._db.execute(
                "SELECT address, body FROM name JOIN resource ON id = resource WHERE name = ? LIMIT 2", (spelling,)
            ).fetchall()
            if len(rows) > 1:
                problem = Problem("reference", "several resources of the file", "a reference to one", "Mend the file.")
                raise InvalidInput("The line cannot be read without doubt.", problem)
            if rows:
                return rows[0][0], loads(rows[0][1].encode())
        return "", None


def _references(value: Any) -> Iterator[str]:
    """Yield each literal reference in a value, but for those to a contained resource: its name means nothing outside."""
    if isinstance(value, Mapping):
        reference = value.get("reference")
        if isinstance(reference, str) and not reference.startswith("#"):
            yield reference
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item)
