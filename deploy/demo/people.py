"""People of the demo: two pharmacies with staff and shelves, patients of the past weeks, and messages of today.

All of it is made by the actions of the app, with `now` in the past where a past is needed, so that the log holds it too.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone

from baclofen_rules.facts import NOTHING_TO_FIND
from dispensary.actions import consent, dispenses, patients, pharmacies, prescribers, prescriptions, tokens
from dispensary.actors import Actor
from dispensary.models import (
    ConsentAnswer,
    ConsentSource,
    Dispense,
    FindingSeverity,
    Medium,
    Patient,
    Pharmacy,
    Source,
    StaffMember,
    StaffRole,
)
from dispensary.scanning import Pack

PASSWORD = "demo only: baclofen"
TEN_MG, TWENTY_FIVE_MG = "05012345678900", "05012345678917"
HARBOUR, PRAIRIE = "Harbour Pharmacy", "Prairie Pharmacy"


@dataclass(frozen=True)
class Account:
    """A demo account, and one sentence about what to try with it."""

    username: str
    name: str
    role: StaffRole
    pharmacy: str
    invitation: str


ACCOUNTS = (
    Account(
        "tess",
        "Tess Lindqvist",
        StaffRole.TECHNICIAN,
        HARBOUR,
        "take the next prescription of the queue and hand it over",
    ),
    Account("paul", "Paul Adeyemi", StaffRole.PHARMACIST, HARBOUR, "answer a dose above the maximum with a reason"),
    Account("mara", "Mara Okonkwo", StaffRole.MANAGER, HARBOUR, "see what the pharmacist sees, and who did what"),
    Account("aude", "Aude Bernard", StaffRole.AUDITOR, HARBOUR, "read the trail of a dispense; she can change nothing"),
    Account("pete", "Pete Harlan", StaffRole.PHARMACIST, PRAIRIE, "find that Harbour's patients are not his to see"),
)
_ALL_KNOWN: Mapping[str, Any] = {
    "sex": "female",
    "weight_kg": 71,
    "egfr": 92,
    **NOTHING_TO_FIND,
}
"""Facts under which a usual dose raises nothing."""
_BIRTH_DATES: Mapping[str, str] = {
    "Ada": "1971-09-30",
    "Ben": "1979-04-12",
    "Iris": "1988-05-03",
    "Ivo": "1975-12-21",
    "Jo": "1969-08-14",
    "Lena": "1992-01-27",
    "Max": "1983-11-08",
    "Nora": "1966-07-19",
    "Olga": "1973-03-25",
    "Ruth": "1986-10-02",
    "Samir": "1977-06-11",
    "Tom": "1990-02-05",
    "Vera": "1968-02-17",
}


def facts_of(given_name: str) -> dict[str, Any]:
    """Return the facts of one of the demo's patients: a date of birth of their own, and nothing that raises a finding."""
    return {**_ALL_KNOWN, "birth_date": _BIRTH_DATES[given_name]}


_ZONES = (
    "Europe/London",
    "America/New_York",
    "America/Los_Angeles",
    "Pacific/Auckland",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Pacific/Honolulu",
)


def load_site(now: datetime) -> None:
    """Open both pharmacies with staff and shelf, unless they are open."""
    if Pharmacy.objects.filter(name=HARBOUR).exists():
        return
    with transaction.atomic():
        harbour = pharmacies.open_pharmacy(
            name=HARBOUR,
            settings={
                "time_zone": "Europe/London",
                "phone": "+44 20 7946 0123",
                "address": "3 Quay Street",
            },
            now=now,
        )
        setup = Actor.system("setup", harbour.pk)
        for gtin, strength in ((TEN_MG, 10), (TWENTY_FIVE_MG, 25)):
            pharmacies.add_product(
                gtin=gtin,
                name=f"Lioresal {strength} mg tablets",
                brand="Lioresal",
                strength_mg=Decimal(strength),
                pack_size=100,
                by=setup,
                now=now,
            )
    with transaction.atomic():
        prairie = pharmacies.open_pharmacy(
            name=PRAIRIE,
            settings={
                "time_zone": "America/Chicago",
                "profile": "us-label",
                "address": "410 Prairie Avenue, Chicago",
                "phone": "+1 312 555 0142",
            },
            now=now,
        )
    places = {HARBOUR: harbour, PRAIRIE: prairie}
    for account in ACCOUNTS:
        user = get_user_model().objects.create_user(username=account.username, password=PASSWORD)
        place = places[account.pharmacy]
        pharmacies.grant_access(
            user=user,
            pharmacy=place,
            role=account.role,
            display_name=account.name,
            by=Actor.system("setup", place.pk),
            now=now,
        )


