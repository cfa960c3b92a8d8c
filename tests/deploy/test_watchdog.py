"""A worker that hangs on its broker ends, so that it is started anew; one that hears of work does not."""

import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from deploy.environment import ROOT
from deploy.servers import Server
from deploy.watchdog import Watchdog
from tests.proxy import Proxy
from tests.site import Site
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


def test_each_message_begins_the_time_anew() -> None:
    watchdog = Watchdog(limit=180, now=1000)
    assert watchdog.left(1100) == 80
    watchdog.note(1170)
    assert watchdog.left(1190) == 160
    assert watchdog.left(1350) == 0


@pytest.fixture
def proxy(redis_url: str) -> Iterator[Proxy]:
    """Between a worker and its broker."""
    address = urlsplit(redis_url)
    between = Proxy(str(address.hostname), int(address.port or 0))
    yield between
    between.close()


def test_a_worker_whose_broker_has_fallen_silent_ends(site: Site, proxy: Proxy, tmp_path: Path) -> None:
    address = urlsplit(site.redis_url)
    url = address._replace(netloc=f":{address.password}@127.0.0.1:{proxy.port}").geturl()
    worker = Server("worker", tmp_path / "worker.log")
    celery = [sys.executable, "-m", "celery", "-A", "deploy.celery", "worker", "--loglevel", "INFO", "--pool", "solo"]
    environment = site.environment(REDIS_URL=url, LOG_LEVEL="INFO", WATCHDOG_SECONDS="5")
    worker.launch(
        [*celery, "-Q", "rem-tick", "--without-gossip", "--without-mingle"], environment=environment, folder=ROOT
    )
    try:
        wait_until(lambda: " ready" in worker.last_words(50), 120, lambda: worker.last_words(20))
        with proxy.silent():
            wait_until(lambda: not worker.running, 120, lambda: worker.last_words(20))
        assert "nothing came for 5 s" in worker.last_words(50)
    finally:
        worker.end()
