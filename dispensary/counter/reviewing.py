"""The review of a draft: the strengths of an order with the packs in hand, judged before and under what was chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from decimal import ROUND_CEILING, Decimal
from uuid import UUID

from django.utils.dateparse import parse_date

from baclofen_rules.text import format_amount
from baclofen_rules.words import join_words
from dispensary.actions.decisions import Decided, new_decision
from dispensary.actions.handover_problems import BACLOFEN, CountedPack
from dispensary.assessment import Assessment, Part, assess, pick_document
from dispensary.counter.check_view import course_phases, course_sentence
from dispensary.counter.choices import Choices, choices_of, decided, needs_reason
from dispensary.counter.drafts import Draft, PackDraft
from dispensary.counter.forms import PackForm
from dispensary.counter.visit import Visit
from dispensary.documents.words import mg
from dispensary.loading import read_record
from dispensary.models import Decision, Prescription, PrescriptionStatus, Product
from dispensary.models.therapy import RELATIONS
from dispensary.rows import group_orders
from dispensary.scanning import Pack

PACK_FIELDS = tuple(field.name for field in fields(PackDraft) if field.name != "further")


def instalment_tablets(order: Prescription) -> Decimal | None:
    """Return the tablets of one instalment, in whole ones; None of an order without instalments, or whose dose changes or is not fixed."""
    phases = course_phases(order)
    if order.interval_days is None or order.repeats or order.strength_mg is None or order.as_needed or len(phases) != 1:
        return None
    return (phases[0].mg_per_day * order.interval_days / order.strength_mg).to_integral_value(ROUND_CEILING)


@dataclass(frozen=True, slots=True)
class Line:
    """One strength of an order on the page: what is ordered, and the pack in hand."""

    prescription: Prescription
    prefix: str
    """Of the names of its fields; empty for the first."""
    draft: PackDraft
    product: Product | None
    expiry: date | None
    trouble: str
    """One sentence on a wrong pack; empty for a right one, and before a scan."""
    sizes: tuple[int, ...] = ()
    """Tablets in a full box of each further one."""

    @property
    def remaining(self) -> Decimal | None:
        return self.prescription.remaining()

    @property
    def quantity(self) -> str:
        """The tablets as typed, otherwise those of one instalment, or of one fill, that remain."""
        remaining = min(self.prescription.quantity or Decimal(0), self.remaining or Decimal(0))
        return self.draft.quantity or format_amount(min(remaining, instalment_tablets(self.prescription) or remaining))

    @property
    def ordered(self) -> str:
        """Return the strength in words: `25 mg tablets`."""
        strength = self.prescription.strength_mg
        return "tablets" if strength is None else f"{mg(strength)} tablets"

    @property
    def sentence(self) -> str:
        """Return the doses of this strength in one sentence; empty where the order could not be read."""
        return course_sentence(self.prescription)

    @property
    def typed_quantity(self) -> Decimal | None:
        """The tablets as typed; None where nothing, or no number of tablets, is typed."""
        form = PackForm({"quantity": self.draft.quantity})
        return None if "quantity" in form.errors else form.cleaned_data["quantity"]

    @property
    def tablets(self) -> Decimal:
        """The tablets to be handed over, as far as they are known."""
        return self.typed_quantity or Decimal(self.quantity if not self.draft.quantity else 0)

    @property
    def needs_more(self) -> bool:
        """Say whether the boxes scanned hold fewer tablets than are handed over."""
        return self.product is not None and self.product.pack_size + sum(self.sizes) < self.tablets

    @property
    def further(self) -> list[CountedPack]:
        """Return the boxes after the first, each emptied before the next, with the tablets from each."""
        left = self.tablets - (0 if self.product is None else self.product.pack_size)
        packs = []
        for box, size in zip(self.draft.further, self.sizes, strict=True):
            count = min(Decimal(size), left)
            if count > 0:
                pack = Pack(box["gtin"], box["lot"], read_day(box["expiry"]), box["serial"])
                packs.append(CountedPack(pack, count))
                left -= count
        return packs

    @property
    def from_first(self) -> Decimal:
        """The tablets that come from the first box."""
        return self.tablets - sum(counted.quantity for counted in self.further)

    @property
    def is_scanned(self) -> bool:
        return bool(self.draft.gtin)

    def field(self, name: str) -> str:
        """Return the name of one of its fields."""
        return f"{self.prefix}-{name}" if self.prefix else name

    @property
    def fields(self) -> dict[str, str]:
        """The names of its fields, for the page."""
        return {name: self.field(name) for name in PACK_FIELDS}


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The review of a draft by the rule book."""

    lines: Sequence[Line]
    asked: Assessment
    """Before any choice."""
    assessment: Assessment
    """Under what was chosen."""
    choices: Choices | None
    decided: Sequence[Decided]
    needs_reason: bool
    """Say whether the choice still lacks a pharmacist's reason."""

    @property
    def first(self) -> Line:
        return self.lines[0]


