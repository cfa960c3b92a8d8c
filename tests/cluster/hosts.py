"""The hosts of a cluster on one machine: network namespaces on a bridge of their own, or, without root, addresses of the loopback.

Only namespaces can vanish from the network or be cut from each other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from deploy.servers.processes import BARE_ENVIRONMENT, Server, server_user

DATABASE_HOSTS = ("a", "b", "c")
WEB_HOSTS = ("w", "x")
NUMBERS = {"a": 11, "b": 12, "c": 13, "w": 21, "x": 22}
_INSIDE = "CLUSTER_NETWORK"  # set where we run in a network of our own


def enter_own_network() -> None:
    """Start this program again with a network and process numbers of its own, where that may be done: all ends with it."""
    tools = ("unshare", "ip", "setpriv")
    if _INSIDE in os.environ or os.geteuid() != 0 or not all(map(shutil.which, tools)):
        return
    unshare = [
        "unshare",
        "--net",
        "--mount",
        "--propagation",
        "private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]
    trial = [*unshare, "sh", "-c", "mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && ip netns add trial"]
    if subprocess.run(trial, capture_output=True, check=False).returncode == 0:
        # The shell is process 1 there: it buries what nobody waits for, such as a postmaster that was killed.
        command = ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, "-m", "tests.cluster", *sys.argv[1:]]
        os.execvpe("unshare", [*unshare, *command], os.environ | {_INSIDE: "yes"})


class Hosts:
    """Five hosts and what happens to the lines between them."""

    def __init__(self) -> None:
        self.has_network = _INSIDE in os.environ
        if self.has_network:
            _ip("link set lo up")
            _ip("link add bridge0 type bridge")
            _ip("link set bridge0 up")
            _ip("address add 10.99.0.1/24 dev bridge0")
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/netns"], check=True)
            for host, number in NUMBERS.items():
                _ip(f"netns add {host}")
                _ip(f"link add port-{host} type veth peer name eth0 netns {host}")
                _ip(f"link set port-{host} master bridge0 up")
                for line in ("link set lo up", f"address add 10.99.0.{number}/24 dev eth0", "link set eth0 up"):
                    _ip(f"-n {host} {line}")

    def address(self, host: str) -> str:
        """Return the address of a host, the same on every line."""
        return f"10.99.0.{NUMBERS[host]}" if self.has_network else f"127.0.1.{NUMBERS[host]}"

    def launch(
        self,
        server: Server,
        host: str,
        command: list[str | Path],
        environment: Mapping[str, str] | None = None,
        *,
        unprivileged: bool = False,
        folder: Path = Path("/"),
    ) -> None:
        """Start a program on a host; `unprivileged`: as the user that PostgreSQL accepts."""
        where: list[str | Path] = ["ip", "netns", "exec", host] if self.has_network else []
        user = server_user() if unprivileged else None
        if user:
            ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
            where += ["setpriv", *ids, "--pdeathsig", "TERM"]
        server.launch([*where, *command], environment=BARE_ENVIRONMENT | (environment or {}), folder=folder)

    def vanish(self, host: str) -> None:
        """Take a host from the network without a reset: what is sent to it is lost, its programs go on."""
        _ip(f"link set port-{host} down")

    def come_back(self, host: str) -> None:
        """Connect a host that vanished."""
        _ip(f"link set port-{host} up")

    def cut(self, host: str, others: list[str]) -> None:
        """Lose everything that a host sends to others; everybody else still reaches it."""
        for other in others:
            _ip(f"-n {host} route add blackhole {self.address(other)}/32")

    def join(self, host: str, others: list[str]) -> None:
        """Undo a cut."""
        for other in others:
            _ip(f"-n {host} route del blackhole {self.address(other)}/32")


def everything_of(server: Server) -> list[psutil.Process]:
    """Return a server's process and all below it, the parent first."""
    assert server.process is not None
    parent = psutil.Process(server.process.pid)
    return [parent, *parent.children(recursive=True)]


def _ip(arguments: str) -> None:
    subprocess.run(["ip", *arguments.split()], check=True, capture_output=True, text=True)
