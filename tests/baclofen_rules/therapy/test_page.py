"""The page "What the patient takes" names the cases that keep each of its rows true."""

import re
from pathlib import Path

import baclofen_rules.therapy
from tests.baclofen_rules.therapy.reading import CASES
from tests.baclofen_rules.therapy.test_situations import SITUATIONS

FOLDER = Path(baclofen_rules.therapy.__file__).parent
PAGE = (FOLDER / "SITUATIONS.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")][
    1:
]
MODULES = {path.name for path in FOLDER.glob("*.py")} - {"__init__.py"}


def test_every_case_stands_in_one_row_and_every_row_has_a_case() -> None:
    named = [case for row in ROWS for case in row[2].split()]
    cases = [case["id"] for case in CASES] + [situation.title.split()[0] for situation in SITUATIONS]
    assert sorted(named) == sorted(cases)
    assert all(row[2] for row in ROWS)


def test_the_page_is_a_page_and_the_readme_names_every_module() -> None:
    assert len(PAGE.splitlines()) <= 60
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`(\w+\.py)`", readme)) == MODULES
