"""The folder of rules is all there is: what a file says of itself is what the rule book knows of it."""

import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import all_rules, rule_by_code, rules
from baclofen_rules.case import Action
from baclofen_rules.medicines import interaction_classes
from baclofen_rules.rules import NoLimits, Rule, ceiling, interaction_unclassified, interactions, unit

KNOWN = all_rules()


def read_anew() -> tuple[Rule, ...]:
    """The folder as it stands, not as it was read when the package was imported."""
    return all_rules.__wrapped__()


def seen(rule: Rule) -> list[Any]:
    """All that a rule says, with the functions of a family taken apart."""
    return [
        (value.func, value.args) if isinstance(value, partial) else value
        for value in (getattr(rule, name) for name in Rule.__annotations__)
    ]


def test_the_folder_reads_the_same_each_time() -> None:
    assert [seen(rule) for rule in read_anew()] == [seen(rule) for rule in KNOWN]


def test_rules_that_switch_others_off_come_first_and_then_by_code() -> None:
    codes = [rule.code for rule in read_anew()]
    assert codes[:2] == ["route", "unit"]
    assert codes[2:] == sorted(codes[2:])
    assert set(interaction_classes()) < set(codes)


def test_a_file_says_what_its_rule_is() -> None:
    found = {rule.code: rule for rule in read_anew()}
    one = found["ceiling"]
    assert (one.check, one.explain, one.limits) == (ceiling.check, ceiling.explain, ceiling.Limits)
    assert (one.needs_dose, one.switches_off, one.action) == (True, False, Action.DISPENSE)
    assert (one.terms, one.answers, one.group) == (ceiling.TERMS, ceiling.ANSWERS, "")
    assert one.text.startswith("A daily dose so far above") and one.text == one.text.strip()
    assert (found["unit"].switches_off, found["unit"].needs_dose) == (unit.SWITCHES_OFF, False)
    assert (found["route"].limits, found["allergy"].answers, found["route"].terms) == (NoLimits, (), ())
    assert found["abrupt-stop"].action is Action.DISCONTINUE
    assert found["ceiling"].asked_about == ceiling.ASKED_ABOUT
    assert found["route"].asked_about == 0
    assert found["interaction-unclassified"].group == interaction_unclassified.GROUP


def test_a_file_may_speak_for_a_family() -> None:
    assert rule_by_code("interaction-opioid") in KNOWN
    one = next(rule for rule in read_anew() if rule.code == "interaction-opioid")
    assert isinstance(one.check, partial) and isinstance(one.explain, partial)
    assert (one.check.func, one.check.args) == (interactions.check, ("interaction-opioid",))
    assert (one.explain.func, one.explain.args) == (interactions.explain, ("interaction-opioid",))
    with pytest.raises(KeyError):
        rule_by_code("interaction-tea")


@pytest.mark.parametrize(
    ("name", "source", "refused"),
    [
        ("another_age", "CODE = 'age'\ndef check(t, limits): return ()\ndef explain(t, limits): return '.'\n", True),
        ("_draft", "not even Python", False),
    ],
)
def test_a_code_is_used_once_and_a_draft_is_left_alone(name: str, source: str, refused: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{name}.py").write_text(source)
        rules.__path__.append(folder)
        try:
            if refused:
                with pytest.raises(RuntimeError, match=r"^two rule files use the same code$"):
                    read_anew()
            else:
                assert len(read_anew()) == len(KNOWN)
        finally:
            rules.__path__.remove(folder)
