"""The record of a patient's baclofen as the case format has it: orders, supplies, decisions, and what is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from baclofen_rules.checked import Fields, InvalidCase, Place
from baclofen_rules.order import (
    MOST_DAYS,
    WORDS_FIELDS,
    Order,
    Pick,
    Wordings,
    combine_words,
    members,
    names,
    read_pick,
    read_text,
    read_truth,
    read_written,
)
from baclofen_rules.regimen import Phase, Regimen
from baclofen_rules.therapy import (
    Decision,
    DecisionKind,
    Facts,
    FrozenRelation,
    Habits,
    How,
    OrderStatus,
    Plan,
    Product,
    Relation,
    Supply,
    SupplyStatus,
)
from baclofen_rules.therapy import Order as TherapyOrder

ORDER_FIELDS = names(
    *(
        "id",
        "medicine",
        "form",
        "route",
        "prescriber",
        "prescriber_name",
        "written_on",
        "starts_on",
        "status",
        "replaces",
        "group",
        "emergency",
    ),
    *("as_needed", "then_stop", "repeats", "interval_days", "directions", "expected_days", "lines"),
    "products",
)
PRODUCT_FIELDS = names("strength_mg", "brand", "quantity", "phases") | WORDS_FIELDS
SUPPLY_FIELDS = names(
    *("id", "on", "order", "tablets", "status", "returned_on", "returned_tablets", "number", "relation"),
    *("number_of_day", "source", "prescriber", "prescriber_name", "regimen", "days", "dose_since"),
)
REGIMEN_FIELDS = names("products", "as_needed", "then_stop")
RELATION_FIELDS = names("relation", "how", "to", "from")
DECISION_FIELDS = names(
    *(
        "id",
        "kind",
        "subject",
        "object",
        "on",
        "from",
        "tablets",
        "mg",
        "days",
        "corrects",
        "since",
        "after",
        "by",
        "reason",
    )
)
ASK_FIELDS = names("order", "course", "tablets", "picked")
MOST_ORDERS: Final = 500
MOST_SUPPLIES: Final = 2000
MOST_DECISIONS: Final = 1000
MOST_DUPLICATES: Final = 1000
MOST_PRODUCTS: Final = 4
_read_name = read_text(100)


class RecordedOrder(NamedTuple):
    """An order as the therapy counts it, and as it was written: once for each of its products."""

    order: TherapyOrder
    written: tuple[Order, ...]
    prescriber_name: str | None = None
    is_emergency: bool = False
    """True for a supply without an order of a prescriber: the pharmacist's own."""


class RecordedSupply(NamedTuple):
    """A supply as the therapy counts it, and where one from elsewhere is known from."""

    supply: Supply
    source: str | None
    prescriber_name: str | None


class Ask(NamedTuple):
    """The question: an order of which some tablets are to be handed over, or a course that is to be stopped."""

    order: str | None
    course: str | None
    tablets: tuple[Decimal, ...] | None
    """By product; None: what the order says is next."""
    picked: tuple[Pick, ...]
    """The packs that were scanned."""


class Record(NamedTuple):
    """Everything known of one patient's oral baclofen."""

    orders: tuple[RecordedOrder, ...]
    supplies: tuple[Supply, ...] | None
    """None is an unknown history."""
    decisions: tuple[Decision, ...]
    died_on: date | None
    sources: Mapping[str, str | None]
    """Where a supply recorded from elsewhere is known from, by its id."""
    prescriber_names: Mapping[str, str]
    """The names that prescribers are called by, by order or recorded supply."""
    words: tuple[Mapping[str, str | None], ...]
    """Who decided and why, by decision."""
    potential_duplicates: int = 0
    """Other records of the pharmacy that may be of the same patient; what they hold is not in this one."""

    def find(self, order_id: str) -> RecordedOrder | None:
        return next((recorded for recorded in self.orders if recorded.order.id == order_id), None)

    def facts(self, on: date, habits: Habits) -> Facts:
        """Return what a therapy is counted from."""
        orders = tuple(recorded.order for recorded in self.orders)
        return Facts(on, orders, self.supplies or (), self.decisions, habits, self.died_on)

    def tablets_asked(self, ask: Ask, owed: tuple[Decimal, ...] | None) -> tuple[Decimal, ...] | None:
        """Return the tablets of a hand-over: as asked, what is owed, or one ordered quantity; None where that is unknown."""
        if ask.tablets is not None or owed is not None:
            return ask.tablets or owed
        recorded = None if ask.order is None else self.find(ask.order)
        quantities = [] if recorded is None else [product.quantity for product in recorded.order.plan.products]
        return (
            None if None in quantities or not quantities else tuple(count for count in quantities if count is not None)
        )

    def written(self, order_id: str) -> Order | None:
        """Return an order as it was written; the doses of several products are put together."""
        recorded = self.find(order_id)
        if recorded is None:
            return None
        first, *others = recorded.written
        if not others:
            return first
        plan = recorded.order.plan
        together = (
            Regimen(tuple(Phase(phase.doses_together, phase.days) for phase in plan.phases), plan.then_stop)
            if plan.phases
            else None
        )
        is_structured = all(order.phases is not None for order in recorded.written)
        directions, reading = combine_words(recorded.written, together, is_structured)
        return replace(
            first,
            directions=directions,
            reading=reading,
            strength_mg=None,
            brand=None,
            quantity=None,
            phases=together.phases if together is not None and is_structured else None,
            starts=tuple(None for _ in first.starts),
            lines=(),
            products=recorded.written,
        )


