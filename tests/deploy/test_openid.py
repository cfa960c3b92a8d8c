"""Sign-in by an organisation's OpenID provider: a real one on this machine, into accounts that a manager has made."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from oidc_provider_mock import run_server_in_thread

from deploy.checks import check_provider
from deploy.openid_settings import openid_providers, provider_origins
from dispensary import audit
from dispensary.models import AuditEntry, StaffMember
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

SIGN_IN = "/accounts/oidc/organisation/login/"


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    """The address of a provider that signs tokens with a key of its own."""
    with run_server_in_thread() as server:
        yield f"http://127.0.0.1:{server.server_port}"


@pytest.fixture
def configured(provider: str, settings: Any) -> str:
    """The site as `OIDC_SERVER_URL` configures it."""
    settings.SOCIALACCOUNT_PROVIDERS = openid_providers(provider, "dispensary", "a secret", "Harbour Health")
    return provider


@pytest.fixture
def member() -> StaffMember:
    return make.staff(make.pharmacy(now=timezone.now()), now=timezone.now())


def sign_in_there(client: Client, provider: str, subject: str, process: str = "login", **claims: Any) -> Any:
    """Go to the provider, sign in there as `subject`, and come back; returns the site's answer."""
    requests.put(f"{provider}/users/{subject}", json=claims, timeout=10).raise_for_status()
    leaving = client.post(f"{SIGN_IN}?process={process}&next=/queue/next")
    assert leaving.status_code == 302 and leaving["Location"].startswith(provider)
    question = parse_qs(urlsplit(leaving["Location"]).query)
    assert question["code_challenge_method"] == ["S256"] and question["state"]
    back = requests.post(leaving["Location"], data={"sub": subject}, allow_redirects=False, timeout=10)
    assert back.status_code in {302, 303}, back.text
    address = urlsplit(back.headers["Location"])
    return client.get(f"{address.path}?{address.query}")


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def link(member: StaffMember, subject: str) -> None:
    SocialAccount.objects.create(user=member.user, provider="organisation", uid=subject)


def test_without_a_provider_nothing_of_it_is_there() -> None:
    assert openid_providers("", "", "", "") == {}
    page = Client().get("/accounts/login/").content.decode()
    assert "Sign in by" not in page
    assert Client().post(SIGN_IN).status_code == 404


def test_a_linked_person_signs_in_by_their_organisation_and_the_log_says_so(
    configured: str, member: StaffMember
) -> None:
    assert "Sign in by Harbour Health" in Client().get("/accounts/login/").content.decode()
    link(member, "s-1")
    client = Client()
    answer = sign_in_there(client, configured, "s-1")
    assert (answer.status_code, answer["Location"]) == (302, "/queue/next")
    assert client.session["_auth_user_id"] == str(member.user_id)
    assert client.get("/").status_code == 200
    actions = AuditEntry.objects.filter(pharmacy=member.pharmacy_id).values_list("action", "actor")
    assert ("auth.signed_in", f"user:{member.user_id}") in set(actions)


def test_a_person_links_their_account_once_while_signed_in(configured: str, member: StaffMember) -> None:
    client = Client()
    client.post("/accounts/login/", {"login": member.user.get_username(), "password": make.PASSWORD})
    sign_in_there(client, configured, "s-2", process="connect")
    assert not SocialAccount.objects.exists(), "whoever finds the counter open links nothing"
    client.post("/accounts/reauthenticate/", {"password": make.PASSWORD})
    sign_in_there(client, configured, "s-2", process="connect")
    assert SocialAccount.objects.get(uid="s-2").user == member.user
    entries = audit.history(audit.Subject("account", f"user:{member.user_id}"), pharmacy=member.pharmacy)
    assert "an account of the organisation linked" in [(line.body or {}).get("what") for line in entries]
    later = Client()
    sign_in_there(later, configured, "s-2")
    assert later.session["_auth_user_id"] == str(member.user_id)


@pytest.mark.parametrize("claim", ["", "preferred_username"])
def test_who_has_no_account_gets_none_and_reaches_nobody_elses(
    configured: str, member: StaffMember, settings: Any, claim: str
) -> None:
    settings.OIDC_USERNAME_CLAIM = claim
    member.user.email = "ada@example.org"
    member.user.save()
    count = get_user_model().objects.count()
    client = Client()
    answer = sign_in_there(
        client, configured, "s-3", email="ada@example.org", email_verified=True, preferred_username="nobody-here"
    )
    assert answer.status_code == 403 and "No account here belongs to you" in answer.content.decode()
    assert not is_signed_in(client) and get_user_model().objects.count() == count
    assert client.get("/accounts/3rdparty/signup/").status_code == 302, "nor by the page that follows"


def test_a_name_opens_an_account_only_where_the_site_trusts_the_claim_and_never_a_linked_or_closed_one(
    configured: str, member: StaffMember, settings: Any
) -> None:
    name = member.user.get_username()
    assert sign_in_there(Client(), configured, "s-4", preferred_username=name).status_code == 403
    settings.OIDC_USERNAME_CLAIM = "preferred_username"
    client = Client()
    sign_in_there(client, configured, "s-4", preferred_username=name)
    assert client.session["_auth_user_id"] == str(member.user_id)
    assert sign_in_there(Client(), configured, "s-5", preferred_username=name).status_code == 403
    closed = make.staff(member.pharmacy, now=timezone.now()).user
    closed.is_active = False
    closed.save()
    assert sign_in_there(Client(), configured, "s-6", preferred_username=closed.get_username()).status_code == 403
    member.user.is_active = False
    member.user.save()
    gone = Client()
    sign_in_there(gone, configured, "s-4", preferred_username=name)
    assert not is_signed_in(gone)


def test_a_second_factor_of_this_site_is_asked_all_the_same(configured: str, member: StaffMember) -> None:
    TOTP.activate(member.user, generate_totp_secret())
    link(member, "s-7")
    client = Client()
    assert "/2fa/authenticate/" in sign_in_there(client, configured, "s-7")["Location"]
    assert not is_signed_in(client)


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(configured: str, member: StaffMember) -> None:
    link(member, "s-8")
    victim = Client()
    leaving = victim.post(f"{SIGN_IN}?process=login")
    back = requests.post(leaving["Location"], data={"sub": "s-8"}, allow_redirects=False, timeout=10)
    address = urlsplit(back.headers["Location"])
    other = Client()
    other.get(f"{address.path}?{address.query}")
    assert not is_signed_in(other)
    forged = victim.get(f"{address.path}?code=invented&state={parse_qs(address.query)['state'][0]}")
    assert forged.status_code == 401 and not is_signed_in(victim)
    assert "d-bar" in forged.content.decode()


def test_nobody_is_sent_to_another_site_after_the_sign_in(configured: str, member: StaffMember) -> None:
    link(member, "s-9")
    client = Client()
    leaving = client.post(f"{SIGN_IN}?process=login&next=https://elsewhere.example/")
    back = requests.post(leaving["Location"], data={"sub": "s-9"}, allow_redirects=False, timeout=10)
    address = urlsplit(back.headers["Location"])
    assert client.get(f"{address.path}?{address.query}")["Location"] == "/"


def test_a_form_may_lead_to_the_provider_and_plain_http_is_warned_of(settings: Any) -> None:
    assert provider_origins("https://login.example/realms/a", "") == ["https://login.example"]
    settings.OIDC_SERVER_URL = "http://login.example"
    assert [message.id for message in check_provider()] == ["deploy.W002"]
    settings.OIDC_SERVER_URL = "https://login.example"
    assert check_provider() == []
