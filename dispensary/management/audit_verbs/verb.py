"""The type of a verb, and the progress line that long ones share."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.core.management.base import BaseCommand

Options = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb: help, arguments, and the function that returns the exit status."""

    help: str
    add_arguments: Callable[[ArgumentParser], None]
    run: Callable[[BaseCommand, Options], int]
    statuses: Mapping[type[Exception], int] = field(default_factory=dict)
    """Exit status of each kind of error; the error's text is printed. The first that fits counts."""


def progress_on_terminal(command: BaseCommand, prefix: str = "") -> Callable[[int, int], None] | None:
    """Return a function that rewrites one line on a terminal's standard error.

    None where that is no terminal.
    """
    if not command.stderr.isatty():
        return None

    def show(reached: int, last: int) -> None:
        ending = "\n" if reached == last else ""
        command.stderr.write(f"\r{prefix}{reached:,} of {last:,} entries", ending=ending)
        command.stderr.flush()

    return show