# --- reading ----------------------------------------------------------------------------------------------------------


def read_record(fields: Fields, on: date, wordings: Wordings) -> Record:
    """Read orders, supplies and decisions of a case. Raises InvalidCase."""
    orders = fields.get("orders", lambda at: tuple(_read_order(item, on, wordings) for item in at.items(MOST_ORDERS)))
    supplies = fields.get("supplies", lambda at: tuple(_read_supply(item, on) for item in at.items(MOST_SUPPLIES)))
    decisions = fields.get("decisions", lambda at: tuple(_read_decision(item) for item in at.items(MOST_DECISIONS)))
    record = Record(
        orders=orders or (),
        supplies=None if supplies is None else tuple(read.supply for read in supplies),
        decisions=tuple(decision for decision, _ in decisions or ()),
        died_on=fields.get("patient", _read_death),
        sources={read.supply.id: read.source for read in supplies or () if read.supply.order is None},
        prescriber_names={
            **{read.order.id: read.prescriber_name for read in orders or () if read.prescriber_name is not None},
            **{read.supply.id: read.prescriber_name for read in supplies or () if read.prescriber_name is not None},
        },
        words=tuple(words for _, words in decisions or ()),
        potential_duplicates=fields.get(
            "potential_duplicates",
            lambda at: at.whole(f"a number of records from 0 to {MOST_DUPLICATES}", 0, MOST_DUPLICATES),
        )
        or 0,
    )
    _check_names(record)
    return record


def _check_names(record: Record) -> None:
    order_ids: set[str] = set()
    for recorded in record.orders:
        if recorded.order.id in order_ids:
            raise InvalidCase("orders", f'"{recorded.order.id}" twice', "each order once")
        order_ids.add(recorded.order.id)
    for index, supply in enumerate(record.supplies or ()):
        if supply.order is not None and supply.order not in order_ids:
            raise InvalidCase(f"supplies[{index}].order", f'"{supply.order}"', "the id of an order in this case")
        ordered = None if supply.order is None else record.find(supply.order)
        count = len(ordered.order.plan.products) if ordered else 0
        if ordered and (supply.tablets is None or len(supply.tablets) != count):
            raise InvalidCase(
                f"supplies[{index}].tablets", "another number of amounts", f"{count}, one for each product"
            )
    ids = [supply.id for supply in record.supplies or ()]
    if len(set(ids)) < len(ids):
        raise InvalidCase("supplies", "an id twice", "each supply once")


def read_ask(place: Place, record: Record) -> Ask:
    """Read what is asked of a record. Raises InvalidCase."""
    fields = place.fields(ASK_FIELDS)
    order_id = fields.get("order", _read_name)
    recorded = None if order_id is None else record.find(order_id)
    if order_id is not None and recorded is None:
        fields.place("order").refuse("the id of an order in this case")
    tablets = fields.get("tablets", _read_tablets)
    if tablets is not None and recorded is not None and len(tablets) != len(recorded.order.plan.products):
        fields.place("tablets").refuse(f"{len(recorded.order.plan.products)} amounts, one for each product")
    return Ask(
        order=order_id,
        course=fields.get("course", _read_name),
        tablets=tablets,
        picked=fields.get("picked", lambda at: tuple(read_pick(item) for item in at.items(MOST_PRODUCTS))) or (),
    )


def _read_death(place: Place) -> date | None:
    if not isinstance(place.value, Mapping):
        return None
    return Fields(place.value, place.path).get("died_on", _read_day)


def _read_day(place: Place) -> date:
    return place.day("a date YYYY-MM-DD")


def _past_day(on: date) -> Any:
    return lambda place: place.day(f"a date YYYY-MM-DD, not after the day of the review ({on})", latest=on)


def _read_tablets(place: Place) -> tuple[Decimal, ...]:
    expected = "a number of tablets from 0 to 100000"
    return tuple(item.amount(expected, Decimal(0), Decimal(100000)) for item in place.items(MOST_PRODUCTS, least=1))


