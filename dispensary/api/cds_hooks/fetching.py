"""Prefetch that a client leaves to us: its FHIR server is asked for what was not sent along.

Only servers of the setting `cds_fhir_servers` are asked, at the address that their name has at that moment; a private one only where
`cds_private_networks` has it. A redirect is not followed, and what has not come within `cds_fetch_milliseconds` is not known.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cache
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv6Address, ip_address, ip_network
from time import monotonic
from typing import Any, Final
from urllib.parse import quote, urlsplit

from dispensary.conf import conf
from dispensary.errors import InvalidInput
from dispensary.strict_json import loads

LONGEST: Final = 1_000_000
"""Bytes of one answer."""
_MOST_QUERIES: Final = 32
"""Queries of one process at a time; what waits for longer than the deadline is not known."""
_ANSWERED_NOTHING: Final = "did not answer in time"


class NotFetched(Exception):
    """A query has no answer that can be used; the words say why, and hold nothing of the answer."""


def fetch(queries: Mapping[str, str], server: str, authorization: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answers to queries by key: each a resource, or the `NotFetched` that says why there is none.

    `server` is the `fhirServer` of a call, `authorization` its `fhirAuthorization`.
    """
    base = server.rstrip("/")
    if base not in {listed.rstrip("/") for listed in conf().cds_fhir_servers}:
        return dict.fromkeys(queries, NotFetched("is not listed here and was not asked"))
    seconds = conf().cds_fetch_milliseconds / 1000
    until = monotonic() + seconds
    token = str(authorization.get("access_token") or "")
    connections = {key: _Query(base, query, token, until) for key, query in queries.items()}
    futures: dict[str, Future[Any]] = {key: _executor().submit(query.run) for key, query in connections.items()}
    _, late = wait(futures.values(), timeout=seconds)
    answers: dict[str, Any] = {}
    for key, future in futures.items():
        if future in late:
            future.cancel()
            connections[key].close()
            answers[key] = NotFetched(_ANSWERED_NOTHING)
            continue
        try:
            answers[key] = future.result()
        except NotFetched as reason:
            answers[key] = reason
    return answers


@cache
def _executor() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_MOST_QUERIES, thread_name_prefix="prefetch")


class _Query:
    """A GET of one FHIR query."""

    def __init__(self, base: str, query: str, token: str, until: float) -> None:
        self.server, self.address, self.until = urlsplit(base), f"{base}/{query}", until
        self.headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity", "Connection": "close"}
        self.headers |= {"Authorization": f"Bearer {token}"} if token else {}
        self.socket: socket.socket | None = None
        self.is_closed = False

    def run(self) -> Any:
        """Return the resource that the server answers with. Raises `NotFetched`."""
        try:
            return loads(self._read())
        except InvalidInput:
            raise NotFetched("answered with something else than JSON") from None
        except TimeoutError:
            raise NotFetched(_ANSWERED_NOTHING) from None
        except ssl.SSLError:
            raise NotFetched("has no certificate that is trusted") from None
        except (OSError, HTTPException, ValueError):
            raise NotFetched("could not be asked") from None

    def close(self) -> None:
        """End a query that is late, so that a slow server holds no thread."""
        self.is_closed = True
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)

    def _read(self) -> bytes:
        connection = _PinnedConnection(self)
        try:
            target = self.address.removeprefix(f"{self.server.scheme}://{self.server.netloc}")
            connection.request("GET", target, headers=self.headers)
            response = connection.getresponse()
            if response.status != 200:
                raise NotFetched(f"answered {response.status}")
            if response.getheader("Content-Encoding", "identity") != "identity":
                raise NotFetched("answered in an encoding that it was not asked for")
            body = bytearray()
            while chunk := response.read1(LONGEST):
                body += chunk
                self.check_time()
                if len(body) > LONGEST:
                    raise NotFetched(f"answered with more than {LONGEST} bytes")
            return bytes(body)
        finally:
            connection.close()

    def check_time(self) -> float:
        """Return the seconds that are left. Raises `TimeoutError`."""
        left = self.until - monotonic()
        if left <= 0 or self.is_closed:
            raise TimeoutError
        return left


class _PinnedConnection(HTTPConnection):
    """A connection to the address that was checked, with the name of the server in TLS; plain where the setting says http."""

    def __init__(self, query: _Query) -> None:
        self.default_port = 443 if query.server.scheme == "https" else 80
        super().__init__(query.server.hostname or "", query.server.port or self.default_port)
        self.query = query

    def connect(self) -> None:
        query = self.query
        address = _resolve(self.host, self.port)
        plain = socket.create_connection((address, self.port), timeout=query.check_time())
        query.socket = self.sock = plain
        plain.settimeout(query.check_time())
        if query.server.scheme == "https":
            query.socket = self.sock = _context().wrap_socket(
                plain, server_hostname=self.host, do_handshake_on_connect=False
            )
            query.socket.do_handshake()
        query.check_time()


@cache
def _context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _resolve(host: str, port: int) -> str:
    """Return an address of a name. Raises `NotFetched` where any of its addresses is one that may not be asked."""
    addresses = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    if not addresses or not all(map(may_be_asked, addresses)):
        raise NotFetched("has an address in a private network that is not listed here")
    return addresses[0]


def may_be_asked(text: str) -> bool:
    """Return whether an IP address is public, or in one of `cds_private_networks`."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        tunnel = address.sixtofour or address.teredo or address in ip_network("64:ff9b::/96")
        if tunnel:
            return False
        address = address.ipv4_mapped or address
    networks = [ip_network(network) for network in conf().cds_private_networks]
    return (address.is_global and not address.is_multicast) or any(address in network for network in networks)


def fill_template(template: str, patient_id: str) -> str:
    """Return the query of a prefetch template for a patient."""
    return template.replace("{{context.patientId}}", quote(patient_id, safe=""))
