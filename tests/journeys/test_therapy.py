"""Worked cases of a therapy through the product: order by REST, findings, hand-over, label and calendar as printed.

Every date of a case moves by as many days as lie between its day and the machine's.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from pypdf import PdfReader

from dispensary.actions import dispenses, patients, therapy
from dispensary.actions.decisions import Decided
from dispensary.actors import Actor
from dispensary.assessment import therapy_of
from dispensary.documents import Stretch
from dispensary.documents.words import how_to_take, how_to_take_as_needed
from dispensary.models import (
    DecisionKind,
    Dispense,
    Patient,
    Pharmacy,
    Prescription,
    PrescriptionStatus,
    Product,
    SignatureMethod,
)
from dispensary.models.pharmacy import UsualTimes
from tests.baclofen_rules.therapy.reading import CASES
from tests.dispensary import make
from tests.dispensary.api.conftest import Caller

pytestmark = pytest.mark.django_db
BY_ID = {case["id"]: case for case in CASES}
THROUGH = [
    "T01",
    "T02",
    "T03",
    "T04",
    "T05",
    "T06",
    "T07",
    "T09",
    "T10",
    "T11",
    "T14",
    "T15",
    "T16",
    "T17",
    "T18",
    "T20",
    "T21",
    "T22",
]
ABOUT_THERAPY = {
    *("dose-change", "supply-relation", "outdated-order", "two-strengths", "as-needed-beside", "other-strength"),
    *("starts-later", "starts-late", "cover-gap", "course-interrupted", "course-goes-on", "instalment-early"),
    "instalment-size",
    *("early-refill", "late-refill", "restart", "leftover-supply", "duplicate-supply", "daily-maximum"),
}
DAY = timedelta(days=1)


def moved(value: Any, days: timedelta) -> Any:
    """The same value with every date moved."""
    if isinstance(value, Mapping):
        return {key: moved(inner, days) for key, inner in value.items()}
    if isinstance(value, list):
        return [moved(inner, days) for inner in value]
    if isinstance(value, str) and len(value) == 10 and value[4:5] == value[7:8] == "-":
        return (date.fromisoformat(value) + days).isoformat()
    return value


class World:
    """The pharmacy of one case, with its patient, orders and earlier supplies."""

    def __init__(self, case: Mapping[str, Any], shop: Pharmacy) -> None:
        self.case = moved(case, timezone.now().date() - date.fromisoformat(case["today"]))
        self.today = timezone.now().date()
        self.shop = shop
        member = make.staff(shop, now=timezone.now())
        self.by: Actor = member.actor()
        self.caller = Caller(member)
        self.patient: Patient = make.patient(shop, now=self.at(self.today - 200 * DAY))
        self.orders: dict[str, list[Prescription]] = {}
        self.names: dict[str, str] = {}
        """The names of courses here, by their names in the case."""
        self.keys = itertools.count(1)
        asked = (self.case["ask"] or {}).get("order")
        self.supplied = {row["order"] for row in self.case["supplies"]}
        for row in self.case["orders"]:
            is_new = row["id"] == asked and not any(s["order"] == asked for s in self.case["supplies"])
            if not is_new:
                self.receive(row)
        events = sorted(
            [
                *((row["on"], 1, row) for row in self.case["supplies"]),
                *((row["on"], 0, row) for row in self.case["decisions"]),
            ],
            key=lambda event: event[:2],
        )
        for on, _, row in events:
            if "kind" in row:
                self.decide(row)
            elif row["order"] is None:
                self.record(row)
            else:
                self.supply(row, date.fromisoformat(on))
        for row in self.case["orders"]:
            if row["id"] == asked and row["id"] not in self.orders:
                self.send(row)

    @staticmethod
    def at(on: date) -> datetime:
        """Noon of a day in the past, or now."""
        return min(datetime.combine(on, time(12), UTC), timezone.now())

    def order_of(self, row: Mapping[str, Any], product: Mapping[str, Any]) -> dict[str, Any]:
        """The prescription of one product of an order, as the case format has it."""
        phases = [{**phase, "unit": "mg"} for phase in product["phases"]]
        fields = {
            "written_on": row["written_on"],
            "starts_on": row["starts_on"],
            "route": "oral",
            "form": "tablet",
            "strength_mg": product["strength_mg"],
            "phases": phases,
            "then_stop": row["then_stop"],
            "as_needed": row["as_needed"] or None,
            "quantity": product["quantity"],
            # An order that is still active has something left here.
            "repeats": row["repeats"] + (2 if row["status"] == "active" and row["id"] in self.supplied else 0),
            "interval_days": row["interval_days"],
            "group": row["group"] or (f"urn:case|{row['id']}" if len(row["products"]) > 1 else None),
        }
        return {name: value for name, value in fields.items() if value is not None or name == "then_stop"}

    def prescriber(self, name: str | None) -> Any:
        return make.prescriber(self.shop, timezone.now(), identifier=str(name), name=f"Dr {name}")

    def receive(self, row: Mapping[str, Any]) -> None:
        """Take an order in on the day it was written."""
        replaces = self.orders.get(row["replaces"] or "", [None])[0]
        self.orders[row["id"]] = [
            make.prescription(
                self.patient,
                now=self.at(date.fromisoformat(row["written_on"])),
                ordered_by=self.prescriber(row["prescriber"]),
                replaces=replaces,
                **{"directions": None, **self.order_of(row, product)},
            )
            for product in row["products"]
        ]
        self.names[row["id"]] = str(self.orders[row["id"]][0].pk)

    def send(self, row: Mapping[str, Any]) -> None:
        """Send the order in question by REST, as it would come today."""
        prescriber = self.prescriber(row["prescriber"])
        self.orders[row["id"]] = []
        for product in row["products"]:
            body: dict[str, Any] = {
                "patient": {name: getattr(self.patient, name) for name in ("identifier", "family_name", "given_name")},
                "prescriber": {"identifier": prescriber.identifier, "name": prescriber.name},
                "case": {"format": "baclofen-case/1", "prescription": self.order_of(row, product)},
            }
            if row["replaces"]:
                body["replaces"] = self.names[row["replaces"]]
            answer = self.caller.post("prescriptions/", body)
            assert answer.status_code == 201, answer.content
            self.orders[row["id"]].append(Prescription.objects.get(pk=answer.json()["prescription"]["id"]))
        self.names[row["id"]] = str(self.orders[row["id"]][0].pk)

    def record(self, row: Mapping[str, Any]) -> None:
        """Record a supply from elsewhere."""
        (product,) = row["regimen"]["products"]
        supply = {
            "dispensed_on": row["on"],
            "doses": product["phases"][0]["doses"],
            "strength_mg": product["strength_mg"],
            "days_supply": row["days"],
            "dose_since": row["dose_since"],
            "relation": "same-course",
        }
        (recorded,) = patients.record_history(
            patient=self.patient, supplies=[supply], by=self.by, now=self.at(date.fromisoformat(row["on"]))
        )
        self.names[row["id"]] = str(recorded.pk)

    def decide(self, row: Mapping[str, Any]) -> None:
        """Record a decision that stands alone; how supplies stand to each other comes with them."""
        now = self.at(date.fromisoformat(row["on"]))
        if row["kind"] == "counted":
            decided = Decided(
                DecisionKind.COUNTED,
                self.names[row["object"]],
                on=date.fromisoformat(row["on"]),
                tablets=tuple(Decimal(count) for count in row["tablets"]),
            )
            therapy.record_decision(patient=self.patient, decided=decided, by=self.by, now=now)

    def supply(self, row: Mapping[str, Any], on: date) -> None:
        """Hand over on a day in the past, with an answer to whatever is asked."""
        first, *others = self.orders[row["order"]]
        quantity, *more = [Decimal(count) for count in row["tablets"]]
        now = self.at(on)
        fields: dict[str, Any] = {
            "prescription": first,
            "quantity": quantity,
            "pack": make.pack(gtin_of(first)),
            "also": [
                dispenses.Item(order, count, make.pack(gtin_of(order)))
                for order, count in zip(others, more, strict=True)
            ],
            "by": self.by,
            "now": now,
        }
        decisions = self.decisions_of(row["order"], self.case["decisions"], row["on"])
        refused = dispenses.dispense(key=f"try-{next(self.keys)}", decisions=decisions, **fields)
        if isinstance(refused, Dispense):
            return
        made = dispenses.dispense(
            key=f"made-{next(self.keys)}",
            decisions=decisions,
            overrides=[
                dispenses.Answer(q.code, "5", "Agreed.", asked="Dr A", asked_at=now, signature=SignatureMethod.PASSWORD)
                for q in refused.unanswered
                if q.severity == "override"
            ],
            acknowledged=[q.code for q in refused.unanswered if q.severity == "acknowledge"],
            **fields,
        )
        assert isinstance(made, Dispense), made

    def decisions_of(self, order: str, rows: Sequence[Mapping[str, Any]], on: str) -> list[Decided]:
        return [
            Decided(
                DecisionKind(row["kind"]),
                self.names[row["object"]],
                words="As the prescriber says.",
                mitigation="5",
                days=row.get("days"),
            )
            for row in rows
            if row["kind"] != "counted" and (row["subject"] == order or (row["subject"] is None and row["on"] == on))
        ]

    # --- the question ---------------------------------------------------------------------------------------------

    @property
    def asked(self) -> list[Prescription]:
        return self.orders[self.case["ask"]["order"]]

    def review(self) -> dict[str, Any]:
        """The findings about the order in question before any answer."""
        give = self.case["ask"]["give"]
        body = {"quantity": give[0]} if len(give) == 1 else {}
        answer = self.caller.post(f"prescriptions/{self.asked[0].pk}/reviews/", body)
        assert answer.status_code == 201, answer.content
        result: dict[str, Any] = answer.json()["result"]
        return result

    def hand_over(self) -> dict[str, Any]:
        """Hand the order over by REST under the answer of the case."""
        first, *others = self.asked
        quantity, *more = self.case["ask"]["give"]
        body: dict[str, Any] = {
            "quantity": str(quantity),
            "pack": pack_body(first),
            "overrides": [],
            "decisions": [
                {"kind": d.kind.value, "object": d.course, "words": d.words, "mitigation": d.mitigation}
                | ({} if d.days is None else {"days": d.days})
                for d in self.decisions_of(
                    self.case["ask"]["order"], self.case["ask"].get("answer") or (), self.today.isoformat()
                )
            ],
        }
        if others:
            body["also"] = [
                {"prescription": str(order.pk), "quantity": str(count), "pack": pack_body(order)}
                for order, count in zip(others, more, strict=True)
            ]
        path = f"prescriptions/{first.pk}/dispenses/"
        answer = self.caller.sign(path, body, Idempotency_Key=f"rest-{next(self.keys)}")
        if answer.status_code == 409:
            findings = answer.json()["findings"]
            body["acknowledged"] = [f["code"] for f in findings if f["severity"] == "acknowledge"]
            body["overrides"] = [
                {"finding": f["code"], "mitigation": "5", "words": "Agreed.", "asked": "Dr A"}
                for f in findings
                if f["severity"] == "override"
            ]
            answer = self.caller.sign(path, body, Idempotency_Key=f"rest-{next(self.keys)}")
        assert answer.status_code == 201, answer.content
        made: dict[str, Any] = answer.json()
        return made

    def printed(self, dispense: Mapping[str, Any], document: str) -> str:
        answer = self.caller.get(f"dispenses/{dispense['id']}/{document}.pdf")
        assert answer.status_code == 200, answer.content
        pages = PdfReader(io.BytesIO(answer.content)).pages
        return " ".join(" ".join(page.extract_text().replace("\u00a0", " ").split()) for page in pages)


def gtin_of(order: Prescription) -> str:
    """The pack of the order's strength; added to the products where it is none of the two."""
    strength = order.strength_mg or Decimal(10)
    return {Decimal(10): make.TEN_MG, Decimal(25): make.TWENTY_FIVE_MG}[Decimal(strength)]


