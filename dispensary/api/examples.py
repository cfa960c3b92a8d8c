"""Examples of the OpenAPI document: of each operation one request and answer, as the tests of the API recorded them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("examples.jsonl")
"""A line for each operation: `operation` (method and path), `request` where it has a body, `status`, `response` where that is JSON."""


@cache
def read_examples() -> Mapping[str, Mapping[str, Any]]:
    """Return the examples by operation."""
    rows = map(json.loads, FILE.read_text(encoding="utf-8").splitlines())
    return {row["operation"]: row for row in rows}


def add_examples(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Add its example to the body and the answer of each operation; a postprocessing hook of drf-spectacular."""
    for path, operations in result.get("paths", {}).items():
        for method, operation in operations.items():
            example = read_examples().get(f"{method.upper()} {path}")
            if example is None:
                continue
            answer = operation["responses"].get(str(example["status"]), {})
            for name, part in (("request", operation.get("requestBody", {})), ("response", answer)):
                if name in example:
                    for media in part.get("content", {}).values():
                        media["example"] = example[name]
    return result
