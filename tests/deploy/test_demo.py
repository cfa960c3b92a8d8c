"""The demo as a stranger runs it: twice, beside another one, and killed in the middle."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import psutil
import pytest

from deploy.environment import ROOT
from deploy.servers import Server, ServerError
from deploy.servers.processes import remove
from tests.clock import inherited_clock
from tests.waiting import wait_until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run_dir() -> Iterator[Path]:
    """The demo's folder for this module; the second test finds what the first one left."""
    folder = Path(tempfile.mkdtemp(prefix="dispensary-demo-"))
    folder.chmod(0o755)
    yield folder
    remove("postgres", folder)
    shutil.rmtree(folder, ignore_errors=True)


def start(run_dir: Path, **more: str) -> subprocess.Popen[str]:
    names = {"DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_SEALER_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
    names |= (
        inherited_clock().keys()
    )  # the demo starts its servers without our variables: all of it has the machine's clock
    environment = {name: value for name, value in os.environ.items() if name not in names}
    environment |= {"DISPENSARY_RUN_DIR": str(run_dir), "PYTHONUNBUFFERED": "1", **more}
    return subprocess.Popen(
        [sys.executable, "-m", "deploy.demo"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def running(run_dir: Path) -> list[psutil.Process]:
    """Every process whose command line or environment belongs to this demo."""
    pids = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and (
                process.environ().get("RUN_DIR") == str(run_dir)
                or any(str(run_dir) in part for part in process.cmdline())
            ):
                pids.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return pids


@pytest.mark.parametrize("turn", ["first start", "second start, on what is there"])
def test_story_comes_out_as_told_and_nothing_stays_behind(run_dir: Path, turn: str) -> None:
    with start(run_dir, ONCE="1") as demo:
        output, _ = demo.communicate(timeout=480)
    assert demo.returncode == 0, output
    assert "!!" not in output
    assert "the log verifies again" in output
    assert "E-mail to ada" in output
    assert output.count("Left for you") == 3
    assert len(list((run_dir / "labels").glob("*.pdf"))) == 6
    assert wait_until(lambda: not running(run_dir), 15, lambda: str(running(run_dir)))


def test_demo_killed_the_hard_way_leaves_nothing_and_starts_again(run_dir: Path) -> None:
    demo = start(run_dir, ONCE="1")
    assert demo.stdout is not None
    for line in demo.stdout:
        if line.startswith("1. "):
            break
    second = start(run_dir)
    second_output, _ = second.communicate(timeout=120)
    assert second.returncode == 1
    assert "A demo already runs in this folder" in second_output
    assert "Traceback" not in second_output

    demo.send_signal(signal.SIGKILL)
    demo.wait()
    wait_until(lambda: not running(run_dir), 60, lambda: str(running(run_dir)))
    with start(run_dir, ONCE="1") as again:
        output, _ = again.communicate(timeout=480)
    assert again.returncode == 0, output


class SomebodyElse(BaseHTTPRequestHandler):
    """Another program on the demo's port: ready, and without any idea of our token."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health/ready" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_another_program_on_our_port_is_not_taken_for_our_web_server(tmp_path: Path) -> None:
    from deploy.demo.site import _wait_for_web

    ours = Server("sleeper", tmp_path / "log")
    ours.launch(["sleep", "60"])
    try:
        with HTTPServer(("127.0.0.1", 0), SomebodyElse) as other:
            threading.Thread(target=other.serve_forever, daemon=True).start()
            with pytest.raises(ServerError, match=r"Another program took .* WEB_PORT"):
                _wait_for_web(f"http://127.0.0.1:{other.server_port}", ours, "our token")
            other.shutdown()
    finally:
        ours.end()
