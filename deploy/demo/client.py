"""The API as a program at the counter uses it: HTTP, a token, JSON."""

import json
import secrets
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Answer:
    """Status and body of a response."""

    status: int
    body: Any


@dataclass(frozen=True)
class Client:
    """One signed-in person's way to the API."""

    address: str
    token: str

    def get(self, path: str) -> Answer:
        """GET `path` below `/api/v1/`."""
        return self._send("GET", path, None, {})

    def post(self, path: str, body: Any, kind: str = "application/json", key: str = "") -> Answer:
        """POST JSON to `path`, with an idempotency key: `key`, or a new one."""
        return self._send("POST", path, body, {"Content-Type": kind, "Idempotency-Key": key or secrets.token_hex(12)})

    def document(self, path: str) -> bytes:
        """GET a document, such as a label; empty when it is refused."""
        try:
            with urllib.request.urlopen(self._request("GET", path, None, {"Accept": "*/*"}), timeout=30) as response:  # noqa: S310  (our own server on loopback)
                return bytes(response.read())
        except urllib.error.HTTPError:
            return b""

    def change(self, path: str, body: Any) -> Answer:
        """POST a change to something that has versions, whatever version it is at."""
        return self._send("POST", path, body, {"Content-Type": "application/json", "If-Match": "*"})

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Answer:
        request = self._request(method, path, None if body is None else json.dumps(body).encode(), headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  (our own server on loopback)
                return Answer(response.status, json.loads(response.read()))
        except urllib.error.HTTPError as refused:
            text = refused.read()
            try:
                return Answer(refused.code, json.loads(text))
            except ValueError:
                return Answer(refused.code, {"detail": text[:300].decode(errors="replace")})

    def _request(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> urllib.request.Request:
        signed = headers | {"Authorization": f"Token {self.token}"}
        return urllib.request.Request(f"{self.address}/api/v1/{path}", data, signed, method=method)  # noqa: S310  (our own server on loopback)
