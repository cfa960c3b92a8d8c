"""The catalogue of errors. Interfaces translate them: the API to problem documents, the counter to words.

No message may carry a patient's data: a field's name and the *kind* of what was given are enough, and the value only
where it is not about a person.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that is wrong, its value, what is expected, and what to do next."""

    field: str
    """Where: the name or JSON path of the field, or "" for the whole."""
    given: str
    """The value that was given, as text short enough to show."""
    expected: str
    """A value that would have been right."""
    next: str = ""
    """The next step, if that is more than sending what is expected."""

    def sentence(self) -> str:
        """Return the problem as one sentence for a person."""
        text = f"{self.field}: {self.expected} expected, {self.given} given." if self.field else f"{self.expected}."
        return f"{text} {self.next}".strip()


class DispensaryError(Exception):
    """The root of the catalogue. `code` is public and never changes meaning; `status` is its HTTP status.

    `retry_after` is in seconds, for errors that pass by themselves.
    """

    code = "error"
    title = "This could not be done"
    status = 500
    retry_after: int | None = None
    position: int | None = None
    """The position of what is to blame, where several things are done together."""

    def __init__(self, detail: str, *problems: Problem) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems

    def sentences(self) -> str:
        """Return the detail and every problem as one line for a person."""
        return " ".join([self.detail, *(problem.sentence() for problem in self.problems)])


class InvalidInput(DispensaryError):
    """A value is malformed or absurd. Nothing was written."""

    code = "invalid-input"
    title = "Something given is not right"
    status = 400


class NotAllowed(DispensaryError):
    """The person is known, but may not do this here."""

    code = "not-allowed"
    title = "You may not do this"
    status = 403


class NotFound(DispensaryError):
    """The object is absent or another pharmacy's; the answer is the same for both."""

    code = "not-found"
    title = "There is no such thing here"
    status = 404


class Conflict(DispensaryError):
    """The object is no longer in the state that this needs: it was changed meanwhile, or has ended."""

    code = "conflict"
    title = "That is no longer possible"
    status = 409


class Stale(Conflict):
    """The caller's copy is older than what is stored (If-Match failed)."""

    code = "stale"
    title = "Somebody changed this meanwhile"
    status = 412
