"""Runs inside of a copy of the tree, as a script: mutmut with the operators of this folder beside its own.

    worker.py             generate the mutants and try all that have no verdict yet
    worker.py NAME ...    try these

mutmut generates, chooses the tests that reach a mutant, forks, times, and keeps the verdicts. Inside of the fork the chosen
tests are called one after the other, as pytest collected them, instead of starting pytest anew for each mutant: that is what
makes thousands of them bearable. They take no fixture, so that pytest would do no more.
"""

import functools
import gc
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from mutmut import __main__ as mutmut_command
from mutmut.mutation import mutators
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.runners.harness import PytestRunner
from mutmut.stats import status_by_exit_code
from mutmut.utils.file_utils import change_cwd, walk_mutatable_files
from mutmut.workers.isolation import ForkRunner, MutantRunner
from operators import OPERATORS

VERDICTS: Final = Path("verdicts.json")


class ForgetsAnswers:
    """A plugin of pytest: no test gets an answer that one before it has worked out, so that each counts as reaching what it asks."""

    def pytest_runtest_setup(self) -> None:
        """The hook of pytest: before each test."""
        forget_answers(None)


class AtOnce(PytestRunner):
    """Runs tests that were collected before the fork."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, pytest.Function] = {}

    def execute_pytest(self, params: list[str], **kwargs: Any) -> int:
        return super().execute_pytest(params, plugins=[*kwargs.pop("plugins", ()), ForgetsAnswers()], **kwargs)

    def prepare_main_test_run(self) -> None:
        os.environ["MUTANT_UNDER_TEST"] = ""
        with change_cwd("mutants"):
            self.execute_pytest(["--collect-only", "-qq", *self._pytest_add_cli_args_test_selection], plugins=[self])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """The hook of pytest: what it has collected."""
        for item in session.items:
            assert isinstance(item, pytest.Function), item
            fixtures = set(item.fixturenames) - set(_given(item))
            if fixtures:
                raise SystemExit(f"{item.nodeid} wants fixtures and cannot be called alone: {', '.join(fixtures)}")
            self.items[item.nodeid] = item
            if hasattr(item.module, "prepare"):
                item.module.prepare()  # once, before the forks

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        forget_answers(mutant_name)
        with change_cwd("mutants"):
            for name in tests or self.items:
                item = self.items[name]
                try:
                    item.obj(**_given(item))
                except BaseException:  # whatever a mutant raises, a test has noticed it
                    return 1
        return 0


def forget_answers(mutant_name: str | None) -> None:
    """Empty the caches of the rule book, where an answer of before would hide a change: of a limited size, and of the changed module.

    Without a mutant all are emptied.
    """
    for cached in gc.get_objects():
        is_cache = isinstance(cached, functools._lru_cache_wrapper) and cached.__module__.startswith("baclofen_rules")
        if is_cache and (
            mutant_name is None
            or cached.cache_parameters()["maxsize"] is not None
            or mutant_name.startswith(f"{cached.__module__}.")
        ):
            cached.cache_clear()


def _given(item: pytest.Function) -> dict[str, Any]:
    """The arguments of a parametrized test."""
    return dict(item.callspec.params) if hasattr(item, "callspec") else {}


def fork_runner(max_workers: int = 1) -> MutantRunner:
    """Stands in for mutmut's own choice of a runner."""
    runner = AtOnce()
    runner.prepare_main_test_run()
    return ForkRunner(max_workers=max_workers, test_runner=runner)


def main() -> None:
    mutators.mutation_operators.extend(OPERATORS)  # type: ignore[attr-defined]  # a list, declared as a Sequence
    mutmut_command.get_mutant_runner = fork_runner
    try:
        mutmut_command._run(tuple(sys.argv[1:]), max_children=2)
    finally:
        VERDICTS.write_text(json.dumps(verdicts(), indent=1), encoding="utf-8")


def verdicts() -> list[dict[str, Any]]:
    """Every mutant with what became of it, and what it changes."""
    verdicts_of_mutants = []
    for path in walk_mutatable_files():
        data = SourceFileMutationData(path=path)
        data.load()
        for name, exit_code in data.exit_code_by_key.items():
            status = status_by_exit_code[exit_code]
            was, becomes = changed(name, path) if status != "killed" else ("", "")
            verdicts_of_mutants.append({"name": name, "status": status, "was": was, "becomes": becomes})
    return verdicts_of_mutants


def changed(name: str, path: Path) -> tuple[str, str]:
    """The lines that a mutant takes away and the ones it puts in their place."""
    diff = [line for line in get_diff_for_mutant(name, path=path).splitlines() if line[:3] not in ("---", "+++")]
    gone, put = (" ".join(line[1:].strip() for line in diff if line[:1] == sign) for sign in "-+")
    return gone, put


if __name__ == "__main__":
    main()
