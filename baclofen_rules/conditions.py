"""Coded conditions mapped to the words the rules know, and to the facts that they state; unmapped codes are reported.

The maps are short on purpose and hold only codes that plainly mean the word. ICD-10 is mapped by the beginning of a code,
SNOMED CT by whole concepts. All of them are from general knowledge [K] and want a terminologist's check at a site.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeVar

from baclofen_rules.facts import CodedCondition, Condition

T = TypeVar("T")

ICD_10: Final = {
    "G40": Condition.EPILEPSY,
    "G41": Condition.EPILEPSY,
    "F20": Condition.PSYCHOTIC_DISORDER,
    "F22": Condition.PSYCHOTIC_DISORDER,
    "F23": Condition.PSYCHOTIC_DISORDER,
    "F25": Condition.PSYCHOTIC_DISORDER,
    "F28": Condition.PSYCHOTIC_DISORDER,
    "F29": Condition.PSYCHOTIC_DISORDER,
    "I60": Condition.STROKE,
    "I61": Condition.STROKE,
    "I63": Condition.STROKE,
    "I64": Condition.STROKE,
    "I69": Condition.STROKE,
    "G20": Condition.PARKINSONISM,
    "G21": Condition.PARKINSONISM,
    "G22": Condition.PARKINSONISM,
    "J43": Condition.RESPIRATORY_IMPAIRMENT,
    "J44": Condition.RESPIRATORY_IMPAIRMENT,
    "J84": Condition.RESPIRATORY_IMPAIRMENT,
    "J96": Condition.RESPIRATORY_IMPAIRMENT,
    "G904": Condition.AUTONOMIC_DYSREFLEXIA,
    "R45851": Condition.SUICIDE_RISK,
    "F10": Condition.SUBSTANCE_MISUSE,
    "F11": Condition.SUBSTANCE_MISUSE,
    "F12": Condition.SUBSTANCE_MISUSE,
    "F13": Condition.SUBSTANCE_MISUSE,
    "F14": Condition.SUBSTANCE_MISUSE,
    "F15": Condition.SUBSTANCE_MISUSE,
    "F19": Condition.SUBSTANCE_MISUSE,
    "K25": Condition.PEPTIC_ULCER,
    "K26": Condition.PEPTIC_ULCER,
    "K27": Condition.PEPTIC_ULCER,
    "K28": Condition.PEPTIC_ULCER,
    "K70": Condition.LIVER_DISEASE,
    "K71": Condition.LIVER_DISEASE,
    "K72": Condition.LIVER_DISEASE,
    "K73": Condition.LIVER_DISEASE,
    "K74": Condition.LIVER_DISEASE,
    "F32": Condition.DEPRESSION,
    "F33": Condition.DEPRESSION,
    "F341": Condition.DEPRESSION,
    "F30": Condition.MANIA,
    "F31": Condition.MANIA,
    "G473": Condition.SLEEP_APNOEA,
    "E800": Condition.PORPHYRIA,
    "E801": Condition.PORPHYRIA,
    "E802": Condition.PORPHYRIA,
    "R33": Condition.URINARY_RETENTION,
    "E10": Condition.DIABETES,
    "E11": Condition.DIABETES,
    "E13": Condition.DIABETES,
    "E14": Condition.DIABETES,
    "J45": Condition.RESPIRATORY_IMPAIRMENT,
    "J46": Condition.RESPIRATORY_IMPAIRMENT,
    "J47": Condition.RESPIRATORY_IMPAIRMENT,
}
SNOMED: Final = {
    "84757009": Condition.EPILEPSY,
    "69322001": Condition.PSYCHOTIC_DISORDER,
    "58214004": Condition.PSYCHOTIC_DISORDER,
    "230690007": Condition.STROKE,
    "49049000": Condition.PARKINSONISM,
    "13645005": Condition.RESPIRATORY_IMPAIRMENT,
    "409622000": Condition.RESPIRATORY_IMPAIRMENT,
    "13200003": Condition.PEPTIC_ULCER,
    "235856003": Condition.LIVER_DISEASE,
    "35489007": Condition.DEPRESSION,
    "13746004": Condition.MANIA,
    "73430006": Condition.SLEEP_APNOEA,
    "78275009": Condition.SLEEP_APNOEA,
    "418470004": Condition.PORPHYRIA,
    "73211009": Condition.DIABETES,
    "46635009": Condition.DIABETES,
    "44054006": Condition.DIABETES,
    "195967001": Condition.RESPIRATORY_IMPAIRMENT,
    "267064002": Condition.URINARY_RETENTION,
}


class Statement(NamedTuple):
    """A statement of a code about another fact of the patient: kidneys below an eGFR (mL/min/1.73 m2), dialysis, or pregnancy."""

    words: str
    below_egfr: Decimal | None = None
    fact: str = ""
    """The name of a fact that is true where the code is right."""


_STAGE_3: Final = Statement("kidney disease of stage 3", below_egfr=Decimal(60))
_STAGE_4: Final = Statement("kidney disease of stage 4", below_egfr=Decimal(30))
_STAGE_5: Final = Statement("kidney failure", below_egfr=Decimal(15))
_DIALYSIS: Final = Statement("dialysis", fact="dialysis")
_PREGNANT: Final = Statement("pregnancy", fact="pregnant")
# The stages of chronic kidney disease by KDIGO.
STATED_BY_ICD_10: Final = {
    "N183": _STAGE_3,
    "N184": _STAGE_4,
    "N185": _STAGE_5,
    "N186": _STAGE_5,
    "Z992": _DIALYSIS,
    "Z49": _DIALYSIS,
    "Z33": _PREGNANT,
    "Z34": _PREGNANT,
    "Z35": _PREGNANT,
    "Z3A": _PREGNANT,
}
STATED_BY_SNOMED: Final = {
    "433144002": _STAGE_3,
    "431857002": _STAGE_4,
    "433146000": _STAGE_5,
    "46177005": _STAGE_5,
    "105502003": _DIALYSIS,
    "77386006": _PREGNANT,
}
NO_CONCERN: Final = frozenset(
    [
        "E03",
        "E78",
        "G35",
        "G36",
        "G37",
        "G80",
        "G81",
        "G82",
        "G83",
        "H25",
        "H40",
        "I10",
        "J30",
        "K21",
        "K59",
        "L20",
        "L40",
        "M15",
        "M16",
        "M17",
        "M54",
        "M81",
        "N31",
        "N39",
        "N40",
        "R25",
        "S14",
        "S24",
        "T91",
    ]
)
"""ICD-10 groups of common conditions, baclofen's own among them, that no rule looks for."""
_ICD_SYSTEM: Final = re.compile(r"icd-?10|2\.16\.840\.1\.113883\.6\.(3|90)$", re.IGNORECASE)
_SNOMED_SYSTEM: Final = re.compile(r"snomed|2\.16\.840\.1\.113883\.6\.96$", re.IGNORECASE)


