"""Search for patients and orders by what a person types or scans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from uuid import UUID

from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Cast, Right

from dispensary.errors import InvalidInput, Problem
from dispensary.models import (
    ContactPoint,
    Medium,
    Patient,
    PatientSearchKey,
    Pharmacy,
    Prescriber,
    Prescription,
    Product,
)
from dispensary.models.keys import SHOWN
from dispensary.models.patient import SEARCH_CONFIG
from dispensary.models.sealed import address_digest
from dispensary.reminders.opt_outs import ON_A_NUMBER, clean_address
from dispensary.text import clean_line, fold_name, number_key

MOST = 500
"""Patients that one search may match."""
MOST_KEYS = 4 * MOST
"""Keys that are read: a patient may have several that match, one for each spelling."""
MOST_WORDS = 6

_DATE = re.compile(
    r"\b(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,? )?(?:(\d{4})[-./](\d{1,2})[-./](\d{1,2})|(\d{1,2})[-./ ](\d{1,2}|[A-Za-z]{3,9})[-./ ](\d{4}))\b",
    re.IGNORECASE,
)
_TELEPHONE = re.compile(r"\+?[\d\s().\-/]{6,}")
_LABEL = re.compile(rf"[0-9a-f]{{{SHOWN}}}")


def find_patients(pharmacy: Pharmacy, words: str) -> QuerySet[Patient]:
    """Return the patients whom the words name, in any of these ways.

    The beginnings of names, present or former, in any order, alone or with a birth date; a whole number; a telephone number;
    the number on a label. Accents, case and punctuation make no difference. Raises `InvalidInput` where more than `MOST`
    patients match.
    """
    text = _clean(words)
    ids = {
        *_with_number(pharmacy, text),
        *_with_name_and_birth_date(pharmacy, text),
        *_with_telephone(text),
        *find_labelled_orders(pharmacy, text).values_list("patient", flat=True),
    }
    if len(ids) > MOST:
        raise _too_many()
    return Patient.objects.filter(pharmacy=pharmacy, pk__in=ids)


def find_products(words: str) -> QuerySet[Product]:
    """Return the packs whose name, brand or ingredient holds every word, or with that GTIN; all without words."""
    rows = Product.objects.all()
    if words.isascii() and words.isdigit() and len(words) >= 8:
        return rows.filter(pk=words.zfill(14))
    for word in words.split():
        rows = rows.filter(Q(name__icontains=word) | Q(brand__icontains=word) | Q(ingredient__icontains=word))
    return rows


def find_prescribers(pharmacy: Pharmacy, words: str) -> QuerySet[Prescriber]:
    """Return the prescribers with a number, or with names that begin as the words do.

    Accents, case and punctuation make no difference.
    """
    text = _clean(words)
    names = fold_name(text).split()[:MOST_WORDS]
    beginnings = SearchQuery(" & ".join(f"'{name}':*" for name in names), config=SEARCH_CONFIG, search_type="raw")
    named = Q(search_words=beginnings) if names else Q(pk__in=[])
    rows = Prescriber.objects.alias(search_words=SearchVector("search_text", config=SEARCH_CONFIG))
    # The number itself, too: a row that an earlier release writes has no key.
    return rows.filter(named | Q(number_key=number_key(text)) | Q(identifier=text), pharmacy=pharmacy)


def find_labelled_orders(pharmacy: Pharmacy, words: str) -> QuerySet[Prescription]:
    """Return the orders whose number is on a label, typed or scanned, or whose whole id is given."""
    number = _clean(words).split("|", maxsplit=1)[0].strip().lower()
    orders = Prescription.objects.filter(pharmacy=pharmacy)
    try:
        return orders.filter(pk=UUID(number))
    except ValueError:
        pass
    if not _LABEL.fullmatch(number):
        return orders.none()
    begins = (UUID(f"{number}{digit * (32 - SHOWN)}") for digit in "0f")
    # A label may have been printed while the number was the first digits of the key.
    return orders.alias(shown=Right(Cast("id", CharField()), SHOWN)).filter(
        Q(shown=number) | Q(pk__range=tuple(begins))
    )


def _with_number(pharmacy: Pharmacy, text: str) -> Iterator[UUID]:
    key = number_key(text)
    if len(key) > 1:
        yield from PatientSearchKey.objects.filter(pharmacy=pharmacy, key=key).values_list("patient", flat=True)[
            : MOST + 1
        ]


def _with_name_and_birth_date(pharmacy: Pharmacy, text: str) -> set[UUID]:
    born_on, rest = read_birth_dates(text)
    names = sorted(fold_name(rest).split()[:MOST_WORDS], key=len, reverse=True)
    keys = PatientSearchKey.objects.filter(pharmacy=pharmacy)
    if born_on:
        born = Patient.objects.filter(pharmacy=pharmacy, birth_date__in=born_on, joined_to__isnull=True)
        born_ids = set(born.order_by().values_list("pk", flat=True)[: MOST + 1])
        if not names:
            return born_ids
        is_common = len(born_ids) > MOST  # the first of January stands for unknown days in some records
        keys = keys.filter(patient__birth_date__in=born_on) if is_common else keys.filter(patient__in=born_ids)
    elif not names:
        return set()
    keys = keys.filter(key__startswith=names[0])
    for name in names[1:]:
        keys = keys.filter(key__contains=f" {name}")
    # Told apart here: the database would read every match first.
    ids = list(keys.values_list("patient", flat=True)[:MOST_KEYS])
    if len(ids) == MOST_KEYS:
        raise _too_many()
    return set(ids)


def _with_telephone(text: str) -> set[UUID]:
    """Return the ids of patients with a telephone number, of any pharmacy.

    Neither the pharmacy nor whether the address is in use is asked of the database: it would not begin at the number.
    """
    if not _TELEPHONE.fullmatch(text):
        return set()
    try:
        number = clean_address(Medium.SMS, text)
    except InvalidInput:
        return set()
    digests = [address_digest(medium, number) for medium in ON_A_NUMBER]
    contacts = ContactPoint.objects.filter(address_digest__in=digests).order_by()
    rows = contacts.values_list("patient", "retired_at")[: MOST + 1]
    return {patient for patient, retired_at in rows if retired_at is None}


def _clean(words: str) -> str:
    """Return the first 200 characters of what was typed. Raises `InvalidInput` for characters that no name has."""
    return clean_line(words[:200], "words", longest=200, required=False)


def _too_many() -> InvalidInput:
    problem = Problem(
        "words", f"words that match more than {MOST} patients", "more of the name", "Add the given name or birth date."
    )
    return InvalidInput("Too many patients match.", problem)


def read_birth_dates(text: str) -> tuple[set[date], str]:
    """Return the dates that the first date in a text may mean, and the text without it.

    Read are 1968-02-17, 17.2.1968, 17/02/1968 and 17 Feb 1968; 03/04/1968 may be either.
    """
    match = _DATE.search(text)
    if match is None:
        return set(), text
    year, month, day, first, second, last = match.groups()
    if year:
        readings = [(f"{year} {month} {day}", "%Y %m %d")]
    elif second.isdigit():
        readings = [(f"{first} {second} {last}", "%d %m %Y"), (f"{first} {second} {last}", "%m %d %Y")]
    else:
        readings = [(f"{first} {second[:3]} {last}", "%d %b %Y")]
    days = set()
    for reading, shape in readings:
        try:
            days.add(datetime.strptime(reading, shape).date())  # noqa: DTZ007  # a day, no moment
        except ValueError:
            continue
    return (days, f"{text[: match.start()]} {text[match.end() :]}") if days else (set(), text)
