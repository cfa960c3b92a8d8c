"""Rules for every command of the app."""

from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

import pytest
from django.core.management import BaseCommand, get_commands, load_command_class

NAMES = sorted(name for name, app in get_commands().items() if app == "dispensary")


def options_of(parser: ArgumentParser) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the name and the spellings of each option of the parser and its subparsers."""
    for action in parser._actions:
        yield action.dest, frozenset(action.option_strings)
        if isinstance(action, _SubParsersAction):
            for subparser in action.choices.values():
                yield from options_of(subparser)


@pytest.mark.parametrize("name", NAMES)
def test_no_argument_of_a_command_takes_the_place_of_one_of_djangos(name: str) -> None:
    """`manage.py` reads --settings, --pythonpath and others from the parsed options before the command sees them."""
    reserved = {
        dest: spellings
        for dest, spellings in options_of(BaseCommand().create_parser("manage.py", name))
        if dest != "help"
    }
    used = options_of(load_command_class("dispensary", name).create_parser("manage.py", name))
    # One of Django's own may stand behind a verb again, in one of its own spellings.
    assert [dest for dest, spellings in used if dest in reserved and not spellings <= reserved[dest]] == []
