"""The configuration of nginx that is shipped, before a web server of few threads."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

SHIPPED = Path(__file__).parents[2] / "deploy" / "proxy" / "nginx.conf"
NGINX = os.environ.get("NGINX") or shutil.which("nginx")
pytestmark = pytest.mark.skipif(
    NGINX is None, reason="nginx is not installed: apt-get install nginx-light, or NGINX=path"
)
THREADS = 2


@dataclass
class Upstream:
    """A web server of two threads that read whole bodies, and the requests that reached them."""

    server: HTTPServer
    requests: list[tuple[str, dict[str, str], int]] = field(default_factory=list)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    pool = ThreadPoolExecutor(THREADS)

    class Handler(BaseHTTPRequestHandler):
        def handle_request_of(self) -> None:
            place = len(running.requests)
            running.requests.append((self.path, dict(self.headers), -1))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            running.requests[place] = (self.path, dict(self.headers), len(body))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        do_GET = do_POST = handle_request_of

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class FewThreads(HTTPServer):
        def process_request(self, request: Any, client_address: Any) -> None:
            pool.submit(self._answer, request, client_address)

        def _answer(self, request: Any, client_address: Any) -> None:
            self.finish_request(request, client_address)
            self.shutdown_request(request)

    running = Upstream(FewThreads(("127.0.0.1", 0), Handler))
    thread = Thread(target=running.server.serve_forever)
    thread.start()
    yield running
    running.server.shutdown()
    running.server.server_close()
    thread.join()
    pool.shutdown(wait=False, cancel_futures=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def proxy(upstream: Upstream, tmp_path: Path) -> Iterator[int]:
    """The shipped configuration without TLS, on ports of this test; returns its port."""
    port = free_port()
    changes = {
        r"listen 443 ssl http2;": f"listen 127.0.0.1:{port};",
        r"listen 80 default_server;": f"listen 127.0.0.1:{free_port()};",
        r"127\.0\.0\.1:8000": f"127.0.0.1:{upstream.server.server_address[1]}",
        r"pid /run/nginx\.pid;": f"pid {tmp_path}/pid;",
        r"\n +ssl_[^\n]*": "",
        r"\nhttp \{": "\nhttp {" + "".join(
            f" {name}_temp_path {tmp_path}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        ),
    }  # fmt: skip
    text = SHIPPED.read_text()
    for pattern, replacement in changes.items():
        text, count = re.subn(pattern, replacement, text)
        assert count, pattern
    path = tmp_path / "nginx.conf"
    path.write_text(text)
    assert NGINX
    command = [
        NGINX,
        "-c",
        str(path),
        "-p",
        str(tmp_path),
        "-g",
        "daemon off; user root;" if os.getuid() == 0 else "daemon off;",
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except ConnectionRefusedError:
                assert process.poll() is None, process.stderr and process.stderr.read()
        yield port
        process.terminate()


def ask(port: int, method: str = "GET", path: str = "/", body: bytes = b"", **headers: str) -> tuple[int, str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body or None, {name.replace("_", "-"): text for name, text in headers.items()})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def test_forty_clients_in_the_middle_of_a_body_hold_no_thread(proxy: int, upstream: Upstream) -> None:
    slow = [socket.create_connection(("127.0.0.1", proxy)) for _ in range(40)]
    for client in slow:
        client.sendall(b"POST /slow HTTP/1.1\r\nHost: pharmacy.example\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500)
    assert ask(proxy, path="/quick")[:2] == (200, "ok")
    assert [path for path, *_ in upstream.requests] == ["/quick"]
    slow[0].sendall(b"x" * 500)
    assert b"200 OK" in slow[0].recv(1000)
    assert upstream.requests[-1][0] == "/slow"
    assert upstream.requests[-1][2] == 1000
    for client in slow:
        client.close()


def test_without_the_proxy_they_hold_all_of_them(upstream: Upstream) -> None:
    slow = [socket.create_connection(upstream.server.server_address) for _ in range(THREADS)]  # type: ignore[arg-type]  # an IPv4 server's: host and port
    for client in slow:
        client.sendall(b"POST /slow HTTP/1.1\r\nContent-Length: 1000\r\n\r\n")
    while len(upstream.requests) < THREADS:
        pass
    quick = socket.create_connection(upstream.server.server_address)  # type: ignore[arg-type]  # an IPv4 server's: host and port
    quick.sendall(b"GET /quick HTTP/1.1\r\n\r\n")
    assert {length for *_, length in upstream.requests} == {-1}
    for client in slow:
        client.sendall(b"x" * 1000)
    assert b"200 OK" in quick.recv(1000)
    for client in (*slow, quick):
        client.close()


@pytest.mark.parametrize(("size", "status"), [(1_000_000, 200), (1_000_001, 413)])
def test_a_body_is_as_long_as_the_application_takes(proxy: int, upstream: Upstream, size: int, status: int) -> None:
    assert ask(proxy, "POST", "/orders", b"x" * size)[0] == status
    assert len(upstream.requests) == (status == 200)


def test_what_a_client_says_of_its_address_is_dropped(proxy: int, upstream: Upstream) -> None:
    ask(proxy, X_Forwarded_For="10.1.2.3", X_Forwarded_Proto="https")
    _, headers, _ = upstream.requests[0]
    assert (headers["X-Forwarded-For"], headers["X-Forwarded-Proto"]) == ("127.0.0.1", "http")


@pytest.mark.parametrize("path", ["/metrics", "/health/live", "/health/ready"])
def test_health_and_metrics_are_not_for_the_outside(proxy: int, upstream: Upstream, path: str) -> None:
    assert ask(proxy, path=path)[0] == 404
    assert upstream.requests == []


def test_a_web_server_that_is_gone_is_a_503_that_says_when_to_try_again(proxy: int, upstream: Upstream) -> None:
    upstream.server.server_close()
    status, text, headers = ask(proxy, "POST", "/orders", b"{}")
    assert (status, headers["Retry-After"]) == (503, "3")
    assert "not known whether" in text


def test_nothing_of_a_request_or_an_answer_lies_on_the_disk(proxy: int, upstream: Upstream, tmp_path: Path) -> None:
    ask(proxy, "POST", "/orders", b"x" * 1_000_000)
    assert [path for path in tmp_path.rglob("*") if path.is_file() and path.name not in {"nginx.conf", "pid"}] == []
