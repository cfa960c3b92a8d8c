"""The pages about the rules are true."""

import json
import re
from pathlib import Path

import pytest

import baclofen_rules
from baclofen_rules import Case, all_rules, list_profiles, load_profile, read_directions, review
from baclofen_rules.__main__ import main
from baclofen_rules.page import rules_page

HOME = Path(baclofen_rules.__file__).parent
PAGE = (HOME / "RULES.md").read_text(encoding="utf-8")


def test_the_page_of_all_rules_is_the_one_the_rules_write(capsys):
    assert rules_page([load_profile(name) for name in list_profiles()]) == PAGE, (
        "python -m baclofen_rules rules > baclofen_rules/RULES.md"
    )
    assert main(["rules"]) == 0
    assert capsys.readouterr().out == PAGE


def test_the_page_names_every_rule_and_every_mark():
    assert all(f"`{rule.code}`" in PAGE for rule in all_rules())
    assert set(re.findall(r"\[([A-Z])\]", PAGE)) == {"C", "F", "K", "D"}


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_a_rule_says_what_it_finds_which_way_it_errs_and_its_source(rule):
    title, _, rest = rule.text.partition("\n\n")
    assert title.endswith(".")
    assert re.search(r"^Finds[:,]", rest, re.M)
    assert re.search(r"^Errs:", rest, re.M)
    assert re.search(r"^Source:", rest, re.M)


def test_no_number_of_a_limit_stands_in_a_rule():
    """Limits come from profiles; what stands in a rule is at most a factor of 100 for per cent or how many names are shown."""
    allowed = {"0", "1", "2", "3", "30", "100"}
    for path in (HOME / "rules").glob("*.py"):
        body = path.read_text(encoding="utf-8").split('"""', 2)[2]
        body = re.sub(r'f?"[^"\n]*"', "", body)
        body = re.sub(r"= (?:number|numbers|by_age|severity|severity_by_age)\([^)]*\)", "", body)
        body = re.sub(r", \d\)", ")", body)  # places to round to
        numbers_in_rule = set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", body))
        months = {"12"} if path.name == "prescription_expiry.py" else set()
        assert numbers_in_rule <= allowed | months, (path.name, numbers_in_rule - allowed)


def test_the_examples_of_the_formats_are_true():
    case, answer, reading = map(
        json.loads, re.findall(r"```json\n(.*?)```", (HOME / "FORMAT.md").read_text(encoding="utf-8"), re.S)
    )
    reviewed = review(Case.from_json(case), load_profile("lioresal")).to_json()
    assert answer.keys() == reviewed.keys()
    assert answer["findings"][0].keys() == reviewed["findings"][0].keys()
    assert answer["course"].keys() == reviewed["course"].keys()
    assert reading == read_directions(reading["text"]).to_json()


def test_the_commands_of_the_readme_exist(capsys):
    commands = re.findall(r"^python -m baclofen_rules (\w+)", (HOME / "README.md").read_text(encoding="utf-8"), re.M)
    assert commands
    for command in commands:
        with pytest.raises(SystemExit) as ended:
            main([command, "--help"])
        assert ended.value.code == 0
