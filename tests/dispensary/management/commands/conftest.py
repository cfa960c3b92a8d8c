"""The engine's fixtures, for its command; a pharmacy of today with its manager, for the others."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from dispensary.models import Pharmacy, StaffMember, StaffRole
from tests.dispensary import make
from tests.dispensary.reminders.conftest import awake, due, outbox  # noqa: F401  (fixtures)


@pytest.fixture
def shop(db: None) -> Pharmacy:
    make.products()
    return make.pharmacy(now=timezone.now(), time_zone="UTC")


@pytest.fixture
def manager(shop: Pharmacy) -> StaffMember:
    return make.staff(shop, StaffRole.MANAGER, now=timezone.now())


def import_file(command: str, file: Path, by: StaffMember, **options: Any) -> str:
    """Import a file; what the command says, with the words of its error at the end."""
    output = StringIO()
    try:
        call_command(command, str(file), by=by.user.get_username(), stdout=output, stderr=output, **options)
    except CommandError as error:
        output.write(str(error))
    return output.getvalue()
