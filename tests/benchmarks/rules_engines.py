"""The same checks in the rule book and in three rule engines, on the same cases, in one run.

``make bench-rules`` prints the tables. Eighteen checks of the lioresal profile are written out for GoRules zen, Google's CEL
and Rego. Every engine must give the same severity for every check of every case before anything is timed.

Timed twice. *From the case*: what is asked at the counter. An engine cannot add up supplies in the order of their dates, so
the terms are derived for it by the same code as for the rule book, and put into the numbers it wants. *From finished
facts*: the engine alone, against the rules alone. Either way the rule book also writes a sentence, the arithmetic and the
sources of each finding, where an engine gives a word. Two sets of cases: ordinary ones, of which most find nothing,
and hard ones from all over the ranges, with several findings each.
"""

import argparse
import json
import platform
import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from importlib.metadata import version
from statistics import median
from typing import Any, NamedTuple

from baclofen_rules import Action, Case, load_profile, review
from baclofen_rules.findings import Found
from baclofen_rules.rule import OnContinuing
from baclofen_rules.rulebook import rulebook
from baclofen_rules.terms import Terms
from tests.baclofen_rules.cases import case_of

ON = date(2026, 11, 22)
LIORESAL = load_profile("lioresal")
BOOK = rulebook(LIORESAL, ON)
LONG_HELD = 9999.0
"""Stands for "no such change" in the facts: the expression languages know no missing value that compares."""

