"""Coded conditions mapped to the words the rules know; unmapped codes are reported.

The maps are short on purpose and hold only codes that plainly mean the word. ICD-10 is mapped by the beginning of a code,
SNOMED CT by whole concepts. All of them are from general knowledge [K] and want a terminologist's check at a site.
"""

import re
from collections.abc import Sequence
from typing import Final

from baclofen_rules.facts import CodedCondition, Condition

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
}
_ICD_SYSTEM: Final = re.compile(r"icd-?10|2\.16\.840\.1\.113883\.6\.(3|90)$", re.IGNORECASE)
_SNOMED_SYSTEM: Final = re.compile(r"snomed|2\.16\.840\.1\.113883\.6\.96$", re.IGNORECASE)


def condition_of(coded: CodedCondition) -> Condition | None:
    """The word for a coded condition, or None for an unmapped code."""
    if _SNOMED_SYSTEM.search(coded.system):
        return SNOMED.get(coded.code)
    if _ICD_SYSTEM.search(coded.system):
        code = coded.code.upper().replace(".", "")
        return next((ICD_10[code[:length]] for length in (6, 4, 3) if code[:length] in ICD_10), None)
    return None


def map_conditions(conditions: Sequence[Condition | CodedCondition]) -> tuple[frozenset[Condition], tuple[int, ...]]:
    """The conditions by word, and the places in the list of those that could not be mapped."""
    words = [
        condition_of(condition) if isinstance(condition, CodedCondition) else condition for condition in conditions
    ]
    unmapped = tuple(index for index, word in enumerate(words) if word is None)
    return frozenset(word for word in words if word is not None), unmapped
