"""The rule book works where there is nothing but the standard library."""

import json
import subprocess
import sys
import venv
from pathlib import Path

import pytest

import baclofen_rules
from tests.baclofen_rules.test_case import EXAMPLE


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A fresh environment without pip that can see the rule book, and nothing else of ours."""
    home = tmp_path_factory.mktemp("bare")
    venv.create(home / "env", with_pip=False)
    python = home / "env" / "bin" / "python"
    site = next((home / "env" / "lib").glob("python*/site-packages"))
    (site / "baclofen_rules").symlink_to(Path(baclofen_rules.__file__).parent)
    return python


def run(python, *arguments, standard_input=""):
    return subprocess.run(
        [python, "-I", *arguments], input=standard_input, capture_output=True, text=True, check=False, cwd=python.parent
    )


def test_there_is_no_django(bare):
    assert run(bare, "-c", "import django").returncode != 0
    assert run(bare, "-c", "import dispensary").returncode != 0


def test_it_imports_nothing_but_the_standard_library(bare):
    asked = (
        "import sys; before = set(sys.modules);"  # a machine's own sitecustomize, for one
        "import baclofen_rules; baclofen_rules.load_profile('uk-smpc'); baclofen_rules.read_directions('5 mg tid');"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new - sys.stdlib_module_names - {'baclofen_rules'}))"
    )
    assert run(bare, "-c", asked).stdout == "[]\n"


def test_the_shell_door_reviews_a_case(bare):
    answer = run(bare, "-m", "baclofen_rules", "review", "-", standard_input=json.dumps(EXAMPLE))
    assert answer.returncode == 1, answer.stderr
    assert json.loads(answer.stdout)["outcome"] == "override"


def test_the_shell_door_reads_directions(bare):
    answer = run(bare, "-m", "baclofen_rules", "directions", "5 mg tid")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["phases"][0]["doses"] == ["5", "5", "5"]


def test_the_shell_door_lists_profiles(bare):
    assert run(bare, "-m", "baclofen_rules", "profiles").stdout.count("sha256:") == 3


def test_the_tour_of_the_package_is_true(bare):
    assert run(bare, "-m", "doctest", str(Path(baclofen_rules.__file__))).stdout == ""
    assert sys.version_info >= (3, 11)
