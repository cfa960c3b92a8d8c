import pytest

from dispensary.counter.styles import build


@pytest.fixture(scope="session", autouse=True)
def built_styles() -> None:
    """The pages' style sheet and the printed fonts."""
    build.build(with_test_tools=True, quiet=True)


@pytest.fixture(autouse=True)
def one_clock(machine_clock: None) -> None:
    """The pages ask the machine."""
