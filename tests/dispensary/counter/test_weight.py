"""The bytes of a page on the wire: itself, its style sheet and its scripts, compressed. The two fonts come once and stay."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from dispensary.actions import dispenses
from tests.dispensary import make

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
HEAVIEST = 60_000  # bytes


def weight(page: Any) -> int:
    """Bytes of a page and of everything it links, as a server that compresses sends them."""
    html = page.content.decode()
    linked = re.findall(r'(?:src|href)="/static/([^"]+\.(?:css|js|svg))"', html)
    assert any(name.endswith("dispensary.css") for name in linked)
    parts = [page.content]
    for name in linked:
        path = finders.find(name)
        assert path, name
        with open(path, "rb") as file:  # noqa: PTH123  (finders give text)
            parts.append(file.read())
    return sum(len(gzip.compress(part)) for part in parts)


def test_every_page_is_light(client: Client) -> None:
    make.products()
    member = make.staff(make.pharmacy())
    client.force_login(member.user)
    now = timezone.now()
    prescription = make.prescription(make.patient(member.pharmacy, now=now), now=now)
    for _ in range(40):
        make.prescription(prescription.patient, now=now)
    done = dispenses.dispense(
        prescription=prescription,
        quantity=prescription.quantity,
        pack=make.pack(),
        acknowledged=["order-twice"],
        key="k",
        by=member.actor(),
        now=now,
    )
    addresses = [
        reverse("counter:queue"),
        reverse("counter:check", args=[prescription.pk]),
        reverse("counter:dispensed", args=[done.pk]),
        reverse("counter:trail", args=[done.pk]),
        reverse("counter:patient", args=[prescription.patient_id]),
        reverse("counter:facts", args=[prescription.patient_id]),
    ]
    weights = {address: weight(client.get(address)) for address in addresses}
    assert max(weights.values()) < HEAVIEST, weights


def test_no_page_has_a_style_or_a_script_of_its_own(client: Client) -> None:
    member = make.staff(make.pharmacy())
    client.force_login(member.user)
    prescription = make.prescription(make.patient(member.pharmacy))
    for address in (reverse("counter:queue"), reverse("counter:check", args=[prescription.pk])):
        html = client.get(address).content.decode()
        assert not re.search(r"\sstyle=|<style|\son[a-z]+=|hx-on|<script(?![^>]*src=)", html)
        assert "https://" not in html
