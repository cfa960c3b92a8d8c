"""The table of requirements has each of them once, and names tests that exist."""

import re
from itertools import chain
from pathlib import Path
from typing import Any

from django.test import Client

from dispensary.api import cds_hooks
from dispensary.api.cds_hooks.services import PREFETCH

TABLE = Path(cds_hooks.__file__).with_name("COVERAGE.md")
OF_SERVICES = (
    "1-14, 16, 27-29, 34-36, 52, 54-61, 74-78, 80-85, 87-90, 92-96, 98-100, 103-113, 115-125, 127-136, 138-142, 144-148, 168, "
    "175-177, 179, 195, 199-201, 203, 205-208, 210-220"
)
"""The requirements of `cds-hooks_2.0` in Inferno's list whose actors include the service, on 30 November 2026."""


def expand(numbers: str) -> list[int]:
    ranges = [part.partition("-") for part in numbers.split(", ")]
    return [number for first, _, last in ranges for number in range(int(first), int(last or first) + 1)]


def rows() -> list[list[str]]:
    lines = [line.strip("| \n").split(" | ") for line in TABLE.read_text().splitlines() if re.match(r"\| \d", line)]
    assert all(len(line) == 4 for line in lines)
    return lines


def test_every_requirement_on_a_service_stands_in_the_table_once() -> None:
    numbers = list(chain.from_iterable(expand(line[0]) for line in rows()))
    assert sorted(numbers) == sorted(expand(OF_SERVICES))


def test_what_is_met_names_a_test_that_exists_and_nothing_else_does() -> None:
    root = Path(__file__).parents[3]
    names = set(re.findall(r"^def (test_\w+)", "".join(path.read_text() for path in root.rglob("test_*.py")), re.M))
    for numbers, _, state, test in rows():
        assert state in {"met", "measured", "not applicable"}, numbers
        assert (test in names) is (state == "met"), numbers


def test_plain_http_is_sent_to_https(db: None, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    answer = Client().get("/cds-services")
    assert (answer.status_code, answer["Location"]) == (301, "https://testserver/cds-services")


def test_templates_hold_the_id_of_the_patient_alone() -> None:
    for template in PREFETCH.values():
        assert set(re.findall(r"\{\{.*?\}\}", template)) == {"{{context.patientId}}"}
        assert template.count("{{") == 1
