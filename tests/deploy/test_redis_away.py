"""Redis is a broker and nothing else: without it people sign in as fast as ever."""

import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests.deploy.test_accounts import code_of
from tests.dispensary import make
from tests.site import Site, running_web

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SECONDS = 10  # for a form and what follows it; the rest is the machine's


@pytest.fixture(params=["refuses", "never answers"])
def dead_redis(request: pytest.FixtureRequest) -> Iterator[str]:
    """An address where no Redis is: a closed port, or one that takes connections and says nothing."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if request.param == "never answers":
            listener.listen(64)
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def address(site: Site, dead_redis: str, tmp_path: Path) -> Iterator[str]:
    """A web server whose Redis is away."""
    with running_web(site, tmp_path, "/health/live", REDIS_URL=dead_redis) as (address, _web):
        yield address


def send(browser: requests.Session, page: requests.Response, **fields: str) -> requests.Response:
    """Send the form of a page; the page that it leads to."""
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    asked = time.monotonic()
    answer = browser.post(page.url, {**fields, "csrfmiddlewaretoken": token[1]}, timeout=60)
    assert time.monotonic() - asked < SECONDS
    return answer


def test_people_sign_in_with_password_and_second_factor_while_redis_is_away(address: str) -> None:
    user = make.staff(make.pharmacy()).user
    user.password = PBKDF2PasswordHasher().encode(make.PASSWORD, "salt", iterations=1000)
    user.save()
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    with requests.Session() as browser:
        page = browser.get(f"{address}/accounts/login/", timeout=SECONDS)
        refused = send(browser, page, login=user.get_username(), password="guessed")
        assert refused.status_code == 200 and "You are not signed in" in refused.text
        page = send(browser, refused, login=user.get_username(), password=make.PASSWORD)
        assert page.url.startswith(f"{address}/accounts/2fa/authenticate/")
        page = send(browser, page, code=code_of(secret))
        assert page.status_code == 200 and page.url == f"{address}/"
        assert browser.get(f"{address}/accounts/sessions/", timeout=SECONDS).status_code == 200