# One condition a check. CEL and zen share these words; zen spells "and" and "or" out.
EXPRESSIONS = {
    "age": 'age < 4.0 ? (guarded ? "override" : "stop") : (age < 12.0 ? "override" : "")',
    "daily-maximum": 'total > (age < 12.0 ? 60.0 : 100.0) ? "override" : ""',
    "ceiling": 'total > (age < 12.0 ? 120.0 : 200.0) ? (guarded ? "override" : "stop") : ""',
    "single-dose": 'largest > 35.0 ? "override" : ""',
    "starting-dose": 'standing == "new" && first > 15.0 ? "override" : ""',
    "titration-step": 'rise > 5.0 ? "override" : ""',
    "titration-interval": 'rise_held < 3.0 ? "override" : ""',
    "taper-step": 'fall > 15.0 ? "override" : ""',
    "taper-interval": 'fall_held < 2.0 ? "override" : ""',
    "frequency": 'times > (age < 12.0 ? 3.0 : 4.0) ? "acknowledge" : ""',
    "days-supply": 'days > 90.0 ? "acknowledge" : ""',
    "early-refill": 'standing == "continuing" && left > 0.0 && same_dose && supplied - left < supplied * 0.75 '
    '? "override" : ""',
    "renal": 'dialysis || egfr < 15.0 ? (highest > 5.0 ? (guarded ? "override" : "stop") : "override") : (egfr < 30.0 ? '
    '(highest >= 20.0 ? (guarded ? "override" : "stop") : (highest > 5.0 || (age >= 65.0 && goes_on == false) ? "override" : "acknowledge")) : '
    '(egfr < 60.0 ? (highest >= 20.0 || (age >= 65.0 && goes_on == false) ? "override" : "acknowledge") : ""))',
    "pregnancy": 'pregnant ? (standing == "continuing" ? "override" : "stop") : ""',
    "lactation": 'breastfeeding ? "override" : ""',
    "alcohol": 'alcohol ? "override" : ""',
    "driving": 'drives ? (goes_on ? "information" : "acknowledge") : ""',
    "older-adult": 'age >= 65.0 && goes_on == false ? (standing == "continuing" && rise_held >= 6.0 && rise_held < 9999.0 '
    '? "information" : "acknowledge") : ""',
}
CHECKS = tuple(EXPRESSIONS)
ON_CONTINUING = {OnContinuing.TOLD: "information", OnContinuing.SILENT: ""}
"""Severity, for a patient who goes on as before, of a finding that no answer was needed for."""
REGO = """
package dispense

import rego.v1

default age := ""
age := "override" if { input.age < 4; input.guarded }
age := "stop" if { input.age < 4; not input.guarded }
age := "override" if { input.age >= 4; input.age < 12 }

most := 60 if input.age < 12
most := 100 if input.age >= 12

default daily_maximum := ""
daily_maximum := "override" if input.total > most

default ceiling := ""
ceiling := "override" if { input.total > 2 * most; input.guarded }
ceiling := "stop" if { input.total > 2 * most; not input.guarded }

default single_dose := ""
single_dose := "override" if input.largest > 35

default starting_dose := ""
starting_dose := "override" if { input.standing == "new"; input.first > 15 }

default titration_step := ""
titration_step := "override" if input.rise > 5

default titration_interval := ""
titration_interval := "override" if input.rise_held < 3

default taper_step := ""
taper_step := "override" if input.fall > 15

default taper_interval := ""
taper_interval := "override" if input.fall_held < 2

default frequency := ""
frequency := "acknowledge" if { input.age < 12; input.times > 3 }
frequency := "acknowledge" if { input.age >= 12; input.times > 4 }

default days_supply := ""
days_supply := "acknowledge" if input.days > 90

default early_refill := ""
early_refill := "override" if {
    input.standing == "continuing"
    input.left > 0
    input.same_dose
    input.supplied - input.left < input.supplied * 0.75
}

failing if input.dialysis
failing if input.egfr < 15
older if { input.age >= 65; not input.goes_on }
slow if { input.standing == "continuing"; input.rise_held >= 6; input.rise_held < 9999 }

default renal := ""
renal := "override" if { failing; input.highest <= 5 }
renal := "override" if { failing; input.highest > 5; input.guarded }
renal := "stop" if { failing; input.highest > 5; not input.guarded }
renal := "acknowledge" if { not failing; input.egfr < 30; input.highest <= 5; not older }
renal := "override" if { not failing; input.egfr < 30; input.highest <= 5; older }
renal := "override" if { not failing; input.egfr < 30; input.highest > 5; input.highest < 20 }
renal := "override" if { not failing; input.egfr < 30; input.highest >= 20; input.guarded }
renal := "stop" if { not failing; input.egfr < 30; input.highest >= 20; not input.guarded }
renal := "acknowledge" if { not failing; input.egfr >= 30; input.egfr < 60; input.highest < 20; not older }
renal := "override" if { not failing; input.egfr >= 30; input.egfr < 60; input.highest < 20; older }
renal := "override" if { not failing; input.egfr >= 30; input.egfr < 60; input.highest >= 20 }

default pregnancy := ""
pregnancy := "override" if { input.pregnant; input.standing == "continuing" }
pregnancy := "stop" if { input.pregnant; input.standing != "continuing" }

default lactation := ""
lactation := "override" if input.breastfeeding

default alcohol := ""
alcohol := "override" if input.alcohol

default driving := ""
driving := "information" if { input.drives; input.goes_on }
driving := "acknowledge" if { input.drives; not input.goes_on }

default older_adult := ""
older_adult := "acknowledge" if { older; not slow }
older_adult := "information" if { older; slow }

answer := [age, daily_maximum, ceiling, single_dose, starting_dose, titration_step, titration_interval, taper_step,
    taper_interval, frequency, days_supply, early_refill, renal, pregnancy, lactation, alcohol, driving, older_adult]
"""
Answer = tuple[str, ...]
Engine = Callable[[int], Answer]
"""Answers the case of that number: a severity for each check, empty where it stays clear."""
Facts = list[dict[str, Any]]
Evaluate = Callable[[dict[str, Any]], Answer]


def made_up(hard: bool, count: int) -> list[Case]:
    """Complete cases, the same ones each time: ordinary ones, or from all over the ranges of the checks."""
    draw = random.Random(20261122)
    return [Case.from_json(case_of(_hard(draw) if hard else _ordinary(draw))) for _ in range(count)]


