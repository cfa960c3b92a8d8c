"""Findings per hundred dispenses over a generated population (``population.toml``), by rule, profile and kind of dispense.

    python -m tests.benchmarks.alert_rates 100000 [--write]

`--write` puts the numbers of `lioresal` into `baclofen_rules/rates.toml`, which RULES.md shows.

*Clean repeat*: on time, the same dose, everything known, with the day from which it has been known and what was answered before. *Repeat
without days*: the same from a system that says neither. *Change*: another dose. *First order*: no earlier supply.
"""

import random
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from baclofen_rules import Case, Profile, Severity, load_profile, review
from baclofen_rules.case import AnsweredFinding
from baclofen_rules.page import RATES

ON = date(2026, 11, 22)
LAST_SUPPLY = ON - timedelta(days=28)
FIRST_SUPPLY = ON - timedelta(days=400)
PROFILES = ("lioresal", "us-label", "uk-smpc")
POPULATION = tomllib.loads(Path(__file__).with_name("population.toml").read_text(), parse_float=Decimal)
BACLOFEN = {"name": "Baclofen 10 mg tablets", "atc": "M03BX01"}


def draw(chance: random.Random, rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Draw each row at its own share."""
    return [row for row in rows if chance.random() < row["share"]]


def shuffled(chance: random.Random, items: list[Any]) -> list[Any]:
    """Return the entries in the order in which they came into a record: any."""
    return chance.sample(items, len(items))


def _normal(chance: random.Random, table: dict[str, Any], least: int, most: int) -> int:
    return min(most, max(least, round(chance.gauss(float(table["mean"]), float(table["spread"])))))


def patient(chance: random.Random) -> dict[str, Any]:
    """A patient of the population, with everything known."""
    age = _normal(chance, POPULATION["age"], 18, 95)
    kidneys, habits = POPULATION["egfr"], POPULATION["habits"]
    egfr = min(
        125, max(6, round(float(kidneys["at_birth"] - kidneys["a_year"] * age) + chance.gauss(0, kidneys["spread"])))
    )
    conditions = [
        row["word"] if "word" in row else {"system": "icd-10", "code": row["code"]}
        for row in draw(chance, POPULATION["condition"])
    ]
    use = chance.random()
    other, alcohol = habits["indication_other"], habits["indication_alcohol"]
    return {
        "age_years": age,
        "sex": "female" if chance.random() < POPULATION["female"]["share"] else "male",
        "weight_kg": _normal(chance, POPULATION["weight"], 38, 160),
        "egfr": egfr,
        "egfr_on": (ON - timedelta(days=round(chance.expovariate(1 / POPULATION["egfr_age"]["mean"])))).isoformat(),
        "dialysis": egfr < 15 and chance.random() < POPULATION["dialysis"]["share"],
        "pregnant": False,
        "breastfeeding": False,
        "allergies": [],
        "conditions": shuffled(chance, conditions),
        "medicines": shuffled(chance, [{"atc": row["atc"]} for row in draw(chance, POPULATION["medicine"])]),
        "alcohol_use": chance.random() < habits["alcohol_use"],
        "drives": chance.random() < habits["drives"],
        "intrathecal_pump": False,
        "indication": "other" if use < other else "alcohol-dependence" if use < other + alcohol else "spasticity",
        "anaesthesia_planned": chance.random() < habits["anaesthesia_planned"],
    }


def recorded_on(chance: random.Random, facts: dict[str, Any]) -> dict[str, str]:
    """The days of the facts: before the last supply, but for some that are new."""
    new = POPULATION["recorded"]["since_last_supply"]
    return {
        name: (ON if chance.random() < new else FIRST_SUPPLY).isoformat()
        for name in facts
        if name not in {"age_years", "egfr_on"}
    }


class Before(NamedTuple):
    """What is drawn of the time before a supply to a continuing patient."""

    answered_on: date
    """The day of the first supply of which the answers are known."""
    egfr: Decimal
    """The eGFR before the one on record was measured."""


def answer_before(case: Case, earlier: Before | None, profile: Profile) -> Case:
    """Add what was answered at an earlier supply, every finding of then, and at each supply of 28 days since.

    Of a list that changed since the last supply the last entry is new.
    """
    if earlier is None:
        return case
    facts, recorded = case.patient, case.patient.recorded_on or {}
    changed = {name: getattr(facts, name) or () for name in ("conditions", "medicines") if recorded.get(name) == ON}
    before = case._replace(patient=facts._replace(**{name: values[:-1] for name, values in changed.items()}))
    answered: tuple[AnsweredFinding, ...] = ()
    day = earlier.answered_on
    while day < ON:
        asked = review(_move(before._replace(answered=answered), day - ON, earlier.egfr), profile).findings
        answered += tuple(
            AnsweredFinding(finding.code, finding.fingerprint, day, finding.severity, finding.observed)
            for finding in asked
            if finding.severity is not Severity.INFORMATION
        )
        day += timedelta(days=28)
    return case._replace(answered=answered)


def _move(case: Case, by: timedelta, egfr_before: Decimal) -> Case:
    """Return a case as it was some days earlier: its order and supply then; facts not recorded later than the day."""
    on, facts = case.on + by, case.patient
    if facts.egfr is not None and facts.egfr_on is not None and facts.egfr_on > on:
        facts = facts._replace(egfr=egfr_before, egfr_on=on)
    assert case.order is not None and case.order.written_on is not None
    return case._replace(
        on=on,
        order=replace(case.order, written_on=case.order.written_on + by),
        history=tuple(replace(fill, dispensed_on=fill.dispensed_on + by) for fill in case.history or ()),
        patient=facts._replace(
            recorded_on={name: min(day, on) for name, day in (facts.recorded_on or {}).items()},
        ),
    )


def _before(chance: random.Random, facts: dict[str, Any]) -> Before:
    """Draw the time before; the eGFR of then from the facts, so that the next patients stay those of earlier measurements."""
    supplies, spread = chance.choice(POPULATION["answered"]["supplies"]), POPULATION["egfr_again"]["spread"]
    egfr = max(6, round(random.Random(str(facts)).gauss(facts["egfr"], float(spread))))
    return Before(ON - timedelta(days=28 * supplies), Decimal(egfr))


def order(doses: list[Decimal]) -> dict[str, Any]:
    """An order for 28 days, with what its pack says."""
    return {
        "prescription": {
            "medicine": BACLOFEN,
            "written_on": ON.isoformat(),
            "route": "oral",
            "form": "tablet",
            "strength_mg": 10,
            "phases": [{"doses": doses, "unit": "mg", "days": 28}],
            "then_stop": False,
            "quantity": sum(doses) * 28 / 10,
            "repeats": 0,
        },
        "picked": {"strength_mg": 10, "medicine": BACLOFEN, "expires_on": "2028-01-31"},
    }


def supply(doses: list[Decimal]) -> dict[str, Any]:
    """The last supply, which ends today."""
    return {
        "dispensed_on": LAST_SUPPLY.isoformat(),
        "doses": doses,
        "strength_mg": 10,
        "days_supply": 28,
        "dose_since": "2025-01-01",
        "relation": "same-course",
    }


def _case(facts: dict[str, Any], doses: list[Decimal], history: list[dict[str, Any]]) -> dict[str, Any]:
    head = {"format": "baclofen-case/1", "on": ON.isoformat(), "action": "dispense", "patient": facts}
    return {**head, **order(doses), "history": history}


def clean_repeat(chance: random.Random) -> dict[str, Any]:
    """A case of a patient who takes on time what was taken before."""
    case = repeat_without_days(chance)
    case["patient"]["recorded_on"] = recorded_on(chance, case["patient"])
    return case | {"before": _before(chance, case["patient"])}


def repeat_without_days(chance: random.Random) -> dict[str, Any]:
    """The same, from a system that does not say since when a fact is on record."""
    doses = [Decimal(chance.choice(POPULATION["doses"]["continuing"]))] * 3
    return _case(patient(chance), doses, [supply(doses)])


def change(chance: random.Random) -> dict[str, Any]:
    """A case of a patient whose dose rises or falls."""
    before = [Decimal(chance.choice(POPULATION["doses"]["continuing"]))] * 3
    step = Decimal(chance.choice(POPULATION["changes"]["steps"]))
    if chance.random() > POPULATION["changes"]["rises"]:
        step = -min(step, before[0] - 5)
    after = [before[0] + step / 3] * 3 if step % 15 == 0 else [before[0], before[0], before[0] + step]
    facts = patient(chance)
    facts["recorded_on"] = recorded_on(chance, facts)
    return _case(facts, after, [supply(before)]) | {"before": _before(chance, facts)}


def first_order(chance: random.Random) -> dict[str, Any]:
    """A case of a patient without an earlier supply."""
    doses = [Decimal(chance.choice(POPULATION["doses"]["first"]))] * 3
    return _case(patient(chance), doses, [])


KINDS: dict[str, Callable[[random.Random], dict[str, Any]]] = {
    "clean repeat": clean_repeat,
    "repeat without days": repeat_without_days,
    "change": change,
    "first order": first_order,
}


Counts = tuple[Counter[str], Counter[str], Counter[str]]
"""Findings by code that are asked, those that are told, and the outcomes."""


def rates(documents: Iterable[dict[str, Any]]) -> dict[str, Counts]:
    """Count the findings and the outcomes by profile."""
    profiles = {name: load_profile(name) for name in PROFILES}
    counts: dict[str, Counts] = {name: (Counter(), Counter(), Counter()) for name in PROFILES}
    for document in documents:
        before = document.pop("before", None)
        case = Case.from_json(document)
        for name, (asked, informed, outcomes) in counts.items():
            answer = review(answer_before(case, before, profiles[name]), profiles[name])
            outcomes[answer.outcome] += 1
            for finding in answer.findings:
                (informed if finding.severity is Severity.INFORMATION else asked)[finding.code] += 1
    return counts


def write_rates(asked: dict[str, Counter[str]], informed: dict[str, Counter[str]], count: int) -> None:
    """Write how often each rule asks and tells, of 10,000 dispenses of each kind."""
    lines = [
        f"# Asked and told of 10,000 dispenses, by rule and kind: python -m tests.benchmarks.alert_rates {count} --write",
        "",
        "[rates]",
    ]
    for code in sorted({code for counter in (*asked.values(), *informed.values()) for code in counter}):
        pairs = [
            f'"{kind}" = [{round(10_000 * asked[kind][code] / count)}, {round(10_000 * informed[kind][code] / count)}]'
            for kind in asked
        ]
        lines.append(f"{code} = {{ {', '.join(pairs)} }}")
    RATES.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main(count: int, *, may_write: bool) -> None:
    print(f"Per hundred of {count} dispenses of each kind.")
    asked_of: dict[str, Counter[str]] = {}
    informed_of: dict[str, Counter[str]] = {}
    for kind, case_of_kind in KINDS.items():
        chance = random.Random(1)
        counted = rates(case_of_kind(chance) for _ in range(count))
        asked_of[kind], informed_of[kind], _ = counted["lioresal"]
        print(f"\n{kind:36}" + "".join(f"{name:>22}" for name in PROFILES))
        for outcome in ("pass", "acknowledge", "override", "stop"):
            shares = (100 * counted[name][2][outcome] / count for name in PROFILES)
            print(f"  outcome {outcome:26}" + "".join(f"{share:22.2f}" for share in shares))
        codes = {code for asked, informed, _ in counted.values() for code in asked | informed}
        for code in sorted(codes, key=lambda code: (-max(counted[name][0][code] for name in PROFILES), code)):
            pairs = ((counted[name][0][code], counted[name][1][code]) for name in PROFILES)
            print(
                f"  {code:34}"
                + "".join(f"   asked {100 * a / count:5.2f} told {100 * t / count:5.2f}"[:24] for a, t in pairs)
            )
    if may_write:
        write_rates(asked_of, informed_of, count)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000, may_write="--write" in sys.argv)
