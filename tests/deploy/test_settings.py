"""The deployment's promises: strict headers, quiet logs, hints that cannot be doubled."""

import io
import json
import logging
import os
import subprocess
import sys
from datetime import timedelta
from functools import partial

import pytest
import redis
import structlog
from celery.app.trace import LOG_FAILURE
from django.conf import settings
from django.test import Client
from django.utils import timezone

from deploy.celery import app
from deploy.environment import ROOT
from deploy.logs import logging_config, shorten_user_agent
from dispensary.tasks import tick_reminders

pytestmark = pytest.mark.slow


def test_check_deploy_has_nothing_to_say() -> None:
    environment = {
        # The browser's tests set this one for the process that they share with us; no deployment has it.
        **{name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"},
        "DJANGO_SETTINGS_MODULE": "deploy.settings",
        "SECRET_KEY": "k" * 25 + "0123456789abcdefghijklmnopqrs",
        "PUBLIC_URL": "https://dispensary.example",
        "TRUSTED_PROXIES": "1",
        "DISPENSARY_RUN_DIR": "/nonexistent",
    }
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_web_server_refuses_to_run_without_a_key() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "SECRET_KEY"}
    environment |= {"DJANGO_SETTINGS_MODULE": "deploy.settings", "DISPENSARY_RUN_DIR": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", "import deploy.wsgi"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SECRET_KEY is not set" in done.stderr.strip().splitlines()[-1]


@pytest.mark.django_db
def test_pages_carry_the_strict_policy(client: Client) -> None:
    answer = client.get("/accounts/login/")
    policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert answer["Referrer-Policy"] == "same-origin"  # with none at all, a form sent over HTTPS fails its CSRF check
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "camera=()" in answer["Permissions-Policy"]
    assert "publickey-credentials-get=(self)" in answer["Permissions-Policy"]


def test_there_is_no_admin_beside_the_pages_that_log_who_looks() -> None:
    assert Client().get("/admin/").status_code == 404


def test_nobody_registers_an_account(client: Client, db: None) -> None:
    answer = client.get("/accounts/signup/")
    assert b'name="password1"' not in answer.content


def test_metrics_are_for_the_holder_of_the_token(client: Client, db: None) -> None:
    assert client.get("/metrics").status_code == 404
    assert client.get("/metrics", headers={"Authorization": "Bearer guessed"}).status_code == 404
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"})
    assert answer.status_code == 200
    assert b"django_http_requests" in answer.content


def test_metrics_do_not_exist_without_a_token(client: Client, db: None, settings: pytest.FixtureRequest) -> None:
    settings.METRICS_TOKEN = ""  # type: ignore[attr-defined]  # pytest-django's settings take any name
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404


def test_readiness_needs_the_database_and_liveness_does_not(client: Client, db: None) -> None:
    assert client.get("/health/live").content == b"alive\n"
    assert client.get("/health/ready").json() == {"ready": True}


@pytest.mark.django_db(transaction=True)
def test_readiness_says_no_while_the_database_is_away(client: Client) -> None:
    from django.db import connection

    port = connection.settings_dict["PORT"]
    connection.close()
    connection.settings_dict["PORT"] = "1"
    try:
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200
    finally:
        connection.close()
        connection.settings_dict["PORT"] = port


def lines_of(write: logging.Logger, *arguments: object, **more: object) -> dict[str, object]:
    """Return the log of one call, written by the handler that the deployment's configuration makes."""
    from logging.config import DictConfigurator

    stream = io.StringIO()
    formatter = DictConfigurator(logging_config("INFO")).configure_formatter(
        logging_config("INFO")["formatters"]["json"]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    write.addHandler(handler)
    try:
        write.error(*arguments, **more)  # type: ignore[arg-type]  # passed on as given
    finally:
        write.removeHandler(handler)
    line: dict[str, object] = json.loads(stream.getvalue())
    return line


def test_log_line_names_an_error_without_its_message() -> None:
    logger = logging.getLogger("tests.errors")
    try:
        raise ValueError("Key (identifier)=(NHS 943 476 5919) already exists")
    except ValueError:
        line = lines_of(logger, "request_failed", exc_info=True)
    assert line["exception"] == "ValueError"
    assert "476 5919" not in json.dumps(line)


def test_log_line_of_a_failed_task_names_its_error_without_its_message() -> None:
    """Celery writes the error's message into its own words."""
    logger = logging.getLogger("celery.app.trace")
    context = {
        "name": "tick",
        "id": "7",
        "description": "raised unexpected",
        "exc": "Key (identifier)=(943 476 5919) exists",
    }
    try:
        raise ValueError("Key (identifier)=(943 476 5919) exists")
    except ValueError:
        line = lines_of(logger, LOG_FAILURE, context, exc_info=True)
    assert line["event"] == "Task tick[7] raised unexpected: ValueError"
    assert "476 5919" not in json.dumps(line)


@pytest.mark.django_db
def test_log_line_has_the_route_and_not_the_address(client: Client) -> None:
    with structlog.testing.capture_logs() as captured:
        client.get("/accounts/login/?q=Okafor")
    finished = [line for line in captured if line["event"] == "request_finished"]
    assert finished
    assert "Okafor" not in json.dumps(finished, default=str)


@pytest.mark.parametrize(
    ("sent", "logged"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36", "Mozilla/5.0 AppleWebKit/537.36 Chrome/126.0"),
        ("python-requests/2.32.3", "python-requests/2.32.3"),
        ("Ada Okafor, born 1981-05-02", ""),
        ("Okafor/born-1981 curl/8.5", "curl/8.5"),
        ("x" * 5000, ""),
    ],
)  # fmt: skip
def test_of_the_client_of_a_request_the_log_has_its_products_alone(sent: str, logged: str) -> None:
    event = shorten_user_agent(logging.getLogger(), "info", {"event": "request_started", "user_agent": sent})
    assert event["user_agent"] == logged


TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def bound_by(client: Client, traceparent: str) -> list[dict[str, object]]:
    """Return the lines of one request, each with what is bound for all of them."""
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as captured:
        client.get("/accounts/login/", headers={"traceparent": traceparent})
    return [dict(line) for line in captured]


@pytest.mark.django_db
@pytest.mark.parametrize("traceparent", [f"00-{TRACE}-{PARENT}-01", f"01-{TRACE}-{PARENT}-00-of-a-later-version"])
def test_every_log_line_of_a_request_has_the_trace_of_its_caller(client: Client, traceparent: str) -> None:
    lines = bound_by(client, traceparent)
    assert {line["event"] for line in lines} >= {"request_started", "request_finished"}
    assert {(line["trace_id"], line["parent_id"]) for line in lines} == {(TRACE, PARENT)}
    assert not any("trace_id" in line for line in bound_by(client, ""))


@pytest.mark.django_db
@pytest.mark.parametrize(
    "traceparent",
    [
        f"00-{TRACE}-{PARENT}-01 Okafor",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        "Okafor",
    ],
)
def test_an_ill_formed_trace_is_not_logged(client: Client, traceparent: str) -> None:
    lines = bound_by(client, traceparent)
    assert lines and not any("trace_id" in line for line in lines)
    assert "Okafor" not in json.dumps(lines, default=str)


def test_broker_settings_keep_a_hint_from_being_doubled_or_hoarded() -> None:
    conf = app.conf
    assert conf.task_time_limit > conf.task_soft_time_limit
    assert conf.broker_transport_options["visibility_timeout"] > conf.task_time_limit
    assert conf.broker_transport_options["socket_timeout"]
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost, conf.worker_prefetch_multiplier) == (True, True, 1)
    assert conf.worker_cancel_long_running_tasks_on_connection_loss is False
    assert conf.accept_content == ["json"]
    assert {queue.name for queue in conf.task_queues} == {"rem-tick", "rem-send"}
    assert conf.beat_schedule["dispensary-reminders"]["options"]["expires"] < settings.REMINDER_TICK_SECONDS


@pytest.fixture
def broker(redis_url: str) -> redis.Redis:
    """The tests' broker, and nothing in the queue of ticks."""
    client = redis.Redis.from_url(redis_url)
    client.delete("rx:rem-tick")
    return client


def later(seconds: int) -> list[dict[str, object]]:
    """The ways to ask Celery for a task so much later."""
    eta = timezone.now() + timedelta(seconds=seconds)
    return [{"countdown": seconds}, {"eta": eta}, {"eta": eta.isoformat()}, {"eta": eta.replace(tzinfo=None)}]


@pytest.mark.parametrize("options", later(3600))
def test_a_task_for_much_later_never_reaches_the_broker(broker: redis.Redis, options: dict[str, object]) -> None:
    for publish in (tick_reminders.apply_async, partial(app.send_task, tick_reminders.name)):
        with pytest.raises(ValueError, match="store a row"):
            publish(queue="rem-tick", **options)
    assert broker.llen("rx:rem-tick") == 0


def test_every_task_has_its_queue_and_beat_starts_what_is_there() -> None:
    ours = {name for name in app.tasks if name.startswith("dispensary.")}
    assert set(app.conf.task_routes) == ours
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} == ours - {"dispensary.reminders.drain"}
    queues = {name: app.amqp.router.route({}, name)["queue"].name for name in ours}
    assert queues == {name: route["queue"] for name, route in app.conf.task_routes.items()}


