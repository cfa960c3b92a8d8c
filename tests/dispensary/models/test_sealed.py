"""Secrets of addresses are renewed: everything is readable, encrypted anew, and who asked us to stop stays known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import checks
from django.core.management import CommandError, call_command
from django.db.models import TextField
from django.db.models.functions import Cast

from dispensary.actions.addresses import Resealed, reseal_addresses
from dispensary.models import ContactPoint, InboundEvent, Patient
from dispensary.models.sealed import address_digest, seal, unseal
from tests.dispensary import make

pytestmark = pytest.mark.django_db

OLD, NEW = "old-" + "0123456789" * 4, "new-" + "0123456789" * 4
ADDRESS = "ada@example.org"


@pytest.fixture(autouse=True)
def old_secret(settings: Any) -> None:
    """The site as it was: one key for everything."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = OLD, []


def add_contact(patient: Patient, address: str = ADDRESS) -> ContactPoint:
    """An address, written with the secrets as they are now."""
    return ContactPoint.objects.create(
        patient=patient, medium="email", address=address, address_digest=address_digest("email", address),
        added_at=make.NOW, added_by="user:1",
    )  # fmt: skip


@pytest.fixture
def patient() -> Patient:
    return make.patient(make.pharmacy(), now=make.NOW)


@pytest.fixture
def contact(patient: Patient) -> ContactPoint:
    return add_contact(patient)


def ciphertext(contact: ContactPoint) -> str:
    """The encrypted text in the table."""
    rows = ContactPoint.objects.annotate(sealed=Cast("address", TextField()))
    return rows.values_list("sealed", flat=True).get(pk=contact.pk)


def renew(settings: Any) -> None:
    """The new key first, the old one behind it."""
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = NEW, [OLD]


def errors() -> list[str]:
    """The words of `check --database default` about addresses."""
    messages = checks.run_checks(tags=[checks.Tags.database], databases=["default"])
    return [message.msg for message in messages if message.id == "dispensary.E007"]


def test_after_a_new_key_an_address_is_readable_and_has_the_digest_it_had(contact: ContactPoint, settings: Any) -> None:
    renew(settings)
    contact.refresh_from_db()
    assert contact.address == ADDRESS
    assert address_digest("email", "Ada@Example.org ") == contact.address_digest
    assert errors() == []


def test_what_is_sealed_again_needs_the_old_key_no_more_but_for_the_digests(
    contact: ContactPoint, settings: Any
) -> None:
    renew(settings)
    assert reseal_addresses() == Resealed(renewed=1)
    settings.SECRET_KEY_FALLBACKS = []
    contact.refresh_from_db()
    assert contact.address == ADDRESS
    assert errors() == [
        f"The address {contact.pk} has a digest under another secret: an address that asked us to stop would not be known."
    ]
    settings.DISPENSARY = settings.DISPENSARY | {"digest_secret": OLD}
    assert errors() == []
    assert address_digest("email", ADDRESS) == contact.address_digest


def test_it_may_be_repeated_and_writes_nothing_the_second_time(contact: ContactPoint, settings: Any) -> None:
    renew(settings)
    reseal_addresses()
    sealed = ciphertext(contact)
    assert reseal_addresses() == Resealed(already=1)
    assert ciphertext(contact) == sealed


def test_more_addresses_than_one_batch_are_all_sealed_again(patient: Patient, settings: Any) -> None:
    contacts = [add_contact(patient, f"ada{number}@example.org") for number in range(5)]
    renew(settings)
    assert reseal_addresses(batch=2) == Resealed(renewed=5)
    settings.SECRET_KEY_FALLBACKS = []
    assert [unseal(ciphertext(contact)) for contact in contacts] == [f"ada{number}@example.org" for number in range(5)]


def test_a_reply_that_waits_is_sealed_again_and_one_that_was_read_is_left(settings: Any) -> None:
    facts = {"address": seal("+447700900123"), "text": seal("YES")}
    waiting = InboundEvent.objects.create(
        channel="sms", provider_event_id="1", kind="reply", facts=facts, received_at=make.NOW
    )
    InboundEvent.objects.create(
        channel="sms", provider_event_id="2", kind="reply", facts={}, received_at=make.NOW,
        processed_at=make.NOW + timedelta(seconds=1),
    )  # fmt: skip
    renew(settings)
    assert reseal_addresses() == Resealed(renewed=1)
    assert reseal_addresses() == Resealed(already=1)
    settings.SECRET_KEY_FALLBACKS = []
    waiting.refresh_from_db()
    assert [unseal(waiting.facts[name]) for name in ("address", "text")] == ["+447700900123", "YES"]


def test_an_address_that_no_secret_opens_is_left_counted_and_named_by_the_check(
    contact: ContactPoint, settings: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = ciphertext(contact)
    settings.SECRET_KEY = NEW
    with pytest.raises(CommandError, match=r"1 cannot be read with any of the secrets\."):
        call_command("addresses", "reseal")
    assert capsys.readouterr().out == "0 encrypted anew, 0 already under the newest secret.\n"
    assert ciphertext(contact) == sealed
    assert errors() == [f"The address {contact.pk} cannot be read."]
