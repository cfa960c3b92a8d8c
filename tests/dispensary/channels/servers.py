"""Real servers on loopback that behave as mail and message providers do on their bad days."""

import asyncio
import json
import socket
import ssl
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Moody:
    """An SMTP handler whose mood decides what it does. `taken` is what it answered 250 for."""

    def __init__(self):
        self.mood, self.taken, self.logins, self.seen = "kind", [], 0, []

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        self.logins += 1
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.mood == "no-such-user":
            return "550 5.1.1 No such user"
        if self.mood == "greylist":
            return "450 4.7.1 Greylisted, try again"
        if self.mood == "drop-at-rcpt":
            server.transport.abort()
            return "421 bye"
        if self.mood == "slow-rcpt":
            await asyncio.sleep(30)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.seen.append(envelope.content)
        if self.mood == "busy":
            return "451 4.3.0 Try later"
        if self.mood == "spam":
            return "554 5.7.1 Refused"
        if self.mood == "drop-after-data":
            server.transport.abort()
            return "421 bye"
        if self.mood == "silent-after-data":
            await asyncio.sleep(30)
        if self.mood == "delay":
            await asyncio.sleep(0.7)
        self.taken.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.mood == "take-and-drop":
            server.transport.abort()
        return "250 OK"


class _Loopback(Controller):
    tls = None

    def factory(self):
        return SMTP(self.handler, enable_SMTPUTF8=True, hostname="mx.example", tls_context=self.tls)


def _self_signed():
    """TLS with a certificate that nobody but itself has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as both:
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        both.write(secret + made.public_bytes(Encoding.PEM))
        both.flush()
        context.load_cert_chain(both.name)
    return context


@contextmanager
def mail_server(*, certificate=False):
    handler = Moody()
    controller = _Loopback(handler, hostname="127.0.0.1", port=_free_port())
    controller.tls = _self_signed() if certificate else None
    controller.start()
    handler.port = controller.port
    try:
        yield handler
    finally:
        controller.stop()


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def black_hole():
    """Accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(16)
        yield listener.getsockname()[1]


@contextmanager
def cuts_in_mid_data():
    """An SMTP server that hangs up in the middle of the message's words."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with line, line.makefile("rb") as words:
                line.sendall(b"220 mx\r\n")
                for command in words:
                    verb = command[:4].upper()
                    if verb == b"DATA":
                        line.sendall(b"354 go on\r\n")
                        words.readline()
                        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
                        break
                    line.sendall(b"221 bye\r\n" if verb == b"QUIT" else b"250 OK\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # closing it would not wake who accepts
        listener.close()
        thread.join(2)


class Scripted:
    """An SMTP server that keeps to a script: what it says to a verb, how long it waits before each answer, what it heard."""

    def __init__(self, port, answers, slowly):
        self.port, self.answers, self.slowly, self.heard, self.letters = port, answers, slowly, [], []

    def serve(self, listener):
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), line:
                self._talk(line)

    def _talk(self, line):
        words = line.makefile("rb")
        step, letter = "greeting", None
        while True:
            time.sleep(self.slowly)
            answer = self.answers.get(
                step, {"greeting": "220 mx", "DATA": "354 go on", "QUIT": "221 bye"}.get(step, "250 OK")
            )
            if answer is None:
                return
            line.sendall(answer.encode() + b"\r\n")
            if answer.startswith("354"):
                letter = b""
                while (part := words.readline()) not in {b".\r\n", b""}:
                    letter += part
                self.letters.append(letter)
                step = "words"
                continue
            if step == "QUIT" or not (command := words.readline()):
                return
            self.heard.append(command.decode(errors="replace").strip())
            step = self.heard[-1][:4].upper() if not self.heard[-1].upper().startswith("STARTTLS") else "STARTTLS"


@contextmanager
def scripted(answers=None, slowly=0.0):
    """`answers`: by verb (`greeting`, `EHLO`, `MAIL`, ..., `words` after the dot); `None` hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Scripted(listener.getsockname()[1], answers or {}, slowly)
    thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown(socket.SHUT_RDWR)  # closing it would not wake who accepts
        listener.close()
        thread.join(2)


class _Http(BaseHTTPRequestHandler):
    def do_POST(self):
        gateway = self.server.gateway
        body = self.rfile.read(int(self.headers["Content-Length"]))
        gateway.calls.append((dict(self.headers), body))
        mood = gateway.mood
        if mood == "hang":
            time.sleep(5)
        if mood == "cut":
            self.connection.close()
            return
        if mood == "garbage":
            self.wfile.write(b"\x00\xffnonsense\r\n\r\n")
            return
        if mood == "elsewhere":
            gateway.answers = {**gateway.answers, "elsewhere": (307, {"Location": gateway.elsewhere}, {})}
        status, headers, payload = gateway.answers.get(mood, (202, {}, {"id": f"gw-{len(gateway.calls)}"}))
        answer = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


class Gateway:
    """An HTTP gateway whose mood decides its answer; it counts every call that reached it."""

    answers = {
        "limited": (429, {"Retry-After": "7"}, {}),
        "unavailable": (503, {}, {}),
        "broken": (500, {}, {}),
        "wrong-number": (400, {}, {"code": "invalid-number"}),
        "opted-out": (400, {}, {"code": "opted-out"}),
        "too-long": (422, {}, {"code": "text-too-long"}),
        "seen-before": (409, {}, {"id": "gw-first"}),
        "no-json": (200, {}, b"fine"),
        "strange-number": (200, {}, {"id": "gw\x00\n"}),
        "locked-out": (401, {}, {}),
        "elsewhere": (302, {"Location": "/"}, {}),
    }

    elsewhere = "/"

    def __init__(self, port):
        self.mood, self.calls, self.url = "kind", [], f"http://127.0.0.1:{port}/messages"


@contextmanager
def http_gateway():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Http)
    server.gateway = Gateway(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.gateway
    finally:
        server.shutdown()
        server.server_close()