def condition_of(coded: CodedCondition) -> Condition | None:
    """The word for a coded condition, or None for an unmapped code."""
    return look_up(coded, ICD_10, SNOMED)


def statement_of(coded: CodedCondition) -> Statement | None:
    """Return what a coded condition says of another fact, or None where it says nothing of one."""
    return look_up(coded, STATED_BY_ICD_10, STATED_BY_SNOMED)


def map_conditions(conditions: Sequence[Condition | CodedCondition]) -> tuple[frozenset[Condition], tuple[int, ...]]:
    """The conditions by word, and the places in the list of those that could not be mapped."""
    words = {
        condition_of(condition) if isinstance(condition, CodedCondition) else condition for condition in conditions
    }
    unmapped = tuple(
        index
        for index, condition in enumerate(conditions)
        if isinstance(condition, CodedCondition)
        and condition_of(condition) is None
        and statement_of(condition) is None
        and not _is_no_concern(condition)
    )
    return frozenset(word for word in words if word is not None), unmapped


def look_up(coded: CodedCondition, by_icd_10: Mapping[str, T], by_snomed: Mapping[str, T]) -> T | None:
    """Return what a coded condition is mapped to: by the longest beginning of an ICD-10 code, or by a SNOMED CT concept."""
    if _SNOMED_SYSTEM.search(coded.system):
        return by_snomed.get(coded.code)
    if _ICD_SYSTEM.search(coded.system):
        code = _plain_icd(coded.code)
        return next((by_icd_10[code[:length]] for length in (6, 5, 4, 3) if code[:length] in by_icd_10), None)
    return None


def _is_no_concern(coded: CodedCondition) -> bool:
    return bool(_ICD_SYSTEM.search(coded.system)) and _plain_icd(coded.code)[:3] in NO_CONCERN


def _plain_icd(code: str) -> str:
    return code.upper().replace(".", "")
