"""What leaves the site by itself each minute: checkpoints to a witness, and each log as files to be watched."""

from __future__ import annotations

import datetime as dt
import logging
from pathlib import Path

from dispensary.audit.evidence.tiles import folder_name, write_tiles
from dispensary.audit.log.background import BackgroundRunner
from dispensary.audit.log.database import open_logs, raw_connection, sealer_alias
from dispensary.audit.sealing.cosigning import WitnessSilent, ask_witness, remote_witness
from dispensary.conf import conf
from dispensary.errors import Conflict

log = logging.getLogger(__name__)

INTERVAL = dt.timedelta(minutes=1)


class Publisher(BackgroundRunner):
    """Publishes once in INTERVAL in a thread of its own: a witness that hangs holds up no signature."""

    def __init__(self) -> None:
        super().__init__("publication of the audit log", publish, "the audit log was not published; it is tried again")
        self.began_at: dt.datetime | None = None

    def poll(self, now: dt.datetime) -> None:
        """Start the thread where it is time, something is set to be published, and none is running."""
        is_due = self.began_at is None or now - self.began_at >= INTERVAL
        if is_due and not self.is_running and (conf().audit_witness_url or conf().audit_tiles_folder):
            self.began_at = now
            self.start()


def publish() -> None:
    """Ask the witness of the settings, then write the tiles; what fails is written into the log of the program."""
    connection = raw_connection(sealer_alias())
    remote = remote_witness()
    if remote is not None:
        try:
            ask_witness(connection, remote)
        except WitnessSilent as error:
            log.error("the witness of the audit log is silent: %s", error)
    folder = conf().audit_tiles_folder
    if folder is None:
        return
    for row in open_logs(connection):
        place = Path(folder) / folder_name(row.origin)
        try:
            write_tiles(connection, row, place, witnesses=remote.names if remote else ())
        except (Conflict, OSError) as error:
            log.critical("audit log is not published: %s", error)
