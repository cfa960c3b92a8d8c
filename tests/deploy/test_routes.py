"""Every route of the site is on a list that says who may open it; a route that nobody listed fails here."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

pytestmark = pytest.mark.django_db

STAFF = {"cds-hooks", "counter", "dispensary-api"}
"""Their tests walk each route with every role, strangers, other pharmacies' staff and people let go: `test_strangers.py`, `test_stranger.py`,
`test_cds_hooks.py`."""
SIGNED_LINKS = {"patient_pages", "webhooks"}
"""Opened by a signed link or a provider's signature: the tests of their packages forge both."""
FOR_ANYBODY = {
    "health-live", "health-ready", "monitoring:reminders", "monitoring:audit",  # say nothing of anybody
    "metrics",  # to the holder of its token
    "cds-hooks:services", "api-docs", "dispensary-api:schema", "dispensary-api:fhir-metadata", "dispensary-api:nothing-here",
    "dispensary-api:nothing-of-fhir",
    "counter:join",  # by a link that works once: `tests/deploy/test_people.py` forges one
    "counter:unlock",  # asks for the password
    "counter:lock", "counter:leave", "counter:resume",  # of the session that asks
    "switch-person",  # to who signed in with this browser today: `tests/deploy/test_pins.py`
}  # fmt: skip
FOR_THEMSELVES = {"pin"}
"""Shows and changes what belongs to whoever is signed in."""
FOR_MANAGERS = {"reset-factors", "unlock-person", "signed-in", "sign-out-person"}
"""`tests/deploy/test_people.py` asks them as every role and as a manager of another pharmacy."""
ACCOUNTS_FOR_ANYBODY = {
    "account_login", "account_logout", "account_signup", "account_inactive", "account_reset_password",
    "account_reset_password_done", "account_reset_password_from_key", "account_reset_password_from_key_done",
    "account_confirm_email", "account_confirm_login_code", "account_email_verification_sent", "mfa_login_webauthn",
    "account_reauthenticate", "mfa_authenticate", "mfa_reauthenticate",
    "openid_connect_login", "openid_connect_callback", "socialaccount_login_cancelled", "socialaccount_login_error",
    "",  # old addresses of the library, which lead to the new ones
}  # fmt: skip


def routes(
    patterns: list[URLPattern | URLResolver], below: str = "", space: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield namespace, name and an address of each route."""
    for pattern in patterns:
        address = below
        if isinstance(pattern.pattern, RoutePattern):
            address += str(pattern.pattern)
        else:
            address += str(pattern.pattern).replace("^", "").replace("$", "")
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, address, pattern.namespace or space)
        else:
            yield space, pattern.name or "", address


ROUTES = sorted(set(routes(get_resolver().url_patterns)))


def test_every_route_belongs_to_a_list() -> None:
    spaces = {space for space, _, _ in ROUTES}
    assert spaces <= STAFF | SIGNED_LINKS | {"", "monitoring"}, spaces
    loose = {name for space, name, address in ROUTES if not space and not address.startswith("accounts/")}
    assert loose <= FOR_ANYBODY | FOR_THEMSELVES | FOR_MANAGERS, loose


@pytest.mark.parametrize(
    ("space", "name", "address"),
    [route for route in ROUTES if route[0] in {*STAFF, ""} and f"{route[0]}:{route[1]}".strip(":") not in FOR_ANYBODY],
)
def test_a_stranger_opens_nothing_that_is_not_for_anybody(space: str, name: str, address: str) -> None:
    path = "/" + re.sub(r"\(\?P<\w+>[^)]*\)", "05012345678900", address)
    path = re.sub(r"<uuid:\w+>", str(uuid4()), path)
    path = re.sub(r"<int:\w+>", "1", re.sub(r"<(str:)?\w+>", "x", path))
    for answer in (Client().get(path), Client().post(path)):
        if space in {"cds-hooks", "dispensary-api"}:
            assert answer.status_code == 401, path
        elif name not in ACCOUNTS_FOR_ANYBODY:
            assert answer.status_code in {302, 405}, (path, answer.status_code)
            assert answer.status_code == 405 or "/login/" in answer["Location"], path
