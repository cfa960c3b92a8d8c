"""Waiting for something real to happen, without sleeping longer than it takes."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(look: Callable[[], T | None], seconds: float, complaint: Callable[[], str] = lambda: "") -> T:
    """Return the first true answer of `look`; fail after `seconds` with what `complaint` says."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := look():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"nothing after {seconds} s. {complaint()}")
