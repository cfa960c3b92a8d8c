"""Profiles are evidence: what is not cited, dated or possible is refused with its place."""

import re
import tomllib
import warnings
from datetime import date
from pathlib import Path

import pytest

from baclofen_rules import Case, InvalidProfile, list_profiles, load_profile, review
from baclofen_rules.profiles.compare import differences, value_in_words
from baclofen_rules.rulebook import rulebook
from tests.baclofen_rules.cases import case_of

SHIPPED = Path(load_profile.__code__.co_filename).parent / "profiles"
NAMES = ("lioresal", "uk-smpc", "us-label")
ON = date(2026, 11, 22)

TESTS = Path(__file__).parent.parent


def numbers_of_tables():
    """The second copy of every number, by section and parameter: ``[numbers]`` of each rule's table and of terms.toml."""
    numbers = {}
    for path in (TESTS / "terms.toml", *sorted((TESTS / "rules").glob("*.toml"))):
        table = tomllib.loads(path.read_text(encoding="utf-8")).get("numbers", {})
        numbers |= {f"{path.stem}.{name}": value for name, value in table.items()}
    return numbers


def numbers_of_profile(name):
    """The values of a profile in force on ON in words; and those of them that are no severity."""
    profile = load_profile(name)
    sections = {"terms": profile.terms, **profile.sections}
    values, numbers = {}, set()
    for code, section in sections.items():
        for parameter, dated in section.parameters.items():
            entries = dated.in_force(ON)
            values[f"{code}.{parameter}"] = "; ".join(value_in_words(entry) for entry in entries)
            if entries[0].unit != "severity":
                numbers.add(f"{code}.{parameter}")
    return values, numbers


@pytest.mark.parametrize("name", NAMES)
def test_every_number_is_the_one_in_the_table_of_its_rule(name):
    values, _ = numbers_of_profile(name)
    for place, number in numbers_of_tables().items():
        assert values[place] == (number if isinstance(number, str) else number[name]), place


@pytest.mark.parametrize("name", NAMES)
def test_no_number_goes_without_a_second_look(name):
    _, numbers = numbers_of_profile(name)
    assert numbers - numbers_of_tables().keys() == set(), "write each a second time, in [numbers] of its rule's table"


def test_a_digest_changes_with_the_content_and_not_with_the_layout(site):
    first = load_profile("house", folder=site.folder).digest
    site.change(r"\n\n", "\n\n# a word\n")
    assert load_profile("house", folder=site.folder).digest == first
    site.change(r"value = 75\b", "value = 75.0")
    assert load_profile("house", folder=site.folder).digest == first
    site.change(r"value = 75.0\b", "value = 74")
    assert load_profile("house", folder=site.folder).digest != first


class Site:
    """A site's own folder with one profile, a copy of the Lioresal one with all numbers in one file."""

    def __init__(self, folder):
        self.folder = folder
        self.path = folder / "house.toml"
        text = (SHIPPED / "lioresal.toml").read_text(encoding="utf-8").replace('extends = "base"\n', "")
        base = (SHIPPED / "base.toml").read_text(encoding="utf-8").partition('medicine = "baclofen"\n')[2]
        self.path.write_text(text.replace('name = "lioresal"', 'name = "house"') + base, encoding="utf-8")

    def change(self, pattern, replacement, count=1):
        text = self.path.read_text(encoding="utf-8")
        changed, made = re.subn(pattern, replacement, text, count=count)
        assert made, pattern
        self.path.write_text(changed, encoding="utf-8")


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_a_site_brings_its_own_profile(site):
    assert list_profiles(site.folder) == ("house", *NAMES)
    site.change(r"(max_mg_per_day\]\]\n)value = 100", r"\1value = 90")
    case = Case.from_json(case_of({"takes": ["25+25+25+20 for 28 days"]}))
    codes = {finding.code for finding in review(case, load_profile("house", folder=site.folder)).findings}
    assert "daily-maximum" in codes


