"""Coded conditions: what is mapped to which word, how a code may be spelt, and what nobody has mapped."""

import pytest

from baclofen_rules.conditions import (
    ICD_10,
    NO_CONCERN,
    SNOMED,
    STATED_BY_ICD_10,
    STATED_BY_SNOMED,
    condition_of,
    map_conditions,
    statement_of,
)
from baclofen_rules.facts import CodedCondition, Condition

ICD = "http://hl7.org/fhir/sid/icd-10"
SCT = "http://snomed.info/sct"
MEANT = {
    Condition.EPILEPSY: "G40 G41 84757009",
    Condition.PSYCHOTIC_DISORDER: "F20 F22 F23 F25 F28 F29 69322001 58214004",
    Condition.STROKE: "I60 I61 I63 I64 I69 230690007",
    Condition.PARKINSONISM: "G20 G21 G22 49049000",
    Condition.RESPIRATORY_IMPAIRMENT: "J43 J44 J45 J46 J47 J84 J96 13645005 409622000 195967001",
    Condition.AUTONOMIC_DYSREFLEXIA: "G904",
    Condition.SUICIDE_RISK: "R45851",
    Condition.SUBSTANCE_MISUSE: "F10 F11 F12 F13 F14 F15 F19",
    Condition.PEPTIC_ULCER: "K25 K26 K27 K28 13200003",
    Condition.LIVER_DISEASE: "K70 K71 K72 K73 K74 235856003",
    Condition.DEPRESSION: "F32 F33 F341 35489007",
    Condition.MANIA: "F30 F31 13746004",
    Condition.SLEEP_APNOEA: "G473 73430006 78275009",
    Condition.PORPHYRIA: "E800 E801 E802 418470004",
    Condition.URINARY_RETENTION: "R33 267064002",
    Condition.DIABETES: "E10 E11 E13 E14 73211009 46635009 44054006",
}
"""A second copy of the maps, to be read line by line."""


def test_every_code_means_what_is_written_here_and_no_other_code_is_mapped() -> None:
    written = {code: condition for condition, codes in MEANT.items() for code in codes.split()}
    assert written == {**ICD_10, **SNOMED}
    for code, condition in written.items():
        assert condition_of(CodedCondition(SCT if code.isdigit() else ICD, code)) is condition


@pytest.mark.parametrize(
    ("system", "code", "condition"),
    [
        (ICD, "G40.9", Condition.EPILEPSY),
        (ICD, "G40", Condition.EPILEPSY),
        (ICD, "G4", None),
        (ICD, "G42", None),
        ("ICD10", "g409", Condition.EPILEPSY),
        ("icd-10", "G40", Condition.EPILEPSY),
        (ICD, "G90.4", Condition.AUTONOMIC_DYSREFLEXIA),
        (ICD, "G90.41", Condition.AUTONOMIC_DYSREFLEXIA),
        (ICD, "G90.5", None),
        (ICD, "G90", None),
        (ICD, "R45.851", Condition.SUICIDE_RISK),
        (ICD, "R45.8519", Condition.SUICIDE_RISK),
        (ICD, "R45.850", None),
        (ICD, "R45.85", None),
        ("urn:oid:2.16.840.1.113883.6.3", "K25.4", Condition.PEPTIC_ULCER),
        ("urn:oid:2.16.840.1.113883.6.90", "K25.4", Condition.PEPTIC_ULCER),
        ("urn:oid:2.16.840.1.113883.6.9", "K25.4", None),
        ("urn:oid:2.16.840.1.113883.6.96", "230690007", Condition.STROKE),
        ("urn:oid:2.16.840.1.113883.6.96", "I60", None),
        ("SNOMED CT", "13200003", Condition.PEPTIC_ULCER),
        (SCT, "G40", None),
        (SCT, "132000030", None),
        ("http://hl7.org/fhir/sid/icd-9-cm", "345", None),
        ("local", "G40", None),
    ],
)
def test_a_code_may_be_spelt_in_many_ways_and_is_mapped_or_not(
    system: str, code: str, condition: Condition | None
) -> None:
    assert condition_of(CodedCondition(system, code)) is condition


def test_words_stay_codes_are_mapped_and_the_place_of_what_is_not_is_told() -> None:
    recorded = [
        Condition.STROKE,
        CodedCondition(SCT, "1"),
        CodedCondition(ICD, "K70.3"),
        CodedCondition("local", "G40"),
    ]
    assert map_conditions(recorded) == (frozenset({Condition.STROKE, Condition.LIVER_DISEASE}), (1, 3))
    assert map_conditions([]) == (frozenset(), ())


STATED = {
    ("kidney disease of stage 3", 60, ""): "N183 433144002",
    ("kidney disease of stage 4", 30, ""): "N184 431857002",
    ("kidney failure", 15, ""): "N185 N186 433146000 46177005",
    ("dialysis", None, "dialysis"): "Z992 Z49 105502003",
    ("pregnancy", None, "pregnant"): "Z33 Z34 Z35 Z3A 77386006",
}
"""A second copy of what codes say of other facts."""


def test_codes_state_what_is_written_here_and_count_as_mapped() -> None:
    written = {code: statement for statement, codes in STATED.items() for code in codes.split()}
    assert written == {code: tuple(statement) for code, statement in {**STATED_BY_ICD_10, **STATED_BY_SNOMED}.items()}
    for code in written:
        coded = CodedCondition(SCT if code.isdigit() else ICD, code)
        assert statement_of(coded) is not None
        assert map_conditions([coded]) == (frozenset(), ())


def test_common_codes_that_no_rule_looks_for_are_no_question() -> None:
    assert not NO_CONCERN & {code[:3] for code in (*ICD_10, *STATED_BY_ICD_10)}
    assert map_conditions([CodedCondition(ICD, "G35"), CodedCondition(ICD, "I10")]) == (frozenset(), ())
    assert map_conditions([CodedCondition(SCT, "G35")]) == (frozenset(), (0,))
