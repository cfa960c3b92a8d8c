"""The limits are printed, read and signed line by line; until then the check page says that nobody did."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.actions.limits import are_checked, lines_of
from dispensary.counter.log_lines import limit_value
from dispensary.models import BegunSignature, Pharmacy, SignedLimit, StaffMember, StaffRole
from tests.dispensary import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("machine_clock")]

PAGE = "/limits/"
NOT_CHECKED = "Limits not checked by a pharmacist"


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy(now=timezone.now())


@pytest.fixture
def pharmacist(shop: Pharmacy) -> StaffMember:
    return make.staff(shop, now=timezone.now())


def signed_in(member: StaffMember) -> Client:
    client = Client()
    client.force_login(member.user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def sign(client: Client, digests: list[str], **typed: Any) -> Any:
    page = client.get(PAGE)
    form = {
        "lines": digests, "review_on": str(timezone.now().date() + timedelta(days=365)), "password": make.PASSWORD,
        "nonce": str(page.context["signature"].begun.pk),
    }  # fmt: skip
    return client.post(PAGE, form | typed)


def test_each_number_says_what_it_is_in_words(pharmacist: StaffMember) -> None:
    page = signed_in(pharmacist).get(PAGE)
    rows = {(title, line.ages): value for title, value, line, _ in page.context["rows"]}
    assert rows["All rules: daily maximum", "from 12 years"] == "100\xa0mg a day"
    assert rows["Early refill: part of the supply before that must be used", ""] == "75\xa0%"
    assert rows["Quantity: part by which a quantity may differ from the directions", ""] == "0\xa0%"
    assert rows["Alcohol: how severe", ""] == "override"
    assert not [title for title, _ in rows if "_" in title]
    assert "Daily maximum, Ceiling, Renal" in page.content.decode()


@pytest.mark.parametrize(("value", "words"), [("1", "100"), ("0.1", "10"), ("0.125", "12.5"), ("0", "0")])
def test_a_part_stands_as_per_cent(value: str, words: str) -> None:
    assert limit_value(value, "fraction") == f"{words}\xa0%"


def test_every_number_is_signed_and_a_changed_one_is_open_again(shop: Pharmacy, pharmacist: StaffMember) -> None:
    client, today = signed_in(pharmacist), shop.local_day(timezone.now())
    check = reverse("counter:check", args=[make.prescription(make.patient(shop)).pk])
    assert NOT_CHECKED in client.get(check).content.decode()
    lines = [line.digest for line in lines_of(shop, today)]
    assert sign(client, lines[1:]).status_code == 302
    assert not are_checked(shop, today) and NOT_CHECKED in client.get(check).content.decode()
    assert sign(client, lines[:1]).status_code == 302
    assert are_checked(shop, today) and NOT_CHECKED not in client.get(check).content.decode()
    shop.profile = "uk-smpc"
    other = {line.digest for line in lines_of(shop, today)}
    assert not are_checked(shop, today)
    page = client.get(PAGE).content.decode()
    assert "Every number is signed" in page and pharmacist.display_name in page
    assert 0 < len(other - set(lines)) < len(other), "lines that both profiles share stay signed"
    shop.profile = "lioresal"
    assert not are_checked(shop, today + timedelta(days=365)), "the day of review has come"
    entries = [line for line in audit.history(shop, pharmacy=shop) if line.entry.action == "limits.signed"]
    assert entries[0].body is not None and entries[0].entry.actor == pharmacist.actor().name
    assert {row["digest"] for line in entries for row in (line.body or {})["lines"]} == set(lines)


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"lines": []}, "Tick the lines"),
        ({"lines": ["0" * 64]}, "The limits have changed"),
        ({"review_on": "2020-01-01"}, "a day ahead"),
        ({"password": "guessed"}, "That is not your password"),
        ({"nonce": ""}, "has changed"),
    ],
)
def test_what_is_incomplete_or_forged_is_not_signed(
    shop: Pharmacy, pharmacist: StaffMember, typed: dict[str, Any], words: str
) -> None:
    line = lines_of(shop, shop.local_day(timezone.now()))[0]
    page = sign(signed_in(pharmacist), [line.digest], **typed)
    assert page.status_code == 422 and words in page.content.decode()
    assert not SignedLimit.objects.exists()


def test_a_signature_is_used_once(shop: Pharmacy, pharmacist: StaffMember) -> None:
    client, lines = signed_in(pharmacist), lines_of(shop, shop.local_day(timezone.now()))
    sign(client, [lines[0].digest])
    used = str(BegunSignature.objects.get(used_at__isnull=False).pk)
    assert "was signed already" in sign(client, [lines[1].digest], nonce=used).content.decode()
    assert SignedLimit.objects.count() == 1


def test_a_technician_reads_the_limits_and_signs_none(shop: Pharmacy) -> None:
    client = signed_in(make.staff(shop, StaffRole.TECHNICIAN, now=timezone.now()))
    page = client.get(PAGE)
    assert page.status_code == 200 and page.context["signature"] is None
    line = lines_of(shop, shop.local_day(timezone.now()))[0]
    client.post(PAGE, {"lines": [line.digest], "review_on": "2099-01-01", "password": make.PASSWORD})
    assert not SignedLimit.objects.exists()