@pytest.mark.parametrize(
    ("pattern", "replacement", "place", "expected"),
    [
        (r'format = "baclofen-profile/1"', 'format = "2"', "format", "baclofen-profile/1"),
        (r'name = "house"', 'name = "home"', "name", "house"),
        (r'name = "house"', 'name = "house"\nmedicine = "tizanidine"', "medicine", "baclofen"),
        (r'checker = ".*"', 'checker = "the authors of the RULE BOOK"', "checker", "somebody other"),
        (r"next_review = .*", 'next_review = "soon"', "next_review", "a date"),
        (r"next_review = .*\n", "", "next_review", "a date"),
        (r"\[\[rules.tenfold.factor\]\]", "[[rules.elevenfold.factor]]", "rules.elevenfold", "one of"),
        (r"\[\[rules.tenfold.factor\]\]", "[[rules.tenfold.faktor]]", "rules.tenfold.faktor", "factor"),
        (r"(factor\]\]\n)value = 8", r"\1value = 80", "rules.tenfold.factor.value", "a number from 2 to 10"),
        (r"(factor\]\]\n)value = 8", r"\1value = nan", "rules.tenfold.factor[0].value", "a number"),
        (r"(factor\]\]\n)value = 8", r"\1value = true", "rules.tenfold.factor[0].value", "a number"),
        (r"(factor\]\]\n)value = 8", r'\1value = "none"', "rules.tenfold.factor.value", "a number from 2 to 10"),
        (r"(factor\]\]\n)value = 8", r'\1value = "stop"', "rules.tenfold.factor.value", "a number from 2 to 10"),
        (r"(factor\]\]\nvalue = 8\n)unit = .*", r'\1unit = "mg"', "rules.tenfold.factor.unit", "times"),
        (r"(strengths_mg\]\]\n)value = \[10, 25\]", r"\1value = []", "strengths_mg.value", "a list of numbers"),
        (r"(strengths_mg\]\]\n)value = \[10, 25\]", r"\1value = 10", "strengths_mg.value", "a list of numbers"),
        (r'(strength.severity\]\]\n)value = "stop"', r"\1value = 4", "severity.value", "information"),
        (r'"daily-maximum", ', '"daily-minimum", ', "terms.two_signatures", "codes of rules"),
        (r"(two_signatures\]\]\n)value = .*", r"\1value = 3", "terms.two_signatures.value", "a list of codes"),
        (r"(factor\]\]\n.*\n.*\n.*\n)mark = .*", r'\1mark = "X"', "mark", "C ("),
        (r"(factor\]\]\n.*\n.*\n.*\n)mark = .*\n", r"\1", "mark", "text"),
        (r"source = \"003\"", 'source = "999"', "source", "sources table"),
        (r"where = \".*\"", 'where = ""', "where", "text"),
        (r"(factor\]\]\n)", r"\1colour = 1\n", "colour", "one of value"),
        (r"ages = \[4, 12\]", "ages = [4, 11]", "ages", "without gap or overlap"),
        (r"ages = \[4, 12\]", "ages = [4, 13]", "ages", "without gap or overlap"),
        (r"ages = \[4, 12\]", "ages = [12, 4]", "ages", "low to high"),
        (r"ages = \[12\]", "ages = [12, 90]", "ages", "without an upper age"),
        (r"(ages = \[12\]\n)", r"\1colour = 3\n", "max_mg_per_day[1].colour", "one of"),
        (r"from = (\S+)", r'from = "\1"', "from", "a date"),
        (r"title = ", "title == ", "house.toml", "TOML"),
    ],
)
def test_a_bad_profile_is_refused_with_its_place(site, pattern, replacement, place, expected):
    site.change(pattern, replacement)
    with pytest.raises(InvalidProfile) as refused:
        load_profile("house", folder=site.folder)
    assert place in refused.value.place
    assert "house" in refused.value.place
    assert expected in refused.value.expected
    assert refused.value.given


def test_a_site_may_not_hide_a_shipped_profile(tmp_path):
    (tmp_path / "lioresal.toml").write_text("", encoding="utf-8")
    with pytest.raises(InvalidProfile, match="a name that no profile"):
        list_profiles(tmp_path)
    with pytest.raises(InvalidProfile, match="no such folder"):
        list_profiles(tmp_path / "nowhere")
    with pytest.raises(InvalidProfile, match="one of lioresal, uk-smpc, us-label"):
        load_profile("norwegian")


OWN = """format = "baclofen-profile/1"
extends = "{extends}"
name = "own"
title = "Ours"
author = "A pharmacist"
checker = "Another pharmacist"
next_review = 2027-05-22

[[rules.ceiling.factor]]
value = 3
unit = "times"
from = 2026-01-01
mark = "D"
source = "design"
where = "ours"
"""


def test_a_profile_says_only_what_differs_from_the_one_that_it_extends(tmp_path):
    (tmp_path / "own.toml").write_text(OWN.format(extends="lioresal"), encoding="utf-8")
    own = load_profile("own", folder=tmp_path)
    assert [difference.place for difference in differences(load_profile("lioresal"), own)] == ["ceiling.factor"]
    assert own.digest != load_profile("lioresal").digest


def without(text, section):
    """The text of a profile file without the entries of a section or a number."""
    return re.sub(rf"\[\[{re.escape(section)}(\.\w+)?\]\][^\[]*(?:\[[^\[][^\[]*)*", "", text)


@pytest.mark.parametrize(
    ("section", "places"),
    [
        ("rules.allergy", ("rules.allergy",)),
        ("rules.tenfold", ("rules.tenfold",)),
        ("rules.renal.low_dose_mg_per_day", ("rules.renal.low_dose_mg_per_day",)),
        ("terms.restart_after_days", ("terms.restart_after_days",)),
    ],
)
def test_what_a_profile_does_not_know_comes_from_its_parent_and_is_named(site, section, places):
    site.path.write_text(without(site.path.read_text(encoding="utf-8"), section), encoding="utf-8")
    profile = load_profile("house", folder=site.folder)
    assert (profile.parent, profile.fallbacks) == ("lioresal", places)
    assert differences(load_profile("lioresal"), profile) == ()


