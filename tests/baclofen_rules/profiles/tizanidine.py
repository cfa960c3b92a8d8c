"""A profile of tizanidine with the table of the medicine, written from the numbers of baclofen's for a test."""

import json
import tomllib
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from baclofen_rules import load_profile
from baclofen_rules.rule import EVERY_MEDICINE
from baclofen_rules.rules import all_rules

SHIPPED = Path(load_profile.__code__.co_filename).parent / "profiles"
TABLE = """[medicine]
atc = "M03BX02"
class = "interaction-muscle-relaxant"
names = ["tizanidine", "tizanidin", "zanaflex", "sirdalud"]
written.en = ["tizanidine", "zanaflex"]
written.es = ["tizanidina"]
written.fr = ["tizanidine"]
written.de = ["tizanidin", "sirdalud"]
written.it = ["tizanidina"]
"""
NUMBERS = {
    ("terms", "max_mg_per_day"): [36],
    ("terms", "start_mg_per_day"): [4],
    ("terms", "two_signatures"): [["abrupt-stop"]],
    ("strength", "strengths_mg"): [[2, 4]],
    ("measurable-dose", "halvable_mg"): [[4]],
    ("single-dose", "max_mg"): [12],
}
"""Numbers for the test; no source is read for them."""


def written(value: Any) -> str:
    """A value of a profile as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {written(entry)}" for name, entry in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    return str(value) if isinstance(value, int | Decimal | date) else json.dumps(value)


def numbers(code: str, section: dict[str, Any]) -> dict[str, Any]:
    """The numbers of a section of baclofen's, with those of the other medicine in their place."""
    return {
        name: [
            rows[0] | {"value": value} | ({"ages": [0]} if "ages" in rows[0] else {}) for value in NUMBERS[code, name]
        ]
        if (code, name) in NUMBERS
        else rows
        for name, rows in section.items()
    }


def write_tizanidine(folder: Path) -> None:
    """Write the table, and a profile that has a number for each rule of every medicine, into a site's folder."""
    files = [
        tomllib.loads((SHIPPED / f"{name}.toml").read_text(encoding="utf-8"), parse_float=Decimal)
        for name in ("base", "lioresal")
    ]
    terms = numbers("terms", files[0]["terms"] | files[1]["terms"])
    lines = [f"terms.{name} = {written(rows)}" for name, rows in terms.items()]
    for rule in all_rules():
        if rule.serves == EVERY_MEDICINE:
            section = numbers(
                rule.code, {name: rows for file in files for name, rows in file["rules"].get(rule.code, {}).items()}
            )
            lines += [f"rules.{rule.code}.{name} = {written(rows)}" for name, rows in section.items()]
    head = {
        "format": "baclofen-profile/1",
        "medicine": "tizanidine",
        "name": "tizanidine",
        "title": "Tizanidine, for a test",
        "author": "A pharmacist",
        "checker": "Another pharmacist",
    }
    lines = [*(f"{name} = {json.dumps(value)}" for name, value in head.items()), "next_review = 2027-05-22", *lines]
    (folder / "tizanidine.toml").write_text("\n".join(lines), encoding="utf-8")
    (folder / "medicines").mkdir()
    (folder / "medicines" / "tizanidine.toml").write_text(TABLE, encoding="utf-8")
