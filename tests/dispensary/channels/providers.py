"""Loopback servers that speak what GOV.UK Notify, NHS Notify, Twilio and Vonage document: paths, fields, errors, signatures."""

import base64
import datetime
import ipaddress
import json
import ssl
import threading
import time
import uuid
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, urlsplit
from xml.etree import ElementTree

import http_ece
import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from dispensary.channels import Message
from dispensary.channels.subscriptions import encode_base64url


def message(**more):
    """A text message to a patient; name what should differ."""
    fields = {
        "key": uuid.uuid4(),
        "to": "+447700900123",
        "sender": "City",
        "subject": "",
        "opt_out": "Reply STOP to end.",
    }
    return Message(**{**fields, "body": "City: ring us – “today”.", **more})


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
        if provider.mood == "garbage":
            self.close_connection = True
            self.wfile.write(b"\x00\xffnonsense\r\n\r\n")
            return
        if provider.mood == "moved":  # 307: the same words again, to the other address
            self.send_response(307)
            self.send_header("Location", getattr(provider, "elsewhere", "/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        status, payload, headers = provider.answer(self.command, urlsplit(self.path), self.headers, body)
        answer = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.send_response(status)
        headers = {**({"Retry-After": "7"} if status == 429 else {}), **headers}
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(answer)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


class Notify:
    """Takes texts for its one template; its errors are those of the REST documentation."""

    SERVICE, SECRET = str(uuid.uuid4()), str(uuid.uuid4())
    API_KEY = f"pharmacy-{SERVICE}-{SECRET}"
    TEMPLATE = str(uuid.uuid4())
    ERRORS = {
        "no-number": (400, "ValidationError", "phone_number Not enough digits"),
        "team-only": (400, "BadRequestError", "Can't send to this recipient using a team-only API key"),
        "no-place": (400, "ValidationError", "Last line of address must be a real UK postcode or another country"),
        "no-letters": (400, "BadRequestError", "Service is not allowed to send letters"),
        "no-template": (400, "BadRequestError", "Template not found"),
        "too-long": (400, "BadRequestError", "Text messages cannot be longer than 918 characters"),
        "wrong-key": (403, "AuthError", "Invalid token: API key not found"),
        "too-fast": (429, "RateLimitError", "Exceeded rate limit for key type LIVE of 3000 requests per 60 seconds"),
        "broken": (500, "Exception", "Internal server error"),
        "away": (503, "Exception", "Service unavailable"),
    }

    def __init__(self):
        self.mood, self.calls, self.taken, self.url = "kind", [], {}, ""
        self.status = "sending"

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
            reference = parse_qs(where.query)["reference"][0]
            notifications = [
                {"id": number, "reference": payload["reference"]} for number, payload in self.taken.items()
            ]
            return (
                200,
                {
                    "notifications": [
                        notification for notification in notifications if notification["reference"] == reference
                    ],
                    "links": {},
                },
                {},
            )
        if command == "GET":
            number = where.path.removeprefix("/v2/notifications/")
            return 200, {"id": number, "reference": self.taken[number]["reference"], "status": self.status}, {}
        payload = json.loads(body)
        assert payload["template_id"] == self.TEMPLATE
        if where.path == "/v2/notifications/letter":
            assert {"address_line_1", "heading", "message"} <= set(payload["personalisation"])
        else:
            assert where.path == "/v2/notifications/sms" and list(payload["personalisation"]) == ["message"]
        number = str(uuid.uuid4())
        self.taken[number] = payload
        content = {"body": payload["personalisation"]["message"], "from_number": "CITY"}
        return 201, {"id": number, "reference": payload["reference"], "content": content, "template": {}}, {}


class Twilio:
    """Takes texts of its one account; its errors are numbered as in Twilio's list."""

    KIND = "Messages"

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
        self.status = ("sent", None)

    def answer(self, command, where, headers, body):
        account = f"/2010-04-01/Accounts/{self.SID}/{self.KIND}"
        assert (command, where.path) == ("POST", f"{account}.json") or command == "GET"
        credentials = base64.b64decode(headers["Authorization"].removeprefix("Basic ")).decode()
        assert credentials == f"{self.SID}:{self.TOKEN}"
        if self.mood in self.ERRORS:
            status, code, message = self.ERRORS[self.mood]
            return status, {"code": code, "message": message, "more_info": "", "status": status}, {}
        if self.mood == "no-json":
            return 201, b"fine", {}
        if command == "GET":
            number = where.path.removeprefix(f"{account}/").removesuffix(".json")
            return 200, {"sid": number, "status": self.status[0], "error_code": self.status[1]}, {}
        form = dict(parse_qsl(body.decode()))
        number = f"{self.KIND[:2].upper()}{len(self.taken):032d}"
        self.taken[number] = form
        return 201, {"sid": number, "status": "queued", "to": form["To"]}, {}


def twilio_options(url, webhook_url, **more):
    """Return the options of a channel through the fake at an address, which tells of what happens at the webhook's."""
    account = {"account_sid": Twilio.SID, "auth_token": Twilio.TOKEN, "from": "+441134960999"}
    return {**account, "webhook_url": webhook_url, "base_url": url, "read": 1, **more}


class TwilioCalls(Twilio):
    """Takes calls of the account, with what is read when they are answered."""

    KIND = "Calls"

    def hear(self, number=None):
        """Return what is read in a call that is answered, and the address of its keys."""
        return read_twiml(self.taken[number or max(self.taken)]["Twiml"])


def read_twiml(twiml):
    """Return what TwiML reads out, each sentence once, and the address that a key calls, or None."""
    root = ElementTree.fromstring(twiml)
    spoken = [" ".join("".join(say.itertext()).split()) for say in root.iter("Say")]
    addresses = {gather.get("action") for gather in root.iter("Gather")}
    assert len(set(spoken)) <= 1 and len(addresses) <= 1 and len(spoken) == (2 if addresses else len(spoken))
    return spoken[0] if spoken else "", addresses.pop() if addresses else None


class Vonage:
    """Takes texts of its one application; its errors are the problem documents of the Messages API."""

    APPLICATION, SECRET, KEY = str(uuid.uuid4()), "a-signature-secret-that-nobody-guesses", "abcd1234"
    LIST, GENERAL = "https://developer.vonage.com/api-errors/messages#", "https://developer.vonage.com/api-errors#"
    ERRORS = {
        "no-number": (422, LIST + "1170", "Invalid or Missing Msisdn Param"),
        "gone": (422, LIST + "1190", "Absent Subscriber Permanent"),
        "not-for-this-channel": (422, LIST + "1430", "Invalid recipient"),
        "stopped": (422, LIST + "1240", "Illegal Number"),
        "not-ours": (422, LIST + "1120", "Invalid sender"),
        "not-on-the-list": (422, LIST + "1160", "Non White-listed Destination"),
        "no-money": (402, GENERAL + "low-balance", "Low balance"),
        "no-money-unsaid": (402, "", "Payment required"),
        "invalid": (422, LIST + "1020", "Invalid params"),
        "wrong-key": (401, GENERAL + "unauthorized", "Unauthorized"),
        "too-fast": (429, LIST + "1000", "Throttled"),
        "too-many": (422, LIST + "1241", "Too many send requests"),
        "not-submitted": (422, LIST + "1100", "Communication Failed"),
        "inner": (500, LIST + "1030", "Internal error"),
        "broken": (500, "", "Internal error"),
        "away": (503, "", "Service unavailable"),
    }

    def __init__(self, key):
        self.mood, self.calls, self.taken, self.url, self.key = "kind", [], {}, "", key

    def answer(self, command, where, headers, body):
        assert command == "POST" and where.path == "/v1/messages"
        claims = jwt.decode(
            headers["Authorization"].removeprefix("Bearer "), self.key.public_key(), algorithms=["RS256"]
        )
        assert claims["application_id"] == self.APPLICATION
        if self.mood in self.ERRORS:
            status, kind, title = self.ERRORS[self.mood]
            return status, {"type": kind, "title": title, "detail": "…", "instance": "bf0ca0bf"}, {}
        if self.mood in {"no-json", "no-number-given"}:
            return 202, b"fine" if self.mood == "no-json" else {}, {}
        payload = json.loads(body)
        number = str(uuid.uuid4())
        self.taken[number] = payload
        return 202, {"message_uuid": number}, {}


class NhsNotify:
    """Takes free texts of its one application, once a reference; its errors are those of the API's specification."""

    API_KEY, KEY_ID, CALLBACK_KEY = "the-key-of-our-application", "live-1", str(uuid.uuid4())
    APPLICATION = str(uuid.uuid4())
    ERRORS = {
        "no-number": (400, "CM_INVALID_VALUE", "/data/attributes/recipient/contactDetails/sms"),
        "too-long": (400, "CM_INVALID_VALUE", "/data/attributes/personalisation/sms_body"),
        "needs-nhs-number": (400, "CM_MISSING_VALUE", "/data/attributes/recipient/nhsNumber"),
        "not-agreed": (400, "CM_CANNOT_SET_CONTACT_DETAILS", "/data/attributes/recipient/contactDetails"),
        "no-organisation": (400, "CM_ODS_CODE_REQUIRED", "/data/attributes/originator"),
        "denied": (401, "CM_DENIED", "/"),
        "forbidden": (403, "CM_FORBIDDEN", "/"),
        "no-plan": (404, "CM_NO_SUCH_ROUTING_PLAN", "/data/attributes/routingPlanId"),
        "slow": (408, "CM_TIMEOUT", "/"),
        "too-early": (425, "CM_RETRY_TOO_EARLY", "/"),
        "too-fast": (429, "CM_QUOTA", "/"),
        "broken": (500, "CM_INTERNAL_SERVER_ERROR", "/"),
        "away": (503, "CM_SERVICE_UNAVAILABLE", "/"),
    }

    def __init__(self, key):
        self.mood, self.door, self.calls, self.taken, self.url, self.key = "kind", "open", [], {}, "", key
        self.tokens, self.status = [], "sending"

    def answer(self, command, where, headers, body):
        if where.path == "/oauth2/token":
            return self._token(dict(parse_qsl(body.decode())))
        if command == "GET":
            assert headers["Authorization"] == f"Bearer {self.tokens[-1]}" and self.mood not in self.ERRORS
            number = where.path.removeprefix("/comms/v1/messages/")
            return 200, {"data": {"type": "Message", "id": number, "attributes": {"messageStatus": self.status}}}, {}
        assert command == "POST"
        assert where.path == "/comms/v1/messages" and headers["Content-Type"] == "application/vnd.api+json"
        assert headers["Authorization"] == f"Bearer {self.tokens[-1]}"
        if self.mood in self.ERRORS:
            status, code, pointer = self.ERRORS[self.mood]
            error = {"id": "rrt-1.0", "code": code, "status": str(status), "source": {"pointer": pointer}}
            return status, {"errors": [error]}, {"Retry-After": "300"} if status == 425 else {}
        if self.mood in {"no-json", "no-id"}:
            return 201, b"fine" if self.mood == "no-json" else {"data": {}}, {}
        payload = json.loads(body)["data"]
        assert payload["type"] == "Message"
        reference = payload["attributes"]["messageReference"]
        if reference in self.taken:
            error = {"code": "CM_DUPLICATE_REQUEST", "source": {"pointer": "/data/attributes/messageReference"}}
            return 422, {"errors": [error]}, {}
        self.taken[reference] = payload["attributes"]
        return 201, {"data": {"type": "Message", "id": f"2WL3qFTEFM0qMY8xjRbt{len(self.taken):07d}"}}, {}

    def _token(self, form):
        if self.door in {"401", "429", "503"}:
            return int(self.door), {"error": "invalid_request"}, {"Retry-After": "7"} if self.door == "429" else {}
        if self.door == "no-json":
            return 200, b"fine", {}
        assert form["grant_type"] == "client_credentials"
        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        assertion = form["client_assertion"]
        claims = jwt.decode(
            assertion,
            self.key.public_key(),
            algorithms=["RS512"],
            audience=f"{self.url}/oauth2/token",
            options={"require": ["exp", "jti", "iss", "sub"]},
        )
        assert claims["iss"] == claims["sub"] == self.API_KEY and claims["exp"] <= time.time() + 300
        assert jwt.get_unverified_header(assertion)["kid"] == self.KEY_ID
        self.tokens.append(f"token-{len(self.tokens)}")
        return 200, {"access_token": self.tokens[-1], "expires_in": self.lasts, "token_type": "Bearer"}, {}

    lasts = "599"


def private_key(bits: int = 1024):
    """A key of an application, and the same in PEM. A library checks it each time it signs: 60 ms for 2048 bits."""
    key = rsa.generate_private_key(65537, bits)
    form = serialization.PrivateFormat.PKCS8
    return key, key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class PushService:
    """A browser with its push service: takes what the site's key signs, and opens it with the browser's own keys."""

    ERRORS = {
        "no-number": 410,
        "unknown-browser": 404,
        "too-long": 413,
        "wrong-key": 403,
        "too-fast": 429,
        "broken": 500,
        "away": 503,
    }
    PRIVATE_KEY = ec.generate_private_key(ec.SECP256R1())
    BROWSER_KEY = ec.generate_private_key(ec.SECP256R1())
    SECRET = b"sixteen bytes ok"

    def __init__(self):
        self.mood, self.calls, self.taken, self.url = "kind", [], [], ""

    def answer(self, command, where, headers, body):
        if self.mood in self.ERRORS:
            return self.ERRORS[self.mood], {}, {}
        token, public_key = (part.split("=", 1)[1] for part in headers["Authorization"].split(" ", 1)[1].split(", "))
        assert public_key == _point(self.PRIVATE_KEY)
        claims = jwt.decode(token, self.PRIVATE_KEY.public_key(), algorithms=["ES256"], audience=self.url)
        assert claims["sub"] == "mailto:desk@pharmacy.example" and headers["Content-Encoding"] == "aes128gcm"
        notification = http_ece.decrypt(body, private_key=self.BROWSER_KEY, auth_secret=self.SECRET)
        self.taken.append((dict(headers), json.loads(notification)))
        return 201, b"", {"Location": f"{self.url}/m/{len(self.taken)}"}


def subscription(url, path="/send/7700900123"):
    """What a browser at the push service gives to the page, as the page posts it."""
    keys = {"p256dh": _point(PushService.BROWSER_KEY), "auth": encode_base64url(PushService.SECRET)}
    return json.dumps({"endpoint": f"{url}{path}", "expirationTime": None, "keys": keys})


def push_options(url, **more):
    """Options of the channel at a push service on loopback."""
    pem = PushService.PRIVATE_KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    services = [url.split("://")[1]]
    options = {"private_key": pem.decode(), "subject": "mailto:desk@pharmacy.example", "services": services}
    return {**options, "connect": 1, "read": 1, **more}


def _point(private_key):
    public_key = private_key.public_key()
    point = public_key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return encode_base64url(point)


def certificate(folder, key, pem):
    """A certificate for loopback, signed by its own key: the server's context, and the file that makes it trusted."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    trusted, both = folder / "trusted.pem", folder / "server.pem"
    trusted.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    both.write_text(pem + trusted.read_text())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return context, trusted


@contextmanager
def running(provider, tls=None):
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.provider = provider
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    provider.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def posting_letters(settings):
    """GOV.UK Notify on loopback as the channel of letters."""
    with running(Notify()) as notify:
        options = {"api_key": Notify.API_KEY, "template_id": Notify.TEMPLATE, "base_url": notify.url, "read": 1}
        settings.DISPENSARY = {
            **settings.DISPENSARY,
            "letter_channel": "govuk_notify_letters",
            "channel_options": {"govuk_notify_letters": options},
        }
        yield notify
