"""Known weaknesses of the locked packages: asks pip-audit and npm audit, and says so where no advisory source answers.

    python -m deploy.advisories

Ends with 0 where every source answered and knows of nothing, 1 where one knows of a weakness, and 2 where a source was not reached: that is no answer.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.environment import ROOT
from dispensary.counter.styles.build import node_folders, npm_command

REQUIREMENTS = ROOT / "deploy" / "requirements"
TOOLS = ROOT / ".run" / "audit"
"""The environment of pip-audit: what it needs is no part of ours."""
LOCKS_OF_PAGES = (ROOT / "dispensary" / "counter" / "styles", ROOT / "tests" / "browser")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of an advisory source about one lock."""

    about: str
    weaknesses: tuple[str, ...] = ()
    unreached: str = ""
    """What the tool said where no source answered; empty where one did."""


def read_pip_audit(about: str, output: str, errors: str) -> Answer:
    """Return what pip-audit said about a lock: JSON, in which a package of which its source knows nothing is one that was skipped."""
    try:
        dependencies = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        return Answer(about, unreached=_last_line(errors) or "no answer")
    weaknesses = [
        f"{row['name']} {row['version']}: {weakness['id']}, mended in {', '.join(weakness['fix_versions']) or 'no version'}"
        for row in dependencies
        for weakness in row.get("vulns", ())
    ]
    skipped = [row["skip_reason"] for row in dependencies if "skip_reason" in row]
    unreached = f"{len(skipped)} of {len(dependencies)} packages: {skipped[0]}" if skipped else ""
    return Answer(about, tuple(weaknesses), unreached)


def read_npm_audit(about: str, output: str, errors: str) -> Answer:
    """Return what npm audit said about a lock; where its source did not answer there are no `vulnerabilities`."""
    try:
        document: Mapping[str, Any] = json.loads(output)
    except ValueError:
        document = {}
    if "vulnerabilities" not in document:
        words = document.get("message") or document.get("error", {}).get("summary", "")
        return Answer(about, unreached=_last_line(str(words)) or _last_line(errors) or "no answer")
    vulnerabilities = document["vulnerabilities"].values()
    return Answer(about, tuple(f"{row['name']} {row['range']}: {row['severity']}" for row in vulnerabilities))


def _last_line(words: str) -> str:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def ask_pip_audit(lock: Path) -> Answer:
    """Ask about the packages of a lock with hashes."""
    command = [str(TOOLS / "bin" / "pip-audit"), "--require-hashes", "--disable-pip", "--format=json", "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  (our own environment's)
    return read_pip_audit(lock.name, done.stdout, done.stderr)


def ask_npm_audit(folder: Path) -> Answer:
    """Ask about the packages of a folder with a `package-lock.json`."""
    command = [*npm_command(node_folders()[0]), "audit", "--json", "--package-lock-only"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603  (as `build.py` runs it)
    return read_npm_audit(f"{folder.relative_to(ROOT)}/package-lock.json", done.stdout, done.stderr)


def main() -> int:
    """Ask about every lock and print what was said; returns the exit code."""
    answers = [ask_pip_audit(REQUIREMENTS / f"{name}.txt") for name in ("run", "test")]
    answers += [ask_npm_audit(folder) for folder in LOCKS_OF_PAGES]
    for answer in answers:
        if answer.unreached:
            print(f"{answer.about}: NOT CHECKED, no advisory source answered ({answer.unreached})")
        else:
            print(f"{answer.about}: {len(answer.weaknesses) or 'no'} known weaknesses")
        for weakness in answer.weaknesses:
            print(f"  {weakness}")
    if any(answer.weaknesses for answer in answers):
        return 1
    return 2 if any(answer.unreached for answer in answers) else 0


if __name__ == "__main__":
    sys.exit(main())