def pack_body(order: Prescription) -> dict[str, str]:
    return {"gtin": gtin_of(order), "lot": "A1", "expiry": str(timezone.now().date() + 500 * DAY)}


@pytest.fixture
def shop(db: None) -> Pharmacy:
    make.products()
    return make.pharmacy(now=timezone.now(), time_zone="UTC")


@pytest.fixture
def world(request: pytest.FixtureRequest, shop: Pharmacy) -> World:
    return World(BY_ID[request.param], shop)


def of_each_case(*names: str) -> Callable[..., Any]:
    return pytest.mark.parametrize("world", names or THROUGH, indirect=True)


@of_each_case()
def test_the_rules_say_what_the_case_says(world: World) -> None:
    expected = world.case["expected"]["order"]
    result = world.review()
    severities = {f["code"]: f["severity"] for f in result["findings"] if f["code"] in ABOUT_THERAPY}
    assert severities == expected["findings"]
    # Who records a supply from elsewhere says here that it is of the same course.
    how = "decided" if world.case["id"] == "T07" else expected["how"]
    assert (result["therapy"]["relation"], result["therapy"]["how"]) == (expected["relation"], how)
    assert result["therapy"]["to"] == [world.names[name] for name in expected["to"]]


@of_each_case()
def test_what_is_handed_over_is_printed_as_the_case_says(world: World) -> None:
    expected = world.case["expected"]["if_given"]
    made = world.hand_over()
    assert (made["starts_on"], made["days_supply"], made["run_out_on"]) == (
        expected["starts_on"],
        expected["days_supply"],
        expected["run_out_on"],
    )
    label = world.printed(made, "label")
    is_as_needed = world.asked[0].as_needed
    for row in expected["label"]:
        printed_doses = row["most_doses" if is_as_needed else "doses"][0]
        doses, tablets = tuple(map(Decimal, printed_doses)), tuple(map(Decimal, row["tablets"][0]))
        times = () if is_as_needed else UsualTimes.EVENING.by_count.get(len(doses), ())
        stretch = Stretch(doses, tablets, date.fromisoformat(row["from"]), None, times=times)
        say = how_to_take_as_needed if is_as_needed else how_to_take
        assert say(stretch).replace("\u00a0", " ") in label
    if expected["calendar_days"]:
        assert world.printed(made, "calendar").count("mg a day") == expected["calendar_days"]
    day = therapy_of(Patient.objects.select_related("pharmacy").get(pk=world.patient.pk), world.today).day(world.today)
    first = expected["days"][0]
    assert (day.low, day.mg, day.high) == (first["low"], first["mg"], first["high"])


