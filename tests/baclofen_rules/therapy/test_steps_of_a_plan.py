"""Steps of a plan whose next tablets are handed over while it stands between two of them."""

from collections.abc import Sequence

import pytest

from baclofen_rules import Case, load_profile, review
from baclofen_rules.therapy import Order, Plan, Supply
from tests.baclofen_rules.therapy.documents import document_of
from tests.baclofen_rules.therapy.reading import amounts
from tests.baclofen_rules.therapy.test_dates import facts
from tests.baclofen_rules.therapy.test_situations import given, order, plan

UP = plan(([5, 5, 5], 7), ([5, 10, 5], 7), ([10, 10, 10], None), then_stop=False)
QUICK = plan(([5, 5, 5], 7), ([5, 10, 5], 2), ([10, 10, 10], None), then_stop=False)
DOWN = plan(([10, 10, 10], 14), ([5, 10, 5], 14), ([5, 5, 5], 14), then_stop=True)
INTERVALS = {"titration-interval", "taper-interval"}


def found(of: Plan, supplies: Sequence[Supply], tablets: float) -> set[str]:
    asked: Order = order("A", of)
    case = Case.from_json(document_of(facts([asked], supplies), asked, amounts([tablets])))
    return {finding.code for finding in review(case, load_profile("lioresal")).findings} & INTERVALS


@pytest.mark.parametrize(
    ("of", "supplies", "tablets", "codes"),
    [
        pytest.param(UP, [given("A", -12, 20.5)], 21, set(), id="two days before a rise"),
        pytest.param(UP, [given("A", -13, 22.5)], 21, set(), id="one day before a rise"),
        pytest.param(UP, [given("A", -14, 24.5)], 21, set(), id="on the day of a rise"),
        pytest.param(UP, [given("A", -8, 24.5)], 21, set(), id="early, six days before a rise that begins it"),
        pytest.param(UP, [given("A", -8, 22.5)], 21, set(), id="early, for days from one before a rise"),
        pytest.param(QUICK, [given("A", -8, 12.5)], 21, {"titration-interval"}, id="a rise that is too soon"),
        pytest.param(DOWN, [given("A", -27, 68)], 21, set(), id="one day before a fall"),
        pytest.param(DOWN, [given("A", -20, 68)], 21, set(), id="early, for days from one before a fall"),
        pytest.param(DOWN, [given("A", -40, 88)], 3, set(), id="two days before the end"),
        pytest.param(UP, [given("A", -12, 16.5)], 21, set(), id="after two days without tablets"),
        pytest.param(UP, [given("A", -12, 14.5)], 21, {"titration-interval"}, id="after three days without tablets"),
    ],
)
def test_a_step_counts_the_days_at_the_dose_before_it_that_were_supplied_already(
    of: Plan, supplies: Sequence[Supply], tablets: float, codes: set[str]
) -> None:
    assert found(of, supplies, tablets) == codes
