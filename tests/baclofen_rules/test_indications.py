"""The indication of an order: codes and words of the table, in five languages."""

import pytest

from baclofen_rules.facts import Indication
from baclofen_rules.indications import choose_use, read_uses, uses
from baclofen_rules.medicines import own_medicine, words

ICD = "http://hl7.org/fhir/sid/icd-10"
SCT = "http://snomed.info/sct"
ALCOHOL, SPASTICITY, OTHER = Indication.ALCOHOL_DEPENDENCE, Indication.SPASTICITY, Indication.OTHER


@pytest.mark.parametrize(
    ("system", "code", "use"),
    [
        (ICD, "F10.2", ALCOHOL),
        (ICD, "f102", ALCOHOL),
        ("http://hl7.org/fhir/sid/icd-10-cm", "F10.230", ALCOHOL),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm", "F10.3", ALCOHOL),
        ("urn:oid:2.16.840.1.113883.6.90", "F10.20", ALCOHOL),
        (ICD, "F10.1", OTHER),
        (ICD, "F10", OTHER),
        (ICD, "F11.2", None),
        (ICD, "F1", None),
        (SCT, "7200002", ALCOHOL),
        (SCT, "66590003", ALCOHOL),
        (SCT, "665900031", None),
        ("", "66590003", None),
        (ICD, "66590003", None),
        (ICD, "G35", SPASTICITY),
        (ICD, "G80.0", SPASTICITY),
        (ICD, "M62.838", SPASTICITY),
        (ICD, "M62.81", None),
        (ICD, "R25.2", SPASTICITY),
        (ICD, "R25.1", None),
        (SCT, "24700007", SPASTICITY),
        (SCT, "221360009", SPASTICITY),
        (ICD, "R06.6", OTHER),
        (ICD, "G50.0", OTHER),
        (ICD, "G50.1", None),
    ],
)  # fmt: skip
def test_a_code_names_a_use_or_none(system: str, code: str, use: Indication | None) -> None:
    assert read_uses([(system, code)], [], own_medicine()) == ({use} if use else set())


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("Alcohol dependence", ALCOHOL),
        ("alcohol-dependence", ALCOHOL),
        ("Severe alcohol use disorder (AUD)", ALCOHOL),
        ("Alkoholabhängigkeit", ALCOHOL),
        ("dépendance à l'alcool", ALCOHOL),
        ("alcoolo-dépendance", ALCOHOL),
        ("Dependencia del alcohol", ALCOHOL),
        ("dipendenza da alcol", ALCOHOL),
        ("alcohol", None),
        ("no alcohol dependence", None),
        ("history of alcoholism", None),
        ("Spasticity due to multiple sclerosis", SPASTICITY),
        ("Spastik bei MS", SPASTICITY),
        ("spasticité", SPASTICITY),
        ("Espasticidad", SPASTICITY),
        ("bronchospasm", None),
        ("plastic", None),
        ("intractable hiccups", OTHER),
        ("douleur neuropathique", OTHER),
        ("medication review", None),
        ("", None),
    ],
)
def test_words_name_a_use_or_none(text: str, use: Indication | None) -> None:
    assert read_uses([], [text], own_medicine()) == ({use} if use else set())


def test_what_codes_and_words_name_is_joined() -> None:
    assert read_uses([(ICD, "G35"), ("urn:own", "x")], ["alcoholism", "unwell"], own_medicine()) == {
        ALCOHOL,
        SPASTICITY,
    }


@pytest.mark.parametrize(
    ("named", "use"),
    [
        ([], None),
        ([ALCOHOL], ALCOHOL),
        ([OTHER], OTHER),
        ([ALCOHOL, SPASTICITY], SPASTICITY),
        ([OTHER, SPASTICITY], SPASTICITY),
        ([ALCOHOL, OTHER], OTHER),
    ],
)
def test_one_use_of_several_is_read(named: list[Indication], use: Indication | None) -> None:
    assert choose_use(named) == use


def test_every_phrase_of_the_table_is_as_words_are_read_and_stands_once() -> None:
    phrases = uses(own_medicine()).by_words
    assert [phrase for phrase in phrases if words(" ".join(phrase)) != phrase] == []
    assert not [phrase for phrase in phrases if not uses(own_medicine()).denying.isdisjoint(phrase)]
