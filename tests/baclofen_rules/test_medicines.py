import tomllib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baclofen_rules import all_rules, medicines
from baclofen_rules.findings import DetectedIssue, Dur
from baclofen_rules.medicines import (
    BACLOFEN,
    Medicine,
    classes_of,
    classify,
    depressant_codes,
    find_other_medicine,
    interaction_classes,
    is_near,
    names_of_classes,
    names_own_medicine,
    own_medicine,
    table,
    words,
)
from tests.tables import check_rows

NAMES = sorted({" ".join(name) for interaction in interaction_classes().values() for name in interaction.names})


CODES = tomllib.loads((Path(__file__).parent / "atc_codes.toml").read_text(encoding="utf-8"))


def codes(name=None, atc=None):
    return classes_of(Medicine(name, atc), own_medicine())[0]


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
    assert not class_words & own_medicine().names


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
    assert names_own_medicine(f"allergic to {word}", own_medicine()) is near


@given(st.text(max_size=12), st.sampled_from(["lioresal", "baclofen"]))
def test_nearness_is_never_further_than_two_letters(word, name):
    if is_near(word, name):
        assert abs(len(word) - len(name)) <= 2


@given(st.text(max_size=30), st.text(max_size=10))
def test_any_text_is_classified_or_not_and_never_raises(name, atc):
    classes, is_known, _ = classes_of(Medicine(name or None, atc or None), own_medicine())
    assert is_known or not classes
    assert isinstance(names_own_medicine(name, own_medicine()), bool)


def test_the_tables_are_read_as_they_are_written():
    folder = Path(medicines.__file__).parent
    content, own = (
        tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8")) for name in ("classes", BACLOFEN)
    )
    read, medicine = medicines.table.__wrapped__(), own_medicine()
    assert [*read.classes] == [row["code"] for row in content["class"]]
    for row in content["class"]:
        medicine_class = read.classes[row["code"]]
        plain = ("code", "title", "effect", "mechanism", "advice", "dur", "detected_issue", "mark", "source", "where")
        assert {name: getattr(medicine_class, name) for name in plain} == {name: row[name] for name in plain}
        assert (medicine_class.atc, medicine_class.not_atc) == (tuple(row["atc"]), tuple(row.get("not_atc", ())))
        assert medicine_class.names == {words(name) for name in row["names"]}
        assert medicine_class.is_depressant is row.get("is_depressant", False)
        assert all(medicine_class.code in read.by_name[name] for name in medicine_class.names)
    assert sum(map(len, read.by_name.values())) == sum(
        len(medicine_class.names) for medicine_class in read.classes.values()
    )
    assert read.longest_name == max(map(len, read.by_name))
    assert (medicine.atc, medicine.interaction_class) == (own["medicine"]["atc"], own["medicine"]["class"])
    assert medicine.names == {word for name in own["medicine"]["names"] for word in words(name)}
    assert medicine.allergens == tuple((frozenset(row["brands"]), frozenset(row["words"])) for row in own["allergen"])
    assert read.harmless == {word for name in content["no_class"]["names"] for word in words(name)}
    assert (read.packaging, read.atc_groups) == (set(content["packaging"]["words"]), set(content["atc"]["groups"]))
    assert read.stems.fullmatch("zorbazepam")
    assert not read.stems.fullmatch("zorba")


def test_a_list_of_medicines_is_put_into_classes_with_the_names_as_given():
    listed = [
        Medicine("Morphine 10 mg", None),
        Medicine(None, "N02AA05"),
        Medicine("Zorblaxin", None),
        Medicine("baclofen", None),
        Medicine("paracetamol", None),
        Medicine("diazepam", "N05BA01"),
    ]
    by_code, unclassified = classify(listed, own_course=True, own=own_medicine())
    assert by_code == {
        "interaction-opioid": ("Morphine 10 mg", "N02AA05"),
        "interaction-benzodiazepine": ("diazepam",),
    }
    assert unclassified == ("Zorblaxin",)
    without_course, _ = classify(listed, own_course=False, own=own_medicine())
    assert without_course["interaction-muscle-relaxant"] == ("baclofen",)
    assert names_of_classes(by_code, ("interaction-benzodiazepine", "interaction-lithium", "interaction-opioid")) == (
        "diazepam",
        "Morphine 10 mg",
        "N02AA05",
    )
    assert names_of_classes({"a": ("x", "y"), "b": ("y",)}, ("a", "b")) == ("x", "y")


def test_which_classes_are_counted_as_depressants():
    counted = depressant_codes()
    assert {"interaction-opioid", "interaction-benzodiazepine"} <= set(counted)
    assert "interaction-antihypertensive" not in counted


@pytest.mark.parametrize(
    ("text", "expected_name"),
    [
        ("take tizanidine 4 mg", "tizanidine"),
        ("give sodium oxybate at night", "sodium oxybate"),
        ("ibuprofen with food", "ibuprofen"),
        ("paracetamol and morphine", "paracetamol"),
        ("baclofen then morphine", "morphine"),
        ("zorbazepam at night", "zorbazepam"),
        ("baclofen 10 mg three times a day", None),
        ("with acid drinks", None),
        ("", None),
    ],
)
def test_another_medicine_in_a_text_is_found_with_its_place(text, expected_name):
    place = find_other_medicine(text, own_medicine())
    assert (None if place is None else text[place[0] : place[1]]) == expected_name


@pytest.mark.parametrize(
    ("name", "atc", "is_classified"),
    [
        ("paracetamol 500 mg tablets", None, True),
        ("paracetamol zorblax", None, False),
        ("tablets", None, False),
        ("", None, False),
        ("Zorblaxin", "N02BE01", True),
        ("Zorblaxin", "n02 be01", True),
        ("Zorblaxin", "N02", False),
        ("Zorblaxin", "C", False),
        (None, "C08", True),
        (None, "Q99AA01", False),
    ],
)
def test_what_is_known_of_a_medicine(name, atc, is_classified):
    assert classes_of(Medicine(name, atc), own_medicine())[1] is is_classified


@pytest.mark.parametrize(
    ("word", "name", "near"),
    [
        ("lyrica", "lyrica", True),
        ("lyrico", "lyrica", False),
        ("baclofen", "baclofen", True),
        ("baklophen", "baclofen", False),
        ("baklofen", "baclofen", True),
        ("baclofenum", "baclofen", True),
        ("baclofenums", "baclofen", False),
        ("aclofe", "baclofen", True),
        ("clofe", "baclofen", False),
        ("bxcxofen", "baclofen", True),
        ("bxcxoxen", "baclofen", False),
    ],
)
def test_a_word_within_two_letters_of_a_long_name_is_near(word, name, near):
    assert is_near(word, name) is near
