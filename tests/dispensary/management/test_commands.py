"""What holds for every command of the app."""

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

import pytest
from django.core.management import BaseCommand, get_commands, load_command_class

NAMES = sorted(name for name, app in get_commands().items() if app == "dispensary")


def destinations(parser: ArgumentParser) -> Iterator[str]:
    """Yield the names under which the parser and its subparsers keep their options."""
    for action in parser._actions:
        yield action.dest
        if isinstance(action, _SubParsersAction):
            for subparser in action.choices.values():
                yield from destinations(subparser)


@pytest.mark.parametrize("name", NAMES)
def test_no_argument_of_a_command_takes_the_place_of_one_of_djangos(name: str) -> None:
    """`manage.py` reads --settings, --pythonpath and others from the parsed options before the command sees them."""
    reserved = set(destinations(BaseCommand().create_parser("manage.py", name))) - {"help"}
    used = list(destinations(load_command_class("dispensary", name).create_parser("manage.py", name)))
    assert [dest for dest in reserved if used.count(dest) > 1] == []
