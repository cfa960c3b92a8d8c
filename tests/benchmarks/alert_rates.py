"""Findings per hundred unchanged repeats over a generated population, by rule and profile.

    python -m tests.benchmarks.alert_rates 20000

The prevalences are rough figures of general knowledge for people who take baclofen (multiple sclerosis, spinal cord injury,
stroke, cerebral palsy). They serve to compare rules with one another and one version with the next, not as epidemiology.
"""

import random
import sys
from collections import Counter
from datetime import date, timedelta
from typing import Any

from baclofen_rules import Case, Severity, load_profile, review

ON = date(2026, 11, 22)
PROFILES = ("lioresal", "us-label", "uk-smpc")
MEDICINES = {
    "N02BF01": 0.12, "N06AX11": 0.04, "N06AX05": 0.03, "N05AH04": 0.02, "N05BA01": 0.06, "N03AE01": 0.04, "M03BX02": 0.06,
    "N02AA05": 0.05, "N02AX02": 0.06, "N06AA09": 0.06, "N06AB06": 0.12, "N06AX21": 0.06, "N02BG10": 0.02, "N05CF01": 0.05,
    "N05CH01": 0.03, "C09AA05": 0.12, "C08CA01": 0.08, "M01AE01": 0.1, "A10BA02": 0.07, "N03AX14": 0.04, "N04BC05": 0.01,
    "C10AA01": 0.2, "A02BC01": 0.2, "L04AE01": 0.1, "H03AA01": 0.08,
}  # fmt: skip
CONDITIONS: dict[Any, float] = {
    "epilepsy": 0.06, "stroke": 0.12, "depression": 0.25, "sleep-apnoea": 0.05, "mania": 0.02, "diabetes": 0.09, "liver-disease": 0.02,
    "respiratory-impairment": 0.06, "substance-misuse": 0.03, "psychotic-disorder": 0.01, "suicide-risk": 0.01, "porphyria": 0.0001,
}  # fmt: skip
CODED = {"G35": 0.35, "I10": 0.2, "N18.3": 0.03, "Z99.2": 0.003}


def draw(chance: random.Random, rates: dict[Any, float]) -> list[Any]:
    """Draw each member at its own rate."""
    return [member for member, rate in rates.items() if chance.random() < rate]


def unchanged_repeat(chance: random.Random) -> dict[str, Any]:
    """A case of a patient who takes on time what was taken before, with everything known."""
    age = min(95, max(18, round(chance.gauss(56, 14))))
    egfr = max(8, min(125, round(chance.gauss(115 - 0.6 * age, 15))))
    coded = [code for code in draw(chance, CODED) if code not in {"N18.3", "Z99.2"} or egfr < 60]
    dose = chance.choice([5, 10, 10, 15, 20, 20, 25])
    day = (ON - timedelta(days=28)).isoformat()
    medicine = {"name": "Baclofen 10 mg tablets", "atc": "M03BX01"}
    return {
        "format": "baclofen-case/1",
        "on": ON.isoformat(),
        "action": "dispense",
        "patient": {
            "age_years": age,
            "sex": chance.choice(["female", "male"]),
            "weight_kg": max(38, round(chance.gauss(74, 16))),
            "egfr": egfr,
            "egfr_on": (ON - timedelta(days=round(chance.expovariate(1 / 220)))).isoformat(),
            "dialysis": "Z99.2" in coded,
            "pregnant": False,
            "breastfeeding": False,
            "allergies": [],
            "conditions": draw(chance, CONDITIONS) + [{"system": "icd-10", "code": code} for code in coded],
            "medicines": [{"atc": atc} for atc in draw(chance, MEDICINES)],
            "alcohol_use": chance.random() < 0.3,
            "drives": chance.random() < 0.5,
            "intrathecal_pump": False,
        },
        "prescription": {
            "medicine": medicine,
            "written_on": ON.isoformat(),
            "route": "oral",
            "form": "tablet",
            "strength_mg": 10,
            "phases": [{"dose": dose, "unit": "mg", "times_per_day": 3, "days": 28}],
            "then_stop": False,
            "quantity": dose * 3 * 28 / 10,
            "repeats": 0,
        },
        "picked": {"strength_mg": 10, "medicine": medicine, "expires_on": "2028-01-31"},
        "history": [
            {"dispensed_on": day, "dose": dose, "times_per_day": 3, "strength_mg": 10, "days_supply": 28,
             "dose_since": "2025-01-01", "relation": "same-course"},
        ],
    }  # fmt: skip


def main(count: int) -> None:
    chance = random.Random(1)
    cases = [Case.from_json(unchanged_repeat(chance)) for _ in range(count)]
    for name in PROFILES:
        profile, questions, notes = load_profile(name), Counter[str](), Counter[str]()
        quiet = 0
        for case in cases:
            findings = review(case, profile).findings
            questions.update(finding.code for finding in findings if finding.severity is not Severity.INFORMATION)
            notes.update(finding.code for finding in findings if finding.severity is Severity.INFORMATION)
            quiet += all(finding.severity is Severity.INFORMATION for finding in findings)
        print(f"{name}: {100 * quiet / count:.1f} of 100 unchanged repeats pass without a question")
        for code in sorted(questions | notes, key=lambda code: (-questions[code], -notes[code])):
            print(f"  {code:36} asked {100 * questions[code] / count:6.2f}   told {100 * notes[code] / count:6.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
