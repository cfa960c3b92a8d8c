"""Query parameters of lists, each declared once: its entry in the OpenAPI document and how it is read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from dispensary.errors import InvalidInput, Problem
from dispensary.text import clean_line


def refuse_unknown(sent: Iterable[str], names: Sequence[str], listed_by: str = "") -> None:
    """Raise `InvalidInput` for a parameter that is none of `names`: an ignored one would widen the answer."""
    unknown = sorted(set(sent) - set(names))
    if unknown:
        expected = f"only {', '.join(names) or 'none'}"
        problems = [Problem(name[:60], "a parameter", expected, listed_by) for name in unknown]
        raise InvalidInput("There is no such parameter.", *problems)


class TextParameter(OpenApiParameter):
    """Words, trimmed, of at most `max_length` characters."""

    def __init__(self, name: str, max_length: int, description: str) -> None:
        super().__init__(name, str, description=description)
        self.max_length = max_length

    def read(self, request: Request) -> str:
        """Return the words; empty where the parameter is absent. Raises `InvalidInput`."""
        words = request.query_params.get(self.name, "")
        return clean_line(words, self.name, longest=self.max_length, required=False)


class ChoiceParameter(OpenApiParameter):
    """One of a list of words. `quotes_value`: the error repeats the start of a wrong word."""

    def __init__(
        self,
        name: str,
        choices: Sequence[str],
        description: str = "",
        detail: str = "There is no such filter value.",
        quotes_value: bool = False,
    ) -> None:
        super().__init__(name, str, enum=choices, description=description)
        self.choices, self.detail, self.quotes_value = choices, detail, quotes_value

    def read(self, request: Request) -> str | None:
        """Return the word; None where the parameter is absent. Raises `InvalidInput`."""
        value = request.query_params.get(self.name)
        if value is not None and value not in self.choices:
            actual = value[:20] if self.quotes_value else "another word"
            raise InvalidInput(self.detail, Problem(self.name, actual, f"one of {', '.join(self.choices)}"))
        return value


class UUIDParameter(OpenApiParameter):
    """The UUID of a record."""

    def __init__(self, name: str, description: str = "") -> None:
        super().__init__(name, UUID, description=description)

    def read(self, request: Request) -> UUID | None:
        """Return the UUID; None where the parameter is absent. Raises `InvalidInput`."""
        text = request.query_params.get(self.name)
        try:
            return None if text is None else UUID(text)
        except ValueError:
            problem = Problem(self.name, "another text", "a UUID")
            raise InvalidInput(f"The {self.name} cannot be read.", problem) from None