def token_for(username: str) -> str:
    """Return a fresh API token of an account."""
    user = get_user_model().objects.get(username=username)
    tokens.revoke(user=user, by_task="demo", now=timezone.now())
    return tokens.issue(user=user, by_task="demo", now=timezone.now())


def where_it_is_midday(now: datetime) -> str:
    """Return a time zone where it is the pharmacy's date and nearest to one in the afternoon: messages keep the patient's quiet hours."""
    here = now.astimezone(ZoneInfo("Europe/London")).date()
    zones = [name for name in _ZONES if now.astimezone(ZoneInfo(name)).date() == here]
    return min(zones, key=lambda name: abs(now.astimezone(ZoneInfo(name)).hour - 13))


def owe_messages(now: datetime) -> dict[str, str]:
    """Give two patients a supply in the past such that a message is owed today. Returns their addresses and what each should get.

    New patients at each call, so that no message is repeated.
    """
    harbour = Pharmacy.objects.get(name=HARBOUR)
    pharmacist = StaffMember.objects.get(pharmacy=harbour, user__username="paul").actor()
    zone = where_it_is_midday(now)
    messages_due = {}
    for name, days_ago, subject in (("Ada", 21, "next supply due"), ("Ben", 30, "supply not collected")):
        tag = secrets.token_hex(3)
        address = f"{name.lower()}.{tag}@example.org"
        then = now - timedelta(days=days_ago)
        patient = patients.register(
            pharmacy=harbour,
            identifier=f"M-{tag}",
            family_name="Okafor" if name == "Ada" else "Whitfield",
            given_name=name,
            time_zone=zone,
            facts=facts_of(name),
            by=pharmacist,
            now=then,
        )
        consent.add_contact(patient=patient, medium=Medium.EMAIL, address=address, by=pharmacist, now=then)
        consent.record_answer(
            patient=patient,
            medium=Medium.EMAIL,
            answer=ConsentAnswer.YES,
            source=ConsentSource.COUNTER,
            by=pharmacist,
            now=then,
        )
        _handed_over(patient, pharmacist, then)
        messages_due[address] = subject
    return messages_due


def _handed_over(patient: Patient, by: Actor, then: datetime) -> Dispense:
    """28 days of 5 mg three times a day, handed over at `then`."""
    prescriber = prescribers.register_prescriber(
        pharmacy=patient.pharmacy, identifier="C1234567", name="Dr Grace Mwangi", phone="+442079460000", by=by, now=then
    )
    order = {
        "written_on": then.date().isoformat(),
        "route": "oral",
        "form": "tablet",
        "strength_mg": 10,
        "phases": [{"dose": 5, "unit": "mg", "times_per_day": 3, "days": 28}],
        "then_stop": False,
        "directions": "5 mg three times a day for 28 days",
        "quantity": 42,
        "repeats": 3,
    }
    received = prescriptions.receive(
        pharmacy=patient.pharmacy,
        patient=patient,
        prescriber=prescriber,
        order=order,
        source=Source.CASE,
        document={"prescription": order},
        by=by,
        now=then,
    )
    findings = received.review.findings.exclude(severity=FindingSeverity.INFORMATION)
    acknowledged = [finding.code for finding in findings]
    done = dispenses.dispense(
        prescription=received.prescription,
        quantity=Decimal(42),
        pack=Pack(gtin=TEN_MG, lot="B2209", expiry=(then + timedelta(days=700)).date(), serial=""),
        acknowledged=acknowledged,
        key=secrets.token_hex(8),
        by=by,
        now=then,
    )
    if not isinstance(done, Dispense):
        raise RuntimeError(f"The demo's own patient could not be served: {done.detail}")
    return done
