"""The shell door for reviews and profiles: what Python gets, and an exit status."""

import io
import json
import subprocess
import sys

import pytest

from baclofen_rules import Case, load_profile, review
from baclofen_rules.__main__ import main
from baclofen_rules.streaming import review_lines
from tests.baclofen_rules.cases import case_of
from tests.baclofen_rules.test_case import EXAMPLE


def plain(case):
    return json.dumps(case, default=str)


@pytest.fixture
def asked(tmp_path, capsys):
    def ask(case, *options):
        path = tmp_path / "case.json"
        path.write_text(case if isinstance(case, str) else plain(case), encoding="utf-8")
        status = main(["review", *options, str(path)])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return ask


@pytest.mark.parametrize(
    ("row", "expected_status"),
    [
        ({"prescription": {"directions": "5 mg three times a day for 28 days"}}, 0),
        ({"patient": {"drives": True}}, 1),
        ({"patient": {"alcohol_use": True}}, 1),
        ({"patient": {"allergies": ["baclofen"]}}, 2),
    ],
)
def test_the_exit_status_is_the_outcome(asked, row, expected_status):
    status, out, err = asked(case_of(row))
    assert status == expected_status
    assert json.loads(out)["format"] == "baclofen-review/1"
    assert err == ""


def test_shell_and_python_give_the_same_review(asked):
    _, out, _ = asked(EXAMPLE, "--profile", "us-label")
    assert json.loads(out) == review(Case.from_json(EXAMPLE), load_profile("us-label")).to_json()


def test_another_day_can_be_asked_about(asked):
    _, out, _ = asked(EXAMPLE, "--on", "2026-12-01")
    assert json.loads(out)["profile"]["in_force_on"] == "2026-12-01"
    assert "restart" in {finding["code"] for finding in json.loads(out)["findings"]} or "late-refill" in out


@pytest.mark.parametrize(
    ("case", "place"),
    [
        ("", "case"),
        ("{", "case"),
        ('{"on": NaN}', "case"),
        (plain({**EXAMPLE, "on": "2999-01-01"}), "on"),
        (
            plain(
                case_of({"prescription": {"phases": [{"dose": -1, "times_per_day": 3, "unit": "mg"}], "quantity": 1}})
            ),
            "prescription.phases[0].dose",
        ),
        (plain({**EXAMPLE, "patient": {"name": "Ren\u00e9 \u202e<b>"}}), "patient.name"),
    ],
)
def test_what_cannot_be_reviewed_is_one_line_and_status_3(asked, case, place):
    status, out, err = asked(case)
    assert (status, out) == (3, "")
    assert err.startswith(f"{place}: given ")
    assert err.count("\n") == 1
    assert "expected" in err
    assert err.isascii()


def test_a_missing_file_and_a_wrong_profile_are_said_plainly(asked, capsys):
    assert main(["review", "/nowhere/case.json"]) == 3
    assert "/nowhere/case.json: No such file" in capsys.readouterr().err
    status, _, err = asked(EXAMPLE, "--profile", "norwegian")
    assert status == 3
    assert "norwegian, expected one of lioresal" in err


def test_one_case_a_line_gives_one_review_a_line(asked):
    lines = [plain(EXAMPLE), "", plain({**EXAMPLE, "on": 7}), plain(case_of({"patient": {"allergies": ["baclofen"]}}))]
    status, out, err = asked("\n".join(lines), "--lines")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer.get("outcome") for answer in answers] == ["override", None, "stop"]
    assert answers[1]["line"] == 3
    assert err.startswith("line 3: on: given 7")
    assert status == 3
    status, _, err = asked(lines[0] + "\n" + lines[3], "--lines")
    assert (status, err) == (2, "")
    assert asked("\n".join(lines), "--lines", "--jobs", "2")[:2] == (3, out)


def test_lines_are_answered_while_they_come():
    asked_for = 0

    def endless():
        nonlocal asked_for
        while True:
            asked_for += 1
            yield plain(EXAMPLE).encode()

    answers = review_lines(endless(), load_profile("lioresal"))
    assert [next(answers).number for _ in range(3)] == [1, 2, 3]
    assert asked_for == 3
    several = review_lines(endless(), load_profile("lioresal"), jobs=2)
    assert next(several).number == 1
    several.close()
    assert asked_for < 1000


def test_every_rule_is_explained(asked):
    status, out, _ = asked(EXAMPLE, "--explain")
    assert status == 1
    lines = out.splitlines()
    assert lines[0].startswith("Outcome: override")
    assert any(line.startswith("daily-maximum") and "clear" in line and "100" in line for line in lines)
    assert any(line.startswith("titration-step") and "found" in line and "15 to 25 mg" in line for line in lines)
    assert len(lines) - 2 == len({line.split()[0] for line in lines[2:]})


def test_profiles_are_listed_with_digest_and_review(capsys):
    assert main(["profiles", "--on", "2030-01-01"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in out] == ["lioresal", "uk-smpc", "us-label"]
    assert all("sha256:" in line and "REVIEW PASSED" in line for line in out)
    assert main(["profiles", "--on", "2026-11-22"]) == 0
    assert "PASSED" not in capsys.readouterr().out


def test_two_profiles_are_compared(capsys):
    assert main(["profiles", "diff", "lioresal", "uk-smpc"]) == 0
    assert "titration-step.max_rise_mg_per_day\n  lioresal: 5 mg/day [C:" in capsys.readouterr().out
    assert main(["profiles", "diff", "lioresal", "lioresal"]) == 0
    assert "the same values" in capsys.readouterr().out
    assert main(["profiles", "diff", "lioresal"]) == 3
    assert "expected nothing more" in capsys.readouterr().err


def test_a_profile_is_begun_and_checked(tmp_path, capsys):
    assert main(["profiles", "new", "house", "--extends", "uk-smpc"]) == 0
    (tmp_path / "house.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert main(["profiles", "--folder", str(tmp_path), "diff", "house", "uk-smpc"]) == 0
    assert "set the same values" in capsys.readouterr().out
    assert main(["profiles", "--folder", str(tmp_path), "check", "house"]) == 0
    report = capsys.readouterr().out
    assert "values in force from 2025-01-01." in report
    assert "want a pharmacist's signature" in report


def test_a_check_names_what_comes_from_the_parent(tmp_path, capsys):
    (tmp_path / "house.toml").write_text(
        'format = "baclofen-profile/1"\nname = "house"\ntitle = "Ours"\nauthor = "A"\nchecker = "B"\nnext_review = 2027-05-22\n',
        encoding="utf-8",
    )
    assert main(["profiles", "--folder", str(tmp_path), "check", "house"]) == 0
    assert "From lioresal, since this profile does not have it: rules.tenfold" in capsys.readouterr().out


def test_a_case_may_come_by_standard_input(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(plain(EXAMPLE).encode())))
    assert main(["review", "-"]) == 1
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    assert main(["review"]) == 3
    assert "not UTF-8" in capsys.readouterr().err


def test_a_closed_pipe_is_no_traceback():
    run = subprocess.run(
        f"{sys.executable} -m baclofen_rules review --explain - | head -n 1",
        shell=True,
        input=plain(EXAMPLE),
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stderr == ""
    assert run.stdout.startswith("Outcome: ")
