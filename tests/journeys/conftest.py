"""Fixtures of the journeys."""

from datetime import timedelta

import pytest
from django.utils import timezone

from dispensary.counter.styles import build
from dispensary.models import StaffMember
from tests.dispensary import make


@pytest.fixture(autouse=True)
def one_clock(machine_clock: None) -> None:
    """A browser and the pages behind it ask the machine."""


@pytest.fixture(scope="session", autouse=True)
def built_styles() -> None:
    build.build(with_test_tools=True, quiet=True)


@pytest.fixture
def pharmacist(transactional_db: None) -> StaffMember:
    """At a pharmacy with a name and an address, as a label needs them."""
    place = {"address": "12 Mill Lane, Oxford OX4 1AB", "phone": "01865 496000"}
    return make.staff(make.pharmacy("Riverside Pharmacy", now=timezone.now() - timedelta(hours=1), **place))
