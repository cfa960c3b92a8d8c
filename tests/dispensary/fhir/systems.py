"""Orders as hospital systems and national services send them: what each says that no test order does."""

from typing import Any

from tests.dispensary.fhir.orders import SNOMED, UCUM, daily, days, line, mg, request

LOCAL = "urn:oid:1.2.840.114350.1.13.0.1.7.4.698712.7025"
GTS = "http://terminology.hl7.org/CodeSystem/v3-GTSAbbreviation"
COURSES = "http://terminology.hl7.org/CodeSystem/medicationrequest-course-of-therapy"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
EDQM = "http://standardterms.edqm.eu"


def tablets(value: int, unit: str = "tablet", **more: Any) -> dict[str, Any]:
    return {"value": value, "unit": unit, **more}


def named(text: str, *codings: tuple[str, str, str]) -> dict[str, Any]:
    return {
        "coding": [{"system": system, "code": code, "display": display} for system, code, display in codings],
        "text": text,
    }


def supply(quantity: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"dispenseRequest": {"quantity": quantity, **more}}


ORAL = named("Oral", (LOCAL, "15", "Oral"), (SNOMED, "260548002", "Oral"))
EPIC_DOSES = [
    {"type": {"text": kind}, "doseQuantity": dose}
    for kind, dose in (
        ("calculated", mg(10)),
        ("admin-amount", tablets(1, system=UCUM, code="{tbl}")),
        ("ordered", mg(10)),
    )
]
EPIC = request(
    {
        "text": "Take 1 tablet (10 mg total) by mouth 3 (three) times a day.",
        "patientInstruction": "Take 1 tablet (10 mg total) by mouth 3 (three) times a day.",
        "timing": daily(3, boundsPeriod={"start": "2026-11-30T06:00:00Z"}) | {"code": {"text": "3 times daily"}},
        "asNeededBoolean": False,
        "route": ORAL,
        "method": named("Take", (LOCAL, "11", "Take")),
        "doseAndRate": EPIC_DOSES,
    },
    **supply(tablets(90), numberOfRepeatsAllowed=2, expectedSupplyDuration=days(30)),
    medicationCodeableConcept=named(
        "baclofen (LIORESAL) 10 mg tablet", (RXNORM, "197391", "baclofen 10 MG Oral Tablet")
    ),
    courseOfTherapyType=named("Long term", (LOCAL, "2", "Long term"), (COURSES, "continuous", "Continuous")),
    reasonCode=[named("Multiple sclerosis", ("http://hl7.org/fhir/sid/icd-10-cm", "G35", "Multiple sclerosis"))],
)
EPIC_AT_NIGHT = request(
    line(
        mg(10),
        daily(1, when=["HS"]),
        text="Take 1 tablet (10 mg total) by mouth nightly as needed for muscle spasms.",
        asNeededCodeableConcept=named("muscle spasms", (LOCAL, "99", "muscle spasms")),
        route=ORAL,
    ),
    **supply(tablets(30), numberOfRepeatsAllowed=0, expectedSupplyDuration=days(30)),
)
CERNER = request(
    line(
        mg(10),
        {"code": named("TID", ("https://fhir.cerner.com/x/codeSet/4003", "696553", "TID"), (GTS, "TID", "TID"))},
        text="10 mg = 1 tab, PO, TID, # 90 tab, 0 Refill(s)",
        patientInstruction="1 Tabs Oral (given by mouth) 3 times a day.",
    ),
    **supply(
        tablets(90, "tab(s)", system=UCUM, code="{tbl}"), numberOfRepeatsAllowed=0, expectedSupplyDuration=days(30)
    ),
    medicationCodeableConcept=named("baclofen (baclofen 10 mg oral tablet)", (RXNORM, "197391", "baclofen 10 MG")),
)
EPS = request(
    {
        "text": "One To Be Taken Three Times A Day",
        "additionalInstruction": [named("Warning. This medicine may make you sleepy.", (SNOMED, "418639000", ""))],
    },
    **supply(
        tablets(84, system=SNOMED, code="428673006"),
        expectedSupplyDuration=days(28),
        validityPeriod={"start": "2026-11-29", "end": "2027-05-29"},
        performer={"identifier": {"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": "VNCEL"}},
    ),
    medicationCodeableConcept=named("", (SNOMED, "39113611000001102", "Baclofen 10mg tablets")),
    groupIdentifier={"system": "https://fhir.nhs.uk/Id/prescription-order-number", "value": "24F5DA-A83008-7EFE6Z"},
)
GERMAN = request(
    line(
        tablets(1, "Stück", system="https://fhir.kbv.de/CodeSystem/KBV_CS_SFHIR_BMP_DOSIEREINHEIT", code="1"),
        daily(1, when=["MORN", "NOON", "EVE"]),
        text="1-1-1-0 Stück",
    ),
    **supply(tablets(1, "Packung", system=UCUM, code="{Package}")),
    medicationCodeableConcept={"text": "Baclofen AWD 10 mg Tabletten N2"},
)
FRENCH = request(
    line(
        tablets(1, "comprimé", system=EDQM, code="10219000"),
        daily(3, boundsDuration={"value": 28, "unit": "jours", "system": UCUM, "code": "d"}),
        text="1 comprimé matin, midi et soir pendant 28 jours",
        route=named("Voie orale", (EDQM, "20053000", "Voie orale")),
    ),
    **supply(tablets(84, "comprimé", system=EDQM, code="10219000")),
    medicationCodeableConcept={"text": "LIORESAL 10 mg, comprimé sécable"},
)
SPANISH = request(
    line(
        tablets(1, "comprimido"),
        {"repeat": {"frequency": 1, "period": 8, "periodUnit": "h"}},
        text="1 comprimido cada 8 horas",
        route={"text": "Vía oral"},
    ),
    **supply(tablets(90, "comprimidos"), expectedSupplyDuration=days(30)),
    medicationCodeableConcept={"text": "Lioresal 10 mg comprimidos"},
)
THREE_TIMES = {
    "Epic": EPIC,
    "Cerner": CERNER,
    "NHS": EPS,
    "German": GERMAN,
    "French": FRENCH,
    "Spanish": SPANISH,
}
"""10 mg three times a day, each in its own manner."""
