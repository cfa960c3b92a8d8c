"""Query parameters of lists: what is wrong is named, with what is expected."""

import pytest

from tests.dispensary.api.conftest import Caller, problem


@pytest.mark.parametrize(
    ("address", "detail", "field", "actual", "expected"),
    [
        ("prescriptions/?status=lost", "There is no such filter value.", "status", "another word", "one of active, "),
        ("prescriptions/?status=", "There is no such filter value.", "status", "another word", "one of active, "),
        ("prescriptions/?outcome=lost", "There is no such filter value.", "outcome", "another word", "one of "),
        ("prescriptions/?patient=7", "The patient cannot be read.", "patient", "another text", "a UUID"),
        ("reminders/?state=lost", "There is no such state.", "state", "lost", "one of "),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(
    pharmacist: Caller, address: str, detail: str, field: str, actual: str, expected: str
) -> None:
    document = problem(pharmacist.get(address), 400)
    (entry,) = document["problems"]
    assert (document["detail"], entry["field"], entry["given"]) == (detail, field, actual)
    assert entry["expected"].startswith(expected)


@pytest.mark.parametrize("address", ["reminders/?state=", "patients/?identifier=%20", "prescribers/?q=%20"])
def test_a_parameter_without_text_filters_nothing(pharmacist: Caller, address: str) -> None:
    assert pharmacist.get(address).status_code == 200
