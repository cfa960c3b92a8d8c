"""Reading of scanned GS1 DataMatrix and bar codes (GS1 General Specifications).

A wedge scanner is a keyboard. Browsers swallow the separator between fields (GS, Ctrl+]), and a parser then reads lot and
serial as one lot without an error. The scan field therefore writes a visible separator in its place, and a lot or serial
that may contain another field is refused here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

import biip
from biip.gs1_element_strings import GS1ElementStrings

GS = "\x1d"
VISIBLE_GS = "\u241d"
LONGEST_SCAN = 300
LONGEST_LOT = 20
_EXPIRIES = ("17", "7003")
# Expiry date, and expiry date with the time of the day; the earlier of two counts.
_PREFIXES = ("]d2", "]C1", "]Q3", "]e0")
# Fields that a lost separator may have joined to a lot or serial, and their text there.
_SWALLOWED = {
    "(01)": r"01\d{14}",
    "(17)": r"17\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])",
    "(7003)": r"7003\d{2}(0[1-9]|1[0-2])([0-2]\d|3[01])([01]\d|2[0-3])[0-5]\d",
    "(10)": r"10\S{3,}",
    "(21)": r"21\S{4,}",
}


class UnreadableScan(Exception):
    """An unusable scan; the text is one sentence for the person at the counter."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A pack as scanned or typed (GS1 application identifiers 01, 10, 17 or 7003, 21); empty where a scan carries no value."""

    gtin: str
    """14 digits from a scan."""
    lot: str = ""
    expiry: date | None = None
    serial: str = ""


def read_scan(text: str) -> Pack:
    """Read a scanned code. Raises UnreadableScan with one sentence for the person who scans."""
    raw = text.strip().replace(VISIBLE_GS, GS)
    if not raw:
        raise UnreadableScan("Nothing was scanned. Scan the pack, or type the number under its bar code.")
    if len(raw) > LONGEST_SCAN:
        raise UnreadableScan("That is longer than any pack's code. Scan one pack at a time.")
    bare = raw
    for prefix in _PREFIXES:
        bare = bare.removeprefix(prefix)
    try:
        code = biip.parse(raw)
    except (biip.ParseError, IndexError) as error:  # biip 5.2 runs off the end of a text such as "]d"
        raise UnreadableScan(_name_keyboard(raw) or _NOT_A_CODE) from error
    # A bare number is the article number, even where its first digits look like a field of a GS1 message.
    if bare.isascii() and bare.isdigit() and len(bare) in (8, 12, 13, 14):
        if code.gtin is None:
            raise UnreadableScan(
                f"The number {bare} has a wrong check digit. Scan it again, or look at the number on the pack."
            )
        return Pack(code.gtin.as_gtin_14())
    if code.gs1_digital_link_uri is not None:
        return _from_elements(code.gs1_digital_link_uri.element_strings, separators_arrive=True)
    if code.gs1_message is None:
        raise UnreadableScan(_name_keyboard(raw) or _NOT_A_CODE)
    return _from_elements(code.gs1_message.element_strings, separators_arrive=GS in raw)


def _name_keyboard(text: str) -> str:
    """Return a sentence on a scanner that types as on another country's keyboard; "" where it does not."""
    country = next((name for name, pattern in _KEYBOARDS.items() if re.match(pattern, text)), "")
    if not country:
        return ""
    return (
        f"The scanner types as on a {country} keyboard, so that its code arrives garbled. "
        "Set the scanner and this computer to the same keyboard, or type the number under the bar code."
    )


# What "]d2", "]C1" and the digits "01" become when the scanner and the computer have different keyboards.
_KEYBOARDS = {
    "French": r"([$\]][dqCQ][&é\"'(\-è_çà]|[à&é\"'(\-è_çà]{6})",
    "German": r"\+[dCQe]\d",
}
_NOT_A_CODE = "This is not a pack's code. Scan the square code on the pack, or type the number under its bar code."


def _from_elements(elements: GS1ElementStrings, *, separators_arrive: bool) -> Pack:
    article = elements.get(ai="01")
    if article is None:
        raise UnreadableScan("The code names no product (no GTIN). Scan the square code on the pack.")
    if article.gtin is None:
        raise UnreadableScan(f"The product number {article.value} has a wrong check digit. Scan the pack again.")
    values = {field.ai.ai: field.value for field in elements}
    present = {f"({ai})" for ai in values}
    for ai, name in (("10", "lot"), ("21", "serial number")):
        # Where one separator came through, none was lost: a lot may then look like anything.
        _refuse_swallowed(values.get(ai, ""), name, {*present, *_SWALLOWED} if separators_arrive else present)
    expiries = [field.date for field in elements if field.ai.ai in _EXPIRIES and field.date is not None]
    return Pack(article.gtin.as_gtin_14(), values.get("10", ""), min(expiries, default=None), values.get("21", ""))


def _refuse_swallowed(value: str, name: str, present: set[str]) -> None:
    if len(value) > LONGEST_LOT:
        raise UnreadableScan(f"The {name} is longer than {LONGEST_LOT} characters: the scanner lost a separator.")
    for ai, pattern in _SWALLOWED.items():
        if ai not in present and re.search(rf"^.+?{pattern}", value):
            raise UnreadableScan(
                f"The {name} reads {value}, which may hold another field: the scanner lost the separator between them. "
                "Set the scanner to send GS as Ctrl+], or type lot and expiry by hand."
            )
