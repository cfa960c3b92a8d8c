"""Bytes of the log: canonical JSON, header, leaf, body commitment, genesis.

Everything the log promises rests on two parties turning the same facts into the same bytes. So the types are few
(text, whole numbers, true, false, lists, objects), the text is RFC 8785 canonical JSON, and what has no single
spelling is refused instead of guessed: floats, NUL, lone surrogates, whole numbers beyond 2^53 - 1, a key twice.

``dispensary/audit/FORMAT.md`` describes the same for somebody who writes a verifier in another language;
the SQL function ``audit.header`` builds the same header text inside the database.
"""

from __future__ import annotations

import datetime as dt
import enum
import hashlib
import json
import unicodedata
import uuid
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from json.encoder import encode_basestring as _quoted
from typing import Any

FORMAT = 1
MAX_INTEGER = 2**53 - 1
MAX_HEADER_BYTES = 2**16 - 1
SALT_BYTES = 32

BODY_PLAIN = 1
"""``body_kind`` of a body stored as canonical JSON text."""

ERASED = "audit.erased"
"""Action of the entry that authorises missing bodies; its body says which in ``ranges`` [[first, last], ...]."""

RETIRED = "audit.retired"
"""Action of the entry that authorises missing entries; its body says which in ``first`` and ``last``."""

HEADER_KEYS: dict[str, str] = {
    "action": "action",
    "actor": "actor",
    "actor_role": "actor_role",
    "body_commit": "body",
    "body_kind": "body_kind",
    "corrects_seq": "corrects",
    "db_role": "db_role",
    "drug_code": "drug_code",
    "engine": "engine",
    "entry_id": "id",
    "log_id": "log",
    "occurred_at": "occurred",
    "outcome": "outcome",
    "patient_ref": "patient_ref",
    "reason_code": "reason_code",
    "recorded_at": "recorded",
    "request_id": "request_id",
    "rule_codes": "rule_codes",
    "ruleset": "ruleset",
    "second_actor": "second_actor",
    "station": "station",
    "subject_id": "subject_id",
    "subject_type": "subject_type",
    "txid": "txid",
    "v": "v",
}
"""Column of ``audit.entry`` -> key of the header. ``seq`` and ``prev`` come from the link. NULL is left out; an empty
text or list is not NULL and stays."""


class NotCanonical(ValueError):
    """A value has no single spelling in the log; ``path`` says where it stands."""

    def __init__(self, path: str, value: object, expected: str) -> None:
        super().__init__(path, expected)
        self._inner, self.kind, self.expected = path.removeprefix("$"), type(value).__name__, expected

    def within(self, step: str) -> NotCanonical:
        """Prefix the path with a step of the object or list around the value.

        Return this error.
        """
        self._inner = step + self._inner
        return self

    @property
    def path(self) -> str:
        """JSON path of the value, ``$`` for the whole."""
        return "$" + self._inner

    def __str__(self) -> str:
        return f"{self.path}: {self.expected}; given {self.kind}"


def canonical(value: object) -> str:
    """Return RFC 8785 text of str, int, bool, list, tuple and dict; refuse all else.

    >>> canonical({"b": [1, True], "a": "5 mg"})
    '{"a":"5 mg","b":[1,true]}'
    """
    return _encode(_ordered(value))


def plain(value: object) -> Any:
    """Return a value with decimals, dates, times, UUIDs and enums as text.

    Text becomes NFC; ``None`` inside an object is left out (absent and unknown are the same in the log). Amounts are
    written as plain decimals without an exponent. Floats are refused: say the amount as a Decimal.

    >>> plain({"dose_mg": Decimal("7.50"), "on": dt.date(2026, 11, 22), "note": None})
    {'dose_mg': '7.50', 'on': '2026-11-22'}
    """
    return _plain(value)


def timestamp(moment: dt.datetime) -> str:
    """Return ``YYYY-MM-DDTHH:MM:SS.ffffffZ``: UTC, always six digits.

    >>> timestamp(dt.datetime(2026, 11, 22, 9, 0, tzinfo=dt.timezone(dt.timedelta(hours=1))))
    '2026-11-22T08:00:00.000000Z'
    """
    if moment.tzinfo is None:
        raise NotCanonical("$", moment, "a time with its zone")
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds")[:26] + "Z"


def header(entry: Mapping[str, Any], *, seq: int, prev: bytes) -> str:
    """Return the header text of one entry from its columns, number and previous leaf.

    Raises NotCanonical when it would exceed 64 KiB - 1 bytes, or when a column is unknown.
    """
    if unknown := entry.keys() - HEADER_KEYS.keys():
        raise NotCanonical(f"$.{min(unknown)}", None, "a column of format 1")
    fields = {HEADER_KEYS[column]: value for column, value in entry.items() if value is not None}
    fields["seq"], fields["prev"] = seq, prev
    text = "{" + ",".join([f'"{key}":{_column_text(fields[key])}' for key in sorted(fields)]) + "}"
    if len(text.encode()) > MAX_HEADER_BYTES:
        raise NotCanonical("$", text[:80], f"a header of at most {MAX_HEADER_BYTES} bytes")
    return text