def _read_order(place: Place, on: date, wordings: Wordings) -> RecordedOrder:
    fields = place.fields(ORDER_FIELDS)
    places = fields.need("products", lambda at: at.items(MOST_PRODUCTS, least=1))
    written = tuple(
        read_written(fields, product.fields(PRODUCT_FIELDS), on, wordings, is_counted=True) for product in places
    )
    lengths = {None if order.phases is None else tuple(phase.days for phase in order.phases) for order in written}
    if len(lengths) > 1:
        fields.place("products").refuse("equally many phases of equal length in all products")
    regimens = [order.regimen for order in written]
    then_stop = next((regimen.then_stop for regimen in regimens if regimen is not None), None)
    order = TherapyOrder(
        id=fields.need("id", _read_name),
        plan=Plan(
            products=tuple(
                Product(order.strength_mg, () if regimen is None else regimen.phases, order.quantity)
                for order, regimen in zip(written, regimens, strict=True)
            ),
            as_needed=written[0].as_needed,
            then_stop=then_stop,
        ),
        prescriber=fields.get("prescriber", _read_name),
        written_on=written[0].written_on,
        starts_on=fields.get("starts_on", _read_day),
        status=fields.get("status", lambda at: at.word(members(OrderStatus))) or OrderStatus.ACTIVE,
        replaces=fields.get("replaces", _read_name),
        group=fields.get("group", read_text(600)),
        repeats=written[0].repeats or 0,
        interval_days=fields.get(
            "interval_days", lambda at: at.whole(f"a whole number of days from 1 to {MOST_DAYS}", 1, MOST_DAYS)
        ),
    )
    return RecordedOrder(
        order,
        written,
        fields.get("prescriber_name", read_text(200)),
        is_emergency=fields.get("emergency", read_truth) or False,
    )


def _read_plan(place: Place, on: date) -> Plan | None:
    fields = place.fields(REGIMEN_FIELDS)
    places = fields.need("products", lambda at: at.items(MOST_PRODUCTS))
    if not places:
        return None
    written = [read_written(Fields({}, place.path), item.fields(PRODUCT_FIELDS), on, Wordings()) for item in places]
    if len({None if order.phases is None else tuple(phase.days for phase in order.phases) for order in written}) > 1:
        fields.place("products").refuse("equally many phases of equal length in all products")
    if written[0].phases is None:
        return None
    return Plan(
        products=tuple(Product(order.strength_mg, order.phases or ()) for order in written),
        as_needed=fields.get("as_needed", read_truth) or False,
        then_stop=fields.get("then_stop", read_truth),
    )


def _read_supply(place: Place, on: date) -> RecordedSupply:
    fields = place.fields(SUPPLY_FIELDS)
    past = _past_day(on)
    status = fields.get("status", lambda at: at.word(members(SupplyStatus))) or SupplyStatus.GIVEN
    order = fields.get("order", _read_name)
    supply = Supply(
        id=fields.need("id", _read_name),
        on=fields.need("on", past),
        order=order,
        tablets=fields.get("tablets", _read_tablets),
        status=status,
        returned_on=fields.need("returned_on", past) if status is SupplyStatus.RETURNED else None,
        returned_tablets=fields.get("returned_tablets", _read_tablets),
        relation=fields.get("relation", _read_relation),
        plan=None if order is not None else fields.get("regimen", lambda at: _read_plan(at, on)),
        days=fields.get("days", lambda at: at.whole(f"a whole number of days from 1 to {MOST_DAYS}", 1, MOST_DAYS)),
        prescriber=fields.get("prescriber", _read_name),
        dose_since=fields.get("dose_since", past),
        number=fields.get("number", _read_number) or 0,
        number_of_day=fields.get("number_of_day", _read_number),
    )
    if order is None and supply.days is None and supply.tablets is None:
        place.refuse("the days or the tablets of a supply recorded from elsewhere")
    return RecordedSupply(supply, fields.get("source", read_text(200)), fields.get("prescriber_name", read_text(200)))


def _read_number(place: Place) -> int:
    return place.whole("a whole number from 0 to 9999", 0, 9999)


def _read_relation(place: Place) -> FrozenRelation:
    fields = place.fields(RELATION_FIELDS)
    return FrozenRelation(
        relation=fields.need("relation", lambda at: at.word(members(Relation))),
        how=fields.get("how", lambda at: at.word(members(How))),
        to=fields.get("to", lambda at: tuple(_read_name(item) for item in at.items(50))) or (),
        starts_on=fields.get("from", _read_day),
    )


def _read_decision(place: Place) -> tuple[Decision, Mapping[str, str | None]]:
    fields = place.fields(DECISION_FIELDS)
    decision = Decision(
        kind=fields.need("kind", lambda at: at.word(members(DecisionKind))),
        object=fields.need("object", _read_name),
        on=fields.need("on", _read_day),
        subject=fields.get("subject", _read_name),
        starts_on=fields.get("from", _read_day),
        tablets=fields.get("tablets", _read_tablets),
        mg=fields.get("mg", lambda at: at.amount("an amount in mg from 0 to 1000", Decimal(0), Decimal(1000))),
        days=fields.get("days", lambda at: at.whole("a whole number of days from -999 to 999", -999, 999)),
        id=fields.get("id", _read_name),
        corrects=fields.get("corrects", _read_name),
        since=fields.get("since", _read_name),
        after=fields.get("after", lambda at: tuple(_read_name(item) for item in at.items(MOST_SUPPLIES))) or (),
    )
    return decision, {"by": fields.get("by", read_text(200)), "reason": fields.get("reason", read_text(500))}
