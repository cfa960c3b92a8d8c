"""Transactions of actions that may be the whole of a request."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from django.db import transaction

P = ParamSpec("P")
R = TypeVar("R")

_is_request_open = ContextVar("_is_request_open", default=False)


@contextmanager
def request() -> Iterator[None]:
    """Open the transaction of a request, which is stored as a whole or not at all."""
    with transaction.atomic():
        token = _is_request_open.set(True)
        try:
            yield
        finally:
            _is_request_open.reset(token)


def atomic(action: Callable[P, R]) -> Callable[P, R]:
    """Run an action in a transaction of its own, as `transaction.atomic` does, but in that of a request without a savepoint.

    A request that goes on after an error of such an action opens a savepoint around it; without one the database is asked
    nothing more, and nothing is stored.
    """

    @functools.wraps(action)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with transaction.atomic(savepoint=not _is_request_open.get()):
            return action(*args, **kwargs)

    return run
