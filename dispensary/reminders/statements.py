"""Named SQL statements, read from `queue.sql` and `planning.sql`."""

from __future__ import annotations

import re
from pathlib import Path


def load_statements(file_name: str) -> dict[str, str]:
    """Return the statements of a file by name, without their `--` comments."""
    _, *parts = re.split(r"^-- (\w+) --$", (Path(__file__).parent / file_name).read_text(), flags=re.MULTILINE)
    statements = (re.sub(r"^--.*\n", "", part.lstrip("\n"), flags=re.MULTILINE).strip() for part in parts[1::2])
    return dict(zip(parts[::2], statements, strict=True))
