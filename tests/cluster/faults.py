"""The faults of the matrix, each with its bar: the longest time without an acknowledged dispense, in seconds."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import psutil
import requests

from tests.cluster.hosts import DATABASE_HOSTS, WEB_HOSTS, everything_of
from tests.cluster.site import ClusterSite
from tests.waiting import wait_until

KILLED, SWITCHED, VANISHED = 8, 6, 30
Undo = Callable[[], None]


@dataclass(frozen=True)
class Fault:
    """What happens to a site: `cause` does it and returns what undoes it `seconds` later."""

    name: str
    title: str
    bar: float
    seconds: float
    cause: Callable[[ClusterSite], Undo]
    needs_network: bool = False


def kill_postgres(site: ClusterSite) -> Undo:
    """Kill the primary's postmaster; Patroni decides what follows."""
    site.postgres_processes(site.primary())[0].kill()
    return lambda: None


def kill_host(site: ClusterSite) -> Undo:
    """Kill everything on the primary's host at once; its addresses refuse connections."""
    host = site.primary()
    site.kill_host(host)
    return lambda: site.start_host(host)


def freeze_host(site: ClusterSite) -> Undo:
    """Stop Patroni and PostgreSQL of the primary where they stand; the kernel still takes connections."""
    host = site.primary()
    processes = [*everything_of(site.servers[f"patroni-{host}"]), *site.postgres_processes(host)]
    _signal_all(processes, signal.SIGSTOP)
    return lambda: _signal_all(processes[::-1], signal.SIGCONT)


def vanish(site: ClusterSite) -> Undo:
    """Take the primary's host from the network without a reset, its etcd and broker with it."""
    host = site.primary()
    site.hosts.vanish(host)
    return lambda: site.hosts.come_back(host)


def cut(site: ClusterSite) -> Undo:
    """Cut the primary from the other database hosts, while web hosts still reach it."""
    host = site.primary()
    others = [name for name in DATABASE_HOSTS if name != host]
    site.hosts.cut(host, others)
    return lambda: site.hosts.join(host, others)


def switch_over(site: ClusterSite) -> Undo:
    """Hand the primary's part to a standby, as planned work does."""
    host = site.primary()
    body = {"leader": host, "candidate": site.standbys()[0]}
    answer = requests.post(f"http://{site.addresses[host]}:8008/switchover", json=body, timeout=60)
    assert answer.ok, answer.text
    return lambda: None


def kill_one_etcd(site: ClusterSite) -> Undo:
    """Kill one member of etcd, not the primary's."""
    return _kill(site, f"etcd-{site.standbys()[0]}")


def kill_two_etcds(site: ClusterSite) -> Undo:
    """Kill two members of etcd, so that nobody can become primary; failsafe_mode lets the primary go on."""
    return _kill(site, *(f"etcd-{host}" for host in site.standbys()))


def kill_synchronous_standby(site: ClusterSite) -> Undo:
    """Kill everything on the host of the synchronous standby."""
    host = site.standbys()[0]
    site.kill_host(host)
    return lambda: site.start_host(host)


def kill_broker_twice(site: ClusterSite) -> Undo:
    """Kill the broker's master with its Sentinel, wait for another, and kill that one too after the first is back."""
    for _ in range(2):
        host = site.broker_master()
        site.kill(f"sentinel-{host}")
        site.kill(f"valkey-{host}")
        wait_until(lambda host=host: site.broker_master() not in ("", host), 60, site.last_words)
        site.start_host(host)
        time.sleep(5)
    return lambda: None


def kill_web_host(site: ClusterSite) -> Undo:
    """Kill everything on the second web host."""
    return _kill(site, *site.processes_on(WEB_HOSTS[1]))


def restart_all(site: ClusterSite) -> Undo:
    """Restart everything one after the other: web servers, workers, standbys, and the primary after a switchover."""
    restart_application(site)
    for host in site.standbys():
        _restart_postgres(site, host)
    old = site.primary()
    switch_over(site)
    wait_until(lambda: site.primary() not in ("", old) and site.is_whole(), 120, site.last_words)
    _restart_postgres(site, old)
    return lambda: None


def restart_application(site: ClusterSite) -> None:
    """Restart the processes of one web host after the other, each in order."""
    for host in WEB_HOSTS:
        for name in site.processes_on(host):
            site.end(name)
            site.start(name)
        wait_until(lambda host=host: site.is_ready(host), 120, site.last_words)


FAULTS = (
    Fault("postgres", "kill -9 of the primary's postmaster", KILLED, 10, kill_postgres),
    Fault("switchover", "planned switchover", SWITCHED, 10, switch_over),
    Fault("power", "everything on the primary's host killed", VANISHED, 25, kill_host),
    Fault("freeze", "primary stopped (SIGSTOP of Patroni and PostgreSQL)", VANISHED, 30, freeze_host),
    Fault("vanish", "primary's host vanishes from the network", VANISHED, 35, vanish, needs_network=True),
    Fault("cut", "primary cut from the other database hosts", VANISHED, 35, cut, needs_network=True),
    Fault("etcd", "one etcd member killed", KILLED, 20, kill_one_etcd),
    Fault("etcds", "two etcd members killed", KILLED, 30, kill_two_etcds),
    Fault("standby", "synchronous standby's host killed", KILLED, 20, kill_synchronous_standby),
    Fault("broker", "broker's master and its Sentinel killed, twice", KILLED, 10, kill_broker_twice),
    Fault("web", "one of two web hosts killed", KILLED, 15, kill_web_host),
    Fault("restart", "rolling restart of everything", SWITCHED, 5, restart_all),
)


def _kill(site: ClusterSite, *names: str) -> Undo:
    for name in names:
        site.kill(name)

    def start() -> None:
        for name in names:
            site.start(name)

    return start


def _signal_all(processes: Iterable[psutil.Process], sent: signal.Signals) -> None:
    """Send a signal to processes; a connection's may have ended since they were listed."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(sent)


def _restart_postgres(site: ClusterSite, host: str) -> None:
    answer = requests.post(f"http://{site.addresses[host]}:8008/restart", json={}, timeout=120)
    assert answer.ok, answer.text
    wait_until(site.is_whole, 120, site.last_words)
