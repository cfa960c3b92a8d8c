"""Recording of the OpenAPI document's examples: what the tests of the API sent and received.

`RECORD_EXAMPLES=1 pytest tests/dispensary/api/test_x.py` adds a line for each operation that has none. To have one recorded anew, delete its line.
"""

from __future__ import annotations

import json
import os
import re
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.http import HttpResponse

from dispensary.api.examples import FILE, read_examples
from tests.dispensary.make import PASSWORD

IS_RECORDING = bool(os.environ.get("RECORD_EXAMPLES"))
_AMOUNTS = frozenset({"quantity", "strength_mg", "strengths_mg"})
"""Fields that tests send as numbers, and clients as decimal strings."""
_recorded: dict[tuple[str, str], dict[str, Any]] = {}


def record(method: str, path: str, sent: bytes, response: HttpResponse) -> None:
    """Keep a call that succeeded; of several to one address the first that is answered with a row."""
    if response.streaming or not 200 <= response.status_code < 300:
        return
    example: dict[str, Any] = {"status": response.status_code}
    if is_json(response.get("Content-Type", "")):
        example["response"] = _shorten(response.json())
    if method != "GET" and sent.startswith(b"{"):
        body = json.loads(sent.replace(PASSWORD.encode(), b"the password of the signer"))
        for name in _AMOUNTS & body.keys():
            body[name] = list(map(str, body[name])) if isinstance(body[name], list) else str(body[name])
        example = {"request": body} | example
    if example.keys() & {"request", "response"} and (_has_row(example) or (method, path) not in _recorded):
        _recorded[method, path] = example


def is_json(content_type: str) -> bool:
    """Return whether a body of this type is one JSON value."""
    return content_type.partition(";")[0].endswith(("/json", "+json"))


def write() -> None:
    """Add the recorded operations that have no example to the file."""
    document = StringIO()
    call_command("spectacular", "--format", "openapi-json", stdout=document)
    paths = json.loads(document.getvalue())["paths"]
    templates = sorted(paths, key=lambda template: template.count("{"))
    examples = dict(read_examples())
    for (method, path), example in sorted(_recorded.items(), key=lambda item: not _has_row(item[1])):
        template = next((t for t in templates if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", t), path)), None)
        if template is not None and method.lower() in paths[template]:
            name = f"{method} {template}"
            examples.setdefault(name, {"operation": name} | example)
    lines = [json.dumps(examples[name], ensure_ascii=False) + "\n" for name in sorted(examples)]
    FILE.write_text("".join(lines), encoding="utf-8")


def _has_row(example: dict[str, Any]) -> bool:
    answer = example.get("response")
    return (answer.get("results", answer.get("entry")) if isinstance(answer, dict) else answer) != []


def _shorten(value: Any) -> Any:
    """Return a value whose lists of objects have one each."""
    match value:
        case dict():
            return {name: _shorten(item) for name, item in value.items()}
        case list():
            return [_shorten(item) for item in (value[:1] if value and isinstance(value[0], dict) else value)]
        case _:
            return value
