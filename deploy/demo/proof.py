"""The log is verified; then a superuser alters one row behind its back, and the verification names that row."""

import json
import time
from typing import Any
from uuid import UUID

import psycopg

from deploy.demo.attacks import unguarded
from dispensary.audit.checks import live
from dispensary.audit.evidence import verify
from dispensary.audit.log.database import all_logs
from dispensary.audit.sealing.keys import key_file, public_keys
from dispensary.models import Pharmacy

_NUMBER = "SELECT l.log_id, l.seq FROM audit.link l WHERE l.entry_id = %s"


def verified(connection: psycopg.Connection[Any], pharmacy: Pharmacy) -> live.Result:
    """Verify a pharmacy's open log from its first entry, recomputing every hash."""
    (log,) = [log for log in all_logs(connection, pharmacy.pk) if not log.closed]
    keys = [verify.Key.parse(str(key)) for key in public_keys(key_file(), log.origin)]
    return live.check_log(connection, log, keys)


def wait_until_signed(connection: psycopg.Connection[Any], pharmacy: Pharmacy, seconds: float) -> live.Result:
    """Wait until the sealer has signed every entry that stands in the log now (or the time is up), then verify."""
    (log,) = [log for log in all_logs(connection, pharmacy.pk) if not log.closed]
    (last,) = connection.execute("SELECT max(seq) FROM audit.link WHERE log_id = %s", [log.log_id]).fetchone() or (0,)
    signed = "SELECT coalesce(max(size), 0) >= %s FROM audit.checkpoint WHERE log_id = %s"
    deadline = time.monotonic() + seconds
    while connection.execute(signed, [last, log.log_id]).fetchone() != (True,) and time.monotonic() < deadline:
        time.sleep(0.2)
    return verified(connection, pharmacy)


def alter_and_verify(superuser_url: str, pharmacy: Pharmacy, dispense: dict[str, Any]) -> tuple[int, live.Result]:
    """As a superuser, switch the guards off, change the quantity of one dispense in the log, verify, and roll everything back.

    Returns the number of the entry that was altered, and what the verification said while it was.
    """
    entry = UUID(dispense["audit_entry"])
    with psycopg.connect(superuser_url) as connection:
        connection.execute("SET LOCAL lock_timeout = '20s'")
        row = connection.execute(_NUMBER, [entry]).fetchone()
        if row is None:
            raise LookupError("the dispense has no entry in the log")
        with unguarded(connection):
            (text,) = connection.execute("SELECT body FROM audit.body WHERE entry_id = %s", [entry]).fetchone() or (
                "{}",
            )
            body = json.loads(text) | {"quantity": "28"}
            connection.execute("UPDATE audit.body SET body = %s WHERE entry_id = %s", [json.dumps(body), entry])
            result = verified(connection, pharmacy)
        connection.rollback()
    return int(row[1]), result