def _ordinary(draw: random.Random) -> dict[str, Any]:
    """An adult on the same dose as before, or one who starts; one in five drives, drinks or has weaker kidneys."""
    doses = draw.choice(["5+5+5", "10+10+10", "15+15+15", "20+20+20"])
    facts = draw.choice([{}, {}, {}, {}, draw.choice([{"drives": True}, {"alcohol_use": True}, {"egfr": 45}])])
    if draw.random() < 0.2:
        return {"takes": ["5+5+5 for 3 days", "5+5+10 for 25 days"], "patient": facts}
    return {"takes": [f"{doses} for 28 days"], "had": [f"{doses}, 27 days ago, for 28 days"], "patient": facts}


def _hard(draw: random.Random) -> dict[str, Any]:
    lengths = [1, 2, 3, 7, 28, 60, 95]
    takes = [f"{_doses(draw)} for {draw.choice(lengths)} days" for _ in range(draw.choice([1, 1, 2, 3]))]
    had = []
    if draw.random() < 0.6:
        doses = takes[0].split(" ")[0] if draw.random() < 0.5 else _doses(draw)
        ago = draw.choice([1, 2, 10, 20, 25, 28, 29, 35, 120])
        had = [f"{doses}, {ago} days ago, for 28 days, since {ago + draw.choice([0, 1, 60])} days ago"]
    patient = {
        "age_years": draw.choice([4, 8, 11, 12, 30, 45, 64, 65, 80]),
        "egfr": draw.choice([8, 15, 25, 30, 45, 59, 60, 95]),
        "dialysis": draw.random() < 0.1,
        "pregnant": draw.random() < 0.1,
        "breastfeeding": draw.random() < 0.1,
        "alcohol_use": draw.random() < 0.2,
        "drives": draw.random() < 0.3,
    }
    return {"takes": takes, "had": had, "patient": patient}


def _doses(draw: random.Random) -> str:
    return "+".join([str(draw.choice([5, 5, 10, 10, 15, 20, 25, 30, 40, 60]))] * draw.choice([1, 2, 3, 3, 3, 4, 5]))


def facts_of(case: Case) -> dict[str, Any]:
    """Return the derived terms, ready to compare, as the engines get them."""
    terms = Terms(case, BOOK.terms)
    patient = case.patient
    return {
        "age": float(terms.age or 0),
        "guarded": terms.is_guarded,
        "total": float(terms.total_mg),
        "highest": float(terms.highest_mg),
        "largest": float(terms.largest_dose_mg),
        "first": float(terms.first_mg),
        "standing": str(terms.standing),
        "goes_on": terms.goes_on,
        "rise": float(terms.steepest_rise_mg),
        "rise_held": LONG_HELD if terms.shortest_before_rise is None else float(terms.shortest_before_rise),
        "fall": float(terms.steepest_fall_mg),
        "fall_held": LONG_HELD if terms.shortest_before_fall is None else float(terms.shortest_before_fall),
        "times": float(terms.most_times),
        "days": float(terms.fixed_days),
        "left": float(terms.left_days),
        "supplied": float(terms.latest.days_supply if terms.latest else 0),
        "same_dose": terms.first_mg == terms.previous_mg,
        "egfr": float(patient.egfr or 0),
        "dialysis": bool(patient.dialysis),
        "pregnant": bool(patient.pregnant),
        "breastfeeding": bool(patient.breastfeeding),
        "alcohol": bool(patient.alcohol_use),
        "drives": bool(patient.drives),
    }


