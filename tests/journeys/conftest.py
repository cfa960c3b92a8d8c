import pytest


@pytest.fixture(autouse=True)
def one_clock(machine_clock: None) -> None:
    """A browser and the pages behind it ask the machine."""
