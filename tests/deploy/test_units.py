"""The systemd units, the containers and the configuration of a cluster, read by their own tools where those are installed."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy import processes
from deploy.environment import ROOT

SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = sorted(SYSTEMD.glob("*.service"))
COMPOSE_FILES = [
    (ROOT / "deploy" / "container" / "compose.yaml", "secrets.env.example"),
    (ROOT / "deploy" / "cluster" / "compose.database.yaml", "host.env.example"),
    (ROOT / "deploy" / "cluster" / "compose.web.yaml", "host.env.example"),
]
HIGHEST_EXPOSURE = 2.5
ANALYZE = shutil.which("systemd-analyze")
COMPOSE = shutil.which("docker-compose")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed: apt-get install systemd")


def settings_of(unit: Path) -> configparser.SectionProxy:
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str  # type: ignore[assignment,method-assign]  # names of settings keep their letters
    read.read([SYSTEMD / "dispensary-.service.d" / "common.conf", unit])
    return read["Service"]


def test_every_way_to_run_it_starts_the_same_processes_by_one_line() -> None:
    procfile = dict(line.split(": ", 1) for line in (ROOT / "deploy" / "Procfile").read_text().splitlines())
    assert procfile == {name: f"exec python -m deploy.processes {name}" for name in processes.NAMES}
    for name in processes.NAMES:
        unit = settings_of(SYSTEMD / f"dispensary-{name}.service")
        assert unit["ExecStart"] == f"/srv/dispensary/.venv/bin/python -m deploy.processes {name}"
    for file, _ in COMPOSE_FILES[::2]:
        started = re.findall(r"^    command: \[python, -m, deploy\.processes, (\w+)\]", file.read_text(), re.MULTILINE)
        assert sorted(started) == sorted(processes.NAMES), file


def test_a_process_without_name_is_refused_with_the_names() -> None:
    command = [sys.executable, "-m", "deploy.processes", "wep"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "web|tick|send|seal|beat" in done.stderr


@pytest.mark.parametrize("name", processes.NAMES)
def test_a_process_keeps_its_files_where_its_way_to_run_has_a_folder(name: str) -> None:
    in_run_folder = processes.command_of(name, {"RUN_DIR": "/run/here"})
    by_systemd = processes.command_of(name, {"STATE_DIRECTORY": "/var/lib/dispensary"})
    if name in ("tick", "send", "beat"):
        assert f"--pidfile=/run/here/{name}.pid" in in_run_folder and "--pidfile=" in by_systemd
    if name == "beat":
        assert "/run/here/beat.db" in in_run_folder and "/var/lib/dispensary/beat.db" in by_systemd
    assert not any(argument.startswith("celerybeat") for argument in by_systemd)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_no_unit_has_the_owners_address_and_beat_has_no_database(unit: Path) -> None:
    environment = settings_of(unit)["EnvironmentFile"]
    own_file = {"dispensary-seal": "seal", "dispensary-beat": "beat"}.get(unit.stem, "dispensary")
    assert environment == f"/etc/dispensary/{own_file}.env"


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_exposed_at_most_as_much_as_it_must_be(unit: Path) -> None:
    answer = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", unit], capture_output=True, text=True, check=True
    ).stdout
    exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", answer)
    assert exposure and float(exposure[1]) <= HIGHEST_EXPOSURE, answer


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_a_unit_is_understood_by_systemd(unit: Path, tmp_path: Path) -> None:
    shutil.copytree(SYSTEMD, tmp_path, dirs_exist_ok=True)
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace("/srv/dispensary/.venv/bin/python", "/bin/true"))
    answer = subprocess.run([str(ANALYZE), "verify", copy], capture_output=True, text=True, check=False)
    about_ours = [line for line in (answer.stdout + answer.stderr).splitlines() if "dispensary-" in line]
    assert about_ours == []


@pytest.mark.skipif(COMPOSE is None, reason="docker-compose is not installed: apt-get install docker-compose")
@pytest.mark.parametrize(("file", "example"), COMPOSE_FILES, ids=lambda value: Path(value).name)
def test_a_compose_file_is_understood(file: Path, example: str, tmp_path: Path) -> None:
    folder = shutil.copytree(file.parent, tmp_path / "deploy" / file.parent.name)
    (folder / "application.env").write_text("SECRET_KEY=secret\n")
    values = tmp_path / "values.env"
    values.write_text(re.sub(r"=$", "=secret", (folder / example).read_text(), flags=re.MULTILINE))
    done = subprocess.run(
        [str(COMPOSE), "--env-file", values, "-f", folder / file.name, "config", "-q"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("file", "example"), COMPOSE_FILES, ids=lambda value: Path(value).name)
def test_every_image_has_an_exact_version(file: Path, example: str) -> None:
    images = re.findall(r"^\s+image: (\S+)", file.read_text(), re.MULTILINE)
    bases = re.findall(
        r"^FROM (\S+)", "".join(path.read_text() for path in file.parent.glob("Dockerfile")), re.MULTILINE
    )
    assert images and all(re.search(r":v?\d+\.\d+", image) for image in [*images, *bases]), images


@pytest.mark.parametrize(("file", "example"), COMPOSE_FILES, ids=lambda value: Path(value).name)
def test_every_value_that_a_compose_file_asks_for_is_in_its_example(file: Path, example: str) -> None:
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", file.read_text()))
    offered = set(re.findall(r"^(\w+)=", (file.parent / example).read_text(), re.MULTILINE))
    assert asked <= offered, asked - offered