def leaf(header_text: str) -> bytes:
    """Return the RFC 9162 leaf hash of a header: SHA-256(0x00 || header)."""
    return hashlib.sha256(b"\x00" + header_text.encode()).digest()


def body_commitment(salt: bytes, body: str) -> bytes:
    """Return SHA-256(0x02 || salt || body); without the salt it reveals no body."""
    if len(salt) != SALT_BYTES:
        raise NotCanonical("$.salt", salt, f"{SALT_BYTES} bytes")
    return hashlib.sha256(b"\x02" + salt + body.encode()).digest()


def genesis(log_id: uuid.UUID, predecessor_note: str = "") -> bytes:
    """Return the ``prev`` of entry 1.

    A log that continues another has that one's last signed note in it.
    """
    return hashlib.sha256(f"audit/genesis/v1\n{log_id}\n{predecessor_note}".encode()).digest()


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


def _ordered(value: object) -> object:
    """Return the value with keys in UTF-16 order, every part checked."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise NotCanonical("$", value, "a whole number between -(2^53 - 1) and 2^53 - 1")
        return int(value)
    if isinstance(value, dict):
        return _ordered_object(value)
    if isinstance(value, list | tuple):
        return _turn_items(value, _ordered)
    raise NotCanonical("$", value, "text, a whole number, true, false, a list or an object")


def _ordered_object(value: dict[Any, object]) -> dict[str, object]:
    for key in value:
        if not isinstance(key, str):
            raise NotCanonical("$", key, "keys that are text")
        _text(key)
    ordered: dict[str, object] = {}
    for key in sorted(value) if "".join(value).isascii() else sorted(value, key=lambda key: key.encode("utf-16-be")):
        try:
            ordered[str(key)] = _ordered(value[key])
        except NotCanonical as error:
            raise error.within(f".{key}") from None
    return ordered


def _turn_items(items: Iterable[Any], turn: Callable[[object], Any]) -> list[Any]:
    turned: list[Any] = []
    for item in items:
        try:
            turned.append(turn(item))
        except NotCanonical as error:
            raise error.within(f"[{len(turned)}]") from None
    return turned


def _text(value: str) -> str:
    if "\x00" in value:
        raise NotCanonical("$", value, "text without NUL")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise NotCanonical("$", value, "text without lone surrogates") from error
    return str(value)


def _plain(value: object) -> Any:
    kind = type(value)
    if kind is int or kind is bool:
        return value
    if kind is not str and isinstance(value, enum.Enum):
        return _plain(value.value)
    if isinstance(value, str):  # ASCII is NFC already
        return _text(value) if value.isascii() else unicodedata.normalize("NFC", _text(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Mapping):
        return _plain_object(value)
    if isinstance(value, list | tuple):
        return _turn_items(value, _plain)
    if isinstance(value, set | frozenset):
        return _turn_items(sorted(value, key=str), _plain)
    return _plain_scalar(value)


def _plain_object(value: Mapping[Any, object]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, item in value.items():
        if item is None:
            continue
        name = _plain(key)
        if not isinstance(name, str):
            raise NotCanonical("$", key, "keys that are text")
        if name in mapping:
            raise NotCanonical(f"$.{name}", key, "each key once")
        try:
            mapping[name] = _plain(item)
        except NotCanonical as error:
            raise error.within(f".{name}") from None
    return mapping


def _plain_scalar(value: object) -> str:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise NotCanonical("$", value, "a finite decimal")
        return format(value, "f")
    if isinstance(value, dt.datetime):
        return timestamp(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise NotCanonical("$", value, "text, a whole number, a decimal, a date, a time with its zone, a UUID or an enum")


def _column_text(value: Any) -> str:
    """Return the canonical text of one column.

    Common types first, since verification is mostly this.
    """
    kind = type(value)
    if kind is str:
        return _quoted(_text(value))
    if kind is bytes:
        return f'"{value.hex()}"'
    if kind is dt.datetime:
        return f'"{timestamp(value)}"'
    if kind is uuid.UUID:
        return f'"{value}"'
    if kind is int and -MAX_INTEGER <= value <= MAX_INTEGER:
        return str(value)
    if kind is list and all(type(item) is str for item in value):
        return "[" + ",".join([_quoted(_text(item)) for item in value]) + "]"
    if isinstance(value, bytearray | memoryview):
        return f'"{bytes(value).hex()}"'
    return canonical(value)
