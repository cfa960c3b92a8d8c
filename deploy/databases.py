"""A database's address as Django's settings, with the time-outs that end the wait for one that is away, silent or held up."""

import re

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from deploy.postgresql.base import ANSWER_SECONDS

LINK = {
    "connect_timeout": 5,  # seconds for each host; a host that vanished must not hold a page longer
    # A primary that vanishes without a reset is given up after 10 s instead of 15 minutes.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
SESSION = {
    "idle_in_transaction_session_timeout": "60s",  # a forgotten transaction must not hold a prescription's row
    "lock_timeout": "10s",  # a counter waits no longer for a row
}
"""Set for each session; behind a pooler by the role (`deploy/container/roles.sh`), since a pooler takes no start-up options."""
SILENT_SECONDS = 5
"""How much longer than its time-out a statement is waited for: the server would have ended it, if it did not stand still."""
_SECONDS = {"": 0.001, "ms": 0.001, "s": 1, "min": 60, "h": 3600}
_DJANGO_NAMES = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}


def database_settings(variable: str, url: str, *, is_pooled: bool, statement_timeout: str) -> dict[str, object]:
    """Return Django's settings for the address in an environment variable, read as PostgreSQL's own library reads it.

    `url` may name several hosts and any option of libpq, which wins over ours: `postgresql://u:p@h1:5432,h2:5432/d?
    target_session_attrs=read-write`. `statement_timeout` is PostgreSQL's, as "20s"; "" for none.

    Raises:
        ImproperlyConfigured: the address or the time-out cannot be read, or libpq does not know an option; its name is told.
    """
    try:
        parts = conninfo_to_dict(url)
    except ProgrammingError as error:
        what = str(error).strip() if "query parameter" in str(error) else "it is no address of a PostgreSQL database"
        raise ImproperlyConfigured(
            f"{variable} cannot be read: {what}. Expected: postgresql://user:password@host:5432/database?option=value "
            "with options of libpq, several hosts as host1:5432,host2:5432."
        ) from None
    place = {django: str(parts.pop(name, "")) for name, django in _DJANGO_NAMES.items()}
    session = SESSION | ({"statement_timeout": statement_timeout} if statement_timeout else {})
    options = [f"-c {name}={value}" for name, value in session.items()]
    return {
        "ENGINE": "deploy.postgresql",
        **place,
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": is_pooled,
        "OPTIONS": {
            **LINK,
            ANSWER_SECONDS: _answer_seconds(statement_timeout),
            # The line of the log, written by every action, stays prepared; behind a pooler another client would get the statement.
            "prepare_threshold": None if is_pooled else 5,
            **parts,
            **({} if is_pooled else {"options": " ".join([*options, str(parts.get("options", ""))]).strip()}),
        },
    }


def _answer_seconds(statement_timeout: str) -> float | None:
    """Return after how long without an answer a connection is closed; None where a statement may take any time."""
    match = re.fullmatch(r"(\d+) ?(ms|s|min|h|)", statement_timeout or "0")
    if match is None:
        raise ImproperlyConfigured(
            f"STATEMENT_TIMEOUT cannot be read: {statement_timeout!r}. Expected: a whole number with ms, s, min or h, as 20s."
        )
    seconds = int(match[1]) * _SECONDS[match[2]]
    return seconds + SILENT_SECONDS if seconds else None