def test_the_parent_is_the_shipped_profile_that_is_extended(tmp_path):
    (tmp_path / "own.toml").write_text(OWN.format(extends="uk-smpc"), encoding="utf-8")
    own = load_profile("own", folder=tmp_path)
    assert (own.parent, own.fallbacks) == ("uk-smpc", ())
    assert [load_profile(name).parent for name in NAMES] == ["", "", ""]


def test_a_site_adds_the_tablet_of_its_country(tmp_path):
    more = """
[[rules.strength.strengths_mg]]
value = [5, 10, 25]
unit = "mg"
from = 2023-01-01
mark = "F"
source = "DE1"
where = "PZN 02181224: Lioresal 5 mg"

[sources.DE1]
title = "German price list"
"""
    (tmp_path / "own.toml").write_text(OWN.format(extends="lioresal") + more, encoding="utf-8")
    case = Case.from_json(case_of({"prescription": {"strength_mg": 5}}))
    assert "strength" in {finding.code for finding in review(case, load_profile("lioresal")).findings}
    assert "strength" not in {finding.code for finding in review(case, load_profile("own", folder=tmp_path)).findings}


def test_a_digest_does_not_depend_on_the_file_that_a_number_stands_in(site):
    site.change('name = "house"', 'name = "base"')
    site.path.rename(site.folder / "base.toml")
    (site.folder / "house.toml").write_text(OWN.format(extends="base").replace('"own"', '"house"'), encoding="utf-8")
    beside = load_profile("house", folder=site.folder)
    (site.folder / "base.toml").unlink()
    whole = OWN.format(extends="lioresal").replace('"own"', '"house"')
    (site.folder / "house.toml").write_text(whole, encoding="utf-8")
    assert load_profile("house", folder=site.folder).digest == beside.digest


def test_a_refusal_names_the_file_in_which_the_number_stands(site):
    site.change(r'name = "house"', 'name = "base"')
    site.change(r"(factor\]\]\n)value = 8", r"\1value = true")
    site.path.rename(site.folder / "base.toml")
    (site.folder / "house.toml").write_text(OWN.format(extends="base").replace('"own"', '"house"'), encoding="utf-8")
    with pytest.raises(InvalidProfile, match=r"^base.toml: rules.tenfold.factor\[0\].value: given True"):
        load_profile("house", folder=site.folder)


@pytest.mark.parametrize("extends", ["own", "norwegian"])
def test_a_profile_that_extends_itself_or_an_unknown_one_is_refused(tmp_path, extends):
    (tmp_path / "own.toml").write_text(OWN.format(extends=extends), encoding="utf-8")
    with pytest.raises(InvalidProfile, match="extends: given"):
        load_profile("own", folder=tmp_path)


def test_a_new_value_is_one_dated_entry(site):
    site.change(
        r"(\[\[terms.max_mg_per_day\]\]\n)(value = 100)",
        r'\1value = 80\nunit = "mg/day"\nfrom = 2027-03-01\nages = [12]\nmark = "D"\nsource = "design"\n'
        r'where = "a change"\n\n[[terms.max_mg_per_day]]\n\2',
    )
    profile = load_profile("house", folder=site.folder)
    case = case_of({"takes": ["30+30+30 for 28 days"]})
    before, after = (Case.from_json({**case, "on": day}) for day in ("2027-02-28", "2027-03-01"))
    assert "daily-maximum" not in {finding.code for finding in review(before, profile).findings}
    assert "daily-maximum" in {finding.code for finding in review(after, profile).findings}
    fixed = load_profile("house", on=date(2027, 2, 28), folder=site.folder)
    assert "daily-maximum" not in {finding.code for finding in review(after, fixed).findings}
    assert review(after, fixed).in_force_on == date(2027, 2, 28)


@pytest.mark.parametrize("name", NAMES)
def test_a_day_before_every_number_is_refused(name):
    with pytest.raises(InvalidProfile, match="no number in force"):
        review(
            Case.from_json({**case_of({"prescription": {"written_on": "2001-01-01"}}), "on": "2001-01-02"}),
            load_profile(name),
        )


@pytest.mark.parametrize("name", NAMES)
def test_the_next_review_has_not_passed(name):
    profile = load_profile(name)
    assert not profile.is_due_for_review(profile.next_review)
    assert profile.is_due_for_review(date(2028, 1, 1))
    if profile.is_due_for_review(date.today()):
        warnings.warn(f"the review of profile {name} was due on {profile.next_review}", stacklevel=1)


@pytest.mark.parametrize("name", NAMES)
def test_every_finding_can_be_cited(name):
    book = rulebook(load_profile(name), ON)
    for rules in book.rules.values():
        for bound in rules:
            assert bound.sources, bound.rule.code
            assert all(source.title and source.where for source in bound.sources)


def test_differences_are_said_in_words():
    by_place = {
        difference.place: difference for difference in differences(load_profile("lioresal"), load_profile("us-label"))
    }
    step = by_place["titration-step.max_rise_mg_per_day"]
    assert step.first.startswith("5 mg/day [C: ")
    assert step.second.startswith("under 12 years: none [F: ")
    assert "tenfold.factor" not in by_place
    assert differences(load_profile("lioresal"), load_profile("lioresal")) == ()
