"""UUID keys: in order of time, and told apart by the digits that people read."""

from uuid import RFC_4122, UUID

import pytest

from dispensary.models.keys import short_key, uuid7


def test_a_key_is_a_uuid_of_version_7_with_the_present_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 0x017F22E279B0 * 1_000_000)  # the example of RFC 9562, appendix A.6
    key = uuid7()
    assert str(key).startswith("017f22e2-79b0-7")
    assert (key.version, key.variant) == (7, RFC_4122)


def test_keys_grow_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    milliseconds = iter(range(1_000))
    monkeypatch.setattr("time.time_ns", lambda: next(milliseconds) * 1_000_000)
    keys = [uuid7() for _ in range(1_000)]
    assert keys == sorted(keys)


def test_keys_of_one_moment_are_told_apart_by_their_short_form() -> None:
    assert len({short_key(uuid7()) for _ in range(20)}) == 20


@pytest.mark.parametrize(
    ("key", "short"),
    [
        (UUID("8f14e45f-ceea-467f-a0e6-d8a3c1a1b2c3"), "c1a1b2c3"),
        ("8f14e45f-ceea-467f-a0e6-d8a3c1a1b2c3", "c1a1b2c3"),
        ("site", "site"),
        ("dispensary.example/counter", "dispensary.example/counter"),
        ("api/v1/patients/", "api/v1/patients/"),
        ("2026-11-30", "2026-11-30"),
        ("0123456789abcdef" * 4, "01234567"),
    ],
)
def test_the_short_form_is_the_end_of_a_key_the_beginning_of_a_digest_and_any_other_id_whole(
    key: UUID | str, short: str
) -> None:
    assert short_key(key) == short
