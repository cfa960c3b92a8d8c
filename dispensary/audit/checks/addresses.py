"""Addresses of patients and their digests: what is written to is what was entered."""

from __future__ import annotations

from collections.abc import Iterator

from cryptography.fernet import InvalidToken
from django.db.models import TextField
from django.db.models.functions import Cast

from dispensary.audit.checks.reconcile import Kind, Orphan
from dispensary.models import ContactPoint
from dispensary.models.sealed import address_digest, opener


def compare_addresses() -> Iterator[Orphan]:
    """Yield each address that is in use and is not the one of its digest; the digest itself is compared with the log."""
    unseal = opener()
    contacts = ContactPoint.objects.filter(retired_at=None).annotate(sealed=Cast("address", TextField()))
    for key, medium, sealed, digest in contacts.values_list("pk", "medium", "sealed", "address_digest").iterator():
        try:
            trouble = (
                "" if address_digest(medium, unseal(sealed)) == digest else "address is not the one that was entered"
            )
        except InvalidToken:
            trouble = "address cannot be read with the secrets of this site"
        if trouble:
            yield Orphan(Kind.CHANGED, str(ContactPoint._meta.verbose_name), str(key), detail=trouble)
