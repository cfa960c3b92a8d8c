"""Rules and profiles of another package, seen from a process in which it is installed beside the rule book."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.environment import ROOT
from tests.baclofen_rules.test_case import EXAMPLE
from tests.house import install_house


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A folder into which the package of `tests/house_rules` is installed."""
    install_house(tmp_path)
    return tmp_path


def run(folder: Path, *arguments: str, case: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "baclofen_rules", *arguments],
        input=case,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def case(mg: int) -> str:
    """Return a case of three doses a day, 20 mg each at most."""
    prescription = {
        **EXAMPLE["prescription"],
        "phases": [{"dose": mg / 3, "unit": "mg", "times_per_day": 3, "days": 30}],
    }
    return json.dumps({**EXAMPLE, "prescription": prescription})


def codes(folder: Path, mg: int, profile: str) -> tuple[list[str], str]:
    done = run(folder, "review", "--profile", profile, case=case(mg))
    answer = json.loads(done.stdout)
    return [finding["code"] for finding in answer["findings"]], answer["rules_version"]


@pytest.mark.parametrize(
    ("profile", "mg", "is_found"),
    [("lioresal", 45, False), ("lioresal", 48, True), ("mill-lane", 12, False), ("mill-lane", 15, True)],
)
def test_a_rule_of_another_package_reads_its_own_number_or_the_profiles(
    house: Path, profile: str, mg: int, is_found: bool
) -> None:
    found_codes, version = codes(house, mg, profile)
    assert ("house-second-look" in found_codes) is is_found
    assert "+" in version


def test_another_version_of_the_package_is_another_version_of_the_rules(house: Path, tmp_path: Path) -> None:
    (_, first), (_, without) = codes(house, 30, "lioresal"), codes(tmp_path / "nowhere", 30, "lioresal")
    metadata = house / "house_rules-1.2.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text().replace("1.2", "1.3"))
    _, second = codes(house, 30, "lioresal")
    assert len({first, second, without}) == 3
    assert [version.partition("+")[0] for version in (first, second)] == [without, without]


def test_its_profile_stands_among_the_others_and_its_rule_on_their_page(house: Path) -> None:
    listed = run(house, "profiles").stdout
    assert [line.split()[0] for line in listed.splitlines()] == ["lioresal", "mill-lane", "uk-smpc", "us-label"]
    assert "house-second-look" in run(house, "rules").stdout


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("second_look.py", "RULE = Rule", "RULED = Rule", "has no RULE or RULES"),
        ("second_look.py", "house-second-look", "taper-step", "two rule files use the same code: taper-step"),
        ("second_look.py", "from decimal import", "from decimals import", "second-look = 'house_rules.second_look'"),
        ("second_look.toml", 'mark = "D"', 'mark = "Z"', "second_look.toml: rules.house-second-look"),
        ("second_look.toml", "look_above", "look_below", "look_above_mg_per_day"),
        ("profiles/mill-lane.toml", 'name = "mill-lane"', 'name = "high-street"', "mill-lane.toml: name"),
    ],
)
def test_a_package_that_cannot_be_used_is_named_and_never_left_out_in_silence(
    house: Path, file: str, old: str, new: str, words: str
) -> None:
    path = house / "house_rules" / file
    path.write_text(path.read_text().replace(old, new))
    done = run(house, "review", "--profile", "lioresal" if file == "second_look.toml" else "mill-lane", case=case(30))
    assert done.returncode == 3, done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_rule_without_its_file_of_numbers_is_named(house: Path) -> None:
    (house / "house_rules" / "second_look.toml").unlink()
    done = run(house, "review", case=case(30))
    assert (done.returncode, "second_look.toml" in done.stderr) == (3, True)
