"""Stored cases asked again: how many outcomes change, which, and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, load_profile, review
from baclofen_rules.__main__ import main
from baclofen_rules.replay import replay
from tests.baclofen_rules.cases import case_of

LIORESAL, US, UK = (load_profile(name) for name in ("lioresal", "us-label", "uk-smpc"))


def line(**row: Any) -> str:
    return json.dumps(Case.from_json(case_of(row)).to_json())


def high() -> str:
    """90 mg a day for who has long taken it: above the American maximum, not above that of the documents."""
    return line(takes=["30+30+30 for 28 days"], had=["30+30+30, 28 days ago, for 28 days"])


def test_an_outcome_that_changes_is_named_with_its_reason() -> None:
    report = replay([high()], US, LIORESAL).to_json()
    change = report["changes"][0]
    assert (report["cases"], report["outcomes_changed"]) == (1, 1)
    assert report["outcomes"] == {"pass to override": 1}
    assert "daily-maximum appeared (override): 90 mg a day is above the 80 mg daily maximum" in change["why"]
    assert report["rules"]["daily-maximum appeared"] == 1


def test_the_same_profile_changes_nothing() -> None:
    report = replay([high(), line(), ""], LIORESAL, LIORESAL)
    assert (report.cases, report.changes, report.not_replayed) == (2, [], [])


def test_a_stored_review_is_the_answer_before() -> None:
    case = Case.from_json(case_of({}))
    stored = {"case": case.to_json(), "review": review(case, LIORESAL).to_json()}
    assert replay([json.dumps(stored)], LIORESAL).changes == []
    stored["review"]["outcome"] = "override"
    stored["review"]["findings"] = [{"code": "old-rule", "severity": "override", "summary": "Once.", "limit": {}}]
    change = replay([json.dumps(stored)], LIORESAL).changes[0]
    assert (change.before, change.after) == ("override", "pass")
    assert change.why == ("old-rule gone (was override): Once.",)


def test_a_limit_that_moves_below_the_same_outcome_is_told_too() -> None:
    report = replay([line(takes=["40+40+40 for 28 days"], had=["40+40+40, 28 days ago, for 28 days"])], US, LIORESAL)
    assert report.changed_outcomes == []
    assert "daily-maximum has another limit" in report.rules


def test_a_line_that_cannot_be_used_is_reported_and_the_others_go_on() -> None:
    report = replay(["nonsense", line(), '{"case": {}, "x": 1}'], LIORESAL, UK)
    assert report.cases == 1
    assert [number for number, _ in report.not_replayed] == [1, 3]


def test_a_case_without_an_answer_before_says_what_to_do() -> None:
    report = replay([line()], LIORESAL)
    assert report.not_replayed[0][1].endswith('a stored review ("baclofen-review/1"), or a profile to ask before')


@pytest.mark.parametrize(("profile", "status"), [("us-label", 1), ("lioresal", 0)])
def test_the_shell_replays_with_progress_on_stderr(
    profile: str, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cases.jsonl").write_text("\n".join([high()] * 40), encoding="utf-8")
    arguments = ["replay", str(tmp_path / "cases.jsonl"), "--before", "lioresal", "--profile", profile]
    assert main(arguments) == status
    out = capsys.readouterr()
    assert json.loads(out.out)["outcomes_changed"] == 40 * status
    progress = out.err.splitlines()
    assert len(progress) == 20
    assert progress[-1] == f"replayed 40 of 40 lines; {40 * status} outcomes change"


def test_the_shell_says_which_lines_it_could_not_replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cases.jsonl").write_text(line() + "\n{}\n", encoding="utf-8")
    assert main(["replay", str(tmp_path / "cases.jsonl"), "--before", "lioresal"]) == 3
    assert json.loads(capsys.readouterr().out)["not_replayed"][0]["line"] == 2
