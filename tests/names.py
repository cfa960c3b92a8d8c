"""Report how plainly the code is named: `python -m tests.names [PATH ...]`, over `git ls-files`; a report, no gate.

Four shares a folder: bindings whose name says nothing, docstrings that begin with What, Who, Whether or How, docstrings that speak of
nobody, nothing, whoever or none, and private functions that are called once, of all functions. After them, the commit subjects that begin with a usual verb.
Migrations are left out.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

VAGUE_NAMES = re.compile(r"_*(told|found|given|each|said|one|known|held|shown|kept|wanted|seen|owed|heard|meant|got)_*")
QUESTION_OPENING = re.compile(r"(What|Who|Whose|Whether|How|Where|When|Why)\b")
RIDDLE_WORDS = re.compile(r"\b(?!(?-i:None)\b)(nobody|nothing|whoever|none|somebody|everybody)\b", re.IGNORECASE)
COMMIT_VERBS = re.compile(
    r"""(
    Accept|Add|Allow|Ask|Avoid|Benchmark|Build|Bump|Cache|Cancel|Catch|Check|Clarify|Clean|Close|Compute|Configure|Convert|Correct|
    Count|Declare|Define|Delete|Describe|Disable|Document|Drop|Enable|Encrypt|Escape|Exclude|Explain|Export|Expose|Extract|Fix|Format|
    Generate|Group|Guard|Handle|Harden|Hide|Implement|Import|Improve|Include|Index|Inline|Introduce|Isolate|Keep|Limit|Lint|Load|Lock|
    Log|Make|Map|Measure|Merge|Migrate|Move|Name|Open|Parse|Pin|Prevent|Print|Quote|Raise|Read|Record|Reduce|Refactor|Refuse|Reject|
    Remove|Rename|Render|Replace|Report|Require|Restore|Retry|Return|Revert|Run|Save|Seal|Send|Set|Show|Sign|Simplify|Skip|Sort|Speed|
    Split|Start|Stop|Store|Style|Support|Test|Tidy|Translate|Treat|Type|Unify|Update|Use|Validate|Verify|Wrap|Write
    )\b""",
    re.VERBOSE,
)


@dataclass
class Tally:
    """Counts for one folder."""

    modules: int = 0
    bindings: int = 0
    vague: Counter[str] = field(default_factory=Counter)
    docstrings: int = 0
    question_docstrings: list[str] = field(default_factory=list)
    riddle_docstrings: int = 0
    functions: int = 0
    called_once: list[str] = field(default_factory=list)


def main(arguments: list[str]) -> None:
    """Print the report; with `--list` every place that counts as well."""
    listing = "--list" in arguments
    paths = [argument for argument in arguments if not argument.startswith("--")] or [
        "baclofen_rules",
        "dispensary",
        "deploy",
        "tests",
    ]
    print(
        f"{'folder':<28}{'modules':>8}{'vague names':>18}{'What/Who/How docs':>20}{'riddle words':>14}{'called once':>15}"
    )
    for path in paths:
        tally = measure(Path(path))
        print(
            f"{path:<28}{tally.modules:>8}"
            f"{_share(sum(tally.vague.values()), tally.bindings):>18}"
            f"{_share(len(tally.question_docstrings), tally.docstrings):>20}"
            f"{_share(tally.riddle_docstrings, tally.docstrings):>14}"
            f"{_share(len(tally.called_once), tally.functions):>15}"
        )
        if listing:
            print("  " + ", ".join(f"{name} {count}" for name, count in tally.vague.most_common()))
            print("\n".join(f"  {place}" for place in [*tally.question_docstrings, *tally.called_once]))
    subjects = _git("log", "-200", "--no-merges", "--format=%s")
    usual = sum(bool(COMMIT_VERBS.match(subject)) for subject in subjects)
    print(f"commit subjects, last {len(subjects)}: {_share(usual, len(subjects))} begin with a usual verb")


def measure(folder: Path) -> Tally:
    """Count the names and docstrings of every tracked Python file in a folder."""
    tally = Tally()
    for path in _python_files(folder):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tally.modules += 1
        for name in _bound_names(tree):
            tally.bindings += 1
            if VAGUE_NAMES.fullmatch(name):
                tally.vague[name] += 1
        for line, docstring in _docstrings(tree):
            tally.docstrings += 1
            if QUESTION_OPENING.match(docstring):
                tally.question_docstrings.append(f"{path}:{line}: {docstring.splitlines()[0][:80]}")
            tally.riddle_docstrings += bool(RIDDLE_WORDS.search(docstring))
        _count_functions(path, tree, tally)
    return tally


def _python_files(folder: Path) -> list[Path]:
    return [
        Path(name)
        for name in _git("ls-files", f"{folder}/**.py", f"{folder}/*.py")
        if "/migrations/" not in name and Path(name).exists()
    ]


def _bound_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.arg):
            yield node.arg


def _docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            docstring = ast.get_docstring(node)
            if docstring:
                yield getattr(node, "lineno", 1), docstring


def _count_functions(path: Path, tree: ast.Module, tally: Tally) -> None:
    """Count all functions, and the module's private ones that are named only once besides their definition."""
    tally.functions += sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))
    uses = Counter(node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("_") and uses[node.name] == 1:
            tally.called_once.append(f"{path}:{node.lineno}: {node.name}, {len(node.body)} statements, called once")


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} {part / whole:.1%}" if whole else "-"


def _git(*arguments: str) -> list[str]:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.splitlines()


if __name__ == "__main__":
    main(sys.argv[1:])
