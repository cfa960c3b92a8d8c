import tomllib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules import all_rules
from baclofen_rules.findings import DetectedIssue, Dur
from baclofen_rules.medicines import (
    Medicine,
    classes_of,
    interaction_classes,
    is_near,
    names_own_medicine,
    table,
    words,
)
from tests.tables import check_rows

NAMES = sorted({" ".join(name) for interaction in interaction_classes().values() for name in interaction.names})


CODES = tomllib.loads((Path(__file__).parent / "atc_codes.toml").read_text(encoding="utf-8"))


def codes(name=None, atc=None):
    return classes_of(Medicine(name, atc))[0]


@pytest.mark.parametrize("interaction", interaction_classes().values(), ids=lambda interaction: interaction.code)
def test_every_name_is_found_in_any_case_and_with_any_accent(interaction):
    def check(name):
        plain = codes(name)
        assert plain
        accented = "".join(f"{letter}\u0301" if letter in "aeiou" else letter for letter in name)
        for spelling in (name.upper(), name.title(), f"{name} 10 mg tablets", unicodedata.normalize("NFC", accented)):
            assert set(plain) <= set(codes(spelling)), spelling

    check_rows(check, ((" ".join(name),) for name in sorted(interaction.names)))


def test_a_code_finds_what_the_name_finds():
    def check(name, atc):
        assert set(codes(name)) <= set(codes(atc=atc))

    check_rows(check, ((name, atc) for name, listed in CODES.items() for atc in listed))


@given(
    st.sampled_from([*NAMES, "Zorblaxin", "paracetamol"]),
    st.sampled_from([atc for listed in CODES.values() for atc in listed]),
)
def test_a_code_beside_a_name_takes_nothing_away(name, atc):
    assert set(codes(name)) <= set(codes(name, atc))


@pytest.mark.parametrize(
    ("name", "atc"),
    [
        ("quetiapine", "N05AH04"),
        ("olanzapine", "N05AH03"),
        ("haloperidol", "N05AD01"),
        ("risperidone", "N05AX08"),
        ("mirtazapine", "N06AX11"),
        ("trazodone", "N06AX05"),
        ("esketamine", "N06AX27"),
        ("melatonin", "N05CH01"),
        ("dexmedetomidine", "N05CM18"),
        ("nabiximols", "N02BG10"),
        ("pramipexole", "N04BC05"),
        ("clonidine", "C02AC01"),
        ("suvorexant", "N05CJ01"),
        ("chloral hydrate", "N05CC01"),
        ("buspirone", "N05BE01"),
        ("metoclopramide", "A03FA01"),
        ("paracetamol with a sedative", "N02BE71"),
    ],
)
def test_other_medicines_that_cause_drowsiness_are_one_class(name, atc):
    assert "interaction-other-sedative" in codes(atc=atc)
    assert "interaction-other-sedative" in codes(name, atc)


@pytest.mark.parametrize(
    "atc", ["N05AN01", "N05CM20", "N02BE01", "N06AB06", "N01AH01", "N01BB02", "N04BA02", "N05BX05"]
)
def test_medicines_beside_them_are_not_of_that_class(atc):
    assert "interaction-other-sedative" not in codes(atc=atc)


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
    assert not class_words & table().own_names


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
    assert names_own_medicine(f"allergic to {word}") is near


@given(st.text(max_size=12), st.sampled_from(["lioresal", "baclofen"]))
def test_nearness_is_never_further_than_two_letters(word, name):
    if is_near(word, name):
        assert abs(len(word) - len(name)) <= 2


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_classified_or_not_and_never_raises(name, atc):
    classes, is_known, _ = classes_of(Medicine(name or None, atc or None))
    assert is_known or not classes
    assert isinstance(names_own_medicine(name), bool)
