"""A whole site on five hosts: etcd, Patroni with PostgreSQL, Valkey and Sentinel on three; web server and workers on two."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis
import requests

from deploy.environment import ROOT
from deploy.processes import NAMES
from deploy.servers import Server
from deploy.servers.processes import server_user
from tests.cluster.hosts import DATABASE_HOSTS, WEB_HOSTS, Hosts, everything_of
from tests.cluster.programs import Programs
from tests.waiting import wait_until

CONFIGURATION = ROOT / "deploy" / "cluster"
RESTART_SECONDS = 2  # as RestartSec= of the units
PASSWORDS = {
    "PATRONI_SUPERUSER_PASSWORD": "superuser",
    "PATRONI_REPLICATION_PASSWORD": "replicator",
    "PATRONI_REWIND_PASSWORD": "rewinder",
    **{f"{kind.upper()}_PASSWORD": kind for kind in ("owner", "app", "sealer", "auditor")},
}
BROKER_PASSWORD = "broker"


class ClusterSite:
    """The processes of a cluster, started again where they end as systemd would, unless a fault holds them down."""

    def __init__(self, folder: Path, hosts: Hosts, programs: Programs) -> None:
        self.folder, self.hosts, self.programs = folder, hosts, programs
        self.servers: dict[str, Server] = {}
        self.held_down: set[str] = set()
        self.sent_file = folder / "sent.jsonl"
        self.addresses = {host: hosts.address(host) for host in (*DATABASE_HOSTS, *WEB_HOSTS)}
        self._lock = threading.RLock()
        self._ended = threading.Event()
        user = server_user()
        for host in DATABASE_HOSTS:
            home = folder / host
            home.mkdir()
            if user:
                os.chown(home, user.pw_uid, user.pw_gid)
        for host in WEB_HOSTS:
            (folder / host / "run").mkdir(parents=True)

    # --- addresses ---

    def database_url(self, role: str, password: str) -> str:
        """Return the address of the database with its three hosts, for libpq to find the primary."""
        places = ",".join(f"{self.addresses[host]}:5432" for host in DATABASE_HOSTS)
        return f"postgresql://{role}:{password}@{places}/dispensary?target_session_attrs=read-write&connect_timeout=3"

    def web_address(self, host: str) -> str:
        """Return the address of a web host."""
        return f"http://{self.addresses[host]}:8000"

    def environment(self, host: str) -> dict[str, str]:
        """Return what the application's processes on a web host are told."""
        sentinels = ";".join(f"sentinel://:{BROKER_PASSWORD}@{self.addresses[name]}:26379" for name in DATABASE_HOSTS)
        run_folder = self.folder / host / "run"
        return {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "deploy.settings",
            "DATABASE_URL": self.database_url("dispensary_app", "app"),
            "DATABASE_OWNER_URL": self.database_url("dispensary_owner", "owner"),
            "DATABASE_SEALER_URL": self.database_url("dispensary_sealer", "sealer"),
            "REDIS_URL": sentinels,
            "REDIS_MASTER": "dispensary",
            "SECRET_KEY": "only-for-tests-" + "0123456789abcdef" * 4,
            "HTTPS": "no",
            "STATIC_FROM_SOURCE": "yes",
            "ALLOWED_HOSTS": "*",
            "LOG_LEVEL": "WARNING",
            "WEB_BIND": f"{self.addresses[host]}:8000",
            "WEB_WORKERS": "1",
            "RUN_DIR": str(run_folder),
            "REMINDER_TICK_SECONDS": "2",
            "REMINDER_LEASE_SECONDS": "30",
            "WATCHDOG_SECONDS": "60",
            "CHANNELS": json.dumps({"email": "sink"}),
            "CHANNEL_OPTIONS": json.dumps({"sink": {"file": str(self.sent_file), "timeout": 2}}),
            "AUDIT_KEY_FILE": str(self.folder / "audit-key"),
            "AUDIT_STATE_FOLDER": str(self.folder / "audit-state"),
            "AUDIT_ORIGIN": "dispensary.example",
        }

    def connect(self) -> psycopg.Connection[Any]:
        """Connect to the primary as superuser."""
        return psycopg.connect(self.database_url("postgres", PASSWORDS["PATRONI_SUPERUSER_PASSWORD"]), autocommit=True)

    # --- database hosts ---

    def start_database_hosts(self) -> None:
        """Start etcd, Patroni, Valkey and Sentinel on three hosts, and wait for two standbys, one of them synchronous."""
        for host in DATABASE_HOSTS:
            self.start_host(host)
        wait_until(lambda: len(self.standbys()) == 2, 180, self.last_words)

    def start_host(self, host: str) -> None:
        """Start everything that belongs on a database host and does not run."""
        for name in ("etcd", "patroni", "valkey", "sentinel"):
            self.start(f"{name}-{host}")

    def members(self) -> list[dict[str, Any]]:
        """Return what Patroni knows of its members, asked at whichever of them answers."""
        for host in DATABASE_HOSTS:
            with suppress(requests.RequestException):
                answer = requests.get(f"http://{self.addresses[host]}:8008/cluster", timeout=2)
                if answer.ok:
                    members: list[dict[str, Any]] = answer.json()["members"]
                    return members
        return []

    def primary(self) -> str:
        """Return the host of the primary; "" where there is none."""
        leaders = [member for member in self.members() if member["role"] == "leader" and member["state"] == "running"]
        return leaders[0]["name"] if leaders else ""

    def standbys(self) -> list[str]:
        """Return the standbys that stream, the synchronous one first."""
        streaming = [member for member in self.members() if member["state"] == "streaming"]
        return [member["name"] for member in sorted(streaming, key=lambda member: member["role"] != "sync_standby")]

    def is_whole(self) -> bool:
        """Return whether there is a primary, and two standbys stream from it, one of them synchronous."""
        roles = [member["role"] for member in self.members() if member["state"] == "streaming"]
        return bool(self.primary()) and len(roles) == 2 and "sync_standby" in roles

    def broker_master(self) -> str:
        """Return the host on which the broker's master runs, by the word of the Sentinels that answer."""
        for host in DATABASE_HOSTS:
            address = self._ask_sentinel(host)
            if address:
                return next(name for name in DATABASE_HOSTS if self.addresses[name] == address)
        return ""

    def _ask_sentinel(self, host: str) -> str:
        with suppress(redis.RedisError):
            client = redis.Redis(
                self.addresses[host],
                26379,
                password=BROKER_PASSWORD,
                socket_timeout=1,
                socket_connect_timeout=1,
                decode_responses=True,
            )
            master = client.sentinel_get_master_addr_by_name("dispensary")  # type: ignore[attr-defined]  # the stubs of redis lack Sentinel's commands
            return str(master[0]) if master else ""
        return ""

    # --- processes ---

    def start(self, name: str) -> None:
        """Start a process `<program>-<host>` unless it runs."""
        with self._lock:
            self.held_down.discard(name)
            if name in self.servers and self.servers[name].running:
                return
            program, _, host = name.partition("-")
            log = self.folder / host / f"{program}.log"
            with suppress(FileNotFoundError):
                log.rename(log.with_suffix(f".{time.time():.0f}.log"))
            self.servers[name] = Server(name, log)
            getattr(self, f"_start_{program}", self._start_ours)(self.servers[name], host)

    def kill(self, name: str) -> None:
        """Kill a process and all below it, and keep it down until it is started."""
        with self._lock:
            self.held_down.add(name)
            server = self.servers[name]
            if server.running:
                for process in everything_of(server):
                    with suppress(psutil.NoSuchProcess):
                        process.kill()
                server.process.wait(10)

    def end(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop a process in order, and keep it down until it is started."""
        with self._lock:
            self.held_down.add(name)
        self.servers[name].end(how, 60)

    def postgres_processes(self, host: str) -> list[psutil.Process]:
        """Return PostgreSQL's processes on a host, the postmaster first; Patroni starts it as nobody's child."""
        try:
            lines = (self.folder / host / "postgres" / "postmaster.pid").read_text().splitlines()
            postmaster = psutil.Process(int(lines[0]))
            return [postmaster, *postmaster.children(recursive=True)]
        except (FileNotFoundError, psutil.NoSuchProcess):
            return []

    def kill_host(self, host: str) -> None:
        """Kill everything on a host, and keep it down until it is started."""
        postgres = self.postgres_processes(host) if host in DATABASE_HOSTS else []
        for name in self.processes_on(host):
            self.kill(name)
        for process in postgres:
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def processes_on(self, host: str) -> list[str]:
        """Return the names of what runs on a host."""
        return [name for name in self.servers if name.endswith(f"-{host}")]

    def supervise(self) -> None:
        """Start again what ended by itself, until the site stops."""
        while not self._ended.wait(RESTART_SECONDS):
            with self._lock:
                ended = [name for name, server in self.servers.items() if not server.running]
                for name in ended:
                    if name not in self.held_down:
                        self.start(name)

    def stop(self) -> None:
        """Kill everything."""
        self._ended.set()
        for host in self.addresses:
            self.kill_host(host)

    def last_words(self) -> str:
        """Return the last line of every log, cut to its beginning."""
        return "\n".join(f"{name}: {server.last_words(1)[:200]}" for name, server in self.servers.items())

    def _start_etcd(self, server: Server, host: str) -> None:
        address = self.addresses[host]
        peers = ",".join(f"{name}=http://{self.addresses[name]}:2380" for name in DATABASE_HOSTS)
        lines = (CONFIGURATION / "etcd.env").read_text().splitlines()
        environment = dict(line.split("=", 1) for line in lines if line and not line.startswith("#")) | {
            "ETCD_NAME": host,
            "ETCD_DATA_DIR": str(self.folder / host / "etcd"),
            "ETCD_INITIAL_CLUSTER": peers,
            "ETCD_LISTEN_PEER_URLS": f"http://{address}:2380",
            "ETCD_INITIAL_ADVERTISE_PEER_URLS": f"http://{address}:2380",
            "ETCD_LISTEN_CLIENT_URLS": f"http://{address}:2379",
            "ETCD_ADVERTISE_CLIENT_URLS": f"http://{address}:2379",
        }
        self.hosts.launch(server, host, [self.programs.etcd], environment, unprivileged=True)

    def _start_patroni(self, server: Server, host: str) -> None:
        address, home = self.addresses[host], self.folder / host
        configuration = self.folder / "patroni.yml"
        text = (CONFIGURATION / "patroni.yml").read_text()
        configuration.write_text(text.replace("/etc/dispensary/roles.sh", str(self.folder / "roles.sh")))
        shutil.copy(ROOT / "deploy" / "container" / "roles.sh", self.folder / "roles.sh")
        for file in (configuration, self.folder / "roles.sh"):
            file.chmod(0o755)
        environment = PASSWORDS | {
            "PATH": f"{self.programs.postgres}:/usr/bin:/bin",
            "HOME": str(home),
            "PATRONI_NAME": host,
            "PATRONI_ETCD3_HOSTS": ",".join(f"{self.addresses[name]}:2379" for name in DATABASE_HOSTS),
            "PATRONI_RESTAPI_LISTEN": f"{address}:8008",
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"{address}:8008",
            "PATRONI_POSTGRESQL_LISTEN": f"{address}:5432",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"{address}:5432",
            "PATRONI_POSTGRESQL_DATA_DIR": str(home / "postgres"),
            "PATRONI_POSTGRESQL_BIN_DIR": str(self.programs.postgres),
            "PATRONI_POSTGRESQL_PGPASS": str(home / "pgpass"),
        }
        self.hosts.launch(server, host, [self.programs.patroni, configuration], environment, unprivileged=True)

    def _start_valkey(self, server: Server, host: str) -> None:
        master = self.broker_master() or DATABASE_HOSTS[0]
        follow: list[str | Path] = [] if master == host else ["--replicaof", f"{self.addresses[master]} 6379"]
        file = self.folder / host / "valkey.conf"
        shutil.copyfile(CONFIGURATION / "valkey.conf", file)  # a Sentinel that makes it master has it rewritten
        command = [
            self.programs.valkey, file, "--bind", self.addresses[host], "--port", "6379",
            "--dir", self.folder / host, "--requirepass", BROKER_PASSWORD, "--masterauth", BROKER_PASSWORD, *follow,
        ]  # fmt: skip
        self.hosts.launch(server, host, command)

    def _start_sentinel(self, server: Server, host: str) -> None:
        file = self.folder / host / "sentinel.conf"
        if not file.exists():
            text = (CONFIGURATION / "sentinel.conf").read_text()
            words = {"FIRST_MASTER": self.addresses["a"], "ADDRESS": self.addresses[host], "PASSWORD": BROKER_PASSWORD}
            for word, value in words.items():
                text = text.replace(word, value)
            file.write_text(f"{text}bind {self.addresses[host]}\ndir {self.folder / host}\n")
        self.hosts.launch(server, host, [self.programs.valkey, file, "--sentinel"])

    # --- the application ---

    def prepare_application(self) -> None:
        """Make the tables, the grants and the signing key, as a release does."""
        for command in ("migrate --database owner", "audit roles --apply"):
            self.manage(*command.split(), "--verbosity", "0")
        if not (self.folder / "audit-key").exists():
            (self.folder / "audit-state").mkdir()
            self.manage("audit", "key", "--new")

    def start_application(self) -> None:
        """Start every process of ours: all on the first web host, all but the signer on the second."""
        for host in WEB_HOSTS:
            for name in NAMES:
                if name != "seal" or host == WEB_HOSTS[0]:
                    self.start(f"{name}-{host}")
        for host in WEB_HOSTS:
            wait_until(lambda host=host: self.is_ready(host), 120, self.last_words)

    def is_ready(self, host: str) -> bool:
        """Return whether a web host says that it is ready."""
        with suppress(requests.RequestException):
            return requests.get(f"{self.web_address(host)}/health/ready", timeout=5).ok
        return False

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py beside the cluster, as the first web host would."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment(WEB_HOSTS[0]), capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"manage.py {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def _start_ours(self, server: Server, host: str) -> None:
        program = server.title.partition("-")[0]
        command: list[str | Path] = [sys.executable, "-m", "deploy.processes", program]
        self.hosts.launch(server, host, command, self.environment(host), folder=ROOT)


def make_folder() -> Path:
    """Make a folder that the servers' user can reach."""
    folder = Path("/tmp") / f"dispensary-cluster-{secrets.token_hex(4)}"
    folder.mkdir(mode=0o755)
    return folder
