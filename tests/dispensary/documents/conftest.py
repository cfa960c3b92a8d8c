import pytest

from dispensary.counter.styles import build


@pytest.fixture(scope="session", autouse=True)
def printed_fonts() -> None:
    """The documents are set in fonts that the look's build fetches."""
    build.build(with_test_tools=True, quiet=True)
