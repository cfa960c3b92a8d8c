"""The folder of rules is all there is: nothing is registered anywhere else."""

import inspect
import re
import sys
import tempfile
from dataclasses import fields, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Action, all_rules, load_profile, rule_by_code, rules
from baclofen_rules import rulebook as rulebook_module
from baclofen_rules.extensions import InvalidExtension
from baclofen_rules.medicines import BACLOFEN, interaction_classes, own_medicine, words
from baclofen_rules.rule import EVERY_MEDICINE, NoLimits, Rule
from baclofen_rules.rules import ceiling, interactions
from baclofen_rules.shared_limits import SharedLimits

RULES = all_rules()


def read_anew() -> tuple[Rule[Any], ...]:
    """The folder as it stands, not as it was read when the package was imported."""
    return all_rules.__wrapped__()


def content(rule: Rule[Any]) -> list[Any]:
    """All fields of a rule, with the functions of a family taken apart."""
    values = [getattr(rule, field.name) for field in fields(rule)]
    return [(value.func, value.args) if isinstance(value, partial) else value for value in values]


def test_the_folder_reads_the_same_each_time() -> None:
    assert [content(rule) for rule in read_anew()] == [content(rule) for rule in RULES]


def test_rules_that_switch_others_off_come_first_and_then_by_code() -> None:
    codes = [rule.code for rule in read_anew()]
    assert codes[:2] == ["route", "unit"]
    assert codes[2:] == sorted(codes[2:])
    assert set(interaction_classes()) < set(codes)


def test_every_number_that_a_pharmacist_signs_says_what_it_is() -> None:
    places = [f"terms.{made.name}" for made in fields(SharedLimits)]
    places += [f"rules.{rule.code}.{made.name}" for rule in RULES for made in fields(rule.limits)]
    assert [place for place in places if not rulebook_module.limit_words(place)] == []
    assert rulebook_module.limit_words("rules.taper-step.of_yesterday") == ""


def test_a_rule_says_which_medicines_it_serves() -> None:
    with pytest.raises(TypeError, match="serves"):
        Rule(code="x", limits=NoLimits, check=ceiling.check, explain=ceiling.explain, text="X.")  # type: ignore[call-arg]  # what is tested: it cannot be made without
    for rule in RULES:
        assert rule.serves == EVERY_MEDICINE or set(rule.serves) <= {BACLOFEN}, rule.code
    generic = [rule for rule in RULES if rule.is_for("another medicine")]
    assert 20 < len(generic) < len(RULES)
    assert all(rule.is_for(BACLOFEN) for rule in RULES)


def test_a_rule_of_another_medicine_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = load_profile("lioresal")
    serving = tuple(
        replace(rule, serves=("another medicine",)) if rule.code == "usual-range" else rule for rule in RULES
    )
    monkeypatch.setattr(rulebook_module, "all_rules", lambda: serving)
    sections = {code: section for code, section in profile.sections.items() if code != "usual-range"}
    book = rulebook_module.rulebook(replace(profile, sections=sections), date(2026, 11, 22))
    asked = {bound.rule.code for bound in book.rules[Action.DISPENSE]}
    assert "usual-range" not in asked
    assert "daily-maximum" in asked


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule.serves == EVERY_MEDICINE], ids=lambda rule: rule.code)
def test_a_rule_of_every_medicine_names_none(rule: Rule[Any]) -> None:
    source = inspect.getsource(sys.modules[rule.check.__module__])
    written = re.sub(r"\bbaclofen_rules\b", "", source)
    assert own_medicine().names.isdisjoint(words(written))


def test_a_file_gives_its_rule() -> None:
    assert rule_by_code("ceiling") is ceiling.RULE
    with pytest.raises(KeyError):
        rule_by_code("interaction-tea")


def test_a_file_may_give_a_rule_for_each_of_several_codes() -> None:
    rule = rule_by_code("interaction-opioid")
    assert rule in interactions.RULES
    assert isinstance(rule.check, partial) and isinstance(rule.explain, partial)
    assert (rule.check.func, rule.check.args) == (interactions.check, ("interaction-opioid",))
    assert (rule.explain.func, rule.explain.args) == (interactions.explain, ("interaction-opioid",))


@pytest.mark.parametrize(
    ("name", "source", "refused"),
    [
        ("another_age", "from baclofen_rules.rules.age import RULE\n", True),
        ("_draft", "not even Python", False),
    ],
)
def test_a_code_is_used_once_and_a_draft_is_left_alone(name: str, source: str, refused: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / f"{name}.py").write_text(source)
        rules.__path__.append(folder)
        try:
            if refused:
                with pytest.raises(InvalidExtension, match=r"^two rule files use the same code: "):
                    read_anew()
            else:
                assert len(read_anew()) == len(RULES)
        finally:
            rules.__path__.remove(folder)
