"""A pack that nobody here knows: added from its scan by a pharmacist, compared with the pack, once."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary import audit
from dispensary.models import Prescription, Product, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.counter.test_two_strengths import counter, pharmacist

__all__ = ["counter", "pharmacist"]
pytestmark = pytest.mark.django_db
PACKS = reverse("counter:packs")
UNKNOWN = "04012345678901"
TYPED = {
    "code": f"]d201{UNKNOWN}1728113010LOT7",
    "ingredient": "baclofen",
    "name": "Baclofen Example 10 mg tablets",
    "strength_mg": "10",
    "pack_size": "84",
    "compared": "on",
}


@pytest.fixture
def waiting(pharmacist: StaffMember) -> Prescription:
    return make.prescription(make.patient(pharmacist.pharmacy, now=timezone.now()), now=timezone.now())


def text_of(page: Any) -> str:
    return str(page.content.decode()).replace("\u00a0", " ")


def test_an_unknown_pack_is_added_from_its_scan_and_then_fits(counter: Client, waiting: Prescription) -> None:
    check = reverse("counter:check", args=[waiting.pk])
    page = text_of(counter.post(check, {"scan-it": "1", "scan": UNKNOWN}, follow=True))
    assert "Nobody here knows the pack" in page
    address = f"{PACKS}?code={UNKNOWN}&order={waiting.pk}"
    assert address.replace("&", "&amp;") in page
    form = text_of(counter.get(address))
    assert f'value="{UNKNOWN}"' in form
    done = counter.post(PACKS, TYPED | {"order": str(waiting.pk)})
    assert (done.status_code, done["Location"]) == (302, check)
    product = Product.objects.get(pk=UNKNOWN)
    assert (product.ingredient, product.strength_mg, product.pack_size) == ("baclofen", 10, 84)
    (line,) = audit.history(product, pharmacy=waiting.pharmacy)
    assert line.entry.action == "product.changed"
    back = text_of(counter.get(check))
    assert f"{product.name}, 84 tablets, is known now." in back
    assert [w for w in ("Nobody here knows the pack", "Scan it again", "Not scanned yet") if w in back] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"code": ""}, "Scan the pack"),
        ({"code": "4012345678902"}, "wrong check digit"),
        ({"code": make.TEN_MG}, "This pack is known: Lioresal 10 mg tablets, 10 mg"),
        ({"ingredient": ""}, "Type the medicine as on the pack"),
        ({"strength_mg": "ten"}, "Type the strength as a number"),
        ({"strength_mg": "0"}, "greater than or equal to 0.5"),
        ({"pack_size": "0"}, "greater than or equal to 1"),
        ({"compared": ""}, "Compare what is typed with the pack in your hand"),
        ({"order": "7"}, "valid UUID"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_added(counter: Client, changes: dict[str, str], words: str) -> None:
    before = Product.objects.count()
    page = counter.post(PACKS, TYPED | changes)
    assert page.status_code == 422
    assert words in text_of(page)
    assert Product.objects.count() == before


def test_another_medicine_is_added_as_what_it_is(counter: Client, waiting: Prescription) -> None:
    counter.post(PACKS, TYPED | {"ingredient": "tizanidine", "name": "Tizanidine 4 mg", "strength_mg": "4"})
    check = reverse("counter:check", args=[waiting.pk])
    page = text_of(counter.post(check, {"scan-it": "1", "scan": UNKNOWN}, follow=True))
    assert "This is Tizanidine 4 mg: another medicine" in page


def test_a_technician_looks_for_a_pharmacist(client: Client, pharmacist: StaffMember, waiting: Prescription) -> None:
    client.force_login(make.staff(pharmacist.pharmacy, StaffRole.TECHNICIAN).user)
    assert client.post(PACKS, TYPED).status_code == 403
    check = reverse("counter:check", args=[waiting.pk])
    page = text_of(client.post(check, {"scan-it": "1", "scan": UNKNOWN}, follow=True))
    assert "Nobody here knows the pack" in page
    assert PACKS not in page
