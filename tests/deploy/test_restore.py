"""The runbook for backup and restore: what `make drill-restore` runs is what stands there, and can be run."""

import re
import shlex

import pytest
from django.core.management import load_command_class

from tests.restore.runbook import RUNBOOK, Step, read_steps

STEPS = [step for section in ("Back up", "Restore") for step in read_steps(section)]
COMMANDS = [command for step in STEPS for command in step.commands]


def test_every_indented_line_of_the_section_is_a_command_of_a_step() -> None:
    section = RUNBOOK.read_text().split("\n## Back up, and restore")[1].split("\n## ")[0]
    lines = [line.split("    # ")[0].strip() for line in section.splitlines() if line.startswith(" " * 7)]
    assert lines == [command.line for command in COMMANDS]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.title)
def test_a_step_has_a_title_and_commands_of_one_account(step: Step) -> None:
    assert step.title
    is_ours = ["manage.py" in command.line for command in step.commands]
    assert not step.commands or is_ours == [not step.by_server] * len(is_ours)


def test_every_variable_is_explained_before_the_steps() -> None:
    names = {name for command in COMMANDS for name in re.findall(r"\$([A-Z]+)", command.line)}
    introduction = RUNBOOK.read_text().split("\n## Back up, and restore")[1].split("\n### ")[0]
    assert names and all(f"`{name}`" in introduction for name in names)


def test_our_commands_are_understood() -> None:
    parser = load_command_class("dispensary", "audit").create_parser("manage.py", "audit")
    ours = [shlex.split(command.line) for command in COMMANDS if "manage.py" in command.line]
    assert ours and all(words[:3] == ["python", "manage.py", "audit"] for words in ours)
    assert {parser.parse_args(words[3:]).verb for words in ours} == {"seal", "incarnation", "lost", "verify"}


def test_a_status_that_is_no_success_stands_beside_its_command() -> None:
    unusual = [(command.line, command.statuses) for command in COMMANDS if command.statuses != (0,)]
    assert unusual == [
        ("python manage.py audit seal --once", (1,)),
        ("python manage.py audit verify --full", (0, 3)),
    ]
