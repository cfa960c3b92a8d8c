"""The settings that a running worker and the service files really use, each whose reason `deploy/celery.py` gives."""

import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from deploy.celery import app
from deploy.environment import ROOT
from deploy.servers.processes import Server
from dispensary.tasks import tick_reminders
from tests.deploy.test_units import UNITS, settings_of
from tests.site import Site

pytestmark = pytest.mark.slow

TABLE: dict[str, object] = {
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_acks_on_failure_or_timeout": True,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_eta_task_limit": 100,
    "visibility_timeout": 300,
    "result_backend_transport_options": {"visibility_timeout": 300},
    "task_time_limit": 90,
    "task_soft_time_limit": 60,
    "worker_soft_shutdown_timeout": 20,
    "worker_enable_soft_shutdown_on_idle": True,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "task_ignore_result": True,
    "result_backend": None,
    "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.1},
    "task_create_missing_queues": False,
    "timezone": "UTC",
    "enable_utc": True,
    "beat_max_loop_interval": 5,
    "worker_max_tasks_per_child": 500,
    "task_serializer": "json",
    "result_serializer": "json",
    "accept_content": ["json"],
    "broker_transport_options": {
        "visibility_timeout": 300,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "socket_timeout": 30,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 25,
        "retry_on_timeout": True,
        "master_name": "",
        "sentinel_kwargs": {"password": "********", "socket_timeout": 0.5, "socket_connect_timeout": 0.5},
        "global_keyprefix": "********",  # Celery shows nothing that is called a key; see below
    },
}


@pytest.fixture(scope="module")
def worker(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The settings, the counts and the queues of a tick's worker, as it tells them itself over its broker."""
    server = Server("worker", tmp_path_factory.mktemp("worker") / "worker.log")
    celery = [sys.executable, "-m", "celery", "-A", "deploy.celery", "worker", "--loglevel", "ERROR"]
    command = [*celery, "-Q", "rem-tick", "-c", "1", "-n", "live@%h", "--without-gossip", "--without-mingle"]
    server.launch(command, environment=site.environment(LOG_LEVEL="ERROR"), folder=ROOT)
    try:
        asked, deadline, worker_conf = app.control.inspect(timeout=2), time.monotonic() + 90, None
        while not worker_conf and time.monotonic() < deadline:
            worker_conf = asked.conf(with_defaults=True)
        assert worker_conf, server.last_words(5)
        [name] = [name for name in worker_conf if name.startswith("live@")]
        yield worker_conf[name], asked.stats()[name], asked.active_queues()[name]
    finally:
        server.end(signal.SIGKILL)


@pytest.mark.parametrize("name", TABLE)
def test_a_running_worker_uses_what_the_table_says(worker: Any, name: str) -> None:
    used = worker[0].get(name)
    assert used == TABLE[name]


def test_everything_of_ours_in_redis_stands_under_our_own_prefix(worker: Any, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    assert app.conf.broker_transport_options["global_keyprefix"] == "rx:"
    tick_reminders.apply_async(queue="rem-send")
    names = {key.decode().split(".")[0] for key in client.keys("*")}
    client.delete("rx:rem-send")
    assert (
        "rx:rem-send" in names
        and {name for name in names if not name.startswith(("rx:", "dispensary", ":1:"))} == set()
    )


def test_it_takes_one_task_in_hand_and_only_from_its_own_queue(worker: Any) -> None:
    _, stats, queues = worker
    assert stats["prefetch_count"] == 1 and stats["pool"]["max-concurrency"] == 1
    assert stats["pool"]["max-tasks-per-child"] == 500 and stats["pool"]["timeouts"] == [60, 90]
    assert [queue["name"] for queue in queues] == ["rem-tick"]


def test_the_limits_stand_in_their_order(worker: Any) -> None:
    """A drain ends itself, then the soft limit, then the hard one, then its lease, then a second delivery of its hint."""
    from dispensary.conf import Conf

    app_settings, used = Conf(), worker[0]
    limits = [
        app_settings.reminder_drain,
        used["task_soft_time_limit"],
        used["task_time_limit"],
        app_settings.reminder_lease,
        used["visibility_timeout"],
    ]
    assert limits == sorted(set(limits)) == [45, 60, 90, 120, 300]


def test_a_tick_that_nobody_took_is_dropped_before_the_next() -> None:
    entry = app.conf.beat_schedule["dispensary-reminders"]
    every = entry["schedule"].run_every.total_seconds()
    assert every == 15 and entry["options"] == {"expires": 14}


def test_every_setting_of_the_table_has_its_reason_beside_it() -> None:
    """A comment on the line or in the lines above it that belong to it."""
    lines = (ROOT / "deploy" / "celery.py").read_text().splitlines()
    for name in TABLE:
        [at] = [number for number, line in enumerate(lines) if line.strip().startswith(f"{name}=")]
        near = at
        while near > 0 and "#" not in lines[near] and lines[near - 1].startswith("    "):
            near -= 1
        assert "#" in lines[near] and at - near <= 3, name


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_service_comes_back_and_gives_the_message_in_hand_its_time(unit: Path) -> None:
    service = settings_of(unit)
    assert (service["Restart"], service["KillMode"], service["TimeoutStopSec"]) == ("always", "mixed", "60")
    assert int(service["TimeoutStopSec"]) > app.conf.worker_soft_shutdown_timeout
    assert int(service["RestartSec"]) <= 5
