"""Random asks to the planner: two hundred here, the same in every run; `make test-plans` puts a hundred thousand."""

from collections import Counter

import pytest

from tests.baclofen_rules.planning.asks import draw_ask, faults_of

COUNT = 200


@pytest.mark.parametrize("kind", ["taper", "titration", "step back"])
def test_every_answer_keeps_what_a_plan_promises(kind: str) -> None:
    asks = [ask for number in range(COUNT * 10) if (ask := draw_ask(7, number)).kind == kind][: COUNT // 3 + 1]
    answers = [(ask, *faults_of(ask)) for ask in asks]
    assert [(ask, faults) for ask, _, faults in answers if faults] == []
    outcomes = Counter(outcome for _, outcome, _ in answers)
    assert outcomes["planned"] >= 3
    assert len(outcomes) > 2