def read_order(visit: Visit, pk: UUID) -> Prescription:
    """Return an order of the pharmacy, with the record of its patient."""
    asked = visit.fetch(Prescription.objects.select_related("patient__pharmacy"), pk)
    return read_record(asked.patient_id, asked.patient).orders[pk]


def items_of(prescription: Prescription) -> list[Prescription]:
    """Return the prescriptions that are handed over together with this one, it included: the strengths of one order.

    The record of the patient has been read.
    """
    if not prescription.group:
        return [prescription]
    rows = [row for row in prescription.patient.prescriptions.all() if row.group == prescription.group]
    products = next((order for order in group_orders(rows) if prescription in order), (prescription,))
    waiting = [row for row in products if row.status == PrescriptionStatus.ACTIVE and row.remaining() != 0]
    return waiting if prescription in waiting else [prescription]


def lines_of(items: Sequence[Prescription], draft: Draft, today: date | None) -> list[Line]:
    """Return the lines of a page, one a strength. Without a day no pack is looked at."""
    packs = [draft.pack(item.pk) for item in items]
    gtins = {pack.gtin for pack in packs} | {box["gtin"] for pack in packs for box in pack.further}
    gtins.discard("")
    products = Product.objects.in_bulk(gtins) if gtins else {}
    return [_line(item, index, draft.pack(item.pk), products, today) for index, item in enumerate(items)]


def review_draft(visit: Visit, items: Sequence[Prescription], draft: Draft) -> Reviewed:
    """Return the review of today with packs, quantities and choice of the draft. Writes nothing."""
    lines = lines_of(items, draft, visit.today)
    asked = _assess(lines, visit.today)
    choices = choices_of(asked, draft, visit.by)
    answers = decided(choices, asked, draft)
    assessment = _assess(lines, visit.today, _rows(answers, items[0], visit)) if answers else asked
    return Reviewed(lines, asked, assessment, choices, answers, needs_reason(choices, asked, draft))


def describe_pack_error(
    product: Product | None, gtin: str, expiry: date | None, items: Sequence[Prescription], today: date
) -> str:
    """Return one sentence on a pack that is none of what is ordered, or has expired; "" for a right one."""
    if product is None:
        return f"Nobody here knows the pack {gtin}. Scan it again, or let a pharmacist add it."
    if product.ingredient.casefold() != BACLOFEN:
        return f"This is {product.name}: another medicine. Put it back."
    if expiry and expiry < today:
        return "This pack has expired. Take it off the shelf."
    strengths = [item.strength_mg for item in items if item.strength_mg is not None]
    if len(strengths) == len(items) and product.strength_mg not in strengths:
        ordered = join_words([mg(strength) for strength in strengths])
        return f"Wrong strength: {mg(product.strength_mg)} tablets in your hand, {ordered} ordered."
    return ""


def read_day(text: str) -> date | None:
    """Return a date as typed; None where none is typed, or what is typed is no date."""
    try:
        return parse_date(text)
    except ValueError:
        return None


def _line(
    item: Prescription, index: int, draft: PackDraft, products: Mapping[str, Product], today: date | None
) -> Line:
    product, expiry = products.get(draft.gtin), read_day(draft.expiry)
    sizes = tuple(products[box["gtin"]].pack_size if box["gtin"] in products else 0 for box in draft.further)
    trouble = ""
    if draft.gtin and today is not None:
        trouble = describe_pack_error(product, draft.gtin, expiry, [item], today)
    return Line(item, f"p{index}" if index else "", draft, product, expiry, trouble, sizes)


def _assess(lines: Sequence[Line], on: date, decisions: Sequence[Decision] = ()) -> Assessment:
    first, *others = lines
    picked = [None if line.product is None else pick_document(line.product, line.expiry) for line in lines]
    quantities = [line.typed_quantity or line.prescription.quantity for line in lines]
    is_as_ordered = all(
        quantity == line.prescription.quantity for quantity, line in zip(quantities, lines, strict=True)
    )
    return assess(
        first.prescription,
        on=on,
        picked=picked[0],
        quantity=None if is_as_ordered else quantities[0],
        also=[
            Part(line.prescription, quantity or Decimal(0), pick)
            for line, quantity, pick in zip(others, quantities[1:], picked[1:], strict=True)
        ],
        decisions=decisions,
    )


def _rows(answers: Sequence[Decided], prescription: Prescription, visit: Visit) -> list[Decision]:
    """Return the decisions of a choice as rows that are not stored."""
    rows = []
    for answer in answers:
        row = new_decision(
            answer, patient=prescription.patient, on=visit.today, by=visit.by, now=visit.now, place="decisions"
        )
        row.order = prescription if answer.kind in RELATIONS else None
        rows.append(row)
    return rows
