"""Answers of a therapy that the situations do not ask for, and records with gaps."""

from dataclasses import replace
from decimal import Decimal

from baclofen_rules.regimen import Phase
from baclofen_rules.therapy import Facts, Plan, Product, Relation, SupplyStatus, Therapy, therapy
from tests.baclofen_rules.therapy.reading import amounts, habits
from tests.baclofen_rules.therapy.states import TODAY, day
from tests.baclofen_rules.therapy.test_situations import elsewhere, given, order, plan

TWO_PRODUCTS = Plan(
    (
        Product(Decimal(25), (Phase(amounts([25, 25]), None),), Decimal(56)),
        Product(Decimal(10), (Phase(amounts([10, 10]), None),), Decimal(56)),
    )
)


def state(*rows: object, **more: object) -> Therapy:
    """Count a therapy from orders and supplies."""
    orders = tuple(row for row in rows if hasattr(row, "plan") and hasattr(row, "written_on"))
    supplies = tuple(row for row in rows if row not in orders)
    return therapy(replace(Facts(TODAY, orders, supplies, (), habits()), **more))  # type: ignore[arg-type]


def fill_days(of: Therapy, order_id: str) -> int:
    relation = of.relate(order_id)
    assert relation is not None
    return relation.fill_days


# --- fills --------------------------------------------------------------------------------------------------------------


def test_nothing_is_owed_where_the_quantity_is_unknown() -> None:
    unknown = order("A", plan(([10, 10, 10], None), quantity=None))
    assert state(unknown, given("A", -5, 84)).owed("A") is None
    relation = state(unknown, given("A", -5, 84)).relate("A")
    assert relation is not None
    assert relation.relation is Relation.CONTINUES


def test_what_is_owed_counts_from_the_product_of_which_most_was_begun() -> None:
    assert state(order("A", TWO_PRODUCTS), given("A", -5, 112, 40)).owed("A") == (0, 72)


def test_a_profile_of_days_left_keeps_at_most_half_of_the_fill() -> None:
    kept = replace(habits(), used_fraction=None, days_left=5)
    for tablets, days in ((84, 5), (18, 3), (21, 3)):
        relation = state(order("A", 30), given("A", -2, tablets), habits=kept).relate("A")
        assert relation is not None
        assert relation.kept_days == days


def test_the_last_fill_is_all_parts_of_one_quantity() -> None:
    halves = [given("A", on, 42) for on in (-56, -42, -28, -14)]
    assert fill_days(state(order("A", 30), *halves), "A") == 28
    assert fill_days(state(order("A", 30), *halves[:3]), "A") == 14
    assert fill_days(state(order("A", TWO_PRODUCTS), given("A", -20, 56, 40), given("A", -1, 0, 16)), "A") == 28


def test_the_last_fill_of_recorded_supplies_is_the_last_of_them() -> None:
    assert fill_days(state(order("A", 30), elsewhere("r1", -20, 14, 30), elsewhere("r2", -8, 28, 30)), "A") == 28


def test_a_hand_over_that_came_back_has_no_fill() -> None:
    back = state(order("A", 30), given("A", -10, 84, back=-5))
    relation = back.relate_supply("A-10")
    assert relation is not None
    assert (relation.fill_days, relation.kept_days) == (0, 0)


def test_a_return_of_no_known_day_is_not_counted() -> None:
    unknown = replace(given("A", -10, 84), status=SupplyStatus.RETURNED)
    assert state(order("A", 30), unknown).course("A").first_uncovered == day(18)
    assert fill_days(state(order("A", 30), unknown), "A") == 28
