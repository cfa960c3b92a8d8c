"""The steps of a section of deploy/OPERATING.md: its numbered items, with the commands that are indented below them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from deploy.environment import ROOT

RUNBOOK = ROOT / "deploy" / "OPERATING.md"
_ITEM = re.compile(r"^\d+\. ", re.MULTILINE)
_COMMAND = re.compile(r"^ {7}(\S.*?)(?:    # exit status (\d)(?: or (\d))?)?$", re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A line for the shell, and the exit statuses with which the runbook goes on."""

    line: str
    statuses: tuple[int, ...] = (0,)


@dataclass(frozen=True)
class Step:
    """A numbered item: its words in bold, all its words, and its commands in sequence."""

    title: str
    text: str
    commands: tuple[Command, ...]

    @property
    def by_server(self) -> bool:
        """Whether the account of the database's server runs it."""
        return "as the server's account" in self.text


def read_steps(title: str) -> list[Step]:
    """Return the steps of the section `### title`."""
    section = RUNBOOK.read_text().split(f"\n### {title}\n")[1].split("\n## ")[0].split("\n### ")[0]
    return [_read_step(item) for item in _ITEM.split(section)[1:]]


def _read_step(item: str) -> Step:
    commands = [
        Command(line, tuple(int(status) for status in statuses if status) or (0,))
        for line, *statuses in _COMMAND.findall(item)
    ]
    text = " ".join(_COMMAND.sub("", item).split())
    return Step(text.split("**")[1], text, tuple(commands))
