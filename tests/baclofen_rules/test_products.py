"""A product is told by whole words, in the languages and spellings that orders and packs arrive in."""

import pytest

from baclofen_rules.medicines import own_medicine
from baclofen_rules.products import (
    Identity,
    OrderedMedicine,
    identify,
    is_intrathecal,
    is_oral,
    names_injected_form,
    names_other_oral_form,
    other_form,
    read_product_name,
)

PLAIN = [
    "Baclofen 10 mg tablets", "BACLOFEN TAB 10MG", "Baclofene 10 mg compresse", "Baclofène Winthrop 10 mg, comprimé sécable",
    "Baclofeno 10 mg comprimidos", "Lioresal 25 mg Tabletten", "Baclofen-neuraxpharm 10 mg", "Baclofen AL 10", "Baklofen 10 mg",
    "Baclofenum", "BACLOFEN®", "pms-Baclofen 10mg", "Pacifen 10mg", "Baclocur 10 mg", "Stelax 10", "Clofen 10",
]  # fmt: skip
OTHER = [
    "Tizanidine 4 mg tablets", "Dantrolene 25 mg capsules", "Sirdalud 2 mg", "Bacitracin", "Beclometasone", "Buclizine", "Bacofen 10 mg",
    "Arbaclofen placarbil", "R-baclofen 10 mg", "(R)-Baclofen", "Baclofen ER 20 mg", "Baclofen XL", "Baclofen prolonged-release tablets",
    "Lioresal SR", "Baclofen/Tizanidine 10/2 mg", "Baclofen 10mg + Paracetamol 500 mg", "Methocarbamol 500", "Clonidine",
]  # fmt: skip
FORMS = {
    "liquid": ["Baclofen 5mg/5ml oral solution", "Fleqsuvy 25 mg/5 mL", "Ozobax DS 10 mg/5 mL", "baclofen oral liquid", "Baclofen Tropfen"],
    "granules": ["Lyvispah 10 mg granules", "Baclofen powder for compounding", "Baclofen 10 mg sachets"],
    "injection": [
        "Baclofen 2 mg/ml solution for infusion", "Lioresal Intrathecal 10 mg/20 mL", "Gablofen 40,000 mcg/20 mL", "Baclofen Spinal 0.5 mg/ml",
        "Lioresal Intrathécal 0,05 mg/1 ml", "Baclofen intratecal", "Baclofen Sintetica Intrathekal", "Baclofeno solución para perfusión",
        "Baclofene soluzione iniettabile", "Baclofen Injektionslösung", "Lioresal Amp.", "ITB",
    ],
    "capsule": ["Baclofen 10 mg hard capsules", "baclofène gélules"],
    "coated": ["Baclofen film-coated tablets 10 mg", "Baclofen Filmtabletten", "Baclocur 20 mg comprimé pelliculé sécable"],
    "dispersible": ["Baclofen orodispersible 10 mg", "Kemstro 10 mg ODT"],
    "other": ["Baclofen cream 5%", "baclofen suppositories"],
}  # fmt: skip
INJECTED = [
    "Gablofen", "baclofen intrathecal infusion", "baclofen pump", "ITB pump", "Baclofenpumpe", "pompe à baclofène", "bomba de baclofeno",
    "Baclofen 0.5 mg/ml intrathekal", "Lioresal Amp.", "Baclofen Ampullen", "baclofen it infusion via pump",
]  # fmt: skip
OTHER_ORAL = ["Fleqsuvy", "Lyvispah", "Ozobax", "baclofen 5 mg/5ml", "Kemstro", "arbaclofen", "baclofen capsules"]
ORAL = [
    "oral",
    "Oral route",
    "per os",
    "p.o.",
    "by mouth",
    "mouth",
    "Oral (PO)",
    "vía oral",
    "voie orale",
    "zum Einnehmen",
]
INTRATHECAL = [
    "IT",
    "i.t.",
    "Intrathecal route",
    "intrathecal space",
    "intratecal",
    "Intrathekal",
    "intrathécale",
    "spinal",
]
NEITHER = [
    "enteral",
    "via PEG",
    "nasogastric",
    "epidural",
    "subcutaneous",
    "PR",
    "sublingual",
    "oral / PEG",
    "in the mouth",
]
TABLETS = [
    "tablet", "Tablets", "TAB", "Tbl", "pill", "Oral tablet", "tablet for oral use", "10mg tablets", "comprimé sécable", "Comprimidos",
    "compressa", "tableta", "Product containing precisely baclofen 10 milligram/1 each conventional release oral tablet",
]  # fmt: skip
NO_PLAIN_TABLETS = [
    "capsule, hard", "Solution for infusion", "Tablet, film coated", "Orodispersible tablet", "gastro-resistant tablet", "soluble tablet",
    "prolonged-release tablet", "oral powder", "granules", "for oral use", "Tablets [UK]", "",
]  # fmt: skip


@pytest.mark.parametrize("name", [*PLAIN, *(name for names in FORMS.values() for name in names)])
def test_baclofen_is_known_by_any_of_its_names(name: str) -> None:
    assert identify(OrderedMedicine(name), None, own_medicine())[0] is Identity.OWN


@pytest.mark.parametrize("name", OTHER)
def test_another_medicine_is_never_taken_for_it(name: str) -> None:
    assert identify(OrderedMedicine(name), None, own_medicine())[0] is Identity.OTHER


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in FORMS.items() for name in names])
def test_a_name_tells_the_form(kind: str, name: str) -> None:
    form = read_product_name(name, own_medicine()).form
    assert form is not None
    assert form.kind == kind


@pytest.mark.parametrize("name", PLAIN)
def test_a_name_of_plain_tablets_tells_no_other_form(name: str) -> None:
    assert read_product_name(name, own_medicine()).form is None


@pytest.mark.parametrize(
    ("name", "is_injected", "is_other_oral"),
    [
        *((name, True, False) for name in INJECTED),
        *((name, False, True) for name in OTHER_ORAL),
        *(
            (name, False, False)
            for name in ("baclofen", "Lioresal 10 mg tablets", "insulin pump", "morphine intrathecal")
        ),
    ],
)
def test_baclofen_among_the_medicines_is_told_by_its_way(name: str, is_injected: bool, is_other_oral: bool) -> None:
    assert (names_injected_form(name, own_medicine()), names_other_oral_form(name, own_medicine())) == (
        is_injected,
        is_other_oral,
    )


@pytest.mark.parametrize(
    ("route", "ways"),
    [
        *((route, (True, False)) for route in ORAL),
        *((route, (False, True)) for route in INTRATHECAL),
        *((route, (False, False)) for route in NEITHER),
    ],
)
def test_a_route_is_by_mouth_or_by_the_spine_or_neither(route: str, ways: tuple[bool, bool]) -> None:
    assert (is_oral(route), is_intrathecal(route)) == ways


@pytest.mark.parametrize(
    ("form", "is_plain"), [*((form, True) for form in TABLETS), *((form, False) for form in NO_PLAIN_TABLETS)]
)
def test_only_plain_tablets_are_plain_tablets(form: str, is_plain: bool) -> None:
    assert (other_form(form, own_medicine()) is None) is is_plain
