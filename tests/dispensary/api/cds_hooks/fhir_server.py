"""A small FHIR server of a hospital, for what we ask it and for clients that ask it."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Resource = dict[str, Any]
CROSS_ORIGIN = {"Access_Control_Allow_Origin": "*"}
"""Pages of other sites may read the answers, as those of a test server may."""


@dataclass
class Hospital:
    """The resources of the server, the queries that came, and an answer of its own to all of them."""

    resources: list[Resource] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    answer: Callable[[BaseHTTPRequestHandler], None] | None = None
    address: str = ""

    @property
    def base(self) -> str:
        return f"{self.address}/fhir"


@contextmanager
def serving(*resources: Resource, certificate: Path | None = None) -> Iterator[Hospital]:
    """Serve resources of patients on a free port of this machine; with a certificate, a PEM file with its key, behind TLS."""
    hospital = Hospital(list(resources))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_of(hospital))
    server.daemon_threads = True
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    hospital.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hospital
    finally:
        server.shutdown()
        server.server_close()


def respond(handler: BaseHTTPRequestHandler, status: int, body: bytes | Resource = b"", **headers: str) -> None:
    """Send an answer; header names use _ for -."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    handler.send_response(status)
    defaults = {"Content-Type": "application/fhir+json", "Content-Length": str(len(content))}
    for name, value in (defaults | headers).items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    handler.wfile.write(content)


def _handler_of(hospital: Hospital) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            hospital.requests.append((self.path, dict(self.headers)))
            if hospital.answer is not None:
                return hospital.answer(self)
            parts = urlsplit(self.path.removeprefix("/fhir/"))
            kind, _, resource_id = parts.path.partition("/")
            if kind == "metadata":
                return respond(
                    self, 200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}, **CROSS_ORIGIN
                )
            rows = [thing for thing in hospital.resources if thing["resourceType"] == kind]
            if resource_id:
                for row in rows:
                    if row.get("id") == resource_id:
                        return respond(self, 200, row, **CROSS_ORIGIN)
                return respond(self, 404, {"resourceType": "OperationOutcome"}, **CROSS_ORIGIN)
            codes = {code.rpartition("|")[2] for code in ",".join(parse_qs(parts.query).get("code", [])).split(",")} - {
                ""
            }
            matches = [row for row in rows if not codes or codes & _codes_of(row)]
            bundle = {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": row} for row in matches]}
            return respond(self, 200, bundle, **CROSS_ORIGIN)

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    return Handler


def _codes_of(resource: Resource) -> set[str]:
    return {coding["code"] for coding in resource.get("code", {}).get("coding", [])}
