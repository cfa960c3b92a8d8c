"""Query parameters of lists: what is wrong is named, with what is expected."""

import pytest

from dispensary.models import Prescription
from tests.dispensary.api.conftest import Caller, fields, problem


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


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=-1", "limit"),
        ("limit=all", "limit"),
        (f"limit={'9' * 30}", "limit"),
        ("limit=000000005000", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=cD0x", "cursor"),  # a place that no patient has: p=1
        ("cursor=cD0lMDA%3D", "cursor"),
        ("indentifier=P-1", "indentifier"),
        ("identifier=%00", "identifier"),
        (f"identifier={'9' * 65}", "identifier"),
    ],
)
def test_a_list_is_never_shown_for_a_parameter_that_was_not_read(pharmacist: Caller, query: str, field: str) -> None:
    assert fields(pharmacist.get(f"patients/?{query}")) == {field}


@pytest.mark.parametrize("address", ["reminders/?state=", "patients/?identifier=%20", "prescribers/?q=%20"])
def test_a_parameter_without_text_filters_nothing(pharmacist: Caller, address: str) -> None:
    assert pharmacist.get(address).status_code == 200


def test_the_next_order_of_the_queue_is_named_or_none(pharmacist: Caller, prescription: Prescription) -> None:
    following = pharmacist.get("queue/next/").json()["next"]
    assert (following["prescription"], following["state"]) == (str(prescription.pk), "ready")
    assert pharmacist.get(f"queue/next/?after={prescription.pk}").json() == {"next": None}
    assert fields(pharmacist.get("queue/next/?after=7")) == {"after"}
    assert fields(pharmacist.get("queue/next/?afer=7")) == {"afer"}