def same_checks(cases: list[Case]) -> tuple[Engine, Engine]:
    """Only the rules of the checks, to their findings; from the case, and from derived terms."""
    place = {code: at for at, code in enumerate(CHECKS)}
    bound = [bound_rule for bound_rule in BOOK.rules[Action.DISPENSE] if bound_rule.rule.code in place]
    rules = [
        (
            bound_rule.rule.check,
            bound_rule.limits,
            place[bound_rule.rule.code],
            ON_CONTINUING.get(bound_rule.rule.on_continuing),
        )
        for bound_rule in bound
    ]
    derived = [Terms(case, BOOK.terms) for case in cases]

    def run_checks(terms: Terms) -> Answer:
        answer = [""] * len(place)
        for check, limits, at, severity_on_continuing in rules:
            outcome = check(terms, limits)
            if outcome and isinstance(outcome[0], Found):
                eased = severity_on_continuing if terms.goes_on else None
                answer[at] = outcome[0].severity if eased is None else eased
        return tuple(answer)

    return lambda number: run_checks(Terms(cases[number], BOOK.terms)), lambda number: run_checks(derived[number])


def full_review(cases: list[Case]) -> Engine:
    """Every rule of the profile; then only the answers of the checks are looked at."""

    def answer(number: int) -> Answer:
        severities = {finding.code: str(finding.severity) for finding in review(cases[number], LIORESAL).findings}
        return tuple(severities.get(code, "") for code in CHECKS)

    return answer


def cel(facts: Facts) -> Evaluate:
    from cel_expr_python import cel as language

    kinds = {str: language.Type.STRING, float: language.Type.DOUBLE, bool: language.Type.BOOL}
    env = language.NewEnv(variables={name: kinds[type(value)] for name, value in facts[0].items()})
    program = env.compile("[" + ", ".join(EXPRESSIONS.values()) + "]")
    return lambda case_facts: tuple(program.eval(data=case_facts).plain_value())


def zen_expression(facts: Facts) -> Evaluate:
    import zen

    program = zen.compile_expression("[" + ", ".join(_zen(words) for words in EXPRESSIONS.values()) + "]")
    return lambda case_facts: tuple(program.evaluate(case_facts))


def zen_decision(facts: Facts) -> Evaluate:
    import zen

    expressions = [{"id": code, "key": code, "value": _zen(words)} for code, words in EXPRESSIONS.items()]
    kinds = (
        ("in", "inputNode", {}),
        ("checks", "expressionNode", {"expressions": expressions}),
        ("out", "outputNode", {}),
    )
    nodes = [
        {"id": name, "name": name, "type": kind, "position": {"x": 0, "y": 0}, "content": content}
        for name, kind, content in kinds
    ]
    ways = (("in", "checks"), ("checks", "out"))
    edges = [{"id": a + b, "type": "edge", "sourceId": a, "targetId": b} for a, b in ways]
    decision = zen.ZenEngine().create_decision(json.dumps({"nodes": nodes, "edges": edges}))

    def answer(case_facts: dict[str, Any]) -> Answer:
        result = decision.evaluate(case_facts)["result"]
        return tuple(result[code] for code in CHECKS)

    return answer


def _zen(words: str) -> str:
    return words.replace("&&", "and").replace("||", "or")


def rego(facts: Facts) -> Evaluate:
    from regopy import Interpreter

    interpreter = Interpreter()
    interpreter.add_module("dispense", REGO)
    bundle = interpreter.build("data.dispense.answer")

    def answer(case_facts: dict[str, Any]) -> Answer:
        interpreter.set_input(case_facts)
        return tuple(json.loads(str(interpreter.query_bundle(bundle)))["expressions"][0])

    return answer


ENGINES: tuple[tuple[str, str, Callable[[Facts], Evaluate]], ...] = (
    ("CEL (Google, C++)", "cel-expr-python", cel),
    ("GoRules zen, one compiled expression", "zen-engine", zen_expression),
    ("GoRules zen, decision graph", "zen-engine", zen_decision),
    ("Rego (rego-cpp)", "regopy", rego),
)


class Contestant(NamedTuple):
    """Something that answers the checks, from the case and from finished facts (None: it knows no such thing)."""

    name: str
    made: str
    from_case: Engine
    from_facts: Engine | None