@of_each_case("T01", "T10", "T14")
def test_the_order_whose_dose_is_replaced_ends_with_the_hand_over(world: World) -> None:
    world.hand_over()
    (old,) = world.orders["A"]
    assert Prescription.objects.get(pk=old.pk).status in (PrescriptionStatus.REPLACED, PrescriptionStatus.COMPLETED)


@of_each_case("T09")
def test_two_strengths_name_each_other_on_their_labels(world: World) -> None:
    made = world.hand_over()
    rows = Dispense.objects.filter(patient=world.patient).order_by("-handed_over_at", "strength_mg")[:2]
    assert {row.strength_mg for row in rows} == {10, 25}
    assert len({row.handed_over_at for row in rows}) == 1
    for row in rows:
        (other,) = [r for r in rows if r.pk != row.pk]
        assert f"Together with Lioresal {other.strength_mg:.0f} mg tablets." in world.printed({"id": row.pk}, "label")
    assert "Lioresal 25 mg tablets and Lioresal 10 mg tablets" in world.printed(made, "calendar")


@of_each_case("T04")
def test_what_is_taken_as_needed_has_no_calendar(world: World) -> None:
    made = world.hand_over()
    assert world.caller.get(f"dispenses/{made['id']}/calendar.pdf").status_code == 422
    assert Product.objects.count() == 2
