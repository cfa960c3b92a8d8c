"""A pharmacy and who works there, and the engine's fixtures, for what people allow it."""

from __future__ import annotations

import pytest

from dispensary.actors import Actor
from dispensary.models import Pharmacy, StaffRole
from tests.dispensary import make
from tests.dispensary.reminders.conftest import awake, due, outbox  # noqa: F401  (fixtures)


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy()


@pytest.fixture
def technician(shop: Pharmacy) -> Actor:
    return make.staff(shop, StaffRole.TECHNICIAN).actor()
