"""The named SQL statements: their numbers are those of the enums, and every one that code asks for exists."""

import re
from pathlib import Path

import pytest

from dispensary import reminders
from dispensary.models.reminders import DeliveryOutcome, ReminderKind, ReminderState
from dispensary.reminders import plans, queue

FOLDER = Path(reminders.__file__).parent
FILES = {"queue": queue.SQL, "plans": plans.SQL}


@pytest.mark.parametrize("statements", FILES.values(), ids=FILES)
def test_a_number_in_a_statement_is_that_of_the_state_or_outcome_named_beside_it(statements):
    enums = {(member.value, member.name.lower()) for enum in (ReminderState, DeliveryOutcome) for member in enum}
    for name, statement in statements.items():
        for number, word in re.findall(r"(\d+) /\* (\w+) \*/", statement):
            assert (int(number), word) in enums, name
        assert not re.search(r"\b(state|outcome) (=|<>|IN) \(?\d+\b(?! /\*)", statement), name


def test_the_kinds_limited_by_day_and_week_are_named_and_no_safety_matter():
    assert not any(kind.is_limited and kind.matters_for_safety for kind in ReminderKind)
    nudges = ", ".join(f"'{kind.value}'" for kind in ReminderKind if kind.is_limited)
    assert queue.SQL["read_batch"].count(f"IN ({nudges})") == 3


def test_every_statement_is_used_and_every_one_used_exists():
    asked_for = re.findall(r'SQL\["(\w+)"\]', "".join(path.read_text() for path in FOLDER.glob("*.py")))
    assert set(asked_for) == {*queue.SQL, *plans.SQL}
