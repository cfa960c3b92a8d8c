"""The product of an order or pack as its words say it: the medicine, the form and the route, read by whole words (the table of the medicine)."""

from enum import Enum, auto
from functools import cache, lru_cache
from typing import Final, NamedTuple

from baclofen_rules.medicines import Form, OwnMedicine, find_other_medicine, plain_atc, plain_letters, read_table, words

INJECTION: Final = "injection"
MODIFIED_RELEASE: Final = "modified-release"


class OrderedMedicine(NamedTuple):
    """The medicine of an order or a pack: a name, an ATC code, or both, and codes of other systems."""

    name: str | None
    atc: str | None = None
    codes: tuple[tuple[str, str], ...] = ()
    """Pairs of system and code."""


class ProductName(NamedTuple):
    """The reading of a product's name."""

    is_own: bool
    other: str | None
    """The words that name another medicine."""
    form: Form | None
    """The form that the name tells, where it is no plain tablet."""


class Identity(Enum):
    """The medicine of a product: the one of the rules, another, or none that is named."""

    OWN = auto()
    OTHER = auto()
    UNKNOWN = auto()


class Words(NamedTuple):
    """The words of tablets and routes, whatever the medicine."""

    tablet: frozenset[str]
    plain: frozenset[str]
    oral: frozenset[str]
    intrathecal: frozenset[str]
    intrathecal_words: frozenset[str]


@cache
def product_words() -> Words:
    """The words of products, read once."""
    content = read_table("forms")
    return Words(
        tablet=frozenset(content["tablet"]["tablet"]),
        plain=frozenset(content["tablet"]["plain"]),
        oral=frozenset(content["route"]["oral"]),
        intrathecal=frozenset(content["route"]["intrathecal"]),
        intrathecal_words=frozenset(content["route"]["intrathecal_words"]),
    )


@lru_cache(maxsize=4096)
def read_product_name(name: str, own: OwnMedicine) -> ProductName:
    """Return what the words of a name or a brand say."""
    name_words = words(name)
    spaced = f" {' '.join(name_words)} "
    other = next((relative for relative in own.relatives if f" {relative} " in spaced), None)
    if other is None:
        plain_name = plain_letters(name)
        place = find_other_medicine(plain_name, own)
        other = None if place is None else plain_name[slice(*place)]
    return ProductName(not own.names.isdisjoint(name_words), other, _find_form(name_words, own))


@lru_cache(maxsize=1024)
def names_tablet(name: str) -> bool:
    """Return whether a word of a name is one for a tablet, in any language."""
    return not product_words().tablet.isdisjoint(words(name))


@lru_cache(maxsize=1024)
def other_form(form: str, own: OwnMedicine) -> str | None:
    """Return in words what a form is, where it is not a plain tablet."""
    vocabulary, form_words = product_words(), words(form)
    named = _find_form(form_words, own)
    if named is not None:
        return named.title
    plain = vocabulary.plain | vocabulary.tablet | own.names
    is_tablet = not vocabulary.tablet.isdisjoint(form_words) and plain.issuperset(form_words)
    return None if is_tablet else "no form known here"


@lru_cache(maxsize=1024)
def identify(medicine: OrderedMedicine | None, brand: str | None, own: OwnMedicine) -> tuple[Identity, str]:
    """Return whether a product is the medicine of the rules, with the text that says it is not.

    A name that does not hold it as a whole word is another medicine; a brand is one only where it names one, since
    it may be a maker's name. A modified-release form is another product than the tablets of the rules.
    """
    is_own = False
    for text in (None if medicine is None else medicine.name, brand):
        if text is not None:
            product_name = read_product_name(text, own)
            if product_name.other is not None or (
                product_name.form is not None and product_name.form.kind == MODIFIED_RELEASE
            ):
                return Identity.OTHER, text
            is_own = is_own or product_name.is_own
    if medicine is None:
        return (Identity.OWN if is_own else Identity.UNKNOWN), ""
    if medicine.name is not None and not read_product_name(medicine.name, own).is_own:
        return Identity.OTHER, medicine.name
    atc = "" if medicine.atc is None else plain_atc(medicine.atc)
    if not own.atc.startswith(atc):
        return Identity.OTHER, atc
    codes = [code for _, code in medicine.codes]
    if is_own or atc == own.atc or not own.codes.isdisjoint(codes):
        return Identity.OWN, ""
    return Identity.OTHER, ", ".join([atc, *codes] if atc else codes)


@lru_cache(maxsize=4096)
def names_injected_form(name: str, own: OwnMedicine) -> bool:
    """Return whether a medicine of the patient is the one of the rules, from a pump or by injection."""
    product_name = read_product_name(name, own)
    is_injection = product_name.form is not None and product_name.form.kind == INJECTION
    return product_name.is_own and (is_injection or names_intrathecal(name, own))


@lru_cache(maxsize=4096)
def names_other_oral_form(name: str, own: OwnMedicine) -> bool:
    """Return whether a medicine of the patient is the one of the rules by mouth, in another form than plain tablets, or a relative of it."""
    product_name = read_product_name(name, own)
    is_relative = product_name.other in own.relatives
    return is_relative or (product_name.is_own and product_name.form is not None and not names_injected_form(name, own))


@lru_cache(maxsize=1024)
def is_oral(route: str) -> bool:
    """Return whether a route is by mouth."""
    return " ".join(plain_letters(route).split()) in product_words().oral


@lru_cache(maxsize=1024)
def is_intrathecal(route: str) -> bool:
    """Return whether a route, or a site given for one, is the space around the spinal cord."""
    vocabulary = product_words()
    return " ".join(route.casefold().split()) in vocabulary.intrathecal or not vocabulary.intrathecal_words.isdisjoint(
        words(route)
    )


@lru_cache(maxsize=1024)
def names_intrathecal(name: str, own: OwnMedicine) -> bool:
    """Return whether a name is that of a product for the space around the spinal cord: by its words, or by a brand of injections."""
    name_words = words(name)
    injections = next(form for form in own.forms if form.kind == INJECTION)
    return not (product_words().intrathecal_words | injections.brands | {"pump"}).isdisjoint(name_words)


def _find_form(text_words: tuple[str, ...], own: OwnMedicine) -> Form | None:
    text_word_set = frozenset(text_words)
    return next(
        (
            form
            for form in own.forms
            if not text_word_set.isdisjoint(form.words) or not text_word_set.isdisjoint(form.brands)
        ),
        None,
    )
