"""Delivery of checkpoints to somewhere else: by mail, on paper, into a folder.

Each delivery is recorded, so that the age of the newest is known. A checkpoint held elsewhere protects the entries up to it;
a database administrator could rewrite the later ones unseen.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.mail import EmailMessage
from psycopg import Connection

from dispensary.audit.log.database import LogRow, open_logs
from dispensary.audit.sealing.notes import Checkpoint, split

ROOT_GROUP = 8


@dataclass(frozen=True, slots=True)
class Anchor:
    """The newest checkpoint of a log, ready to be sent."""

    log: LogRow
    size: int
    note: str

    @property
    def file_name(self) -> str:
        """The file name, one for each size, so that files are never overwritten."""
        return f"{self.log.origin.replace('/', '_')}_{self.size}.checkpoint"

    def paper(self) -> str:
        """Return the checkpoint as text for people: root in groups, and the note."""
        root = Checkpoint.parse(split(self.note)[0]).root.hex()
        groups = " ".join(root[start : start + ROOT_GROUP] for start in range(0, len(root), ROOT_GROUP))
        return f"Log      {self.log.origin}\nEntries  {self.size}\nRoot     {groups}\n\n{self.note}"


def render_sheet(anchors: Iterable[Anchor], now: dt.datetime) -> str:
    """Return the end-of-day sheet: every log's checkpoint, and a line to sign on."""
    parts = [f"Audit log checkpoints, {now:%Y-%m-%d %H:%M} UTC\n", *(anchor.paper() for anchor in anchors)]
    return (
        "\n".join(parts)
        + "\nSigned by the responsible pharmacist: ______________________________   Date: ______________\n"
    )


def build_mail(anchors: Sequence[Anchor], to: str, now: dt.datetime) -> EmailMessage:
    """Return the sheet as a message with one attachment a log.

    It holds no patient data.
    """
    message = EmailMessage(subject=f"Audit log checkpoints {now:%Y-%m-%d}", body=render_sheet(anchors, now), to=[to])
    for anchor in anchors:
        message.attach(anchor.file_name, anchor.note, "text/plain")
    return message


def write_note(folder: Path, anchor: Anchor) -> Path:
    """Write the note into a folder, for a share or a write-once store.

    An existing file is never replaced.
    """
    path = folder / anchor.file_name
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(anchor.note)
    except FileExistsError:
        if path.read_text(encoding="utf-8").split("\n\n")[0] != anchor.note.split("\n\n")[0]:
            raise
    return path


def write_notes(folder: Path, anchors: Iterable[Anchor]) -> None:
    """Write every note into a folder, as `write_note` does."""
    for anchor in anchors:
        write_note(folder, anchor)


def deliver(
    connection: Connection[Any], anchors: Iterable[Anchor], channel: str, target: str, send: Callable[[], Any]
) -> str:
    """Call `send` and record for each checkpoint whether it was delivered.

    Return the error's text, "" for none.
    """
    error_text = ""
    try:
        send()
    except OSError as error:  # smtplib's errors are OSErrors, too
        error_text = str(error)[:500] or type(error).__name__
    for anchor in anchors:
        connection.execute(
            "INSERT INTO audit.delivery (log_id, size, channel, target, ok, detail) VALUES (%s, %s, %s, %s, %s, %s)",
            [anchor.log.log_id, anchor.size, channel, target, not error_text, error_text or None],
        )
    return error_text


def newest_anchors(connection: Connection[Any]) -> Iterator[Anchor]:
    """Yield the newest checkpoint of each open log, with its cosignatures."""
    for log in open_logs(connection):
        row = connection.execute(
            "SELECT size, note FROM audit.checkpoint WHERE log_id = %s ORDER BY size DESC LIMIT 1", [log.log_id]
        ).fetchone()
        if row is None:
            continue
        lines = connection.execute(
            "SELECT line FROM audit.cosignature WHERE log_id = %s AND size = %s ORDER BY witness", [log.log_id, row[0]]
        ).fetchall()
        yield Anchor(log, row[0], row[1] + "".join(line for (line,) in lines))


def anchor_ages(connection: Connection[Any], now: dt.datetime) -> dict[str, dt.timedelta]:
    """Return the age of each open log's newest checkpoint that was delivered or that a witness signed, by origin.

    The log's own age without one.
    """
    rows = connection.execute(
        """SELECT g.origin, coalesce((SELECT max(c.created_at) FROM audit.checkpoint c
                                       WHERE c.log_id = g.log_id AND c.size IN (
                                           (SELECT max(size) FROM audit.delivery d WHERE d.log_id = g.log_id AND d.ok),
                                           (SELECT max(size) FROM audit.cosignature s WHERE s.log_id = g.log_id))), g.opened_at)
           FROM audit.log g WHERE g.closed_at IS NULL ORDER BY g.origin"""
    ).fetchall()
    return {origin: max(now - since, dt.timedelta()) for origin, since in rows}