@pytest.mark.parametrize("options", [{}, *later(290)])
def test_a_hint_for_now_or_soon_reaches_it(broker: redis.Redis, options: dict[str, object]) -> None:
    tick_reminders.apply_async(queue="rem-tick", **options)
    assert broker.llen("rx:rem-tick") == 1
    broker.delete("rx:rem-tick")


@pytest.mark.parametrize(("secret", "there"), [("", "False"), ("user:password", "True")])
def test_an_e_mail_provider_needs_its_key_and_its_events_need_a_secret(secret: str, there: str) -> None:
    """The provider's backend is made with its key; its events have an address only where they have a secret."""
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "deploy.settings",
        "DISPENSARY_RUN_DIR": "/nonexistent",
        "EMAIL_BACKEND": "anymail.backends.postmark.EmailBackend",
        "ANYMAIL": json.dumps({"POSTMARK_SERVER_TOKEN": "key", "WEBHOOK_SECRET": secret}),
    }
    asked = (
        "import django; django.setup()\n"
        "from django.core.mail import get_connection\n"
        "from django.urls import is_valid_path\n"
        "from anymail.signals import tracking\n"
        "made = get_connection()\n"
        "print(made.timeout, bool(is_valid_path('/hooks/mail/postmark/tracking/')), bool(tracking.receivers))"
    )
    done = subprocess.run(
        [sys.executable, "-c", asked], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip().splitlines()[-1] == f"(3, 15) {there} True", done.stderr[-500:]


def test_every_variable_of_the_page_is_read_and_the_reverse() -> None:
    import re

    settings_text = "".join(
        (ROOT / "deploy" / name).read_text() for name in ("settings.py", "web_server.py", "watchdog.py")
    )
    read = set(re.findall(r'(?:ENV\.get|environ\.get|_flag|_list)\("([A-Z_]+)"|"(DATABASE_[A-Z_]*URL)"', settings_text))
    read = {name for names in read for name in names if name}
    page = (ROOT / "deploy" / "OPERATING.md").read_text()
    documented = {
        name
        for row in page.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([A-Z][A-Z_]+)`", row.split("|")[1])
    }
    internal = {"STATIC_FROM_SOURCE", "REMINDER_LEASE_SECONDS", "REMINDER_BATCH", "AUDIT_SEAL_STANDBYS"}
    assert documented - read == set()
    assert read - documented - internal == set()
