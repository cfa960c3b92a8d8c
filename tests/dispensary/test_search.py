"""A patient is found by what a person types: in any spelling, by any of the numbers that stand on paper."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from dispensary import search
from dispensary.actions import consent
from dispensary.actors import Actor
from dispensary.errors import InvalidInput
from dispensary.handover import order_number
from dispensary.models import Medium, Patient, PatientSearchKey, Pharmacy, Prescriber
from dispensary.search import find_labelled_orders, find_patients, find_prescribers, read_birth_dates
from tests.dispensary import make
from tests.dispensary.make import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop() -> Pharmacy:
    return make.pharmacy()


def found(shop: Pharmacy, words: str) -> set[str]:
    return set(find_patients(shop, words).values_list("family_name", flat=True))


@pytest.mark.parametrize(
    ("family", "given", "spellings"),
    [
        ("Núñez", "Ana María", ["Nunez", "NUÑEZ", "Nu\u0301n\u0303ez", "maria nunez", "ana mar", "nuñez, ana", "nun"]),
        ("Müller", "Jörg", ["Muller", "mueller", "MÜLLER", "jorg muller", "Joerg"]),
        ("O'Brien", "Sinéad", ["O’Brien", "OBrien", "o brien", "obri", "brien", "sinead o'b"]),
        ("Nguyễn", "Thị Hoa", ["Nguyen", "nguyen thi hoa", "hoa nguyen", "Nguyễn"]),
        ("Łukaszewski", "Stanisław", ["lukasz", "Stanislaw Ł", "lukaszewski"]),
        ("Şahin", "İnan", ["sahin", "inan", "SAHIN İNAN"]),
        ("García-López", "Anne‐Marie", ["Garcia Lopez", "garcia‑lopez", "lopez", "annemarie", "anne marie gar"]),
        ("de la Cruz", "J. P.", ["cruz", "De La Cruz", "la cruz j", "j p cruz"]),
        ("Strauß", "Øyvind", ["strauss", "STRAUSS", "oyvind", "Strauß"]),
        ("欧阳", "娜娜", ["欧阳", "娜娜", "欧阳娜娜", "欧阳 娜娜"]),
        ("محمد", "علي", ["محمد", "علي محمد"]),
    ],
)
def test_a_name_is_found_as_people_type_it(shop: Pharmacy, family: str, given: str, spellings: list[str]) -> None:
    make.patient(shop, family_name="Somebody", given_name="Else")
    make.patient(shop, family_name=family, given_name=given)
    for spelling in spellings:
        assert found(shop, spelling) == {family}, spelling


@pytest.mark.parametrize("words", ["", " ", "%", "_", "'", "-", "#", "zzz", "okafor zzz", "ad oka zz"])
def test_what_names_nobody_finds_nobody(shop: Pharmacy, words: str) -> None:
    make.patient(shop)
    assert found(shop, words) == set()


@pytest.mark.parametrize("find", [find_patients, find_prescribers, find_labelled_orders])
@pytest.mark.parametrize("words", ["Oka\x00for", "Oka\ud800", "Oka\u202efor"])
def test_characters_that_no_name_has_are_refused_in_words(shop: Pharmacy, words: str, find: Any) -> None:
    with pytest.raises(InvalidInput, match="an invisible character"):
        find(shop, words)


@pytest.mark.parametrize("words", ["NHS 943 476 5919", "nhs943-4765919", "NHS-943-476-5919"])
def test_a_whole_number_is_found_however_it_is_spaced(shop: Pharmacy, words: str) -> None:
    make.patient(shop, identifier="NHS-943-476-5919")
    assert found(shop, words) == {"Okafor"}
    assert found(shop, words[:-1]) == set()


@pytest.mark.parametrize(
    ("words", "days"),
    [
        ("1968-02-17", {date(1968, 2, 17)}),
        ("17.2.1968", {date(1968, 2, 17)}),
        ("17/02/1968", {date(1968, 2, 17)}),
        ("17 Feb 1968", {date(1968, 2, 17)}),
        ("Sat 17 february 1968", {date(1968, 2, 17)}),
        ("03/04/1968", {date(1968, 4, 3), date(1968, 3, 4)}),
        ("31.2.1968", set()),
        ("17 Foo 1968", set()),
        ("17-02", set()),
    ],
)
def test_a_birth_date_is_read_in_the_ways_it_is_written(words: str, days: set[date]) -> None:
    assert read_birth_dates(f"okafor {words}")[0] == days


def test_a_birth_date_finds_alone_and_narrows_a_name(shop: Pharmacy) -> None:
    make.patient(shop, family_name="Smith", birth_date="1968-02-17")
    make.patient(shop, family_name="Smith-Jones", birth_date="1970-01-01")
    make.patient(shop, family_name="Brown", birth_date="1968-02-17")
    assert found(shop, "17.02.1968") == {"Smith", "Brown"}
    assert found(shop, "smith 17 Feb 1968") == {"Smith"}
    assert found(shop, "born on 2001-01-01") == set()


@pytest.mark.parametrize("medium", [Medium.SMS, Medium.VOICE, Medium.WHATSAPP])
@pytest.mark.parametrize("words", ["07700 900123", "+44 7700 900123", "(07700) 900-123"])
def test_a_telephone_number_finds_its_patients(shop: Pharmacy, words: str, medium: Medium) -> None:
    patient = make.patient(shop)
    by = Actor.system("setup", shop.pk)
    contact = consent.add_contact(patient=patient, medium=medium, address="+447700900123", by=by, now=NOW)
    assert found(shop, words) == {"Okafor"}
    assert found(make.pharmacy("Elsewhere"), words) == set()
    consent.retire_contact(contact=contact, by=by, now=NOW)
    assert found(shop, words) == set()


def test_the_number_on_a_label_finds_its_order_and_patient(shop: Pharmacy) -> None:
    order = make.prescription(make.patient(shop))
    for words in (order_number(order), order_number(order).lower(), f"{order_number(order)}|1", str(order.pk)):
        assert find_labelled_orders(shop, words).get() == order
        assert found(shop, words) == {"Okafor"}
    assert not find_labelled_orders(make.pharmacy("Elsewhere"), order_number(order)).exists()
    assert found(shop, order_number(order)[:-1]) == set()


def test_more_patients_than_can_be_looked_at_are_asked_about(shop: Pharmacy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST", 2)
    for given in ("Ann", "Bea", "Cid"):
        make.patient(shop, given_name=given)
    with pytest.raises(InvalidInput) as caught:
        find_patients(shop, "okafor")
    assert caught.value.problems[0].next
    assert found(shop, "okafor ann") == {"Okafor"}


def test_a_name_with_a_common_birth_date_is_found(shop: Pharmacy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST", 2)
    for given in ("Ann", "Bea", "Cid"):
        make.patient(shop, given_name=given, birth_date="1970-01-01")
    assert len(find_patients(shop, "okafor cid 1970-01-01")) == 1
    with pytest.raises(InvalidInput):
        find_patients(shop, "1970-01-01")


def test_nobody_is_found_from_another_pharmacy(shop: Pharmacy) -> None:
    make.patient(make.pharmacy("Elsewhere"), identifier="P-1", birth_date="1968-02-17")
    for words in ("okafor", "P-1", "1968-02-17"):
        assert found(shop, words) == set()


def test_a_very_long_name_has_keys_that_an_index_can_hold(shop: Pharmacy) -> None:
    patient = make.patient(shop, family_name="\ufdfa" * 120, given_name="a " * 59 + "a")
    longest = max(len(key.key.encode()) for key in PatientSearchKey.objects.filter(patient=patient))
    assert longest < 2000
    assert Patient.objects.count() == 1


@pytest.mark.parametrize("words", ["Muller", "mueller", "MÜLLER jorg", "o'neill", "oneill", "O NEILL", "c77"])
def test_a_prescriber_is_found_in_any_spelling_and_by_number(shop: Pharmacy, words: str) -> None:
    make.prescriber(shop, name="Dr Jörg Müller-O’Neill", identifier="C77")
    make.prescriber(shop, name="Dr Grey")
    assert [row.name for row in find_prescribers(shop, words.replace("c77", "C77"))] == ["Dr Jörg Müller-O’Neill"]


def test_a_prescriber_whom_an_earlier_release_writes_is_found_by_number(shop: Pharmacy) -> None:
    recorded = make.prescriber(shop, name="Dr Grey", identifier="C77")
    Prescriber.objects.filter(pk=recorded.pk).update(number_key="")
    assert list(find_prescribers(shop, "C77")) == [recorded]


@pytest.mark.parametrize("words", ["ruller", "oneill grey", "muller !& x", "' | '", "müller:*'"])
def test_a_prescriber_is_not_found_by_other_words(shop: Pharmacy, words: str) -> None:
    make.prescriber(shop, name="Dr Jörg Müller-O’Neill", identifier="C77")
    make.prescriber(shop, name="Dr Grey")
    assert [row.name for row in find_prescribers(shop, words)] == (["Dr Jörg Müller-O’Neill"] if ":" in words else [])


@pytest.mark.parametrize(
    ("name", "words"),
    [("Dr. 山田太郎", "山田"), ("ডাঃ সেন", "সে"), ("Nguyễn Thị Hoa", "nguyen hoa"), ("O'Neill-Grey 2nd", "2n")],
)
def test_a_prescriber_of_any_script_is_found_by_beginnings(shop: Pharmacy, name: str, words: str) -> None:
    make.prescriber(shop, name=name)
    assert [row.name for row in find_prescribers(shop, words)] == [name]


def test_no_word_of_a_name_finds_no_prescriber(shop: Pharmacy) -> None:
    make.prescriber(shop, name="Dr Grey")
    assert not find_prescribers(shop, "...")
