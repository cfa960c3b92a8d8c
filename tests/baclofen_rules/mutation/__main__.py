"""``make mutants``: mutate the rule book file by file with mutmut, and report what no test noticed.

    python -m tests.baclofen_rules.mutation                          every file, then the score
    python -m tests.baclofen_rules.mutation rules/ceiling.py ...     these
    python -m tests.baclofen_rules.mutation --survivors ...          with more tests than before: try only what lived
    python -m tests.baclofen_rules.mutation --report                 what is known so far, without running anything

Each file has a copy of the tree of its own in ``.run/mutation/``, where mutmut works. A run that was cut off goes on where it
stopped; a change of the code or of the tests starts that file anew. Exit status 1 when a mutant lives that is not in
``equivalent.toml``, or when an entry there fits no living mutant.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

from tests.baclofen_rules.mutation.equivalent import Equivalent, is_of_a_guard, load
from tests.baclofen_rules.mutation.operators import laid_open
from tests.baclofen_rules.mutation.targets import HERE, ROOT, judges_of, targets

WORK: Final = ROOT / ".run" / "mutation"
COPIED: Final = ("baclofen_rules", "tests/baclofen_rules", "tests/golden")
UNSEEN: Final = shutil.ignore_patterns("__pycache__", ".hypothesis", "mutation")
CONFIG: Final = """\
[tool.mutmut]
source_paths = ["baclofen_rules"]
only_mutate = ["baclofen_rules/{target}"]
also_copy = ["tests", "conftest.py"]
pytest_add_cli_args = ["-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {tests}
use_git_change_detection = false
on_dependency_change = "ignore"
use_setproctitle = false
timeout_constant = 4.0

[tool.pytest.ini_options]
pythonpath = ["."]
"""
CONFTEST: Final = '''\
"""A mutant is judged by the same examples each time, and never by the time it takes."""
from hypothesis import settings

settings.register_profile("mutation", deadline=None, derandomize=True, database=None, max_examples=60)
settings.load_profile("mutation")
'''
DEAD: Final = frozenset({"killed", "timeout", "segfault", "suspicious"})


def main() -> int:
    wishes = argparse.ArgumentParser(prog="mutants", description="Mutation tests of the rule book.")
    wishes.add_argument("files", nargs="*", help="inside of baclofen_rules, for example rules/ceiling.py")
    wishes.add_argument("--survivors", action="store_true", help="try again what lived, believing the killed")
    wishes.add_argument("--report", action="store_true", help="run nothing")
    wish = wishes.parse_args()
    known_files = targets()
    wrong = [name for name in wish.files if name not in known_files]
    if wrong:
        print(
            f"not among the files that are mutated: {', '.join(wrong)}; known: {', '.join(known_files)}",
            file=sys.stderr,
        )
        return 2
    chosen = wish.files or known_files
    for number, target in enumerate(chosen, start=1):
        if not wish.report:
            print(f"[{number}/{len(chosen)}] {target}", flush=True)
            tried(target, survivors=wish.survivors)
    return report(chosen)


def folder_of(target: str) -> Path:
    return WORK / target.removesuffix(".py").replace("/", ".")


def tried(target: str, survivors: bool) -> None:
    """Run mutmut over one file, or the rest of it."""
    folder, fingerprint = folder_of(target), digest(target)
    stamp = folder / "inputs.sha256"
    before = stamp.read_text() if stamp.exists() else None
    if before == fingerprint and (folder / "done").exists():
        return
    names: list[str] = []
    if before is None or (before != fingerprint and not survivors):
        shutil.rmtree(folder, ignore_errors=True)
    elif before != fingerprint:
        names = living(folder)
        (folder / "mutants" / "mutmut-stats.json").unlink(missing_ok=True)
    if before != fingerprint:
        copied(target, folder)
        stamp.write_text(fingerprint)
        (folder / "done").unlink(missing_ok=True)
    with (folder / "log.txt").open("w") as log:
        ran = subprocess.run(
            [sys.executable, str(HERE / "worker.py"), *names],
            cwd=folder,
            env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if ran.returncode:
        print("".join((folder / "log.txt").read_text().splitlines(keepends=True)[-25:]), file=sys.stderr)
        raise SystemExit(f"mutmut stopped with {ran.returncode}; its log: {folder / 'log.txt'}")
    (folder / "done").touch()


def copied(target: str, folder: Path) -> None:
    """The copy that mutmut works in, with the file laid open."""
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=UNSEEN, dirs_exist_ok=True)
    (folder / "tests" / "__init__.py").touch()
    for name in ("examples.py", "tables.py"):
        shutil.copy(ROOT / "tests" / name, folder / "tests")
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pyproject.toml").write_text(CONFIG.format(target=target, tests=json.dumps(judges_of(target))))
    source = folder / "baclofen_rules" / target
    source.write_text(laid_open(source.read_text(encoding="utf-8")), encoding="utf-8")


def digest(target: str) -> str:
    """Of everything that decides the verdicts: the rule book, the chosen tests with their tables, and this tool."""
    total = hashlib.sha256(repr((judges_of(target), CONFIG, CONFTEST)).encode())
    chosen = {HERE.parent / "cases.py", *(ROOT / test.split("::")[0] for test in judges_of(target))}
    for path in sorted(path for name in COPIED for path in (ROOT / name).rglob("*") if path.is_file()):
        about = path.relative_to(ROOT)
        data = "tests" in about.parts and path.suffix != ".py" and _is_read(about, target)
        if "__pycache__" not in about.parts and (about.parts[0] == "baclofen_rules" or path in chosen or data):
            total.update(f"{about}\n".encode() + path.read_bytes())
    for name in ("operators.py", "worker.py"):
        total.update((HERE / name).read_bytes())
    return total.hexdigest()


def _is_read(data: Path, target: str) -> bool:
    """Return whether the tests of a target read a file of data: a rule is held against the rows of its own table."""
    if HERE.relative_to(ROOT) in data.parents:
        return False
    alone = target.startswith("rules/") and target != "rules/__init__.py"
    return data.stem == Path(target).stem.replace("_", "-") if alone else True


def living(folder: Path) -> list[str]:
    return [verdict["name"] for verdict in verdicts(folder) if verdict["status"] not in DEAD]


def verdicts(folder: Path) -> list[dict[str, Any]]:
    path = folder / "verdicts.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def report(chosen: list[str]) -> int:
    """The score by file, the survivors, and entries of the list that fit nothing any more."""
    entries = load()
    total: Counter[str] = Counter()
    lived: list[str] = []
    print(f"\n{'file':36} {'mutants':>8} {'killed':>8} {'equivalent':>11} {'survived':>9}")
    for target in chosen:
        score, words = judged(target, entries)
        if score:
            total += score
            lived += words
            print(_line(target, score))
    print(_line("all", total))
    done = [target for target in chosen if (folder_of(target) / "done").exists()]
    stale = [entry for entry in entries if entry.file in done and not entry.used]
    for words in lived:
        print(f"\nsurvived: {words}")
    for entry in stale:
        print(f"\nfits no living mutant: {entry.file} {entry.function}: {entry.becomes}")
    return 1 if lived or stale or total["not tried"] else 0


def judged(target: str, entries: list[Equivalent]) -> tuple[Counter[str], list[str]]:
    score: Counter[str] = Counter()
    lived = []
    for verdict in verdicts(folder_of(target)):
        score["mutants"] += 1
        function = verdict["name"].partition("__mutmut_")[0].rpartition(".")[2].removeprefix("x_").replace("xǁ", "")
        function = function.replace("ǁ", ".")
        if verdict["status"] in DEAD:
            score["killed"] += 1
        elif verdict["status"] in ("not checked", "check was interrupted by user"):
            score["not tried"] += 1
        elif is_of_a_guard(verdict["was"], verdict["becomes"]) or any(
            entry.fits(target, function, verdict["was"], verdict["becomes"]) for entry in entries
        ):
            score["equivalent"] += 1
        else:
            score["survived"] += 1
            lived.append(
                f"{target} {function} ({verdict['status']})\n    - {verdict['was']}\n    + {verdict['becomes']}"
            )
    return score, lived


def _line(name: str, score: Counter[str]) -> str:
    left = f"  ({score['not tried']} not tried)" if score["not tried"] else ""
    return f"{name:36} {score['mutants']:8} {score['killed']:8} {score['equivalent']:11} {score['survived']:9}{left}"


if __name__ == "__main__":
    sys.exit(main())
