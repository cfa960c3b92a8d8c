"""Loopback servers that speak what GOV.UK Notify and Twilio document: the paths, the fields, the errors, the signatures."""

import base64
import json
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self._serve(self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def do_GET(self):
        self._serve(b"")

    def _serve(self, body):
        provider = self.server.provider
        provider.calls.append((self.command, self.path, dict(self.headers), body))
        if provider.mood == "hang":
            time.sleep(3)
        if provider.mood in {"hang", "cut"}:
            self.close_connection = True
            self.connection.close()
            return
        status, told, headers = provider.answer(self.command, urlsplit(self.path), self.headers, body)
        answer = told if isinstance(told, bytes) else json.dumps(told).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


class Notify:
    """Takes texts for its one template; its errors are those of the REST documentation."""

    SERVICE, SECRET = str(uuid.uuid4()), str(uuid.uuid4())
    TEMPLATE = str(uuid.uuid4())
    ERRORS = {
        "no-number": (400, "ValidationError", "phone_number Not enough digits"),
        "team-only": (400, "BadRequestError", "Can't send to this recipient using a team-only API key"),
        "no-template": (400, "BadRequestError", "Template not found"),
        "too-long": (400, "BadRequestError", "Text messages cannot be longer than 918 characters"),
        "wrong-key": (403, "AuthError", "Invalid token: API key not found"),
        "too-fast": (429, "RateLimitError", "Exceeded rate limit for key type LIVE of 3000 requests per 60 seconds"),
        "broken": (500, "Exception", "Internal server error"),
        "away": (503, "Exception", "Service unavailable"),
    }

    def __init__(self):
        self.mood, self.calls, self.taken, self.url = "kind", [], {}, ""

    @property
    def api_key(self):
        return f"pharmacy-{self.SERVICE}-{self.SECRET}"

    def answer(self, command, where, headers, body):
        jwt.decode(
            headers["Authorization"].removeprefix("Bearer "), self.SECRET, algorithms=["HS256"], issuer=self.SERVICE
        )
        if self.mood in self.ERRORS:
            status, error, message = self.ERRORS[self.mood]
            return status, {"status_code": status, "errors": [{"error": error, "message": message}]}, {}
        if self.mood == "no-json":
            return 201, b"fine", {}
        if command == "GET" and where.path == "/v2/notifications":
            wanted = parse_qs(where.query)["reference"][0]
            found = [{"id": number, "reference": told["reference"]} for number, told in self.taken.items()]
            return 200, {"notifications": [each for each in found if each["reference"] == wanted], "links": {}}, {}
        told = json.loads(body)
        assert where.path == "/v2/notifications/sms" and told["template_id"] == self.TEMPLATE
        assert list(told["personalisation"]) == ["message"]
        number = str(uuid.uuid4())
        self.taken[number] = told
        content = {"body": told["personalisation"]["message"], "from_number": "CITY"}
        return 201, {"id": number, "reference": told["reference"], "content": content, "template": {}}, {}


class Twilio:
    """Takes texts of its one account; its errors are numbered as in Twilio's list."""

    SID, TOKEN = "AC" + "1" * 32, "2" * 32
    ERRORS = {
        "no-number": (400, 21211, "Invalid 'To' Phone Number"),
        "landline": (400, 21614, "'To' number is not a valid mobile number"),
        "stopped": (400, 21610, "Attempt to send to unsubscribed recipient"),
        "not-ours": (400, 21606, "The 'From' phone number is not a valid, message-capable number"),
        "too-long": (400, 21617, "The concatenated message body exceeds the 1600 character limit"),
        "wrong-key": (401, 20003, "Authenticate"),
        "too-fast": (429, 20429, "Too Many Requests"),
        "broken": (500, 20500, "Internal Server Error"),
        "away": (503, 20503, "Service Unavailable"),
    }

    def __init__(self):
        self.mood, self.calls, self.taken, self.url = "kind", [], {}, ""

    def answer(self, command, where, headers, body):
        assert command == "POST" and where.path == f"/2010-04-01/Accounts/{self.SID}/Messages.json"
        given = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
        assert given == f"{self.SID}:{self.TOKEN}"
        if self.mood in self.ERRORS:
            status, code, message = self.ERRORS[self.mood]
            return status, {"code": code, "message": message, "more_info": "", "status": status}, {}
        if self.mood == "no-json":
            return 201, b"fine", {}
        told = dict(parse_qsl(body.decode()))
        number = f"SM{len(self.taken):032d}"
        self.taken[number] = told
        return 201, {"sid": number, "status": "queued", "to": told["To"], "body": told["Body"]}, {}


@contextmanager
def running(provider):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.provider = provider
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