def contestants(cases: list[Case]) -> list[Contestant]:
    """The rule book first: the others are compared with it."""
    facts = [facts_of(case) for case in cases]
    from_case, from_terms = same_checks(cases)
    made = [Contestant("baclofen_rules, the same checks", "this tree", from_case, from_terms)]
    made.append(Contestant("baclofen_rules, the full review", "this tree", full_review(cases), None))
    for name, package, make in ENGINES:
        evaluate = make(facts)
        made.append(
            Contestant(
                name,
                version(package),
                lambda number, ask=evaluate: ask(facts_of(cases[number])),
                lambda number, ask=evaluate: ask(facts[number]),
            )
        )
    return made


def timed(engines: list[Engine], cases: int, seconds: float) -> list[list[float]]:
    """CPU time a case in microseconds, for each engine one figure a round; all take turns, each round in another order."""
    taken: list[list[float]] = [[] for _ in engines]
    until = time.perf_counter() + seconds * len(engines)
    turns = list(range(len(engines)))
    while len(taken[0]) < 15 or time.perf_counter() < until:
        for at in turns:
            began = time.process_time()
            for number in range(cases):
                engines[at](number)
            taken[at].append((time.process_time() - began) / cases * 1e6)
        turns = [*turns[1:], turns[0]]
    return taken


def disagreement(all_of_them: list[Contestant], cases: int) -> str | None:
    """The first answer that differs from the full review; None without one."""
    for number in range(cases):
        expected = all_of_them[1].from_case(number)
        for name, _, from_case, from_facts in all_of_them:
            for answer in (from_case(number), from_facts(number) if from_facts else expected):
                if answer != expected:
                    differs = [(code, a, b) for code, a, b in zip(CHECKS, expected, answer, strict=True) if a != b]
                    return f"{name}, case {number}: (check, wanted, given) {differs}"
    return None


def table(all_of_them: list[Contestant], cases: int, seconds: float) -> Iterator[str]:
    alone = [engine for engine in all_of_them if engine.from_facts is not None]
    asked = [engine.from_case for engine in all_of_them] + [
        engine.from_facts for engine in alone if engine.from_facts is not None
    ]
    times = timed(asked, cases, seconds)
    whole = times[: len(all_of_them)]
    facts = dict(zip((engine.name for engine in alone), times[len(all_of_them) :], strict=True))
    yield "| engine | version | from the case, us | compared | from finished facts, us | compared |"
    yield "|---|---|---|---|---|---|"
    for engine, micros in zip(all_of_them, whole, strict=True):
        mine = facts.get(engine.name)
        last = "- | -" if mine is None else f"{median(mine):.1f} | {_compared(mine, facts[all_of_them[0].name])}"
        yield f"| {engine.name} | {engine.made} | {median(micros):.1f} | {_compared(micros, whole[0])} | {last} |"


def _compared(times: list[float], with_them: list[float]) -> str:
    """The median over the rounds of one divided by the other in the same round."""
    return f"{median(mine / theirs for mine, theirs in zip(times, with_them, strict=True)):.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description="the rule book beside three rule engines")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure")
    options = parser.parse_args()
    sys.stdout.write(
        f"Python {platform.python_version()}, {platform.machine()}; CPU time a case, median of rounds taken in turns; ratios within a round.\n"
    )
    for hard in (False, True):
        cases = made_up(hard, options.cases)
        everybody = contestants(cases)
        differs = disagreement(everybody, len(cases))
        if differs is not None:
            sys.stderr.write(f"{differs}\n")
            return 1
        finding_count = sum(
            bool(severity) for number in range(len(cases)) for severity in everybody[0].from_case(number)
        )
        kind = "hard" if hard else "ordinary"
        same = f"{len(CHECKS)} checks, {finding_count} findings; everybody gives the same answers."
        sys.stdout.write(f"\n{len(cases)} {kind} cases, {same}\n\n")
        for line in table(everybody, len(cases), options.seconds):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
