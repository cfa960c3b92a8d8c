import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules import all_rules
from baclofen_rules.findings import DetectedIssue, Dur
from baclofen_rules.medicines import Medicine, classes_of, interaction_classes, is_near, names_baclofen, table, words

NAMES = sorted({" ".join(name) for interaction in interaction_classes().values() for name in interaction.names})


def codes(name=None, atc=None):
    return classes_of(Medicine(name, atc))[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_found_in_any_case_and_with_any_accent(name):
    plain = codes(name)
    assert plain
    accented = "".join(f"{letter}\u0301" if letter in "aeiou" else letter for letter in name)
    for spelling in (name.upper(), name.title(), f"{name} 10 mg tablets", unicodedata.normalize("NFC", accented)):
        assert set(plain) <= set(codes(spelling)), spelling


def test_no_name_means_a_class_and_no_class():
    class_words = {
        word
        for interaction in interaction_classes().values()
        for name in interaction.names
        if len(name) == 1
        for word in name
    }
    assert not class_words & table().harmless
    assert not class_words & table().packaging
    assert not class_words & table().baclofen


@pytest.mark.parametrize("interaction", interaction_classes().values(), ids=lambda interaction: interaction.code)
def test_a_class_is_told_in_full(interaction):
    assert interaction.code.startswith("interaction-")
    assert interaction.code in {rule.code for rule in all_rules()}
    assert Dur(interaction.dur)
    assert DetectedIssue(interaction.detected_issue)
    assert interaction.mark in "CFKD"
    assert interaction.where
    assert len(interaction.effect) < 64
    assert all(prefix[:3] in table().atc_groups for prefix in (*interaction.atc, *interaction.not_atc))


def test_a_name_inside_of_another_word_is_no_name():
    assert codes("Somatropin") == ()
    assert codes("Lithiumless") == ()


def test_words_have_one_spelling():
    assert words("  Épilim\u00ae Chrono 500mg (Œdème-ß) ") == ("epilim", "chrono", "mg", "oedeme", "ss")


@pytest.mark.parametrize(
    ("word", "near"),
    [
        ("baclofen", True),
        ("baklofen", True),
        ("baclofenn", True),
        ("bacofen", True),
        ("baclophen", True),
        ("baclfn", True),
        ("baclon", True),
        ("heat", False),
        ("ibuprofen", False),
        ("backfire", False),
        ("bacon", False),
    ],
)
def test_a_misspelt_allergy_is_the_allergy(word, near):
    assert names_baclofen(f"allergic to {word}") is near


@given(st.text(max_size=12), st.sampled_from(["lioresal", "baclofen"]))
def test_nearness_is_never_further_than_two_letters(word, name):
    if is_near(word, name):
        assert abs(len(word) - len(name)) <= 2


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_classified_or_not_and_never_raises(name, atc):
    classes, is_known, _ = classes_of(Medicine(name or None, atc or None))
    assert is_known or not classes
    assert isinstance(names_baclofen(name), bool)
