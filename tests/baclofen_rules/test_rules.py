"""Every rule against its table in ``rules/``: a file a rule, a sentence a row, each row asked in all three profiles."""

from functools import cache
from pathlib import Path

import pytest

from baclofen_rules import Action, Case, all_rules, explain, load_profile, review, rule_by_code
from baclofen_rules.medicines import interaction_classes
from tests.baclofen_rules.cases import FINDING_KEYS, RULE_KEYS, case_of, read_rule_table

FOLDER = Path(__file__).parent / "rules"
PROFILES = ("lioresal", "us-label", "uk-smpc")
load = cache(load_profile)


def rows():
    for path in sorted(FOLDER.glob("*.toml")):
        table = read_rule_table(path)
        for number, row in enumerate(table["row"], start=1):
            yield pytest.param(row.get("code", table["rule"]), row, id=f"{path.stem}-{number}")


def answer_of(code, answer):
    """Return the answer of a rule: the severity of its finding, ``not assessed: ...``, or ``clear``; both where it gave both."""
    answers = [str(finding.severity) for finding in answer.findings if finding.code == code]
    group = rule_by_code(code).group or code
    answers += [
        f"not assessed: {', '.join(rule.missing)}" for rule in answer.not_assessed if rule.code in (code, group)
    ]
    return " and ".join(answers) or "clear"


def _with_null(value):
    """TOML has no null: what is not known is written ``"null"``."""
    return (
        {key: "null" if entry is None else entry for key, entry in value.items()} if isinstance(value, dict) else value
    )


@pytest.mark.parametrize(("code", "row"), list(rows()))
def test_the_rule_answers_as_the_table_says(code, row):
    expected = row["expect"]
    expected = expected if isinstance(expected, dict) else dict.fromkeys(PROFILES, expected)
    case = Case.from_json(case_of(row, RULE_KEYS))
    answers = {name: answer_of(code, review(case, load(name))) for name in expected}
    assert answers == expected, row["says"]
    profile = load(row.get("detail_of", "lioresal"))
    fields = FINDING_KEYS & row.keys()
    if fields:
        finding_json = next(finding for finding in review(case, profile).findings if finding.code == code).to_json()
        assert {name: _with_null(finding_json[name]) for name in fields} == {name: row[name] for name in fields}
    if "explains" in row:
        assert {rule.code: (rule.state, rule.words) for rule in explain(case, profile)}[code] == (
            "clear",
            row["explains"],
        )


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_a_table_shows_its_rule_from_both_sides(path):
    table = read_rule_table(path)
    expected = [
        row["expect"] if isinstance(row["expect"], str) else list(row["expect"].values()) for row in table["row"]
    ]
    flat = [answer for answers in expected for answer in ([answers] if isinstance(answers, str) else answers)]
    assert "clear" in flat
    assert any(not answer.startswith(("clear", "not assessed")) for answer in flat)
    assert all(row["says"].endswith(".") for row in table["row"])


def test_every_rule_has_a_table():
    tables = {path.stem for path in FOLDER.glob("*.toml")}
    classes = interaction_classes()
    assert tables == {"interactions" if rule.code in classes else rule.code for rule in all_rules()}


def test_which_rules_switch_others_off_and_which_ask_at_the_end_of_a_course():
    rules = all_rules()
    assert {rule.code for rule in rules if rule.switches_off} == {"route", "unit"}
    assert {rule.code for rule in rules if Action.DISCONTINUE in rule.actions} == {"abrupt-stop", "late-refill"}


@pytest.mark.parametrize(
    "rule", [rule for rule in all_rules() if rule.code not in interaction_classes()], ids=lambda rule: rule.code
)
def test_a_table_says_whether_its_rule_needs_a_dose_that_can_be_believed(rule):
    assert read_rule_table(FOLDER / f"{rule.code}.toml").get("needs_dose", False) is rule.needs_dose


@pytest.mark.parametrize("name", PROFILES)
def test_the_calm_case_finds_nothing(name):
    answer = review(Case.from_json(case_of({})), load(name))
    assert answer.findings == ()
    assert answer.not_assessed == ()
