"""The rivals of the reminder engine: a bare Celery ETA task, and procrastinate. Neither keeps a record of what it sent."""

from __future__ import annotations

import os
import smtplib
from email.message import EmailMessage
from functools import cache

from celery import Celery

celery_app = Celery("rival", broker=os.environ.get("RIVAL_BROKER", ""))
celery_app.conf.update(
    task_acks_late=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    broker_transport_options={"visibility_timeout": 3600},
    broker_connection_retry_on_startup=True,
)


@cache
def _connection(port: int) -> smtplib.SMTP:
    return smtplib.SMTP("127.0.0.1", port)


def deliver(key: str) -> None:
    """To the no-op sink: one appended line; to SMTP when RIVAL_SMTP names a port, over a connection that is kept."""
    port = os.environ.get("RIVAL_SMTP")
    if port:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = "a@example.org", "b@example.org", "A message"
        letter.set_content("Please call us.")
        _connection(int(port)).send_message(letter)
    descriptor = os.open(os.environ["RIVAL_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(descriptor, f"{key}\n".encode())
    os.close(descriptor)


@celery_app.task(name="rival.send")
def send(key: str) -> None:
    """One message."""
    deliver(key)


def procrastinate_app():
    """procrastinate on the database that RIVAL_DATABASE names."""
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=os.environ["RIVAL_DATABASE"]))

    @app.task(name="rival.send")
    def send_job(key: str) -> None:
        deliver(key)

    return app


app = procrastinate_app() if os.environ.get("RIVAL_DATABASE") else None
