"""The shell door for directions and plans: JSON out, a plain line and exit status 3 for what cannot be used."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from baclofen_rules.__main__ import main
from baclofen_rules.streaming import read_lines


def test_directions_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["directions", "--strength", "10", "1 tab tid x 3d then 2 tabs tid"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["sentence"] == "Take 10 mg three times a day for 3 days, then 20 mg three times a day."


def test_a_question_has_an_exit_status_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["directions", "1-2 tabs"]) == 1
    assert json.loads(capsys.readouterr().out)["question"]["about"] == "1-2 tabs"


def test_od_is_read_where_the_site_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["directions", "--od", "10 mg od"]) == 0
    assert json.loads(capsys.readouterr().out)["sentence"] == "Take 10 mg once a day."


def test_each_line_gets_a_line_and_a_bad_one_does_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ['{"text": "1 tab tid", "strength_mg": 10}', "", '{"text": 7}', "nonsense", '{"text": "1-2 tabs"}']
    (tmp_path / "texts.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert main(["directions", "--lines", str(tmp_path / "texts.jsonl")]) == 3
    out = capsys.readouterr()
    answers = [json.loads(line) for line in out.out.splitlines()]
    assert [sorted(answer) for answer in answers][1:] == [
        ["error", "line"],
        ["error", "line"],
        ["format", "question", "text"],
    ]
    assert answers[0]["phases"][0]["doses"] == ["10", "10", "10"]
    assert out.err.startswith('line 3: expected {"text"')


def test_directions_are_read_while_they_come() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield b'{"text": "5 mg tid"}\n'
            yield b'{"text": "5 mg tid", "strength_mg": "none"}\n'
            yield b"\xff\n"

    answers = islice(read_lines(endless(), None, None), 3)
    assert [(answer.number, answer.outcome and str(answer.outcome)) for answer in answers] == [
        (1, "pass"),
        (2, None),
        (3, None),
    ]


@pytest.mark.parametrize("strength", ["0.0", "-1.5", '"x"', "true", '"NaN"', "[1]"])
def test_a_strength_that_is_no_amount_is_named_by_its_text(strength: str) -> None:
    line = b'{"text": "1 tab tid", "strength_mg": %s}' % strength.encode()
    (answer,) = read_lines([line], None, None)
    written = {"true": "True"}.get(strength, strength.strip('"'))
    assert (answer.outcome, answer.text) == (None, f"strength_mg: '{written}' is not an amount above 0")


def test_a_taper_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "taper", "--from", "20 mg tid", "--strengths", "10,25", "--age", "45", "--on", "2026-11-22"]
    assert main(arguments) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["days"] == 14
    assert plan["tablets"] == [{"strength_mg": "10", "quantity": "34"}]


def test_alternatives_are_told_one_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "taper", "--from", "10 mg tid", "--strengths", "10", "--age", "45", "--on", "2026-11-22"]
    assert main([*arguments, "--alternatives"]) == 0
    plans = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [plan["cost"]["days"] for plan in plans] == [14, 28, 7]


def test_symptoms_that_came_back_are_planned_for(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "taper", "--from", "10 mg tid", "--back-to", "15 mg tid", "--strengths", "10", "--age", "45"]
    assert main([*arguments, "--on", "2026-11-22", "--pace", "slow"]) == 0
    first = json.loads(capsys.readouterr().out)["phases"][0]
    assert (first["doses"], first["days"]) == (["15", "15", "15"], 7)


def test_a_titration_says_what_the_kidneys_bear(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "titration", "--to", "10 mg tid", "--strengths", "10", "--age", "45", "--on", "2026-11-22"]
    assert main([*arguments, "--egfr", "45"]) == 3
    assert "30 mg a day with an eGFR of 45; below 20 mg a day" in capsys.readouterr().err
    assert main([*arguments, "--dialysis"]) == 3
    assert "30 mg a day on dialysis; at most 5 mg a day" in capsys.readouterr().err


def test_a_taper_can_end_at_a_dose_that_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "taper", "--from", "20 mg tid", "--to", "10 mg tid", "--strengths", "10", "--on", "2026-11-22"]
    assert main(arguments) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["then_stop"], plan["phases"][-1]["days"]) == (False, None)


def test_a_titration_is_planned(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "titration", "--to", "20 mg tid", "--strengths", "10", "--profile", "us-label", "--age", "45"]
    assert main([*arguments, "--on", "2026-11-22"]) == 0
    assert [phase["days"] for phase in json.loads(capsys.readouterr().out)["phases"]] == [3, 3, 3, None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["taper", "--strengths", "10"], "--from: nothing given; expected today's dose"),
        (["titration", "--strengths", "10"], "--to: nothing given; expected the dose to reach"),
        (["taper", "--from", "20", "--strengths", "10"], "--from: '20'; expected one day's doses in mg"),
        (["taper", "--from", "5 mg tid x3d then 10 mg tid", "--strengths", "10"], "more than one day's doses"),
        (["taper", "--from", "20 mg tid", "--strengths", "7"], "strengths: 7 mg; 10 or 25 mg"),
        (["taper", "--from", "20 mg tid", "--strengths", "10", "--days", "3"], "days: 3"),
        (["taper", "--from", "20 mg tid", "--strengths", "10", "--age", "131"], "an age in years from 0 to 130"),
        (["taper", "--from", "20 mg tid", "--strengths", "10", "--age", "x"], "an age in years from 0 to 130"),
        (["taper", "--from", "20 mg tid", "--strengths", "10", "--weight", "0"], "patient.weight_kg"),
        (["titration", "--to", "20 mg tid", "--strengths", "10", "--egfr", "-1"], "patient.egfr"),
        (["taper", "--from", "20 mg tid", "--strengths", "10", "--profile", "none"], "expected one of"),
    ],
)
def test_what_cannot_be_planned_is_told_in_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *arguments, "--on", "2026-11-22"]) == 3
    out = capsys.readouterr()
    assert out.out == ""
    assert message in out.err
    assert out.err.count("\n") == 1


@pytest.mark.parametrize("option", ["--days", "--interval", "--supply", "--treated"])
@pytest.mark.parametrize("days", ["0", "-3", "1.5", "x", "9" * 5000])
def test_a_number_of_days_is_whole_and_above_0(option: str, days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["plan", "taper", "--from", "20 mg tid", "--strengths", "10", f"{option}={days}"])
    assert f"argument {option}: '{days}' is not a number of days above 0" in capsys.readouterr().err
