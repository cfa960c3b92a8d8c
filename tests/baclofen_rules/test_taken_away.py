"""Taking any element away from an order never turns a finding into silence: every row of every rule's table."""

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from baclofen_rules import Case, InvalidCase, load_profile, review
from tests.baclofen_rules.cases import RULE_KEYS, case_of, read_rule_table

TABLES = sorted((Path(__file__).parent / "rules").glob("*.toml"))
load = cache(load_profile)
WITNESSES = {
    "directions": {"directions", "quantity", "dose-times"},
    "times": {"dose-times"},
    "expected_days": {"directions"},
    "medicine": {"medicine", "form", "route"},
    "brand": {"medicine", "form", "route"},
    "days": {"directions", "quantity"},
    "from_day": {"directions"},
    "then_stop": {"directions", "taper-duration", "taper-step"},
    "as_needed": {"directions", "as-needed-instead"},
}
"""Elements that may be left out of an order, and the rules that compare them with others: without one of two statements none differs.

The days of the last phase follow from the quantity when they are left out, an order without an end goes on, and one that is
not said to be as needed is taken every day.
"""


def members_of(thing: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every named element below a value; what a list holds is amounts, and another amount is another order."""
    for step in thing if isinstance(thing, dict) else range(len(thing)) if isinstance(thing, list) else ():
        if isinstance(thing, dict):
            yield (step,)
        yield from ((step, *path) for path in members_of(thing[step]))


def describe(case: dict[str, Any]) -> tuple[set[str], set[tuple[str, tuple[str, ...]]]]:
    """Return the codes of the findings that ask something, and the rules not assessed with what they lack."""
    answer = review(Case.from_json(case), load("lioresal"))
    asking = {finding.code for finding in answer.findings if str(finding.severity) != "information"}
    return asking, {(rule.code, rule.missing) for rule in answer.not_assessed}


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.stem)
def test_taking_an_element_of_an_order_away_never_turns_a_finding_into_silence(table: Path) -> None:
    silent = []
    for row in read_rule_table(table)["row"]:
        case = case_of(row, RULE_KEYS)
        codes, lacking = describe(case)
        for path in members_of(case.get("prescription") or {}):
            without = deepcopy(case)
            target = without["prescription"]
            for step in path[:-1]:
                target = target[step]
            del target[path[-1]]
            try:
                codes_without, lacking_without = describe(without)
            except InvalidCase:
                continue  # refused, with the place of what is missing
            lost = codes - codes_without - WITNESSES.get(path[0 if path[0] == "medicine" else -1], set())
            if lost and not (lacking_without - lacking or codes_without - codes):
                silent.append((row["says"], path, lost))
    assert silent == []
